"""Policies on several servers: files that do not fit change nothing, are said loudly, and are found by the doctor."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from isthmus.governance import doctor
from isthmus.kernel import Caller, FrontEnd, Platform, ports
from isthmus.manifest import Place
from isthmus.packs.inventory import api as inventory
from isthmus.packs.inventory.pack import PACK as INVENTORY
from isthmus.packs.policy import api
from isthmus.packs.policy.pack import PACK
from isthmus.packs.policy.service.nodes import PolicySettings, policies_at
from isthmus.packs.policy.service.policies import Policies
from isthmus.runtime.deploy import declared
from isthmus.store import Database

CLOSED = '@id("closed") forbid (principal is Client, action == Action::"inventory.list-stock", resource);'
TILL = Caller(front_end="north", client="till", via="http")
MakePlatform = Callable[..., Awaitable[Platform]]


class Server:
    """One server of several: its folder, its policies, and calls that it serves."""

    def __init__(self, folder: Path, platform: Platform, database: Database) -> None:
        self.folder = folder / "policies"
        self.folder.mkdir(parents=True)
        self.policies: Policies = policies_at(
            Place(database=database, settings=PolicySettings(), root=folder, data=folder, packs=(INVENTORY, PACK))
        )
        resources = {**platform.resources, ports.Guard: self.policies}
        self.platform = Platform(platform.release, platform.store, resources=resources)

    async def writes(self, text: str, name: str = "company.cedar") -> None:
        (self.folder / name).write_text(text)
        await self.policies.look()

    async def allows(self) -> bool:
        try:
            await self.platform.call(inventory.list_stock, inventory.ListStock(sku="tea"), TILL)
        except api.Forbidden:
            return False
        return True


@pytest.fixture
async def servers(
    make_platform: MakePlatform, database_url: str, tmp_path: Path
) -> AsyncIterator[tuple[Server, Server]]:
    north = FrontEnd(code="north", name="N", owner="n", uses=("inventory.*",))
    platform = await make_platform(INVENTORY, PACK, north)
    async with await Database.open(database_url) as database:
        both = Server(tmp_path / "one", platform, database), Server(tmp_path / "two", platform, database)
        for one in both:
            await one.policies.look()
        yield both


async def found(server: Server) -> list[dict[str, object]]:
    async with server.policies.watched.database.platform() as session:  # type: ignore[union-attr]
        (one,) = await doctor.examine(session, [PACK], 10)
    return list(one.rows)


async def test_a_file_that_fits_counts_without_a_restart_and_decisions_before_it_are_thrown_away(
    servers: tuple[Server, Server],
) -> None:
    one, _ = servers
    assert await one.allows()
    await one.writes(CLOSED)
    assert not await one.allows()
    await one.writes("")
    assert await one.allows()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("forbid (principal, action, resource", "company.cedar"),
        ('forbid (principal, action == Action::"inventory.recieve", resource);', "recieve"),
    ],
)
async def test_policies_that_do_not_fit_on_one_server_leave_it_with_those_it_had_and_the_doctor_says_so(
    servers: tuple[Server, Server], caplog: pytest.LogCaptureFixture, wrong: str, said: str
) -> None:
    one, two = servers
    for server in servers:
        await server.writes(CLOSED)
    assert await found(one) == []
    caplog.clear()
    with caplog.at_level(logging.ERROR, logger="isthmus.policy"):
        await two.writes(wrong)
        await two.policies.look()
    assert not await two.allows()
    assert not await one.allows()
    assert [record.levelname for record in caplog.records] == ["ERROR"]  # once, and not each time it looks
    assert "goes on with the policies it had" in caplog.text
    assert said in caplog.text
    (row,) = await found(one)
    assert said in str(row["trouble"])
    await two.writes("")
    await one.writes("")
    assert await two.allows()
    assert await found(one) == []


async def test_what_a_server_starts_beside_itself_goes_on_with_the_policies_that_the_server_had(
    servers: tuple[Server, Server], caplog: pytest.LogCaptureFixture
) -> None:
    one, _ = servers
    await one.writes(CLOSED)
    (one.folder / "company.cedar").write_text("forbid (principal, action, resource")
    place = Place(
        settings=PolicySettings(),
        root=one.folder.parent,
        data=one.folder.parent,
        packs=(INVENTORY, PACK),
        database=one.platform.store,
    )  # type: ignore[arg-type]
    with pytest.raises(api.WrongPolicies):
        policies_at(place)  # a server has none that it could go on with
    beside = policies_at(replace(place, is_beside=True))
    assert "this process goes on with the policies that its server had" in caplog.text
    assert "company.cedar" in caplog.text
    with pytest.raises(api.Forbidden):
        await beside.check(TILL, inventory.list_stock, {})
    await one.policies.look()
    await one.writes("")
    await policies_at(replace(place, is_beside=True)).check(TILL, inventory.list_stock, {})


async def test_a_case_that_does_not_hold_keeps_a_file_out(servers: tuple[Server, Server]) -> None:
    one, _ = servers
    await one.writes("client may inventory.list-stock on north", "cases.txt")
    await one.writes(CLOSED)
    assert await one.allows()
    (row,) = await found(one)
    assert "does not hold" in str(row["trouble"])


async def test_servers_that_decide_by_different_policies_for_minutes_are_found(servers: tuple[Server, Server]) -> None:
    one, two = servers
    await two.writes(CLOSED)
    assert await found(one) == []  # one after the other is how files are changed
    async with one.policies.watched.database.platform() as session:  # type: ignore[union-attr]
        await session.execute("update policy.node set changed_at = now() - interval '3 minutes'")
    assert len(await found(one)) == 2


async def test_two_policies_that_contradict_forbid_whatever_their_order(servers: tuple[Server, Server]) -> None:
    one, two = servers
    opened = '@id("open") permit (principal is Client, action == Action::"inventory.list-stock", resource);'
    await one.writes(f"{opened}\n{CLOSED}")
    await two.writes(f"{CLOSED}\n{opened}")
    assert [await server.allows() for server in servers] == [False, False]


def test_a_version_whose_policies_do_not_fit_this_server_is_not_put_in_place_here() -> None:
    fits = FrontEnd(code="north", name="N", owner="n", settings={api.RULES: CLOSED})
    declared.check_here(fits, (INVENTORY, PACK))
    with pytest.raises(Exception, match=r"does not fit this server: policy.rules of north.*inventory"):
        declared.check_here(fits, (PACK,))  # which has no inventory to speak of
