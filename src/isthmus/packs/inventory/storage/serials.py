"""Units with numbers: SQL, and rows as values. What reservations ship, the database takes by number."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from isthmus.kernel import ports
from isthmus.values import SerialNumber

from .. import api, rules

_TAKE_IN: Final = "select place from inventory.take_in_serials($1, $2, $3, $4, $5, $6, $7, $8)"
_HOLD: Final = "select place, is_over from inventory.hold_serials($1, $2, $3)"
_HELD: Final = """
    select sku, serial from inventory.serial_hold where front_end = $1 and reference = $2 order by sku, serial"""
_LEAVE: Final = """
    with given as (
        select * from unnest($2::text[], $3::text[], $4::text[], $5::text[]) with ordinality
            as g (sku, location, serial, goes_to, place)
    ), found as (
        select g.*, s.state from given g join inventory.serial s
            on s.front_end = $1 and s.sku = g.sku and s.serial = g.serial and s.location = g.location
        where s.state = 'stocked' order by s.sku, s.serial for no key update of s
    ), moved as (
        update inventory.serial s set location = coalesce(f.goes_to, s.location),
            state = case when f.goes_to is null then 'gone' else 'stocked' end
        from found f where s.front_end = $1 and s.sku = f.sku and s.serial = f.serial
    ), told as (
        insert into inventory.serial_step (front_end, sku, serial, kind, location, reference, at)
        select $1, sku, serial, $6, coalesce(goes_to, location), $7, $8 from found
    )
    select place from found"""
_SELL: Final = "select place from inventory.sell_serials($1, $2, $3, $4, $5, $6, $7, $8)"
_BEYOND: Final = "select sku, location from inventory.serials_beyond($1, $2, $3)"
_LIST: Final = """
    select sku, serial, location, state, seller, came_at from inventory.serial
    where front_end = $1 and ($2::text is null or sku = $2) and ($3::text is null or location = $3)
        and ($4::text is null or state = $4) and (sku, serial) > ($5::text collate "C", $6::text collate "C")
    order by sku, serial limit $7"""
_STEPS: Final = """
    select sku, serial, kind, location, reference, seller, at from inventory.serial_step
    where front_end = $1 and ($2::text is null or sku = $2) and ($3::text is null or serial = $3)
        and ($4::text is null or reference = $4)
    order by id desc limit $5"""


async def take_in(
    session: ports.Session,
    units: Sequence[tuple[str, str, str, str, str]],
    kind: str,
    reference: str,
    now: datetime,
) -> set[int]:
    """Take units in: owner, SKU, location, number and state of each; return the places of those that could be."""
    columns = [list(column) for column in zip(*units, strict=True)]
    return {row["place"] - 1 for row in await session.fetch(_TAKE_IN, *columns, kind, reference, now)}


async def hold(session: ports.Session, reference: str, serials: Sequence[SerialNumber]) -> dict[int, bool]:
    """Hold units; return the places of those that are held, and whether they are more than the reservation holds."""
    rows = await session.fetch(_HOLD, reference, [one.sku for one in serials], [one.serial for one in serials])
    return {row["place"] - 1: row["is_over"] for row in rows}


async def held(session: ports.Session, front_end: str, reference: str) -> tuple[SerialNumber, ...]:
    rows = await session.fetch(_HELD, front_end, reference)
    return tuple(SerialNumber(sku=row["sku"], serial=row["serial"]) for row in rows)


async def leave(
    session: ports.Session,
    front_end: str,
    units: Sequence[tuple[str, str, str, str | None]],
    kind: str,
    reference: str,
    now: datetime,
) -> set[int]:
    """Take own units away, or (with where they go) elsewhere; return the places of those that lay there."""
    columns = [list(column) for column in zip(*units, strict=True)]
    return {row["place"] - 1 for row in await session.fetch(_LEAVE, front_end, *columns, kind, reference, now)}


async def sell(session: ports.Session, seller: str, buyer: str, ask: api.SellStock, now: datetime) -> set[int]:
    """Let units go from one owner to the other; return the places of those that could."""
    columns = [one.sku for one in ask.serials], [one.serial for one in ask.serials]
    way = ask.from_location, ask.to_location
    return {row["place"] - 1 for row in await session.fetch(_SELL, seller, buyer, *columns, *way, ask.reference, now)}


async def beyond(session: ports.Session, owners: Sequence[str], places: Sequence[rules.Place]) -> rules.Place | None:
    """Return a place at which more units have numbers than are there."""
    row = await session.fetch_row(
        _BEYOND, sorted(set(owners)), sorted({sku for sku, _ in places}), sorted({place for _, place in places})
    )
    return None if row is None else (row["sku"], row["location"])


async def listed(
    session: ports.Session, front_end: str, ask: api.ListSerials, after: tuple[str, str], limit: int
) -> list[api.SerialAt]:
    rows = await session.fetch(_LIST, front_end, ask.sku, ask.location, ask.state, *after, limit)
    return [
        api.SerialAt(
            sku=row["sku"],
            serial=row["serial"],
            location=row["location"],
            state=row["state"],
            seller=row["seller"],
            came_at=row["came_at"],
        )
        for row in rows
    ]


async def steps(session: ports.Session, front_end: str, ask: api.ListSerialSteps) -> tuple[api.SerialStep, ...]:
    rows = await session.fetch(_STEPS, front_end, ask.sku, ask.serial, ask.reference, ask.limit)
    return tuple(
        api.SerialStep(
            sku=row["sku"],
            serial=row["serial"],
            kind=row["kind"],
            location=row["location"],
            reference=row["reference"],
            seller=row["seller"],
            at=row["at"],
        )
        for row in rows
    )
