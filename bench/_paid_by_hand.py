"""The limit of a paid order: the platform's promises by hand, in as few round trips and transactions as they allow.

Ten round trips and four transactions. Placing, which `orders.py` measures alone: begin with the key; one reading of
goods, prices, promotions and locked stocks; every row, event, the entry of the audit log and the key's answer with the
commit. Paying: an attempt is written down before the provider is asked and after it has answered, so there are three
transactions: begin the attempt (3); record it, confirm the order and begin the capture (3); record that and book the
money, in one go (1). Here the provider is nobody: it always says yes. Events have names that no job of the platform
follows: each side pays for its own work.
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

ROUND_TRIPS = 10
PLACING_ROUND_TRIPS = 3
TRANSACTIONS = 4

_CLAIM = """begin; set isthmus.front_end = 'north'; select pg_advisory_xact_lock({lock});
    select from isthmus.idempotency where digest = '{digest}' and front_end = 'north'"""
_READ = """
    select product.title, product.seller, unit, tax_category, is_returnable, price.amount,
           s.on_hand - s.reserved as free,
           (select count(*) from promotion.promotion where front_end = $1 and is_running and not needs_coupon
                and valid_from <= $3 and (valid_to is null or valid_to > $3)) as promotions
    from unnest($2::text[]) with ordinality as given (sku, place)
    join catalog.sku on sku.sku = given.sku join catalog.product using (product_id)
    join catalog.listing on listing.front_end = $1 and listing.sku = given.sku
    join inventory.stock s on s.front_end = $1 and s.sku = given.sku and s.location = 'main'
    cross join lateral (
        select amount from pricing.price
        where front_end = $1 and currency = 'EUR' and price.sku = given.sku and ended_at is null
            and price_list = 'standard' and location = '' and min_quantity <= 1 and valid_from <= $3
            and (valid_to is null or valid_to > $3)
        order by min_quantity desc, valid_from desc limit 1) as price
    where not exists (select from catalog.seller where code = product.seller and is_suspended)
    order by s.sku for no key update of s"""
_EVENTS = """
    insert into isthmus.outbox (id, type, version, subject, front_end, box, time, trace, data)
    select * from json_to_recordset({events}) as e (id text, type text, version text, subject text, front_end text,
        box text, time timestamptz, trace text, data json)"""
_ANSWER = """
    insert into isthmus.idempotency (digest, front_end, key, capability, ask_hash, answer)
    values ($1, 'north', $1::text, $2, $1::text, $3)"""
OWED, SOLD = "assets:hand", "income:hand"  # the accounts that money is booked on
_OPEN_ACCOUNTS = f"""
    insert into ledger.account (front_end, code, currency, opened_at)
    select 'north', code, 'EUR', now() from unnest(array['{OWED}', '{SOLD}']) as code on conflict do nothing"""
_PREPARE = f"""
    prepare place (text, uuid, uuid, bigint, bigint, timestamptz, timestamptz, json, json, uuid) as
    with made as (
        insert into inventory.reservation (front_end, reference, state, asked) values ('north', $1, 'held', '\\x00')
    ), step as (
        insert into inventory.reservation_step (front_end, reference, state, at, by)
        values ('north', $1, 'held', $6, 'hand')
    ), line as materialized (
        select * from json_to_recordset($8) as l (line int, sku text, title text, unit text, seller text,
            tax text, amount bigint, returnable boolean)
    ), held as (
        insert into inventory.reservation_line (front_end, reference, line, sku, location, quantity, back_ordered)
        select 'north', $1, line, sku, 'main', 1, 0 from line
    ), stock as (
        update inventory.stock s set reserved = s.reserved + 1 from line
        where s.front_end = 'north' and s.sku = line.sku and s.location = 'main'
    ), placed as (
        insert into "order".orders (front_end, order_id, group_id, number, state, part, contact_email, order_kind,
            channel, box, plan, currency, line_count, delivery_fee_minor, delivery_method, total_minor, coupons,
            placed_at, pay_before)
        values ('north', $2, $3, $4, 'placed', '', '', 'standard', 'online', 'north', '', 'EUR',
            json_array_length($8), 0, '', $5, '{{}}', $6, $7)
    ), told as (
        insert into "order".history (front_end, order_id, at, by, what, note)
        values ('north', $2, $6, 'hand', 'placed', '')
    ), owed as (
        insert into payment.payment (front_end, payment_id, reference, currency, amount_minor, state, opened_at)
        values ('north', $10, $1, 'EUR', $5, 'open', $6)
    ), emitted as ({_EVENTS.format(events="$9")})
    insert into "order".lines (front_end, order_id, line, sku, title, quantity, unit, seller, location, tax_category,
        list_minor, amount_minor, discount_minor, tax_minor, total_minor, is_returnable, applied)
    select 'north', $2, line, sku, title, 1, unit, seller, 'main', tax, amount, amount, 0, 0, amount, returnable, '[]'
    from line;
    prepare begin_attempt (uuid, uuid, text, text, bigint, timestamptz, text) as
    insert into payment.attempt (front_end, attempt_id, payment_id, kind, key, provider, method, amount_minor, state,
        begun_at, provider_reference)
    values ('north', $1, $2, $3, $4, 'test', 'card', $5, 'pending', $6, $7);
    prepare authorised (uuid, text, timestamptz, uuid, uuid, text, text) as
    with ended as (
        update payment.attempt set state = 'done', provider_reference = $7, looked_up_at = $3, ended_at = $3
        where front_end = 'north' and key = $2 and state = 'pending'
    ), held as (
        update payment.payment set state = 'authorised', authorised_minor = amount_minor, method = 'card',
            provider = 'test', authorisation = $7
        where front_end = 'north' and payment_id = $1
    ), paid as (
        update "order".orders set state = 'paid' where front_end = 'north' and order_id = $4
    ), told as (
        insert into "order".history (front_end, order_id, at, by, what, note)
        values ('north', $4, $3, 'hand', 'paid', '')
    ), kept as (
        update inventory.reservation set state = 'confirmed' where front_end = 'north' and reference = $6
    )
    insert into inventory.reservation_step (front_end, reference, state, at, by)
    select 'north', $6, 'confirmed', $3, 'hand' where $5::uuid is not null;
    prepare captured (uuid, text, timestamptz, uuid) as
    with ended as (
        update payment.attempt set state = 'done', looked_up_at = $3, ended_at = $3
        where front_end = 'north' and key = $2 and state = 'pending' returning amount_minor
    ), taken as (
        update payment.payment set state = 'captured', captured_minor = ended.amount_minor from ended
        where front_end = 'north' and payment_id = $1
    ), booked as (
        insert into ledger.entry (front_end, entry_id, reference, kind, state, value_date, booked_at, legs, content, by)
        values ('north', $4, $4::text, 'hand', 'posted', $3::date, $3, 2, $4, 'hand')
    ), posted as (
        insert into ledger.leg (front_end, entry_id, leg, layer, account_id, currency, amount, value_date, booked_at,
            xid)
        select 'north', $4, leg, '=', account_id, 'EUR', sign * amount_minor, $3::date, $3,
            pg_current_xact_id()::text::bigint
        from ended cross join (values (1, 1, '{OWED}'), (2, -1, '{SOLD}')) as side (leg, sign, code)
        join ledger.account on account.front_end = 'north' and account.code = side.code
    )
    insert into payment.leg (front_end, leg_id, payment_id, kind, amount_minor, method, at)
    select 'north', $4, $1, 'capture', amount_minor, 'card', $3 from ended;
    prepare told (json) as {_EVENTS.format(events="$1")};
    prepare audited (text) as insert into audit.pending (front_end, content) values ('north', $1);
    prepare answered (uuid, text, bytea) as {_ANSWER}"""
_PAYMENT = """
    select reference, amount_minor, state from payment.payment
    where front_end = 'north' and payment_id = $1 for update"""
_GROUP = """
    select orders.*, (select json_agg(lines) from "order".lines
                      where lines.front_end = 'north' and lines.order_id = orders.order_id) as lines, payment.*
    from "order".orders join payment.payment on payment.front_end = 'north' and payment.reference = group_id::text
    where orders.front_end = 'north' and payment_id = $1 for update of orders, payment"""


class PaidByHand:
    """Connections that place and pay orders by hand."""

    def __init__(self, connections: Sequence[asyncpg.Connection]) -> None:
        self._free = list(connections)
        self._number = 2 * 10**12  # far above what the platform numbers, and what `_by_hand.py` does

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, count: int) -> AsyncGenerator[Self]:
        """Connect as calls do: the same role, and so the same row-level security."""
        settings = {"role": "isthmus_app", "jit": "off", "plan_cache_mode": "force_generic_plan"}
        connections = [await asyncpg.connect(url, server_settings=settings) for _ in range(count)]
        await connections[0].execute(f"begin; set local isthmus.front_end = 'north'; {_OPEN_ACCOUNTS}; commit")
        for connection in connections:
            await connection.execute(_PREPARE)
        try:
            yield cls(connections)
        finally:
            for connection in connections:
                await connection.close()

    def buyer(self, basket: Callable[[], list[str]]) -> Callable[[], Awaitable[None]]:
        """Return what places and pays one order on a connection of its own."""
        connection = self._free.pop()

        async def buy() -> None:
            order_id, payment_id = await self._place(connection, basket())
            await self._pay(connection, order_id, payment_id)

        return buy

    def placer(self, basket: Callable[[], list[str]]) -> Callable[[], Awaitable[object]]:
        """Return what places one order, and no more, on a connection of its own."""
        connection = self._free.pop()
        return lambda: self._place(connection, basket())

    async def _place(self, connection: asyncpg.Connection, skus: list[str]) -> tuple[uuid.UUID, uuid.UUID]:
        now, key, group, order = datetime.now(UTC), uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
        payment_id = uuid.uuid4()
        self._number += 1
        number = self._number
        await connection.execute(_CLAIM.format(lock=key.int >> 65, digest=key))
        skus.sort()
        goods = await connection.fetch(_READ, shop.FRONT_END, skus, now)
        if len(goods) != len(skus) or any(row["free"] < 1 for row in goods):
            raise RuntimeError("sold out")
        total = sum(row["amount"] for row in goods)
        lines = [
            {
                "line": at,
                "sku": sku,
                "title": row["title"],
                "unit": row["unit"],
                "seller": row["seller"],
                "tax": row["tax_category"],
                "amount": row["amount"],
                "returnable": row["is_returnable"],
            }
            for at, (sku, row) in enumerate(zip(skus, goods, strict=True))
        ]
        events = _event_rows(now, ("hand.goods-reserved", group), ("hand.order-placed", order), data=lines)
        answer = msgspec.json.encode({"group": group, "total": total, "lines": lines}).hex()
        given = f"'{group}', '{order}', '{group}', {number}, {total}, '{now}', '{now + timedelta(minutes=30)}'"
        await connection.execute(
            f"execute place ({given}, '{_text(lines)}', '{events}', '{payment_id}');"
            f"execute audited ('{_entry(now, 'checkout.place-order', key, events)}');"
            f"execute answered ('{key}', 'checkout.place-order', '\\x{answer}'); commit"
        )
        return order, payment_id

    async def _pay(self, connection: asyncpg.Connection, order: uuid.UUID, payment_id: uuid.UUID) -> None:
        now, key = datetime.now(UTC), uuid.uuid4()
        await connection.execute(_CLAIM.format(lock=key.int >> 65, digest=key))
        row = await connection.fetchrow(_PAYMENT, payment_id)
        if row is None or row["state"] != "open":
            raise RuntimeError("not to be paid")
        owed = f"'{payment_id}', 'authorise', '{key}/1', {row['amount_minor']}, '{now}', ''"
        await connection.execute(f"execute begin_attempt ('{uuid.uuid4()}', {owed}); commit")
        await connection.execute("begin; set isthmus.front_end = 'north'")
        await connection.fetch(_GROUP, payment_id)
        group = row["reference"]
        events = _event_rows(
            now,
            ("hand.payment-moved", payment_id),
            ("hand.order-moved", order),
            ("hand.reservation-confirmed", group),
            data={"state": "paid"},
        )
        taking = f"'{payment_id}', 'capture', '{key}/2', {row['amount_minor']}, '{now}', 'yes'"
        await connection.execute(
            f"execute authorised ('{payment_id}', '{key}/1', '{now}', '{order}', '{order}', '{group}', 'yes');"
            f"execute begin_attempt ('{uuid.uuid4()}', {taking}); execute told ('{events}'); commit"
        )
        moved = _event_rows(now, ("hand.payment-moved", payment_id), data={"state": "captured"})
        answer = msgspec.json.encode({"payment": payment_id, "state": "captured"}).hex()
        await connection.execute(
            f"begin; set isthmus.front_end = 'north';"
            f"execute captured ('{payment_id}', '{key}/2', '{now}', '{uuid.uuid4()}'); execute told ('{moved}');"
            f"execute audited ('{_entry(now, 'checkout.pay-order', key, moved)}');"
            f"execute answered ('{key}', 'checkout.pay-order', '\\x{answer}'); commit"
        )


def _entry(now: datetime, capability: str, key: uuid.UUID, events: str) -> str:
    """Return what the audit log says of a command: who did what when, and what came of it."""
    facts = {"call": str(key), "at": now, "front_end": "north", "capability": capability, "outcome": "done"}
    changes = [
        {"event": one["type"], "subject": one["subject"], "data": one["data"]} for one in msgspec.json.decode(events)
    ]
    return _text({**facts, "client": "hand", "via": "hand", "changes": changes})


def _event_rows(now: datetime, *events: tuple[str, object], data: Any) -> str:
    rows = [
        {
            "id": uuid.uuid4(),
            "type": kind,
            "version": "1.0",
            "subject": str(subject),
            "front_end": "north",
            "box": "north",
            "time": now,
            "trace": "hand",
            "data": data,
        }
        for kind, subject in events
    ]
    return _text(rows)


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode().replace("'", "''")
