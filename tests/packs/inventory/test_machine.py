"""Any sequence of what can be done to stock, on a real PostgreSQL, against a model of a dozen lines."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import asyncpg
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from isthmus.kernel import Platform, Registry, errors
from isthmus.packs.inventory import api
from isthmus.packs.inventory.pack import PACK
from isthmus.store import Database, MigrationSource, migrate

from .conftest import NORTH, Shop, asked, front_end

T = TypeVar("T")
Place = tuple[str, str]

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
skus = st.sampled_from(["apple", "pear", "plum"])
locations = st.sampled_from(["shop", "yard"])
references = st.sampled_from([f"order-{n}" for n in range(6)])
few = st.integers(1, 6)
baskets = st.lists(st.tuples(skus, few), min_size=1, max_size=3)


def test_no_sequence_of_steps_breaks_the_stock(database_url: str) -> None:
    runner = asyncio.Runner()
    loop = runner.get_loop()
    sources = [MigrationSource.of_pack(PACK.name, PACK.migrations)]
    loop.run_until_complete(migrate(database_url, sources))
    database = loop.run_until_complete(Database.open(database_url, connections_max=2))
    platform = Platform(Registry().add(PACK, front_end("north")).freeze(), database)
    owner = loop.run_until_complete(asyncpg.connect(database_url))

    class Bound(StockMachine):
        run = staticmethod(loop.run_until_complete)
        shop = Shop(platform)
        connection = owner

    try:
        run_state_machine_as_test(
            Bound,
            settings=settings(
                max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
            ),
        )
    finally:
        loop.run_until_complete(owner.close())
        loop.run_until_complete(database.close())
        runner.close()


class StockMachine(RuleBasedStateMachine):
    """Steps on stock; the model knows on hand, and what each live reservation holds where."""

    run: Any
    shop: Shop
    connection: asyncpg.Connection

    def __init__(self) -> None:
        super().__init__()
        self.on_hand: Counter[Place] = Counter()
        self.held: dict[str, Counter[Place]] = {}
        self.due: dict[str, datetime] = {}
        self.ended: set[str] = set()
        self.steps = 0
        self.hour = 0
        tables = "stock, location, movement, posting, reservation, reservation_line, reservation_step, lent, lot"
        names = ", ".join(f"inventory.{name}" for name in tables.split(", "))
        self.run(self.connection.execute(f"truncate {names} cascade"))

    def ask(self, call: Coroutine[Any, Any, T]) -> T | str:
        try:
            return self.run(call)
        except errors.Refusal as refused:
            return refused.slug

    def call(self, capability: Any, **fields: Any) -> Any:
        now = BEGAN + timedelta(hours=self.hour)
        return self.ask(self.shop.platform.call(capability, capability.ask(**fields), NORTH, now=now))

    def next_reference(self) -> str:
        self.steps += 1
        return f"note-{self.steps}"

    @property
    def reserved(self) -> Counter[Place]:
        return sum(self.held.values(), Counter[Place]())

    @rule(sku=skus, location=locations, units=few)
    def receive(self, sku: str, location: str, units: int) -> None:
        lines = (api.Receipt(sku=sku, quantity=units, location=location),)
        self.call(api.receive, reference=self.next_reference(), lines=lines)
        self.on_hand[sku, location] += units

    @rule(sku=skus, location=locations, units=st.integers(-6, 6))
    def adjust(self, sku: str, location: str, units: int) -> None:
        lines = (api.Adjustment(sku=sku, quantity=units, location=location),)
        came = self.call(api.adjust, reference=self.next_reference(), reason="found", lines=lines)
        fits = units >= 0 or self.on_hand[sku, location] + units >= self.reserved[sku, location]
        assert (came != "inventory.not-on-hand") == fits
        self.on_hand[sku, location] += units if fits else 0

    @rule(sku=skus, location=locations, units=st.integers(0, 12))
    def count(self, sku: str, location: str, units: int) -> None:
        lines = (api.Counted(sku=sku, quantity=units, location=location),)
        came = self.call(api.count, reference=self.next_reference(), lines=lines)
        fits = units >= self.reserved[sku, location]
        assert (came != "inventory.count-below-reserved") == fits
        if fits:
            self.on_hand[sku, location] = units

    @rule(sku=skus, units=few)
    def transfer(self, sku: str, units: int) -> None:
        reference = self.next_reference()
        lines = asked((sku, units))
        came = self.call(api.transfer, reference=reference, from_location="shop", to_location="yard", lines=lines)
        if came != "inventory.not-on-hand":
            self.on_hand[sku, "shop"] -= units
            self.on_hand[sku, "yard"] += units

    @rule(reference=references, basket=baskets, hours=st.none() | st.integers(0, 3))
    def reserve(self, reference: str, basket: list[tuple[str, int]], hours: int | None) -> None:
        expires_at = None if hours is None else BEGAN + timedelta(hours=self.hour + hours)
        is_known = reference in self.held or reference in self.ended
        free = self.on_hand - self.reserved
        wanted: Counter[str] = Counter()
        for sku, units in basket:
            wanted[sku] += units
        fits = all(free[sku, "shop"] + free[sku, "yard"] >= units for sku, units in wanted.items())
        came = self.call(api.reserve, reference=reference, lines=asked(*basket), expires_at=expires_at)
        if is_known:
            assert came == "inventory.reference-used" or isinstance(came, api.Reservation)
        elif fits:
            self.held[reference] = Counter()
            for one in came.allocations:
                self.held[reference][one.sku, one.location] += one.quantity
            if expires_at is not None:
                self.due[reference] = expires_at
        else:
            assert came == "inventory.stock-short"

    @rule(reference=references)
    def confirm(self, reference: str) -> None:
        came = self.call(api.confirm, reference=reference)
        if reference in self.held:
            assert came.state == "confirmed"
            self.due.pop(reference, None)

    @rule(reference=references, units=few, sku=skus, is_all=st.booleans())
    def release(self, reference: str, units: int, sku: str, is_all: bool) -> None:
        came = self.call(api.release, reference=reference, lines=None if is_all else asked((sku, units)))
        self.follow(reference, came, leaves=False)

    @rule(reference=references, units=few, sku=skus, is_all=st.booleans())
    def ship(self, reference: str, units: int, sku: str, is_all: bool) -> None:
        lines = None if is_all else asked((sku, units))
        came = self.call(api.ship, reference=reference, parcel=self.next_reference(), lines=lines)
        if isinstance(came, api.Reservation):
            self.due.pop(reference, None)
        self.follow(reference, came, leaves=True)

    def follow(self, reference: str, came: object, leaves: bool) -> None:
        if not isinstance(came, api.Reservation) or reference not in self.held:
            return
        now: Counter[Place] = Counter()
        for one in came.allocations:
            now[one.sku, one.location] += one.quantity - one.shipped - one.released
        if leaves:
            self.on_hand -= self.held[reference] - now
        self.held[reference] = +now
        if not self.held[reference]:
            self.end(reference)

    def end(self, reference: str) -> None:
        del self.held[reference]
        self.due.pop(reference, None)
        self.ended.add(reference)

    @rule(hours=st.integers(0, 2))
    def time_passes_and_the_sweep_runs(self, hours: int) -> None:
        self.hour += hours
        came = self.call(api.expire)
        over = {one for one, at in self.due.items() if at <= BEGAN + timedelta(hours=self.hour)}
        assert set(came.references) == over
        for reference in over:
            self.end(reference)

    @invariant()
    def the_database_agrees(self) -> None:
        rows = self.run(self.connection.fetch("select sku, location, on_hand, reserved from inventory.stock"))
        found = {(row["sku"], row["location"]): (row["on_hand"], row["reserved"]) for row in rows}
        places = {*found, *(+self.on_hand)}
        assert {place: found.get(place, (0, 0)) for place in places} == {
            place: (self.on_hand[place], self.reserved[place]) for place in places
        }
        for condition in PACK.conditions:
            assert not self.run(self.connection.fetch(condition.sql)), condition.sentence
