"""Deploys under real server processes: switched under load, killed in the middle, sent over HTTP."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from isthmus.gateway.auth import create_client
from isthmus.runtime.deploy import deploy as deploys
from isthmus.runtime.deploy import rollout as switches
from isthmus.runtime.deploy import versions
from isthmus.runtime.deploy.remote import Refused, Remote
from isthmus.store import Database
from tests.flows.serving import Server
from tests.waiting import until

from .deployed import REQUEST, deploy_context, doer, said, write

CLIENTS = 8
READY = """
    select w.pid from runtime.ready r join runtime.worker w on w.id = r.worker
    where r.front_end = 'north' and r.hash = $1"""
DEPLOYING = "select count(*) > 0 from pg_stat_activity where application_name = 'isthmus deploy'"
SWITCHES = 12  # bench/deploy.py makes 250


@dataclass
class Load:
    """Clients that call all the time, and what they were answered."""

    url: str
    key: str
    answers: set[str] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)
    calls: int = 0

    async def run(self) -> None:
        known = {"authorization": f"Bearer {self.key}"}
        async with httpx.AsyncClient(headers=known, timeout=30) as client, asyncio.TaskGroup() as clients:
            for _ in range(CLIENTS):
                clients.create_task(self._call(client))

    async def _call(self, client: httpx.AsyncClient) -> None:
        for number in itertools.count():
            ask = b'{"wait_ms": %d}' % (number % 3 * 5)
            sent = {"content-type": "application/json"}
            try:
                answer = await client.post(f"{self.url}/v1/north.which", content=ask, headers=sent)
            except httpx.HTTPError as error:
                self.failures.append(repr(error))
                continue
            self.calls += 1
            if answer.status_code != 200:
                self.failures.append(answer.text)
            else:
                self.answers.add(answer.text)


@pytest.fixture
async def served(database: Database, database_url: str, tmp_path: Path) -> AsyncIterator[list[Server]]:
    """Give two nodes of two workers each, which run the first version."""
    nodes = [Server(_placed(tmp_path / f"node-{number}"), database_url, workers=2) for number in range(2)]
    await deploys.deploy(deploy_context(database, tmp_path / "own"), write(tmp_path / "work", "first"), REQUEST)
    with ExitStack() as ends:
        for node in nodes:
            ends.callback(node.stop)
            await node.start()
        await _workers(database, 4)
        yield nodes


def _placed(folder: Path) -> Path:
    folder.mkdir()
    return folder


async def _workers(database: Database, count: int) -> list[int]:
    async def look() -> list[int]:
        async with database.platform() as session:
            rows = await session.fetch(switches._LIVE)
        return [row["pid"] for row in rows] if len(rows) == count else []

    return await until(look, f"that there are {count} workers")


async def _pids_of(database: Database, node: Server) -> list[int]:
    """Return the workers of one node: those whose parent is its process."""
    return [pid for pid in await _workers(database, 4) if f"\nPPid:\t{node.pid}\n" in _status(pid)]


def _status(pid: int) -> str:
    return Path(f"/proc/{pid}/status").read_text()


async def _ready(database: Database, folder: Path) -> list[int]:
    async with database.platform() as session:
        return [row["pid"] for row in await session.fetch(READY, versions.pack(folder).hash)]


async def _others_are_ready(database: Database, folder: Path, stopped: int) -> bool:
    ready = await _ready(database, folder)
    return len(ready) == 3 and stopped not in ready


async def _answers(database: Database, nodes: Sequence[Server]) -> set[str]:
    """Return what some calls of each node are answered, over connections of their own, so that every worker is met."""
    key = await create_client(database, "north", f"shop {uuid4()}")
    known = {"authorization": f"Bearer {key}", "content-type": "application/json", "connection": "close"}
    found: set[str] = set()
    async with httpx.AsyncClient(headers=known, timeout=30) as client:
        for node in nodes:
            for _ in range(20):
                answer = await client.post(f"http://127.0.0.1:{node.port}/v1/north.which", content=b"{}")
                found.add(answer.text)
    return found


async def test_no_request_fails_and_none_sees_two_versions_while_versions_are_switched(database, served, tmp_path):
    key = await create_client(database, "north", "shop")
    loads = [Load(f"http://127.0.0.1:{node.port}", key) for node in served]
    tasks = [asyncio.create_task(load.run()) for load in loads]
    where, folder = deploy_context(database, tmp_path / "own"), write(tmp_path / "work", "second")
    await deploys.deploy(where, folder, REQUEST)
    hashes = [one.hash for one in await versions.versions(database, "north")]
    for number in range(SWITCHES):
        held = await switches.current(database, "north")
        assert held is not None
        done = await switches.put(
            database, "north", hashes[1 - number % 2], percent=100, by=doer("ada"), expected=held.id
        )
        assert (done.workers, done.behind) == (4, ())
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    for load in loads:
        assert load.failures == []
        assert load.answers == {said("first"), said("second")}, "a mixed answer would be a third kind"
        assert load.calls > SWITCHES


async def test_a_worker_killed_in_the_middle_of_a_switch_stops_nothing(database, served, tmp_path):
    pids = await _workers(database, 4)
    folder = write(tmp_path / "work", "second")
    deploying = asyncio.create_task(deploys.deploy(deploy_context(database, tmp_path / "own"), folder, REQUEST))
    os.kill(pids[0], signal.SIGSTOP)  # it hears of the version, and does nothing
    await until(partial(_others_are_ready, database, folder, pids[0]), "that the others are ready")
    os.kill(pids[0], signal.SIGKILL)
    done = await deploying
    assert done.outcome == "live"
    assert done.behind == ()
    key = await create_client(database, "north", "shop")
    async with httpx.AsyncClient(headers={"authorization": f"Bearer {key}"}, timeout=30) as client:
        for node in served:
            for _ in range(10):
                sent = {"content-type": "application/json"}
                answer = await client.post(f"http://127.0.0.1:{node.port}/v1/north.which", content=b"{}", headers=sent)
                assert answer.text == said("second")


async def test_a_worker_killed_between_being_ready_and_switching_stops_nothing(database, served, tmp_path):
    pids = await _workers(database, 4)
    folder = write(tmp_path / "work", "second")
    deploying = asyncio.create_task(deploys.deploy(deploy_context(database, tmp_path / "own"), folder, REQUEST))

    async def is_ready() -> bool:
        return deploying.done() or pids[0] in await _ready(database, folder)

    await until(is_ready, "that it is ready")
    os.kill(pids[0], signal.SIGKILL)
    done = await deploying
    assert (done.outcome, done.behind) == ("live", ())
    assert await _answers(database, served) == {said("second")}


@pytest.mark.slow
async def test_a_node_that_was_away_during_a_switch_answers_by_it_soon_after_and_never_mixed(
    database, served, tmp_path
):
    pids = await _workers(database, 4)
    before, after = served
    frozen = await _pids_of(database, after)
    assert len(frozen) == 2 < len(pids)
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)  # as a machine that was put to sleep: its connections stay
    done = await deploys.deploy(deploy_context(database, tmp_path / "own"), write(tmp_path / "work", "second"), REQUEST)
    assert done.outcome == "live"
    assert await _answers(database, [before]) == {said("second")}
    for pid in frozen:
        os.kill(pid, signal.SIGCONT)
    seen: set[str] = set()

    async def answers_by_it() -> bool:
        found = await _answers(database, [after])
        seen.update(found)
        return found == {said("second")}

    await until(answers_by_it, "that it answers by the second version")
    assert seen <= {said("first"), said("second")}
    after.stop()
    await deploys.deploy(deploy_context(database, tmp_path / "own"), write(tmp_path / "work", "third"), REQUEST)
    await after.start()
    assert await _answers(database, [after]) == {said("third")}, "ready is said when it has caught up"


@pytest.mark.slow
async def test_of_two_who_deploy_a_front_end_at_once_one_is_refused_and_another_front_end_ships(
    database, served, tmp_path
):
    url = f"http://127.0.0.1:{served[0].port}"
    other = f"http://127.0.0.1:{served[1].port}"
    team = await create_client(database, "north", "team", ["deploy.*"])
    southerners = await create_client(database, "south", "team", ["deploy.*"])
    slow = write(tmp_path / "slow", "second")
    (slow / "test_slow.py").write_text("import time\n\n\ndef test_slow():\n    time.sleep(8)\n")
    first = asyncio.create_task(asyncio.to_thread(Remote(url, team).deploy, slow, REQUEST))
    async with database.platform() as session:
        while not await session.fetch_value(DEPLOYING):
            assert not first.done()
            await asyncio.sleep(0.01)
    with pytest.raises(Refused, match="another deploy of 'north' is under way"):
        await asyncio.to_thread(Remote(other, team).deploy, write(tmp_path / "work", "third"), REQUEST)
    south = await asyncio.to_thread(
        Remote(other, southerners).deploy, write(tmp_path / "work", "first", code="south"), REQUEST
    )
    assert south.outcome == "live"
    assert (await first).outcome == "live"
    assert await _answers(database, served) == {said("second")}


async def test_a_team_deploys_over_http_with_a_key_of_its_own(database, served, tmp_path):
    url = f"http://127.0.0.1:{served[0].port}"
    shop = await create_client(database, "north", "shop")
    team = await create_client(database, "north", "team", ["deploy.*"])
    others = await create_client(database, "south", "team", ["deploy.*"])
    folder = write(tmp_path / "work", "second")

    def send(key: str) -> deploys.Deployed:
        return Remote(url, key).deploy(folder, REQUEST)

    with pytest.raises(Refused, match="may not deploy"):
        await asyncio.to_thread(send, shop)
    with pytest.raises(Refused, match="this key is of 'south'"):
        await asyncio.to_thread(send, others)
    done = await asyncio.to_thread(send, team)
    assert (done.outcome, done.workers) == ("live", 4)
    broken = folder / "front_end.py"
    broken.write_text(broken.read_text().replace('"catalog.*"', '"catalogue.*"'))
    with pytest.raises(Refused, match="did you mean"):
        await asyncio.to_thread(send, team)
    (line,) = await asyncio.to_thread(Remote(url, team).versions)
    assert [line.runs(one.hash) for one in line.versions] == ["live", ""]
    assert line.switch is not None
    assert line.switch.made_by == "team"
    back = await asyncio.to_thread(Remote(url, team).decide, "rollback", reason="too dear")
    assert back.switch.stable == line.versions[1].hash
    assert back.workers == 4
