"""What leaves the platform: orders while their calls are traced, and events on their way to a broker.

Traces: the same server with and without a collector, one after the other, at the share of calls that is sampled by
default. What is compared is the server's processor time for an order: a rate would say more about what else the machine
does. The collector is this process, which answers and keeps nothing.

Broker: the events of orders that were placed while no broker was there, against the same messages published one after
the other by nats-py alone, which is what keeps their order. Needs `nats-server`; where there is none, nothing is said.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import statistics
import tempfile
import time
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nats
from nats.js.errors import NotFoundError

from bench import _shop as shop
from bench.orders import GOODS, UNITS, Buying, _basket, _buyers, _over_http
from isthmus.app.outlets import LeavingEvents
from isthmus.flows.checkout import api as checkout
from isthmus.manifest import Place
from isthmus.packs.broker.service.jetstream import CONSUMER, Broker, BrokerSettings
from isthmus.store import Outbox

CLIENTS = 4
PARTS = 3  # of each side in a round
WARM = 100  # orders: statements are prepared, caches are warm
ORDERS = 1_000  # each with two events
IDLE = 0.05  # of a processor
COST_MAX = 1.03

Row = dict[str, Any]


def rows(rounds: int) -> list[Row]:
    """Measure everything and return the table's rows."""
    return shop.run(_rows(rounds))


async def _rows(rounds: int) -> list[Row]:
    async with shop.database("leaving") as url:
        key = await shop.stocked(url, GOODS, UNITS)
        found = [await _traced(url, key) for _ in range(rounds)]
        carried = await _carried(url) if shutil.which("nats-server") else None
    plain, traced = (statistics.median(column) for column in zip(*found, strict=True))
    ratio = statistics.median(one / other for other, one in found)
    made: list[Row] = [
        {
            "name": "an order whose calls are traced, at the default share",
            "value": traced,
            "unit": "ms of the server's processor",
            "against": f"not traced: {plain:.3f} ms",
            "ratio": ratio,
            "aim": f"<= {COST_MAX} x",
            "met": ratio <= COST_MAX,
        }
    ]
    if carried:
        ours, limit = carried
        made.append(
            {
                "name": "events that wait on their way to a broker",
                "value": ours,
                "unit": "events/s",
                "against": f"nats-py alone, one after the other: {limit:,.0f} events/s",
                "ratio": ours / limit,
                "aim": "reported",
                "met": None,
            }
        )
    return made


async def _traced(url: str, key: str) -> tuple[float, float]:
    """Return the processor time of an order in milliseconds, without traces and with them: medians, taken in turns."""
    took: tuple[list[float], list[float]] = ([], [])
    async with _collector() as endpoint:
        for _ in range(PARTS):
            for times, environment in zip(took, ({}, {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}), strict=True):
                async with shop.serving(url, environment=environment) as server, _buyers(server, key) as buyers:
                    buying = _over_http(buyers[:CLIENTS])
                    await _bought(buying, WARM)
                    await _idle(server)  # what follows a start, such as a landing, has ended
                    before = _worked_s(server)
                    await _bought(buying, ORDERS)
                    times.append(1000 * (_worked_s(server) - before) / ORDERS)
    return statistics.median(took[0]), statistics.median(took[1])


async def _bought(buying: Sequence[Buying], orders: int) -> None:
    async def client(buy: Buying) -> None:
        for _ in range(orders // len(buying)):
            await buy()

    await asyncio.gather(*map(client, buying))


async def _idle(server: shop.Server) -> None:
    worked = 1.0
    while worked > IDLE:
        before = _worked_s(server)
        await asyncio.sleep(1)
        worked = _worked_s(server) - before


def _worked_s(server: shop.Server) -> float:
    return sum(server.process.cpu_times()[:2])


@asynccontextmanager
async def _collector() -> AsyncGenerator[str]:
    """Give the address of what takes traces by HTTP."""

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = re.search(rb"content-length: (\d+)", head.lower())
                await reader.readexactly(int(length[1]) if length else 0)
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async with await asyncio.start_server(take, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def _carried(url: str) -> tuple[float, float]:
    """Return how many events a second go to a broker: from the database, and by its client alone."""
    async with shop.running(url) as running, _broker() as address:
        outbox = Outbox(running.database)
        await outbox.subscribe(CONSUMER)
        await outbox.move_to(CONSUMER, await outbox.newest())
        for _ in range(ORDERS):
            lines = tuple(checkout.BuyLine(sku=sku, quantity=1) for sku in _basket())
            ask = checkout.PlaceOrder(currency=shop.CURRENCY, lines=lines)
            await running.platform.call(checkout.place_order, ask, shop.CALLER, key=uuid.uuid4().hex)
        waiting = 2 * ORDERS
        client = await nats.connect(address)
        stream = client.jetstream()
        broker = Broker(Place(database=running.database, settings=BrokerSettings(url=address)))
        began = time.perf_counter()
        work = asyncio.create_task(broker.run(LeavingEvents(running.platform, running.database)))
        while await _stored(stream) < waiting:  # noqa: ASYNC110 - it is elsewhere
            await asyncio.sleep(0.02)
        ours = waiting / (time.perf_counter() - began)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        bodies = [(await stream.get_msg("ISTHMUS", number + 1)).data or b"" for number in range(waiting)]
        await stream.add_stream(name="ALONE", subjects=["alone.>"])
        began = time.perf_counter()
        for body in bodies:
            await stream.publish("alone.event", body, headers={"Nats-Msg-Id": json.loads(body)["id"]})
        alone = waiting / (time.perf_counter() - began)
        await client.close()
    return ours, alone


async def _stored(stream: Any) -> int:
    try:
        return (await stream.stream_info("ISTHMUS")).state.messages
    except NotFoundError:
        return 0


@asynccontextmanager
async def _broker() -> AsyncGenerator[str]:
    """Give the address of a NATS server with JetStream, and an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        command = ("nats-server", "-js", "-sd", folder, "-a", "127.0.0.1", "-p", "-1", "-l", str(log))
        server = await asyncio.create_subprocess_exec(*command)
        try:
            while not (log.exists() and "Server is ready" in log.read_text()):  # noqa: ASYNC110 - it is elsewhere
                await asyncio.sleep(0.02)
            found = re.search(r"client connections on (127\.0\.0\.1:\d+)", log.read_text())
            assert found is not None
            yield f"nats://{found[1]}"
        finally:
            server.kill()
            await server.wait()
