"""Rows of coupons that forget whose they were."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from isthmus.kernel import ports
from isthmus.personal import Renamed

_CODES = """
    select code from promotion.coupon where front_end = $1 and member_id = any ($2::uuid[]) order by code for update"""
_RENAME = tuple(
    f"""update promotion.{table} set {column} = now.named from unnest($2::text[], $3::text[]) as now (was, named)
        where front_end = $1 and {column} = now.was"""
    for table, column in (("coupon", "code"), ("use", "coupon"), ("member_use", "coupon"), ("person_use", "coupon"))
)


async def codes_of(session: ports.Session, front_end: str, member_ids: Sequence[UUID]) -> list[str]:
    """Return the codes that were issued to members, locked until the transaction ends."""
    return [row["code"] for row in await session.fetch(_CODES, front_end, list(member_ids))]


async def rename(session: ports.Session, front_end: str, renamed: Sequence[Renamed]) -> None:
    for statement in _RENAME if renamed else ():
        await session.execute(statement, front_end, [one.was for one in renamed], [one.now for one in renamed])
