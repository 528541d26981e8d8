"""Orders' rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from isthmus.kernel import decode, encode, ports
from isthmus.values import Address, Applied, money

from . import api

# One statement for a whole group: its orders, their lines, and the first entry of each history.
_PLACE = """
with placed as (
    insert into "order".orders (front_end, order_id, group_id, number, state, part, member_id, contact_email, address,
        order_kind, channel, box, plan, currency, line_count, delivery_fee_minor, delivery_method, total_minor,
        coupons, placed_at, pay_before)
    select $1, given.order_id, $2, given.number, $3::text, given.part, $4, $5, $6, $7, $8, $9, $10, $11,
        given.line_count, given.delivery_fee, $12, given.total, $13, $14::timestamptz, $15
    from unnest($16::uuid[], $17::bigint[], $18::text[], $19::int[], $20::bigint[], $21::bigint[])
        as given (order_id, number, part, line_count, delivery_fee, total)
), told as (
    insert into "order".history (front_end, order_id, at, by, what, note)
    select $1, order_id, $14::timestamptz, $22, $3::text, '' from unnest($16::uuid[]) as order_id
)
insert into "order".lines (front_end, order_id, line, sku, title, quantity, unit, seller, location, tax_category,
    list_minor, amount_minor, discount_minor, tax_minor, total_minor, is_returnable, applied, shipped)
select $1, * from unnest($23::uuid[], $24::int[], $25::text[], $26::text[], $27::int[], $28::text[], $29::text[],
    $30::text[], $31::text[], $32::bigint[], $33::bigint[], $34::bigint[], $35::bigint[], $36::bigint[],
    $37::boolean[], $38::jsonb[], $39::int[])
"""

_ORDERS = """
select * from "order".orders where front_end = $1 and order_id = any($2) order by placed_at desc, order_id desc
"""
_LINES = 'select * from "order".lines where front_end = $1 and order_id = any($2) order by order_id, line'
_HISTORY = """
select order_id, at, by, what, note from "order".history
where front_end = $1 and order_id = any($2) order by order_id, entry
"""
_LOCK = 'select order_id, state from "order".orders where front_end = $1 and order_id = $2 for update'
_LOCK_GROUP = """
select order_id, number, state, part, line_count, total_minor, currency, box from "order".orders
where front_end = $1 and group_id = $2 order by order_id for update
"""
_GROUP = _LOCK_GROUP.replace("order by order_id for update", "order by number")

_PAGE = """
select order_id from "order".orders
where front_end = $1 and ($2::uuid is null or member_id = $2) and ($3::text is null or state = $3)
  and ($4::bigint is null or number = $4) and (placed_at, order_id) < ($5, $6)
order by placed_at desc, order_id desc limit $7
"""

_MOVE = """
with moved as (
    update "order".orders set state = $3::text where front_end = $1 and order_id = any($2) returning order_id
)
insert into "order".history (front_end, order_id, at, by, what, note)
select $1, order_id, $4, $5, $3::text, $6 from moved
"""

_DUE = """
select group_id from "order".orders
where front_end = $1 and state = 'placed' and pay_before < $2
order by pay_before, group_id limit $3 for update skip locked
"""

_SHIP = """
update "order".lines set shipped = shipped + given.quantity
from unnest($3::int[], $4::int[]) as given (line, quantity)
where front_end = $1 and order_id = $2 and lines.line = given.line
"""

_PARCEL = """
insert into "order".parcel (front_end, order_id, parcel, at) values ($1, $2, $3, $4) on conflict do nothing
"""

_ASK_RETURN = """
insert into "order".return (front_end, return_id, order_id, state, lines, shares, refund_minor, note, asked_at)
values ($1, $2, $3, 'requested', $4, $5, $6, '', $7)
"""

_RETURN = """
select "return".*, orders.group_id, orders.currency from "order".return
join "order".orders using (front_end, order_id) where "return".front_end = $1 and return_id = $2
"""

_MOVE_RETURN = """
update "order".return set state = $3, note = case when $4::text = '' then note else $4::text end
where front_end = $1 and return_id = $2
"""

_COME_BACK = """
update "order".lines set returned = returned + given.quantity
from unnest($3::int[], $4::int[]) as given (line, quantity)
where front_end = $1 and order_id = $2 and lines.line = given.line
"""

_REFUND = """
with lines as (
    update "order".lines set refunded_minor = refunded_minor + given.minor
    from unnest($3::int[], $4::bigint[]) as given (line, minor)
    where front_end = $1 and order_id = $2 and lines.line = given.line
)
update "order".orders set refunded_minor = refunded_minor + $5 where front_end = $1 and order_id = $2
"""

_ASKED = """
select coalesce((one->>'line')::int, 0) as line, sum((one->>'quantity')::int)::int as quantity
from "order".return, json_array_elements("return".lines::json) as one
where front_end = $1 and order_id = $2 and state in ('requested', 'approved') group by 1
"""

_BASKET = """
select basket_id, member_id, currency, lines, coupons, version from "order".basket
where front_end = $1 and basket_id = $2
"""

_SAVE_BASKET = """
update "order".basket set lines = $3, coupons = $4, version = version + 1, changed_at = $5
where front_end = $1 and basket_id = $2
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One order of a group that is about to be written."""

    order_id: UUID
    number: int
    key: str
    lines: tuple[int, ...]
    delivery_fee: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptReturn:
    """A return with what each of its lines is worth."""

    value: api.Return
    shares: tuple[int, ...]


async def place(
    session: ports.Session, front_end: str, ask: api.PlaceOrder, parts: Sequence[Part], facts: Mapping[str, object]
) -> None:
    lines = [(part.order_id, at, ask.lines[line]) for part in parts for at, line in enumerate(part.lines)]
    await session.execute(
        _PLACE,
        front_end,
        ask.group_id,
        facts["state"],
        ask.member_id,
        ask.contact_email,
        None if ask.address is None else encode(ask.address),
        ask.order_kind,
        ask.channel,
        facts["box"],
        ask.plan,
        ask.currency,
        ask.delivery_method,
        list(ask.coupons),
        facts["now"],
        ask.pay_before,
        [part.order_id for part in parts],
        [part.number for part in parts],
        [part.key for part in parts],
        [len(part.lines) for part in parts],
        [part.delivery_fee for part in parts],
        [part.total for part in parts],
        facts["by"],
        *_line_columns(lines),
        [line.quantity if ask.is_handed_over else 0 for _, _, line in lines],
    )


def _line_columns(lines: Sequence[tuple[UUID, int, api.DraftLine]]) -> list[list[object]]:
    return [
        [order_id for order_id, _, _ in lines],
        [at for _, at, _ in lines],
        [line.sku for _, _, line in lines],
        [line.title for _, _, line in lines],
        [line.quantity for _, _, line in lines],
        [line.unit for _, _, line in lines],
        [line.seller for _, _, line in lines],
        [line.location for _, _, line in lines],
        [line.tax_category for _, _, line in lines],
        [line.list_amount.minor for _, _, line in lines],
        [line.amount.minor for _, _, line in lines],
        [line.discount.minor for _, _, line in lines],
        [line.tax.minor for _, _, line in lines],
        [line.total.minor for _, _, line in lines],
        [line.is_returnable for _, _, line in lines],
        [encode(line.applied) for _, _, line in lines],
    ]


async def orders(session: ports.Session, front_end: str, order_ids: Sequence[UUID]) -> list[api.Order]:
    """Return orders whole, the latest first, in three statements."""
    wanted = list(order_ids)
    rows = await session.fetch(_ORDERS, front_end, wanted)
    lines: dict[UUID, list[ports.Row]] = {}
    for row in await session.fetch(_LINES, front_end, wanted):
        lines.setdefault(row["order_id"], []).append(row)
    told: dict[UUID, list[api.HistoryEntry]] = {}
    for row in await session.fetch(_HISTORY, front_end, wanted):
        entry = api.HistoryEntry(at=row["at"], by=row["by"], what=row["what"], note=row["note"])
        told.setdefault(row["order_id"], []).append(entry)
    return [_order(row, lines[row["order_id"]], told.get(row["order_id"], [])) for row in rows]


async def lock(session: ports.Session, front_end: str, order_id: UUID) -> api.OrderState | None:
    """Lock an order and return its state."""
    row = await session.fetch_row(_LOCK, front_end, order_id)
    return None if row is None else api.OrderState(row["state"])


async def group(session: ports.Session, front_end: str, group_id: UUID, *, is_locked: bool) -> list[api.OrderBrief]:
    rows = await session.fetch(_LOCK_GROUP if is_locked else _GROUP, front_end, group_id)
    briefs = [
        api.OrderBrief(
            order_id=row["order_id"],
            number=str(row["number"]),
            state=api.OrderState(row["state"]),
            part=row["part"],
            lines=row["line_count"],
            total=money(row["total_minor"], row["currency"]),
        )
        for row in rows
    ]
    return sorted(briefs, key=lambda one: int(one.number))


async def page(
    session: ports.Session, front_end: str, ask: api.ListOrders, before: tuple[datetime, UUID]
) -> list[UUID]:
    number = int(ask.number) if ask.number is not None else None
    rows = await session.fetch(_PAGE, front_end, ask.member_id, ask.state, number, *before, ask.limit + 1)
    return [row["order_id"] for row in rows]


async def move(
    session: ports.Session, front_end: str, order_ids: Sequence[UUID], state: str, told: tuple[datetime, str, str]
) -> None:
    """Set the state of orders and write it into their histories: when, by whom, why."""
    await session.execute(_MOVE, front_end, list(order_ids), state, *told)


async def due(session: ports.Session, front_end: str, now: datetime, limit: int) -> list[UUID]:
    """Return and lock unpaid groups whose time is over."""
    rows = await session.fetch(_DUE, front_end, now, limit)
    return list(dict.fromkeys(row["group_id"] for row in rows))


async def is_new_parcel(session: ports.Session, front_end: str, order_id: UUID, parcel: str, now: datetime) -> bool:
    return (await session.execute(_PARCEL, front_end, order_id, parcel, now)).endswith(" 1")


async def ship(session: ports.Session, front_end: str, order_id: UUID, lines: Mapping[int, int]) -> None:
    await session.execute(_SHIP, front_end, order_id, list(lines), list(lines.values()))


async def asked_back(session: ports.Session, front_end: str, order_id: UUID) -> dict[int, int]:
    """Return how much of each line is in returns that are still open."""
    return {row["line"]: row["quantity"] for row in await session.fetch(_ASKED, front_end, order_id)}


async def ask_return(
    session: ports.Session, front_end: str, value: api.Return, shares: Sequence[int], now: datetime
) -> None:
    await session.execute(
        _ASK_RETURN,
        front_end,
        value.return_id,
        value.order_id,
        encode(value.lines),
        encode(list(shares)),
        value.refund.minor,
        now,
    )


async def returned(session: ports.Session, front_end: str, return_id: UUID, *, is_locked: bool) -> KeptReturn | None:
    row = await session.fetch_row(_RETURN + (' for update of "return"' if is_locked else ""), front_end, return_id)
    if row is None:
        return None
    value = api.Return(
        return_id=row["return_id"],
        order_id=row["order_id"],
        group_id=row["group_id"],
        state=api.ReturnState(row["state"]),
        lines=decode(row["lines"], tuple[api.ReturnLine, ...]),
        refund=money(row["refund_minor"], row["currency"]),
        note=row["note"],
    )
    return KeptReturn(value=value, shares=decode(row["shares"], tuple[int, ...]))


async def move_return(session: ports.Session, front_end: str, return_id: UUID, state: str, note: str) -> None:
    await session.execute(_MOVE_RETURN, front_end, return_id, state, note)


async def come_back(session: ports.Session, front_end: str, kept: KeptReturn) -> None:
    lines = kept.value.lines
    await session.execute(
        _COME_BACK, front_end, kept.value.order_id, [one.line for one in lines], [one.quantity for one in lines]
    )


async def refund(session: ports.Session, front_end: str, kept: KeptReturn) -> None:
    value = kept.value
    lines = [one.line for one in value.lines]
    await session.execute(_REFUND, front_end, value.order_id, lines, list(kept.shares), value.refund.minor)


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


def _order(row: ports.Row, lines: Sequence[ports.Row], told: Sequence[api.HistoryEntry]) -> api.Order:
    currency = row["currency"]
    return api.Order(
        order_id=row["order_id"],
        group_id=row["group_id"],
        number=str(row["number"]),
        state=api.OrderState(row["state"]),
        part=row["part"],
        member_id=row["member_id"],
        contact_email=row["contact_email"],
        address=None if row["address"] is None else decode(row["address"], Address),
        order_kind=row["order_kind"],
        channel=row["channel"],
        box=row["box"],
        plan=row["plan"],
        currency=currency,
        lines=tuple(_line(line, currency) for line in lines),
        delivery_fee=money(row["delivery_fee_minor"], currency),
        delivery_method=row["delivery_method"],
        total=money(row["total_minor"], currency),
        refunded=money(row["refunded_minor"], currency),
        coupons=tuple(row["coupons"]),
        placed_at=row["placed_at"],
        pay_before=row["pay_before"],
        history=tuple(told),
    )


def _line(row: ports.Row, currency: str) -> api.OrderLine:
    return api.OrderLine(
        line=row["line"],
        sku=row["sku"],
        title=row["title"],
        quantity=row["quantity"],
        unit=row["unit"],
        seller=row["seller"],
        location=row["location"],
        tax_category=row["tax_category"],
        list_amount=money(row["list_minor"], currency),
        amount=money(row["amount_minor"], currency),
        discount=money(row["discount_minor"], currency),
        tax=money(row["tax_minor"], currency),
        total=money(row["total_minor"], currency),
        is_returnable=row["is_returnable"],
        applied=decode(row["applied"], tuple[Applied, ...]),
        shipped=row["shipped"],
        returned=row["returned"],
        refunded=money(row["refunded_minor"], currency),
    )
