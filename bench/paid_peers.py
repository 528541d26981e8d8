"""Placing and paying an order of 5 lines over HTTP, beside Vendure on the same machine and PostgreSQL, in turns.

Both are one server process with its settings for production that write durably, 8 connections, guests, goods whose
stock is counted, and a provider that says yes at once. Isthmus is asked twice, with a key on both calls. Vendure is
asked in as few requests as it allows: the goods go into the basket in the first, which begins the session; buyer,
address, shipping, the step to payment and the payment go in a second. It keeps no key, so a call that is sent again
there may buy twice. Both have sold some hundred orders before anything is measured: Node compiles what is called often,
and a peer that has just started takes twice the time.

It needs Node and npm: `npm install` puts the peer into `build/bench/vendure` once. Where they are missing nothing is
measured, and the row says so.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import statistics
import subprocess
import time
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

from bench import _shop as shop
from bench import paid
from bench.paid import Buying, Meter, Took

PEER = Path(__file__).parent / "peers" / "vendure"
BUILT = shop.FOLDER / "vendure"
GOODS = 500
UNITS = 10_000_000
CLIENTS = 8
LINES = 5
PORT = 3917
FILLED_WITHIN_S = 300
WARM = 300  # orders that each has sold before it is measured
HEAD = (
    "name,slug,description,assets,facets,optionGroups,optionValues,sku,price,taxCategory,stockOnHand,trackInventory,"
    "variantAssets,variantFacets"
)
GOODS_QUERY = "{ products(options: { take: 100, skip: %d }) { items { variants { id } } } }"
FILL = """
    mutation Fill($lines: [AddItemInput!]!) {
      addItemsToOrder(inputs: $lines) { order { id } errorResults { __typename } }
    }"""
PAY = """
    mutation Pay($buyer: CreateCustomerInput!) {
      setCustomerForOrder(input: $buyer) { __typename }
      setOrderShippingAddress(input: { streetLine1: "1 High Street", countryCode: "DE" }) { __typename }
      setOrderShippingMethod(shippingMethodId: [1]) { __typename }
      transitionOrderToState(state: "ArrangingPayment") { __typename }
      addPaymentToOrder(input: { method: "all", metadata: {} }) { __typename ... on Order { state } }
    }"""

Row = dict[str, Any]


def rows(rounds: int) -> list[Row]:
    """Measure everything and return the table's rows."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return [_row("paid orders beside Vendure: not measured, as Node or npm is missing", 0, "", "nothing", None, "")]
    return shop.run(_rows(rounds))


async def _rows(rounds: int) -> list[Row]:
    await asyncio.to_thread(_install)
    async with shop.database("peers") as url, _vendure() as peer:
        key = await shop.stocked(url, paid.GOODS, UNITS)
        async with shop.serving(url) as server, httpx.AsyncClient(base_url=f"http://127.0.0.1:{PORT}") as client:
            variants = await _variants(client)
            ours = [paid.paying(server.port, key, paid.ask) for _ in range(CLIENTS)]
            theirs = [_buying(client, variants) for _ in range(CLIENTS)]
            meter, other = await Meter.of(url, server.process), await Meter.of(url, peer)
            await _sell(ours)
            await _sell(theirs)
            await shop.analyse(url)
            turns = [(await meter.turn(ours), await other.turn(theirs)) for _ in range(rounds)]
            await meter.close()
            await other.close()
    return _figures(turns)


async def _sell(side: Sequence[Buying]) -> None:
    """Let a side sell until it is warm."""
    left = [WARM]

    async def client(buy: Buying) -> None:
        while left[0] > 0:
            left[0] -= 1
            await buy()

    await asyncio.gather(*map(client, side))


def _figures(turns: Sequence[tuple[Took, Took]]) -> list[Row]:
    def median(side: int, what: str) -> float:
        return statistics.median(getattr(turn[side], what) for turn in turns)

    def cpu(side: int) -> float:
        return statistics.median(turn[side].server_ms + turn[side].postgres_ms for turn in turns)

    name = f"paid orders of {LINES} lines, {CLIENTS} clients, beside Vendure"
    faster = statistics.median(ours.rate / theirs.rate for ours, theirs in turns)
    used = cpu(0) / cpu(1)
    return [
        _row(name, median(0, "rate"), "orders/s", f"Vendure: {median(1, 'rate'):.2f} orders/s", faster, ">= 25 x"),
        _row(f"{name}: processor time", cpu(0), "ms", f"Vendure: {cpu(1):.0f} ms", used, "<= 0.04 x"),
        _row(f"{name}: p50", median(0, "p50_ms"), "ms", f"Vendure: {median(1, 'p50_ms'):.0f} ms", None, "reported"),
    ]


def _row(name: str, value: float, unit: str, against: str, ratio: float | None, aim: str) -> Row:
    met = None
    if ratio is not None:
        met = ratio >= float(aim[3:-2]) if aim.startswith(">=") else ratio <= float(aim[3:-2])
    return {"name": name, "value": value, "unit": unit, "against": against, "ratio": ratio, "aim": aim, "met": met}


def _install() -> None:
    BUILT.mkdir(parents=True, exist_ok=True)
    for file in ("package.json", "server.js"):
        shutil.copy(PEER / file, BUILT / file)
    if not (BUILT / "node_modules" / "@vendure").is_dir():
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent"], cwd=BUILT, check=True)
    goods = [f"Good {at},good-{at:05},A good,,,,,good-{at:05},10.00,standard,{UNITS},true,," for at in range(GOODS)]
    (BUILT / "goods.csv").write_text("\n".join([HEAD, *goods]) + "\n")


@asynccontextmanager
async def _vendure() -> AsyncGenerator[psutil.Process]:
    """Give a server of the peer on a database of its own, on the same PostgreSQL."""
    async with shop.another_database("vendure") as (folder, database):
        command = ["node", "server.js", str(folder), database, str(PORT), "goods.csv"]
        said = BUILT / "server.log"
        with said.open("w") as log:
            process = subprocess.Popen(  # noqa: ASYNC220 - at once
                command, cwd=BUILT, stdout=log, stderr=log, env={**_environment(), "NODE_ENV": "production"}
            )
        try:
            began = time.perf_counter()
            while "ready" not in said.read_text():
                if process.poll() is not None or time.perf_counter() - began > FILLED_WITHIN_S:
                    raise RuntimeError(f"Vendure did not start: {said.read_text()[-800:]}")
                await asyncio.sleep(0.2)
            yield psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait()


def _environment() -> dict[str, str]:
    return dict(psutil.Process().environ())


async def _variants(client: httpx.AsyncClient) -> list[str]:
    found: list[str] = []
    for skip in range(0, GOODS, 100):
        answer = await client.post("/shop-api", json={"query": GOODS_QUERY % skip})
        found += [one["variants"][0]["id"] for one in answer.json()["data"]["products"]["items"]]
    return found


def _buying(client: httpx.AsyncClient, variants: Sequence[str]) -> Buying:
    async def buy() -> None:
        lines = [{"productVariantId": one, "quantity": 1} for one in random.sample(variants, LINES)]
        filled = await client.post("/shop-api", json={"query": FILL, "variables": {"lines": lines}}, timeout=60)
        head = {"authorization": f"Bearer {filled.headers['vendure-auth-token']}"}
        buyer = {"firstName": "A", "lastName": "Buyer", "emailAddress": f"{uuid.uuid4().hex}@example.com"}
        said = {"query": PAY, "variables": {"buyer": buyer}}
        answer = (await client.post("/shop-api", json=said, headers=head, timeout=60)).json()
        if answer.get("data", {}).get("addPaymentToOrder", {}).get("state") != "PaymentSettled":
            raise RuntimeError(f"the money was not taken: {answer}")

    return buy
