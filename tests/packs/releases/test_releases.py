"""Releases: signed, given to a share that only grows, stopped by how they fare, and taken back by another release."""

from __future__ import annotations

import hashlib
import io
import os
import random
import zipfile
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from isthmus.kernel import Caller, FrontEnd, Platform, Value
from isthmus.packs.member import api as member
from isthmus.packs.member.pack import PACK as MEMBER
from isthmus.packs.member.pack import PERSONS
from isthmus.packs.releases import api, rules
from isthmus.packs.releases.pack import PACK
from isthmus.packs.releases.service.artefacts import Artefacts
from tests.packs.conftest import MakePlatform

NORTH, SOUTH = (
    FrontEnd(code=code, name=code, owner=code, uses=("releases.*", "member.*")) for code in ("north", "south")
)
TRAIN = api.Train(app="shop", platform="android")
KEY = bytes(range(32))


class Desk:
    """A platform with releases."""

    def __init__(self, platform: Platform) -> None:
        database: Any = platform.store
        self.platform = platform
        self.database = database
        self.artefacts = Artefacts(database, lambda: KEY, PERSONS.segments)
        resources: dict[type, object] = {Artefacts: self.artefacts}
        platform.resources = resources

    async def call(self, capability: Any, ask: Value, front_end: str = "north", now: datetime | None = None) -> Any:
        return await self.platform.call(capability, ask, Caller(front_end=front_end, client="ci"), now=now)

    async def kept(self, content: bytes, front_end: str = "north") -> str:
        """Put a file, as `/releases/files` does, and return its hash."""
        name, _ = self.artefacts.named(content)
        await self.call(api.check_file, api.CheckArtefact(file=name, size=len(content)), front_end)
        await self.artefacts.put(name, content)
        await self.call(api.note_file, api.FileNoted(file=name, size=len(content)), front_end)
        return name.partition(".")[0]

    async def publish(self, version: str, content: bytes | None = None, **more: Any) -> api.AppRelease:
        sha256 = await self.kept(content or version.encode())
        return await self.call(api.publish, api.PublishRelease(train=TRAIN, version=version, sha256=sha256, **more))

    async def check(self, version: str, device: str = "d", now: datetime | None = None, **more: Any) -> api.Update:
        return await self.call(
            api.check_update, api.CheckUpdate(train=TRAIN, version=version, device=device, **more), now=now
        )

    async def report(self, version: str, sessions: int, **facts: Any) -> None:
        for number in range(sessions):
            ask = api.ReportHealth(train=TRAIN, version=version, session=f"{version}-{number}", **facts)
            await self.call(api.report_health, ask)


@pytest.fixture
async def desk(make_platform: MakePlatform) -> Desk:
    return Desk(await make_platform(PACK, MEMBER, NORTH, SOUTH))


async def test_a_release_is_signed_over_what_it_is(desk: Desk) -> None:
    made = await desk.publish("1.0.0", b"an app", share=100)
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex((await desk.call(api.get_key, api.GetKey())).key))
    key.verify(bytes.fromhex(made.signature), api.signed_bytes(made))
    for wrong in (
        {"version": "1.0.1"}, {"sha256": "0" * 64}, {"train": TRAIN.replace(platform="ios")}, {"url": "https://x.org"},
    ):  # fmt: skip
        with pytest.raises(InvalidSignature):
            key.verify(bytes.fromhex(made.signature), api.signed_bytes(made.replace(**wrong)))
    update = await desk.check("0.9.0")
    assert (update.state, update.path) == ("available", f"/releases/files/{made.sha256}.bin")
    found = await desk.artefacts.read(f"{made.sha256}.bin")
    assert found == (b"an app", "application/octet-stream")


async def test_a_release_without_artefact_is_refused_and_so_is_one_with_anothers_file(desk: Desk) -> None:
    with pytest.raises(api.NoArtefact, match="neither an artefact nor an address"):
        await desk.call(api.publish, api.PublishRelease(train=TRAIN, version="1.0.0"))
    theirs = await desk.kept(b"an app", "south")
    for sha256 in ("0" * 64, theirs):
        with pytest.raises(api.NoArtefact, match="there is no file"):
            await desk.call(api.publish, api.PublishRelease(train=TRAIN, version="1.0.0", sha256=sha256))
    for size in (0, api.ARTEFACT_BYTES_MAX + 1):
        with pytest.raises(api.FileTooLarge):
            await desk.call(api.check_file, api.CheckArtefact(file="x.bin", size=size))
    in_store = api.PublishRelease(train=TRAIN, version="1.0.0", url="https://store.example/shop", share=100)
    made = await desk.call(api.publish, in_store)
    assert (await desk.check("0.9.0")).release == made
    with pytest.raises(api.VersionTaken):
        await desk.call(api.publish, in_store)


async def test_a_file_that_has_changed_on_the_way_is_not_served(desk: Desk) -> None:
    sha256 = await desk.kept(b"an app")
    async with desk.database.platform() as session:
        await session.execute("update releases.content set content = 'another'")
        assert await desk.artefacts.read(f"{sha256}.bin") is None
        await desk.call(api.publish, api.PublishRelease(train=TRAIN, version="1.0.0", sha256=sha256))
        (condition,) = PACK.conditions
        assert len(await session.fetch(condition.sql)) == 1


async def test_a_share_grows_and_is_never_made_smaller(desk: Desk) -> None:
    await desk.publish("1.0.0", share=100)
    made = await desk.publish("1.1.0", share=20)
    devices = [f"device-{number}" for number in range(200)]

    async def given_to() -> set[str]:
        return {one for one in devices if (await desk.check("1.0.0", one)).release is not None}

    first = await given_to()
    assert 20 <= len(first) <= 62
    await desk.call(api.raise_share, api.RaiseShare(number=made.number, share=50))
    second = await given_to()
    assert first < second
    with pytest.raises(api.ShareOnlyGrows, match="50 %"):
        await desk.call(api.raise_share, api.RaiseShare(number=made.number, share=49))
    await desk.call(api.pause, api.Numbered(number=made.number, reason="look at it"))
    assert await given_to() == set()
    has_it = next(iter(first))
    assert (await desk.check("1.1.0", has_it)).state == "current"  # who has it keeps it
    with pytest.raises(api.NotRolling, match="paused"):
        await desk.call(api.raise_share, api.RaiseShare(number=made.number, share=100))
    await desk.call(api.resume, api.Numbered(number=made.number))
    assert await given_to() == second
    with pytest.raises(api.UnknownRelease):
        await desk.call(api.pause, api.Numbered(number=made.number), "south")


@given(st.text(min_size=1, max_size=30), st.integers(0, 100), st.integers(0, 100))
def test_a_larger_share_keeps_every_device_of_a_smaller_one(device: str, one: int, other: int) -> None:
    low, high = (_release("1.0.0", share=share) for share in sorted((one, other)))
    assert rules.is_given(high, device, frozenset()) or not rules.is_given(low, device, frozenset())


def _release(version: str, number: int = 1, share: int = 100, **more: Any) -> api.AppRelease:
    facts: dict[str, Any] = {"state": api.ReleaseState.ROLLING, "rolls_back": None, **more}
    return api.AppRelease(
        number=number, train=TRAIN, version=version, sha256="0" * 64, size=1, url=None, signature="", share=share,
        segments=(), is_package=False, limits=api.HealthLimits(), notes="", reason="",
        published_at=datetime.now(UTC), author="ci", **facts,
    )  # fmt: skip


VERSIONS = st.sampled_from(["1.0.0", "1.1.0", "1.2.0", "2.0.0"])


SAID = st.tuples(VERSIONS, st.integers(0, 100), st.booleans(), st.sampled_from(list(api.ReleaseState)))


@given(st.lists(SAID, max_size=6), st.text(min_size=1, max_size=5), VERSIONS)
def test_a_device_that_does_as_it_is_offered_comes_to_rest(
    said: list[tuple[str, int, bool, api.ReleaseState]], device: str, version: str
) -> None:
    releases = [
        _release(one, number, share, rolls_back=number if is_back else None, state=state)
        for number, (one, share, is_back, state) in enumerate(said, 1)
    ]
    seen = [version]
    while (found := rules.offered(reversed(releases), seen[-1], device, frozenset())) is not None:
        seen.append(found.version)
        assert len(seen) <= len(releases) + 1, seen
    assert rules.offered(reversed(releases), seen[-1], device, frozenset()) is None


async def test_only_members_of_a_segment_are_given_a_release_for_them(desk: Desk) -> None:
    identity = member.Identity(kind="email", value="ada@example.org")
    ada: UUID = (await desk.call(member.register, member.Register(identities=(identity,)))).member_id
    await desk.call(member.set_segments, member.SetSegments(member_id=ada, segments=("beta",)))
    await desk.publish("1.1.0", share=100, segments=("beta",))
    assert (await desk.check("1.0.0", member_id=str(ada))).state == "available"
    assert (await desk.check("1.0.0", member_id="nobody")).state == "current"
    assert (await desk.check("1.0.0")).state == "current"


async def test_a_roll_back_is_a_release_of_its_own_that_leads_everybody_back(desk: Desk) -> None:
    await desk.publish("1.0.0", share=100)
    bad = await desk.publish("1.1.0", share=40)
    back = await desk.call(api.roll_back, api.Numbered(number=bad.number, reason="payment fails"))
    assert (back.version, back.share, back.rolls_back, back.sha256 != bad.sha256) == ("1.0.0", 100, bad.number, True)
    update = await desk.check("1.1.0")
    assert (update.state, update.release and update.release.number) == ("available", back.number)
    assert (await desk.check("1.0.0")).state == "current"
    with pytest.raises(api.NotRolling, match="rolled-back"):
        await desk.call(api.roll_back, api.Numbered(number=bad.number))
    again = await desk.publish("1.1.1", share=100)
    assert (await desk.check("1.0.0")).release == again
    listed = await desk.call(api.list_releases, api.ListReleases())
    assert [(one.release.version, one.release.state) for one in listed.items] == [
        ("1.1.1", "rolling"), ("1.0.0", "rolling"), ("1.1.0", "rolled-back"), ("1.0.0", "rolling"),
    ]  # fmt: skip


async def test_there_is_nothing_to_go_back_to_before_a_version_that_everybody_had(desk: Desk) -> None:
    only = await desk.publish("1.0.0", share=50)
    with pytest.raises(api.NothingBefore):
        await desk.call(api.roll_back, api.Numbered(number=only.number))
    assert (await desk.check("0.1.0", "device-1")).release in (only, None)


async def test_an_older_version_is_required_to_update_when_its_grace_is_over_by_the_servers_clock(desk: Desk) -> None:
    now = datetime.now(UTC)
    made = await desk.publish("2.0.0", share=100)
    grace = now + timedelta(days=7)
    await desk.call(api.set_minimum, api.SetMinimum(train=TRAIN, version="1.5.0", grace_until=grace))
    before = await desk.check("1.4.9", now=now)
    assert (before.state, before.required_from, before.minimum, before.release) == ("available", grace, "1.5.0", made)
    after = await desk.check("1.4.9", now=grace)
    assert (after.state, after.release) == ("required", made)
    assert (await desk.check("1.5.0", now=grace)).state == "available"
    assert (await desk.check("2.0.0", now=grace)).state == "current"
    await desk.call(api.set_minimum, api.SetMinimum(train=TRAIN, version="1.5.0"))
    assert (await desk.check("1.4.9", now=now)).state == "required"
    await desk.call(api.set_minimum, api.SetMinimum(train=TRAIN, version=None))
    assert (await desk.check("1.4.9", now=now)).required_from is None


async def test_a_delta_leads_to_the_same_bytes_or_is_refused(desk: Desk) -> None:
    source = random.Random(1)
    old = bytes(source.randrange(256) for _ in range(40_000))
    new = old[:10_000] + b"something new" + old[12_000:]
    one, two = await desk.publish("1.0.0", old, share=100), await desk.publish("1.1.0", new, share=100)
    delta = await desk.call(api.make_delta, api.MakeDelta(base=one.number, number=two.number))
    assert delta.size < two.size / 10
    update = await desk.check("1.0.0", sha256=one.sha256)
    assert update.delta == delta
    found = await desk.artefacts.read(f"{delta.delta_sha256}.bin")
    assert found is not None
    key = desk.artefacts.public_key()
    assert api.apply_delta(old, delta, found[0], key) == new
    other = Artefacts(desk.database, lambda: os.urandom(32))
    for base, said, content, by, why in (
        (new, delta, found[0], key, "another base"),
        (old, delta, found[0] + b"x", key, "another one than was signed"),
        (old, delta, found[0], other.public_key(), "not signed by this platform"),
        (old, delta.replace(sha256="0" * 64), found[0], key, "not signed by this platform"),
        (old, delta.replace(base_sha256=hashlib.sha256(new).hexdigest()), found[0], key, "another base"),
    ):
        with pytest.raises(api.WrongDelta, match=why):
            api.apply_delta(base, said, content, by)
    assert (await desk.check("1.0.0", sha256=two.sha256)).delta is None
    assert await desk.call(api.make_delta, api.MakeDelta(base=one.number, number=two.number)) == delta
    store = await desk.call(
        api.publish, api.PublishRelease(train=TRAIN, version="1.2.0", url="https://store.example/1")
    )
    with pytest.raises(api.NoArtefact):
        await desk.call(api.make_delta, api.MakeDelta(base=two.number, number=store.number))


async def test_a_release_that_crashes_stops_by_itself_and_no_other(desk: Desk) -> None:
    good = await desk.publish("1.0.0", share=100)
    bad = await desk.publish("1.1.0", share=10, limits=api.HealthLimits(crash_rate=0.1, sessions_min=10))
    await desk.report("1.0.0", 12, requests=10)
    await desk.report("1.1.0", 9, has_crashed=True)
    assert (await desk.call(api.watch_health, api.WatchHealth())).numbers == ()  # too few have said so
    await desk.report("1.1.0", 10)  # nine of them again, and a crash is not taken back
    assert (await desk.call(api.watch_health, api.WatchHealth())).numbers == (bad.number,)
    listed = await desk.call(api.list_releases, api.ListReleases())
    stopped = listed.items[0]
    assert (stopped.release.state, stopped.release.reason) == (
        "stopped", "9 of 10 sessions crashed, and 10.0% is the limit",
    )  # fmt: skip
    assert (stopped.health.sessions, listed.items[1].health.sessions) == (10, 12)
    assert listed.items[1].release == good
    assert (await desk.check("1.0.0", "any")).state == "current"
    back = await desk.call(api.roll_back, api.Numbered(number=bad.number))
    assert back.version == "1.0.0"


@pytest.mark.parametrize(
    ("health", "why"),
    [
        ({}, ""),
        ({"requests": 100, "errors": 6, "error_rate": 0.06}, "6 of 100 requests failed, and 5.0% is the limit"),
        ({"requests": 100, "latency_ms": 301.0}, "a request takes 301 ms, and 300 ms is the limit"),
        ({"requests": 100, "latency_ms": 300.0, "errors": 5, "error_rate": 0.05}, ""),
        ({"sessions": 49, "crashed": 49, "crash_rate": 1.0}, ""),
    ],
)
def test_limits_are_of_crashes_errors_and_latency(health: dict[str, Any], why: str) -> None:
    facts: dict[str, Any] = {"number": 1, "sessions": 50, "crashed": 0, "requests": 0, "errors": 0, "latency_ms": 0.0}
    facts |= {"crash_rate": 0.0, "error_rate": 0.0, **health}
    assert rules.problem(api.HealthLimits(latency_ms=300), api.Health(**facts)) == why


async def test_health_of_a_version_that_nobody_published_counts_for_nothing(desk: Desk) -> None:
    ask = api.ReportHealth(train=TRAIN, version="9.9.9", session="a")
    assert (await desk.call(api.report_health, ask)).number is None


@pytest.mark.parametrize("platform", ["web-view", "mini-program"])
async def test_an_offline_package_is_a_release_of_its_own_with_deltas_and_a_way_back(desk: Desk, platform: str) -> None:
    """Pages that an app shows without a network are packed, given to a share, and replaced without a new app."""
    menu = api.Train(app="menu", platform=platform)
    pages = {"index.html": b"<h1>Menu</h1>" * 400, "menu.js": random.Random(1).randbytes(9_000)}

    def packed(**more: bytes) -> bytes:
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as package:
            for name, content in (pages | more).items():
                package.writestr(zipfile.ZipInfo(name), content)
        return made.getvalue()

    async def publish(version: str, content: bytes) -> api.AppRelease:
        ask = api.PublishRelease(
            train=menu, version=version, sha256=await desk.kept(content), share=100, is_package=True
        )
        return await desk.call(api.publish, ask)

    async def check(version: str, sha256: str = "") -> api.Update:
        ask = api.CheckUpdate(train=menu, version=version, device="d", sha256=sha256)
        return await desk.call(api.check_update, ask)

    old, new = packed(), packed(news=b"Soup of the day")
    first, second = await publish("1.0.0", old), await publish("1.1.0", new)
    delta = await desk.call(api.make_delta, api.MakeDelta(base=first.number, number=second.number))
    update = await check("1.0.0", first.sha256)
    assert update.release is not None
    assert (update.release.is_package, update.delta) == (True, delta)
    content = await desk.artefacts.read(f"{delta.delta_sha256}.bin")
    assert content is not None
    made = api.apply_delta(old, delta, content[0], desk.artefacts.public_key())
    assert zipfile.ZipFile(io.BytesIO(made)).read("news") == b"Soup of the day"
    with pytest.raises(api.WrongDelta, match="another base"):
        api.apply_delta(packed(news=b""), delta, content[0], desk.artefacts.public_key())
    back = await desk.call(api.roll_back, api.Numbered(number=second.number, reason="the soup is out"))
    assert (back.is_package, back.sha256) == (True, first.sha256)
    assert (await check("1.1.0")).release == back
    assert (await desk.check("1.0.0")).state == "current", "the app itself is another matter"
