"""Desks and what is handed in at them: SQL, and rows as values."""

from __future__ import annotations

from fractions import Fraction
from typing import Any
from uuid import UUID

from msgspec import convert

from isthmus.kernel import decode, encode, ports
from isthmus.values import money, rounded

from .. import api

_PUT = """
insert into "order".desk (front_end, code, name) values ($1, $2, $3)
on conflict (front_end, code) do update set name = excluded.name
"""
_GRANT = """
select grant_id, name, coalesce((bounds ->> 'worth')::int, 10000) as worth from isthmus.granted
where kind = 'order.desk' and can = 'use' and owner = $1 and ($2::text is null or name = $2) order by name limit 1
"""
_ASK = """
insert into "order".hand_in (front_end, hand_in_id, taker, desk, grant_id, number, lines, state, worth, asked_at)
values ($1, $2, $3, $4, $5, $6, $7, 'asked', $8, $9)
"""
_FIND = 'select * from "order".hand_in where (front_end = $1 or taker = $1) and hand_in_id = $2'
_LIST = """
select * from "order".hand_in where (front_end = $1 or taker = $1) and ($2::text is null or state = $2)
order by asked_at desc, hand_in_id limit $3
"""
_HOLD = """
select * from "order".hand_in where front_end = $1 and state = $2
order by asked_at, hand_in_id limit $3 for update skip locked
"""
_ANSWER = """
update "order".hand_in set state = $3, return_id = $4, currency = $5, refund_minor = $6, note = $7
where front_end = $1 and hand_in_id = $2 and state = 'asked'
"""
_MARK = """
update "order".hand_in set state = $3
where case $3 when 'taken' then taker else front_end end = $1 and hand_in_id = $2 and state = $4
"""
_SHOWN = 'select * from "order".shown($1, $2, $3, $4)'


async def put(session: ports.Session, front_end: str, ask: api.PutDesk) -> None:
    await session.execute(_PUT, front_end, ask.code, ask.name)


async def granted(session: ports.Session, owner: str, desk: str | None) -> tuple[UUID, str, int] | None:
    """Return the grant of an owner's desk, its code, and what goods are worth to who takes them; None without one."""
    row = await session.fetch_row(_GRANT, owner, desk)
    return None if row is None else (row["grant_id"], row["name"], row["worth"])


async def ask(session: ports.Session, asked: api.HandIn, grant_id: UUID, worth: int) -> None:
    await session.execute(
        _ASK,
        asked.owner,
        asked.hand_in_id,
        asked.taker,
        asked.desk,
        grant_id,
        int(asked.number),
        encode(asked.lines),
        worth,
        asked.asked_at,
    )


async def find(session: ports.Session, front_end: str, hand_in_id: UUID) -> api.HandIn | None:
    row = await session.fetch_row(_FIND, front_end, hand_in_id)
    return None if row is None else _hand_in(row)


async def page(session: ports.Session, front_end: str, ask: api.ListHandIns) -> list[api.HandIn]:
    return [_hand_in(row) for row in await session.fetch(_LIST, front_end, ask.state, ask.limit)]


async def hold(session: ports.Session, front_end: str, ask: api.HoldHandIns) -> list[api.HandIn]:
    return [_hand_in(row) for row in await session.fetch(_HOLD, front_end, ask.state, ask.limit)]


async def answer(session: ports.Session, front_end: str, ask: api.AnswerHandIn) -> bool:
    """Write an answer down; False where it was answered before."""
    state = "refused" if ask.return_id is None else "agreed"
    refund = (ask.refund.currency, ask.refund.minor) if ask.refund else (None, None)
    done = await session.execute(_ANSWER, front_end, ask.hand_in_id, state, ask.return_id, *refund, ask.note)
    return done.endswith(" 1")


async def mark(session: ports.Session, front_end: str, hand_in_id: UUID, state: str, before: str) -> bool:
    """Move a hand-in on; False where it is not in the state before."""
    return (await session.execute(_MARK, front_end, hand_in_id, state, before)).endswith(" 1")


async def shown(session: ports.Session, ask: api.ShowOrders) -> list[api.ShownOrder]:
    rows = await session.fetch(_SHOWN, list(ask.owners), list(ask.member_ids), ask.before, ask.limit)
    return [
        api.ShownOrder(
            front_end=row["front_end"],
            order_id=row["order_id"],
            number=str(row["number"]),
            state=api.OrderState(row["state"]),
            placed_at=row["placed_at"],
            total=money(row["total_minor"], row["currency"]),
            lines=convert(decode(row["lines"], list[Any]), tuple[api.ShownLine, ...]),
        )
        for row in rows
    ]


def _hand_in(row: ports.Row) -> api.HandIn:
    refund = None if row["currency"] is None else money(row["refund_minor"], row["currency"])
    owes = refund and money(rounded(Fraction(refund.minor * row["worth"], 10_000)), refund.currency)
    return api.HandIn(
        hand_in_id=row["hand_in_id"],
        owner=row["front_end"],
        taker=row["taker"],
        desk=row["desk"],
        number=str(row["number"]),
        lines=decode(row["lines"], tuple[api.HandInLine, ...]),
        state=row["state"],
        refund=refund,
        owes=owes,
        note=row["note"],
        asked_at=row["asked_at"],
        return_id=row["return_id"],
    )
