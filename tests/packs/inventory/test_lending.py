"""Stock that several front ends sell from: who gets how much, what nobody learns, and what stays when a grant goes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from isthmus.kernel import Caller, FrontEnd, Platform
from isthmus.packs.grants import api as grants
from isthmus.packs.grants.pack import PACK as GRANTS
from isthmus.packs.inventory import api
from isthmus.packs.inventory.pack import PACK
from isthmus.store.sharing import Choice, Draft, Grant
from isthmus.values import Money
from tests.packs.desk import at_desk, desk

from .conftest import Shop, asked, broken_conditions

HALL = "hall"
DESK = desk(api)
NAMES = ("house", "north", "south", "east")


class Group:
    """A house that owns a hall, and three shops."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.shops = {code: Shop(platform, Caller(front_end=code, client=f"{code}-till")) for code in NAMES}

    def __getitem__(self, code: str) -> Shop:
        return self.shops[code]

    async def lend(self, to: str, *, part: str = "", can: str = "use", ends_at: datetime | None = None,
                   **bounds: int | datetime) -> Grant:  # fmt: skip
        ask = Draft(kind="inventory.location", name=HALL, part=part, to=to, can=can, bounds=bounds, ends_at=ends_at)  # pyright: ignore
        grant = await self.platform.call(grants.give, ask, self["house"].caller)
        await self.take_on(to)
        return grant

    async def take_on(self, code: str, location: str = HALL, owner: str = "house") -> None:
        ask = api.PutLocations(items=(api.Location(code=location, lent_by=owner),))
        await self.platform.call(api.put_locations, ask, self[code].caller)

    async def withdraw(self, grant: Grant) -> None:
        ask = grants.WithdrawGrant(grant_id=grant.grant_id, because="over")
        await self.platform.call(grants.withdraw, ask, self["house"].caller)


@pytest.fixture
async def group(make_platform: Callable[..., Awaitable[Platform]]) -> Group:
    uses = ("inventory.*", "grants.*", "desk.*")
    ends = [FrontEnd(code=code, name=code, owner=code, uses=uses) for code in NAMES]
    made = Group(await make_platform(PACK, GRANTS, DESK, *ends))
    await made.platform.call(
        api.put_locations, api.PutLocations(items=(api.Location(code=HALL),)), made["house"].caller
    )
    return made


async def test_two_front_ends_sell_from_one_stock_first_come_first_served(group: Group, database_url: str) -> None:
    await group["house"].stock(("tea", HALL, 10))
    await group.lend("north")
    await group.lend("south")
    assert [await group[code].available("tea") for code in NAMES] == [10, 10, 10, 0]
    held = await group["north"].reserve("n-1", ("tea", 4))
    assert [(one.location, one.lent.owner) for one in held.allocations if one.lent] == [(HALL, "house")]
    await group["south"].reserve("s-1", ("tea", 5))
    assert [await group[code].available("tea") for code in NAMES] == [1, 1, 1, 0]
    with pytest.raises(api.StockShort):
        await group["north"].reserve("n-2", ("tea", 2))
    assert await group["house"].at("tea", HALL) == (10, 9)
    assert not await broken_conditions(database_url)


async def test_without_a_grant_nothing_is_seen_told_or_different(group: Group, database_url: str) -> None:
    await group["house"].stock(("tea", HALL, 10))
    with pytest.raises(api.NotLent) as refused:
        await group.take_on("east")
    with pytest.raises(api.NotLent) as nowhere:
        await group.take_on("east", "no-such-place")
    assert str(refused.value).replace(HALL, "no-such-place") == str(nowhere.value)
    assert await group["east"].available("tea") == 0
    page = await group.platform.call(api.list_stock, api.ListStock(), group["east"].caller)
    assert page.items == ()
    asks = [Draft(kind="inventory.location", name=name, to="north") for name in (HALL, "none")]
    with pytest.raises(grants.NothingToShare) as hall:
        await group.platform.call(grants.give, asks[0], group["east"].caller)
    with pytest.raises(grants.NothingToShare) as none:
        await group.platform.call(grants.give, asks[1], group["east"].caller)
    assert str(hall.value).replace(HALL, "none") == str(none.value)
    await group.lend("north")
    await group["north"].reserve("n-1", ("tea", 4))
    listed = await group.platform.call(grants.list_grants, Choice(standing_only=False), group["east"].caller)
    assert listed.items == ()
    assert await seen_by("east", database_url) == {"stock": 0, "location": 0, "movement": 0, "lent": 0, "row_grant": 0}


async def seen_by(code: str, database_url: str) -> dict[str, int]:
    """Count the rows that row-level security lets a front end see, whatever its statements filter by."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(f"set role isthmus_app; set isthmus.front_end = '{code}'")
        tables = ("inventory.stock", "inventory.location", "inventory.movement", "inventory.lent", "isthmus.row_grant")
        return {name.partition(".")[2]: await connection.fetchval(f"select count(*) from {name}") for name in tables}
    finally:
        await connection.close()


async def test_the_wall_lets_through_what_is_granted_and_not_what_others_took(group: Group, database_url: str) -> None:
    await group["house"].stock(("tea", HALL, 10), ("cup", HALL, 5), ("tea", "office", 3))
    await group.lend("north", part="tea")
    await group.lend("south")
    await group["south"].reserve("s-1", ("tea", 2))
    await group["south"].reserve("s-2", ("cup", 1))
    assert await seen_by("north", database_url) == {"stock": 1, "location": 1, "movement": 0, "lent": 0, "row_grant": 1}
    page = await group.platform.call(api.list_lent, api.ListLent(), group["north"].caller)
    assert page.items == ()
    page = await group.platform.call(api.list_lent, api.ListLent(), group["house"].caller)
    assert [(one.seller, one.sku, one.held) for one in page.items] == [("south", "cup", 1), ("south", "tea", 2)]
    stocks = await group.platform.call(api.list_stock, api.ListStock(), group["north"].caller)
    assert [(one.sku, one.on_hand, one.reserved) for one in stocks.items] == [("tea", 8, 0)]


async def test_a_grant_to_read_shows_stock_and_sells_none(group: Group) -> None:
    await group["house"].stock(("tea", HALL, 10))
    await group.lend("north", can="read")
    assert await group["north"].at("tea", HALL) == (10, 10)
    assert await group["north"].available("tea") == 0
    with pytest.raises(api.StockShort):
        await group["north"].reserve("n-1", ("tea", 1))


async def test_the_owner_sees_who_sold_and_not_for_which_order(group: Group, database_url: str) -> None:
    await group["house"].stock(("tea", HALL, 10))
    await group.lend("north")
    await group["north"].reserve("secret-order-7", ("tea", 4))
    shipped = await group.platform.call(api.ship, api.Ship(reference="secret-order-7"), group["north"].caller)
    assert shipped.state == "shipped"
    moves = await group.platform.call(api.list_movements, api.ListMovements(sku="tea"), group["house"].caller)
    assert [(one.kind, one.quantity, one.seller, one.by) for one in moves.items] == [
        ("ship", -4, "north", "north"),
        ("receive", 10, None, "house-till"),
    ]
    assert "secret" not in str(moves)
    page = await group.platform.call(api.list_lent, api.ListLent(), group["house"].caller)
    assert [(one.seller, one.held, one.shipped) for one in page.items] == [("north", 0, 4)]
    assert not await broken_conditions(database_url)


async def test_a_quota_holds_over_what_is_held_and_shipped_and_ends_with_its_grant(group: Group) -> None:
    await group["house"].stock(("tea", HALL, 100))
    await group.lend("north", most=6)
    await group["north"].reserve("n-1", ("tea", 4))
    await group.platform.call(api.ship, api.Ship(reference="n-1"), group["north"].caller)
    assert await group["north"].available("tea") == 2
    await group["north"].reserve("n-2", ("tea", 2))
    await group.platform.call(api.release, api.Release(reference="n-2"), group["north"].caller)
    assert await group["north"].available("tea") == 2
    await group.lend("north", most=50)
    assert await group["north"].available("tea") == 50


async def test_a_share_follows_what_lies_there(group: Group) -> None:
    await group["house"].stock(("tea", HALL, 100))
    await group.lend("north", share=2_500)
    assert await group["north"].available("tea") == 25
    await group["north"].reserve("n-1", ("tea", 20))
    assert await group["north"].available("tea") == 5
    await group.platform.call(api.ship, api.Ship(reference="n-1"), group["north"].caller)
    assert await group["north"].available("tea") == 20


async def test_what_is_set_aside_is_nobody_elses_until_its_time(group: Group) -> None:
    await group["house"].stock(("tea", HALL, 10))
    soon = datetime.now(UTC) + timedelta(hours=1)
    await group.lend("north", aside=6, aside_until=soon)
    await group.lend("south")
    assert [await group[code].available("tea") for code in NAMES[:3]] == [4, 10, 4]
    await group["north"].reserve("n-1", ("tea", 2))
    assert [await group[code].available("tea") for code in NAMES[:3]] == [4, 8, 4]
    await group["house"].reserve("h-1", ("tea", 1))
    with pytest.raises(api.StockShort):
        await group["house"].reserve("h-2", ("tea", 4))
    with pytest.raises(api.StockShort):
        await group["south"].reserve("s-2", ("tea", 4))
    group.platform.clock = lambda: soon  # pyright: ignore[reportAttributeAccessIssue]
    assert [await group[code].available("tea") for code in NAMES[:3]] == [7, 7, 7]


async def test_who_must_leave_some_stops_first_when_little_is_left(group: Group) -> None:
    await group["house"].stock(("tea", HALL, 10))
    await group.lend("north", leave=3)
    await group.lend("south", leave=8)
    assert [await group[code].available("tea") for code in NAMES[:3]] == [10, 7, 2]


async def test_a_withdrawn_grant_lets_nothing_more_be_sold_and_keeps_what_is_held(
    group: Group, database_url: str
) -> None:
    await group["house"].stock(("tea", HALL, 10))
    grant = await group.lend("north")
    await group["north"].reserve("n-1", ("tea", 4))
    await group["north"].reserve("n-2", ("tea", 2))
    await group.withdraw(grant)
    assert await group["north"].available("tea") == 0
    with pytest.raises(api.StockShort):
        await group["north"].reserve("n-3", ("tea", 1))
    await group.platform.call(api.confirm, api.Confirm(reference="n-1"), group["north"].caller)
    await group.platform.call(api.ship, api.Ship(reference="n-1", lines=asked(("tea", 3))), group["north"].caller)
    await group.platform.call(api.release, api.Release(reference="n-1"), group["north"].caller)
    assert await group["house"].at("tea", HALL) == (7, 2)
    await group.platform.call(api.release, api.Release(reference="n-2"), group["north"].caller)
    again = await group.platform.call(api.release, api.Release(reference="n-1"), group["north"].caller)
    assert [(one.quantity, one.shipped, one.released) for one in again.allocations] == [(4, 3, 1)]
    assert again.state == "shipped"
    read = await group.platform.call(api.get_reservation, api.GetReservation(reference="n-1"), group["north"].caller)
    assert read == again
    assert (await seen_by("north", database_url))["stock"] == 0
    assert not await broken_conditions(database_url)


async def test_own_stock_and_lent_stock_serve_one_line_together(group: Group, database_url: str) -> None:
    await group["house"].stock(("tea", HALL, 10))
    await group["north"].stock(("tea", "shop", 3))
    await group.lend("north")
    held = await group["north"].reserve("n-1", ("tea", 12), expires_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert {(one.location, one.quantity) for one in held.allocations} == {(HALL, 10), ("shop", 2)}
    gone = await group.platform.call(api.expire, api.Expire(), group["north"].caller)
    assert gone.references == ("n-1",)
    assert await group["house"].at("tea", HALL) == (10, 0)
    assert not await broken_conditions(database_url)


async def test_what_lies_at_a_lent_location_is_its_owners_to_book(group: Group) -> None:
    await group["house"].stock(("tea", HALL, 10))
    await group.lend("north")
    caller = group["north"].caller
    receipt = api.Receipt(sku="tea", quantity=1, location=HALL)
    with pytest.raises(api.AnothersStock):
        await group.platform.call(api.receive, api.Receive(reference="r", lines=(receipt,)), caller)
    limits = api.SetLimits(items=(api.Limits(sku="tea", location=HALL, safety=3),))
    with pytest.raises(api.AnothersStock):
        await group.platform.call(api.set_limits, limits, caller)
    await group["south"].stock(("tea", HALL, 1))
    with pytest.raises(api.LocationTaken):
        await group.lend("south")


async def test_goods_that_come_back_go_to_whose_they_were(group: Group, database_url: str) -> None:
    await group["house"].stock(("tea", HALL, 10))
    grant = await group.lend("north")
    await group["north"].reserve("n-1", ("tea", 4))
    await group.platform.call(api.ship, api.Ship(reference="n-1"), group["north"].caller)
    back = api.Restock(reference="back-1", lines=(api.RestockLine(sku="tea", quantity=2, location=HALL),))
    booked = await group.platform.call(api.restock, back, group["north"].caller)
    assert booked.stocks == ()
    assert await group["house"].at("tea", HALL) == (8, 0)
    moves = await group.platform.call(api.list_movements, api.ListMovements(sku="tea"), group["house"].caller)
    assert (moves.items[0].kind, moves.items[0].seller) == ("restock", "north")
    await group.withdraw(grant)
    more = api.Restock(reference="back-2", lines=(api.RestockLine(sku="tea", quantity=2, location=HALL),))
    with pytest.raises(api.NotLent):
        await group.platform.call(api.restock, more, group["north"].caller)
    assert not await broken_conditions(database_url)


async def test_goods_are_sold_between_owners_for_a_price(group: Group, database_url: str) -> None:
    await group["house"].stock(("tea", HALL, 10))
    await group["north"].stock(("cup", "shop", 5))
    await group.lend("north", most=6)
    price = Money(currency="EUR", minor=250)
    buy = api.SellStock(
        reference="b-1", from_location=HALL, to_location="shop",
        lines=(api.SoldLine(sku="tea", quantity=6, unit_price=price),),
    )  # fmt: skip
    sale = await group.platform.call(api.sell_stock, buy, group["north"].caller)
    assert (sale.from_owner, sale.to_owner, sale.total) == ("house", "north", Money(currency="EUR", minor=1500))
    assert await group.platform.call(api.sell_stock, buy, group["north"].caller) == sale
    assert (await group["house"].at("tea", HALL), await group["north"].at("tea")) == ((4, 0), (6, 0))
    too_many = api.SellStock(
        reference="b-2", from_location=HALL, to_location="shop", lines=(api.SoldLine(sku="tea", quantity=7),)
    )
    with pytest.raises(api.NotOnHand):
        await group.platform.call(api.sell_stock, too_many, group["north"].caller)
    give = api.SellStock(
        reference="b-3", from_location="shop", to_location=HALL, lines=(api.SoldLine(sku="cup", quantity=5),)
    )
    sale = await group.platform.call(api.sell_stock, give, group["north"].caller)
    assert (sale.from_owner, sale.to_owner, sale.total) == ("north", "house", None)
    assert (await group["house"].at("cup", HALL), await group["north"].at("cup")) == ((5, 0), (0, 0))
    same = api.SellStock(
        reference="b-4", from_location="shop", to_location="back", lines=(api.SoldLine(sku="tea", quantity=1),)
    )
    with pytest.raises(api.NotBetweenOwners):
        await group.platform.call(api.sell_stock, same, group["north"].caller)
    assert not await broken_conditions(database_url)


async def test_grants_have_a_history_and_one_takes_the_place_of_another(group: Group) -> None:
    first = await group.lend("north", most=5)
    second = await group.lend("north", most=9)
    await group.withdraw(second)
    await group.withdraw(second)
    listed = await group.platform.call(grants.list_grants, Choice(standing_only=False), group["house"].caller)
    assert [(one.grant_id, one.withdrawn_because) for one in listed.items] == [
        (second.grant_id, "over"),
        (first.grant_id, "another took its place"),
    ]
    assert (await group.platform.call(grants.list_grants, Choice(), group["north"].caller)).items == ()
    with pytest.raises(grants.UnknownGrant):
        await group.platform.call(grants.withdraw, grants.WithdrawGrant(grant_id=UUID(int=7)), group["house"].caller)
    ask = grants.WithdrawGrant(grant_id=first.grant_id)
    with pytest.raises(grants.UnknownGrant):  # nobody takes back what another gave
        await group.platform.call(grants.withdraw, ask, group["south"].caller)
    with pytest.raises(grants.UnknownBound):
        await group.lend("north", mots=5)
    with pytest.raises(grants.SharedWithOneself):
        await group.lend("house")


async def test_stock_is_listed_page_by_page_with_what_is_lent(group: Group) -> None:
    skus = [f"sku-{number}" for number in range(7)]
    await group["house"].stock(*((sku, HALL, 5) for sku in skus))
    await group["north"].stock(*((sku, "shop", 1) for sku in skus))
    grant = await group.lend("north")
    await group["north"].reserve("n-1", ("sku-1", 6))
    for expected in (14, 7):
        found: list[str] = []
        cursor: str | None = None
        while True:
            ask = api.ListStock(limit=2, cursor=cursor)
            page = await group.platform.call(api.list_stock, ask, group["north"].caller)
            found += [f"{one.sku}/{one.location}" for one in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert len(found) == len(set(found)) == expected
        await group.withdraw(grant)


async def test_a_location_that_its_owner_closes_sells_nothing_for_anybody(group: Group) -> None:
    await group["house"].stock(("tea", HALL, 10))
    await group.lend("north")
    closed = api.PutLocations(items=(api.Location(code=HALL, is_open=False),))
    await group.platform.call(api.put_locations, closed, group["house"].caller)
    assert [await group[code].available("tea") for code in ("house", "north")] == [0, 0]


async def test_a_grant_that_has_ended_is_none(group: Group) -> None:
    await group["house"].stock(("tea", HALL, 10))
    ends = datetime.now(UTC) + timedelta(hours=1)
    await group.lend("north", ends_at=ends)
    assert await group["north"].available("tea") == 10
    group.platform.clock = lambda: ends  # pyright: ignore[reportAttributeAccessIssue]
    assert await group["north"].available("tea") == 0


async def test_refusals_say_nothing_of_what_others_hold(group: Group) -> None:
    await group["house"].stock(("tea", HALL, 10))
    await group.lend("north", most=3)
    await group.lend("south")
    await group["south"].reserve("s-1", ("tea", 6))
    with pytest.raises(api.StockShort) as short:
        await group["north"].reserve("n-1", ("tea", 5))
    assert short.value.facts["lines"] == [  # pyright: ignore
        {"path": "$.lines[0].sku", "sku": "tea", "quantity": 5, "available": 3, "reason": "stock-short"}
    ]


async def test_a_reservation_is_extended_from_own_and_lent_stock_and_ends_as_one(
    group: Group, database_url: str
) -> None:
    north = group["north"]
    await group["house"].stock(("tea", HALL, 10))
    await north.stock(("tea", "shop", 2), ("jam", "shop", 5))
    await group.lend("north", most=6)
    await north.reserve("n-1", ("jam", 1))

    async def extend(*lines: tuple[str, int], reference: str = "n-1") -> api.Reservation:
        ask = api.Extend(reference=reference, lines=asked(*lines))
        return await north.platform.call(at_desk(api.extend, DESK), ask, north.caller)

    more = await extend(("jam", 2), ("tea", 6))
    assert [(one.line, one.sku, one.quantity) for one in more.allocations if one.sku == "jam"] == [(1, "jam", 2)]
    assert sum(one.quantity for one in more.allocations if one.lent) >= 4
    with pytest.raises(api.StockShort):
        await extend(("tea", 3))
    assert await north.at("jam") == (5, 3)
    ship = api.Ship(reference="n-1", lines=asked(("tea", 6)))
    await north.platform.call(api.ship, ship, north.caller)
    await north.platform.call(api.release, api.Release(reference="n-1"), north.caller)
    assert await north.at("jam") == (5, 0)
    with pytest.raises(api.ReservationEnded):
        await extend(("jam", 1))
    with pytest.raises(api.UnknownReservation):
        await extend(("jam", 1), reference="n-2")
    assert not await broken_conditions(database_url)
