"""Wrong policies on real servers: two nodes on one database, of which one or both cannot make sense of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from isthmus.gateway.auth import create_client
from isthmus.governance import doctor
from isthmus.kernel import errors
from isthmus.packs.policy.pack import PACK
from isthmus.runtime.deploy import deploy as deploys
from isthmus.runtime.deploy import rollout as switches
from isthmus.store import Database
from tests.flows.serving import Server
from tests.waiting import until

from .deployed import REQUEST, deploy_context, write

CLOSED = '@id("closed") forbid (principal is Client, action in Action::"read", resource);'
UNREAD = "forbid (principal, action, resource"
OF_RISK = '@id("no-lists") forbid (principal, action == Action::"risk.put-listed", resource);'
WITHOUT_RISK = '[platform]\nleave_out = ["risk", "risk-checks"]\n'


@dataclass(frozen=True, slots=True)
class Node:
    """A server in its own folder, and what it answers."""

    folder: Path
    server: Server

    async def status(self, key: str) -> int:
        """Return how a call is answered: 200 or why not."""
        known = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        async with httpx.AsyncClient(headers=known, timeout=30) as client:
            url = f"http://127.0.0.1:{self.server.port}/v1/north.which"
            return (await client.post(url, content=b"{}")).status_code

    async def comes_to(self, key: str, status: int) -> None:
        async def has_come() -> bool:
            return await self.status(key) == status

        await until(has_come, f"that it answers {status}")

    def writes(self, text: str) -> None:
        (self.folder / "policies").mkdir(exist_ok=True)
        (self.folder / "policies" / "company.cedar").write_text(text)


@dataclass(frozen=True, slots=True)
class Nodes:
    """Two nodes, what they share, and a key."""

    one: Node
    two: Node
    database: Database
    work: Path
    key: str

    async def deploy(self, rules: str) -> None:
        settings = repr({"policy.rules": rules}) if rules else "{}"
        folder = write(self.work, "first", settings=settings)
        await deploys.deploy(deploy_context(self.database, self.work.parent / "own"), folder, REQUEST)

    async def troubles(self) -> list[str]:
        """Return what the doctor says of servers and their policies."""
        async with self.database.platform() as session:
            (found,) = await doctor.examine(session, [PACK], 10)
        return [str(row["trouble"]) for row in found.rows]


def _node(folder: Path, url: str, settings: str = "") -> Node:
    folder.mkdir()
    (folder / "isthmus.toml").write_text(settings)
    return Node(folder, Server(folder, url))


@pytest.fixture
async def nodes(database: Database, database_url: str, tmp_path: Path) -> AsyncIterator[Nodes]:
    """Give two running nodes with the first version; the second has no pack of risk."""
    key = await create_client(database, "north", "shop")
    one = _node(tmp_path / "one", database_url)
    two = _node(tmp_path / "two", database_url, WITHOUT_RISK)
    found = Nodes(one, two, database, tmp_path / "work", key)
    await found.deploy("")
    with ExitStack() as ends:
        for node in (one, two):
            ends.callback(node.server.stop)
            await node.server.start()
        yield found


async def test_a_file_that_does_not_parse_on_one_node_leaves_both_as_they_were(nodes: Nodes) -> None:
    for node in (nodes.one, nodes.two):
        assert await node.status(nodes.key) == 200
        node.writes(CLOSED)
        await node.comes_to(nodes.key, 403)
    nodes.two.writes(UNREAD)

    async def is_found() -> bool:
        return any("company.cedar" in one for one in await nodes.troubles())

    await until(is_found, "that the doctor finds it")
    assert len([one for one in await nodes.troubles() if one]) == 1, "the other node is as it should be"
    assert [await node.status(nodes.key) for node in (nodes.one, nodes.two)] == [403, 403]
    nodes.two.writes("")
    nodes.one.writes("")
    for node in (nodes.one, nodes.two):
        await node.comes_to(nodes.key, 200)


async def test_a_node_does_not_start_with_a_file_that_does_not_parse_and_the_other_goes_on(nodes: Nodes) -> None:
    nodes.two.server.stop()
    nodes.two.writes(UNREAD)
    with pytest.raises(AssertionError, match="the server has ended with"):
        await nodes.two.server.start()
    assert await nodes.one.status(nodes.key) == 200
    nodes.two.writes("")
    await nodes.two.server.start()
    assert await nodes.two.status(nodes.key) == 200


async def test_a_deploy_of_policies_that_do_not_parse_is_refused_and_no_node_switches(nodes: Nodes) -> None:
    before = await switches.current(nodes.database, "north")
    with pytest.raises(errors.BuildProblems, match=r"policy\.rules of north: Policy parse error"):
        await nodes.deploy(UNREAD)
    assert await switches.current(nodes.database, "north") == before
    assert [await node.status(nodes.key) for node in (nodes.one, nodes.two)] == [200, 200]


async def test_a_deploy_of_policies_that_fit_one_node_alone_switches_neither_and_says_which(nodes: Nodes) -> None:
    before = await switches.current(nodes.database, "north")
    with pytest.raises(switches.WorkersNotReady) as refused:
        await nodes.deploy(f"{OF_RISK}\n{CLOSED}")
    assert "does not fit this server" in str(refused.value)
    assert "risk.put-listed" in str(refused.value)
    assert await switches.current(nodes.database, "north") == before
    assert [await node.status(nodes.key) for node in (nodes.one, nodes.two)] == [200, 200]


async def test_a_node_that_comes_back_to_policies_that_it_cannot_read_lets_nobody_in(nodes: Nodes) -> None:
    nodes.two.server.stop()
    await nodes.deploy(OF_RISK)
    assert await nodes.one.status(nodes.key) == 200
    await nodes.two.server.start()
    assert await nodes.two.status(nodes.key) == 403
    assert await nodes.one.status(nodes.key) == 200
    await nodes.deploy(CLOSED)
    await asyncio.gather(*(node.comes_to(nodes.key, 403) for node in (nodes.one, nodes.two)))
    await nodes.deploy("")
    await asyncio.gather(*(node.comes_to(nodes.key, 200) for node in (nodes.one, nodes.two)))
