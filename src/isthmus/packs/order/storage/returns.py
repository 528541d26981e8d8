"""Rows of returns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from isthmus.kernel import ports
from isthmus.values import money

from .. import api
from ..rules import GivenBack, Share

# One statement for a return and its lines.
_ASK = """
with asked as (
    insert into "order".return (front_end, return_id, order_id, state, refund_minor, note, asked_at)
    values ($1, $2, $3, 'requested', $4, '', $5)
)
insert into "order".return_line (front_end, return_id, order_id, at, line, quantity, reason, worth_minor,
    worth_tax_minor, worth_discount_minor, refund_minor, refund_tax_minor)
select $1, $2, $3, place - 1, line, quantity, reason, worth, worth_tax, worth_discount, refund, refund_tax
from unnest($6::int[], $7::int[], $8::text[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[])
    with ordinality as given (line, quantity, reason, worth, worth_tax, worth_discount, refund, refund_tax, place)
"""

_RETURN = """
select "return".*, orders.group_id, orders.currency from "order".return
join "order".orders using (front_end, order_id) where "return".front_end = $1 and return_id = $2
"""
_OF_ORDER = """
select "return".*, orders.group_id, orders.currency from "order".return
join "order".orders using (front_end, order_id) where "return".front_end = $1 and order_id = $2
order by asked_at, return_id
"""
_LINES = 'select * from "order".return_line where front_end = $1 and return_id = any($2) order by return_id, at'

_GIVEN_BACK = """
select line, sum(quantity)::int as quantity, sum(worth_minor)::bigint as worth, sum(worth_tax_minor)::bigint as tax,
    sum(worth_discount_minor)::bigint as discount
from "order".return_line join "order".return using (front_end, return_id, order_id)
where return_line.front_end = $1 and return_line.order_id = $2 and state <> 'rejected' group by line
"""

_MOVE = """
update "order".return set state = $3, note = case when $4::text = '' then note else $4::text end
where front_end = $1 and return_id = $2
"""

_COME_BACK = """
update "order".lines set returned = returned + back.quantity from "order".return_line back
where lines.front_end = $1 and back.front_end = $1 and back.return_id = $2
  and lines.order_id = back.order_id and lines.line = back.line
"""

_REFUND = """
with lines as (
    update "order".lines set refunded_minor = refunded_minor + back.refund_minor from "order".return_line back
    where lines.front_end = $1 and back.front_end = $1 and back.return_id = $2
      and lines.order_id = back.order_id and lines.line = back.line
)
update "order".orders set refunded_minor = orders.refunded_minor + "return".refund_minor from "order".return
where orders.front_end = $1 and "return".front_end = $1 and return_id = $2 and orders.order_id = "return".order_id
"""


async def given_back(session: ports.Session, front_end: str, order_id: UUID) -> dict[int, GivenBack]:
    """Return what the returns that stand come to, for each line that has any."""
    return {
        row["line"]: GivenBack(quantity=row["quantity"], worth=row["worth"], tax=row["tax"], discount=row["discount"])
        for row in await session.fetch(_GIVEN_BACK, front_end, order_id)
    }


async def ask(
    session: ports.Session, front_end: str, value: api.Return, shares: Sequence[Share], now: datetime
) -> None:
    await session.execute(
        _ASK,
        front_end,
        value.return_id,
        value.order_id,
        value.refund.minor,
        now,
        [one.line for one in shares],
        [one.quantity for one in shares],
        [line.reason for line in value.lines],
        [one.worth for one in shares],
        [one.worth_tax for one in shares],
        [one.worth_discount for one in shares],
        [one.refund for one in shares],
        [one.refund_tax for one in shares],
    )


async def find(session: ports.Session, front_end: str, return_id: UUID) -> api.Return | None:
    row = await session.fetch_row(_RETURN, front_end, return_id)
    if row is None:
        return None
    return _return(row, await session.fetch(_LINES, front_end, [return_id]))


async def of_order(session: ports.Session, front_end: str, order_id: UUID) -> list[api.Return]:
    rows = await session.fetch(_OF_ORDER, front_end, order_id)
    lines = await session.fetch(_LINES, front_end, [row["return_id"] for row in rows]) if rows else []
    return [_return(row, [one for one in lines if one["return_id"] == row["return_id"]]) for row in rows]


def _return(row: ports.Row, lines: Sequence[ports.Row]) -> api.Return:
    currency = row["currency"]
    return api.Return(
        return_id=row["return_id"],
        order_id=row["order_id"],
        group_id=row["group_id"],
        state=api.ReturnState(row["state"]),
        lines=tuple(api.ReturnLine(line=one["line"], quantity=one["quantity"], reason=one["reason"]) for one in lines),
        shares=tuple(
            api.RefundShare(
                line=one["line"],
                quantity=one["quantity"],
                worth=money(one["worth_minor"], currency),
                refund=money(one["refund_minor"], currency),
                tax=money(one["refund_tax_minor"], currency),
                discount=money(one["worth_discount_minor"], currency),
            )
            for one in lines
        ),
        refund=money(row["refund_minor"], currency),
        tax=money(sum(one["refund_tax_minor"] for one in lines), currency),
        note=row["note"],
    )


async def move(session: ports.Session, front_end: str, return_id: UUID, state: str, note: str) -> None:
    await session.execute(_MOVE, front_end, return_id, state, note)


async def come_back(session: ports.Session, front_end: str, return_id: UUID) -> None:
    await session.execute(_COME_BACK, front_end, return_id)


async def refund(session: ports.Session, front_end: str, return_id: UUID) -> None:
    """Count what was refunded on the lines and on the order; the database refuses more than was paid."""
    await session.execute(_REFUND, front_end, return_id)
