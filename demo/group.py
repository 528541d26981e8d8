"""What the group of the demo shares: stock that two sell from, stores of the third, one programme for all members."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from demo import patience
from demo.shelf import CURRENCY
from isthmus.app.platform import Running
from isthmus.kernel import Caller
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.inventory import api as inventory
from isthmus.packs.member import api as member
from isthmus.store import sharing

SELLERS = ("brand", "market")  # who sell from the group's stock; the third has its own
STORES = "fresh"  # who has stores where goods of the others are picked up
STORES_LENT = 3
PROGRAMME = "circle"
JOINED_AT_ONCE = 16

_SOLD_FOR = """
select movement.front_end as owner, seller, -sum(quantity)::bigint as units
from inventory.movement where seller is not null and kind = 'ship' group by 1, 2 order by 1, 2
"""

_PLACES = """
select lent_by as owner, front_end as seller, count(*) as places from fulfilment.method
where lent_by is not null group by 1, 2 order by 1, 2
"""

_GOODS = """
select count(*)::bigint from (
    select sku from catalog.listing where front_end = any($1::text[])
    group by sku having count(*) = cardinality($1::text[])
) as common
"""

_MEMBERS = """
select count(*) filter (where front_ends > 1)::bigint from (
    select count(distinct front_end) as front_ends from member.membership
    where account_id is not null group by account_id
) as joined
"""


def owner(running: Running) -> str:
    """Return the code under which the group owns what is shared."""
    return running.config.group


async def lend(running: Running, places: Sequence[inventory.Location]) -> None:
    """Lend the group's locations to those who sell from them, and have these take them on."""
    await _grant(running, "inventory.location", [place.code for place in places], SELLERS, "one stock for both")
    for code in SELLERS:
        taken = tuple(
            inventory.Location(code=one.code, name=one.name, country=one.country, lent_by=owner(running))
            for one in places
        )
        located = inventory.PutLocations(items=taken)
        await patience.call(running.platform, inventory.put_locations, located, _caller(code))


async def lend_stores(running: Running, codes: Collection[str]) -> None:
    """Let goods of the sellers be picked up at the first stores of the third front end."""
    free, kind = (fulfilment.Rate(zone="store", currency=CURRENCY, base_minor=0),), fulfilment.MethodKind.PICKUP
    stores = [
        fulfilment.Method(code=code, name=f"At the store {code.partition('-')[2]}", kind=kind, rates=free)
        for code in sorted(codes)[:STORES_LENT]
    ]
    if not stores:
        return
    platform = running.platform
    await patience.call(platform, fulfilment.put_methods, fulfilment.PutMethods(items=tuple(stores)), _caller(STORES))
    names = [one.code for one in stores]
    await _grant(running, "fulfilment.method", names, SELLERS, "our stores are yours", of=STORES)
    lent = fulfilment.PutMethods(items=tuple(one.replace(lent_by=STORES) for one in stores))
    for code in SELLERS:
        await patience.call(platform, fulfilment.put_methods, lent, _caller(code))


async def join(running: Running, members: dict[tuple[str, str], Any]) -> None:
    """Make the programme, share it with every front end, and let all members take part."""
    await patience.call(
        running.platform,
        member.put_programme,
        member.PutProgramme(code=PROGRAMME, name="The circle"),
        _caller(owner(running)),
    )
    front_ends = sorted({code for code, _ in members})
    await _grant(running, "member.programme", [PROGRAMME], front_ends, "one programme for all")
    waiting = iter(sorted(members.items()))

    async def join_some() -> None:
        for (code, _), member_id in waiting:
            ask = member.JoinProgramme(member_id=member_id, programme=PROGRAMME, owner=owner(running))
            await patience.call(running.platform, member.join_programme, ask, _caller(code))

    async with asyncio.TaskGroup() as group:
        for _ in range(JOINED_AT_ONCE):
            group.create_task(join_some())


async def sold_for(running: Running) -> list[dict[str, Any]]:
    """Return from whose stock how many units were sold by whom."""
    async with running.database.platform() as session:
        return [dict(row) for row in await session.fetch(_SOLD_FOR)]


async def shared(running: Running) -> dict[str, Any]:
    """Return who lends how many pick-up places to whom, and how many goods and members front ends have in common."""
    async with running.database.platform() as session:
        places = [dict(row) for row in await session.fetch(_PLACES)]
        goods = await session.fetch_value(_GOODS, list(SELLERS))
        members = await session.fetch_value(_MEMBERS)
        return {"places": places, "goods_in_common": goods, "members_in_common": members}


async def _grant(
    running: Running, kind: str, names: Iterable[str], to: Iterable[str], reason: str, of: str | None = None
) -> None:
    receivers, now = list(to), datetime.now(UTC)
    async with running.database.platform_transaction() as session:
        for name in names:
            for code in receivers:
                draft = sharing.Draft(kind=kind, name=name, to=code, reason=reason)
                await sharing.give(session, of or owner(running), uuid.uuid4(), draft, now, "demo")


def _caller(front_end: str) -> Caller:
    return Caller(front_end=front_end, client="demo")
