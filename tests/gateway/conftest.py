"""A shop of one shelf, to try the gateway on: it shows and sells items, takes notes, waits, breaks."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import httpx
import pytest
import uvicorn
from msgspec import field

from isthmus.gateway import auth
from isthmus.gateway.http import App, Gateway, Limits, asgi
from isthmus.gateway.ready import Readiness
from isthmus.gateway.telemetry.traces import TraceStore
from isthmus.gateway.wire.transport import WholeAnswers
from isthmus.kernel import (
    PASS,
    Context,
    Dimension,
    Effect,
    FrontEnd,
    Meta,
    Pack,
    Pass,
    Platform,
    Registry,
    Value,
    answers,
    capability,
    combine,
    encode,
    errors,
    extension_point,
    implements,
)
from isthmus.kernel.host import Deprecated
from isthmus.store import Database, MigrationSource, migrate
from tests.conftest import FreshDatabase, name_of

KIND = Dimension(name="kind", values=("standard", "presale"), default="standard")
MIGRATIONS = MigrationSource(pack="shop", schema="shop", folder=Path(__file__).parent / "shop_migrations")
SOURCES = (auth.MIGRATIONS, MIGRATIONS)


class ShowItem(Value):
    """Ask for one item."""

    sku: Annotated[str, Meta(min_length=1, max_length=20)]
    kind: str = "standard"


class Item(Value):
    """An item and what it costs, in cents."""

    sku: str
    stock: int
    price: int


class Line(Value):
    """So many of one item."""

    sku: Annotated[str, Meta(min_length=1, max_length=20)]
    quantity: Annotated[int, Meta(ge=1, le=100)]


class TakeItems(Value):
    """Take items off the shelf."""

    lines: Annotated[tuple[Line, ...], Meta(min_length=1, max_length=10)]


class Taken(Value):
    """What was taken, under a number."""

    receipt: str
    lines: tuple[Line, ...]


class WriteNote(Value):
    """Keep a text, a number, a time and tags, none of them bounded."""

    body: str
    number: int
    at: Annotated[datetime, Meta(tz=True)] | None = None
    tags: dict[str, str] = field(default_factory=dict)


class Wait(Value):
    """Wait."""

    seconds: Annotated[float, Meta(ge=0, le=5)] = 0


class NoSuchItem(errors.NotFound):
    """The shelf has no such item."""

    slug = "shop.no-such-item"


class StockShort(errors.Conflict):
    """The shelf has less than was asked for."""

    slug = "shop.stock-short"


class TillDown(errors.Unavailable):
    """The till does not answer."""

    slug = "shop.till-down"


@capability("shop.show-item", version="1.0", effect=Effect.READ, raises=[NoSuchItem])
def show_item(ask: ShowItem) -> Item:  # pyright: ignore[reportReturnType]
    """Show an item with its price.

    The front end may set the price.
    """


@capability("shop.take-items", version="1.0", effect=Effect.WRITE, raises=[NoSuchItem, StockShort])
def take_items(ask: TakeItems) -> Taken:  # pyright: ignore[reportReturnType]
    """Take all items of an ask off the shelf, or none."""


@capability("shop.write-note", version="1.0", effect=Effect.WRITE)
def write_note(ask: WriteNote) -> WriteNote:  # pyright: ignore[reportReturnType]
    """Keep a note."""


@capability("shop.wait", version="1.0", effect=Effect.READ, deadline_ms=2_000)
def wait(ask: Wait) -> Wait:  # pyright: ignore[reportReturnType]
    """Wait for some time, then say how long."""


@capability("shop.pay", version="1.0", effect=Effect.READ, raises=[TillDown])
def pay(ask: Wait) -> Wait:  # pyright: ignore[reportReturnType]
    """Fail, since the till is down."""


LEAVING = Deprecated(since=date(2026, 1, 1), sunset=date(2026, 7, 1), instead="shop.wait")


@capability("shop.doze", version="1.0", effect=Effect.READ, deprecated=LEAVING)
def doze(ask: Wait) -> Wait:  # pyright: ignore[reportReturnType]
    """Wait, as it was done before."""


@capability("shop.crash", version="1.0", effect=Effect.READ)
def crash(ask: Wait) -> Wait:  # pyright: ignore[reportReturnType]
    """Crash with a secret in the message."""


@extension_point("shop.set-price", combine=combine.first_answer, dimensions=[KIND])
def set_price(sku: str) -> int | Pass:
    """Set the price of an item, in cents."""
    return 100


@implements(show_item)
async def _show_item(ask: ShowItem, ctx: Context) -> Item:
    sql = "select stock from shop.item where front_end = $1 and sku = $2"
    stock = await ctx.session.fetch_value(sql, ctx.front_end, ask.sku)
    if stock is None:
        raise NoSuchItem(f"no item {ask.sku!r}", remedy="ask for one of the shelf", path="$.sku")
    price = ctx.answer(set_price)(ask.sku)
    assert not isinstance(price, Pass)
    return Item(sku=ask.sku, stock=stock, price=price)


@implements(take_items)
async def _take_items(ask: TakeItems, ctx: Context) -> Taken:
    sql = """update shop.item set stock = stock - $3 where front_end = $1 and sku = $2 and stock >= $3"""
    for place, line in sorted(enumerate(ask.lines), key=lambda pair: pair[1].sku):
        if await ctx.session.execute(sql, ctx.front_end, line.sku, line.quantity) != "UPDATE 1":
            short = ({"sku": line.sku, "wanted": line.quantity},)
            path = f"$.lines[{place}].quantity"
            raise StockShort(f"too few of {line.sku!r}", remedy="take fewer", path=path, lines=short)
    return Taken(receipt=str(ctx.new_id()), lines=ask.lines)


@implements(write_note)
async def _write_note(ask: WriteNote, ctx: Context) -> WriteNote:
    sql = "insert into shop.note (front_end, body, number, at, tags) values ($1, $2, $3, $4, $5)"
    await ctx.session.execute(sql, ctx.front_end, ask.body, ask.number, ask.at, encode(ask.tags))
    return ask


@implements(wait)
async def _wait(ask: Wait, ctx: Context) -> Wait:
    await asyncio.sleep(ask.seconds)
    return ask


@implements(doze)
async def _doze(ask: Wait, ctx: Context) -> Wait:
    return ask


@implements(pay)
async def _pay(ask: Wait, ctx: Context) -> Wait:
    raise TillDown("till 3 is down", remedy="pay in cash", retry_after_s=7)


@implements(crash)
async def _crash(ask: Wait, ctx: Context) -> Wait:
    raise RuntimeError("secret-of-the-shop")


@answers(set_price, when={"kind": "presale"})
def early_price(sku: str) -> int | Pass:
    """Sell early for less, but no tea."""
    return PASS if sku == "tea" else 80


PACK = Pack(
    name="shop", owner="shop team", api=sys.modules[__name__], service=(sys.modules[__name__],), migrations="here"
)
NORTH = FrontEnd(
    code="north",
    name="North",
    owner="n",
    uses=("shop.show-item", "shop.take-items", "shop.write-note"),
    answers=(early_price,),
)
SOUTH = FrontEnd(code="south", name="South", owner="s", uses=("shop.*",))


async def prepared(url: str) -> None:
    """Give a database the shop's tables and its shelf."""
    await migrate(url, SOURCES)
    async with await Database.open(url) as database, database.platform() as session:
        await session.execute("""
            insert into shop.item (front_end, sku, stock)
            select code, sku, 20 from unnest(array['north', 'south']) as code, unnest(array['tea', 'jam']) as sku""")


def gateway_on(database: Database, **options: object) -> Gateway:
    release = Registry().add(PACK, NORTH, SOUTH).freeze()
    platform = Platform(release, database)
    return Gateway(platform, auth.Clients(database), TraceStore(database), Readiness(database, SOURCES), **options)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
async def with_shelf(fresh_database: FreshDatabase) -> AsyncIterator[str]:
    """Give the name of a database with the shop's shelf, to be copied."""
    async with fresh_database() as url:
        await prepared(url)
        yield name_of(url)


@pytest.fixture
async def shop(fresh_database: FreshDatabase, with_shelf: str) -> AsyncIterator[Database]:
    """Give an open database with 20 of tea and 20 of jam for north and for south."""
    async with fresh_database(with_shelf) as url, await Database.open(url) as database:
        yield database


@pytest.fixture
def make_gateway() -> Callable[..., Gateway]:
    return gateway_on


@pytest.fixture
def gateway(shop: Database) -> Gateway:
    return gateway_on(shop)


Connect = Callable[..., httpx.AsyncClient]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Give what makes HTTP clients of an application, with a key or without."""
    made: list[httpx.AsyncClient] = []

    def make(app: App, key: str = "") -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
        made.append(httpx.AsyncClient(transport=transport, base_url="http://shop", headers=headers))
        return made[-1]

    yield make
    for client in made:
        await client.aclose()


@pytest.fixture
async def north(gateway: Gateway, shop: Database, connect: Connect) -> httpx.AsyncClient:
    """Give a client with a key of north."""
    return connect(gateway, await auth.create_client(shop, "north", "till"))


@pytest.fixture
async def south(gateway: Gateway, shop: Database, connect: Connect) -> httpx.AsyncClient:
    return connect(gateway, await auth.create_client(shop, "south", "till"))


@pytest.fixture(scope="module")
async def served(fresh_database: FreshDatabase) -> AsyncIterator[tuple[str, str]]:
    """Give the address of the shop on a real server, and a key of north."""
    async with fresh_database() as url:
        await prepared(url)
        async with await Database.open(url) as database:
            key = await auth.create_client(database, "north", "till")

        @asynccontextmanager
        async def start() -> AsyncIterator[App]:
            async with await Database.open(url) as database:
                yield gateway_on(database, limits=Limits(body_bytes_max=10_000, body_limit_s=1))

        with serving(asgi(start)) as address:
            yield address, key


class serving:
    """Serve an application in a thread with an event loop of its own, as long as a block runs."""

    def __init__(self, app: App, http: type[WholeAnswers] = WholeAnswers) -> None:
        config = uvicorn.Config(app, lifespan="on", log_level="warning", loop="uvloop", http=http, ws="none")  # type: ignore[arg-type]
        self._server = uvicorn.Server(config)

    def __enter__(self) -> str:
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listening]})
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise RuntimeError("the server did not start")
            time.sleep(0.01)
        return f"http://127.0.0.1:{listening.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()


@pytest.fixture(scope="module")
def north_served(served: tuple[str, str]) -> Iterator[httpx.Client]:
    """Give a blocking client of the served shop, with a key of north."""
    address, key = served
    with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {key}"}) as client:
        yield client
