"""Joining the platform with the real box: its price, its shadow, one operation at a time and back, and the last step.

The facade counts by `venture.note-compared` and looks at `venture.list-operations`; a price is kept by
`venture.note-estimate`; who left is noted by `venture.note-left`.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from isthmus.flows.ventures import api as ventures
from isthmus.flows.ventures.service import joining, mapping
from isthmus.flows.ventures.service.facade import Facade
from isthmus.flows.ventures.service.wire import Wire
from isthmus.kernel import decode, encode
from isthmus.packs.catalog import api as catalog
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.inventory import api as inventory
from isthmus.packs.ledger import api as ledger
from isthmus.packs.order import api as order
from isthmus.packs.pricing import api as pricing
from isthmus.packs.tax import api as tax
from isthmus.packs.venture import api as venture

from . import box as boxes
from .conftest import World

PLANS = {"discovery": 1990, "garden": 2990, "season": 7490}
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
TO = {"name": "Ada", "street": "Hauptstr. 1", "postcode": "10115", "city": "Berlin", "iban": "DE89370400440532013000"}


@pytest.fixture
def mapped(world: World) -> mapping.Joining:
    shutil.copy(boxes.BOX / mapping.FILE, world.folder / "ventures" / "joiner" / mapping.FILE)
    return mapping.mapping_of(world.folder / "ventures" / "joiner")


async def offered(world: World, code: str, price_of: dict[str, int] = PLANS) -> None:
    """Offer the boxes at a seat, as its team does before it joins."""
    drafts = tuple(
        catalog.ProductDraft(
            code=f"{code}-{sku}", title=sku, category="tea", tax_category="food", variants=(catalog.Variant(sku=sku),)
        )
        for sku in price_of
    )
    tea = catalog.CategoryDraft(code="tea", name="Tea")
    listed = tuple(catalog.Listing(sku=sku, offered_from=SINCE) for sku in price_of)
    prices = tuple(
        pricing.PriceEntry(sku=sku, currency="EUR", amount=minor, valid_from=SINCE) for sku, minor in price_of.items()
    )
    free = fulfilment.Rate(zone="everywhere", currency="EUR", base_minor=0)
    post = fulfilment.Method(code="post", name="Post", rates=(free,))
    stock = tuple(inventory.Receipt(sku=sku, quantity=100, location="hall") for sku in price_of)
    place = tax.Jurisdiction(code="DE", prices_include_tax=True)
    rate = tax.RateEntry(jurisdiction="DE", name="vat", rate_ppm=70_000, valid_from=SINCE, tax_category="food")
    hall = inventory.Location(code="hall", name="Hall", country="DE")
    for capability, ask in (
        (catalog.put_categories, catalog.PutCategories(categories=(tea,))),
        (catalog.import_products, catalog.ImportProducts(products=drafts)),
        (catalog.publish, catalog.Publish(listings=listed)),
        (pricing.put_prices, pricing.PutPrices(prices=prices)),
        (fulfilment.put_methods, fulfilment.PutMethods(items=(post,))),
        (inventory.put_locations, inventory.PutLocations(items=(hall,))),
        (inventory.receive, inventory.Receive(reference="first", lines=stock)),
        (tax.put_jurisdictions, tax.PutJurisdictions(jurisdictions=(place,))),
        (tax.put_rates, tax.PutRates(rates=(rate,))),
    ):
        await world.call(capability, ask, code)


async def priced(world: World, said: mapping.Joining) -> venture.Estimate:
    async with Wire(world.running.resource(venture.Charters).of("joiner")) as wire:
        calls = await joining.recorded(wire)
    found = await joining.price(world.running.platform, "joiner", calls, said)
    return await world.call(venture.note_estimate, found, "joiner")


@asynccontextmanager
async def before(world: World, said: mapping.Joining) -> AsyncIterator[tuple[Facade, httpx.AsyncClient]]:
    """Stand before the box, as who comes to its address sees it."""
    facade = Facade(world.running.platform, world.running.resource(venture.Charters).of("joiner"), said)
    transport = httpx.ASGITransport(app=facade)
    async with httpx.AsyncClient(transport=transport, base_url=world.joiner.url, timeout=30) as client:
        yield facade, client
    await facade.close()


async def switched(
    world: World, facade: Facade, name: str, to: venture.Answerer, **more: Any
) -> venture.OperationState:
    ask = venture.SwitchOperation(operation=name, to=to, because="it is tried", **more)
    found = await world.call(venture.switch_operation, ask, "joiner")
    facade._looked = float("-inf")  # it looks again at once, and not within a second
    return found


async def test_a_venture_joins_one_operation_at_a_time_and_goes_back_and_nothing_is_lost(
    world: World, mapped: mapping.Joining
) -> None:
    box = world.joiner
    await box.start()
    try:
        async with world.browser() as browser:
            await world.sign_in(browser, "joins@example.org", box)
            await box.buy(browser, "garden")
            await offered(world, "joiner", {**PLANS, "season": 7000})
            await the_price_is_known_before(world, mapped)
            await offered(world, "joiner")
            own = dict(browser.cookies.items())
            async with before(world, mapped) as (facade, client):
                client.cookies.update(own)
                await a_quote_goes_from_shadow_to_platform_and_back(world, facade, client)
                placed = await a_sale_is_made_there(world, facade, client, await token_of(world, browser))
            await it_graduates(world, mapped, browser, placed)
    finally:
        box.kill()


async def the_price_is_known_before(world: World, mapped: mapping.Joining) -> None:
    async with httpx.AsyncClient(base_url=world.joiner.url) as client:
        for plan in (*PLANS, "discovery"):
            assert (await client.get(f"/api/quote?plan={plan}")).status_code == 200
    found = await priced(world, mapped)
    by = {one.operation: one for one in found.operations}
    quote = by["quote-box"]
    assert (quote.calls, quote.compared, quote.agreed) == (5, 5, 4), quote.differs
    assert "$.gross_minor is 7490 there and 7000 here" in quote.differs
    assert quote.low == pytest.approx(joining.lower_bound(4, 5))
    assert quote.hours == round(2 + 16 * (1 - quote.low), 1)
    assert (by["subscribe"].compared, by["subscribe"].lacks) == (0, ("answer.subscription", "ask.iban"))
    assert by["subscribe"].hours == 2 + 2 * 2 + 4
    assert by["cancel-box"].is_left
    assert found.hours == pytest.approx(sum(one.hours for one in found.operations))
    unmapped = await priced(world, mapping.Joining())
    assert unmapped.distance == 1.0
    assert {one.hours for one in unmapped.operations} == {24.0}
    kept = await world.call(venture.list_estimates, venture.ListEstimates(), "joiner")
    assert [one.hours for one in kept.items] == [unmapped.hours, found.hours], "the latest first"


async def a_quote_goes_from_shadow_to_platform_and_back(
    world: World, facade: Facade, client: httpx.AsyncClient
) -> None:
    async def quoted(plan: str) -> dict[str, Any]:
        reply = await client.get(f"/api/quote?plan={plan}")
        assert reply.status_code == 200, reply.text
        return reply.json()

    own = {plan: await quoted(plan) for plan in PLANS}
    with pytest.raises(venture.NotAgreed, match="0 of 0 calls of quote-box"):
        await switched(world, facade, "quote-box", "platform")
    await switched(world, facade, "quote-box", "shadow")
    for number in range(venture.AGREED_MIN):
        plan = list(PLANS)[number % 3]
        assert await quoted(plan) == own[plan], "who looks sees the venture's answer"
        await facade.settled()
    (state,) = (await world.call(venture.list_operations, venture.ListOperations(), "joiner")).items
    assert (state.compared, state.agreed, state.differs) == (30, 30, "")
    await switched(world, facade, "quote-box", "platform")
    here = {plan: await quoted(plan) for plan in PLANS}
    assert here == {plan: {name: one[name] for name in one if name != "by"} for plan, one in own.items()}, "to the cent"
    refused = await client.get("/api/quote?plan=nothing")
    assert (refused.status_code, refused.json()["slug"]) == (404, "catalog.unknown-sku")
    await switched(world, facade, "quote-box", "own")
    assert await quoted("season") == own["season"], "and back"
    await switched(world, facade, "quote-box", "shadow")
    assert (await world.call(venture.list_operations, venture.ListOperations(), "joiner")).items[0].compared == 0
    await switched(world, facade, "quote-box", "platform", is_accepted=True)


async def token_of(world: World, browser: httpx.AsyncClient) -> str:
    """Return a token of the group's sign-in for who is signed in there, as an app of the box has one."""
    verifier, issuer = secrets.token_urlsafe(48), f"{world.address}/account"
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    back = f"{world.joiner.url}/callback"
    asked = {
        "response_type": "code", "client_id": "joiner", "redirect_uri": back, "scope": "openid email",
        "state": secrets.token_urlsafe(32), "nonce": secrets.token_urlsafe(32), "code_challenge": challenge,
        "code_challenge_method": "S256",
    }  # fmt: skip
    reply = await browser.get(f"{issuer}/authorize", params=asked, follow_redirects=False)
    code = httpx.URL(reply.headers["location"]).params["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back, "client_id": "joiner"}
    found = await browser.post(f"{issuer}/token", data={**form, "code_verifier": verifier})
    return found.json()["id_token"]


async def a_sale_is_made_there(world: World, facade: Facade, client: httpx.AsyncClient, token: str) -> int:
    """Have one box taken at the venture and one at the platform, by the same person and address; return the latter."""
    own = await client.post("/checkout", data={"plan": "discovery", **TO})
    assert own.status_code == 303, "a page goes through as it is"
    await switched(world, facade, "subscribe", "platform", is_accepted=True)
    stranger = httpx.AsyncClient(transport=httpx.ASGITransport(app=facade), base_url=world.joiner.url)
    assert (await stranger.post("/api/subscriptions", json={"plan": "season", **TO})).status_code == 401
    headers = {"idempotency-key": "one-box-and-no-more", "authorization": f"Bearer {token}"}
    for _ in range(2):
        reply = await client.post("/api/subscriptions", json={"plan": "season", **TO}, headers=headers)
        assert reply.status_code == 201, reply.text
    listed = await world.call(order.list_orders, order.ListOrders(limit=10), "joiner")
    assert [str(one.order_id) for one in listed.items] == [reply.json()["order"]], "once"
    return listed.items[0].total.minor


async def it_graduates(world: World, mapped: mapping.Joining, browser: httpx.AsyncClient, placed: int) -> None:
    operations = tuple(name for name, one in mapped.operations.items() if not one.leave)
    with pytest.raises(ventures.NotReady, match="still answers renew-box by itself"):
        await world.call(ventures.graduate, ventures.Graduate(operations=(*operations, "renew-box")), "joiner")
    done = await world.call(
        ventures.graduate, ventures.Graduate(words="We have moved.", operations=operations), "joiner"
    )
    assert (done.informed, done.entries, done.sales) == (1, 2, 2)
    assert "We have moved." in (await browser.get(f"{world.joiner.url}/me")).text
    assert (await browser.post(f"{world.joiner.url}/checkout", data={"plan": "garden", **TO})).status_code == 410
    (sum_,) = (await world.call(venture.get_standing, venture.GetStanding(), "joiner")).sums
    assert sum_.net == sum_.booked
    assert (sum_.net + sum_.tax).minor + placed == 2990 + 1990 + 7490, "what was paid, wherever, to the cent"
    period = await world.call(ledger.get_period, ledger.GetPeriod(), "joiner")
    assert period.closed_through is None, "its books go on"
    stands = await world.call(venture.get_position, venture.GetPosition(), "joiner")
    assert (stands.left_by, stands.left_on) == ("graduated", done.on)
    world.joiner.kill()
    assert await world.call(ventures.pull, ventures.Pull(), "joiner") == ventures.Pulled(), "nobody asks for its pages"
    ask = {"currency": "EUR", "lines": [{"sku": "garden", "quantity": 1}]}
    preview = world.running.platform.release.find("checkout.preview-order").capability
    assert (await world.call(preview, decode(encode(ask), preview.ask), "joiner")).bill.total.minor == 2990
