"""Rows of `loyalty.card` and `loyalty.stamp`."""

from __future__ import annotations

from datetime import datetime

from isthmus.kernel import ports

from . import api

# A card of one's own goes before one that another front end lets one use.
_WHOSE = """
    select front_end from loyalty.card
    where card = $2 and (front_end = $1 or front_end in (
        select owner from isthmus.granted where kind = 'loyalty.card' and name = $2 and can = 'use'))
    order by front_end = $1 desc limit 1"""
# The card is locked, so that two purchases at once are stamped one after the other.
_OPEN = """
    insert into loyalty.card as card (front_end, card, stamps, filled, stamped_at) values ($1, $2, 0, 0, $3)
    on conflict (front_end, card) do update set card = excluded.card
    returning stamps, filled"""
_LOCK = "select stamps, filled from loyalty.card where front_end = $1 and card = $2 for update"
_STAMP = """
    insert into loyalty.stamp (front_end, reference, card, stamps, stamped_at, owner)
    values ($1, $2, $3, $4, $5, nullif($6, $1))
    on conflict (front_end, reference) do nothing returning reference"""
_SAVE = """
    update loyalty.card set (stamps, filled, stamped_at) = ($3, $4, $5) where front_end = $1 and card = $2"""
# A card of one's own goes before one that another front end shares.
_FIND = """
    select stamps, filled from loyalty.card
    where card = $2 and (front_end = $1 or front_end in (
        select owner from isthmus.granted where kind = 'loyalty.card' and name = $2))
    order by front_end = $1 desc limit 1"""
_FORGET = """
    with old as (
        update loyalty.card set stamps = 0 where front_end = $1 and stamps > 0 and stamped_at < $2 returning card)
    select count(*) from old"""


async def opened(session: ports.Session, front_end: str, card: str, now: datetime) -> tuple[str, api.Balance]:
    """Return whose card it is and what is on it, locked; where there is none, one of the front end's own is made."""
    owner: str = await session.fetch_value(_WHOSE, front_end, card) or front_end
    row = await session.fetch_row(_LOCK, owner, card) if owner != front_end else None
    if row is None:  # it is one's own, or was withdrawn this moment
        owner, row = front_end, await session.fetch_row(_OPEN, front_end, card, now)
    assert row is not None
    return owner, api.Balance(card=card, stamps=row["stamps"], filled=row["filled"])


async def stamp(session: ports.Session, front_end: str, ask: api.Stamp, stamps: int, now: datetime, owner: str) -> bool:
    """Write a stamp on an owner's card down; return False where its reference is known."""
    return await session.fetch_value(_STAMP, front_end, ask.reference, ask.card, stamps, now, owner) is not None


async def save(session: ports.Session, owner: str, card: api.Balance, now: datetime) -> None:
    await session.execute(_SAVE, owner, card.card, card.stamps, card.filled, now)


async def find(session: ports.Session, front_end: str, card: str) -> api.Balance | None:
    row = await session.fetch_row(_FIND, front_end, card)
    return None if row is None else api.Balance(card=card, stamps=row["stamps"], filled=row["filled"])


async def forget(session: ports.Session, front_end: str, before: datetime) -> int:
    return await session.fetch_value(_FORGET, front_end, before)
