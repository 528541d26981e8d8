"""What accounts came to, summed by the database, and posted entries in the order in which they count."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from isthmus.kernel import ports
from isthmus.values import money

from .. import api

# Legs that are not summed up: from the oldest number of one on, by the index that knows which pages have what numbers.
_UNSUMMED = """xid >= (select least(folded, (select min(number) from unnest(unsummed) as number))
                    from ledger.book where front_end = $1)
            and exists (select from ledger.book where front_end = $1 and (xid >= folded or xid = any (unsummed)))"""
# Days that are summed up, and the legs that are not: in one statement, so both are of one moment.
_TRIAL = f"""
    select code, currency, case when $4 and starts_with(owner, 'front-end/') then owner else '' end as of_other,
        coalesce(sum(amount) filter (where value_date < $2), 0) as opening,
        coalesce(sum(debit) filter (where value_date >= $2), 0) as debit,
        coalesce(sum(credit) filter (where value_date >= $2), 0) as credit
    from ledger.account join (
        select account_id, value_date, debit - credit as amount, debit, credit from ledger.day where front_end = $1
        union all
        select account_id, value_date, amount, greatest(amount, 0), greatest(-amount, 0) from ledger.leg
        where front_end = $1 and layer = '=' and {_UNSUMMED}
    ) as moved using (account_id)
    where account.front_end = $1 and value_date <= $3
    group by code, currency, of_other order by code, currency, of_other"""
_PAGE = """
    select entry_id, value_date from ledger.entry
    where front_end = $1 and state = 'posted' and value_date between $2 and $3
        and ($4::date is null or (value_date, entry_id) > ($4, $5))
    order by value_date, entry_id limit $6"""


# What makes less of a balance settles the oldest of what made it more: what is left of each day is open.
_AGES = f"""
    with moved as (
        select code, owner, currency, value_date, sum(debit) as debit, sum(credit) as credit
        from ledger.account join (
            select account_id, value_date, debit, credit from ledger.day where front_end = $1
            union all
            select account_id, value_date, greatest(amount, 0), greatest(-amount, 0) from ledger.leg
            where front_end = $1 and layer = '=' and {_UNSUMMED}
        ) as moves using (account_id)
        where account.front_end = $1 and starts_with(code || ':', $2 || ':') and value_date <= $3
        group by code, owner, currency, value_date),
    natural_direction as (
        select code, owner, currency, value_date, case when sign > 0 then debit else credit end as more,
            case when sign > 0 then credit else debit end as less
        from moved cross join lateral (select ledger.natural_sign(code) as sign) as direction),
    reached as (
        select *, sum(more) over whole as all_more, sum(less) over whole as all_less,
            sum(more) over so_far as more_so_far, sum(less) over so_far as less_so_far
        from natural_direction
        window whole as (partition by code, owner, currency), so_far as (whole order by value_date)),
    left_open as (
        select code, owner, currency, value_date, $3 - value_date as days, case when all_more > all_less
            then greatest(least(more_so_far - all_less, more), 0)
            else -greatest(least(less_so_far - all_more, less), 0) end as minor
        from reached where all_more <> all_less)
    select code, owner, currency, sum(minor) as total, min(value_date) as oldest,
        coalesce(sum(minor) filter (where days <= 30), 0) as until_30,
        coalesce(sum(minor) filter (where days between 31 and 60), 0) as until_60,
        coalesce(sum(minor) filter (where days between 61 and 90), 0) as until_90,
        coalesce(sum(minor) filter (where days > 90), 0) as older
    from left_open where minor <> 0 group by code, owner, currency order by code, owner, currency"""


async def ages(session: ports.Session, front_end: str, below: str, on: date) -> list[api.AgedLine]:
    """Return what is open on accounts below a code at the end of a day, by its age."""
    amounts = ("total", "until_30", "until_60", "until_90", "older")
    return [
        api.AgedLine(
            code=row["code"],
            owner=row["owner"],
            **{name: money(int(row[name]), row["currency"]) for name in amounts},
            oldest=row["oldest"],
        )
        for row in await session.fetch(_AGES, front_end, below, on)
    ]


async def trial(
    session: ports.Session, front_end: str, since: date, until: date, *, by_front_end: bool
) -> list[api.TrialLine]:
    """Return what accounts came to from a day through another."""
    rows = await session.fetch(_TRIAL, front_end, since, until, by_front_end)
    return [
        api.TrialLine(
            code=row["code"],
            opening=money(int(row["opening"]), row["currency"]),
            debit=money(int(row["debit"]), row["currency"]),
            credit=money(int(row["credit"]), row["currency"]),
            closing=money(int(row["opening"] + row["debit"] - row["credit"]), row["currency"]),
            owner=row["of_other"],
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
