"""The marketplace's rules, alone."""

from datetime import UTC, datetime

from front_ends.market import answers
from isthmus.flows.bookkeeping import api as bookkeeping
from isthmus.kernel import PASS
from isthmus.packs.notification import api as notification
from isthmus.packs.order import api as order
from isthmus.packs.promotion import api as promotion
from isthmus.values import GUEST, money

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def sold(sku: str, seller: str) -> order.DraftLine:
    ten, nothing = money(1000, "USD"), money(0, "USD")
    return order.DraftLine(
        sku=sku,
        title=sku,
        quantity=1,
        unit="piece",
        seller=seller,
        location="",
        tax_category="",
        list_amount=ten,
        amount=ten,
        discount=nothing,
        tax=nothing,
        total=ten,
    )


def priced(seller: str) -> promotion.PromotionLine:
    return promotion.PromotionLine(sku=seller, quantity=1, amount=money(1000, "USD"), seller=seller)


def test_each_seller_gets_an_order_of_its_own() -> None:
    lines = [sold("a", "one"), sold("b", "two"), sold("c", "one")]
    assert answers.each_seller_its_own_order(lines) == ["one", "two", "one"]


def test_three_sellers_in_one_basket_earn_a_bonus_and_two_do_not() -> None:
    assert answers.many_sellers_bonus([priced("one"), priced("two")], GUEST, NOW) is PASS
    (bonus,) = answers.many_sellers_bonus([priced("one"), priced("two"), priced("three")], GUEST, NOW)
    assert [share.amount for share in bonus.shares] == [money(10, "USD")] * 3


def test_a_basket_from_too_many_sellers_is_refused() -> None:
    lines = tuple(sold(str(at), str(at)) for at in range(answers.SELLERS_MAX + 1))
    nothing = money(0, "USD")
    draft = order.Draft(lines=lines, currency="USD", delivery_fee=nothing, total=nothing)
    assert not answers.not_too_many_sellers(draft).is_allowed


def test_sellers_pay_eight_percent_and_grocers_five() -> None:
    grocery = sold("b", "two").replace(tax_category="GROCERY")
    assert answers.a_share_of_what_sellers_sell([sold("a", "one"), grocery]) == [money(80, "USD"), money(50, "USD")]


def test_readers_learn_that_others_may_come_apart_and_nothing_of_payments() -> None:
    shipped = notification.Draft(kind="parcel.shipped", subject="On its way", text="A parcel is on its way.")
    said = answers.a_word_about_each_parcel(shipped)
    assert isinstance(said, notification.Content)
    assert said.text.startswith("A parcel is on its way.\n\nEach seller")
    assert answers.a_word_about_each_parcel(notification.Draft(kind="order.paid", text="Paid.")).text == ""
    assert answers.a_word_about_each_parcel(notification.Draft(kind="order.placed", text="Thanks.")) is PASS


def test_who_sends_the_goods_is_owed_the_fee_for_it() -> None:
    ten, zero = money(1000, "USD"), money(0, "USD")
    line = bookkeeping.SoldLine(
        sku="a",
        seller="one",
        tax_category="",
        jurisdiction="",
        total=ten,
        tax=zero,
        discount=zero,
        commission=ten,
    )
    happening = bookkeeping.Happening(
        kind="goods-delivered", amount=ten + ten, reference="o", lines=(line,), delivery_fee=ten
    )
    legs = answers.sellers_send_their_own(happening)
    assert [leg.amount.minor for leg in legs if leg.owner == "seller/one"] == [-1000]
    assert not any(leg.account == "income:delivery" for leg in legs)


def test_each_seller_bears_what_of_a_lost_chargeback_their_goods_are() -> None:
    zero = money(0, "USD")

    def line(seller: str, minor: int, commission: int) -> bookkeeping.SoldLine:
        total, share = money(minor, "USD"), money(commission, "USD")
        return bookkeeping.SoldLine(
            sku="a", seller=seller, tax_category="", jurisdiction="", total=total, tax=zero, discount=zero,
            commission=share, is_for_another=True,
        )  # fmt: skip

    lines = (line("one", 3000, 240), line("two", 1000, 80))
    lost = bookkeeping.Happening(kind="chargeback-lost", amount=money(2000, "USD"), reference="o", lines=lines)
    borne = [(one.owner, one.amount.minor) for one in answers.sellers_bear_their_part(lost)]
    assert borne == [("seller/one", 1500), ("seller/two", 500)]
    assert answers.sellers_bear_their_part(lost.replace(lines=())) == ()
