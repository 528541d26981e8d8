"""What orders decide, without a database."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.packs.order import api, rules
from isthmus.values import Money, allocated, rounded

from .conftest import draft, eur, line

State = api.OrderState


def order_line(quantity: int, paid: int, tax: int = 0, discount: int = 0) -> api.OrderLine:
    priced = line("x", quantity, paid, tax=tax, discount=discount)
    facts = {name: getattr(priced, name) for name in priced.__struct_fields__}
    return api.OrderLine(line=0, commission=eur(0), shipped=quantity, returned=0, refunded=eur(0), **facts)


@st.composite
def pieces(draw: st.DrawFn) -> tuple[api.OrderLine, list[int]]:
    """Draw a line, and how it comes back piece by piece until nothing is left."""
    paid = draw(st.integers(0, 10_000))
    quantity = draw(st.integers(1, 30))
    sold = order_line(quantity, paid, draw(st.integers(0, paid)), draw(st.integers(0, 10_000)))
    parts: list[int] = []
    while sum(parts) < quantity:
        parts.append(draw(st.integers(1, quantity - sum(parts))))
    return sold, parts


def added(before: rules.GivenBack, share: rules.Share, sign: int = 1) -> rules.GivenBack:
    return rules.GivenBack(
        quantity=before.quantity + sign * share.quantity,
        worth=before.worth + sign * share.worth,
        tax=before.tax + sign * share.worth_tax,
        discount=before.discount + sign * share.worth_discount,
        due_hundredths=before.due_hundredths + sign * share.worth * share.percent,
        due_tax_hundredths=before.due_tax_hundredths + sign * share.worth_tax * share.percent,
        refund=before.refund + sign * share.refund,
        refund_tax=before.refund_tax + sign * share.refund_tax,
    )


@given(pieces(), st.integers(0, 100))
def test_pieces_of_which_a_part_is_given_back_come_to_that_part_rounded_once(sold_in_parts, percent):
    sold, parts = sold_in_parts
    before = rules.GivenBack()
    for quantity in parts:
        before = added(before, rules.share_of(sold, before, quantity, percent))
    assert before.refund == rounded(Fraction(sold.total.minor * percent, 100))
    assert before.refund_tax <= before.refund


@given(pieces())
def test_pieces_that_come_back_add_up_to_what_was_paid_with_its_tax_and_its_discount(sold_in_parts):
    sold, parts = sold_in_parts
    before = rules.GivenBack()
    for quantity in parts:
        share = rules.share_of(sold, before, quantity, 100)
        assert 0 <= share.refund_tax <= share.refund == share.worth
        before = added(before, share)
    assert (before.worth, before.tax, before.discount) == (sold.total.minor, sold.tax.minor, sold.discount.minor)


@given(pieces(), st.lists(st.integers(0, 100), min_size=30, max_size=30), st.lists(st.booleans(), max_size=30))
def test_never_more_comes_back_than_was_paid_whatever_is_rejected_between(sold_in_parts, percents, rejected):
    sold, parts = sold_in_parts
    before, refunded = rules.GivenBack(), 0
    standing: list[rules.Share] = []
    for at, quantity in enumerate(parts):
        share = rules.share_of(sold, before, quantity, percents[at])
        assert 0 <= share.refund_tax <= share.refund <= share.worth
        before = added(before, share)
        standing.append(share)
        if at < len(rejected) and rejected[at]:
            gone = standing.pop(0)
            before = added(before, gone, -1)
        assert before.worth <= sold.total.minor
        assert before.tax <= sold.tax.minor
    left = sold.quantity - before.quantity
    if left:
        last = rules.share_of(sold, before, left, 100)
        before = added(before, last)
        standing.append(last)
    refunded = sum(share.refund for share in standing)
    assert before.worth == sold.total.minor
    assert refunded <= sold.total.minor


@given(st.lists(st.sampled_from(["", "a", "b", "c"]), min_size=1, max_size=20), st.integers(0, 500))
def test_the_parts_of_a_group_have_each_line_once_and_its_whole_total(keys, fee):
    sold = draft(*(line(f"s{at}", 1, 10 + at) for at in range(len(keys))), fee=fee)
    parts = rules.split(keys)
    assert sorted(at for lines in parts.values() for at in lines) == list(range(len(keys)))
    assert all(keys[at] == key for key, lines in parts.items() for at in lines)
    goods = rules.goods_of(sold, parts)
    assert sum(goods.values()) + sum(rules.divided(fee, goods, list(goods.values()))) == sold.total.minor


def test_no_state_leads_back_and_what_has_ended_stays_so():
    for state, nexts in rules.TRANSITIONS.items():
        assert (not nexts) == (state in {*rules.TERMINAL, api.OrderState.COMPLETED})
        if state is not State.PART_SHIPPED:  # one parcel after the other
            assert state not in _reachable(nexts)
    assert set(rules.TRANSITIONS) == set(State)
    assert set(rules.RETURN_LEADS_TO) == set(api.ReturnState)


def _reachable(states: frozenset[State]) -> set[State]:
    found: set[State] = set()
    waiting = list(states)
    while waiting:
        state = waiting.pop()
        if state not in found:
            found.add(state)
            waiting += rules.TRANSITIONS[state]
    return found


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"total": eur(9)}, "add up to 1000, not 9"),
        ({"lines": (line("x", 1, 1000, discount=-1),)}, "discount of -0.01 EUR"),
        ({"lines": (line("x", 1, 1000, tax=1001),)}, "tax of 10.01 EUR"),
        ({"lines": (line("x", 1, 1000, tax=0, list_amount=Money(currency="USD", minor=1)),)}, "not in EUR"),
        ({"delivery_fee": eur(-1), "total": eur(999)}, "a delivery for -0.01 EUR"),
    ],
)
def test_amounts_that_do_not_add_up_are_named(wrong, said):
    facts = {"lines": (line("x", 1, 1000),), **wrong}
    lines = facts.pop("lines")
    assert said in rules.amounts_mismatch(draft(*lines, **facts))
    assert rules.amounts_mismatch(draft(line("x", 1, 1000))) == ""


def discount(amount: int, *shares: tuple[int, int], target: str = "lines") -> api.DraftDiscount:
    parts = tuple(api.DiscountShare(line=at, amount=eur(minor)) for at, minor in shares)
    return api.DraftDiscount(promotion="ten-off", amount=eur(amount), target=target, shares=parts)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("discounts", "said"),
    [
        ([discount(100, (0, 60), (1, 40))], ""),
        ([discount(60, (0, 60)), discount(40, (1, 40)), discount(500, target="delivery")], ""),
        ([discount(101, (0, 60), (1, 40))], "is 1.01 EUR, and its shares add up to 100"),
        ([discount(100, (0, 50), (1, 50))], "line 0 has a discount of 0.60 EUR, and shares of 50"),
        ([discount(100, (0, 60), (7, 40))], "a line that is not there"),
        ([discount(100, (0, 30), (0, 30), (1, 40))], "two shares of one line"),
    ],
)
def test_each_discount_is_the_sum_of_its_shares(discounts, said):
    sold = draft(line("a", 1, 1000, discount=60), line("b", 1, 1000, discount=40))
    found = rules.amounts_mismatch(sold, discounts)
    assert said in found
    assert bool(said) == bool(found)


def basket(*lines: tuple[str, int]) -> Sequence[api.BasketLine]:
    return [api.BasketLine(sku=sku, quantity=quantity, shown=eur(quantity)) for sku, quantity in lines]


def test_lines_are_set_taken_out_and_left_in_their_order():
    wanted = (api.SetLine(sku="b", quantity=0), api.SetLine(sku="a", quantity=5), api.SetLine(sku="c", quantity=1))
    found = rules.changed_lines(basket(("a", 1), ("b", 2)), wanted)
    assert [(one.sku, one.quantity) for one in found] == [("a", 5), ("c", 1)]


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 99)),
    st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 99)),
)
def test_merged_baskets_hold_what_both_held(one, other):
    found = rules.merged_lines(basket(*one.items()), basket(*other.items()))
    assert {line.sku: line.quantity for line in found} == {
        sku: one.get(sku, 0) + other.get(sku, 0) for sku in one | other
    }


def rings(*lines: tuple[str, int]) -> list[api.BasketLine]:
    return [
        api.BasketLine(sku="ring", quantity=quantity, shown=eur(100 * quantity), attributes={"text": text})
        for text, quantity in lines
    ]


def held(lines: Sequence[api.BasketLine]) -> list[tuple[str, int]]:
    return [(line.attributes.get("text", ""), line.quantity) for line in lines]


def ring(quantity: int, text: str | None = None) -> api.SetLine:
    return api.SetLine(sku="ring", quantity=quantity, attributes=None if text is None else {"text": text})


def test_two_rings_with_two_engravings_are_two_lines():
    both = rules.changed_lines([], [ring(1, "Ada"), ring(2, "Bob")])
    assert held(both) == [("Ada", 1), ("Bob", 2)]
    assert held(rules.changed_lines(both, [ring(5, "Bob")])) == [("Ada", 1), ("Bob", 5)]
    assert held(rules.changed_lines(both, [ring(0, "Ada")])) == [("Bob", 2)]
    assert held(rules.changed_lines(both, [ring(0, "Ada"), ring(1, "Eve")])) == [("Bob", 2), ("Eve", 1)]
    assert held(rules.merged_lines(rings(("Ada", 1)), rings(("Bob", 2)))) == [("Ada", 1), ("Bob", 2)]


def test_attributes_are_the_same_in_whichever_order_they_are_written():
    one = [api.BasketLine(sku="ring", quantity=1, attributes={"text": "Ada", "font": {"size": 1, "name": "x"}})]
    other = [api.BasketLine(sku="ring", quantity=2, attributes={"font": {"name": "x", "size": 1}, "text": "Ada"})]
    assert held(rules.merged_lines(one, other)) == [("Ada", 3)]


def test_a_sku_alone_means_its_one_line_and_never_one_of_several():
    assert held(rules.changed_lines(rings(("Ada", 1)), [ring(4)])) == [("Ada", 4)]
    with pytest.raises(api.LineUnclear, match="'ring' stands in 2 lines") as refused:
        rules.changed_lines(rings(("Ada", 1), ("Bob", 1)), [ring(1, "Eve"), ring(4)][1:])
    assert refused.value.path == "$.lines[0].attributes"
    assert held(rules.changed_lines(rings(("Ada", 1), ("Bob", 1)), [ring(0)])) == []


LINES = st.dictionaries(
    st.tuples(st.sampled_from(["ring", "cup"]), st.sampled_from(["", "Ada", "Bob"])), st.integers(1, 99), max_size=6
)


def as_lines(of: dict[tuple[str, str], int]) -> list[api.BasketLine]:
    return [
        api.BasketLine(sku=sku, quantity=units, shown=eur(100 * units), attributes={"text": text} if text else {})
        for (sku, text), units in of.items()
    ]


@given(one=LINES, other=LINES)
def test_merging_loses_no_piece_and_no_engraving_and_adds_up_what_was_shown(one, other):
    found = rules.merged_lines(as_lines(one), as_lines(other))
    assert {(line.sku, line.attributes.get("text", "")): line.quantity for line in found} == {
        key: one.get(key, 0) + other.get(key, 0) for key in one | other
    }
    assert all(line.shown == eur(100 * line.quantity) for line in found)


@given(have=LINES, wanted=LINES)
def test_setting_lines_sets_each_as_asked_and_leaves_the_others(have, wanted):
    asked = [
        api.SetLine(sku=sku, quantity=units, attributes={"text": text} if text else {})
        for (sku, text), units in wanted.items()
    ]
    found = rules.changed_lines(as_lines(have), asked)
    assert {(line.sku, line.attributes.get("text", "")): line.quantity for line in found} == have | wanted


def test_a_sum_above_what_a_line_holds_is_refused_and_never_cut():
    most = [api.BasketLine(sku="tea", quantity=600_000)]
    with pytest.raises(api.QuantityTooLarge, match="would be 1200000 in one line, and a line holds 1000000") as no:
        rules.merged_lines(most, most)
    assert no.value.path == "$.from_basket_id"


def test_coupons_of_two_baskets_are_no_more_than_one_may_have():
    ten = [f"C{at}" for at in range(10)]
    assert rules.merged_coupons(ten, ten[:3]) == tuple(ten)
    with pytest.raises(api.TooManyCoupons, match="11 coupons come together, and a purchase has at most 10") as no:
        rules.merged_coupons(ten, ["another"])
    assert no.value.path == "$.from_basket_id"


LEFT = st.lists(st.tuples(st.uuids(), st.integers(0, 10**6), st.booleans()), min_size=1, max_size=6)


@given(minor=st.integers(0, 10**7), orders=LEFT, at=st.integers(-1, 5))
def test_a_refund_is_booked_to_the_cent_and_never_beyond_what_is_left_of_an_order(minor, orders, at):
    first = orders[at][0] if 0 <= at < len(orders) else None
    found = dict(rules.booked(minor, orders, first))
    left = {order_id: has for order_id, has, _ in orders}
    assert sum(found.values()) == min(minor, sum(left.values()))
    assert all(0 < share <= left[order_id] for order_id, share in found.items())
    if first is not None and minor:
        assert found.get(first, 0) == min(minor, left[first])


@given(planned=st.lists(st.integers(0, 10**6), min_size=1, max_size=6), part=st.floats(0, 1))
def test_what_is_settled_of_a_return_is_shared_over_its_lines_to_the_cent(planned, part):
    shares = [
        api.RefundShare(line=at, quantity=1, worth=eur(minor), refund=eur(minor), tax=eur(minor // 5), discount=eur(0))
        for at, minor in enumerate(planned)
    ]
    refunded = int(sum(planned) * part)
    given_back = rules.settled(shares, refunded)
    assert sum(refund for refund, _ in given_back) == refunded
    assert all(0 <= tax <= refund <= most for (refund, tax), most in zip(given_back, planned, strict=True))


@given(
    fee=st.integers(0, 10**6), goods=st.dictionaries(st.text(max_size=3), st.integers(0, 10**6), min_size=1, max_size=5)
)
def test_a_delivery_fee_is_divided_to_the_cent_and_the_same_in_every_order_of_the_parts(fee, goods):
    shares = dict(zip(goods, rules.divided(fee, goods, list(goods.values())), strict=True))
    turned = dict(reversed(goods.items()))
    assert sum(shares.values()) == fee
    assert shares == dict(zip(turned, rules.divided(fee, turned, list(turned.values())), strict=True))


@given(pieces(), st.booleans(), st.integers(0, 3))
def test_what_is_left_of_a_line_is_a_line_again_and_nothing_of_it_when_all_is_out(
    sold_in_parts: tuple[api.OrderLine, list[int]], is_taxed_beyond: bool, shares: int
) -> None:
    line, parts = sold_in_parts
    if is_taxed_beyond:
        line = line.replace(amount=line.total - line.tax + line.discount)
    shared = [(at, minor) for at, minor in enumerate(allocated(line.discount.minor, [1] * shares) if shares else ())]
    for units in parts:
        left = rules.remainder(line, units, shared)
        assert rules.line_mismatch(left.line, 0, "EUR") == ""
        beyond = left.line.tax if is_taxed_beyond else eur(0)
        assert left.line.total == left.line.amount - left.line.discount + beyond
        assert not shared or sum(minor for _, minor in left.shares) == left.line.discount.minor
        line, shared = left.line, list(left.shares)
    assert (left.quantity, line.total, line.discount, line.tax) == (0, eur(0), eur(0), eur(0))
