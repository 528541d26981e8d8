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


# What was booked for a subject is open until it comes to zero; without a subject, the account as a whole is.
_AGES = """
    with open_items as (
        select code, owner, account.currency, subject, ledger.natural_sign(code) * sum(amount) as minor,
            min(leg.value_date) as since
        from ledger.account join ledger.leg using (account_id)
        join ledger.entry on entry.front_end = $1 and entry.entry_id = leg.entry_id
        where account.front_end = $1 and starts_with(code || ':', $2 || ':') and layer = '=' and leg.value_date <= $3
        group by code, owner, account.currency, subject having sum(amount) <> 0)
    select code, owner, currency, count(*) as items, sum(minor) as total,
        coalesce(sum(minor) filter (where $3 - since <= 30), 0) as until_30,
        coalesce(sum(minor) filter (where $3 - since between 31 and 60), 0) as until_60,
        coalesce(sum(minor) filter (where $3 - since between 61 and 90), 0) as until_90,
        coalesce(sum(minor) filter (where $3 - since > 90), 0) as older,
        min(since) as oldest, (array_agg(subject order by since, subject))[1] as oldest_subject
    from open_items group by code, owner, currency order by code, owner, currency"""


async def ages(session: ports.Session, front_end: str, below: str, on: date) -> list[api.AgedLine]:
    """Return what is open on accounts below a code at the end of a day, by its age."""
    amounts = ("total", "until_30", "until_60", "until_90", "older")
    return [
        api.AgedLine(
            code=row["code"],
            owner=row["owner"],
            open_items=row["items"],
            **{name: money(int(row[name]), row["currency"]) for name in amounts},
            oldest=row["oldest"],
            oldest_subject=row["oldest_subject"],
        )
        for row in await session.fetch(_AGES, front_end, below, on)
    ]


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
