"""One profile of the group: what a member said at one front end, read at another as far as they let it."""

from __future__ import annotations

from uuid import UUID

import asyncpg
import pytest

from isthmus.packs.member import api

from .conftest import Club, broken_conditions, email

ADA = email("ada@example.org")
PHONE = api.Identity(kind="phone", value="+4930123456", is_verified=True)
SAID = api.Profile(given_name="Ada", family_name="Byron", language="en", birthday="1990-12-10")


async def share(club: Club, member_id: UUID, to: str, *fields: api.ProfileField) -> api.ProfileShares:
    ask = api.ShareProfile(member_id=member_id, to=to, fields=fields)
    return await club.platform.call(api.share_profile, ask, club.caller)


async def read(club: Club, member_id: UUID) -> api.GroupProfile:
    return await club.platform.call(api.read_profile, api.ReadProfile(member_id=member_id), club.caller)


async def both(north: Club, south: Club) -> tuple[UUID, UUID]:
    """Let one person be a member at both, who says who they are at the north."""
    return await north.joined(ADA, PHONE, profile=SAID), await south.joined(ADA)


async def test_nothing_of_a_profile_is_read_elsewhere_before_its_member_said_so(north: Club, south: Club) -> None:
    _, there = await both(north, south)
    found = await read(south, there)
    assert (found.profile, found.phone, found.sources) == (api.Profile(), None, ())


async def test_what_a_member_lets_another_front_end_read_is_read_there_and_no_more(north: Club, south: Club) -> None:
    here, there = await both(north, south)
    await share(north, here, "south", "given_name", "phone")
    found = await read(south, there)
    assert found.profile == api.Profile(given_name="Ada")
    assert (found.email, found.phone) == ("ada@example.org", PHONE.value), "the address they proved here themselves"
    assert found.sources == (api.ProfileSource(front_end="north", fields=("given_name", "phone")),)
    assert (await read(north, here)).sources == (), "it is one way"


async def test_what_was_said_here_counts_before_what_was_said_elsewhere(north: Club, south: Club) -> None:
    here, there = await both(north, south)
    await share(north, here, "south", "given_name", "language", "birthday")
    update = api.UpdateMember(member_id=there, profile=api.Profile(given_name="Countess"))
    await south.platform.call(api.update_member, update, south.caller)
    assert (await read(south, there)).profile == SAID.replace(given_name="Countess", family_name="")


async def test_a_consent_takes_the_place_of_the_one_before_and_all_are_kept(north: Club, south: Club) -> None:
    here, there = await both(north, south)
    await share(north, here, "south", "given_name", "birthday")
    await share(north, here, "south", "family_name")
    assert (await read(south, there)).profile == api.Profile(family_name="Byron")
    ended = await share(north, here, "south")
    assert (await read(south, there)).profile == api.Profile()
    assert [(one.fields, one.ended_at is None) for one in ended.items if one.to == "south"] == [
        (one.fields, False) for one in ended.items
    ]
    assert {one.fields for one in ended.items} == {("family_name",), ("birthday", "given_name")}


async def test_who_is_another_person_or_no_member_reads_nothing(north: Club, south: Club) -> None:
    here, _ = await both(north, south)
    await share(north, here, "south", "given_name")
    other = await south.joined(email("bob@example.org"))
    assert (await read(south, other)).profile == api.Profile()
    for club, member_id in ((south, here), (north, other)):
        with pytest.raises(api.NotAMember):
            await read(club, member_id)
        with pytest.raises(api.NotAMember):
            await share(club, member_id, "west", "given_name")


async def test_the_wall_shows_consents_to_nobody_else_and_reads_only_what_they_say(
    north: Club, south: Club, database_url: str
) -> None:
    here, there = await both(north, south)
    await share(north, here, "south", "given_name")
    connection = await asyncpg.connect(database_url)
    try:
        for code, seen in (("north", 1), ("south", 0)):
            await connection.execute(f"set role isthmus_app; set isthmus.front_end = '{code}'")
            assert await connection.fetchval("select count(*) from member.profile_share") == seen
        rows = await connection.fetch("select * from member.said_elsewhere($1)", there)
        (said,) = [(row["profile"], row["sealed_profile"] is not None, row["known"]) for row in rows]
        assert said in (('{"given_name": "Ada"}', False, "[]"), ("{}", True, "[]")), (
            "encrypted it opens here as a whole"
        )
        await connection.execute("set isthmus.front_end = 'west'")
        assert await connection.fetch("select * from member.said_elsewhere($1)", there) == []
    finally:
        await connection.close()


async def test_who_is_erased_where_they_said_it_is_read_nowhere(north: Club, south: Club, database_url: str) -> None:
    here, there = await both(north, south)
    await share(north, here, "south", "given_name")
    await north.call(api.erase, api.Erase(member_id=here))
    found = await read(south, there)
    assert (found.profile, found.sources) == (api.Profile(), ())
    connection = await asyncpg.connect(database_url)
    assert await connection.fetchval("select count(*) from member.profile_share") == 0
    await connection.close()


async def test_two_memberships_that_become_one_keep_what_either_let_others_read(
    north: Club, south: Club, database_url: str
) -> None:
    here, there = await both(north, south)
    other = await north.joined(email("ada@work.example"))
    await share(north, here, "south", "given_name")
    for to in ("south", "west"):
        await share(north, other, to, "family_name")
    await north.merged(here, other)
    ask = api.ListProfileShares(member_id=other)  # it means the one that it went into
    shares = (await north.platform.call(api.list_profile_shares, ask, north.caller)).items
    assert {one.to: one.fields for one in shares if one.ended_at is None} == {
        "south": ("given_name",),
        "west": ("family_name",),
    }
    assert len(shares) == 3, "what ended is kept"
    assert (await read(south, there)).profile == api.Profile(given_name="Ada")
    assert await broken_conditions(database_url) == {}


async def test_one_shares_with_others_and_not_with_oneself(north: Club, south: Club) -> None:
    here, _ = await both(north, south)
    assert (await share(north, here, "north", "given_name")).items == ()
