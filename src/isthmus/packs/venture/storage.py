"""Rows of `venture`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final

from isthmus.kernel import decode, encode, ports
from isthmus.values import Money, money

from . import api, rules

Session = ports.Session
DISAGREEMENTS_MAX: Final = 20  # the first ones say what is wrong
REMINDERS_MAX: Final = 200
ESTIMATES_MAX: Final = 60  # five years of one each month

_LOCK: Final = """
    insert into venture.position (front_end, budget_minor, budget_currency) values ($1, $2, $3)
    on conflict (front_end) do update
        set budget_minor = coalesce(excluded.budget_minor, position.budget_minor),
            budget_currency = coalesce(excluded.budget_currency, position.budget_currency)
    returning journal, hash, sales, left_on, left_by"""
_ENTRIES: Final = """
    insert into venture.entry (front_end, number, reference, subject, kind, currency, net_minor, tax_minor,
        spent_minor, hash)
    select $1, * from unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[],
        $9::bigint[], $10::text[])
    on conflict (front_end, reference) do nothing"""
_SALES: Final = """
    insert into venture.sale (front_end, number, sale_id, kind, order_id, member, item, currency, net_minor, tax_minor,
        sold_at)
    select $1, * from unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
        $9::bigint[], $10::bigint[], $11::timestamptz[])
    on conflict (front_end, sale_id) do nothing"""
_COMPARED: Final = """
    with booked as (
        select subject, currency, sum(net_minor)::bigint as net, sum(tax_minor)::bigint as tax from venture.entry
        where front_end = $1 and subject <> '' group by subject, currency),
    compared as (
        select coalesce(s.sale_id, b.subject) as sale_id, coalesce(s.currency, b.currency) as currency,
            coalesce(s.net_minor, 0) as sold_net, coalesce(s.tax_minor, 0) as sold_tax,
            coalesce(b.net, 0) as booked_net, coalesce(b.tax, 0) as booked_tax
        from (select * from venture.sale where front_end = $1) s
        full join booked b on b.subject = s.sale_id and b.currency = s.currency)
    select *, count(*) filter (where is_same) over () as agreeing from (
        select *, sold_net = booked_net and sold_tax = booked_tax as is_same from compared) c
    order by is_same, sale_id limit $2"""
_NOTE: Final = """
    with last as (
        select since, is_met, said from venture.finding where front_end = $1 and obligation = $2
        order by since desc limit 1),
    touched as (
        update venture.finding f set at = $3, remedy = $6 from last
        where f.front_end = $1 and f.obligation = $2 and f.since = last.since and last.is_met = $4 and last.said = $5
        returning 1)
    insert into venture.finding (front_end, obligation, since, at, is_met, said, remedy)
    select $1, $2, $3, $3, $4, $5, $6 where not exists (select from touched)
    on conflict (front_end, obligation, since) do update set at = excluded.at, is_met = excluded.is_met,
        said = excluded.said, remedy = excluded.remedy"""
_FINDINGS: Final = """
    select distinct on (obligation) obligation, is_met, said, remedy, at,
        (select min(since) from venture.finding b where b.front_end = $1 and b.obligation = f.obligation
            and b.since > coalesce((select max(since) from venture.finding c where c.front_end = $1
                and c.obligation = f.obligation and c.is_met <> f.is_met), '-infinity')) as since
    from venture.finding f where front_end = $1 order by obligation, f.since desc"""
_SUMS: Final = """
    with sold as (
        select currency, count(*) filter (where kind = 'sale') as sales, sum(net_minor)::bigint as net,
            sum(tax_minor)::bigint as tax
        from venture.sale where front_end = $1 group by currency),
    booked as (
        select currency, sum(net_minor)::bigint as net, sum(spent_minor)::bigint as spent
        from venture.entry where front_end = $1 group by currency)
    select currency, coalesce(sold.sales, 0) as sales, coalesce(sold.net, 0) as net, coalesce(sold.tax, 0) as tax,
        coalesce(booked.net, 0) as booked,
        coalesce(booked.spent, 0) as spent
    from sold full join booked using (currency) order by currency"""
_FACTS: Final = """
    select count(*) filter (where kind = 'sale') as sales,
        count(distinct nullif(member, '')) as members, min(sold_at) as first_sale_at,
        (select taken_at from venture.position where front_end = $1) as taken_at,
        (select count(*) from venture.reminder where front_end = $1) as to_forget
    from venture.sale where front_end = $1"""


async def position(session: Session, front_end: str) -> api.Position:
    row = await session.fetch_row(
        "select journal, hash, sales, left_on, left_by from venture.position where front_end = $1", front_end
    )
    return api.Position() if row is None else _position(row)


async def lock_position(session: Session, front_end: str, budget: Money | None = None) -> api.Position:
    """Return how far pages were taken, and note what may be spent; whoever takes a page at the same moment waits."""
    minor, currency = (budget.minor, budget.currency) if budget else (None, None)
    row = await session.fetch_row(_LOCK, front_end, minor, currency)
    assert row is not None
    return _position(row)


def _position(row: ports.Row) -> api.Position:
    return api.Position(**dict(row))


async def move(session: Session, front_end: str, now: datetime, to: api.Position, begun: date) -> None:
    """Note how far pages were taken, and when the venture was begun; the first that was said of that stands."""
    await session.execute(
        """update venture.position set journal = $2, hash = $3, sales = $4, taken_at = $5,
               begun_on = coalesce(begun_on, $6) where front_end = $1""",
        front_end,
        to.journal,
        to.hash,
        to.sales,
        now,
        begun,
    )


async def add_entries(session: Session, front_end: str, found: Sequence[rules.Taken]) -> int:
    """Keep entries; return how many are new."""
    done = await session.execute(
        _ENTRIES,
        front_end,
        [one.number for one in found],
        [one.entry.reference for one in found],
        [one.entry.subject for one in found],
        [one.entry.kind for one in found],
        [one.currency for one in found],
        [one.net_minor for one in found],
        [one.tax_minor for one in found],
        [one.spent_minor for one in found],
        [one.hash for one in found],
    )
    return int(done.rpartition(" ")[2])


async def add_sales(session: Session, front_end: str, found: Sequence[rules.Sale]) -> int:
    """Keep sales; return how many are new."""
    done = await session.execute(
        _SALES,
        front_end,
        [one.number for one in found],
        [one.sale_id for one in found],
        [one.kind for one in found],
        [one.order_id for one in found],
        [one.member for one in found],
        [one.item for one in found],
        [one.currency for one in found],
        [one.net_minor for one in found],
        [one.tax_minor for one in found],
        [one.at for one in found],
    )
    return int(done.rpartition(" ")[2])


async def disagreements(session: Session, front_end: str) -> api.Disagreements:
    """Return sales that the books have otherwise, the first of them, and how many agree."""
    rows = await session.fetch(_COMPARED, front_end, DISAGREEMENTS_MAX)
    names = ("sale_id", "currency", "sold_net", "sold_tax", "booked_net", "booked_tax")
    items = tuple(api.Disagreement(**{name: row[name] for name in names}) for row in rows if not row["is_same"])
    return api.Disagreements(items=items, agreeing=rows[0]["agreeing"] if rows else 0)


async def note(session: Session, front_end: str, now: datetime, found: api.FindingDraft) -> None:
    await session.execute(_NOTE, front_end, found.obligation, now, found.is_met, found.said, found.remedy)


async def findings(session: Session, front_end: str) -> tuple[api.Finding, ...]:
    """Return what was seen last of each obligation, and since when it is met or not."""
    rows = await session.fetch(_FINDINGS, front_end)
    names = ("obligation", "is_met", "said", "remedy", "at", "since")
    return tuple(api.Finding(**{name: row[name] for name in names}) for row in rows)


async def sums(session: Session, front_end: str) -> tuple[api.Sum, ...]:
    return tuple(
        api.Sum(
            sales=row["sales"],
            net=money(row["net"], row["currency"]),
            tax=money(row["tax"], row["currency"]),
            booked=money(row["booked"], row["currency"]),
            spent=money(row["spent"], row["currency"]),
        )
        for row in await session.fetch(_SUMS, front_end)
    )


async def facts(session: Session, front_end: str) -> ports.Row:
    row = await session.fetch_row(_FACTS, front_end)
    assert row is not None
    return row


async def forget(session: Session, accounts: Sequence[str], codes: Sequence[str]) -> list[str]:
    """Forget accounts at every venture, and have each reminded; return the sales that are nobody's now."""
    rows = await session.fetch("select venture.forget($1, $2) as sale_id", list(accounts), list(codes))
    return [row["sale_id"] for row in rows]


async def reminders(session: Session, front_end: str) -> api.Reminders:
    rows = await session.fetch(
        "select member, tries from venture.reminder where front_end = $1 order by tries, since limit $2",
        front_end,
        REMINDERS_MAX,
    )
    return api.Reminders(items=tuple(api.Reminder(member=row["member"], tries=row["tries"]) for row in rows))


async def note_forgotten(session: Session, front_end: str, ask: api.NoteForgotten) -> None:
    if ask.because:
        await session.execute(
            """update venture.reminder set tries = tries + 1, because = $3
               where front_end = $1 and member = $2""",
            front_end,
            ask.member,
            ask.because,
        )
        return
    await session.execute("delete from venture.reminder where front_end = $1 and member = $2", front_end, ask.member)


async def add_estimate(session: Session, front_end: str, found: api.Estimate) -> None:
    await session.execute(
        "insert into venture.estimate (front_end, at, found) values ($1, $2, $3::text::jsonb)",
        front_end,
        found.at,
        encode(found).decode(),
    )


async def estimates(session: Session, front_end: str) -> tuple[api.Estimate, ...]:
    rows = await session.fetch(
        "select found::text as found from venture.estimate where front_end = $1 order by at desc limit $2",
        front_end,
        ESTIMATES_MAX,
    )
    return tuple(decode(row["found"].encode(), api.Estimate) for row in rows)


_OPERATION: Final = "select operation, answered_by, since, because, compared, agreed, differs from venture.operation"


async def operation(session: Session, front_end: str, name: str) -> api.OperationState:
    """Return who answers an operation; nobody has said otherwise: the venture."""
    row = await session.fetch_row(f"{_OPERATION} where front_end = $1 and operation = $2", front_end, name)
    return api.OperationState(operation=name) if row is None else api.OperationState(**dict(row))


async def operations(session: Session, front_end: str) -> tuple[api.OperationState, ...]:
    rows = await session.fetch(f"{_OPERATION} where front_end = $1 order by operation", front_end)
    return tuple(api.OperationState(**dict(row)) for row in rows)


async def put_operation(session: Session, front_end: str, moved: api.OperationState) -> None:
    await session.execute(
        """insert into venture.operation (front_end, operation, answered_by, since, because, compared, agreed, differs)
           values ($1, $2, $3, $4, $5, $6, $7, $8)
           on conflict (front_end, operation) do update set answered_by = excluded.answered_by, since = excluded.since,
               because = excluded.because, compared = excluded.compared, agreed = excluded.agreed,
               differs = excluded.differs""",
        front_end,
        moved.operation,
        moved.answered_by,
        moved.since,
        moved.because,
        moved.compared,
        moved.agreed,
        moved.differs,
    )


async def add_compared(session: Session, front_end: str, ask: api.NoteCompared) -> None:
    await session.execute(
        """update venture.operation set compared = compared + $3, agreed = agreed + $4,
               differs = case when differs = '' then $5 else differs end
           where front_end = $1 and operation = $2 and answered_by = 'shadow'""",
        front_end,
        ask.operation,
        ask.compared,
        ask.agreed,
        ask.differs,
    )


async def note_left(session: Session, front_end: str, ask: api.NoteLeft) -> api.LeftNoted:
    row = await session.fetch_row(
        """update venture.position set left_on = coalesce(left_on, $2), left_by = coalesce(left_by, $3)
           where front_end = $1 returning left_on, left_by""",
        front_end,
        ask.on,
        ask.by,
    )
    assert row is not None
    return api.LeftNoted(on=row["left_on"], by=row["left_by"])
