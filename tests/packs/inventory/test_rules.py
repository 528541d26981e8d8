"""Decisions about stock: nothing is promised twice, and nothing is lost on the way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.packs.inventory import api, rules
from isthmus.values import LineAsk

units = st.integers(min_value=0, max_value=20)
skus = st.sampled_from(["apple", "pear"])
places = st.sampled_from(["shop", "store", "yard"])


def stock(sku: str, location: str, on_hand: int, reserved: int, back_ordered: int = 0) -> api.StockAt:
    return api.StockAt(sku=sku, location=location, on_hand=on_hand, reserved=reserved, back_ordered=back_ordered)


@st.composite
def offers(draw: st.DrawFn) -> dict[str, list[api.Offer]]:
    return {
        sku: [
            api.Offer(stock=stock(sku, place, 0, 0), available=draw(units), back_order=draw(units))
            for place in draw(st.lists(places, unique=True))
        ]
        for sku in ("apple", "pear")
    }


@given(on_hand=units, reserved=units, sellable=st.integers(-50, 50), limit=units)
def test_an_offer_never_passes_what_is_there_and_may_be_back_ordered(
    on_hand: int, reserved: int, sellable: int, limit: int
) -> None:
    offer = rules.offered(stock("apple", "shop", on_hand, reserved), sellable, limit)
    if offer.available + offer.back_order:
        assert reserved + offer.available + offer.back_order <= on_hand + limit
    assert offer.available <= max(0, on_hand - reserved)


@given(
    offers=offers(),
    lines=st.lists(st.builds(LineAsk, sku=skus, quantity=st.integers(1, 30)), min_size=1, max_size=5),
    may_split=st.booleans(),
    ranked=st.permutations(["shop", "store", "yard", "nowhere"]),
)
def test_every_line_is_allocated_in_full_or_reported_short_and_no_offer_is_exceeded(
    offers: dict[str, list[api.Offer]], lines: list[LineAsk], may_split: bool, ranked: list[str]
) -> None:
    source = api.Sourcing(locations=tuple(ranked), may_split=may_split)
    allocations, short = rules.allocated(lines, offers, [source] * len(lines))
    short_paths = {entry["path"] for entry in short}
    for at, line in enumerate(lines):
        mine = [one for one in allocations if one.line == at]
        is_short = f"$.lines[{at}].sku" in short_paths
        assert sum(one.quantity for one in mine) == (0 if is_short else line.quantity)
        assert may_split or len(mine) <= 1
    for sku, given_here in offers.items():
        for offer in given_here:
            here = [one for one in allocations if (one.sku, one.location) == (sku, offer.stock.location)]
            assert sum(one.back_ordered for one in here) <= offer.back_order
            assert sum(one.quantity - one.back_ordered for one in here) <= offer.available


def test_what_lies_in_stock_goes_before_what_is_back_ordered() -> None:
    near = api.Offer(stock=stock("apple", "shop", 0, 0), available=1, back_order=9)
    far = api.Offer(stock=stock("apple", "store", 0, 0), available=3, back_order=0)
    line = LineAsk(sku="apple", quantity=5)
    allocations, _ = rules.allocated([line], {"apple": [near, far]}, [api.Sourcing(locations=("shop", "store"))])
    assert [(one.location, one.quantity, one.back_ordered) for one in allocations] == [("shop", 2, 1), ("store", 3, 0)]


@pytest.mark.parametrize(("may_split", "found"), [(True, 7), (False, 4)])
def test_a_short_line_says_how_much_there_is_in_the_way_it_may_be_taken(may_split: bool, found: int) -> None:
    there = [
        api.Offer(stock=stock("apple", at, 0, 0), available=n, back_order=0) for at, n in (("shop", 3), ("yard", 4))
    ]
    source = api.Sourcing(locations=("shop", "yard"), may_split=may_split)
    allocations, short = rules.allocated([LineAsk(sku="apple", quantity=8)], {"apple": there}, [source])
    assert (allocations, short[0]["available"]) == ((), found)


allocation = st.builds(
    api.Allocation,
    line=st.integers(0, 3),
    sku=skus,
    location=places,
    quantity=st.integers(5, 20),
    shipped=st.integers(0, 2),
    released=st.integers(0, 3),
)


@given(
    held=st.lists(allocation, max_size=6, unique_by=lambda one: (one.line, one.location)),
    lines=st.none() | st.lists(st.builds(LineAsk, sku=skus, quantity=st.integers(1, 40)), min_size=1, max_size=4),
    location=st.none() | places,
)
def test_taking_from_a_reservation_gives_what_was_asked_and_never_more_than_it_holds(
    held: list[api.Allocation], lines: list[LineAsk] | None, location: str | None
) -> None:
    takings, missing = rules.taken(held, lines, location)
    by_key = {(one.line, one.location): rules.held(one) for one in held}
    assert all(0 < taking.quantity <= by_key[taking.line, taking.location] for taking in takings)
    if lines is not None and not missing:
        assert sum(taking.quantity for taking in takings) == sum(line.quantity for line in lines)
    before = api.Reservation(reference="a", state=api.ReservationState.CONFIRMED, allocations=tuple(held))
    after = rules.after(before, takings, api.ReservationState.SHIPPED)
    assert sum(map(rules.held, after.allocations)) == sum(map(rules.held, held)) - sum(t.quantity for t in takings)
