"""Each of the conditions names the fault that it is there for: planted in the tables, past every constraint."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import asyncpg
import pytest

from .test_one_stock import TWELVE, Shops
from .test_one_stock import shops as shops

# By the condition: the table that is wrong, and how it comes to be.
FAULTS: Final[Mapping[str, tuple[str, str]]] = {
    "1 revenue = payment legs": (
        "payment.leg",
        "update payment.leg set amount_minor = amount_minor + 1 where kind = 'capture'",
    ),
    "2a duplicate numbers": (
        '"order".orders',
        """update "order".orders o set number = (select min(number) from "order".orders where front_end = o.front_end)
           where front_end = 'north'""",
    ),
    "2b gap not in a lease": (
        '"order".orders',
        """update "order".orders set number = number + 100000 where order_id = (
               select order_id from "order".orders where front_end = 'north' order by number desc limit 1)""",
    ),
    "3 lines": ('"order".orders', 'update "order".orders set line_count = line_count + 1'),
    "4 carrier iff shipped": ("fulfilment.parcel", "update fulfilment.parcel set carrier = null"),
    "5 customers = paid - delivered": (
        "ledger.leg",
        """update ledger.leg set amount = amount - 1 where account_id = (
               select account_id from ledger.account where code = 'liabilities:customers' and front_end = 'north')""",
    ),
    "6 open = all - closed": (
        '"order".orders',
        """update "order".orders set state = 'lost'
           where order_id = (select order_id from "order".orders order by number limit 1)""",
    ),
    "7a on hand = movements": ("inventory.stock", "update inventory.stock set on_hand = on_hand + 1"),
    "7b reserved in bounds": (
        "inventory.stock",
        "update inventory.stock set reserved = on_hand + back_order_limit + 1",
    ),
    "7c reserved = open lines of all front ends": (
        "inventory.stock",
        "update inventory.stock set reserved = reserved + 1",
    ),
    "7d lent = lines under a grant": ("inventory.lent", "update inventory.lent set held = held + 1, taken = taken + 1"),
    "8a points of a membership = movements": (
        "member.membership",
        "update member.membership set points = points + 1 where account_id is null",
    ),
    "8b points of an account = movements over all front ends": (
        "member.points_movement",
        "delete from member.points_movement where account_id is not null",
    ),
    "8c points of an account = its lots": ("member.points_lot", "update member.points_lot set unspent = unspent - 1"),
    "9a coupon uses": ("promotion.coupon", "update promotion.coupon set uses = uses + 1"),
    "9b promotion uses and budget": ("promotion.promotion", "update promotion.promotion set uses = 3, uses_max = 2"),
    "10a events twice": (
        "isthmus.event",
        """insert into isthmus.event (id, type, version, subject, front_end, box, time, trace, data)
           select id, type, version, subject, front_end, box, time, trace, data
           from (select * from isthmus.outbox order by seq limit 1) one, generate_series(1, 2)""",
    ),
    "10b keys twice": (
        "isthmus.idempotency",
        """insert into isthmus.idempotency (digest, front_end, key, capability, ask_hash, answer)
           select gen_random_uuid(), front_end, key, capability, ask_hash, answer from isthmus.idempotency limit 1""",
    ),
    "10c events for orders": (
        "isthmus.outbox",
        """delete from isthmus.outbox where seq = (
               select min(seq) from isthmus.outbox where type like 'order.order-placed%')""",
    ),
    "11 discount = shares": ('"order".discount', 'update "order".discount set amount_minor = amount_minor + 1'),
    "12a captured <= authorised": (
        "payment.payment",
        "update payment.payment set authorised_minor = captured_minor - 1 where captured_minor > 0",
    ),
    "12b shown = charged": ("payment.payment", "update payment.payment set amount_minor = amount_minor + 1"),
    "12c total = lines + delivery": ('"order".lines', 'update "order".lines set total_minor = total_minor + 1'),
    "13 entries balance": (
        "ledger.leg",
        """update ledger.leg set amount = amount + 1 where (entry_id, leg) = (
               select entry_id, leg from ledger.leg order by entry_id, leg limit 1)""",
    ),
    "F2 balance = legs": (
        "ledger.balance",
        """insert into ledger.balance (front_end, account_id, posted)
           select front_end, account_id, 1 from ledger.account limit 1""",
    ),
    "F3 all accounts = 0": ("ledger.leg", "update ledger.leg set amount = amount + 1 where amount > 0"),
    "F4 a reference once": ("ledger.entry", "update ledger.entry set reference = 'one'"),
    "F5 pending ends once": ("ledger.entry", "update ledger.entry set state = 'pending'"),
    "F6 no account passes its bound": (
        "ledger.account",
        "update ledger.account set least = 1000000 where code = 'liabilities:customers'",
    ),
    "F7 captured - refunded = clearing and settled": (
        "payment.payment",
        "update payment.payment set refunded_minor = refunded_minor + 1 where captured_minor > 0",
    ),
    "F8 a reversal restores": ("ledger.entry", "update ledger.entry set reverses = entry_id"),
    "F9 payouts + fees + retained = gross": (
        "settlement.settlement",
        """insert into settlement.settlement (front_end, settlement_id, payee, currency, cut_off, state, items,
               credit_minor, debit_minor, carried_in_minor, fee_minor, payout_minor, carried_minor, prepared_at,
               prepared_by)
           values ('north', gen_random_uuid(), 'seller/1', 'EUR', '2026-01-01', 'prepared', 0,
               5, 0, 0, 0, 5, 0, now(), 'a')""",
    ),
}

# What keeps a table from being wrong: checks, and keys with what refers to them. Triggers are off for a replica.
FREED = """
do $$ declare one record; begin
    for one in select conrelid::regclass as tbl, conname from pg_constraint
        where conrelid = '{table}'::regclass and contype in ('c', 'u', 'p', 'x') and conparentid = 0 loop
        execute format('alter table %s drop constraint %I cascade', one.tbl, one.conname);
    end loop;
    for one in select indexrelid::regclass as name from pg_index
        where indrelid = '{table}'::regclass and indisunique loop
        execute format('drop index %s', one.name);
    end loop;
end $$"""


@pytest.fixture
async def tables(shops: Shops, database_url: str) -> AsyncIterator[Any]:
    """Give the tables of two front ends that have one of everything that the conditions are about, and all is right."""
    await shops.opened()
    who = [{"kind": "email", "value": "ada@example.org", "is_verified": True}]
    members = {code: (await shops.do(code, "member.register", identities=who)).member_id for code in ("north", "south")}
    await shops.do("group", "member.put-programme", code="circle", name="The circle")
    await shops.do("group", "grants.give", kind="member.programme", name="circle", to="north")
    await shops.do("north", "member.join-programme", member_id=members["north"], programme="circle", owner="group")
    for code, member_id in members.items():
        await shops.do(code, "member.earn-points", member_id=member_id, reference="order-1", points=50)
    spring = {
        "code": "spring", "title": "Spring", "valid_from": "2026-01-01T00:00:00Z", "needs_coupon": True,
        "benefit": {"type": "percent-off", "basis_points": 1000},
    }  # fmt: skip
    await shops.do("north", "promotion.put-promotion", promotion=spring)
    await shops.do(
        "north", "promotion.issue-coupons", promotion="spring", coupons=[{"code": "SPRING-1", "uses_max": 5}]
    )
    bought = await shops.do(
        "north", "checkout.place-order", key="spring", currency="EUR", lines=[{"sku": "pot", "quantity": 1}],
        address={"country": "DE", "city": "Kiel"}, coupons=["SPRING-1"],
    )  # fmt: skip
    await shops.do("north", "checkout.pay-order", payment_id=bought.payment_id, method="card", token="ok")
    for number in range(1, 6):  # some are sent, and some wait
        await shops.buy(number)
    shipment = (await shops.do("north", "fulfilment.list-shipments")).items[0]
    await shops.do("north", "fulfilment.ship", shipment_id=shipment.shipment_id, carrier="dhl")
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def broken(connection: Any) -> set[str]:
    """Return the conditions that are broken."""
    return {row["condition"] for row in await connection.fetch(TWELVE) if row["broken"]}


async def test_every_condition_names_the_fault_that_it_is_there_for_and_holds_without_it(tables: Any) -> None:
    assert await broken(tables) == set()
    assert {row["condition"] for row in await tables.fetch(TWELVE)} == {*FAULTS}
    unseen: dict[str, str] = {}
    for name, (table, fault) in FAULTS.items():
        transaction = tables.transaction()
        await transaction.start()
        await tables.execute(FREED.format(table=table))
        await tables.execute("set local session_replication_role = replica")
        changed = await tables.execute(fault)
        assert not changed.endswith(" 0"), f"{name}: there is nothing to be wrong in {table}"
        if name not in (seen := await broken(tables)):
            unseen[name] = f"not seen; what is seen is {sorted(seen)}"
        await transaction.rollback()
    assert unseen == {}
    assert await broken(tables) == set()
