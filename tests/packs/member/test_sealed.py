"""What members are known by, kept encrypted: one member to an identity, found by a hash, gone with the key."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest

from isthmus.app.forgetting import forgetting
from isthmus.data.persons.one_id import OneId
from isthmus.kernel import Caller, FrontEnd, Platform
from isthmus.packs.member import api
from isthmus.packs.member.pack import PACK, PERSONS
from isthmus.packs.personal_data import api as personal_data
from isthmus.packs.personal_data.pack import PACK as PERSONAL_DATA
from isthmus.packs.personal_data.service.encrypting import encrypt
from isthmus.packs.personal_data.service.export import export_person
from isthmus.packs.personal_data.service.keys import PersonKeys
from isthmus.packs.personal_data.service.register import Registry
from isthmus.packs.policy.service.policies import DEFAULT, Policies
from isthmus.sealing import PersonKeyMissing, Seals
from isthmus.store import Database, embedded
from isthmus.values import Address

from .conftest import NORTH, NOW, SOUTH, Club, email

ADA: Final = email("Ada.Byron@example.org")
CARD: Final = api.Identity(kind="card", value="4711-0815")
SAID: Final = api.Profile(given_name="Adelaide", family_name="Byron", birthday="1990-12-10")
PLANTED: Final = ("ada.byron", "4711-0815", "adelaide", "byron", "1990-12-10")
SUPPORT: Final = Caller(front_end="*", client="console", via="console", person="ada", roles=("operator",))


@dataclass(frozen=True, slots=True)
class Sealing:
    """Two front ends whose members are kept encrypted, as soon as `switched` says so."""

    platform: Platform
    database: Database
    keys: PersonKeys
    url: str

    @property
    def north(self) -> Club:
        return Club(self.platform, NORTH)

    @property
    def south(self) -> Club:
        return Club(self.platform, SOUTH)

    def switched(self, is_on: bool) -> None:
        """Have the server seal what it writes, or write it in the clear as one does that was not started again yet."""
        seals = self.keys if is_on else PersonKeys(self.database, self.keys.envelope)
        self.platform.resources[Seals] = seals

    async def rows(self, sql: str, *args: object) -> list[dict[str, Any]]:
        async with self.database.platform() as session:
            return [dict(row) for row in await session.fetch(sql, *args)]

    def in_dump(self) -> list[str]:
        """Return what of Ada stands in the members' own tables."""
        command = [embedded.program("pg_dump") or "pg_dump", "--data-only", "--schema=member", self.url]
        dumped = subprocess.run(command, check=True, capture_output=True, text=True).stdout.lower()
        return [word for word in PLANTED if word in dumped]

    async def found(self, club: Club, identity: api.Identity = ADA) -> UUID | None:
        ask = api.FindMember(kind=identity.kind, value=identity.value)
        try:
            return (await self.platform.call(api.find_member, ask, club.caller)).member_id
        except api.NotAMember:
            return None

    async def put(self, club: Club, member_id: UUID, identity: api.Identity) -> api.Member:
        ask = api.PutIdentity(member_id=member_id, identity=identity)
        return await self.platform.call(api.put_identity, ask, club.caller)


@pytest.fixture
async def sealing(
    make_platform: Callable[..., Awaitable[Platform]], keys: PersonKeys, database_url: str
) -> AsyncIterator[Sealing]:
    packs = (PACK, PERSONAL_DATA)
    front_ends = [FrontEnd(code=code, name=code, owner=code, uses=("member.*",)) for code in ("north", "south")]
    async with await Database.open(database_url) as database:
        platform = await make_platform(
            *packs, *forgetting(packs), *front_ends, clock=lambda: NOW, resources={Seals: keys}
        )
        yield Sealing(platform, database, keys, database_url)


async def test_a_member_is_found_by_what_stands_nowhere_and_is_one_person_at_two_front_ends(sealing: Sealing) -> None:
    here = await sealing.north.joined(ADA, CARD, profile=SAID)
    there = await sealing.south.joined(ADA, profile=SAID)
    assert sealing.in_dump() == []
    assert await sealing.found(sealing.north, email(" ADA.BYRON@example.ORG ")) == here, "in the form of before"
    assert await sealing.found(sealing.north, email("eve@example.org")) is None
    found, other = await sealing.north.member(here), await sealing.south.member(there)
    assert (found.profile, found.identities) == (SAID, (CARD, email("ada.byron@example.org")))
    assert found.person_id == other.person_id
    hashes = await sealing.rows("select value from member.person_identity")
    assert hashes == await sealing.rows("select distinct value from member.identity where kind = 'email'")


async def test_of_two_who_join_with_one_address_at_one_moment_one_is_a_member(sealing: Sealing) -> None:
    joining = [sealing.north.joined(email("ada.byron@example.org", is_verified=False)) for _ in range(4)]
    ended = await asyncio.gather(*joining, return_exceptions=True)
    assert sorted(type(one).__name__ for one in ended) == ["IdentityTaken"] * 3 + ["UUID"]


async def test_who_is_known_in_the_clear_still_is_and_is_sealed_with_what_is_written_next(sealing: Sealing) -> None:
    sealing.switched(False)
    claimed = email(ADA.value, is_verified=False)
    ada = await sealing.north.joined(claimed, CARD)
    sealing.switched(True)
    assert await sealing.found(sealing.north) == ada
    with pytest.raises(api.IdentityTaken):
        await sealing.north.joined(claimed)
    await sealing.put(sealing.north, ada, ADA)
    assert sealing.in_dump() == ["4711-0815"], "the other one waits for the command"
    assert [one.is_verified for one in (await sealing.put(sealing.north, ada, claimed)).identities] == [False, True]
    sealing.switched(False)  # a server that seals nothing finds them all the same
    assert await sealing.found(sealing.north) == ada
    with pytest.raises(api.IdentityTaken):
        await sealing.north.joined(ADA)


async def test_what_somebody_only_said_is_taken_from_them_by_who_proves_it_in_whichever_form(sealing: Sealing) -> None:
    for is_on in (False, True):
        sealing.switched(is_on)
        claimed = email(f"{is_on}@example.org", is_verified=False)
        first = await sealing.north.joined(claimed, email(f"own-{is_on}@example.org"))
        sealing.switched(True)
        second = await sealing.north.joined(email(claimed.value))
        assert await sealing.found(sealing.north, claimed) == second
        assert len((await sealing.north.member(first)).identities) == 1


async def test_what_a_member_is_known_by_goes_with_a_merge_and_opens_under_the_key_that_stays(
    sealing: Sealing,
) -> None:
    stays, goes = await sealing.north.joined(CARD), await sealing.north.joined(ADA, profile=SAID)
    merged = await sealing.north.merged(stays, goes)
    assert (merged.profile, len(merged.identities)) == (SAID, 2)
    await sealing.rows("delete from personal_data.key where subject = $1", str(goes))
    assert await sealing.north.member(stays) == merged
    assert await sealing.found(sealing.north) == stays


async def test_an_identity_that_is_taken_away_is_known_to_nobody_in_the_group(sealing: Sealing) -> None:
    ada = await sealing.north.joined(ADA, CARD)
    gone = api.RemoveIdentity(member_id=ada, kind="email", value=ADA.value)
    await sealing.platform.call(api.remove_identity, gone, NORTH)
    assert await sealing.found(sealing.north) is None
    assert await sealing.rows("select from member.person_identity") == []


async def test_whoever_is_erased_is_opened_by_no_key_that_is_left(sealing: Sealing) -> None:
    ada = await sealing.north.joined(ADA, profile=SAID)
    await sealing.north.joined(email("eve@example.org"), profile=SAID)
    said = "select sealed, 'member.identity' as name from member.identity where member_id = $1"
    said += " union all select sealed_profile, 'member.membership' from member.membership where member_id = $1"
    before = await sealing.rows(said, ada)
    await sealing.platform.call(api.erase, api.Erase(member_id=ada), NORTH)
    assert [row for row in await sealing.rows(said, ada) if row["sealed"] is not None] == []
    async with sealing.database.platform() as session:
        for subject in [row["subject"] for row in await sealing.rows("select subject from personal_data.key")]:
            for row in before:
                with pytest.raises(PersonKeyMissing):
                    await sealing.keys.open(session, subject, row["name"], [row["sealed"]])
    assert await sealing.found(sealing.north) is None


async def test_rows_that_were_there_are_sealed_by_the_command_but_for_one_that_another_has_by_then(
    sealing: Sealing,
) -> None:
    sealing.switched(False)
    ada = await sealing.north.joined(ADA, CARD, profile=SAID)
    done = {one.table: (one.sealed, one.left) for one in await encrypt(sealing.database, sealing.keys, (PACK,))}
    assert done == {
        "member.person_identity": (1, 0),
        "member.membership": (1, 0),
        "member.identity": (2, 0),
        "member.address": (0, 0),
    }
    assert sealing.in_dump() == []
    sealing.switched(True)
    found = await sealing.north.member(ada)
    assert (found.profile, found.identities) == (SAID, (CARD, email("ada.byron@example.org")))
    eve = await sealing.north.joined(email("eve@example.org"))
    write = (
        "insert into member.identity (front_end, kind, value, member_id, is_verified) values ($1, $2, $3, $4, false)"
    )
    await sealing.rows(write, "north", "email", "ada.byron@example.org", eve)  # by a server that looks for no hash
    await sealing.rows(write, "north", "card", "1", eve)
    done = {one.table: (one.sealed, one.left) for one in await encrypt(sealing.database, sealing.keys, (PACK,))}
    assert done["member.identity"] == (1, 1)


async def test_one_id_joins_members_of_two_front_ends_by_hashes_of_what_they_are_known_by(
    sealing: Sealing, tmp_path: Path
) -> None:
    claimed = email(ADA.value, is_verified=False)  # nothing that was proved joins them
    here, there = await sealing.north.joined(claimed), await sealing.south.joined(claimed)
    other = await sealing.south.joined(email("eve@example.org"))
    found = await OneId(tmp_path / "one-id", sealing.database, PERSONS.records).run(NOW)
    persons = found.persons
    assert persons[f"north/{here}"] == persons[f"south/{there}"] != persons[f"south/{other}"]


async def test_one_id_opens_names_birthdays_and_homes_to_compare_them_and_shows_hashes_as_pseudonyms(
    sealing: Sealing, tmp_path: Path
) -> None:
    home = Address(country="US", city="Oxford", postcode="45056", street="7 Oak Road")
    for club, name in ((sealing.north, "eve"), (sealing.south, "zoe")):
        profile = api.Profile(given_name=name.title(), family_name="Ames")
        member_id = await club.joined(email(f"{name}@example.org", is_verified=False), profile=profile)
        await club.address(member_id, "home", home)

    open_ = PERSONS.opened
    assert open_ is not None
    one_id = OneId(
        tmp_path,
        sealing.database,
        PERSONS.records,
        None,
        lambda rows, session: open_(rows, session, sealing.keys),
    )
    await one_id.run(NOW)
    (question,) = (await one_id.review()).questions
    assert {one.known["given name"] for one in (question.one, question.other)} == {"Eve", "Zoe"}
    assert (question.one.known["surname"], question.one.known["street"]) == ("Ames", "7 Oak Road")
    assert re.fullmatch("~[0-9a-f]{10}", question.one.known["email"])
    assert [word for word in ("Ames", "Oak Road", "Zoe") if word in written_in(tmp_path)] == []


def written_in(folder: Path) -> str:
    return " ".join(one.read_text() for one in folder.rglob("*.json*"))


async def test_all_that_is_held_of_somebody_is_found_by_an_address_and_taken_out_open(
    sealing: Sealing, tmp_path: Path
) -> None:
    await sealing.north.joined(ADA, CARD, profile=SAID)
    registry = Registry(database=sealing.database, lake=tmp_path / "no lake")
    export = await export_person(sealing.platform, registry, personal_data.Whom(emails=(ADA.value,)), SUPPORT)
    said = "\n".join(str(row) for one in export.held for row in one.rows).lower()
    assert [word for word in PLANTED if word not in said] == []
    assert export.emails == ("ada.byron@example.org",)


async def test_a_policy_about_a_member_holds_where_they_are_named_by_what_is_encrypted(sealing: Sealing) -> None:
    ada = await sealing.north.joined(ADA)
    forbids = f'forbid (principal, action in Action::"read", resource == Member::"north/{ada}");'
    policies = Policies(
        (PACK, PERSONAL_DATA), [("default", DEFAULT.read_text()), ("own", forbids)], (), sealing.database
    )
    policies.seals = lambda: sealing.keys
    ask = api.FindMember(kind="email", value=ADA.value)
    caller = Caller(front_end="north", person="bob", roles=("support",), via="console")
    with pytest.raises(Exception, match="own"):
        await policies.check(caller, api.find_member, {}, ask)
    await policies.check(caller, api.find_member, {}, ask.replace(value="eve@example.org"))
