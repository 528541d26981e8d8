"""A version in the shadow of the one that runs, under a real server: it is compared, and nobody meets it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

from isthmus.gateway.auth import create_client
from isthmus.runtime.deploy import deploy as deploys
from isthmus.runtime.deploy import rollout as switches
from isthmus.runtime.shadow import shadow as shadows
from isthmus.runtime.shadow.run import reachable
from isthmus.runtime.shadow.shadow import Shadow
from isthmus.store import Database
from tests import forked
from tests.flows.serving import Server
from tests.waiting import until

from .deployed import REQUEST, deploy_context, said, write

SHADOW = deploys.DeployRequest(made_by="ada", shadow=100)
LOOPS_IN_C = "import re; re.match('(a+)+$', 'a' * 40 + 'b')"  # no watchdog of this process can stop it


@pytest.fixture
async def shop(database: Database, database_url: str, tmp_path: Path) -> AsyncIterator[Shop]:
    """Give a server that runs the first version, and a client of it."""
    await deploys.deploy(deploy_context(database, tmp_path / "own"), write(tmp_path / "work", "first"), REQUEST)
    place = tmp_path / "node"
    place.mkdir()
    server = Server(place, database_url, workers=2)
    await server.start()
    key = await create_client(database, "north", "shop")
    async with httpx.AsyncClient(headers={"authorization": f"Bearer {key}"}, timeout=30) as client:
        yield Shop(database, tmp_path, client, server)
    server.stop()


class Shop:
    """A running front end, and what deploys to it."""

    def __init__(self, database: Database, folder: Path, client: httpx.AsyncClient, server: Server) -> None:
        self.database = database
        self._folder = folder
        self._client = client
        self._server = server
        self._url = f"http://127.0.0.1:{server.port}"

    async def shadow(self, version: str, *, body: str = "pass") -> deploys.Deployed:
        folder = write(self._folder / "work", version, body=body)
        if body != "pass":
            (folder / "test_answers.py").unlink()  # what hangs would hang in its own test
        return await deploys.deploy(deploy_context(self.database, self._folder / "own"), folder, SHADOW)

    async def live(self, version: str) -> deploys.Deployed:
        folder = write(self._folder / "work", version)
        return await deploys.deploy(deploy_context(self.database, self._folder / "own"), folder, REQUEST)

    async def command(self, *words: str) -> str:
        """Return what a team's own command prints, from another machine."""
        key = await create_client(self.database, "north", "team", ["deploy.*"])
        command = [*words, "--to", self._url, "--key", key]
        return (await asyncio.to_thread(forked.run, command, self._folder, os.environ)).stdout

    async def calls(self, count: int, expected: str = "first") -> None:
        for _ in range(count):
            sent = {"content-type": "application/json"}
            answer = await self._client.post(f"{self._url}/v1/north.which", content=b"{}", headers=sent)
            assert answer.text == said(expected)

    async def price(self, minor: int) -> None:
        """Write and emit, for real."""
        price = {"sku": "assam", "currency": "EUR", "amount": minor, "valid_from": "2026-01-01T00:00:00Z"}
        answer = await self._client.post(f"{self._url}/v1/pricing.put-prices", json={"prices": [price]})
        assert answer.status_code == 200, answer.text

    async def restart(self) -> None:
        self._server.stop()
        await self._server.start()

    async def recorded(self) -> int:
        async with self.database.platform() as session:
            return await session.fetch_value("select count(*) from runtime.recorded_call")

    async def written(self) -> tuple[int, int]:
        """Return how many prices and events there are."""
        async with self.database.platform() as session:
            prices = await session.fetch_value("select count(*) from pricing.price")
            events = "select count(*) from (select id from isthmus.outbox union select id from isthmus.event) known"
            return prices, await session.fetch_value(events)

    async def until(self, is_so: Callable[[Shadow], bool], *, calling: int = 1, expected: str = "first") -> Shadow:
        """Return what the shadow has found as soon as it is so, with calls coming in all the time."""
        found = await shadows.find(self.database, "north")

        async def look() -> bool:
            nonlocal found
            await self.calls(calling, expected)
            found = await shadows.find(self.database, "north")
            return is_so(found)

        await until(look, "what the shadow is to find")
        return found


async def test_live_calls_are_run_by_the_shadow_too_and_the_shopper_gets_the_live_answer(shop: Shop) -> None:
    done = await shop.shadow("second")
    assert (done.outcome, done.percent) == ("shadow", 100)
    found = await shop.until(lambda one: one.report is not None and one.report.changed_calls > 20)
    assert found.report is not None
    said_of_it = await shop.command("shadow", "north")
    assert "in the shadow of 100 % of live calls" in said_of_it
    assert "because pricing.choose-locations: north.where" in said_of_it
    assert "shadow 100 %" in await shop.command("versions", "north")
    tallies = found.report.tallies  # on a busy machine a job of the server's is among what was compared
    (tally,) = (one for one in tallies if one.name == "north.which")
    assert (tally.same, tally.failing) == (0, 0)
    assert tally.differing == found.report.changed_calls == tally.compared
    compared = sum(one.compared + one.unreadable for one in tallies)
    assert compared == found.report.calls  # a busy machine cuts a run off: it is not compared
    assert tally.examples[0].differences[0].old == '"first"'
    assert "north.where" in tally.examples[0].cause
    assert tally.changed.low > 0.8
    held = await switches.current(shop.database, "north")
    assert held is not None
    assert (held.kind, held.staged) == ("deploy", None), "it answers nobody"


async def test_a_call_that_never_comes_back_ends_the_shadow_and_no_live_call(shop: Shop) -> None:
    await shop.shadow("second", body=LOOPS_IN_C)
    found = await shop.until(lambda one: bool(one.lost), calling=3)
    assert found.lost[0].endswith("north.which")
    assert not found.is_same


@pytest.mark.slow
async def test_a_version_that_ends_its_process_is_given_up_after_some_calls(shop: Shop) -> None:
    await shop.shadow("second", body="import os, sys; 'shadow' in sys.argv and os._exit(3)")
    found = await shop.until(lambda one: bool(one.ended))
    assert found.ended.startswith("5 calls did not come back, the last one: its process ended with 3")
    assert len(set(found.lost)) == len(found.lost) == 5, "no call is tried twice"


async def test_what_a_shadow_writes_emits_or_reaches_leaves_nothing_behind(shop: Shop) -> None:
    reaches = """import contextlib, socket
    with contextlib.suppress(Exception):
        socket.create_connection(("192.0.2.1", 9), timeout=0.05)"""
    await shop.shadow("first", body=reaches)
    await shop.until(lambda one: one.report is not None)
    for minor in range(900, 905):
        await shop.price(minor)
    written = await shop.written()

    def has_run_some(one: Shadow) -> bool:
        return one.report is not None and any(
            tally.name == "pricing.put-prices" and tally.same >= 2 for tally in one.report.tallies
        )

    found = await shop.until(has_run_some)
    assert written[1] == 5, "one event a call"
    assert await shop.written() == written
    assert found.report is not None
    asked = next(tally for tally in found.report.tallies if tally.name == "north.which")
    assert "192.0.2.1 was to be reached" in asked.notes[0]
    assert found.report.is_same


@pytest.mark.slow
async def test_a_shadow_whose_process_is_killed_goes_on_where_it_was(shop: Shop, database_url: str) -> None:
    await shop.shadow("second")
    before = await shop.until(lambda one: one.report is not None)
    calls = before.report.calls if before.report else 0
    os.kill(_process_of_the_shadow(database_url), signal.SIGKILL)
    found = await shop.until(lambda one: one.report is not None and one.report.calls > calls + 20)
    assert found.ended == ""
    assert found.report is not None
    (tally,) = (one for one in found.report.tallies if one.name == "north.which")  # beside a job of the server's
    assert tally.same == 0
    assert sum(one.compared + one.unreadable for one in found.report.tallies) == found.report.calls, "each once"


@pytest.mark.slow
async def test_a_new_live_version_takes_its_place_in_the_comparison(shop: Shop) -> None:
    await shop.shadow("third")
    await shop.until(lambda one: one.report is not None)
    await shop.live("second")

    def is_beside_second(one: Shadow) -> bool:
        examples = one.report.tallies[0].examples if one.report and one.report.tallies else ()
        return bool(examples) and examples[0].differences[0].old == '"second"'

    await shop.until(is_beside_second, expected="second")
    await shop.live("third")
    ended = await shop.until(lambda one: bool(one.ended), expected="third")
    assert ended.ended == "it was deployed"


async def test_without_a_shadow_no_process_runs_and_no_more_is_recorded(shop: Shop, database_url: str) -> None:
    await shop.shadow("second")
    await shop.until(lambda one: one.report is not None)
    assert "ended: stopped by team" in await shop.command("shadow", "north", "--stop")

    async def no_process_runs() -> bool:
        return not _processes_of_the_shadow(database_url)

    await until(no_process_runs, "that its process ends")

    async def is_unrecorded() -> bool:
        before = await shop.recorded()
        await shop.calls(30)
        await shop.restart()  # a server that stops writes down all that it has recorded
        return await shop.recorded() < before + 10

    await until(is_unrecorded, "that one in a hundred is recorded, and no more")


def _process_of_the_shadow(database_url: str) -> int:
    (found,) = _processes_of_the_shadow(database_url)
    return found


def _processes_of_the_shadow(database_url: str) -> list[int]:
    """Return the processes that run a shadow on this test's database."""
    found: list[int] = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            command, environment = (place / "cmdline").read_bytes(), (place / "environ").read_bytes()
        except OSError:
            continue
        if b"isthmus.app.process\0shadow\0" in command and database_url.encode() in environment:
            found.append(int(place.name))
    return found


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("postgresql://ada:secret@127.0.0.1:5432/shop", {"127.0.0.1"}),
        ("postgresql://127.0.0.1:5432,127.0.0.2/shop", {"127.0.0.1", "127.0.0.2"}),
        ("postgresql://[::1]:5432/shop", {"::1"}),
        ("postgresql://ada@[::1]/shop", {"::1"}),
        ("postgresql://ada@/shop?host=127.0.0.3", {"127.0.0.3"}),
    ],
)
def test_a_shadow_reaches_its_database_wherever_that_is_and_nothing_else(url: str, hosts: set[str]) -> None:
    assert reachable(url) == hosts
    assert reachable("postgresql:///shop?host=/run/postgresql") <= {"localhost", "127.0.0.1", "::1"}
