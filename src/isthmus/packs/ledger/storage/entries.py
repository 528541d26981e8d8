"""Rows of `ledger.entry` and `ledger.leg`. Both are written by the database's own functions, which see to the rules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from functools import lru_cache
from uuid import UUID

from isthmus.kernel import Value, decode, encode, ports
from isthmus.values import money

from .. import api

_WRITE = """select * from ledger.write($1, $2, $3::text::int[], $4::text::text[], $5::text::text[], $6::text::text[],
    $7::text::bigint[], $8, $9, $10)"""
_WRITE_SHARED = _WRITE.replace("ledger.write", "ledger.write_shared")
_RECORD = "select ledger.record($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"
_ENTRIES = """
    select entry.entry_id, entry.reference, entry.kind, entry.state, entry.value_date, entry.booked_at,
        entry.expires_at, entry.ended_at, entry.subject, entry.memo, entry.metadata, entry.linked_to, entry.by,
        (select reference from ledger.entry as first
         where first.front_end = $1 and first.entry_id = entry.reverses) as reverses,
        (select reference from ledger.entry as later
         where later.front_end = $1 and later.reverses = entry.entry_id) as reversed_by
    from ledger.entry where entry.front_end = $1"""
_LEGS = """
    select leg.entry_id, code, owner, leg.currency, amount from ledger.leg join ledger.account using (account_id)
    join ledger.entry on entry.front_end = $1 and entry.entry_id = leg.entry_id
    where leg.front_end = $1 and leg.entry_id = any ($2) and leg <= entry.legs
    order by leg.entry_id, leg"""
_ANY_STATE = "($8::text is null or state = $8)"
_WITHOUT = """($9::text is null or not exists (
            select from ledger.leg as other join ledger.account as moved using (account_id)
            where other.front_end = $1 and other.entry_id = entry.entry_id and moved.code = $9))"""
_PAGE = """
    select entry_id, 0 as xid from ledger.entry
    where front_end = $1 and ($2::text is null or subject = $2) and ($3::text is null or kind = $3)
        and ($4::date is null or value_date >= $4) and ($5::date is null or value_date <= $5)
        and ($6::uuid is null or entry_id < $6) and {0} and {1}
    order by entry_id desc limit $7"""
_PAGE_OF_ACCOUNT = """
    select distinct xid, leg.entry_id from ledger.account join ledger.leg using (account_id)
    join ledger.entry on entry.front_end = $1 and entry.entry_id = leg.entry_id
    where account.front_end = $1 and code = $10 and owner = $11 and ($12::text is null or account.currency = $12)
        and ($2::text is null or subject = $2) and ($3::text is null or kind = $3)
        and ($4::date is null or leg.value_date >= $4) and ($5::date is null or leg.value_date <= $5)
        and ($6::uuid is null or (xid, leg.entry_id) < ($13, $6)) and {0} and {1}
    order by xid desc, entry_id desc limit $7"""


class Row(Value, omit_defaults=True):  # pyright: ignore  # what is null need not be read
    """An entry on its way into the database, where what is not said is null."""

    entry_id: UUID
    reference: str
    kind: str
    state: str
    value_date: date
    moves: bool  # to the first open day, where its own is closed
    subject: str
    memo: str
    metadata: dict[str, str]
    legs: int
    content: str  # a digest of what was asked
    expires_at: datetime | None = None
    reverses: UUID | None = None
    linked_to: UUID | None = None


class Written(Value):
    """What became of an entry; refused: why nothing was booked, of any of them."""

    entry_id: UUID | None
    state: str
    value_date: date
    is_news: bool
    refused: str
    detail: str


def columns(
    front_end: str, rows: Sequence[Row], legs: Sequence[Sequence[api.EntryLeg]], at: datetime, by: str
) -> tuple[object, ...]:
    """Return entries with their legs as the database takes them.

    Arrays are text: of a list asyncpg asks each item twice whether it is a list too.
    """
    flat = [
        (str(place), _quoted(leg.account), _quoted(leg.owner), _quoted(leg.amount.currency), str(leg.amount.minor))
        for place, own in enumerate(legs, 1)
        for leg in own
    ]
    arrays = (f"{{{','.join(column)}}}" for column in zip(*flat, strict=True))
    return (front_end, encode(rows), *arrays, at, by)


@lru_cache(4_096)
def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


async def write(session: ports.Session, given: tuple[object, ...], *, is_shared: bool = False) -> list[Written]:
    """Book entries, all or none, and say what became of each.

    is_shared: of several callers. Then one whose account is locked makes all wait: it raises Unavailable soon.
    """
    return [
        Written(
            entry_id=row["entry_id"],
            state=row["state"],
            value_date=row["value_date"],
            is_news=bool(row["is_news"]),
            refused=row["refused"] or "",
            detail=row["detail"] or "",
        )
        for row in await session.fetch(_WRITE_SHARED if is_shared else _WRITE, *given, False)
    ]


async def write_later(session: ports.Session, given: tuple[object, ...]) -> None:
    """Book entries along with what is sent next; what the books refuse breaks the transaction off."""
    await session.later(_WRITE, *given, True)


async def record_later(
    session: ports.Session, front_end: str, row: Row, legs: Sequence[api.EntryLeg], at: datetime, by: str
) -> None:
    """Book one posted entry along with what is sent next; what the books refuse breaks the transaction off."""
    said = (row.entry_id, row.reference, row.kind, row.value_date, row.moves, row.subject, row.memo)
    columns = (
        [leg.account for leg in legs],
        [leg.owner for leg in legs],
        [leg.amount.currency for leg in legs],
        [leg.amount.minor for leg in legs],
    )
    await session.later(_RECORD, front_end, *said, encode(row.metadata), row.content, *columns, at, by)


async def finish(session: ports.Session, front_end: str, entry_id: UUID, wanted: str, at: datetime) -> str:
    """End a pending entry; return how it had ended otherwise, or nothing."""
    return await session.fetch_value("select ledger.finish($1, $2, $3, $4)", front_end, entry_id, wanted, at)


async def overdue(session: ports.Session, front_end: str, at: datetime, limit: int) -> list[UUID]:
    """Lock pending entries whose time is over, those that nobody else is running on."""
    rows = await session.fetch(
        """select entry_id from ledger.entry where front_end = $1 and state = 'pending' and expires_at <= $2
           order by expires_at limit $3 for no key update skip locked""",
        front_end,
        at,
        limit,
    )
    return [row["entry_id"] for row in rows]


async def by_reference(session: ports.Session, front_end: str, reference: str) -> api.Entry | None:
    rows = await session.fetch(f"{_ENTRIES} and entry.reference = $2", front_end, reference)
    found = await _whole(session, front_end, rows)
    return found[0] if found else None


async def by_ids(session: ports.Session, front_end: str, entry_ids: Sequence[UUID]) -> list[api.Entry]:
    """Return entries in the order of their ids."""
    rows = await session.fetch(f"{_ENTRIES} and entry.entry_id = any ($2)", front_end, list(entry_ids))
    found = {one.entry_id: one for one in await _whole(session, front_end, rows)}
    return [found[one] for one in entry_ids]


async def page(
    session: ports.Session, front_end: str, ask: api.ListEntries, before: tuple[int, UUID] | None
) -> list[tuple[int, UUID]]:
    """Return where entries are, the latest first, one more than was asked for where there are more."""
    xid, entry_id = before or (0, None)
    of_state = "state = 'pending' and $8 = 'pending'" if ask.state is api.EntryState.PENDING else _ANY_STATE
    common = (front_end, ask.subject, ask.kind, ask.since, ask.until, entry_id, ask.limit + 1, ask.state, ask.without)
    if ask.account is None:
        rows = await session.fetch(_PAGE.format(of_state, _WITHOUT), *common)
    else:
        rows = await session.fetch(
            _PAGE_OF_ACCOUNT.format(of_state, _WITHOUT), *common, ask.account, ask.owner, ask.currency, xid
        )
    return [(row["xid"], row["entry_id"]) for row in rows]


async def _whole(session: ports.Session, front_end: str, rows: Sequence[ports.Row]) -> list[api.Entry]:
    """Return entries with the legs that they were booked with, not those that end a pending one."""
    legs: dict[UUID, list[api.EntryLeg]] = {row["entry_id"]: [] for row in rows}
    for row in await session.fetch(_LEGS, front_end, list(legs)) if legs else ():
        amount = money(row["amount"], row["currency"])
        legs[row["entry_id"]].append(api.EntryLeg(account=row["code"], owner=row["owner"], amount=amount))
    return [_entry(row, tuple(legs[row["entry_id"]])) for row in rows]


def _entry(row: ports.Row, legs: tuple[api.EntryLeg, ...]) -> api.Entry:
    return api.Entry(
        entry_id=row["entry_id"],
        reference=row["reference"],
        kind=row["kind"],
        state=api.EntryState(row["state"]),
        value_date=row["value_date"],
        booked_at=row["booked_at"],
        expires_at=row["expires_at"],
        ended_at=row["ended_at"],
        subject=row["subject"],
        memo=row["memo"],
        metadata=decode(row["metadata"], dict[str, str]),
        reverses=row["reverses"],
        reversed_by=row["reversed_by"],
        linked_to=row["linked_to"],
        legs=legs,
        by=row["by"],
    )
