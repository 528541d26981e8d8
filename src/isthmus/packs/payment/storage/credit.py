"""Cards' rows: whoever moves something on a card locks it first; its balance is the sum of its moves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from isthmus.kernel import ports
from isthmus.values import money

from .. import api

_MAY_USE = """exists (select from isthmus.granted where kind = 'payment.credit_programme' and owner = credit.front_end
    and name = credit.programme and part = '' and can = 'use')"""
_PROGRAMME = """
select currency, valid_days from payment.credit_programme one
where front_end = $1 and code = $2 and ($1 = $3 or exists (
    select from isthmus.granted where kind = 'payment.credit_programme' and owner = $1 and name = $2 and part = ''
        and can = 'use'))
"""
_PUT = """
insert into payment.credit_programme (front_end, code, name, currency, valid_days) values ($1, $2, $3, $4, $5)
on conflict (front_end, code) do update set name = excluded.name, valid_days = excluded.valid_days
where credit_programme.currency = excluded.currency returning code
"""
_ISSUE = """
insert into payment.credit (front_end, credit_id, programme, issuer, digest, last_letters, currency, balance_minor,
    expires_at, issued_at)
values ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9)
"""
_COLUMNS = "front_end, credit_id, programme, last_letters, currency, balance_minor, expires_at"
_BY_CODE = f"""
select {_COLUMNS} from payment.credit where digest = $1 and (front_end = $2 or {_MAY_USE})
"""
_LOCK = f"select {_COLUMNS} from payment.credit where front_end = $1 and credit_id = $2 for update"
_LIST = f"""
select {_COLUMNS}, issuer, issued_at from payment.credit
where (front_end = $1 or issuer = $1) and ($2 = '' or last_letters like '%' || $2)
order by issued_at desc, credit_id desc limit $3
"""
_PROGRAMMES = """
select front_end, code, name, currency from payment.credit_programme one
where front_end = $1 or exists (
    select from isthmus.granted where kind = 'payment.credit_programme' and owner = one.front_end
        and granted.name = one.code and part = '' and can = 'use')
order by front_end = $1 desc, front_end, code limit 200
"""
_MOVE = """
with moved as (
    insert into payment.credit_move (front_end, move_id, owner, credit_id, kind, amount_minor, reference, at)
    values ($1, $2, $3, $4, $5, $6, $7, $8::timestamptz)
)
update payment.credit set balance_minor = balance_minor + $6,
    expires_at = case when $9::timestamptz is null then expires_at else greatest(expires_at, $9) end
where front_end = $3 and credit_id = $4
"""
_MOVES = """
select kind, amount_minor, currency, move.front_end, reference, at
from payment.credit_move move join payment.credit on credit.front_end = owner and credit.credit_id = move.credit_id
where move.credit_id = $1 and $2 in (owner, move.front_end) order by at desc, move_id desc limit $3
"""
_DUE = f"""
select {_COLUMNS} from payment.credit where front_end = $1 and balance_minor > 0 and expires_at <= $2
order by expires_at, credit_id limit $3 for update skip locked
"""
_NOTE = """
with news as (
    select front_end, move_id from payment.credit_move
    where owner = $1 and noted_at is null and front_end <> $1 and kind not in ('held', 'released')
    order by at, move_id limit $3 for update skip locked
), noted as (
    update payment.credit_move move set noted_at = $2 from news
    where move.front_end = news.front_end and move.move_id = news.move_id
    returning move.front_end, move.move_id, move.credit_id, kind, amount_minor, reference, at
)
select noted.*, currency from noted join payment.credit on credit.front_end = $1 and credit.credit_id = noted.credit_id
order by at, move_id
"""


def name_of(card: api.Credit) -> str:
    """Return what payments know a card by."""
    return f"{card.owner}/{card.credit_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What comes onto a card, or leaves it where it is negative."""

    kind: api.CreditKind
    minor: int
    reference: str


async def put(session: ports.Session, front_end: str, ask: api.CreditProgramme) -> bool:
    """Write a programme; False where it is in another currency."""
    row = (front_end, ask.code, ask.name, ask.currency, ask.valid_days)
    return await session.fetch_value(_PUT, *row) is not None


async def programme(session: ports.Session, owner: str, code: str, front_end: str) -> tuple[str, int | None] | None:
    """Return the currency of a programme and how many days its cards are good for; None where it cannot be used."""
    row = await session.fetch_row(_PROGRAMME, owner, code, front_end)
    return None if row is None else (row["currency"], row["valid_days"])


async def issue(session: ports.Session, issuer: str, card: api.Credit, digest: str, now: datetime) -> None:
    """Write a card with nothing on it."""
    await session.execute(
        _ISSUE, card.owner, card.credit_id, card.programme, issuer, digest, card.last_letters, card.balance.currency,
        card.expires_at, now,
    )  # fmt: skip


async def by_code(session: ports.Session, front_end: str, digest: str) -> api.Credit | None:
    """Return a card that this front end may take."""
    row = await session.fetch_row(_BY_CODE, digest, front_end)
    return None if row is None else _card(row)


async def lock(session: ports.Session, name: str) -> api.Credit:
    """Lock a card, by what payments know it by; UnknownCredit where it is not granted any more."""
    owner, _, credit_id = name.rpartition("/")
    row = await session.fetch_row(_LOCK, owner, UUID(credit_id))
    if row is None:
        raise api.UnknownCredit
    return _card(row)


async def move(
    session: ports.Session, front_end: str, move_id: UUID, name: str, one: Move, now: datetime, days: int = 0
) -> None:
    """Move something on a card; days: how long the card is good for at least from now on."""
    owner, _, credit_id = name.rpartition("/")
    until = now + timedelta(days=days) if days else None
    await session.execute(
        _MOVE, front_end, move_id, owner, UUID(credit_id), one.kind, one.minor, one.reference, now, until
    )


async def moves(session: ports.Session, front_end: str, credit_id: UUID, limit: int) -> list[api.CreditMove]:
    return [
        api.CreditMove(
            kind=row["kind"],
            amount=money(row["amount_minor"], row["currency"]),
            front_end=row["front_end"],
            reference=row["reference"],
            at=row["at"],
        )
        for row in await session.fetch(_MOVES, credit_id, front_end, limit)
    ]


async def due(session: ports.Session, owner: str, now: datetime, limit: int) -> list[api.Credit]:
    """Return cards whose day has come, locked."""
    return [_card(row) for row in await session.fetch(_DUE, owner, now, limit)]


async def note(session: ports.Session, owner: str, now: datetime, limit: int) -> list[api.CreditMoved]:
    """Take notice of what others moved on cards of one's programmes, the first first; references stay theirs."""
    return [
        api.CreditMoved(
            credit_id=row["credit_id"],
            owner=owner,
            front_end=row["front_end"],
            kind=row["kind"],
            amount=money(row["amount_minor"], row["currency"]),
            reference=str(row["move_id"]),
        )
        for row in await session.fetch(_NOTE, owner, now, limit)
    ]


def _card(row: Any) -> api.Credit:
    return api.Credit(
        owner=row["front_end"],
        credit_id=row["credit_id"],
        programme=row["programme"],
        last_letters=row["last_letters"],
        balance=money(row["balance_minor"], row["currency"]),
        expires_at=row["expires_at"],
    )


async def listed(session: ports.Session, front_end: str, letters: str, limit: int) -> tuple[api.CardOnList, ...]:
    return tuple(
        api.CardOnList(
            credit_id=row["credit_id"],
            owner=row["front_end"],
            programme=row["programme"],
            last_letters=row["last_letters"],
            balance=money(row["balance_minor"], row["currency"]),
            expires_at=row["expires_at"],
            issuer=row["issuer"],
            issued_at=row["issued_at"],
        )
        for row in await session.fetch(_LIST, front_end, letters, limit)
    )


async def programmes(session: ports.Session, front_end: str) -> tuple[api.UsableProgramme, ...]:
    return tuple(
        api.UsableProgramme(owner=row["front_end"], code=row["code"], name=row["name"], currency=row["currency"])
        for row in await session.fetch(_PROGRAMMES, front_end)
    )
