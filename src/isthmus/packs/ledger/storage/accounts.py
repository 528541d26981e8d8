"""Rows of `ledger.account`, what stands on them, and which days are closed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from isthmus.kernel import ports
from isthmus.values import money

from .. import api

# What was summed up, and the few legs that were not: in one statement, so both are of one moment.
STANDING = """
    select code, owner, currency, ledger.natural_sign(code) as sign,
        coalesce(known.posted, 0) + coalesce(posted_since, 0) as posted,
        coalesce(known.pending_debit, 0) + coalesce(debit_since, 0) as pending_debit,
        coalesce(known.pending_credit, 0) + coalesce(credit_since, 0) as pending_credit
    from ledger.account
    left join ledger.book on book.front_end = account.front_end
    left join ledger.balance as known using (account_id)
    cross join lateral (
        select sum(amount) filter (where layer = '=') as posted_since,
            sum(amount) filter (where layer = '+') as debit_since,
            sum(amount) filter (where layer = '-') as credit_since
        from (
            select layer, amount from ledger.leg where leg.account_id = account.account_id and xid >= book.folded
            union all
            select layer, amount from ledger.leg
            where leg.account_id = account.account_id and xid = any (book.unsummed)) as legs) as since
    where account.front_end = $1"""
# Whole days from what was summed up by day, what is not summed up yet from the legs.
_AT = """
    select code, owner, currency, ledger.natural_sign(code) as sign, 0 as pending_debit, 0 as pending_credit,
        coalesce((select sum(debit - credit) from ledger.day
            where day.account_id = account.account_id and value_date <= $5 and booked_on < $6), 0)
        + coalesce((select sum(amount) from ledger.leg
            where leg.account_id = account.account_id and layer = '=' and value_date <= $5 and booked_at <= $7
                and xid >= book.folded), 0)
        + coalesce((select sum(amount) from ledger.leg
            where leg.account_id = account.account_id and layer = '=' and value_date <= $5 and booked_at <= $7
                and xid = any (book.unsummed)), 0)
        + coalesce((select sum(amount) from ledger.leg
            where leg.account_id = account.account_id and layer = '=' and value_date <= $5 and booked_at <= $7
                and xid < book.folded and xid <> all (book.unsummed) and booked_at >= $8), 0) as posted
    from ledger.account left join ledger.book on book.front_end = account.front_end
    where account.front_end = $1 and code = $2 and owner = $3 and currency = $4"""
_OPEN = """
    insert into ledger.account (front_end, code, owner, currency, name, is_limited, least, greatest, opened_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing"""
_FIND = """
    select account_id, code, owner, currency, name, is_limited, least, greatest from ledger.account
    where front_end = $1 and code = $2 and owner = $3 and currency = $4"""


@dataclass(frozen=True, slots=True)
class Found:
    """An account, with its number."""

    account_id: int
    account: api.Account


async def open_account(session: ports.Session, front_end: str, ask: api.OpenAccount, now: datetime) -> bool:
    """Write an account; False where there is one."""
    limits = (ask.least is not None or ask.greatest is not None, ask.least, ask.greatest)
    row = (front_end, ask.code, ask.owner, ask.currency, ask.name, *limits, now)
    return await session.execute(_OPEN, *row) == "INSERT 0 1"


async def find(session: ports.Session, front_end: str, ask: api.AccountRef, *, is_locked: bool = False) -> Found | None:
    sql = f"{_FIND} for no key update" if is_locked else _FIND
    row = await session.fetch_row(sql, front_end, ask.code, ask.owner, ask.currency)
    if row is None:
        return None
    account = api.Account(
        code=row["code"],
        owner=row["owner"],
        currency=row["currency"],
        name=row["name"],
        is_limited=row["is_limited"],
        least=row["least"],
        greatest=row["greatest"],
    )
    return Found(row["account_id"], account)


async def set_limits(
    session: ports.Session, front_end: str, account_id: int, least: int | None, greatest: int | None
) -> None:
    await session.execute(
        "update ledger.account set least = $3, greatest = $4 where front_end = $1 and account_id = $2",
        front_end,
        account_id,
        least,
        greatest,
    )


async def balance(session: ports.Session, front_end: str, ask: api.AccountRef) -> api.Balance | None:
    """Return what stands on an account now."""
    sql = f"{STANDING} and code = $2 and owner = $3 and currency = $4"
    row = await session.fetch_row(sql, front_end, ask.code, ask.owner, ask.currency)
    return None if row is None else _balance(row)


async def balance_at(
    session: ports.Session, front_end: str, ask: api.GetBalance, at: datetime, on: date
) -> api.Balance | None:
    """Return what stood on an account at a moment, of what counts by the end of a day."""
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    place = (front_end, ask.code, ask.owner, ask.currency)
    row = await session.fetch_row(_AT, *place, on, midnight.date(), at, midnight)
    return None if row is None else _balance(row)


async def page(
    session: ports.Session, front_end: str, ask: api.ListAccounts, after: tuple[str, str, str]
) -> list[api.Balance]:
    """Return accounts in their order, one more than was asked for where there are more."""
    sql = f"""{STANDING} and (code, owner, currency) > ($2, $3, $4) and ($5 = '' or code = $5
                or starts_with(code, $5 || ':')) and ($6::text is null or owner = $6)
              order by code, owner, currency limit $7"""
    rows = await session.fetch(sql, front_end, *after, ask.below, ask.owner, ask.limit + 1)
    return [_balance(row) for row in rows]


async def fold(session: ports.Session, front_end: str) -> int:
    return await session.fetch_value("select ledger.fold($1)", front_end)


async def closed_through(session: ports.Session, front_end: str, *, is_closing: bool) -> date | None:
    """Return the last day that is closed; where it is to be changed, once nobody is booking any more."""
    if is_closing:
        return await session.fetch_value("select ledger.lock_book($1, true)", front_end)
    return await session.fetch_value("select closed_through from ledger.book where front_end = $1", front_end)


async def close(session: ports.Session, front_end: str, through: date | None, entry: tuple[datetime, str, str]) -> None:
    await session.execute(
        "update ledger.book set closed_through = $2 where front_end = $1",
        front_end,
        through,
    )
    await session.execute(
        "insert into ledger.closing (front_end, closed_through, at, by, reason) values ($1, $2, $3, $4, $5)",
        front_end,
        through,
        *entry,
    )


async def closings(session: ports.Session, front_end: str, limit: int) -> Sequence[api.Closing]:
    rows = await session.fetch(
        "select closed_through, at, by, reason from ledger.closing where front_end = $1 order by id desc limit $2",
        front_end,
        limit,
    )
    return [
        api.Closing(closed_through=row["closed_through"], at=row["at"], by=row["by"], reason=row["reason"])
        for row in rows
    ]


def _balance(row: ports.Row) -> api.Balance:
    currency, posted = row["currency"], int(row["posted"])
    debit, credit = int(row["pending_debit"]), int(row["pending_credit"])
    available = posted + credit if row["sign"] > 0 else -posted - debit
    return api.Balance(
        code=row["code"],
        owner=row["owner"],
        posted=money(posted, currency),
        pending_debit=money(debit, currency),
        pending_credit=money(-credit, currency),
        available=money(available, currency),
    )


LATEST = date.max - timedelta(days=1)
