"""Isolated front ends in a running platform: over HTTP, beside others, and deployed."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from isthmus.app import front_ends as app_front_ends
from isthmus.app.config import Config, WrongConfig, load_config
from isthmus.kernel import Caller, Context, Effect, FrontEnd, Pack, Registry, Value, capability, errors, implements
from isthmus.packs.member import api as member
from isthmus.packs.payment import api as payment
from isthmus.packs.pricing import api as pricing
from isthmus.runtime.deploy import deploy as deploys
from isthmus.runtime.deploy.follower import Follower
from isthmus.runtime.deploy.guardrails import RolloutMonitor
from isthmus.runtime.isolation.limits import Isolation
from isthmus.runtime.isolation.manifest import WrongManifest
from isthmus.runtime.isolation.remote import ServiceFailed
from isthmus.runtime.isolation.waiting import CALLS_MAX, IsolatingPlatform
from isthmus.runtime.isolation.wire import WrongAnswer
from isthmus.runtime.isolation.workers import COPIES
from isthmus.store import Database
from isthmus.values import GUEST
from tests import shipped
from tests.runtime.deployed import REQUEST
from tests.runtime.isolated import front_end_folder, loaded
from tests.runtime.test_isolate import EUR, LOOP, TIER, line

HERE = Path(__file__).parent
SERVICES = {"python": [sys.executable, str(HERE / "service.py")], "node": ["node", str(HERE / "service.mjs")]}


class Ask(Value):
    """Ask for tiers, one after the other."""

    points: tuple[int, ...]


class Tiers(Value):
    """The tiers."""

    tiers: tuple[str, ...]


@capability("probe.tiers", version="1.0", effect=Effect.READ)
def tiers(ask: Ask) -> Tiers:
    """Tell the tier of each."""
    ...


@implements(tiers)
async def read_tiers(ask: Ask, ctx: Context) -> Tiers:
    return Tiers(tiers=tuple(ctx.answer(member.tier_for)(points) for points in ask.points))


class NoStore:
    """Enough for what reads nothing."""

    def read(self, front_end: str, parts: str = "") -> NoStore:
        return self

    async def close(self) -> None: ...


def platform_of(*front_ends: FrontEnd) -> IsolatingPlatform:
    api, service = ModuleType("api", "Tells tiers."), ModuleType("service")
    api.tiers, service.read_tiers = tiers, read_tiers  # pyright: ignore[reportAttributeAccessIssue]
    probe = Pack(name="probe", owner="tests", api=api, service=(service,))
    release = Registry().add(*shipped.PACKS, probe, *front_ends).freeze()
    return IsolatingPlatform(release, NoStore())  # pyright: ignore[reportArgumentType]


async def tiers_of(platform: IsolatingPlatform, code: str, *points: int) -> tuple[str, ...]:
    return (await platform.call(tiers, Ask(points=points), Caller(front_end=code))).tiers


@pytest.fixture(params=[name for name, command in SERVICES.items() if shutil.which(command[0])])
def service_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Give the address of a service that answers for a front end."""
    process = subprocess.Popen(SERVICES[request.param], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    process.kill()
    process.wait()


def remote(parent: Path, url: str, **settings: Any) -> FrontEnd:
    folder = parent / "remote"
    folder.mkdir(exist_ok=True)
    answers = [
        {"point": "member.tier-for", "name": "tier"},
        {"point": "payment.methods", "name": "methods"},
        {"point": "pricing.adjust-unit-price", "name": "price"},
    ]
    manifest = {"code": "remote", "name": "Remote", "owner": "its team", "uses": ["probe.*"], "answers": answers}
    (folder / "front_end.json").write_text(json.dumps(manifest))
    return loaded(folder, "http", url=url, **settings)


def process(parent: Path, body: str, code: str, **settings: Any) -> FrontEnd:
    folder = front_end_folder(parent, body, "tier", code=code)
    manifest = folder / "front_end.py"
    manifest.write_text(manifest.read_text().replace('"pricing.*"', '"probe.*"'))
    return loaded(folder, **settings)


async def test_plain_points_are_answered_by_a_service_in_any_language(tmp_path: Path, service_url: str):
    platform = platform_of(remote(tmp_path, service_url, deadline_ms=5_000))
    assert await tiers_of(platform, "remote", 101, 5) == ("gold", "silver")
    assert await tiers_of(platform, "remote", 404) == (member.tier_for(404),)


def test_a_service_answers_line_by_line_and_wrong_types_are_refused(tmp_path: Path, service_url: str):
    plan = platform_of(remote(tmp_path, service_url, deadline_ms=5_000)).release.line("remote").plan({})
    answers: Any = plan.answer(pricing.adjust_unit_price)
    dear, cheap = answers([line("dear"), line("other")], GUEST)
    assert dear.amount.minor == 1
    assert cheap == pricing.adjust_unit_price([line("other")], GUEST)[0]
    with pytest.raises(WrongAnswer, match=r"expected `str`, got `int` at \$\[1\]"):
        plan.answer(payment.methods)(("card",), EUR)


async def test_all_asks_of_one_call_share_one_deadline(tmp_path: Path, service_url: str):
    platform = platform_of(remote(tmp_path, service_url, deadline_ms=2_000))
    assert await tiers_of(platform, "remote", -1, 1) == ("silver", "silver")
    with pytest.raises(ServiceFailed, match=r"no answer from its service within \d+ ms"):
        await tiers_of(platform, "remote", -1_200, -1_200)  # each of them alone would be in time


async def test_a_service_that_fails_is_told_and_then_left_alone(tmp_path: Path, service_url: str):
    platform = platform_of(remote(tmp_path, service_url, deadline_ms=5_000))
    for _ in range(3):
        with pytest.raises(ServiceFailed, match=r"answered 500: no tiers today"):
            await tiers_of(platform, "remote", 500)
    with pytest.raises(errors.Unavailable, match="is not asked for now"):
        await tiers_of(platform, "remote", 1)


async def test_a_service_that_is_not_there_hurts_its_own_front_end_only(tmp_path: Path):
    platform = platform_of(remote(tmp_path, "http://127.0.0.1:9"), process(tmp_path, TIER, "south"))
    with pytest.raises(ServiceFailed, match="cannot be asked"):
        await tiers_of(platform, "remote", 1)
    assert await tiers_of(platform, "south", 1) == ("silver",)


async def test_more_calls_than_may_wait_at_once_queue_and_are_all_answered(tmp_path: Path, service_url: str):
    platform = platform_of(remote(tmp_path, service_url, deadline_ms=5_000))
    said = await asyncio.gather(*(tiers_of(platform, "remote", -20) for _ in range(3 * CALLS_MAX)))
    assert said == [("silver",)] * (3 * CALLS_MAX)


async def test_calls_of_others_end_before_a_looping_one_is_given_up(tmp_path: Path):
    platform = platform_of(process(tmp_path, LOOP, "north", deadline_ms=2_000), process(tmp_path, TIER, "south"))
    looping = [asyncio.create_task(tiers_of(platform, "north", 0)) for _ in range(20)]
    await asyncio.sleep(0)
    for _ in range(100):
        assert await tiers_of(platform, "south", 200) == ("gold",)
    assert not any(task.done() for task in looping)
    assert {type(ended).__name__ for ended in await asyncio.gather(*looping, return_exceptions=True)} <= {
        "WorkerFailed",
        "FrontEndAway",
    }


async def test_a_deployed_version_answers_in_workers_and_is_never_imported_here(database: Database, tmp_path: Path):
    body = """
        import sys
        sys.deployed_here = True

        @answers(pricing.choose_locations)
        def where(location: str) -> tuple[str, ...]:
            return ("apart",)
    """
    folder = front_end_folder(tmp_path / "work", body, "where")
    load = app_front_ends.loads(
        Config(root=tmp_path, data=tmp_path, front_ends=tmp_path, isolation={"north": Isolation(mode="process")}),
        shipped.PACKS,
    )
    platform = IsolatingPlatform(shipped.build([]), database)
    follower = Follower(platform, database, tmp_path / "cache", RolloutMonitor(), load)
    following = asyncio.create_task(follower.run())
    try:
        deploy_context = deploys.DeployContext(
            database=database, release=shipped.build([]), cache=tmp_path / "own", load=load
        )
        assert (await deploys.deploy(deploy_context, folder, REQUEST)).outcome == "live"
        assert "north" in platform.release.lines
        plan = platform.release.line("north").plan({})
        assert plan.answer(pricing.choose_locations)("x") == ("apart",)
        assert not hasattr(sys, "deployed_here")
    finally:
        following.cancel()


def test_a_remote_manifest_says_where_it_is_wrong(tmp_path: Path):
    folder = tmp_path / "remote"
    folder.mkdir()
    with pytest.raises(WrongManifest, match=r"has no front_end\.json"):
        loaded(folder, "http", url="http://x")
    (folder / "front_end.json").write_text('{"code": "remote", "name": "R", "owner": "o", "answers": [{"name": "x"}]}')
    with pytest.raises(WrongManifest, match="'point' is missing"):
        loaded(folder, "http", url="http://x")
    (folder / "front_end.json").write_text(
        '{"code": "remote", "name": "R", "owner": "o", "answers": [{"point": "member.tier-four", "name": "x"}]}'
    )
    with pytest.raises(WrongManifest, match=r"did you mean 'member\.tier-for'"):
        loaded(folder, "http", url="http://x")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('isolation = "procces"', "isolation = 'procces'"),
        ('isolation = "http"', "url = ''"),
        ("deadline = 3", "unknown setting"),
        ("deadline_ms = 0", "deadline_ms = 0"),
    ],
)
def test_settings_of_isolation_are_checked(tmp_path: Path, text: str, sentence: str):
    file = tmp_path / "isthmus.toml"
    file.write_text(f"[front_ends.north]\n{text}\n")
    with pytest.raises(WrongConfig, match=sentence):
        load_config(file)


def test_settings_of_isolation_are_read(tmp_path: Path):
    file = tmp_path / "isthmus.toml"
    file.write_text('[front_ends.north]\nisolation = "process"\nmemory_mb = 64\n')
    assert load_config(file).isolation_of(tmp_path / "north") == Isolation(
        mode="process", memory_mb=64, hidden=(tmp_path / ".isthmus",)
    )
    assert load_config(file).isolation_of(tmp_path / "south").mode == "inline"


SLOW = """
import time

@answers(member.tier_for)
def tier(points: int) -> str:
    time.sleep(points / 1000)
    return "gold"
"""


async def test_a_worker_that_is_in_time_is_not_killed_for_what_a_call_waited_until_it_was_free(tmp_path: Path):
    platform = platform_of(process(tmp_path, SLOW, "north", deadline_ms=1_500))
    calls = [tiers_of(platform, "north", 1_000) for _ in range(2 * COPIES)]
    assert await asyncio.gather(*calls) == [("gold",)] * 2 * COPIES


async def test_a_call_that_waits_for_a_worker_leaves_the_event_loop_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    platform = platform_of(process(tmp_path, SLOW, "north"))
    loop, turns = asyncio.get_running_loop(), 0
    select = loop._selector.select  # pyright: ignore[reportAttributeAccessIssue]

    def counted(timeout: float | None) -> Any:
        nonlocal turns
        turns += 1
        return select(timeout)

    monkeypatch.setattr(loop._selector, "select", counted)  # pyright: ignore[reportAttributeAccessIssue]
    await asyncio.gather(*(tiers_of(platform, "north", 1_000) for _ in range(CALLS_MAX - COPIES)))
    assert turns < 1_000, "a look every millisecond by each of them would be thousands"
