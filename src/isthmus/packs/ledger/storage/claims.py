"""Rows of `ledger.claim`: legs on accounts of other front ends, and whether these took notice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from isthmus.kernel import ports

_CLAIM = """
    with entry as (
        select * from ledger.entry where front_end = $1 and reference = $2),
    claimed as (
        insert into ledger.claim
            (front_end, entry_id, leg, other, kind, account, currency, amount, value_date, claimed_at)
        select $1, entry.entry_id, leg.leg, substr(owner, length('front-end/') + 1), coalesce($4, entry.kind), code,
            leg.currency,
            leg.amount, leg.value_date, $3
        from entry join ledger.leg on leg.front_end = $1 and leg.entry_id = entry.entry_id
        join ledger.account using (account_id)
        where layer = '=' and code ~ '^(assets|liabilities):front-ends(:|$)' and starts_with(owner, 'front-end/')
            and owner <> 'front-end/' || $1
        on conflict do nothing returning leg)
    select count(*) as entries, (select count(*) from claimed) as legs from entry"""
_NOTE = """
    update ledger.claim set noted_at = $2
    from (
        select distinct front_end, entry_id, claimed_at from ledger.claim where other = $1 and noted_at is null
        order by claimed_at, front_end, entry_id limit $3) as due
    where claim.front_end = due.front_end and claim.entry_id = due.entry_id and other = $1 and noted_at is null
    returning claim.*"""
# One takes notice at a time: the legs of an entry are never taken apart.
_ALONE = "select pg_try_advisory_xact_lock(hashtextextended('ledger.claim/' || $1, 0))"


async def claim(
    session: ports.Session, front_end: str, reference: str, kind_shown: str | None, now: datetime
) -> int | None:
    """Claim what an entry has on accounts of others; return how many legs are news, None where there is no entry."""
    row = await session.fetch_row(_CLAIM, front_end, reference, now, kind_shown)
    return None if row is None or not row["entries"] else int(row["legs"])


async def note(session: ports.Session, front_end: str, now: datetime, limit: int) -> Sequence[ports.Row]:
    """Mark claims of so many entries as noted; return their legs, in no order."""
    if not await session.fetch_value(_ALONE, front_end):
        return ()
    return await session.fetch(_NOTE, front_end, now, limit)
