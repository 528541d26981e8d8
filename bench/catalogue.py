"""Listing and searching 92,331 products against the same SQL by hand.

The products are the demo's, loaded as it does, and all of them offered. The platform: `catalog.search` in process, JSON
in, JSON out, with permission, plan, extension points and cursor. By hand: the very statements that it sent, recorded
once and sent again with asyncpg on as many connections; rows are fetched, and nothing is made of them. 16 tasks each,
in turns.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec
from rich.console import Console
from rich.progress import Progress

from bench import _shop as shop
from demo import load
from demo.source import Source
from isthmus.kernel import Platform
from isthmus.store.session import Reading

CLIENTS = 16
ASKS = 50  # of each kind, asked in turn
TURN_S = 0.7
NOT_TOGETHER = "search by two words that nothing has together"  # looked for as beginnings, and misspelt, too
Row = dict[str, Any]
Ask = Callable[[], Awaitable[object]]
Sent = list[tuple[str, tuple[object, ...]]]


class OneLine(Source):
    """The demo's products, all of them in one business line."""

    def front_ends(self) -> list[str]:
        return [shop.FRONT_END]

    def products(self) -> Iterator[tuple[object, ...]]:
        return ((shop.FRONT_END, *rest) for _, *rest in super().products())

    def prices(self) -> list[tuple[object, ...]]:
        """Give every product a price, so that every one is offered."""
        return [(shop.FRONT_END, sku) for _, sku, *_ in self.products()]


def rows(rounds: int) -> list[Row]:
    """Measure everything and return the table's rows."""
    return shop.run(_rows(rounds))


async def _rows(rounds: int) -> list[Row]:
    async with shop.database("catalogue") as url, shop.running(url) as running:
        with Progress(console=Console(quiet=True)) as progress:
            await load._products(running, OneLine(None), progress)
        await shop.analyse(url)
        async with running.database.platform() as session:
            known = await session.fetch_value("select count(*) from catalog.listing")
            titles = [row[0] for row in await session.fetch("select distinct title from catalog.listing")]
        async with _connections(url) as connections:
            found: list[Row] = []
            kinds = _kinds(titles)
            nothing = [ask for ask in kinds[NOT_TOGETHER] if not await _finds(running.platform, ask)]
            for kind, asks in (kinds | {NOT_TOGETHER: nothing}).items():
                sent = [await _recorded(running.platform, ask) for ask in asks]
                ours = [_asking(running.platform, asks) for _ in range(CLIENTS)]
                by_hand = [_sending(connection, sent) for connection in connections]
                found.append(await _compared(f"{kind} of {known:,} products", rounds, ours, by_hand))
    return found


def _kinds(titles: Sequence[str]) -> dict[str, list[bytes]]:
    randomness = random.Random(1)  # the same asks in every run
    by_title = [
        sorted({word.lower() for word in title.split() if word.isalpha() and len(word) > 3}) for title in titles
    ]
    words = sorted({word for title in by_title for word in title})
    titled = [title for title in sorted(by_title) if len(title) > 1]
    encode = msgspec.json.encode
    return {
        "list, first page": [encode({"limit": 50})],
        "search by one word": [encode({"text": randomness.choice(words), "limit": 50}) for _ in range(ASKS)],
        "search by two words of a title": [
            encode({"text": " ".join(randomness.sample(two, 2)), "limit": 50})
            for two in randomness.sample(titled, ASKS)
        ],
        NOT_TOGETHER: [encode({"text": " ".join(randomness.sample(words, 2)), "limit": 50}) for _ in range(ASKS)],
        "list of a brand": [encode({"brand": randomness.choice(["Private", "National"]), "limit": 50})],
    }


async def _finds(platform: Platform, ask: bytes) -> bool:
    answer, _ = await platform.call_wire("catalog.search", ask, shop.CALLER)
    return bool(msgspec.json.decode(answer)["items"])


async def _recorded(platform: Platform, ask: bytes) -> Sent:
    """Return the statements that an ask sends, with their arguments: more than one where none has the very words."""
    sent: Sent = []
    fetch = Reading.fetch

    async def recording(self: Reading, sql: str, *args: object) -> Any:
        sent.append((sql, args))
        return await fetch(self, sql, *args)

    Reading.fetch = recording  # type: ignore[method-assign]
    try:
        await platform.call_wire("catalog.search", ask, shop.CALLER)
    finally:
        Reading.fetch = fetch  # type: ignore[method-assign]
    return sent


def _asking(platform: Platform, asks: Sequence[bytes]) -> Ask:
    async def ask() -> None:
        await platform.call_wire("catalog.search", random.choice(asks), shop.CALLER)

    return ask


def _sending(connection: asyncpg.Connection, sent: Sequence[Sent]) -> Ask:
    async def send() -> None:
        for sql, args in random.choice(sent):
            await connection.fetch(sql, *args)

    return send


@asynccontextmanager
async def _connections(url: str) -> AsyncGenerator[list[asyncpg.Connection]]:
    """Give connections as calls have them: the same role and front end, and so the same row-level security."""
    settings = {"role": "isthmus_app", "jit": "off", "isthmus.front_end": shop.FRONT_END}
    connections = [await asyncpg.connect(url, server_settings=settings) for _ in range(CLIENTS)]
    yield connections
    for connection in connections:
        await connection.close()


async def _compared(name: str, rounds: int, ours: Sequence[Ask], by_hand: Sequence[Ask]) -> Row:
    await _rate(ours), await _rate(by_hand)  # statements are prepared
    found = [(await _rate(ours), await _rate(by_hand)) for _ in range(rounds)]
    ratio = statistics.median(one / other for one, other in found)
    return {
        "name": name,
        "value": statistics.median(one for one, _ in found),
        "unit": "asks/s",
        "against": f"the same SQL by hand: {statistics.median(other for _, other in found):,.0f}/s",
        "ratio": ratio,
        "aim": ">= 0.6 x",
        "met": ratio >= 0.6,
    }


async def _rate(side: Sequence[Ask]) -> float:
    began = time.perf_counter()

    async def client(ask: Ask) -> int:
        done = 0
        while time.perf_counter() - began < TURN_S:
            await ask()
            done += 1
        return done

    return sum(await asyncio.gather(*map(client, side))) / (time.perf_counter() - began)
