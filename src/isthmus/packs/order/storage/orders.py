"""Orders' rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from operator import attrgetter
from uuid import UUID

from isthmus.kernel import encode, ports
from isthmus.sealing import Seals
from isthmus.values import composed, money

from .. import api
from . import contacts
from .contacts import Contact
from .rows import whole

ADD_LINES = """insert into "order".lines (front_end, order_id, line, sku, title, quantity, unit, seller, location,
    tax_category, list_minor, amount_minor, discount_minor, tax_minor, total_minor, is_returnable, applied, attributes,
    taxed, shipped, commission_minor)
select $1, given.*
from json_to_recordset($2)
    as given (order_id uuid, line int, sku text, title text, quantity int, unit text, seller text, location text,
        tax_category text, list_amount bigint, amount bigint, discount bigint, tax bigint, total bigint,
        is_returnable boolean, applied jsonb, attributes jsonb, taxed jsonb, shipped int, commission bigint)"""

# One statement for a whole group, if it is new: its orders, lines, discounts with their shares, and the first entry of
# each history. Rows come as JSON: for PostgreSQL and for Python it is less work than an array for each column.
_PLACING = """
with part as materialized (
    select * from json_to_recordset($16)
        as given (order_id uuid, number bigint, key text, lines json, delivery_fee bigint, delivery_tax bigint,
            total bigint, sealed_email bytea, sealed_address bytea, email_hash bytea){is_new}
), placed as (
    insert into "order".orders (front_end, order_id, group_id, number, state, part, member_id, contact_email, address,
        order_kind, channel, box, plan, currency, line_count, delivery_fee_minor, delivery_method, total_minor,
        coupons, placed_at, pay_before, attributes, supplements, delivery_tax_minor, delivery_taxed, sealed_email,
        sealed_address, email_hash)
    select $1, order_id, $2, number, $3::text, key, $4, $5, $6, $7, $8, $9, $10, $11, json_array_length(lines),
        delivery_fee, $12, total, $13, $14::timestamptz, $15, $19, $20, delivery_tax, $21, sealed_email, sealed_address,
        email_hash from part
), told as (
    insert into "order".history (front_end, order_id, at, by, what, note)
    select $1, order_id, $14::timestamptz, $17, $3::text, '' from part
){with_discounts}
{add_lines}"""
_WITH_DISCOUNTS = """, taken_off as (
    insert into "order".discount (front_end, group_id, discount, promotion, coupon, reason, target, amount_minor)
    select $1, $2, place - 1, promotion, coalesce(coupon, ''), reason, target, (amount ->> 'minor')::bigint
    from rows from (json_to_recordset($22) as (promotion text, coupon text, reason text, target text, amount json))
        with ordinality as given (promotion, coupon, reason, target, amount, place)
    where exists (select from part)
), shared as (
    insert into "order".discount_share (front_end, group_id, discount, order_id, line, minor)
    select $1, $2, given.* from json_to_recordset($23) as given (discount int, order_id uuid, line int, minor bigint)
    join part using (order_id)
)"""
_PLACED_LINES = ADD_LINES.replace("$2", "$18")
_PLACE = _PLACING.format(
    is_new=' where not exists (select from "order".orders where front_end = $1 and group_id = $2)',
    with_discounts=_WITH_DISCOUNTS,
    add_lines=f"{_PLACED_LINES} where exists (select from part)",
)
# What is known to be new, and at its full price, as most orders are: an index keeps it from being there twice.
_PLACE_NEW = _PLACING.format(is_new="", with_discounts="", add_lines=_PLACED_LINES)
_AS_THEY_ARE = (
    "sku", "title", "quantity", "unit", "seller", "location", "tax_category", "is_returnable", "applied", "attributes",
    "taxed",
)  # fmt: skip
AMOUNTS = ("list_amount", "amount", "discount", "tax", "total")
_VALUES_OF_LINE = attrgetter(*_AS_THEY_ARE, *[f"{name}.minor" for name in AMOUNTS])

# An order whole is one row: its lines and its history come with it as JSON.
_ORDERS = """
select orders.*,
    (select json_agg(lines order by line) from "order".lines
     where lines.front_end = $1 and lines.order_id = orders.order_id) as lines,
    (select json_agg(json_build_object('at', at, 'by', by, 'what', what, 'note', note) order by entry)
     from "order".history where history.front_end = $1 and history.order_id = orders.order_id) as history
from "order".orders where front_end = $1 and {which} order by placed_at desc, order_id desc
"""
_ORDERS_BY_ID = _ORDERS.format(which="order_id = any($2)")
_ORDERS_OF_GROUP = _ORDERS.format(which="group_id = $2")
_LOCK = 'select order_id, state from "order".orders where front_end = $1 and order_id = $2 for update'

# A group is locked in the order of its ids, so that whoever works on a group begins with the same order of it.
_BRIEFS = """
select order_id, number, state, part, line_count, total_minor, currency from "order".orders
where front_end = $1 and group_id = $2
"""
_LOCK_GROUP = f"{_BRIEFS} order by order_id for update"
_LOCK_SIBLINGS = """
select order_id, number, state, part, line_count, total_minor, currency from "order".orders
where front_end = $1
  and group_id = (select group_id from "order".orders where front_end = $1 and order_id = $2)
order by order_id for update
"""

_PAGE = """
select order_id from "order".orders
where front_end = $1 and ($2::uuid[] = '{}' or member_id = any($2)) and ($3::text is null or state = $3)
  and ($4::bigint is null or number = $4) and (placed_at, order_id) < ($5, $6)
  and ($8::text is null or contact_email <> '' and lower(contact_email) = lower($8) or email_hash = $11)
  and ($9::timestamptz is null or placed_at >= $9) and ($10::timestamptz is null or placed_at < $10)
order by placed_at desc, order_id desc limit $7
"""

_MOVE = """
with moved as (
    update "order".orders set state = $3::text where front_end = $1 and order_id = any($2) returning order_id
)
insert into "order".history (front_end, order_id, at, by, what, note)
select $1, order_id, $4, $5, $3::text, $6 from moved
"""

# The first order of each group that is due, unless somebody has locked it: then the group is being worked on.
_DUE = """
select first.group_id from (
    select group_id, min(pay_before) as due from "order".orders
    where front_end = $1 and state = 'placed' and pay_before < $2 group by group_id order by due, group_id) waiting
cross join lateral (
    select group_id from "order".orders
    where front_end = $1 and order_id = (
        select order_id from "order".orders sibling
        where sibling.front_end = $1 and sibling.group_id = waiting.group_id order by order_id limit 1)
    for update skip locked) first
limit $3
"""
_LOCK_DUE = """
select order_id from "order".orders where front_end = $1 and group_id = any($2) and state = 'placed'
order by group_id, order_id for update
"""
_PAY_LATER = """
update "order".orders set pay_before = $3 where front_end = $1 and group_id = any($2) and state = 'placed'
"""

# Only orders that have no such entry yet: the time to pay the balance is given once.
_RECORD_DEPOSIT = """
with waiting as (
    update "order".orders set pay_before = $3
    where front_end = $1 and group_id = $2 and state = 'placed'
      and not exists (select from "order".history where history.front_end = $1
                      and history.order_id = orders.order_id and what = $6)
    returning order_id
)
insert into "order".history (front_end, order_id, at, by, what, note) select $1, order_id, $4, $5, $6, '' from waiting
"""

_SHIP = """
update "order".lines set shipped = shipped + given.quantity
from unnest($3::int[], $4::int[]) as given (line, quantity)
where front_end = $1 and order_id = $2 and lines.line = given.line
"""

_PARCEL = """
insert into "order".parcel (front_end, order_id, parcel, at) values ($1, $2, $3, $4) on conflict do nothing
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One order of a group that is about to be written."""

    order_id: UUID
    number: int
    key: str
    lines: tuple[int, ...]
    delivery_fee: int
    delivery_tax: int
    total: int
    commissions: tuple[int, ...]  # by line
    sealed_email: str | None = None  # as PostgreSQL reads bytes
    sealed_address: str | None = None
    email_hash: str | None = None


async def place(
    session: ports.Session,
    front_end: str,
    ask: api.PlaceOrder,
    parts: Sequence[Part],
    facts: Mapping[str, object],
    seals: Seals,
    *,
    is_new: bool,
) -> bool:
    """Write a group down in one statement, whatever the number of its lines; False where it is there already.

    Where it is known to be new, the statement goes with what is sent next: an index keeps it from being there twice.
    """
    contact = contacts.in_the_clear(ask.contact_email, ask.address)
    if seals.is_on(contacts.TABLE):
        if not is_new and await group(session, front_end, ask.group_id, is_locked=False):
            return False
        parts = [await _sealed(session, front_end, one, contact, seals) for one in parts]
        contact = Contact(email="", address=contacts.coarse(ask.address))
    sent = [line.quantity if ask.is_handed_over else 0 for line in ask.lines]
    lines = [
        line_row(ask.lines[line], order_id=part.order_id, line=at, shipped=sent[line], commission=commission)
        for part in parts
        for at, (line, commission) in enumerate(zip(part.lines, part.commissions, strict=True))
    ]
    row = (
        front_end,
        ask.group_id,
        facts["state"],
        ask.member_id,
        contact.email,
        contact.address,
        ask.order_kind,
        ask.channel,
        facts["box"],
        ask.plan,
        ask.currency,
        ask.delivery_method,
        list(ask.coupons),
        facts["now"],
        ask.pay_before,
        encode(parts),
        facts["by"],
        encode(lines),
        encode(ask.attributes),
        ask.supplements,
        None if ask.delivery_taxed is None else encode(ask.delivery_taxed),
    )
    if is_new and not ask.discounts:
        await session.later(_PLACE_NEW, *row)
        return True
    row += encode(ask.discounts), encode(_shares(ask.discounts, parts))
    if is_new:
        await session.later(_PLACE, *row)
        return True
    return await session.execute(_PLACE, *row) != "INSERT 0 0"


async def _sealed(session: ports.Session, front_end: str, part: Part, clear: Contact, seals: Seals) -> Part:
    kept = await contacts.sealed(session, front_end, part.order_id, clear, seals, is_first=True)
    names = ("sealed_email", "sealed_address", "email_hash")
    found = {name: value and f"\\x{value.hex()}" for name in names for value in [getattr(kept, name)]}
    return replace(part, **found)


def line_row(draft: api.DraftLine, **facts: object) -> dict[str, object]:
    """Return a line as it is written, with what it is told besides."""
    return {**dict(zip((*_AS_THEY_ARE, *AMOUNTS), _VALUES_OF_LINE(draft), strict=True)), **facts}


def _shares(discounts: Sequence[api.DraftDiscount], parts: Sequence[Part]) -> list[dict[str, object]]:
    """Return the shares of discounts, each with the order and line that it came to."""
    placed = {line: (part.order_id, at) for part in parts for at, line in enumerate(part.lines)}
    return [
        dict(zip(("discount", "order_id", "line", "minor"), (number, *placed[one.line], one.amount.minor), strict=True))
        for number, discount in enumerate(discounts)
        for one in discount.shares
    ]


async def orders(
    session: ports.Session, front_end: str, order_ids: Sequence[UUID], seals: Seals
) -> list[api.Order]:  # fmt: skip
    """Return orders whole, the latest first."""
    return await whole(await session.fetch(_ORDERS_BY_ID, front_end, list(order_ids)), session, seals)


async def orders_of(session: ports.Session, front_end: str, group_id: UUID, seals: Seals) -> list[api.Order]:
    """Return the orders of a group whole, in the order of their numbers."""
    rows = await session.fetch(_ORDERS_OF_GROUP, front_end, group_id)
    return await whole(sorted(rows, key=lambda one: one["number"]), session, seals)


async def hold_group(session: ports.Session, front_end: str, group_id: UUID) -> None:
    """Lock the orders of a group until the transaction ends; goes along with what is sent next."""
    await session.later(_LOCK_GROUP, front_end, group_id)


async def lock(session: ports.Session, front_end: str, order_id: UUID) -> api.OrderState | None:
    """Lock an order and return its state."""
    row = await session.fetch_row(_LOCK, front_end, order_id)
    return None if row is None else api.OrderState(row["state"])


async def group(session: ports.Session, front_end: str, group_id: UUID, *, is_locked: bool) -> list[api.OrderBrief]:
    """Return the orders of a group in the order of their numbers."""
    return _briefs(await session.fetch(_LOCK_GROUP if is_locked else _BRIEFS, front_end, group_id))


async def lock_siblings(session: ports.Session, front_end: str, order_id: UUID) -> list[api.OrderBrief]:
    """Lock the group of an order and return its orders; none where there is no such order."""
    return _briefs(await session.fetch(_LOCK_SIBLINGS, front_end, order_id))


async def page(
    session: ports.Session, front_end: str, ask: api.ListOrders, before: tuple[datetime, UUID], seals: Seals
) -> list[UUID]:
    number = int(ask.number) if ask.number is not None else None
    members = [] if ask.member_id is None else [ask.member_id, *ask.merged_ids]
    which = (
        members,
        ask.state,
        number,
        *before,
        ask.limit + 1,
        ask.contact_email and composed(ask.contact_email),
        ask.placed_from,
        ask.placed_until,
        ask.contact_email and await contacts.hashed(ask.contact_email, seals),
    )
    return [row["order_id"] for row in await session.fetch(_PAGE, front_end, *which)]


async def move(
    session: ports.Session, front_end: str, order_ids: Sequence[UUID], state: str, entry: tuple[datetime, str, str]
) -> None:
    """Set the state of orders and write it into their histories: when, by whom, why."""
    await session.later(_MOVE, front_end, list(order_ids), state, *entry)


async def due(session: ports.Session, front_end: str, now: datetime, limit: int) -> list[UUID]:
    """Lock unpaid groups whose time is over, and return the orders of theirs that are unpaid still."""
    rows = await session.fetch(_DUE, front_end, now, limit)
    groups = [row["group_id"] for row in rows]
    found: Sequence[ports.Row] = await session.fetch(_LOCK_DUE, front_end, groups) if groups else []
    return [row["order_id"] for row in found]


async def pay_later(session: ports.Session, front_end: str, group_ids: Sequence[UUID], until: datetime) -> None:
    await session.execute(_PAY_LATER, front_end, list(group_ids), until)


async def record_deposit(
    session: ports.Session, front_end: str, group_id: UUID, pay_before: datetime, entry: tuple[datetime, str, str]
) -> None:
    await session.execute(_RECORD_DEPOSIT, front_end, group_id, pay_before, *entry)


async def is_new_parcel(session: ports.Session, front_end: str, order_id: UUID, parcel: str, now: datetime) -> bool:
    return (await session.execute(_PARCEL, front_end, order_id, parcel, now)).endswith(" 1")


async def ship(session: ports.Session, front_end: str, order_id: UUID, lines: Mapping[int, int]) -> None:
    await session.execute(_SHIP, front_end, order_id, list(lines), list(lines.values()))


def _briefs(rows: Sequence[ports.Row]) -> list[api.OrderBrief]:
    return [
        api.OrderBrief(
            order_id=row["order_id"],
            number=str(row["number"]),
            state=api.OrderState(row["state"]),
            part=row["part"],
            lines=row["line_count"],
            total=money(row["total_minor"], row["currency"]),
        )
        for row in sorted(rows, key=lambda one: one["number"])
    ]
