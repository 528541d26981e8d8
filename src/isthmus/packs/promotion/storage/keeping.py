"""Rows of those who keep promotions: put, stop, issue, revoke, look at."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from isthmus.kernel import encode, ports
from isthmus.values import Money

from .. import api
from ..rules.promotions import Usage
from .promotions import by_asked, keys_of, promotion_of

# Waits for orders that use the promotion at this moment, so that what is counted after it is complete.
_HOLD = """
    select version, is_running, definition from promotion.promotion where front_end = $1 and code = $2 for update"""

_USED = "select uses, spent from promotion.used($1, $2)"

_PUT = """
    insert into promotion.promotion as known (front_end, code, version, is_running, definition, valid_from, valid_to,
        needs_coupon, uses_max, uses_per_member_max, budget, budget_currency, uses, spent)
    values ($1, $2, 1, true, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
    on conflict (front_end, code) do update set version = known.version + 1, is_running = true,
        definition = excluded.definition, valid_from = excluded.valid_from, valid_to = excluded.valid_to,
        needs_coupon = excluded.needs_coupon, uses_max = excluded.uses_max,
        uses_per_member_max = excluded.uses_per_member_max, budget = excluded.budget,
        budget_currency = excluded.budget_currency, uses = excluded.uses, spent = excluded.spent
    returning version"""

_STOP = """
    update promotion.promotion set is_running = false, version = version + 1
    where front_end = $1 and code = $2 returning version"""

_RECORD = """
    insert into promotion.revision (front_end, code, version, what, at, by, reason, definition)
    values ($1, $2, $3, $4, $5, $6, $7, $8)"""

_GET = """
    select version, is_running, definition from promotion.promotion where front_end = $1 and code = $2"""

# Waits for orders that have counted what they use, and not for those that have yet to.
HOLD_COUNT = f"{_GET} for no key update"

_HISTORY = """
    select version, what, at, by, reason, definition from promotion.revision
    where front_end = $1 and code = $2 order by version desc limit $3"""

_LIST = """
    select definition from promotion.promotion
    where front_end = $1 and code > $2 and (is_running or not $3) order by code limit $4"""

_HOLD_FOR_ISSUE = """
    select definition from promotion.promotion where front_end = $1 and code = $2 for key share"""

_ISSUE = """
    insert into promotion.coupon (front_end, promotion, issued_at, issued_by, code, uses_max, uses_per_member_max,
        member_id, valid_from, valid_to)
    select $1, $2, $3, $4, * from unnest($5::text[], $6::bigint[], $7::bigint[], $8::uuid[], $9::timestamptz[],
        $10::timestamptz[]) as a (code, uses_max, uses_per_member_max, member_id, valid_from, valid_to)
    where not exists (select from promotion.coupon where front_end = $1 and key = lower(a.code))
    order by code
    on conflict do nothing returning code"""

_REVOKE = """
    with known as (
        select code, key, revoked_at is null as is_usable from promotion.coupon
        where front_end = $1 and key = any ($2::text[]) and (code = any ($5::text[]) or not exists (
            select from promotion.coupon as same
            where same.front_end = $1 and same.key = coupon.key and same.code = any ($5::text[])))
        order by code for update),
    revoked as (
        update promotion.coupon set revoked_at = $3, revoked_by = $4 from known
        where front_end = $1 and coupon.code = known.code and known.is_usable)
    select code, key, is_usable from known"""

_COUPONS = """
    select coupon.*, promotion.coupon_used(coupon.code) as used
    from promotion.coupon where coupon.front_end = $1"""

_GET_COUPONS = f"{_COUPONS} and key = any ($2::text[]) order by issued_at, code"

_LIST_COUPONS = f"""{_COUPONS} and coupon.code > $2 and ($3::text is null or coupon.promotion = $3)
        and ($4::uuid is null or coupon.member_id = $4)
    order by coupon.code limit $5"""


async def hold(
    session: ports.Session, front_end: str, code: str, statement: str = _HOLD
) -> tuple[api.Promotion, int, bool] | None:
    """Lock a promotion against use and change; return it with its version and whether it is running."""
    row = await session.fetch_row(statement, front_end, code)
    return None if row is None else (promotion_of(row["definition"]), row["version"], row["is_running"])


async def used(session: ports.Session, code: str, currency: str | None) -> Usage:
    """Count what orders of all front ends use of one's own promotion; what was spent, in a currency if one is given."""
    row = await session.fetch_row(_USED, code, currency)
    return Usage() if row is None else Usage(uses=row["uses"], spent=row["spent"])


async def put(session: ports.Session, front_end: str, promotion: api.Promotion, usage: Usage) -> int:
    """Write a promotion; return its version."""
    budget = promotion.budget
    return await session.fetch_value(
        _PUT,
        front_end,
        promotion.code,
        encode(promotion),
        promotion.valid_from,
        promotion.valid_to,
        promotion.needs_coupon,
        promotion.uses_max,
        promotion.uses_per_member_max,
        None if budget is None else budget.minor,
        None if budget is None else budget.currency,
        usage.uses,
        usage.spent,
    )


async def stop(session: ports.Session, front_end: str, code: str) -> int:
    """Stop a promotion; return its new version."""
    return await session.fetch_value(_STOP, front_end, code)


async def record(session: ports.Session, front_end: str, revision: api.Revision) -> None:
    await session.execute(
        _RECORD,
        front_end,
        revision.promotion.code,
        revision.version,
        revision.what,
        revision.at,
        revision.by,
        revision.reason,
        encode(revision.promotion),
    )


async def get(session: ports.Session, front_end: str, code: str) -> tuple[api.Promotion, int, bool] | None:
    """Return a promotion with its version and whether it is running."""
    row = await session.fetch_row(_GET, front_end, code)
    return None if row is None else (promotion_of(row["definition"]), row["version"], row["is_running"])


async def history(session: ports.Session, front_end: str, code: str, limit: int) -> tuple[api.Revision, ...]:
    """Return who did what to a promotion, the latest first."""
    return tuple(
        api.Revision(
            version=row["version"],
            what=row["what"],
            at=row["at"],
            by=row["by"],
            reason=row["reason"],
            promotion=promotion_of(row["definition"]),
        )
        for row in await session.fetch(_HISTORY, front_end, code, limit)
    )


async def list_promotions(
    session: ports.Session, front_end: str, after: str, running_only: bool, limit: int
) -> list[api.Promotion]:
    rows = await session.fetch(_LIST, front_end, after, running_only, limit)
    return [promotion_of(row["definition"]) for row in rows]


async def hold_for_issue(session: ports.Session, front_end: str, code: str) -> api.Promotion | None:
    """Return a promotion, and keep it from changing while coupons of it are issued."""
    row = await session.fetch_row(_HOLD_FOR_ISSUE, front_end, code)
    return None if row is None else promotion_of(row["definition"])


async def issue(session: ports.Session, front_end: str, ask: api.IssueCoupons, now: datetime, by: str) -> set[str]:
    """Write coupons whose codes are free; return those."""
    rows = await session.fetch(
        _ISSUE,
        front_end,
        ask.promotion,
        now,
        by,
        [one.code for one in ask.coupons],
        [one.uses_max for one in ask.coupons],
        [one.uses_per_member_max for one in ask.coupons],
        [one.member_id for one in ask.coupons],
        [one.valid_from for one in ask.coupons],
        [one.valid_to for one in ask.coupons],
    )
    return {row["code"] for row in rows}


async def revoke(
    session: ports.Session, front_end: str, codes: Sequence[str], now: datetime, by: str
) -> dict[str, bool]:
    """Revoke coupons; return those that are known, and whether each could be used."""
    written = [code.strip() for code in codes]
    rows = await session.fetch(_REVOKE, front_end, keys_of(codes), now, by, written)
    return by_asked(codes, [(row["code"], row["key"], row["is_usable"]) for row in rows])


async def get_coupons(session: ports.Session, front_end: str, codes: Sequence[str]) -> dict[str, api.Coupon]:
    """Return coupons by how they are asked for."""
    rows = await session.fetch(_GET_COUPONS, front_end, keys_of(codes))
    return by_asked(codes, [(row["code"], row["key"], _coupon(row)) for row in rows])


async def list_coupons(session: ports.Session, front_end: str, ask: api.ListCoupons, limit: int) -> list[api.Coupon]:
    rows = await session.fetch(_LIST_COUPONS, front_end, ask.cursor or "", ask.promotion, ask.member_id, limit)
    return [_coupon(row) for row in rows]


def _coupon(row: ports.Row) -> api.Coupon:
    draft = api.CouponDraft(
        code=row["code"],
        uses_max=row["uses_max"],
        uses_per_member_max=row["uses_per_member_max"],
        member_id=row["member_id"],
        valid_from=row["valid_from"],
        valid_to=row["valid_to"],
    )
    return api.Coupon(
        coupon=draft,
        promotion=row["promotion"],
        uses=row["used"],
        issued_at=row["issued_at"],
        issued_by=row["issued_by"],
        revoked_at=row["revoked_at"],
    )


def spent_money(promotion: api.Promotion, usage: Usage) -> Money | None:
    """Return what a promotion with a budget has cost."""
    return None if promotion.budget is None else Money(currency=promotion.budget.currency, minor=usage.spent)
