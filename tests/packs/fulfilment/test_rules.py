"""Decisions about delivery: no goods in two parcels, and a shipment that always says where its parcels are."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from isthmus.packs.fulfilment import api, rules
from isthmus.values import Address, LineAsk, money

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
State = api.ParcelState
skus = st.sampled_from(["apple", "pear"])


def shipment(quantities: list[tuple[str, int]]) -> api.Shipment:
    lines = (api.ShipmentLine(line=at, sku=sku, quantity=units) for at, (sku, units) in enumerate(quantities))
    return api.Shipment(
        shipment_id=UUID(int=1),
        reference="order-1",
        part="",
        location="shop",
        method="van",
        state=api.ShipmentState.PLANNED,
        lines=tuple(lines),
        parcels=(),
        planned_at=NOW,
    )


asks = st.none() | st.lists(st.builds(LineAsk, sku=skus, quantity=st.integers(1, 8)), min_size=1, max_size=3)
steps = st.one_of(
    st.tuples(st.just("pack"), asks),
    st.tuples(st.just("cancel"), asks),
    st.tuples(st.sampled_from(list(rules.BECOMES)), st.integers(0, 9)),
)


@given(
    quantities=st.lists(st.tuples(skus, st.integers(1, 6)), min_size=1, max_size=4),
    sequence=st.lists(steps, max_size=12),
)
def test_no_sequence_of_steps_ships_more_than_was_planned_or_loses_goods(
    quantities: list[tuple[str, int]], sequence: list[tuple[object, object]]
) -> None:
    now = shipment(quantities)
    for step, facts in sequence:
        if step in ("pack", "cancel"):
            taken, over = rules.taken([now], facts)  # pyright: ignore[reportArgumentType]
            if over or not taken:
                continue
            goods = [line for _, line in taken]
            if facts is not None:
                assert sum(one.quantity for one in goods) == sum(one.quantity for one in facts)  # pyright: ignore
            if step == "cancel":
                now = rules.without(now, goods)
            else:
                parcel = api.Parcel(parcel=f"p-{len(now.parcels)}", state=State.PACKED, lines=tuple(goods))
                now = rules.with_parcel(now, parcel)
        elif now.parcels:
            parcel = now.parcels[facts % len(now.parcels)]  # pyright: ignore
            if parcel.state in rules.BECOMES[step]:  # pyright: ignore
                now = rules.with_parcel(now, api.Parcel(parcel=parcel.parcel, state=step, lines=parcel.lines))  # pyright: ignore
        in_parcels = sum(goods.quantity for parcel in now.parcels for goods in parcel.lines)
        assert in_parcels == sum(line.packed for line in now.lines)
        assert all(0 <= line.shipped <= line.packed <= line.quantity - line.cancelled for line in now.lines)
        left = [parcel.state for parcel in now.parcels if parcel.state is not State.PACKED]
        assert (now.state in ("planned", "cancelled")) == (not left)
        if now.state == "delivered":
            assert set(left) == {State.DELIVERED}


@given(grams=st.integers(0, 10_000), more=st.integers(0, 10_000), included=st.integers(0, 5_000))
def test_a_heavier_basket_never_costs_less(grams: int, more: int, included: int) -> None:
    rate = api.Rate(zone="us", currency="USD", base_minor=100, included_grams=included, kilogram_minor=50)

    def fee(weight: int) -> int:
        lines = (api.DeliveryLine(sku="apple", quantity=1, weight_grams=weight),)
        ask = api.QuoteDelivery(lines=lines, amount=money(1, "USD"))
        return rules.option(api.Method(code="mail", name="Mail"), rate, ask, None, NOW).fee.minor

    assert 100 <= fee(grams) <= fee(grams + more)


@given(
    rates=st.lists(
        st.builds(
            api.Rate,
            zone=st.just("z"),
            currency=st.just("USD"),
            base_minor=st.integers(0, 9),
            country=st.sampled_from(["", "US", "NZ"]),
            region=st.sampled_from(["", "OH"]),
            postcode_prefix=st.sampled_from(["", "4", "45", "9"]),
        ),
        max_size=6,
    )
)
def test_the_rate_chosen_holds_the_address_and_none_that_holds_it_is_narrower(rates: list[api.Rate]) -> None:
    address = Address(country="US", region="OH", postcode="45202")
    chosen = rules.narrowest(rates, address, "USD")
    holding = [
        rate
        for rate in rates
        if rate.country in ("", "US") and rate.region in ("", "OH") and "45202".startswith(rate.postcode_prefix)
    ]
    assert (chosen is None) == (not holding)
    if chosen is not None:
        assert chosen in holding
        assert len(chosen.postcode_prefix) == max(len(rate.postcode_prefix) for rate in holding)
