"""Baskets' rows."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from isthmus.kernel import decode, encode, ports

from .. import api

_BASKET = """
select basket_id, member_id, currency, lines, coupons, version from "order".basket
where front_end = $1 and basket_id = $2
"""

_SAVE_BASKET = """
update "order".basket set lines = $3, coupons = $4, version = version + 1, changed_at = $5
where front_end = $1 and basket_id = $2
"""


async def open_basket(session: ports.Session, front_end: str, basket: api.Basket, now: datetime) -> None:
    await session.execute(
        """insert into "order".basket (front_end, basket_id, member_id, currency, lines, changed_at)
           values ($1, $2, $3, $4, '[]', $5)""",
        front_end,
        basket.basket_id,
        basket.member_id,
        basket.currency,
        now,
    )


async def basket(session: ports.Session, front_end: str, basket_id: UUID, *, is_locked: bool) -> api.Basket | None:
    row = await session.fetch_row(_BASKET + (" for update" if is_locked else ""), front_end, basket_id)
    if row is None:
        return None
    return api.Basket(
        basket_id=row["basket_id"],
        member_id=row["member_id"],
        currency=row["currency"],
        lines=decode(row["lines"], tuple[api.BasketLine, ...]),
        coupons=tuple(row["coupons"]),
        version=row["version"],
    )


async def save_basket(session: ports.Session, front_end: str, basket: api.Basket, now: datetime) -> None:
    await session.execute(_SAVE_BASKET, front_end, basket.basket_id, encode(basket.lines), list(basket.coupons), now)
