"""What accounts came to, summed by the database, and posted entries in the order in which they count."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from isthmus.kernel import ports
from isthmus.values import money

from .. import api

# Days that are summed up, and the legs since: in one statement, so both are of one moment.
_TRIAL = """
    select code, currency, coalesce(sum(amount) filter (where value_date < $2), 0) as opening,
        coalesce(sum(debit) filter (where value_date >= $2), 0) as debit,
        coalesce(sum(credit) filter (where value_date >= $2), 0) as credit
    from ledger.account join (
        select account_id, value_date, debit - credit as amount, debit, credit from ledger.day where front_end = $1
        union all
        select account_id, value_date, amount, greatest(amount, 0), greatest(-amount, 0) from ledger.leg
        where front_end = $1 and layer = '=' and xid >= (select folded from ledger.book where front_end = $1)
    ) as moved using (account_id)
    where account.front_end = $1 and value_date <= $3
    group by code, currency order by code, currency"""
_PAGE = """
    select entry_id, value_date from ledger.entry
    where front_end = $1 and state = 'posted' and value_date between $2 and $3
        and ($4::date is null or (value_date, entry_id) > ($4, $5))
    order by value_date, entry_id limit $6"""


async def trial(session: ports.Session, front_end: str, since: date, until: date) -> list[api.TrialLine]:
    """Return what accounts came to from a day through another."""
    rows = await session.fetch(_TRIAL, front_end, since, until)
    return [
        api.TrialLine(
            code=row["code"],
            opening=money(int(row["opening"]), row["currency"]),
            debit=money(int(row["debit"]), row["currency"]),
            credit=money(int(row["credit"]), row["currency"]),
            closing=money(int(row["opening"] + row["debit"] - row["credit"]), row["currency"]),
        )
        for row in rows
    ]


async def posted(
    session: ports.Session, front_end: str, days: tuple[date, date], after: tuple[date, UUID] | None, limit: int
) -> Sequence[tuple[date, UUID]]:
    """Return where posted entries are, in the order in which they count."""
    day, entry_id = after or (None, None)
    rows = await session.fetch(_PAGE, front_end, *days, day, entry_id, limit)
    return [(row["value_date"], row["entry_id"]) for row in rows]


async def opened(session: ports.Session, front_end: str) -> list[api.AccountRef]:
    """Return every account."""
    rows = await session.fetch(
        "select code, currency, owner from ledger.account where front_end = $1 order by code, owner, currency",
        front_end,
    )
    return [api.AccountRef(code=row["code"], currency=row["currency"], owner=row["owner"]) for row in rows]
