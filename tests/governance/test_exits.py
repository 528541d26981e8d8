"""A pack that leaves the platform answers as it did, or says what holds it."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, cast
from uuid import uuid4

import httpx
import pytest

from isthmus.app import exits
from isthmus.app.config import WrongConfig, load_config
from isthmus.app.packs import plugging
from isthmus.app.platform import Running
from isthmus.governance.exits import exercise, runs, tables
from isthmus.governance.exits.calls import Again, asked_of
from isthmus.governance.exits.held import Hold, flows_of, holds, is_domain, joins
from isthmus.governance.exits.messages import NOTHING, Forwarded
from isthmus.governance.exits.own import declared_by, described
from isthmus.governance.exits.package import CannotEject, write
from isthmus.governance.exits.reach import copied, reached, renamed
from isthmus.governance.exits.remote import in_place
from isthmus.kernel import (
    PASS,
    Caller,
    Context,
    Effect,
    FrontEnd,
    Meta,
    Pack,
    Pass,
    Platform,
    Registry,
    Value,
    Verdict,
    answers,
    decode,
    encode,
    errors,
    flow,
    implements,
    veto,
)
from isthmus.kernel.host import Release
from isthmus.markings import Pii
from isthmus.packs.pricing import api
from isthmus.packs.pricing.pack import PACK
from isthmus.personal import ERASED, erased_attributes
from isthmus.runtime.replay.record import Recorder, Recording
from isthmus.store import Database, MigrationSource, connect, migrate
from isthmus.values import Buyer, Money
from tests import shipped
from tests.standing_alone import SECRET, TOKEN, served

MONDAY = datetime(2026, 6, 1, 8, tzinfo=UTC)
WEEK = timedelta(days=7)
TODAY = date(2026, 6, 1)
NORTH, SOUTH = Caller(front_end="north", client="office"), Caller(front_end="south", client="office")
SHIPPED = {pack.name: pack for pack in shipped.PACKS}


@answers(api.adjust_unit_price)
def gold_price(lines: Sequence[api.ListedLine], buyer: Buyer) -> Sequence[api.UnitPrice | Pass]:
    one = api.UnitPrice(amount=Money(minor=1, currency="USD"), by="south", reason="gold")
    return [one if buyer.tier == "gold" and line.sku == "tea" else PASS for line in lines]


@answers(api.validate_price)
def nothing_free(prices: Sequence[api.PriceEntry]) -> Sequence[Verdict]:
    return [veto("nothing is free", path=".amount") if one.amount == 0 else Verdict() for one in prices]


FRONT_ENDS = (
    FrontEnd(code="north", name="North", owner="n", uses=("pricing.*",)),
    FrontEnd(code="south", name="South", owner="s", uses=("pricing.*",), answers=(gold_price, nothing_free)),
)


@flow("north.open-shop", version="1.0", effect=Effect.WRITE, uses=[api.put_prices, api.quote])
def open_shop(ask: api.PutPrices) -> api.Quote:
    """Put prices on the shelf, and say what the first of them costs."""
    ...


@implements(open_shop)
async def do_open_shop(ask: api.PutPrices, ctx: Context) -> api.Quote:
    await ctx.call(api.put_prices, ask)
    return await ctx.call(api.quote, quote(ask.prices[0].sku))


WITH_A_FLOW = FrontEnd(
    code="north", name="North", owner="n", uses=("pricing.*",), capabilities=(open_shop,),
    implementations=(do_open_shop,),
)  # fmt: skip


def release(*packs: Pack) -> Release:
    return Registry().add(*packs, *FRONT_ENDS).freeze()


def priced(sku: str, amount: int) -> api.PutPrices:
    return api.PutPrices(prices=(api.PriceEntry(sku=sku, currency="USD", amount=amount, valid_from=MONDAY - WEEK),))


def quote(*skus: str, tier: str = "") -> api.QuoteLines:
    lines = tuple(api.QuoteLine(sku=sku, quantity=3) for sku in skus)
    return api.QuoteLines(lines=lines, currency="USD", buyer=Buyer(tier=tier))


@pytest.fixture
async def platforms(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[[bool], Platform]]:
    """Give platforms whose pricing is a service, on the rows of the one that has the pack."""
    monkeypatch.setenv(TOKEN, SECRET)
    async with served(PACK, database.url) as address:

        def made(is_undone: bool) -> Platform:
            pack = in_place(PACK, address, TOKEN, is_undone=is_undone)
            return Platform(release(pack), database, clock=lambda: MONDAY)

        yield made


async def test_a_service_in_the_packs_place_says_what_the_pack_says(
    database: Database, platforms: Callable[[bool], Platform]
) -> None:
    here, there = Platform(release(PACK), database, clock=lambda: MONDAY), platforms(False)
    assert await there.call(api.put_prices, priced("tea", 500), SOUTH) == api.PricesPut(changed=1, unchanged=0)
    assert await there.call(api.put_prices, priced("milk", 90), SOUTH, key="k") == api.PricesPut(changed=1, unchanged=0)
    for tier, total in (("", 1_500), ("gold", 3)):
        ask = quote("tea", "milk", tier=tier)
        said = await there.call(api.quote, ask, SOUTH)
        assert said == await here.call(api.quote, ask, SOUTH)
        assert said.lines[0].amount.minor == total, "the front end's own answer was asked"
    async with database.platform() as session:
        sent = await session.fetch("select type, front_end, trace <> '' as traced from isthmus.outbox order by type")
    assert [tuple(row) for row in sent] == [("pricing.prices-changed", "south", True)] * 2


async def test_a_refusal_of_the_service_is_the_packs_own(
    database: Database, platforms: Callable[[bool], Platform]
) -> None:
    here, there = Platform(release(PACK), database, clock=lambda: MONDAY), platforms(False)
    await here.call(api.put_prices, priced("tea", 500), SOUTH)
    asks = (
        (api.quote, quote("tea", "nails")),
        (api.put_prices, priced("milk", 0)),
        (api.quote, quote("tea").replace(currency="EUR")),
    )
    for capability, ask in asks:
        with pytest.raises(errors.Refusal) as was:
            await here.call(capability, ask, SOUTH)
        with pytest.raises(type(was.value)) as found:
            await there.call(capability, ask, SOUTH)
        assert (str(found.value), found.value.facts) == (str(was.value), was.value.facts)


async def test_a_call_that_is_undone_leaves_nothing(database: Database, platforms: Callable[[bool], Platform]) -> None:
    there = platforms(True)
    for _ in range(2):
        assert await there.call(api.put_prices, priced("tea", 500), NORTH) == api.PricesPut(changed=1, unchanged=0)
    with pytest.raises(api.CurrencyNotSold):
        await there.call(api.quote, quote("tea"), NORTH)


async def test_a_write_is_done_once_for_its_call_and_nobody_is_let_in_without_the_token(database: Database) -> None:
    call = {"front_end": "north", "call_id": "c1", "ask": json.loads(priced_json("tea", 500))}
    async with served(PACK, database.url) as address, httpx.AsyncClient(base_url=address) as client:
        assert (await client.post("/v1/pricing.put-prices", json=call)).status_code == 401
        client.headers["Authorization"] = f"Bearer {SECRET}"
        first, again = [(await client.post("/v1/pricing.put-prices", json=call)).json() for _ in range(2)]
        asked = (await client.post("/v1/pricing.quote", json={**call, "call_id": "c2", "ask": {"lines": []}})).json()
        unknown = (await client.post("/v1/pricing.quota", json=call)).json()
    assert first == again
    assert first["answer"] == {"changed": 1, "unchanged": 0}
    assert asked["refused"]["slug"] == "bad-ask"
    assert asked["refused"]["path"] == "$.lines"
    assert "did you mean 'pricing.quote'?" in unknown["refused"]["message"]


def priced_json(sku: str, amount: int) -> str:
    return json.dumps(
        {"prices": [{"sku": sku, "currency": "USD", "amount": amount, "valid_from": (MONDAY - WEEK).isoformat()}]}
    )


async def test_rows_go_along_and_their_numbers_go_on(database: Database, empty_url: str, tmp_path: Path) -> None:
    platform = Platform(release(PACK), database, clock=lambda: MONDAY)
    for sku in ("tea", "milk"):
        await platform.call(api.put_prices, priced(sku, 500), NORTH)
    assert await tables.dump(database.url, "pricing", tmp_path) == 3  # prices, lists of others, and their grants
    await migrate(empty_url, [MigrationSource.of_pack("pricing", PACK.migrations)])
    await tables.load(empty_url, tmp_path)
    async with await Database.open(empty_url) as other:
        there = Platform(release(PACK), other, clock=lambda: MONDAY)
        asked = api.ListPriceHistory(sku="tea")
        assert await there.call(api.list_price_history, asked, NORTH) == (
            await platform.call(api.list_price_history, asked, NORTH)
        )
        await there.call(api.put_prices, priced("salt", 10), NORTH)  # its number is behind theirs


async def test_grants_of_a_schema_whose_name_is_only_like_it_stay(database: Database, tmp_path: Path) -> None:
    async with database.platform() as session:
        for schema in ("risk_x", "riskyx"):
            await session.execute("insert into isthmus.shareable values ($1, '', '{}')", f"{schema}.rows")
            await session.execute(
                "insert into isthmus.row_grant (grant_id, owner, kind, name, part, to_front_end, can, bounds, reason,"
                " given_at, given_by) values (gen_random_uuid(), 'north', $1, 'a', '', 'south', 'read', '{}', 'r',"
                " now(), 'me')",
                f"{schema}.rows",
            )
    await tables.dump(database.url, "risk_x", tmp_path)
    rows = (tmp_path / "row_grant.csv").read_text()
    assert "risk_x.rows" in rows
    assert "riskyx.rows" not in rows


async def test_a_database_of_a_check_that_was_killed_goes_with_the_next_and_that_of_one_that_runs_stays(
    database: Database,
) -> None:
    connection, other = await connect(database.url), await connect(database.url)
    left, held = (f"{exercise.BESIDE}{one}_{uuid4().hex[:8]}" for one in ("left", "held"))
    try:
        await other.execute(f"set application_name = '{held}'")
        for name in (left, held):
            await connection.execute(f"create database {name}")
        async with exercise.beside(database.url) as url:
            known = {row["datname"] for row in await connection.fetch("select datname from pg_database")}
            assert left not in known
            assert {held, url.partition("?")[0].rpartition("/")[2]} <= known
    finally:
        await connection.execute(f"drop database if exists {held}")
        for one in (connection, other):
            await one.close()


def test_what_a_pack_reaches_goes_along_under_its_own_name(tmp_path: Path) -> None:
    found = reached(PACK)
    packs = {name.split(".")[2] for name in found.modules if name.startswith("isthmus.packs.")}
    assert packs == {"pricing"}
    assert not [name for name in found.modules if name.startswith(("isthmus.app", "isthmus.cli", "isthmus.gateway"))]
    assert {"asyncpg", "msgspec", "starlette", "uvicorn"} <= found.needs.keys()
    files = copied(found, "pricing_service")
    assert "isthmus/packs/pricing/migrations/0001_create.sql" in files
    assert "isthmus/store/migrations/0001_store.sql" in files
    for name, content in files.items():
        if name.endswith(".py"):
            for node in ast.walk(ast.parse(content)):
                named = [one.name for one in node.names] if isinstance(node, ast.Import) else []
                named += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
                assert not [one for one in named if one.partition(".")[0] == "isthmus"], name


def test_only_imports_and_places_are_renamed() -> None:
    text = (
        "from isthmus.kernel import (\n    Pack,\n)\nfrom isthmus_else import x\nfrom . import api\n"
        "AT = 'isthmus.packs.till:migrations'\nSQL = \"select isthmus.guard('till.note')\"  # é isthmus.kernel\n"
    )
    assert renamed(text, "till_service", {"isthmus"}) == text.replace(
        "from isthmus.kernel", "from till_service.isthmus.kernel"
    ).replace("'isthmus.packs", "'till_service.isthmus.packs")


class Doorstep(Value):
    who: Annotated[str, Pii("name"), Meta(max_length=30)]
    code: Annotated[str, Pii("identifier"), Meta(pattern="^[0-9]+$")]
    floor: int = 0
    sign: str = ""


def test_a_pack_that_stands_alone_knows_what_of_a_front_ends_attributes_is_personal() -> None:
    sent = decode(encode(Forwarded(ask=NOTHING, front_end="north", attributes=described({"a.b": Doorstep}))), Forwarded)
    given = {"who": "Ada", "code": "17", "floor": 3, "sign": "left"}
    known = declared_by(sent.attributes)["a.b"]
    here, there = (erased_attributes(given, one, b"k" * 32) for one in (Doorstep, known))
    assert here == there
    assert (there["floor"], there["sign"], there["code"]) == (3, "left", "0")
    assert there["who"].startswith(ERASED)


def test_what_holds_a_pack_is_named_with_its_place() -> None:
    def why(name: str) -> list[str]:
        return [one.why for one in holds(SHIPPED[name])]

    assert holds(PACK) == []
    assert re.search(r"isthmus\.packs\.flags\.service\.\w+:\d+ needs FlagStore", " ".join(why("flags")))
    assert "the platform works with its Journal, in its own process" in why("audit")
    assert any("grants has no tables of its own" in one for one in why("grants"))
    alone = {name for name, pack in SHIPPED.items() if is_domain(pack) and not holds(pack)}
    assert {"order", "payment", "media", "messaging", "notification"} <= alone
    assert len(alone) == 20
    flows = flows_of(shipped.PACKS)
    assert joins(PACK, flows) == []
    assert joins(SHIPPED["chargeback"], flows) == [
        Hold(
            why="chargeback.note is part of the transaction of disputes.receive-chargeback",
            next="make disputes.receive-chargeback go in steps (`Effect.SAGA`); or leave out disputes where nobody "
            "needs it",
            in_place=True,
        )
    ]
    assert joins(SHIPPED["settlement"], flows) == [], "what is noted there again adds nothing, so it may stay"
    assert all(one.next for pack in shipped.PACKS for one in (*holds(pack), *joins(pack, flows)))


def test_a_pack_that_holds_on_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(CannotEject, match=r"flags cannot stand alone: isthmus\.packs\.flags\S+ needs FlagStore"):
        write(SHIPPED["flags"], shipped.build([]), tmp_path, tmp_path / "flags", [], "1", TODAY)
    assert not (tmp_path / "flags").exists()


def test_settings_put_a_service_in_a_packs_place_and_say_where_none_can_be(tmp_path: Path) -> None:
    config = load_config(Path("isthmus.toml"))
    said = {"url": "http://127.0.0.1:1", "secret": TOKEN}
    packs, problems = plugging(replace(config, ejected={"pricing": said, "chargeback": said, "prices": said}))
    pricing = next(pack for pack in packs if pack.name == "pricing")
    assert not pricing.entities
    assert pricing.implementations[0].source.startswith("http://127.0.0.1:1 ")
    assert problems == [
        "[ejected.chargeback] chargeback.note is part of the transaction of disputes.receive-chargeback, which a "
        "service cannot be rolled back with; take the section out",
        "[ejected.prices] names no pack (did you mean 'pricing'?); correct it, or take it out",
    ]
    file = tmp_path / "isthmus.toml"
    for text in ('[ejected.pricing]\nurl = "x"\n', "[exits]\ndays = -1\n"):
        file.write_text(text)
        with pytest.raises(WrongConfig):
            load_config(file)


async def test_the_last_exit_counts_and_says_since_when_exits_end_so(database: Database) -> None:
    await runs.keep(database, "till", MONDAY, "red", 3, "one call differs")
    await runs.keep(database, "till", MONDAY + WEEK, "green", 4, "")
    await runs.keep(database, "till", MONDAY + 2 * WEEK, "red", 5, "two calls differ")
    await runs.keep(database, "till", MONDAY + 3 * WEEK, "red", 6, "three calls differ")
    await runs.keep(database, "shelf", MONDAY, "green", 9, "")
    shelf, till = await runs.latest(database)
    assert (shelf.ended, shelf.since, shelf.sentence) == (
        "green", MONDAY, "exit: green since 2026-06-01, 9 recorded calls answered as before"
    )  # fmt: skip
    assert (till.at, till.calls, till.since) == (MONDAY + 3 * WEEK, 6, MONDAY + 2 * WEEK)
    assert till.sentence == "exit: red since 2026-06-15, three calls differ"
    alone = await runs.keep(database, "shelf", MONDAY + WEEK, "alone", 9, "shelf.fill is part of x.y")
    assert alone.sentence == (
        "exit: green alone since 2026-06-08, 9 recorded calls answered as before; not to be put in place: "
        "shelf.fill is part of x.y"
    )


async def sold_by_a_flow(database: Database) -> exercise.Ground:
    """Give the ground of a platform whose pricing was written to by a front end's flow, in its transaction, alone."""
    found = Registry().add(PACK, WITH_A_FLOW, FRONT_ENDS[1]).freeze()
    recorder = Recorder(database, found.points, Recording(share=1.0))
    platform = Platform(found, database, clock=lambda: MONDAY, recorder=recorder)
    for sku in ("tea", "milk"):
        await platform.call(open_shop, priced(sku, 500), NORTH)
    await recorder.flush()
    return exercise.Ground(platform=platform, database=database, root=Path(), version="1", today=TODAY)


async def test_what_flows_asked_a_pack_goes_along_as_calls_of_its_own(database: Database) -> None:
    ground = await sold_by_a_flow(database)
    asked = [one async for one in asked_of(database, ground.platform, PACK, 200)]
    assert sorted(one.capability for one in asked) == ["pricing.put-prices"] * 2 + ["pricing.quote"] * 2
    again = Again(database, ground.platform, PACK)
    found = [await again.answered(one) for one in asked]
    said = [one.answer for one in found if one and one.capability == "pricing.put-prices"]
    assert [bytes(one) for one in said] == [b'{"changed":0,"unchanged":1}'] * 2, "its own call, on the rows of now"
    assert len([one async for one in asked_of(database, ground.platform, PACK, 1)]) == 1


@pytest.mark.slow
async def test_a_pack_that_flows_write_to_in_their_transactions_stands_alone_and_not_in_its_place(
    database: Database, tmp_path: Path
) -> None:
    ground = await sold_by_a_flow(database)
    ended = await exercise.exercise(ground, PACK)
    assert (ended.ended, ended.calls, ended.package_calls, ended.reason) == (
        "alone", 4, 4, "pricing.put-prices is part of the transaction of north.open-shop"
    )  # fmt: skip
    await exercise.eject(ground, PACK, tmp_path / "it")
    readme = (tmp_path / "it/README.md").read_text()
    assert "cannot have it in the pack's place: pricing.put-prices is part of the transaction" in readme
    assert "isthmus adopt" not in readme


@pytest.mark.slow
async def test_an_exit_is_green_where_all_calls_are_answered_alike_and_red_where_one_is_not(
    database: Database, tmp_path: Path
) -> None:
    found = release(PACK)
    recorder = Recorder(database, found.points, Recording(share=1.0))
    platform = Platform(found, database, clock=lambda: MONDAY, recorder=recorder)
    for sku, amount in (("tea", 500), ("milk", 90)):
        for caller in (NORTH, SOUTH):
            await platform.call(api.put_prices, priced(sku, amount), caller)
    for tier in ("", "gold"):
        await platform.call(api.quote, quote("tea", "milk", tier=tier), SOUTH)
    with pytest.raises(api.NoListPrice):
        await platform.call(api.quote, quote("nails"), NORTH)
    await recorder.flush()
    ground = exercise.Ground(platform=platform, database=database, root=tmp_path, version="1", today=TODAY)
    ended = await exercise.exercise(ground, PACK)
    assert (ended.ended, ended.calls, ended.package_calls, ended.reason) == ("green", 7, 7, "")

    folder = tmp_path / "pricing-service"
    await exercise.eject(ground, PACK, folder)
    rules = folder / "pricing_service/isthmus/packs/pricing/rules.py"
    text = rules.read_text()
    rules.write_text(text.replace("minor=amount.minor * quantity)", "minor=amount.minor * quantity + 1)"))
    assert rules.read_text() != text
    site = exercise.build(folder, tmp_path / "built")
    alone = {"PYTHONPATH": str(site), "SERVICE_DATABASE_URL": database.url, "SERVICE_TOKEN": SECRET, TOKEN: SECRET}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(TOKEN, SECRET)
        async with exercise.serving("pricing_service", tmp_path, alone) as address:
            calls, differing = await exercise.compare(ground, PACK, in_place(PACK, address, TOKEN, is_undone=True))
    assert calls == 7
    assert len(differing) == 2
    assert all("of pricing.quote for south" in one for one in differing)


async def test_the_exit_that_was_tried_longest_ago_is_next_and_none_before_its_time(database: Database) -> None:
    packs = tuple(SHIPPED[name] for name in ("media", "releases", "policy"))
    platform = Platform(Registry().add(*packs).freeze(), database)
    config = replace(load_config(Path("isthmus.toml")), exit_days=7, ejected={"policy": {"url": "", "secret": ""}})
    running = cast(Running, SimpleNamespace(config=config, packs=packs, platform=platform, database=database))
    now = datetime.now(UTC)
    await runs.keep(database, "media", now - timedelta(days=6), "green", 1, "")
    await runs.keep(database, "releases", now - timedelta(days=8), "green", 1, "")
    for _ in range(2):  # the second time nothing is due
        await exits.try_next_exit(running)
    media, releases = await runs.latest(database)
    assert (media.ended, media.at) == ("green", now - timedelta(days=6))
    assert (releases.ended, releases.since == releases.at > now) == ("refused", True)
    assert "needs Artefacts, which the platform makes" in releases.reason
