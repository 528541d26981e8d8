"""Rows that baskets and orders touch: promotions in force, coupons, and what is used of them.

Locks are taken in one order everywhere: promotions by code, coupons by code, members' counts by promotion and coupon.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import TypeVar

from isthmus.kernel import decode, ports
from isthmus.values import GUEST, Buyer, Money, folded

from .. import api
from ..rules.checks import Held
from ..rules.promotions import HeldCoupon, Usage

K = TypeVar("K")
Uses = Mapping[tuple[str, str], tuple[int, Money]]  # by promotion and coupon: place in the ask, and amount

DEFINITIONS_REMEMBERED = 4_096  # promotions already read: more than all front ends run at once

# Whose promotions a front end may use: its own, and those of others that it was granted and takes part in.
_OWNERS = "array(select $1::text union all select owner from promotion.switched where front_end = $1)"
_SHARED = """exists (
            select from promotion.switched
            join isthmus.granted on granted.owner = switched.owner and granted.name = switched.code
                and granted.kind = 'promotion.promotion' and granted.can = 'use'
            where switched.front_end = $1 and switched.owner = {0}.front_end and switched.code = {1})"""
_USABLE = (
    f"promotion.front_end = any ({_OWNERS}) and (promotion.front_end = $1 or {_SHARED.format('promotion', 'code')})"
)
_USABLE_COUPON = (
    f"coupon.front_end = any ({_OWNERS}) and (coupon.front_end = $1 or {_SHARED.format('coupon', 'coupon.promotion')})"
)

_FIND_PROMOTIONS = f"""
    select definition, promotion.uses, spent, coalesce(member_use.uses, 0) as member_uses
    from promotion.promotion
    left join promotion.member_use on member_use.front_end = $1 and member_use.promotion = promotion.code
        and member_use.coupon = '' and member_use.member_id = $2
    where {_USABLE} and is_running and valid_from <= $3 and (valid_to is null or valid_to > $3)
        and (not needs_coupon or (promotion.front_end, code) in (
            select coupon.front_end, coupon.promotion from promotion.coupon
            where coupon.front_end = any ({_OWNERS}) and key = any ($4::text[])))"""

_COUPON = """coupon.code as coupon, coupon.promotion as coupons_promotion, coupon.uses_max, coupon.uses_per_member_max,
    coupon.member_id, coupon.valid_from, coupon.valid_to, coupon.revoked_at, coupon.uses"""

_FIND_COUPONS = f"""
    select {_COUPON}, key, coalesce(member_use.uses, 0) as member_uses from promotion.coupon
    left join promotion.member_use on member_use.front_end = $1 and member_use.promotion = coupon.promotion
        and member_use.coupon = coupon.code and member_use.member_id = $2
    where {_USABLE_COUPON} and key = any ($3::text[]) order by issued_at, coupon.code"""

# Of who has an account in a programme of several front ends, what they used at all of them counts as well.
_OF_PERSON = ("coalesce(member_use.uses, 0)", "greatest(member_use.uses, person_use.uses, 0)")


def _of_person(statement: str, promotion: str, coupon: str, account: str) -> str:
    """Return the statement that finds what a member may use, for one who has an account."""
    join = f"""left join promotion.person_use on person_use.front_end = {promotion.split(".")[0]}.front_end
        and person_use.promotion = {promotion} and person_use.coupon = {coupon} and person_use.account_id = {account}
    where"""
    return statement.replace(*_OF_PERSON).replace("where", join, 1)


_FIND_PERSONS_PROMOTIONS = _of_person(_FIND_PROMOTIONS, "promotion.code", "''", "$5")
_FIND_PERSONS_COUPONS = _of_person(_FIND_COUPONS, "coupon.promotion", "coupon.code", "$4")

# Claims the reference, writes its uses, and holds what they use against being put, stopped or revoked meanwhile.
# Readers of one row do not wait for each other. Rows that are held are read in their latest version.
_BEGIN = f"""
    with begun as (
        insert into promotion.redemption (front_end, reference, digest, member_id, redeemed_at, redeemed_by, account_id)
        values ($1, $2, $3, $4, $5, $6, $11) on conflict do nothing returning reference),
    asked as (
        select * from unnest($7::text[], $8::text[], $9::bigint[]) as a (promotion, coupon, amount)),
    held as (
        select front_end as owner, code, definition, is_running from promotion.promotion
        where {_USABLE} and code = any ($7::text[]) order by code, front_end for key share),
    held_coupon as (
        select * from promotion.coupon where {_USABLE_COUPON} and code = any ($8::text[])
        order by code, front_end for key share),
    written as (
        insert into promotion.use (front_end, reference, promotion, coupon, amount, currency, owner)
        select $1, reference, promotion, coupon, amount, $10, nullif(held.owner, $1)
        from begun cross join asked left join held on held.code = promotion
        where promotion like 'extra:%' or held.code is not null
        order by promotion, coupon)
    select asked.promotion, held.owner, held.definition, held.is_running, {_COUPON}, asked.coupon as asked_coupon,
        exists (select from begun) as is_begun, 0 as member_uses
    from asked left join held on held.code = asked.promotion
    left join held_coupon as coupon on coupon.code = asked.coupon and coupon.front_end = coalesce(held.owner, $1)"""

_FIND_REDEMPTION = """
    select digest, returned_at from promotion.redemption where front_end = $1 and reference = $2"""

_COUNT_PROMOTIONS = """
    with asked as (
        select owner, promotion, count(*) as uses, sum(amount) as amount
        from unnest($1::text[], $2::text[], $3::bigint[]) as a (owner, promotion, amount) group by owner, promotion),
    held as (
        select promotion.front_end as owner, code, uses_max is null or promotion.uses < uses_max as has_uses_left
        from promotion.promotion join asked on asked.owner = promotion.front_end and asked.promotion = code
        where uses_max is not null or budget is not null
        order by code, promotion.front_end for no key update of promotion),
    counted as (
        update promotion.promotion set uses = promotion.uses + asked.uses, spent = spent + asked.amount
        from held join asked on asked.promotion = held.code and asked.owner = held.owner
        where promotion.front_end = held.owner and promotion.code = held.code
            and (uses_max is null or promotion.uses + asked.uses <= uses_max)
            and (budget is null or spent + asked.amount <= budget)
        returning promotion.code)
    select code, has_uses_left from held where code not in (select code from counted) order by 1"""

_COUNT_COUPONS = """
    with held as (
        select front_end as owner, code from promotion.coupon
        join unnest($1::text[], $2::text[]) as a (asked_of, asked) on asked_of = front_end and asked = code
        where uses_max is not null order by code, front_end for no key update of coupon),
    counted as (
        update promotion.coupon set uses = uses + 1 from held
        where coupon.front_end = held.owner and coupon.code = held.code and uses < uses_max returning coupon.code)
    select code from held where code not in (select code from counted) order by 1"""

# A member's uses are their front end's, a person's the promotion's owner's.
_COUNT_WHOSE = """
    with asked as (
        select * from unnest($1::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[])
            as a (owner, promotion, coupon, uses, uses_max)),
    counted as (
        insert into promotion.{table} as known (front_end, promotion, coupon, {whose}, uses)
        select owner, promotion, coupon, promotion.now_called($2), uses from asked
        where uses <= coalesce(uses_max, uses)
        order by owner, promotion, coupon
        on conflict (front_end, promotion, coupon, {whose}) do update set uses = known.uses + excluded.uses
            where known.uses + excluded.uses <= coalesce(
                (select uses_max from unnest($3::text[], $4::text[], $6::bigint[]) as a (promotion, coupon, uses_max)
                 where (a.promotion, a.coupon) = (known.promotion, known.coupon)), known.uses + excluded.uses)
        returning promotion, coupon)
    select promotion, coupon from asked
    where (promotion, coupon) not in (select promotion, coupon from counted) order by 1, 2"""
_MEMBERS, _PERSONS = (
    {"table": "member_use", "whose": "member_id"},
    {"table": "person_use", "whose": "account_id"},
)

_END = """
    with ended as (
        update promotion.redemption set returned_at = $3, returned_by = $4
        where front_end = $1 and reference = $2 and returned_at is null returning reference, member_id, account_id),
    returned as (
        update promotion.use set returned_at = $3 from ended
        where front_end = $1 and use.reference = ended.reference
        returning promotion, coupon, amount, currency, member_id, account_id, promotion_of as owner)
    select promotion, coupon, amount, currency, owner, promotion.now_called(member_id) as member_id,
        promotion.now_called(account_id) as account_id
    from returned order by promotion, coupon"""

_HOLD = """
    select code from promotion.promotion
    join unnest($1::text[], $2::text[]) as a (asked_of, asked) on asked_of = front_end and asked = code
    order by code, front_end for key share of promotion"""

_UNCOUNT_PROMOTIONS = """
    with asked as (
        select owner, promotion, currency, count(*) as uses, sum(amount) as amount
        from unnest($1::text[], $2::text[], $3::bigint[], $4::text[]) as a (owner, promotion, amount, currency)
        group by owner, promotion, currency),
    held as (
        select front_end as owner, code from promotion.promotion
        where (front_end, code) in (select owner, promotion from asked) and (uses_max is not null or budget is not null)
        order by code, front_end for no key update)
    update promotion.promotion set uses = promotion.uses - asked.uses,
        spent = spent - case when budget_currency is distinct from asked.currency and budget is not null then 0
            else asked.amount end
    from held join asked on asked.promotion = held.code and asked.owner = held.owner
    where promotion.front_end = held.owner and promotion.code = held.code"""

_UNCOUNT_COUPONS = """
    with held as (
        select front_end as owner, code from promotion.coupon
        join unnest($1::text[], $2::text[]) as a (asked_of, asked) on asked_of = front_end and asked = code
        where uses_max is not null order by code, front_end for no key update of coupon)
    update promotion.coupon set uses = uses - 1 from held
    where coupon.front_end = held.owner and coupon.code = held.code"""

_UNCOUNT_WHOSE = """
    with asked as (
        select * from unnest($1::text[], $3::text[], $4::text[], $5::bigint[]) as a (owner, promotion, coupon, uses)),
    held as (
        select owner, known.promotion, known.coupon, asked.uses as back from promotion.{table} as known
        join asked on front_end = owner and asked.promotion = known.promotion and asked.coupon = known.coupon
        where {whose} = $2 order by 1, 2, 3 for no key update of known)
    update promotion.{table} as known set uses = uses - back from held
    where {whose} = $2 and (known.front_end, known.promotion, known.coupon) = (owner, held.promotion, held.coupon)"""


async def find_promotions(
    session: ports.Session, front_end: str, buyer: Buyer, coupons: Sequence[str], now: datetime
) -> list[tuple[api.Promotion, Usage]]:
    """Return the promotions in force that need no coupon, or one of these."""
    asked = (front_end, buyer.member_id, now, keys_of(coupons))
    if buyer.account_id is None:
        rows = await session.fetch(_FIND_PROMOTIONS, *asked)
    else:
        rows = await session.fetch(_FIND_PERSONS_PROMOTIONS, *asked, buyer.account_id)
    return [(promotion_of(row["definition"]), Usage(row["uses"], row["spent"], row["member_uses"])) for row in rows]


async def find_coupons(
    session: ports.Session, front_end: str, buyer: Buyer, codes: Sequence[str]
) -> dict[str, HeldCoupon]:
    """Return coupons by how they are asked for."""
    asked = (front_end, buyer.member_id, keys_of(codes))
    if buyer.account_id is None:
        rows = await session.fetch(_FIND_COUPONS, *asked)
    else:
        rows = await session.fetch(_FIND_PERSONS_COUPONS, *asked, buyer.account_id)
    return by_asked(codes, [(row["coupon"], row["key"], _coupon(row)) for row in rows])


def keys_of(codes: Sequence[str]) -> list[str]:
    """Return the keys under which codes are known."""
    return [folded(code) for code in codes]


def by_asked(codes: Sequence[str], known: Sequence[tuple[str, str, K]]) -> dict[str, K]:
    """Return what is known of codes, by how they are asked for; known are code, key and what is known, the first first.

    Of several that differ in case alone, the one that is written so is meant, and otherwise the first.
    """
    written = {code: one for code, _, one in known}
    first = {key: one for _, key, one in reversed(known)}
    found = {code: written.get(code.strip(), first.get(folded(code))) for code in codes}
    return {code: one for code, one in found.items() if one is not None}


async def begin_redemption(
    session: ports.Session,
    front_end: str,
    ask: api.Redeem,
    digest: str,
    uses: Uses,
    now: datetime,
    by: str,
) -> tuple[bool, list[Held]]:
    """Claim the reference and write its uses; return whether it was free, and what each use holds."""
    rows = await session.fetch(
        _BEGIN,
        front_end,
        ask.reference,
        digest,
        ask.buyer.member_id,
        now,
        by,
        [promotion for promotion, _ in uses],
        [coupon for _, coupon in uses],
        [amount.minor for _, amount in uses.values()],
        ask.discounts[0].amount.currency,
        ask.buyer.account_id,
    )
    held = {(row["promotion"], row["asked_coupon"]): _held(row) for row in rows}
    return rows[0]["is_begun"], [held[key] for key in uses]


async def find_redemption(session: ports.Session, front_end: str, reference: str) -> tuple[str, bool]:
    """Return the digest of what a reference uses, and whether that was returned."""
    row = await session.fetch_row(_FIND_REDEMPTION, front_end, reference)
    return ("", False) if row is None else (row["digest"], row["returned_at"] is not None)


async def count_promotions(session: ports.Session, owners: Sequence[str], uses: Uses) -> dict[str, bool]:
    """Count uses of limited promotions, each of its owner; return those with too little left, and if uses are left."""
    codes = [promotion for promotion, _ in uses]
    rows = await session.fetch(_COUNT_PROMOTIONS, owners, codes, [amount.minor for _, amount in uses.values()])
    return {row["code"]: row["has_uses_left"] for row in rows}


async def count_coupons(session: ports.Session, owners: Mapping[str, str]) -> list[str]:
    """Count uses of limited coupons, by code with their owners; return those that were used up."""
    codes = sorted(owners)
    rows = await session.fetch(_COUNT_COUPONS, [owners[code] for code in codes], codes)
    return [row["code"] for row in rows]


async def count_uses_of(
    session: ports.Session,
    buyer: Buyer,
    owners: Mapping[str, str],
    front_end: str,
    limits: Mapping[tuple[str, str], tuple[int, int | None]],
) -> list[tuple[str, str]]:
    """Count a member's uses, given each with its limit, here and of their person; return those that were used up."""
    columns = (
        [promotion for promotion, _ in limits],
        [coupon for _, coupon in limits],
        [uses for uses, _ in limits.values()],
        [most for _, most in limits.values()],
    )
    here = [front_end] * len(limits)
    rows = await session.fetch(_COUNT_WHOSE.format(**_MEMBERS), here, buyer.member_id, *columns)
    if buyer.account_id is not None and not rows:
        theirs = [owners[promotion] for promotion, _ in limits]
        rows = await session.fetch(_COUNT_WHOSE.format(**_PERSONS), theirs, buyer.account_id, *columns)
    return [(row["promotion"], row["coupon"]) for row in rows]


async def end_redemption(
    session: ports.Session, front_end: str, reference: str, now: datetime, by: str
) -> tuple[Buyer, list[tuple[str, api.DiscountUse]]]:
    """Mark a reference's uses as returned; give them with their owners, and who used; nothing if it was done."""
    rows = await session.fetch(_END, front_end, reference, now, by)
    uses = [
        (
            row["owner"],
            api.DiscountUse(
                promotion=row["promotion"],
                coupon=row["coupon"] or None,
                amount=Money(currency=row["currency"], minor=row["amount"]),
            ),
        )
        for row in rows
    ]
    return (Buyer(member_id=rows[0]["member_id"], account_id=rows[0]["account_id"]) if rows else GUEST), uses


async def uncount(
    session: ports.Session, front_end: str, buyer: Buyer, returned: Sequence[tuple[str, api.DiscountUse]]
) -> None:
    """Give uses back to promotions, coupons and the member."""
    owners, uses = [owner for owner, _ in returned], [use for _, use in returned]
    promotions = [use.promotion for use in uses]
    coupons = [(owner, use.coupon) for owner, use in returned if use.coupon]
    await session.fetch(_HOLD, owners, promotions)  # whoever puts one now counts again, after this
    amounts, currencies = [use.amount.minor for use in uses], [use.amount.currency for use in uses]
    await session.execute(_UNCOUNT_PROMOTIONS, owners, promotions, amounts, currencies)
    if coupons:
        await session.execute(_UNCOUNT_COUPONS, [owner for owner, _ in coupons], [coupon for _, coupon in coupons])
    keys = members_keys([(use.promotion, use.coupon or "") for use in uses])
    columns = ([key[0] for key in keys], [key[1] for key in keys], list(keys.values()))
    if buyer.member_id is not None:
        here = [front_end] * len(keys)
        await session.execute(_UNCOUNT_WHOSE.format(**_MEMBERS), here, buyer.member_id, *columns)
    if buyer.account_id is not None:
        theirs = dict(zip(promotions, owners, strict=True))
        of_owners = [theirs[promotion] for promotion, _ in keys]
        await session.execute(_UNCOUNT_WHOSE.format(**_PERSONS), of_owners, buyer.account_id, *columns)


def members_keys(uses: Sequence[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Return how often each of a member's counts is met by uses: a promotion's own, and its coupons'."""
    met: dict[tuple[str, str], int] = {}
    for promotion, coupon in uses:
        for key in {(promotion, ""), (promotion, coupon)}:
            met[key] = met.get(key, 0) + 1
    return dict(sorted(met.items()))


@lru_cache(maxsize=DEFINITIONS_REMEMBERED)
def promotion_of(definition: bytes) -> api.Promotion:
    """Read a promotion; the same bytes are the same promotion."""
    return decode(definition, api.Promotion)


def _held(row: ports.Row) -> Held:
    return Held(
        promotion=None if row["definition"] is None else promotion_of(row["definition"]),
        is_running=bool(row["is_running"]),
        owner=row["owner"] or "",
        coupon=None if row["coupon"] is None else _coupon(row),
    )


def _coupon(row: ports.Row) -> HeldCoupon:
    draft = api.CouponDraft(
        code=row["coupon"],
        uses_max=row["uses_max"],
        uses_per_member_max=row["uses_per_member_max"],
        member_id=row["member_id"],
        valid_from=row["valid_from"],
        valid_to=row["valid_to"],
    )
    usage = Usage(uses=row["uses"], member_uses=row["member_uses"])
    return HeldCoupon(row["coupon"], row["coupons_promotion"], usage, draft, row["revoked_at"] is not None)
