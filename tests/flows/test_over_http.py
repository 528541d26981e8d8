"""The whole platform as a server process: buyers over HTTP, and the server killed between them."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from isthmus.gateway import auth
from isthmus.packs.inventory import api as inventory

from .conftest import UNITS, Shop
from .serving import Server

FRONT_END = """
from isthmus.kernel import FrontEnd

FRONT_END = FrontEnd(code="north", name="North", owner="north team", uses=("checkout.*", "order.*", "inventory.*"))
"""
BUYERS = 64
ASK = {"currency": "EUR", "lines": [{"sku": "tea", "quantity": 1}]}


@pytest.fixture
async def server(shop: Shop, tmp_path: Path) -> AsyncIterator[Server]:
    """Give a server of the shop's database, with one front end, north."""
    folder = tmp_path / "front_ends" / "north"
    folder.mkdir(parents=True)
    (folder / "front_end.py").write_text(FRONT_END)
    server = Server(tmp_path, shop.database.url)
    await server.start()
    yield server
    server.kill()


async def buy(client: httpx.AsyncClient, key: str) -> httpx.Response | None:
    """Order one tea; None where the server went away meanwhile."""
    try:
        return await client.post("/v1/checkout.place-order", json=ASK, headers={"Idempotency-Key": key})
    except httpx.TransportError:
        return None


def connected(server: Server, key: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{server.port}",
        headers={"Authorization": f"Bearer {key}", "Isthmus-Deadline-Ms": "60000"},  # 64 at once on a busy machine
        limits=httpx.Limits(max_connections=BUYERS),
        timeout=60,
    )


async def on_hand_and_reserved(shop: Shop) -> tuple[int, int]:
    page = await shop.platform.call(inventory.list_stock, inventory.ListStock(sku="tea"), shop.north)
    return page.items[0].on_hand, page.items[0].reserved


async def test_64_clients_buying_20_units_get_20_and_the_rest_hear_why(shop: Shop, server: Server) -> None:
    api_key = await auth.create_client(shop.database, "north", "shop")
    async with connected(server, api_key) as client:
        answers = await asyncio.gather(*(buy(client, str(uuid.uuid4())) for _ in range(BUYERS)))
    said = Counter(one.json().get("slug", "sold") for one in answers if one is not None)
    assert said == {"sold": UNITS, "inventory.stock-short": BUYERS - UNITS}
    assert await on_hand_and_reserved(shop) == (UNITS, UNITS)


async def test_a_killed_server_loses_no_order_and_sells_nothing_twice(shop: Shop, server: Server) -> None:
    api_key = await auth.create_client(shop.database, "north", "shop")
    keys = [str(uuid.uuid4()) for _ in range(BUYERS)]
    first: dict[str, bytes] = {}
    async with connected(server, api_key) as client:
        buying = [asyncio.create_task(buy(client, key)) for key in keys]
        await asyncio.wait(buying, return_when=asyncio.FIRST_COMPLETED)  # so that some are through, and most are not
        server.kill()
        for key, answer in zip(keys, await asyncio.gather(*buying), strict=True):
            if answer is not None and answer.status_code == 200:
                first[key] = answer.content
    await server.start()
    async with connected(server, api_key) as client:
        again = dict(zip(keys, await asyncio.gather(*(buy(client, key) for key in keys)), strict=True))
    sold = [key for key, answer in again.items() if answer is not None and answer.status_code == 200]
    assert len(sold) == UNITS
    assert all(again[key] is not None and again[key].content == content for key, content in first.items())  # type: ignore[union-attr]
    assert await on_hand_and_reserved(shop) == (UNITS, UNITS)


async def test_a_server_has_an_endpoint_for_agents_which_admits_by_key(shop: Shop, server: Server) -> None:
    pytest.importorskip("mcp")
    ask = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    headers = {"Accept": "application/json, text/event-stream"}
    api_key = await auth.create_client(shop.database, "north", "agent")
    async with connected(server, "nobody") as stranger:
        assert (await stranger.post("/mcp", json=ask, headers=headers)).status_code == 401
    async with connected(server, api_key) as agent:
        answers = await asyncio.gather(*(agent.post("/mcp", json=ask, headers=headers) for _ in range(2)))
    names = {tool["name"] for tool in answers[0].json()["result"]["tools"]}
    assert "checkout_place-order" in names
