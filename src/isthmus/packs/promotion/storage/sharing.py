"""Rows of what front ends take part in."""

from __future__ import annotations

from datetime import datetime

from isthmus.kernel import ports

from .. import api
from .promotions import promotion_of

_SWITCH_ON = """
    insert into promotion.switched as known (front_end, owner, code, at, by)
    select $1, $2, $3, $4, $5
    where not exists (select from promotion.promotion where front_end = $1 and code = $3)
    on conflict (front_end, code) do update set at = known.at
    returning owner"""

_STANDS = """
    select exists (select from isthmus.granted
                   where owner = $1 and name = $2 and kind = 'promotion.promotion' and can = 'use')"""

_SWITCH_OFF = "delete from promotion.switched where front_end = $1 and code = $2"

_IS_SWITCHED = "select exists (select from promotion.switched where front_end = $1 and code = $2)"

_LIST = """
    select promotion.front_end as owner, definition, is_running, switched.at
    from isthmus.granted
    join promotion.promotion on promotion.front_end = granted.owner and promotion.code = granted.name
    left join promotion.switched on switched.front_end = $1 and switched.owner = granted.owner
        and switched.code = granted.name
    where granted.kind = 'promotion.promotion'
    order by 1, promotion.code limit $2"""


async def switch_on(session: ports.Session, front_end: str, ask: api.SwitchOn, now: datetime, by: str) -> str | None:
    """Take part; return whose promotion of the code the front end takes part in, None where it has one of its own.

    Raises NotShared.
    """
    if not await session.fetch_value(_STANDS, ask.owner, ask.code):
        raise api.NotShared(code=ask.code)
    return await session.fetch_value(_SWITCH_ON, front_end, ask.owner, ask.code, now, by)


async def switch_off(session: ports.Session, front_end: str, code: str) -> None:
    await session.execute(_SWITCH_OFF, front_end, code)


async def is_switched(session: ports.Session, front_end: str, code: str) -> bool:
    """Return whether the front end takes part in another's promotion of this code."""
    return await session.fetch_value(_IS_SWITCHED, front_end, code)


async def list_shared(session: ports.Session, front_end: str, limit: int) -> tuple[api.SharedPromotion, ...]:
    return tuple(
        api.SharedPromotion(
            owner=row["owner"],
            promotion=promotion_of(row["definition"]),
            is_running=row["is_running"],
            switched_on_at=row["at"],
        )
        for row in await session.fetch(_LIST, front_end, limit)
    )
