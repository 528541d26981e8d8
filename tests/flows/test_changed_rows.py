"""What commands of the whole platform changed, before and after: of staff, of shops, of flows in steps."""

from __future__ import annotations

from pathlib import Path

import pytest

from isthmus.flows.checkout import api as checkout
from isthmus.kernel import Caller, Platform, decode, ports
from isthmus.manifest.vault import Vault
from isthmus.packs.audit import api as audit
from isthmus.packs.audit.service.journal import Journal
from isthmus.packs.member import api as member
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.packs.pricing import api as pricing
from isthmus.packs.webhooks import api as webhooks
from isthmus.packs.webhooks.service.sender import WebhookSender, WebhookSettings
from isthmus.values import Address, money

from .conftest import LONG_AGO, Shop, north_and_south

ADA = Caller(front_end="north", person="ada", client="console", via="console")


@pytest.fixture
def kept(shop: Shop, tmp_path: Path) -> Shop:
    """Give the shop with a log of its commands."""
    sender = WebhookSender(shop.database, WebhookSettings(), Vault(tmp_path / "key", webhooks.NoKey))
    resources = {**shop.platform.resources, ports.Journal: Journal(shop.database), WebhookSender: sender}
    platform = Platform(north_and_south(), shop.database, resources=resources)
    return Shop(platform, shop.database, shop.provider, shop.north, shop.south)


async def _last(shop: Shop) -> dict[str, list[audit.ChangedRow]]:
    """Return the rows of the newest entry, by table."""
    async with shop.database.platform() as session:
        content = await session.fetch_value("select content from audit.pending order by id desc limit 1")
    found: dict[str, list[audit.ChangedRow]] = {}
    for one in decode(content.encode(), audit.Record).rows:
        found.setdefault(one.table, []).append(one)
    return found


async def _bought(shop: Shop, caller: Caller) -> checkout.PlacedOrder:
    lines = (checkout.BuyLine(sku="tea", quantity=2),)
    placed = await shop.platform.call(checkout.place_order, checkout.PlaceOrder(currency="EUR", lines=lines), caller)
    pay = checkout.PayOrder(payment_id=placed.payment_id, method="card", token="ok")
    await shop.platform.call(checkout.pay_order, pay, caller)
    return placed


async def test_a_price_that_took_anothers_place_says_what_it_was(kept: Shop) -> None:
    price = pricing.PriceEntry(sku="tea", currency="EUR", amount=1200, valid_from=LONG_AGO)
    await kept.platform.call(pricing.put_prices, pricing.PutPrices(prices=(price,)), ADA)
    (ended,) = (await _last(kept))["pricing.price"]
    assert (ended.before["sku"], ended.before["amount"], ended.before.get("ended_as")) == ("tea", 1000, "")
    assert ended.after is not None
    assert (ended.after["ended_as"], "amount" in ended.after) == ("superseded", False)


async def test_an_address_that_is_changed_is_there_as_its_kind_alone(kept: Shop) -> None:
    call = kept.platform.call
    ask = member.Register(identities=(member.Identity(kind="email", value="canary@example.org"),))
    one = await call(member.register, ask, ADA)
    for city in ("Canary Wharf", "Canary Islands"):
        address = Address(country="DE", city=city)
        await call(member.put_address, member.PutAddress(member_id=one.member_id, label="home", address=address), ADA)
    (changed,) = (await _last(kept))["member.address"]
    assert (changed.before, changed.after) == ({"address": "[address]"}, {"address": "[address]"})
    async with kept.database.platform() as session:
        said = await session.fetch_value("select string_agg(content, ' ') from audit.pending")
    assert "anary" not in said


async def test_the_secret_of_a_webhook_is_in_no_entry(kept: Shop) -> None:
    ask = webhooks.PutEndpoint(name="erp", url="https://erp.example.org/in", types=("order.*",))
    secret = (await kept.platform.call(webhooks.put_endpoint, ask, ADA)).secret
    await kept.platform.call(webhooks.rotate_secret, webhooks.RotateSecret(name="erp"), ADA)
    assert "until" in (await _last(kept))["webhooks.secret"][0].before
    await kept.platform.call(webhooks.delete_endpoint, webhooks.NamedEndpoint(name="erp"), ADA)
    gone = await _last(kept)
    assert {one.before["sealed"] for one in gone["webhooks.secret"]} == {"[bytes]"}
    async with kept.database.platform() as session:
        said = await session.fetch_value("select string_agg(content, ' ') from audit.pending")
    assert secret
    assert str(secret) not in said


async def test_a_flow_in_steps_says_what_all_of_its_steps_changed(kept: Shop) -> None:
    placed = await _bought(kept, kept.north)
    refund = payment.Refund(payment_id=placed.payment_id, amount=money(300, "EUR"), reference="goodwill")
    await kept.platform.call(payment.refund, refund, ADA)
    rows = (await _last(kept))["payment.payment"]
    firsts = [one.before["refunded_minor"] for one in rows if "refunded_minor" in one.before]
    lasts = [one.after["refunded_minor"] for one in rows if one.after and "refunded_minor" in one.after]
    assert (firsts[0], lasts[-1]) == (0, 300)
    async with kept.database.platform() as session:
        assert await session.fetch_value("select count(*) from isthmus.changed_row") == 0


async def test_a_flow_in_steps_that_was_refused_says_what_its_steps_changed(kept: Shop) -> None:
    lines = (checkout.BuyLine(sku="tea", quantity=2),)
    placed = await kept.platform.call(checkout.place_order, checkout.PlaceOrder(currency="EUR", lines=lines), ADA)
    pay = checkout.PayOrder(payment_id=placed.payment_id, method="card", token="decline:no funds")
    with pytest.raises(payment.Declined):
        await kept.platform.call(checkout.pay_order, pay, ADA)
    async with kept.database.platform() as session:
        (last,) = await session.fetch("select content from audit.pending order by id desc limit 1")
        assert await session.fetch_value("select count(*) from isthmus.changed_row") == 0
    said = decode(last["content"].encode(), audit.Record)
    assert (said.capability, said.outcome) == ("checkout.pay-order", payment.Declined.slug)
    (attempt,) = said.rows
    assert (attempt.table, attempt.before["state"]) == ("payment.attempt", "pending")
    assert attempt.after is not None
    assert attempt.after["state"] == "refused"


async def test_a_cancellation_by_staff_says_from_which_state_an_order_came(kept: Shop) -> None:
    placed = await _bought(kept, kept.north)
    ask = checkout.CancelOrder(order_id=placed.orders[0].order_id, reason="asked for")
    await kept.platform.call(checkout.cancel_order, ask, ADA)
    states = [(one.before.get("state"), (one.after or {}).get("state")) for one in (await _last(kept))["order.orders"]]
    assert ("paid", "cancelled") in states


async def test_an_order_that_a_shop_places_and_pays_waits_for_no_row_that_is_looked_at(kept: Shop) -> None:
    for caller in (kept.north, ADA):
        placed = await _bought(kept, caller)
        ask = order.GetOrder(order_id=placed.orders[0].order_id)
        assert (await kept.platform.call(order.get_order, ask, kept.north)).state == order.OrderState.PAID
    async with kept.database.platform() as session:
        rows = await session.fetch("select content from audit.pending order by id")
    said = [decode(row["content"].encode(), audit.Record) for row in rows]
    found = [(one.capability, one.person, "order.orders" in {row.table for row in one.rows}) for one in said]
    assert found == [
        ("checkout.place-order", "", False),
        ("checkout.pay-order", "", False),
        ("checkout.place-order", "ada", False),
        ("checkout.pay-order", "ada", True),
    ]
