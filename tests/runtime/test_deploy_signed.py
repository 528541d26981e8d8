"""Deploys that a person signs with a key of their own, and that another one approves, where a front end asks for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from isthmus.kernel import Caller, errors
from isthmus.manifest.actions import EVERYWHERE, Doer
from isthmus.manifest.vault import Vault
from isthmus.packs.audit.service.journal import Journal
from isthmus.packs.identity import api as identity
from isthmus.packs.identity.service import signing
from isthmus.packs.identity.service.staff import Staff
from isthmus.runtime.deploy import approve as approving
from isthmus.runtime.deploy import deploy as deploys
from isthmus.runtime.deploy import proposals, signatures, versions, vouching
from isthmus.runtime.deploy import rollout as switches
from isthmus.runtime.deploy.signatures import SigningKey
from isthmus.store import Database

from .deployed import REQUEST, deploy_context, write

BY = Caller(front_end=EVERYWHERE, client="tests", via="cli")
SIGNED = "{'deploy.signed': 'yes'}"
FOUR_EYES = "{'deploy.four-eyes': 'yes'}"


@dataclass(frozen=True, slots=True)
class Team:
    """Who deploys here, each with a key of their own."""

    context: deploys.DeployContext
    staff: Staff
    keys: Mapping[str, SigningKey]
    work: Path

    @property
    def database(self) -> Database:
        return self.context.database

    def written(self, version: str, settings: str = SIGNED) -> Path:
        return write(self.work, version, settings=settings)

    async def signed(self, name: str, folder: Path, **more: Any) -> deploys.DeployRequest:
        request = msgspec.structs.replace(REQUEST, **more)
        challenge, digest = await signatures.challenge(self.database), versions.pack(folder).digest
        return request.replace(signature=self.keys[name].signed("deploy", challenge, digest, **request.signed_over))

    async def deploy(self, name: str, folder: Path, **more: Any) -> deploys.Deployed:
        return await deploys.deploy(self.context, folder, await self.signed(name, folder, **more))

    def person(self, name: str) -> Doer:
        """Return somebody as the console knows them, who has signed in."""
        caller = Caller(front_end="north", client="console", via="console", person=name, roles=("deployer",))
        return Doer(caller=caller, journal=self.context.journal)

    async def live(self) -> str | None:
        held = await switches.current(self.database, "north")
        return held.stable if held else None

    async def entries(self) -> list[tuple[str, str, str]]:
        """Return who did what, and how it ended, of deploys."""
        async with self.database.platform() as session:
            rows = await session.fetch("select content from audit.pending where front_end = 'north' order by id")
        found = [msgspec.json.decode(row["content"]) for row in rows]
        return [(one.get("person", ""), one["capability"], one["outcome"]) for one in found]


@pytest.fixture
async def team(database: Database, tmp_path: Path) -> Team:
    """Give a front end's team of ada and bob."""
    journal = Journal(database)
    staff = Staff(database, Vault(tmp_path / "vault", identity.NoKey), lambda: journal)
    keys: dict[str, SigningKey] = {}
    for name in ("ada", "bob"):
        await staff.made(name, (identity.RoleAt(role="deployer", front_end="north"),), BY)
        public = signing.new_key(tmp_path / name)
        await signing.add(staff, name, public, BY)
        keys[name] = SigningKey(tmp_path / name)
    context = deploy_context(database, tmp_path / "own", journal=journal)
    context = dataclasses.replace(context, signers=signing.SigningKeys(staff))
    return Team(context, staff, keys, tmp_path / "work")


async def test_who_signed_and_with_which_key_stays_with_the_version_and_its_history(team: Team) -> None:
    done = await team.deploy("ada", team.written("first"))
    assert (done.outcome, done.signed_by) == ("live", "ada")
    (version,) = await versions.versions(team.database, "north")
    assert (version.signed_by, version.signing_key) == ("ada", team.keys["ada"].name)
    (decision,) = await switches.history(team.database, "north")
    assert (decision.made_by, decision.signing_key) == ("ada", team.keys["ada"].name)
    assert await team.entries() == [("ada", "deploy.deploy", "done")]
    async with team.database.platform() as session:
        kept = await session.fetch_row("select public_key, statement, signature from runtime.signature")
    assert kept is not None
    assert signatures.is_signed(kept["public_key"], kept["signature"], kept["statement"].encode())


async def test_what_nobody_signed_is_refused_and_none_of_its_code_runs(team: Team) -> None:
    await team.deploy("ada", team.written("first"))
    second = team.written("second")
    seen = team.work / "it-ran"
    (second / "flows.py").write_text(f"open({str(seen)!r}, 'w')\n" + (second / "flows.py").read_text())
    with pytest.raises(signatures.Unsigned):
        await deploys.deploy(team.context, second, msgspec.structs.replace(REQUEST, code="north"))
    assert not seen.exists()
    assert len(await versions.versions(team.database, "north")) == 1
    assert (await team.entries())[-1] == ("", "deploy.deploy", "runtime.unsigned")


async def test_a_version_that_no_longer_asks_needs_what_the_one_before_it_asked_for(team: Team) -> None:
    await team.deploy("ada", team.written("first"))
    second = team.written("second", settings="{}")
    with pytest.raises(signatures.Unsigned):
        await deploys.deploy(team.context, second, REQUEST)
    await team.deploy("ada", second)
    assert (await deploys.deploy(team.context, team.written("third", settings="{}"), REQUEST)).outcome == "live"


async def test_the_first_version_that_asks_is_signed_itself(team: Team) -> None:
    with pytest.raises(signatures.Unsigned):
        await deploys.deploy(team.context, team.written("first"), REQUEST)
    assert await team.live() is None


async def test_a_signature_is_of_these_files_and_of_what_was_asked_for(team: Team) -> None:
    first = team.written("first")
    request = await team.signed("ada", first)
    for more in ({"percent": 30}, {"is_accepted": True}, {"shadow": 5}):
        with pytest.raises(signatures.BadSignature):
            await deploys.deploy(team.context, first, msgspec.structs.replace(request, **more))
    with pytest.raises(signatures.BadSignature):
        await deploys.deploy(team.context, team.written("second"), request)
    assert (await deploys.deploy(team.context, team.written("first"), request)).outcome == "live"


async def test_a_signature_is_taken_once(team: Team) -> None:
    request = await team.signed("ada", team.written("first"))
    await deploys.deploy(team.context, team.written("first"), request)
    await team.deploy("ada", team.written("second"))
    with pytest.raises(signatures.ChallengeSpent):
        await deploys.deploy(team.context, team.written("first"), request)
    assert (await team.live()) == versions.pack(team.written("second")).hash


async def test_a_signature_for_another_platform_or_of_too_long_ago_is_refused(team: Team) -> None:
    first = team.written("first")
    elsewhere = team.keys["ada"].signed("deploy", "0" * 64, versions.pack(first).digest, **REQUEST.signed_over)
    with pytest.raises(signatures.ChallengeSpent):
        await deploys.deploy(team.context, first, REQUEST.replace(signature=elsewhere))
    request = await team.signed("ada", first)
    async with team.database.platform() as session:
        await session.execute("update runtime.challenge set made_at = made_at - interval '16 minutes'")
    with pytest.raises(signatures.ChallengeSpent):
        await deploys.deploy(team.context, first, request)


async def _revoked(team: Team) -> None:
    await signing.revoke(team.staff, team.keys["ada"].name, BY)


async def _ended(team: Team) -> None:
    async with team.database.platform() as session:
        await session.execute("update identity.signing_key set ends_at = now() - interval '1 second'")


async def _gone(team: Team) -> None:
    await team.staff.disable("ada", BY)


@pytest.mark.parametrize(("happens", "said"), [(_revoked, "revoked"), (_ended, "ended"), (_gone, "sign in no more")])
async def test_a_key_that_is_good_no_more_signs_nothing(team: Team, happens: Any, said: str) -> None:
    await team.staff.made("owner", (identity.RoleAt(role="owner"),), BY)
    first = team.written("first")
    request = await team.signed("ada", first)
    await happens(team)
    with pytest.raises(identity.KeyNoLonger, match=said):
        await deploys.deploy(team.context, first, request)


async def test_a_key_of_nobody_signs_nothing(team: Team, tmp_path: Path) -> None:
    signing.new_key(tmp_path / "eve")
    eve = Team(team.context, team.staff, {"eve": SigningKey(tmp_path / "eve")}, team.work)
    with pytest.raises(identity.UnknownKey):
        await eve.deploy("eve", team.written("first"))


async def test_files_that_are_cut_otherwise_have_another_digest_though_they_are_one_version(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
    (one / "a").write_bytes(b"1\0b\0002")
    (other / "a").write_bytes(b"1")
    (other / "b").write_bytes(b"2")
    assert versions.content_hash(one) == versions.content_hash(other)
    assert versions.files_digest(one) != versions.files_digest(other)


async def _first_runs(team: Team) -> None:
    """Have the first version run that has four eyes: it asks for them itself, too."""
    done = await team.deploy("ada", team.written("first", FOUR_EYES))
    assert done.outcome == "proposed"
    await approving.approve(team.context, "north", done.proposal, team.person("bob"))


async def test_with_four_eyes_a_version_waits_until_another_person_approves(team: Team) -> None:
    await _first_runs(team)
    before = await team.live()
    done = await team.deploy("ada", team.written("second", FOUR_EYES))
    assert (done.outcome, await team.live()) == ("proposed", before)
    (waiting,) = await proposals.waiting(team.database, "north")
    assert "its tests pass" in waiting.findings
    assert "changed: north.where answers pricing.choose-locations" in waiting.findings
    for nobody in (team.person("ada"), team.context.doer("north", "key of a team")):
        with pytest.raises(approving.NeedsAnother):
            await approving.approve(team.context, "north", waiting.number, nobody)
    assert await team.live() == before
    await approving.approve(team.context, "north", waiting.number, team.person("bob"), "read it")
    held = await switches.current(team.database, "north")
    assert held is not None
    assert (held.stable, held.made_by, held.approved_by) == (waiting.hash, "ada", "bob")
    assert held.reason == "read it"
    assert await proposals.waiting(team.database, "north") == ()
    said = [one for one in await team.entries() if one[1] != "deploy.deploy" or one[0] == "bob"][-4:]
    assert said == [
        ("ada", "deploy.propose", "done"),
        ("ada", "deploy.approve", "runtime.needs-another"),
        ("", "deploy.approve", "runtime.needs-another"),
        ("bob", "deploy.deploy", "done"),
    ]


async def test_an_approval_can_be_signed_and_by_another_key_than_the_deploy(team: Team) -> None:
    done = await team.deploy("ada", team.written("first", FOUR_EYES))
    digest = (await proposals.find(team.database, "north", done.proposal)).digest
    by = team.context.doer("north", "key of a team")

    async def approve(name: str, number: int) -> None:
        challenge = await signatures.challenge(team.database)
        sent = team.keys[name].signed("approve", challenge, digest, proposal=number, front_end="north")
        await approving.approve_signed(team.context, "north", done.proposal, sent, by)

    with pytest.raises(approving.NeedsAnother):
        await approve("ada", done.proposal)
    with pytest.raises(signatures.BadSignature):
        await approve("bob", done.proposal + 1)
    await approve("bob", done.proposal)
    held = await switches.current(team.database, "north")
    assert held is not None
    assert (held.made_by, held.approved_by) == ("ada", "bob")


async def test_what_waits_is_refused_by_whoever_may_deploy_and_then_approved_by_nobody(team: Team) -> None:
    done = await team.deploy("ada", team.written("first", FOUR_EYES))
    await approving.refuse(team.context, "north", done.proposal, team.person("ada"), "forgot a test")
    with pytest.raises(proposals.ProposalClosed):
        await approving.approve(team.context, "north", done.proposal, team.person("bob"))
    assert await team.live() is None


async def test_nothing_is_approved_that_was_compared_with_what_runs_no_more(team: Team) -> None:
    await _first_runs(team)
    second = await team.deploy("ada", team.written("second", FOUR_EYES))
    third = await team.deploy("ada", team.written("third", FOUR_EYES))
    await approving.approve(team.context, "north", third.proposal, team.person("bob"))
    with pytest.raises(switches.Superseded):
        await approving.approve(team.context, "north", second.proposal, team.person("bob"))


async def test_nothing_is_approved_whose_author_may_sign_no_more_or_whose_files_were_changed(team: Team) -> None:
    first = await team.deploy("ada", team.written("first", FOUR_EYES))
    other = versions.pack(write(team.work / "other", "evil"))
    async with team.database.platform() as session:
        await session.execute("update runtime.version set packed = $1", other.content)
    with pytest.raises(versions.NotAFrontEnd, match="is not what was signed"):
        await approving.approve(team.context, "north", first.proposal, team.person("bob"))
    async with team.database.platform() as session:  # and what says which files they were, too
        await session.execute("update runtime.proposal set digest = $1", other.digest)
    with pytest.raises(signatures.BadSignature):
        await approving.approve(team.context, "north", first.proposal, team.person("bob"))
    await _revoked(team)
    with pytest.raises(identity.KeyNoLonger):
        await approving.approve(team.context, "north", first.proposal, team.person("bob"))
    assert await team.live() is None


async def test_going_back_needs_one_person_and_goes_to_what_ran_alone(team: Team) -> None:
    await _first_runs(team)
    first = await team.live()
    done = await team.deploy("ada", team.written("second", FOUR_EYES))
    waiting = (await proposals.find(team.database, "north", done.proposal)).hash
    with pytest.raises(vouching.NeverApproved):
        await vouching.check_may_run(team.context, "north", waiting)
    await approving.approve(team.context, "north", done.proposal, team.person("bob"))
    await switches.roll_back(team.database, "north", team.person("ada"))
    assert await team.live() == first
    await vouching.check_may_run(team.context, "north", waiting)


async def test_a_version_in_the_shadow_waits_for_another_person_too(team: Team) -> None:
    await _first_runs(team)
    done = await team.deploy("ada", team.written("second", FOUR_EYES), shadow=5)
    assert done.outcome == "proposed"
    async with team.database.platform() as session:
        assert await session.fetch_value("select count(*) from runtime.shadow") == 0
        await approving.approve(team.context, "north", done.proposal, team.person("bob"))
        assert await session.fetch_value("select made_by from runtime.shadow") == "ada"


async def test_the_database_itself_takes_no_approval_by_the_author(team: Team) -> None:
    done = await team.deploy("ada", team.written("first", FOUR_EYES))
    with pytest.raises(errors.IsthmusError, match="approved_by_another"):
        async with team.database.platform_transaction() as session:
            await proposals.decide(session, done.proposal, "done", "ada", "")


async def test_settings_that_say_neither_yes_nor_no_are_refused(team: Team) -> None:
    with pytest.raises(errors.BuildProblems, match=r"deploy\.four-eyes is 'true'"):
        await deploys.deploy(team.context, team.written("first", "{'deploy.four-eyes': 'true'}"), REQUEST)
