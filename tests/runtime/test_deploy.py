"""A front end is deployed alone: checked, tested, compared, and put in place everywhere at once."""

from __future__ import annotations

import asyncio
import dataclasses
import io
import re
import shutil
import tarfile
import zlib
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import msgspec
import pytest

from isthmus.kernel import errors
from isthmus.runtime.deploy import deploy as deploys
from isthmus.runtime.deploy import rollout as switches
from isthmus.runtime.deploy import versions
from isthmus.runtime.deploy.changes import compared
from isthmus.runtime.deploy.check import TestsFailed
from isthmus.runtime.deploy.deploy import checked
from isthmus.runtime.deploy.loading import NotAFrontEnd, front_end_folders, load_front_end
from isthmus.store import Database
from isthmus.store.database import PLATFORM_CONNECTIONS_MAX
from tests import shipped
from tests.waiting import until

from . import deployed
from .conftest import are_seen
from .deployed import REQUEST, Node, deploy_context, doer, said, write

ADA, BOB = doer("ada"), doer("bob")


async def _deploy(database: Database, tmp_path: Path, version: str, **more: object) -> deploys.Deployed:
    folder = write(tmp_path / "work", version)
    return await deploys.deploy(
        deploy_context(database, tmp_path / "own"), folder, msgspec.structs.replace(REQUEST, **more)
    )


async def test_a_deployed_version_answers_in_every_node_when_the_command_returns(database, nodes, tmp_path):
    done = await _deploy(database, tmp_path, "first")
    assert (done.outcome, done.workers, done.behind) == ("live", 2, ())
    assert [await node.which() for node in nodes] == [said("first")] * 2
    await _deploy(database, tmp_path, "second")
    assert [await node.which() for node in nodes] == [said("second")] * 2


async def test_a_worker_that_starts_while_the_database_is_busy_follows_as_soon_as_it_is_not(
    database: Database, database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    busy = await Database.open(database_url, take_limit_s=0.05)
    node = Node(busy, tmp_path / "cache")
    try:
        async with AsyncExitStack() as held:
            for _ in range(PLATFORM_CONNECTIONS_MAX):
                session = await held.enter_async_context(busy.platform())
                await session.execute("select 1")
            following = asyncio.create_task(node.follower.run())

            async def has_tried() -> bool:
                return following.done() or "cannot be read" in caplog.text

            await until(has_tried, "that the worker looks")
        await are_seen(database, 1)
        assert (await _deploy(database, tmp_path, "first")).workers == 1
        assert await node.which() == said("first")
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following
    finally:
        await busy.close()


async def test_a_version_deployed_twice_is_kept_once_and_switched_once(database, nodes, tmp_path):
    first = await _deploy(database, tmp_path, "first")
    again = await _deploy(database, tmp_path, "first")
    assert again.outcome == "already-there"
    assert again.version == first.version
    assert len(await versions.versions(database, "north")) == 1
    assert len(await switches.history(database, "north")) == 1


async def test_a_call_keeps_the_version_that_it_began_with(database, nodes, tmp_path):
    await _deploy(database, tmp_path, "first")
    running = asyncio.create_task(nodes[0].which(ask=b'{"wait_ms": 3000}'))
    await _deploy(database, tmp_path, "second")
    assert await nodes[0].which() == said("second")
    assert not running.done()
    assert await running == said("first")


async def test_a_rollback_goes_back_a_step_each_time_and_never_forward(database, nodes, tmp_path):
    for version in ("first", "second", "third"):
        await _deploy(database, tmp_path, version)
    for version in ("second", "first"):
        assert await switches.roll_back(database, "north", ADA) is not None
        assert [await node.which() for node in nodes] == [said(version)] * 2
    await switches.roll_back(database, "north", ADA)  # to what the folder of the servers holds: nothing
    with pytest.raises(errors.NotPermitted):
        await nodes[0].which()
    with pytest.raises(switches.NothingBefore):
        await switches.roll_back(database, "north", ADA)


async def test_a_staged_version_answers_a_sticky_share_of_members_alone(database, nodes, tmp_path):
    await _deploy(database, tmp_path, "first")
    await _deploy(database, tmp_path, "second", percent=25)
    asks = [b'{"member_id": "00000000-0000-0000-0000-%012d"}' % number for number in range(200)]
    one, other = [[await node.which(ask=ask) for ask in asks] for node in nodes]
    assert one == other, "each member gets the same version from every node"
    assert set(one) == {said("first"), said("second")}
    assert 20 <= one.count(said("second")) <= 80  # binomial(200, 1/4): 5 sigma around 50
    await _deploy(database, tmp_path, "second", percent=60)
    wider = [await nodes[0].which(ask=ask) for ask in asks]
    assert all(now == said("second") for before, now in zip(one, wider, strict=True) if before == said("second"))
    assert wider.count(said("second")) > one.count(said("second"))
    await switches.promote(database, "north", ADA)
    assert {await node.which(ask=ask) for node in nodes for ask in asks} == {said("second")}


async def test_where_no_member_is_known_the_client_decides(database, nodes, tmp_path):
    await _deploy(database, tmp_path, "first")
    await _deploy(database, tmp_path, "second", percent=50)
    for client in ("a", "b", "c", "d", "e", "f"):
        assert len({await node.which(client=client) for node in nodes for _ in range(3)}) == 1
    assert len({await nodes[0].which(client=str(number)) for number in range(40)}) == 2


async def test_a_rollback_of_a_staged_version_leaves_the_stable_one(database, nodes, tmp_path):
    await _deploy(database, tmp_path, "first")
    await _deploy(database, tmp_path, "second", percent=50)
    await switches.roll_back(database, "north", ADA)
    assert {await nodes[0].which(client=str(number)) for number in range(40)} == {said("first")}
    with pytest.raises(switches.NothingStaged):
        await switches.promote(database, "north", ADA)


async def test_nothing_can_be_staged_beside_nothing(database, nodes, tmp_path):
    with pytest.raises(deploys.NothingBeside):
        await _deploy(database, tmp_path, "first", percent=10)


async def test_other_front_ends_keep_the_very_same_line(database, nodes, tmp_path):
    south = write(tmp_path / "work", "south-first", code="south")
    await deploys.deploy(deploy_context(database, tmp_path / "own"), south, REQUEST)
    before = [node.platform.release.lines["south"] for node in nodes]
    for version in ("first", "second"):
        await _deploy(database, tmp_path, version)
    await switches.roll_back(database, "north", ADA)
    assert all(node.platform.release.lines["south"] is line for node, line in zip(nodes, before, strict=True))


async def test_a_node_that_was_away_has_caught_up_when_it_starts(database, nodes, tmp_path):
    for version in ("first", "second"):
        await _deploy(database, tmp_path, version)
    late = deployed.Node(database, tmp_path / "late")
    await late.follower.catch_up()
    assert await late.which() == said("second")


async def test_a_node_that_lost_the_word_looks_for_itself(database, nodes, tmp_path):
    deaf = deployed.Node(database, tmp_path / "deaf")
    await _deploy(database, tmp_path, "first")
    looking = asyncio.create_task(deaf.follower._keep_up())  # no connection that listens
    try:

        async def has_heard() -> bool:
            with suppress(errors.NotPermitted):
                return await deaf.which() == said("first")
            return False

        await until(has_heard, "that it has looked")
    finally:
        looking.cancel()


async def test_a_deploy_while_another_is_under_way_is_refused(database, nodes, tmp_path):
    async with switches.alone(database, "north"):
        with pytest.raises(switches.DeployUnderWay):
            await _deploy(database, tmp_path, "first")
        south = write(tmp_path / "work", "south-first", code="south")
        done = await deploys.deploy(deploy_context(database, tmp_path / "own"), south, REQUEST)
        assert done.outcome == "live", "another front end ships meanwhile"
    assert (await _deploy(database, tmp_path, "first")).outcome == "live"


async def test_what_was_compared_with_another_version_is_not_put_in_place(database, nodes, tmp_path):
    await _deploy(database, tmp_path, "first")
    held = await switches.current(database, "north")
    assert held is not None
    assert held.stable is not None
    await _deploy(database, tmp_path, "second")
    with pytest.raises(switches.Superseded):
        await switches.put(database, "north", held.stable, percent=100, by=BOB, expected=held.id)
    assert await nodes[0].which() == said("second")


async def test_a_folder_that_is_no_front_end_is_refused_and_nothing_is_kept(database, nodes, tmp_path):
    for text in (None, "import nothing_of_this_name\n", "FRONT_END = 7\n", "raise SystemExit(3)\n", "1 / 0\n"):
        folder = tmp_path / "broken"
        folder.mkdir(exist_ok=True)
        if text is not None:
            (folder / "front_end.py").write_text(text)
        with pytest.raises(NotAFrontEnd):
            await deploys.deploy(deploy_context(database, tmp_path / "own"), folder, REQUEST)
    assert await versions.versions(database) == ()


async def test_every_problem_with_the_contract_is_named_at_once(database, nodes, tmp_path):
    folder = write(tmp_path / "work", "first", settings='{"deploy.p99-max-ms": "soon"}')
    manifest = folder / "front_end.py"
    manifest.write_text(manifest.read_text().replace('"catalog.*"', '"catalogue.*", "stock.take"'))
    answers = folder / "answers.py"
    answers.write_text(answers.read_text().replace("def where(location: str)", "def where(location: str, more: int)"))
    with pytest.raises(errors.BuildProblems) as found:
        await deploys.deploy(deploy_context(database, tmp_path / "own"), folder, REQUEST)
    text = str(found.value)
    for part in ("'catalogue.*'", "did you mean", "'stock.take'", "write def where(location)", "deploy.p99-max-ms"):
        assert part in text
    assert await switches.history(database) == ()


async def test_a_front_end_whose_tests_fail_is_refused_with_what_they_say(database, nodes, tmp_path):
    folder = write(tmp_path / "work", "first", expected="another")
    with pytest.raises(TestsFailed, match="test_it_says_its_version"):
        await deploys.deploy(deploy_context(database, tmp_path / "own"), folder, REQUEST)
    assert await switches.history(database) == ()


async def test_tests_see_no_credentials_of_the_platform(database, nodes, tmp_path, monkeypatch):
    monkeypatch.setenv("ISTHMUS_DATABASE_URL", "postgresql://secret")
    folder = write(tmp_path / "work", "first")
    (folder / "test_secrets.py").write_text(
        "import os\n\n\ndef test_none():\n    assert not [one for one in os.environ if 'ISTHMUS' in one]\n"
    )
    assert (await deploys.deploy(deploy_context(database, tmp_path / "own"), folder, REQUEST)).outcome == "live"


class Found:
    """What a replay says."""

    def __init__(self, is_same: bool) -> None:
        self.is_same = is_same

    def __str__(self) -> str:
        return "181 of 60,000 differ"


async def test_differences_need_a_word(database, nodes, tmp_path):
    await _deploy(database, tmp_path, "first")
    asked: list[tuple[str, str]] = []

    async def replay(_, old, new, code):
        lines = [release.lines[code] for release in (old, new)]
        asked.append(tuple(line.plan({}).answer(line.points["pricing.choose-locations"])("x")[0] for line in lines))
        return Found(is_same=False)

    folder = write(tmp_path / "work", "second")
    where = deploy_context(database, tmp_path / "own", replay)
    with pytest.raises(deploys.NotAccepted, match="181 of 60,000"):
        await deploys.deploy(where, folder, REQUEST)
    assert await nodes[0].which() == said("first")
    done = await deploys.deploy(where, folder, msgspec.structs.replace(REQUEST, is_accepted=True))
    assert done.differences == "181 of 60,000 differ"
    assert asked == [("first", "second")] * 2
    assert (await switches.history(database, "north"))[0].reason == "differences accepted"


async def test_what_a_worker_cannot_load_is_switched_nowhere(database, nodes, tmp_path):
    await _deploy(database, tmp_path, "first")
    blocked = tmp_path / "cache-1" / "north-blocked"
    nodes[1].follower._cache = blocked
    blocked.write_text("a file where the node wants to unpack")
    with pytest.raises(switches.WorkersNotReady):
        await _deploy(database, tmp_path, "second")
    assert [await node.which() for node in nodes] == [said("first")] * 2
    nodes[1].follower._cache = tmp_path / "cache-1"
    assert (await _deploy(database, tmp_path, "second")).outcome == "live"


async def test_a_deploy_names_each_answer_that_is_new_gone_or_otherwise(database, nodes, tmp_path):
    await _deploy(database, tmp_path, "first")
    heard: list[str] = []
    folder = write(tmp_path / "work", "second")
    answers = folder / "answers.py"
    answers.write_text(answers.read_text() + ANOTHER)
    manifest = folder / "front_end.py"
    manifest.write_text(manifest.read_text().replace("(answers.where,)", "(answers.where, answers.exact)"))
    where = deploys.DeployContext(
        database=database, release=shipped.build([]), cache=tmp_path / "own", say=heard.append
    )
    await deploys.deploy(where, folder, REQUEST)
    named = [line.rpartition(" (")[0] for line in heard if "answers" in line]
    assert named == [
        "north: changed: north.where answers pricing.choose-locations",
        "north: new: north.exact answers pricing.round-line",
    ]


ANOTHER = """

@answers(pricing.round_line)
def exact(currency: str) -> pricing.LineRounding:
    return pricing.LineRounding(step=5)
"""


@pytest.mark.parametrize(
    "folder", front_end_folders(Path(__file__).parents[2] / "front_ends"), ids=lambda one: one.name
)
def test_one_edited_rule_is_the_only_one_that_changed(folder, tmp_path):
    release = shipped.build([])
    shutil.copytree(folder, tmp_path / folder.name)
    answers = tmp_path / folder.name / "answers.py"
    first, rest = re.split(r"(?m)^(?=    return )", answers.read_text(), maxsplit=1)
    edited = re.findall(r"^def (\w+)", first, re.M)[-1]
    answers.write_text(first + "    # A line or two above the other rules,\n    assert 2 > 1\n" + rest)
    old, new = (checked(release, load_front_end(one)) for one in (folder, tmp_path / folder.name))
    assert [(change.what, change.answer) for change in compared(old, new)] == [("changed", f"{folder.name}.{edited}")]


async def test_the_same_content_is_the_same_version_wherever_it_lies(tmp_path):
    one, other = (versions.pack(write(tmp_path / name, "first")) for name in ("here", "there"))
    assert (one.hash, one.content) == (other.hash, other.content)
    (tmp_path / "there" / "north" / "__pycache__").mkdir()
    (tmp_path / "there" / "north" / "__pycache__" / "answers.pyc").write_bytes(b"cached")
    assert versions.pack(tmp_path / "there" / "north").hash == one.hash
    versions.unpack(one.content, tmp_path / "again" / "north")
    assert versions.pack(tmp_path / "again" / "north").hash == one.hash


async def test_a_folder_that_is_too_large_or_leads_elsewhere_is_refused(tmp_path):
    folder = write(tmp_path, "first")
    (folder / "secret").symlink_to("/etc/passwd")
    with pytest.raises(NotAFrontEnd, match="leads out"):
        versions.pack(folder)
    (folder / "secret").unlink()
    (folder / "data.bin").write_bytes(bytes(versions.UNPACKED_MAX))
    with pytest.raises(versions.TooLarge):
        versions.pack(folder)


async def test_an_archive_that_leads_elsewhere_or_is_none_is_refused(tmp_path):
    link = tarfile.TarInfo("rules.py")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    entries = [tarfile.TarInfo("../../escaped"), tarfile.TarInfo("/escaped"), link]
    archives = []
    for entry in entries:
        written = io.BytesIO()
        with tarfile.open(fileobj=written, mode="w") as tar:
            tar.addfile(entry)
        archives.append(zlib.compress(written.getvalue()))
    for content in (*archives, b"nothing of the kind", zlib.compress(b"no archive" * 200)):
        with pytest.raises(versions.NotAnArchive):
            versions.unpack(content, tmp_path / "deep" / "inside" / "north")
    with pytest.raises(versions.TooLarge):
        versions.unpack(zlib.compress(bytes(3 * versions.UNPACKED_MAX)), tmp_path / "deep" / "bomb")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == []


async def test_a_cache_that_somebody_edited_is_fetched_anew(database, nodes, tmp_path):
    await _deploy(database, tmp_path, "first")
    (rules,) = (tmp_path / "cache-0").glob("*/north/answers.py")
    rules.write_text(rules.read_text().replace("first", "edited"))
    again = deployed.Node(database, tmp_path / "cache-0")
    await again.follower.catch_up()
    assert await again.which() == said("first")


async def test_a_version_that_a_new_platform_cannot_run_is_not_replaced_by_another(database, nodes, tmp_path):
    await _deploy(database, tmp_path, "first")
    await _deploy(database, tmp_path, "second")
    late = deployed.Node(database, tmp_path / "late")
    catalog = {name: pack for name, pack in late.platform.release.packs.items() if name != "catalog"}
    late.follower._base = dataclasses.replace(late.platform.release, packs=catalog)
    south = late.follower._base.replacing(nodes[0].platform.release.lines["north"])
    late.platform.release = dataclasses.replace(south, lines={"south": south.lines["north"], **south.lines})
    await late.follower.catch_up()
    assert "'catalog.*', which nobody offers" in late.follower.troubles["north"]
    with pytest.raises(errors.NotPermitted):
        await late.which()
    assert "south" in late.platform.release.lines
