"""The limit of the order path: what a careful hand writes with nothing but asyncpg, to leave the same rows.

Nine round trips an order: begin with the key, three readings, the locked stocks, three writings; events, the entry of
the audit log and the key's answer with the commit. Readings come first, so that a stock is locked for the shortest
time; stocks are locked in one order. The answer that is kept is prepared, and texts that do not vary are constants:
nothing here waits for Python.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import asyncpg
import msgspec

from bench import _shop as shop

_CLAIM = """begin; set isthmus.front_end = 'north'; select pg_advisory_xact_lock({lock});
    select from isthmus.idempotency where digest = '{digest}' and front_end = 'north'"""
_GOODS = """
    select product.title, product.seller, unit, tax_category, is_returnable, offered_from, offered_to
    from unnest($2::text[]) with ordinality as given (sku, place)
    join catalog.sku on sku.sku = given.sku join catalog.product using (product_id)
    join catalog.listing on listing.front_end = $1 and listing.sku = given.sku
    where not exists (select from catalog.seller where code = product.seller and is_suspended) order by place"""
_PRICES = """
    select price.amount from unnest($2::text[]) with ordinality as line (sku, place)
    cross join lateral (
        select amount from pricing.price
        where front_end = $1 and currency = 'EUR' and sku = line.sku and ended_at is null and price_list = 'standard'
            and location = '' and min_quantity <= 1 and valid_from <= $3 and (valid_to is null or valid_to > $3)
        order by min_quantity desc, valid_from desc limit 1) as price
    order by place"""
_PROMOTIONS = """
    select definition from promotion.promotion where front_end = $1 and is_running and not needs_coupon
        and valid_from <= $2 and (valid_to is null or valid_to > $2)"""
_LOCK = """
    select sku, on_hand - reserved as free from inventory.stock
    where front_end = $1 and sku = any ($2::text[]) and location = 'main'
    order by sku, location for no key update"""
_HOLD = """
    with made as (
        insert into inventory.reservation (front_end, reference, state, asked) values ($1, $2, 'held', $3)
    ), step as (
        insert into inventory.reservation_step (front_end, reference, state, at, by) values ($1, $2, 'held', $4, 'hand')
    ), held as (
        insert into inventory.reservation_line (front_end, reference, line, sku, location, quantity, back_ordered)
        select $1, $2, place - 1, sku, 'main', 1, 0 from unnest($5::text[]) with ordinality as l (sku, place))
    update inventory.stock s set reserved = s.reserved + 1 from unnest($5::text[]) as l (sku)
    where s.front_end = $1 and s.sku = l.sku and s.location = 'main'"""
_ORDER = """
    with placed as (
        insert into "order".orders (front_end, order_id, group_id, number, state, part, contact_email, order_kind,
            channel, box, plan, currency, line_count, delivery_fee_minor, delivery_method, total_minor, coupons,
            placed_at, pay_before)
        values ($1, $2, $3, $4, 'placed', '', '', 'standard', 'online', $1, '', 'EUR', $5, 0, '', $6, '{}', $7, $8)
    ), told as (
        insert into "order".history (front_end, order_id, at, by, what, note) values ($1, $2, $7, 'hand', 'placed', ''))
    insert into "order".lines (front_end, order_id, line, sku, title, quantity, unit, seller, location, tax_category,
        list_minor, amount_minor, discount_minor, tax_minor, total_minor, is_returnable, applied)
    select $1, $2, place - 1, sku, title, 1, unit, seller, 'main', tax, minor, minor, 0, 0, minor, is_returnable, '[]'
    from unnest($9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::bigint[], $15::boolean[])
        with ordinality as l (sku, title, unit, seller, tax, minor, is_returnable, place)"""
_PAYMENT = """
    insert into payment.payment (front_end, payment_id, reference, currency, amount_minor, state, opened_at)
    values ($1, $2, $3, 'EUR', $4, 'open', $5)"""
# Called by name, so that it goes with the commit in one round trip, as the platform's does.
_AUDITED = "audited as (insert into audit.pending (front_end, content) values ('north', $9)), "
_PREPARE = f"""
    prepare told (timestamptz, text, text[], text[], text[], text[], uuid, bytea, text) as
    with {_AUDITED if "audit" in shop.NAMED else ""}emitted as (
        insert into isthmus.outbox (id, type, version, subject, front_end, box, time, trace, data)
        select id, type, '1.0', subject, 'north', 'north', $1, $2, data::json
        from unnest($3::text[], $4::text[], $5::text[], $6::text[]) as e (id, type, subject, data))
    insert into isthmus.idempotency (digest, front_end, key, capability, ask_hash, answer)
    values ($7, 'north', $7::text, 'checkout.place-order', $2, $8)"""
_KEEP_ANSWER = "execute told ('{now}', '{key.hex}', {events}, '{key}', '\\x{answer}', '{entry}'); commit"
# What the audit log says of the order: who did what when, and what came of it.
_ENTRY = (
    '{{"call":"{call}","at":"{at}","front_end":"north","capability":"checkout.place-order","outcome":"done",'
    '"client":"hand","changes":[{{"event":"inventory.goods-reserved","subject":"{reference}","data":{data}}},'
    '{{"event":"order.order-placed","subject":"{order}","data":{data}}}]}}'
)


class ByHand:
    """Connections that place orders by hand."""

    round_trips = 9

    def __init__(self, connections: Sequence[asyncpg.Connection], numbers: int) -> None:
        self._free = list(connections)
        self._number = numbers

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, count: int) -> AsyncGenerator[Self]:
        """Connect as calls do: the same role, and so the same row-level security."""
        connections = [
            await asyncpg.connect(url, server_settings={"role": "isthmus_app", "jit": "off"}) for _ in range(count)
        ]
        for connection in connections:
            await connection.execute(_PREPARE)
        try:
            yield cls(connections, 10**12)  # far above what the platform numbers
        finally:
            for connection in connections:
                await connection.close()

    def buyer(self, basket: Callable[[], list[str]]) -> Callable[[], Awaitable[None]]:
        """Return what places one order on a connection of its own."""
        connection = self._free.pop()
        return lambda: self._buy(connection, basket())

    async def _buy(self, connection: asyncpg.Connection, skus: list[str]) -> None:
        front_end, now, key, group, order = shop.FRONT_END, datetime.now(UTC), uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
        reference = str(group)
        self._number += 1
        number = self._number
        await connection.execute(_CLAIM.format(lock=key.int >> 65, digest=key))
        goods = await connection.fetch(_GOODS, front_end, skus)
        prices = [row[0] for row in await connection.fetch(_PRICES, front_end, skus, now)]
        await connection.fetch(_PROMOTIONS, front_end, now)
        stocks = await connection.fetch(_LOCK, front_end, skus)
        if not len(goods) == len(prices) == len(stocks) == len(skus) or any(row["free"] < 1 for row in stocks):
            raise RuntimeError("sold out")
        total = sum(prices)
        await connection.execute(_HOLD, front_end, reference, key.bytes, now, skus)
        pay_before = now + timedelta(minutes=30)
        columns: list[list[Any]] = [[row[at] for row in goods] for at in range(5)]
        title, seller, unit, tax, is_returnable = columns
        await connection.execute(
            *(_ORDER, front_end, order, group, number, len(skus), total, now, pay_before),
            *(skus, title, unit, seller, tax, prices, is_returnable),
        )
        await connection.execute(_PAYMENT, front_end, uuid.uuid4(), reference, total, now)
        lines = [{"sku": sku, "quantity": 1, "total": price} for sku, price in zip(skus, prices, strict=True)]
        answer = msgspec.json.encode({"group": reference, "total": total, "lines": lines})
        events = [
            [str(uuid.uuid4()), str(uuid.uuid4())],
            ["inventory.goods-reserved", "order.order-placed"],
            [reference, str(order)],
            [answer.decode()] * 2,
        ]
        event_columns = ", ".join(f"array['{one}', '{other}']" for one, other in events)
        entry = _ENTRY.format(call=key, at=now.isoformat(), reference=reference, order=order, data=answer.decode())
        await connection.execute(
            _KEEP_ANSWER.format(now=now, key=key, events=event_columns, answer=answer.hex(), entry=entry)
        )
