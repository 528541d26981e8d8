"""Quotes and slots, through the pipeline on a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from isthmus.kernel import ALLOW, Pass, Platform, Verdict, answers, errors, veto
from isthmus.packs.fulfilment import api
from isthmus.packs.fulfilment.pack import PACK
from isthmus.store import Database
from isthmus.values import Address, Money, money

from .conftest import NOW, SOUTH, Desk, broken_conditions, front_end, method, rate


async def test_a_front_end_without_methods_delivers_free_as_standard(desk: Desk) -> None:
    quote = await desk.quote()
    assert (quote.method, quote.fee, quote.promise_to) == ("standard", money(0, "USD"), None)
    with pytest.raises(api.UnknownMethod, match="no method of delivery 'pigeon'"):
        await desk.quote(method="pigeon")


async def test_the_narrowest_zone_that_holds_the_address_counts(desk: Desk) -> None:
    await desk.methods(
        method(
            "mail",
            rate("world", 3_000),
            rate("us", 900, country="US"),
            rate("ohio", 500, country="US", region="OH"),
            rate("city", 300, country="US", postcode_prefix="452"),
        )
    )
    by_address = {
        "city": Address(country="US", region="OH", postcode="45202"),
        "ohio": Address(country="US", region="OH", postcode="43004"),
        "us": Address(country="US", region="NY", postcode="10001"),
        "world": Address(country="NZ"),
    }
    for zone, address in by_address.items():
        assert (await desk.quote(address=address)).options[0].zone == zone
    assert (await desk.quote(address=None)).fee.minor == 3_000


@pytest.mark.parametrize(
    ("country", "prefix", "typed"),
    [
        ("DE", "101", ("10115", "D-10115", "DE-10115", "d 10115", "\u0661\u0660\u0661\u0661\u0665", "1\u200b0115")),
        ("JP", "100", ("100-0001", "\u3012100-0001", "100\u20130001", "\uff11\uff10\uff10\u30fc0001", "JP-1000001")),
        ("LV", "LV-10", ("LV-1010", "lv1010", "1010")),
        ("GB", "hs1 2", ("HS1 2AA", "hs12aa", "Hs1-2Aa")),
        ("SE", "114", ("114 55", "SE-114 55", "S-11455")),
    ],
)
async def test_a_postcode_is_known_however_it_is_written(
    desk: Desk, country: str, prefix: str, typed: tuple[str, ...]
) -> None:
    await desk.methods(
        method("mail", rate("land", 900, country=country), rate("far", 3_000, country=country, postcode_prefix=prefix))
    )
    for one in typed:
        assert (await desk.quote(address=Address(country=country, postcode=one))).fee.minor == 3_000, one
    other = Address(country=country, postcode="SE1 1AA" if country == "GB" else "999")
    assert (await desk.quote(address=other)).fee.minor == 900
    with pytest.raises(api.Undeliverable, match="postcode"):
        await desk.quote(address=Address(country=country, postcode=" - "))


async def test_a_fee_grows_by_the_kilogram_begun_and_is_waived_from_an_amount_on(desk: Desk) -> None:
    priced = rate("us", 500, country="US", included_grams=1_000, kilogram_minor=100, free_from_minor=5_000)
    await desk.methods(method("mail", priced))
    assert [(await desk.quote(grams=grams)).fee.minor for grams in (1_000, 1_001, 2_000, 2_001)] == [500, 600, 600, 700]
    free = await desk.quote(minor=5_000)
    assert free.fee.minor == 0
    assert sum(one.amount.minor for one in free.applied if one.amount) == 0
    assert "free from 50.00 USD on" in [one.reason for one in free.applied]


async def test_options_come_by_fee_and_the_first_is_taken(desk: Desk) -> None:
    express = method("express", rate("us", 900, country="US", after_minutes=60, within_minutes=180))
    mail = method("mail", rate("us", 400, country="US"))
    pickup = method("shop", rate("here", 0), kind=api.MethodKind.PICKUP)
    await desk.methods(express, mail, pickup)
    quote = await desk.quote()
    assert [one.method for one in quote.options] == ["shop", "mail", "express"]
    assert quote.method == "shop"
    chosen = await desk.quote(method="express")
    assert (chosen.promise_from, chosen.promise_to) == (NOW + timedelta(hours=1), NOW + timedelta(hours=3))


async def test_what_cannot_travel_is_refused_with_every_reason(desk: Desk) -> None:
    await desk.methods(
        method("bike", rate("us", 1, country="US"), max_grams=400), method("mail", rate("nz", 1, country="NZ"))
    )
    with pytest.raises(api.Undeliverable, match=r"bike takes at most 400 grams.*mail has no zone"):
        await desk.quote()
    with pytest.raises(api.Undeliverable) as refused:
        await desk.quote(method="bike")
    assert refused.value.path == "$.method"


async def test_a_fee_beyond_what_can_be_charged_is_no_delivery(desk: Desk) -> None:
    await desk.methods(method("mail", rate("us", 0, country="US", kilogram_minor=10**12)))
    with pytest.raises(api.Undeliverable, match="more than can be charged"):
        await desk.quote(grams=100_000_000)


async def test_putting_a_method_again_replaces_its_rates_and_inactive_ones_are_not_offered(desk: Desk) -> None:
    await desk.methods(method("mail", rate("us", 400, country="US"), rate("nz", 900, country="NZ")))
    await desk.methods(method("mail", rate("us", 450, country="US")), method("old", rate("us", 1), is_active=False))
    assert [(one.method, one.fee.minor) for one in (await desk.quote()).options] == [("mail", 450)]
    page = await desk.ask(api.list_methods, limit=1)
    assert [rates.zone for rates in page.items[0].rates] == ["us"]
    rest = await desk.ask(api.list_methods, limit=1, cursor=page.next_cursor)
    assert ([one.code for one in rest.items], rest.next_cursor) == (["old"], None)


@answers(api.refuse_delivery)
def no_bikes(ask: api.QuoteDelivery, option: api.DeliveryOption) -> Verdict:
    return veto("too cold for a bike") if option.method == "bike" else ALLOW


@answers(api.delivery_fee)
def one_price(ask: api.QuoteDelivery, option: api.DeliveryOption) -> Money | Pass:
    return money(250, "USD")


@answers(api.delivery_promise)
def next_day(ask: api.QuoteDelivery, option: api.DeliveryOption, now: datetime) -> api.Promise | Pass:
    return api.Promise(earliest=now, latest=now + timedelta(days=1))


@answers(api.delivery_options)
def mail_last(options: tuple[api.DeliveryOption, ...], ask: api.QuoteDelivery) -> tuple[api.DeliveryOption, ...]:
    return tuple(sorted(options, key=lambda one: one.method == "mail"))


async def test_a_front_end_refuses_prices_promises_and_arranges(
    make_platform: Callable[..., Awaitable[Platform]],
) -> None:
    desk = Desk(await make_platform(PACK, front_end("north", [no_bikes, one_price, next_day, mail_last])))
    await desk.methods(method("bike", rate("us", 1)), method("mail", rate("us", 100)), method("van", rate("us", 900)))
    quote = await desk.quote()
    assert [(one.method, one.fee.minor) for one in quote.options] == [("van", 250), ("mail", 250)]
    assert quote.promise_to == NOW + timedelta(days=1)
    assert [(one.by, one.amount.minor) for one in quote.applied if one.amount] == [("zone us", 900), ("north", -650)]
    with pytest.raises(api.Undeliverable, match=r"too cold for a bike \(north.no_bikes\)"):
        await desk.quote(method="bike")


@pytest.fixture
async def van(desk: Desk) -> Desk:
    await desk.methods(method("van", rate("us", 500, country="US"), needs_slot=True), method("mail", rate("us", 100)))
    return desk


async def test_a_slot_gives_the_method_the_promise_and_its_fee(van: Desk) -> None:
    slot = await van.slot(fee_minor=150)
    quote = await van.quote(slot_id=slot.slot_id)
    assert (quote.method, quote.fee.minor, quote.slot_id) == ("van", 650, slot.slot_id)
    assert (quote.promise_from, quote.promise_to) == (slot.starts_at, slot.ends_at)
    with pytest.raises(api.SlotMismatch, match="is for 'van', not 'mail'"):
        await van.quote(slot_id=slot.slot_id, method="mail")
    assert (await van.quote(method="van")).needs_slot


async def test_a_slot_holds_no_more_than_its_room_and_gives_it_back(van: Desk, database_url: str) -> None:
    slot = await van.slot(capacity=2)
    first = await van.ask(api.book_slot, reference="order-1", slot_id=slot.slot_id, units=2)
    assert await van.ask(api.book_slot, reference="order-1", slot_id=slot.slot_id, units=2) == first
    with pytest.raises(api.SlotFull, match="has room for 0, not 1"):
        await van.ask(api.book_slot, reference="order-2", slot_id=slot.slot_id)
    with pytest.raises(api.SlotFull):
        await van.quote(slot_id=slot.slot_id)
    for freed in (slot.slot_id, None):
        assert (await van.ask(api.release_slot, reference="order-1")).slot_id == freed
    await van.ask(api.book_slot, reference="order-2", slot_id=slot.slot_id)
    await van.ask(api.book_slot, reference="order-1", slot_id=slot.slot_id)
    assert not await broken_conditions(database_url)


async def test_a_reference_books_one_slot(van: Desk) -> None:
    evening, night = await van.slot(hour=18), await van.slot(hour=20)
    await van.ask(api.book_slot, reference="order-1", slot_id=evening.slot_id)
    with pytest.raises(api.OtherSlotBooked, match="already booked 1"):
        await van.ask(api.book_slot, reference="order-1", slot_id=night.slot_id)
    with pytest.raises(api.UnknownSlot):
        await van.ask(api.book_slot, reference="order-1", slot_id=UUID(int=7))


async def test_the_slot_of_a_reference_is_asked_for_until_it_is_given_back(van: Desk) -> None:
    evening = await van.slot(hour=18)
    booked = await van.ask(api.book_slot, reference="order-1", slot_id=evening.slot_id)
    assert await van.ask(api.get_booking, reference="order-1") == booked
    await van.ask(api.release_slot, reference="order-1")
    with pytest.raises(api.NothingBooked, match="'order-1' holds no room in a slot"):
        await van.ask(api.get_booking, reference="order-1")


async def test_a_slot_closes_at_its_time(van: Desk) -> None:
    slot = await van.slot(closes_at=NOW)
    with pytest.raises(api.SlotClosed, match="closed at 2026-05-04T12:00:00"):
        await van.ask(api.book_slot, reference="order-1", slot_id=slot.slot_id)
    assert (await van.ask(api.list_slots)).items == ()
    assert len((await van.ask(api.list_slots, only_with_room=False)).items) == 1


async def test_opening_a_slot_again_changes_it_and_keeps_what_is_booked(van: Desk) -> None:
    slot = await van.slot(capacity=2)
    await van.ask(api.book_slot, reference="order-1", slot_id=slot.slot_id, units=2)
    with pytest.raises(api.SlotTaken, match="2 are booked in the slot, more than the 1"):
        await van.slot(capacity=1)
    wider = await van.slot(capacity=5)
    assert (wider.slot_id, wider.booked, wider.room) == (slot.slot_id, 2, 3)


async def test_a_slot_needs_a_known_method_and_a_window_in_order(van: Desk) -> None:
    bad = api.NewSlot(method="van", starts_at=NOW, ends_at=NOW, capacity=1)
    with pytest.raises(api.BadWindow) as refused:
        await van.ask(api.open_slots, items=(bad,))
    assert refused.value.path == "$.items[0].ends_at"
    unknown = api.NewSlot(method="vam", starts_at=NOW, ends_at=NOW + timedelta(hours=1), capacity=1)
    with pytest.raises(api.UnknownMethod, match="did you mean 'van'"):
        await van.ask(api.open_slots, items=(unknown,))


async def test_slots_are_listed_page_by_page_in_the_order_of_their_start(van: Desk) -> None:
    opened = [await van.slot(hour=hour) for hour in (20, 14, 18)]
    first = await van.ask(api.list_slots, limit=2, method="van")
    rest = await van.ask(api.list_slots, limit=2, cursor=first.next_cursor)
    assert [one.starts_at.hour for one in (*first.items, *rest.items)] == [14, 18, 20]
    assert rest.next_cursor is None
    assert len(opened) == 3
    with pytest.raises(api.BadCursor):
        await van.ask(api.list_slots, cursor="nonsense")


async def test_one_front_end_never_sees_the_methods_and_slots_of_another(van: Desk) -> None:
    slot = await van.slot()
    south = Desk(van.platform, SOUTH)
    assert (await south.quote()).method == "standard"
    assert (await south.ask(api.list_slots)).items == ()
    assert (await south.ask(api.list_methods)).items == ()
    with pytest.raises(api.UnknownSlot):
        await south.ask(api.book_slot, reference="order-1", slot_id=slot.slot_id)
    await van.ask(api.book_slot, reference="order-1", slot_id=slot.slot_id)
    assert (await south.ask(api.release_slot, reference="order-1")).slot_id is None


@pytest.mark.parametrize("clients", [8, 64])
async def test_no_slot_is_overbooked_however_many_book_at_once(van: Desk, database_url: str, clients: int) -> None:
    slot = await van.slot(capacity=20)
    van.platform.store = await Database.open(database_url, connections_max=clients)

    async def book(number: int) -> str:
        try:
            await van.ask(api.book_slot, reference=f"order-{number % 60}", slot_id=slot.slot_id)
        except errors.Refusal as refused:
            return refused.slug
        return "booked"

    came = Counter(await asyncio.gather(*map(book, range(120))))
    await van.platform.store.close()
    assert set(came) == {"booked", "fulfilment.slot-full"}
    assert not await broken_conditions(database_url)


async def test_booking_and_releasing_at_once_neither_deadlocks_nor_loses_room(van: Desk, database_url: str) -> None:
    slot = await van.slot(capacity=3)

    async def turn(number: int) -> None:
        for _ in range(6):
            try:
                await van.ask(api.book_slot, reference=f"order-{number % 5}", slot_id=slot.slot_id)
            except api.SlotFull:
                continue
            await van.ask(api.release_slot, reference=f"order-{number % 5}")

    await asyncio.gather(*map(turn, range(15)))
    assert not await broken_conditions(database_url)
    assert (await van.ask(api.list_slots)).items[0].booked == 0
