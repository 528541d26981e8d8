"""Rows of returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple
from datetime import datetime
from uuid import UUID

from isthmus.kernel import ports
from isthmus.values import money

from .. import api
from ..rules import GivenBack, Share

# One statement for a return and its lines.
_ASK = """
with asked as (
    insert into "order".return (front_end, return_id, order_id, state, kind, refund_minor, note, asked_at)
    values ($1, $2, $3, $6, $7, $4, $8, $5)
)
insert into "order".return_line (front_end, return_id, order_id, at, line, quantity, percent, worth_minor,
    worth_tax_minor, worth_discount_minor, refund_minor, refund_tax_minor, reason)
select $1, $2, $3, place - 1, line, quantity, percent, worth, worth_tax, worth_discount, refund, refund_tax, reason
from unnest($9::int[], $10::int[], $11::int[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[],
    $16::bigint[], $17::text[]) with ordinality
    as given (line, quantity, percent, worth, worth_tax, worth_discount, refund, refund_tax, reason, place)
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
    sum(worth_discount_minor)::bigint as discount,
    sum(coalesce(worth_minor * percent, return_line.refund_minor * 100))::bigint as due_hundredths,
    sum(coalesce(worth_tax_minor * percent, refund_tax_minor * 100))::bigint as due_tax_hundredths,
    sum(return_line.refund_minor)::bigint as refund, sum(refund_tax_minor)::bigint as refund_tax
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
with given as (
    select * from unnest($3::int[], $4::bigint[], $5::bigint[]) as given (line, refund, tax)
), shared as (
    update "order".return_line back set refund_minor = given.refund, refund_tax_minor = given.tax from given
    where back.front_end = $1 and back.return_id = $2 and back.line = given.line
), asked as (
    update "order".return set refund_minor = (select coalesce(sum(refund), 0) from given)
    where front_end = $1 and return_id = $2 returning order_id
)
update "order".lines set refunded_minor = refunded_minor + given.refund from given, asked
where lines.front_end = $1 and lines.order_id = asked.order_id and lines.line = given.line
"""

# What went back for an order and what it was for, in one statement with what the order says of all of it.
_BOOK = """
with given as (
    insert into "order".refund (front_end, refund_id, order_id, cause, amount_minor, at)
    select $1, refund_id, order_id, $2, minor, $3
    from unnest($4::uuid[], $5::uuid[], $6::bigint[]) as given (refund_id, order_id, minor)
    returning order_id, amount_minor
)
update "order".orders set refunded_minor = refunded_minor + given.amount_minor from given
where orders.front_end = $1 and orders.order_id = given.order_id
"""

_BOOKED = """
select coalesce(sum(amount_minor), 0)::bigint from "order".refund
where front_end = $1 and order_id = $2 and cause = $3
"""

_REFUNDS = """
select cause, amount_minor from "order".refund where front_end = $1 and order_id = $2 order by at, refund_id
"""

_CLOSE = """
update "order".lines set closed = closed + given.quantity
from unnest($3::int[], $4::int[]) as given (line, quantity)
where front_end = $1 and order_id = $2 and lines.line = given.line
"""

_ORDER_OF = """
select order_id from "order".return where front_end = $1 and return_id = $2
"""

# Of the commission goes back what is due for all goods that came back or were closed, rounded once.
_COMMISSION = """
update "order".lines set commission_returned_minor =
    (2 * commission_minor * (returned + closed) + quantity) / (2 * quantity)
where front_end = $1 and order_id = $2 and commission_minor > 0
"""


async def given_back(session: ports.Session, front_end: str, order_id: UUID) -> dict[int, GivenBack]:
    """Return what the returns that stand come to, for each line that has any."""
    return {
        row["line"]: GivenBack(**{name: count for name, count in dict(row).items() if name != "line"})
        for row in await session.fetch(_GIVEN_BACK, front_end, order_id)
    }


async def ask(
    session: ports.Session, front_end: str, value: api.Return, shares: Sequence[Share], now: datetime
) -> None:
    rows = [(*astuple(one), line.reason) for one, line in zip(shares, value.lines, strict=True)]
    about = (value.refund.minor, now, value.state, value.kind, value.note)
    of = (front_end, value.return_id, value.order_id)
    await session.execute(_ASK, *of, *about, *map(list, zip(*rows, strict=True)))


async def find(session: ports.Session, front_end: str, return_id: UUID) -> api.Return | None:
    row = await session.fetch_row(_RETURN, front_end, return_id)
    if row is None:
        return None
    return _return(row, await session.fetch(_LINES, front_end, [return_id]))


async def of_order(session: ports.Session, front_end: str, order_id: UUID) -> list[api.Return]:
    rows = await session.fetch(_OF_ORDER, front_end, order_id)
    ids = [row["return_id"] for row in rows]
    lines: Sequence[ports.Row] = await session.fetch(_LINES, front_end, ids) if ids else []
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
        kind=row["kind"],
    )


async def move(session: ports.Session, front_end: str, return_id: UUID, state: str, note: str) -> None:
    await session.execute(_MOVE, front_end, return_id, state, note)


async def come_back(session: ports.Session, front_end: str, return_id: UUID) -> None:
    await session.execute(_COME_BACK, front_end, return_id)


async def refund(
    session: ports.Session, front_end: str, return_id: UUID, lines: Sequence[tuple[int, int, int]]
) -> None:
    """Count what was refunded on the lines, each with the tax in it; the database refuses more than was paid."""
    await session.execute(_REFUND, front_end, return_id, *map(list, zip(*lines, strict=True)))


async def book(
    session: ports.Session,
    front_end: str,
    cause: str,
    refunds: Sequence[tuple[UUID, UUID, int]],
    now: datetime,
) -> None:
    """Write down what went back, each with an id and the order that it was for."""
    await session.execute(_BOOK, front_end, cause, now, *map(list, zip(*refunds, strict=True)))


async def booked(session: ports.Session, front_end: str, order_id: UUID, cause: str) -> int:
    """Return how much is written down for a cause."""
    return await session.fetch_value(_BOOKED, front_end, order_id, cause)


async def refunds(session: ports.Session, front_end: str, order_id: UUID) -> list[tuple[str, int]]:
    """Return what went back for an order, the first first: what it was for, and how much."""
    rows = await session.fetch(_REFUNDS, front_end, order_id)
    return [(row["cause"], row["amount_minor"]) for row in rows]


async def order_of(session: ports.Session, front_end: str, return_id: UUID) -> UUID | None:
    return await session.fetch_value(_ORDER_OF, front_end, return_id)


async def close(session: ports.Session, front_end: str, order_id: UUID, lines: Mapping[int, int]) -> None:
    """Count what of lines will never come."""
    await session.execute(_CLOSE, front_end, order_id, list(lines), list(lines.values()))


async def return_commission(session: ports.Session, front_end: str, order_id: UUID) -> None:
    """Give back what is due of the commission for goods that came back or never come."""
    await session.execute(_COMMISSION, front_end, order_id)
