"""A tax return has base and tax by place, category and rate, each from its entries, and together what was charged."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pytest

from isthmus.flows.bookkeeping import api as bookkeeping
from isthmus.flows.checkout import api as checkout
from isthmus.flows.closing import api as closing
from isthmus.flows.closing.rules import csv_of, lacking_of, table_of
from isthmus.flows.invoices import api as invoices
from isthmus.kernel import PASS, Pass, answers
from isthmus.kernel.host import Answer
from isthmus.packs.invoicing import api as invoicing
from isthmus.packs.ledger import api as ledger
from isthmus.packs.payment import api as payment
from isthmus.packs.pricing import api as pricing
from isthmus.packs.promotion import api as promotion
from isthmus.packs.tax import api as tax
from isthmus.values import Address, Buyer, Money, money
from tests.packs.invoicing.conftest import SELLER

from .conftest import LONG_AGO, Shop
from .test_bookkeeping import Books, a_tenth_of_tea, books_of, eur

KIEL = Address(country="DE", city="Kiel", recipient="Ada")
LYON = Address(country="FR", city="Lyon", recipient="Ada")
TODAY = datetime.now(UTC).date()
Figure = tuple[str, str, str, int, int]


@answers(tax.choose_category)
def jam_is_food(lines: Sequence[tax.TaxLine], buyer: Buyer) -> Sequence[str | Pass]:
    """Tax jam as food."""
    return ["food" if line.sku == "jam" else PASS for line in lines]


@answers(tax.exempt_line)
def jam_is_reverse_charged(lines: Sequence[tax.TaxLine], buyer: Buyer) -> Sequence[str | Pass]:
    """Charge no tax on jam: its buyer owes it."""
    return ["VATEX-EU-AE: reverse charge" if line.sku == "jam" else PASS for line in lines]


@answers(tax.exempt_line)
def tea_is_exempt(lines: Sequence[tax.TaxLine], buyer: Buyer) -> Sequence[str | Pass]:
    """Charge no tax on tea."""
    return ["it is medicine" if line.sku == "tea" else PASS for line in lines]


@answers(tax.choose_jurisdiction)
def ones_own(jurisdiction: str, buyer: Buyer) -> str:
    """Tax at home wherever goods go."""
    return "DE"


@answers(payment.deposit)
def a_deposit_of_two_euros(total: Money) -> Money:
    """Ask for two euros first."""
    return eur(200)


@answers(bookkeeping.postings)
def keeps_no_base(happening: bookkeeping.Happening) -> tuple[ledger.EntryLeg, ...]:
    """Book as rules did before there were bases: they name accounts of their own."""
    legs = bookkeeping.default_postings(happening)
    return tuple(leg for leg in legs if not leg.account.startswith("equity:turnover"))


async def taxed(shop: Shop, *own: Answer, is_included: bool = True, **more: str) -> Books:
    """Return a shop that taxes at 19 percent in Germany, food at 7, delivery at 19; and in France at 20."""
    books = books_of(shop, a_tenth_of_tea, *own, **{**SELLER, **more})
    places = tuple(tax.Jurisdiction(code=code, prices_include_tax=is_included) for code in ("DE", "FR"))
    await books.call(tax.put_jurisdictions, tax.PutJurisdictions(jurisdictions=places))
    await rated(books, ("DE", "", 190_000), ("DE", "food", 70_000), ("FR", "", 200_000))
    return books


async def rated(books: Books, *rates: tuple[str, str, int]) -> None:
    entries = tuple(
        tax.RateEntry(jurisdiction=place, name="vat", tax_category=category, rate_ppm=ppm, valid_from=LONG_AGO)
        for place, category, ppm in rates
    )
    await books.call(tax.put_rates, tax.PutRates(rates=entries))


async def asked(books: Books, since: date = TODAY, until: date = TODAY) -> closing.TaxReturn:
    return await books.call(closing.tax_return, closing.GetTaxReturn(since=since, until=until))


async def figures(books: Books) -> list[Figure]:
    """Return the figures of today, having looked that each is the sum of its entries and that all are in the books."""
    found = await asked(books)
    assert found.left_out == ()
    assert await books.stands("equity:turnover") == [0], "memo accounts come to zero together"
    for one in found.lines:
        where = f"{one.jurisdiction}:{one.category}:{one.taxed_at}".rstrip(":").lower().replace(".", "-")
        for kept, amount in (("base", one.base), ("tax", one.tax)):
            ask = ledger.ListEntries(account=f"equity:turnover:{kept}:{where}", currency=amount.currency)
            entries = (await books.call(ledger.list_entries, ask)).items
            legs = [leg for entry in entries for leg in entry.legs if leg.account == ask.account]
            assert -sum(leg.amount.minor for leg in legs) == amount.minor
    for gross in found.gross:
        parts = [one.base + one.tax for one in found.lines if one.base.currency == gross.currency]
        assert sum(parts, start=gross - gross) == gross
    return [(one.jurisdiction, one.category, one.taxed_at, one.base.minor, one.tax.minor) for one in found.lines]


async def test_rates_of_one_order_stand_apart_with_the_fee_for_delivery_and_after_discounts(shop: Shop) -> None:
    books = await taxed(shop, jam_is_food)
    benefit = promotion.AmountOff(amount=eur(100))
    drafted = promotion.Promotion(code="spring", title="Spring", benefit=benefit, valid_from=LONG_AGO)
    await books.call(promotion.put_promotion, promotion.PutPromotion(promotion=drafted))
    placed = await books.bought(("tea", 1), ("jam", 2), delivery_method="post", address=KIEL)
    assert await figures(books) == [], "tax counts when goods leave"
    await books.sent(placed.orders[0].order_id, "1")
    by_rate = {one.rate_ppm: one for one in placed.bill.tax_summary}
    found = await figures(books)
    assert {(where, category, rate) for where, category, rate, _, _ in found} == {
        ("DE", "none", "19"), ("DE", "delivery", "19"), ("DE", "food", "7")
    }  # fmt: skip
    for rate in (19, 7):
        own = [(base, due) for _, _, at, base, due in found if at == str(rate)]
        said = by_rate[rate * 10_000]
        assert tuple(map(sum, zip(*own, strict=True))) == (said.net.minor, said.tax.minor)
    assert sum(base + due for *_, base, due in found) == placed.bill.total.minor == 2_200
    assert ("DE", "delivery", "19", 420, 80) in found
    assert await books.stands("liabilities:tax:de:delivery", "income:delivery") == [-80, -420]
    assert await books.stands("liabilities:tax") == [-placed.bill.tax.minor]


async def test_a_price_without_tax_has_the_same_base_as_it_was_sold_for(shop: Shop) -> None:
    books = await taxed(shop, is_included=False)
    placed = await books.bought(("tea", 1), ("jam", 2), delivery_method="post", address=KIEL)
    await books.sent(placed.orders[0].order_id, "1")
    assert await figures(books) == [("DE", "delivery", "19", 500, 95), ("DE", "none", "19", 1_800, 342)]


async def test_what_comes_back_lessens_the_rate_that_it_was_sold_at_and_not_the_one_of_today(shop: Shop) -> None:
    books = await taxed(shop)
    placed = await books.bought(("jam", 3), address=KIEL)
    await books.sent(placed.orders[0].order_id, "1")
    await rated(books, ("DE", "", 88_750))
    await books.returned(placed.orders[0].order_id, (0, 1))
    later = await books.bought(("jam", 1), address=KIEL)
    await books.sent(later.orders[0].order_id, "1")
    found = {(category, rate): (base, due) for _, category, rate, base, due in await figures(books)}
    assert found["none", "19"] == (1_008 - 336, 192 - 64)
    assert found["none", "8.875"] == (367, 33)


async def test_what_is_free_of_tax_has_a_base_and_says_why(shop: Shop) -> None:
    books = await taxed(shop, jam_is_reverse_charged)
    placed = await books.bought(("tea", 1), ("jam", 2), is_paid=False, paid_at_till="cash")
    assert placed.bill.total.minor == 1_800
    assert await figures(books) == [("DE", "none", "19", 840, 160), ("DE", "none", "VATEX-EU-AE", 800, 0)]


async def test_exempt_and_rated_at_nothing_are_two_things(shop: Shop) -> None:
    books = await taxed(shop, tea_is_exempt)
    await rated(books, ("DE", "", 0))
    await books.bought(("tea", 1), ("jam", 1), is_paid=False, paid_at_till="cash")
    assert await figures(books) == [("DE", "none", "0", 400, 0), ("DE", "none", "EXEMPT", 1_000, 0)]


async def test_goods_that_go_abroad_are_of_there_unless_ones_own_rates_were_chosen(shop: Shop) -> None:
    books = await taxed(shop)
    placed = await books.bought(("jam", 3), address=LYON)
    await books.sent(placed.orders[0].order_id, "1")
    assert ("FR", "none", "20", 1_000, 200) in await figures(books)
    home = await taxed(Shop(books.shop.platform, shop.database, shop.provider, shop.north, shop.south), ones_own)
    placed = await home.bought(("jam", 3), address=LYON)
    await home.sent(placed.orders[0].order_id, "1")
    assert ("DE", "none", "19", 1_008, 192) in await figures(home)
    assert await home.stands("liabilities:tax:de:none", "liabilities:tax:fr:none") == [-192, -200]


async def test_a_deposit_is_turnover_when_its_goods_leave_and_none_when_it_stays(shop: Shop) -> None:
    books = await taxed(shop, a_deposit_of_two_euros)
    placed = await books.bought(("jam", 3), address=KIEL)
    assert await figures(books) == []
    await books.pay(placed.balance_payment_id)  # pyright: ignore[reportArgumentType] - there is a balance
    await books.sent(placed.orders[0].order_id, "1")
    assert ("DE", "none", "19", 1_008, 192) in await figures(books)


@pytest.mark.parametrize(("currency", "amount"), [("JPY", 333), ("KWD", 12_345)])
async def test_base_and_tax_are_what_was_paid_in_whole_minor_units_of_any_currency(
    shop: Shop, currency: str, amount: int
) -> None:
    books = await taxed(shop)
    price = pricing.PriceEntry(sku="jam", currency=currency, amount=amount, valid_from=LONG_AGO)
    await books.call(pricing.put_prices, pricing.PutPrices(prices=(price,)))
    lines = (checkout.BuyLine(sku="jam", quantity=3),)
    ask = checkout.PlaceOrder(currency=currency, lines=lines, paid_at_till="cash")
    paid = (await books.call(checkout.place_order, ask)).bill.total
    ((_, _, _, base, due),) = await figures(books)
    assert (base + due, due) == (paid.minor, round(paid.minor * 19 / 119))
    said = next(csv.reader(list(io.StringIO(csv_of(await asked(books))))[1:]))
    assert said == [
        "DE",
        "none",
        "19",
        currency,
        str(money(base, currency)).split()[0],
        str(money(due, currency)).split()[0],
    ]


async def test_it_comes_to_what_is_invoiced_and_credited(shop: Shop) -> None:
    books = await taxed(shop, jam_is_food)
    placed = await books.bought(("tea", 2), ("jam", 3), delivery_method="post", address=KIEL)
    order_id = placed.orders[0].order_id
    await books.sent(order_id, "1", (0, 1))
    await books.sent(order_id, "2")
    issued = (await books.call(invoices.issue_for_order, invoices.IssueForOrder(order_id=order_id))).items
    back = await books.returned(order_id, (0, 1), (1, 2))
    issued += (await books.call(invoices.credit_return, invoices.CreditReturn(return_id=back.return_id))).items
    paid, nets = 0, dict[str, int]()
    for brief in issued:
        one = await books.call(invoicing.get_invoice, invoicing.GetInvoice(invoice_id=brief.invoice_id))
        sign = 1 if one.kind is invoicing.InvoiceKind.INVOICE else -1
        paid += sign * one.totals.paid.minor
        for part in (*one.lines, *one.charges):
            rate = f"{part.vat.rate_ppm // 10_000}"
            nets[rate] = nets.get(rate, 0) + sign * part.net.minor
    found = await figures(books)
    assert sum(base + due for *_, base, due in found) == paid == 1_000 + 400 + 500
    for rate, net in nets.items():
        assert sum(base for _, _, at, base, _ in found if at == rate) == net


async def test_an_entry_that_is_reversed_takes_its_base_along(shop: Shop) -> None:
    books = await taxed(shop)
    placed = await books.bought(("jam", 3), is_paid=False, paid_at_till="cash")
    about = ledger.ListEntries(subject=str(placed.orders[0].order_id), kind="goods-delivered")
    (entry,) = (await books.call(ledger.list_entries, about)).items
    await books.call(ledger.reverse, ledger.Reverse(reverses=entry.reference, reference="undone"))
    assert await figures(books) == []


async def test_entries_of_a_rule_that_keeps_no_base_are_named_and_from_when_on_all_have_one(shop: Shop) -> None:
    before = await taxed(shop, keeps_no_base)
    placed = await before.bought(("jam", 3), address=KIEL)
    await before.sent(placed.orders[0].order_id, "1")
    after = await taxed(shop)
    await after.bought(("jam", 1), is_paid=False, paid_at_till="cash")
    free = promotion.Promotion(
        code="free", title="Free", benefit=promotion.PercentOff(basis_points=10_000), valid_from=LONG_AGO
    )
    await after.call(promotion.put_promotion, promotion.PutPromotion(promotion=free))
    assert (await after.bought(("jam", 1), is_paid=False, paid_at_till="cash")).bill.total.minor == 0
    found = await asked(after, since=TODAY - timedelta(days=30))
    (lacking,) = found.left_out
    assert (lacking.subject, lacking.value_date) == (str(placed.orders[0].order_id), TODAY)
    assert found.complete_from == TODAY + timedelta(days=1)
    assert f"from {found.complete_from} on all do" in next(lacking_of(found))
    assert [one.base + one.tax for one in found.lines] == [eur(400)], "what has a base counts"
    assert next(line for line in table_of(found).splitlines() if "19 %" in line).split()[:4] == [
        "DE",
        "none",
        "19",
        "%",
    ]
    assert (await asked(after, since=TODAY + timedelta(days=1), until=TODAY + timedelta(days=2))).left_out == ()


async def test_an_order_of_before_knows_its_place_and_category_and_no_rate(shop: Shop) -> None:
    books = await taxed(shop)
    placed = await books.bought(("jam", 3), delivery_method="post", address=KIEL)
    order_id = placed.orders[0].order_id
    async with shop.database.platform_transaction() as session:
        await session.execute('update "order".lines set taxed = null where order_id = $1', order_id)
        await session.execute(
            'update "order".orders set delivery_taxed = null, delivery_tax_minor = 0 where order_id = $1', order_id
        )
    await books.sent(order_id, "1")
    assert await figures(books) == [("DE", "delivery", "", 500, 0), ("DE", "none", "", 1_008, 192)]


def test_a_happening_that_was_recorded_before_is_answered_as_it_was() -> None:
    line = bookkeeping.SoldLine(
        sku="jam", seller="", tax_category="none", jurisdiction="DE", total=eur(400), tax=eur(64), discount=eur(0),
        commission=eur(0),
    )  # fmt: skip
    recorded = bookkeeping.Happening(
        kind="goods-delivered", amount=eur(900), reference="1", lines=(line,), delivery_fee=eur(500)
    )
    assert {leg.account: leg.amount.minor for leg in bookkeeping.default_postings(recorded)} == {
        "liabilities:customers": 900, "liabilities:tax:de:none": -64, "income:sales": -336, "income:delivery": -500
    }  # fmt: skip
