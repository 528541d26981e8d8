"""Rows of orders that are changed before they are paid."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from isthmus.kernel import encode, ports
from isthmus.sealing import Seals
from isthmus.values import Address

from .. import api
from ..rules import Remainder
from . import contacts, orders

_SHARES = """
select discount, line, minor from "order".discount_share where front_end = $1 and order_id = $2 order by discount, line
"""
# Each discount stays the sum of its shares.
_SHARE = """
with given as (
    select * from unnest($3::int[], $4::int[], $5::bigint[]) as given (discount, line, minor)
), less as (
    select discount, sum(known.minor - given.minor) as minor from "order".discount_share known
    join given using (discount, line) where front_end = $1 and order_id = $2 group by discount
), shared as (
    update "order".discount_share known set minor = given.minor from given
    where front_end = $1 and order_id = $2 and known.discount = given.discount and known.line = given.line
)
update "order".discount known set amount_minor = amount_minor - less.minor from less, "order".orders
where orders.front_end = $1 and orders.order_id = $2 and known.front_end = $1 and known.group_id = orders.group_id
  and known.discount = less.discount
"""
_LEAVE = """
update "order".lines set quantity = given.quantity, list_minor = list_amount, amount_minor = amount,
    discount_minor = discount, tax_minor = tax, total_minor = total, commission_minor = commission,
    applied = given.applied
from json_to_recordset($3) as given (line int, quantity int, list_amount bigint, amount bigint, discount bigint,
    tax bigint, total bigint, commission bigint, applied jsonb)
where front_end = $1 and order_id = $2 and lines.line = given.line
"""
_TAKE_SHARES_OUT = 'delete from "order".discount_share where front_end = $1 and order_id = $2 and line = any($3)'
_TAKE_OUT = 'delete from "order".lines where front_end = $1 and order_id = $2 and line = any($3)'
_SUM_UP = """
update "order".orders set line_count = goods.lines, total_minor = goods.total + delivery_fee_minor
from (select count(*) as lines, sum(total_minor) as total from "order".lines
      where front_end = $1 and order_id = $2) goods
where front_end = $1 and order_id = $2 returning total_minor
"""
_ADDRESS = 'update "order".orders set address = $3, sealed_address = $4 where front_end = $1 and order_id = $2'


async def shares(session: ports.Session, front_end: str, order_id: UUID) -> dict[int, list[tuple[int, int]]]:
    """Return what lines have of discounts: by line, each discount with its share."""
    found: dict[int, list[tuple[int, int]]] = {}
    for row in await session.fetch(_SHARES, front_end, order_id):
        found.setdefault(row["line"], []).append((row["discount"], row["minor"]))
    return found


async def leave(session: ports.Session, front_end: str, order_id: UUID, left: Sequence[Remainder]) -> None:
    """Write what is left of lines, and take those out of which nothing is."""
    shared = [(discount, one.line.line, minor) for one in left for discount, minor in one.shares]
    if shared:
        await session.execute(_SHARE, front_end, order_id, *map(list, zip(*shared, strict=True)))
    kept = [_row(one.line) for one in left if one.quantity]
    if kept:
        await session.execute(_LEAVE, front_end, order_id, encode(kept))
    if gone := [one.line.line for one in left if not one.quantity]:
        await session.execute(_TAKE_SHARES_OUT, front_end, order_id, gone)
        await session.execute(_TAKE_OUT, front_end, order_id, gone)


def _row(line: api.OrderLine) -> dict[str, object]:
    amounts: dict[str, object] = {name: getattr(line, name).minor for name in (*orders.AMOUNTS, "commission")}
    return amounts | {"line": line.line, "quantity": line.quantity, "applied": line.applied}


async def add(
    session: ports.Session, front_end: str, order_id: UUID, first: int, added: Sequence[tuple[api.DraftLine, int]]
) -> None:
    """Write lines behind the others of an order, numbered from `first`, each with its commission."""
    rows = [
        orders.line_row(line, order_id=order_id, line=first + at, shipped=0, commission=commission)
        for at, (line, commission) in enumerate(added)
    ]
    await session.execute(f"{orders.ADD_LINES} order by order_id, line", front_end, encode(rows))


async def sum_up(session: ports.Session, front_end: str, order_id: UUID) -> int:
    """Write what an order comes to by its lines, and return it in minor units."""
    return await session.fetch_value(_SUM_UP, front_end, order_id)


async def correct_address(
    session: ports.Session, front_end: str, order_id: UUID, address: Address, seals: Seals
) -> None:  # fmt: skip
    kept = contacts.in_the_clear("", address)
    if seals.is_on(contacts.TABLE):
        kept = await contacts.sealed(session, front_end, order_id, kept, seals, is_first=False)
    await session.execute(_ADDRESS, front_end, order_id, kept.address, kept.sealed_address)
