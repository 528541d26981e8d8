"""Who is a member, what they are known by, and what becomes of it when two are one or one is forgotten."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest
from msgspec import structs

from isthmus.packs.member import api
from isthmus.store import Database
from isthmus.values import Buyer

from .conftest import HOME, Club, broken_conditions, email


async def test_a_member_is_found_by_what_they_are_known_by_however_it_is_written(north: Club) -> None:
    phone = api.Identity(kind="phone", value="+1 513 555-01 00")
    member_id = await north.joined(email("Ada@Example.org "), phone)
    asks = (api.FindMember(kind="email", value="ada@example.ORG"), api.FindMember(kind="phone", value="+15135550100"))
    for ask in asks:
        found = await north.platform.call(api.find_member, ask, north.caller)
        assert found.member_id == member_id
    with pytest.raises(api.NotAMember, match="known by this card"):
        await north.call(api.find_member, api.FindMember(kind="card", value="1"))


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("email", "jose\u0301@example.org", "JOSÉ@Example.org "),
        ("email", "ada@example.org", "ａｄａ@example.org\u200b"),
        ("external", "Jose\u0301", "José"),
        ("phone", "+١٥١٣", "+1 513"),
    ],
)
async def test_one_name_is_one_member_however_its_letters_are_written(
    north: Club, kind: api.IdentityKind, one: str, other: str
) -> None:
    member_id = await north.joined(api.Identity(kind=kind, value=one, is_verified=True))
    with pytest.raises(api.IdentityTaken):
        await north.joined(api.Identity(kind=kind, value=other, is_verified=True))
    found = await north.platform.call(api.find_member, api.FindMember(kind=kind, value=other), north.caller)
    assert found.member_id == member_id


async def test_a_name_is_kept_with_its_letters_composed(north: Club) -> None:
    profile = api.Profile(given_name=" Jose\u0301 ", family_name="Mu\u0308ller")
    member_id = await north.joined(email("jose@example.org"), profile=profile)
    kept = (await north.member(member_id)).profile
    assert (kept.given_name, kept.family_name) == ("José", "Müller")
    changed = api.UpdateMember(member_id=member_id, profile=structs.replace(kept, given_name="Zoe\u0308"))
    assert (await north.platform.call(api.update_member, changed, north.caller)).profile.given_name == "Zoë"


async def test_joining_a_second_front_end_is_the_same_person_and_another_membership(north: Club, south: Club) -> None:
    first = await north.joined(email("ada@example.org"))
    ask = api.Register(identities=(email("ada@example.org"),))
    second = await south.platform.call(api.register, ask, south.caller)
    assert not second.is_new_person
    assert second.person_id == (await north.member(first)).person_id
    with pytest.raises(api.NotAMember):
        await south.member(first)


async def test_who_does_not_accept_the_terms_does_not_join(north: Club) -> None:
    with pytest.raises(api.RegistrationRefused, match="terms"):
        await north.joined(email("ada@example.org"), consents=())


async def test_many_join_at_once_or_none(north: Club) -> None:
    people = [api.Registration(identities=(email(f"{n}@example.org"),), consents=("terms",)) for n in range(20)]
    joined = await north.platform.call(api.register_many, api.RegisterMany(members=tuple(people)), north.caller)
    assert len({one.member_id for one in joined.items}) == 20
    late = (api.Registration(identities=(email("new@example.org"),), consents=("terms",)), people[3])
    with pytest.raises(api.IdentityTaken) as refused:
        await north.call(api.register_many, api.RegisterMany(members=late))
    assert refused.value.path == "$.members[1].identities[0]"
    with pytest.raises(api.NotAMember):
        await north.call(api.find_member, api.FindMember(kind="email", value="new@example.org"))


async def test_two_who_join_at_once_with_one_address_are_one_member(north: Club) -> None:
    tries = (north.joined(email("ada@example.org")) for _ in range(8))
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(not isinstance(one, BaseException) for one in outcomes) == 1
    assert all(isinstance(one, api.IdentityTaken) for one in outcomes if isinstance(one, BaseException))


async def test_whose_address_it_is_takes_it_from_who_only_said_so(north: Club) -> None:
    squatter = await north.joined(email("ada@example.org", is_verified=False))
    owner = await north.joined(email("ada@example.org"))
    assert (await north.member(squatter)).identities == ()
    assert (await north.member(owner)).identities == (email("ada@example.org"),)
    with pytest.raises(api.IdentityTaken):
        await north.joined(email("ada@example.org", is_verified=False))


async def test_an_identity_that_is_verified_later_joins_the_memberships_of_one_person(north: Club, south: Club) -> None:
    first = await north.joined(email("ada@example.org"))
    second = await south.joined(email("ada@example.org", is_verified=False))
    assert (await south.member(second)).person_id != (await north.member(first)).person_id
    ask = api.PutIdentity(member_id=second, identity=email("ADA@example.org"))
    await south.call(api.put_identity, ask)
    assert (await south.member(second)).person_id == (await north.member(first)).person_id


async def test_an_identity_of_a_person_who_is_a_member_here_already_is_refused(north: Club, south: Club) -> None:
    await north.joined(email("ada@example.org"))
    await south.joined(email("ada@example.org"))
    other = await south.joined(email("bob@example.org"))
    with pytest.raises(api.AnotherPerson):
        await south.call(api.put_identity, api.PutIdentity(member_id=other, identity=email("ada@example.org")))
    unverified = email("ada@example.org", is_verified=False)
    with pytest.raises(api.IdentityTaken):
        await south.call(api.put_identity, api.PutIdentity(member_id=other, identity=unverified))


async def test_an_identity_that_is_removed_is_free_for_others(north: Club) -> None:
    first = await north.joined(email("ada@example.org"), email("old@example.org"))
    for _ in range(2):
        await north.call(
            api.remove_identity, api.RemoveIdentity(member_id=first, kind="email", value="old@example.org")
        )
    second = await north.joined(email("old@example.org"))
    assert (await north.member(second)).person_id != (await north.member(first)).person_id


async def test_profile_addresses_and_segments_are_kept(north: Club) -> None:
    member_id = await north.joined(email("ada@example.org"))
    profile = api.Profile(given_name="Ada")
    await north.call(api.update_member, api.UpdateMember(member_id=member_id, profile=profile))
    await north.call(api.update_member, api.UpdateMember(member_id=member_id, consents=("terms", "news")))
    await north.address(member_id, "home")
    await north.address(member_id, "work")
    buyer = await north.call(api.set_segments, api.SetSegments(member_id=member_id, segments=("reseller", "reseller")))
    await north.call(api.remove_address, api.RemoveAddress(member_id=member_id, label="work"))
    member = await north.member(member_id)
    assert (member.profile, member.consents, member.segments) == (profile, ("terms", "news"), ("reseller",))
    assert member.addresses == (api.StoredAddress(label="home", address=HOME),)
    assert buyer == Buyer(member_id=member_id, tier="", segments=("reseller",))
    assert await north.call(api.get_buyer, api.GetMember(member_id=member_id)) == buyer


async def _consents(club: Club, member_id: UUID) -> list[tuple[str, bool]]:
    """Return what a member consented to and took back, the first first."""
    found = await club.platform.call(api.list_consents, api.ListConsents(member_id=member_id), club.caller)
    return [(one.purpose, one.is_given) for one in reversed(found.items)]


async def test_each_consent_and_each_that_is_taken_back_stays_known(north: Club) -> None:
    member_id = await north.joined(email("ada@example.org"))
    for consents in (("terms", "news"), ("terms", "news"), ("news", "terms"), ("terms",), None, ("terms", "news")):
        profile = api.Profile(given_name="Ada")
        await north.call(api.update_member, api.UpdateMember(member_id=member_id, profile=profile, consents=consents))
    expected = [("terms", True), ("news", True), ("news", False), ("news", True)]
    assert await _consents(north, member_id) == expected
    with pytest.raises(api.NotAMember):
        await north.call(api.list_consents, api.ListConsents(member_id=uuid4()))


async def test_consents_of_a_membership_that_went_into_another_stay_known_until_the_person_is_erased(
    north: Club, south: Club, database_url: str
) -> None:
    one, other = await north.joined(email("ada@example.org")), await north.joined(email("a@example.org"))
    await north.call(api.update_member, api.UpdateMember(member_id=other, consents=("terms", "news")))
    await north.merged(one, other)
    assert sorted(await _consents(north, other)) == sorted(
        [("terms", True), ("terms", True), ("news", True), ("news", True)]
    )
    with pytest.raises(api.NotAMember):
        await south.call(api.list_consents, api.ListConsents(member_id=one))
    await north.call(api.erase, api.Erase(member_id=one))
    async with await Database.open(database_url) as database, database.platform() as session:
        assert await session.fetch_value("select count(*) from member.consent_change") == 0


async def test_segments_of_others_stay_when_people_set_theirs(north: Club) -> None:
    member_id = await north.joined(email("ada@example.org"))
    learnt, own = ("data:regulars", "data:lapsed"), ("reseller",)
    await north.call(api.set_segments, api.SetSegments(member_id=member_id, segments=learnt, prefix="data:"))
    await north.call(api.set_segments, api.SetSegments(member_id=member_id, segments=own))
    assert (await north.member(member_id)).segments == tuple(sorted((*learnt, *own)))
    await north.call(api.set_segments, api.SetSegments(member_id=member_id, segments=("data:lapsed",), prefix="data:"))
    await north.call(api.set_segments, api.SetSegments(member_id=member_id, segments=()))
    assert (await north.member(member_id)).segments == ("data:lapsed",)


async def test_addresses_have_a_limit(north: Club) -> None:
    member_id = await north.joined(email("ada@example.org"))
    for number in range(api.ADDRESSES_MAX):
        await north.address(member_id, f"a{number}")
    with pytest.raises(api.RegistrationRefused, match="50 addresses"):
        await north.address(member_id, "one-more")
    assert len((await north.member(member_id)).addresses) == api.ADDRESSES_MAX


async def test_a_merge_keeps_all_that_either_has(north: Club, database_url: str) -> None:
    one = await north.joined(email("ada@example.org"), profile=api.Profile(given_name="Ada"))
    other = await north.joined(
        email("a.byron@example.org"),
        profile=api.Profile(given_name="A.", family_name="Byron"),
        consents=("terms", "news"),
    )
    elsewhere = structs.replace(HOME, street="2 Oak Street")  # pyright: ignore[reportArgumentType]
    await north.address(one, "home")
    await north.address(other, "home", elsewhere)
    await north.address(other, "same", HOME)
    await north.earned(one, "order-1", 60)
    await north.earned(other, "order-1", 50)
    merged = await north.merged(one, other)
    assert merged.profile == api.Profile(given_name="Ada", family_name="Byron")
    assert [stored.label for stored in merged.addresses] == ["home", "home-2"]
    assert (merged.points, merged.tier, merged.consents) == (110, "silver", ("news", "terms"))
    assert {identity.value for identity in merged.identities} == {"ada@example.org", "a.byron@example.org"}
    assert merged.merged_ids == (other,)
    assert [moved.reference for moved in await north.movements(one)] == ["order-1", "order-1"]
    assert await broken_conditions(database_url) == {}


async def test_what_names_a_merged_member_is_answered_for_the_one_that_stayed(north: Club, database_url: str) -> None:
    ids = [await north.joined(email(f"{n}@example.org")) for n in range(3)]
    await north.earned(ids[2], "order-7", 40)
    await north.merged(ids[1], ids[2])
    await north.merged(ids[0], ids[1])
    assert (await north.member(ids[2])).member_id == ids[0]
    buyer = await north.platform.call(api.get_buyer, api.GetMember(member_id=ids[2]), north.caller)
    assert buyer.member_id == ids[0]
    assert (await north.earned(ids[2], "order-7", 40)).moved == 0  # it was earned before
    assert (await north.reversed(ids[1], "order-7")).balance == 0
    with pytest.raises(api.MergeConflict):
        await north.merged(ids[0], ids[2])
    assert await broken_conditions(database_url) == {}


async def test_merges_of_the_same_two_at_once_lose_nothing(north: Club, database_url: str) -> None:
    ids = [await north.joined(email(f"{n}@example.org")) for n in range(6)]
    for at, member_id in enumerate(ids):
        await north.earned(member_id, f"order-{at}", 10)
    pairs = [(one, other) for one in ids for other in ids if one != other]
    outcomes = await asyncio.gather(*(north.merged(*pair) for pair in pairs), return_exceptions=True)
    refused = [one for one in outcomes if isinstance(one, BaseException)]
    assert all(isinstance(one, api.MergeConflict) for one in refused), refused
    survivors = {(await north.member(member_id)).member_id for member_id in ids}
    assert len(survivors) == 1
    assert (await north.member(ids[0])).points == 60
    assert await broken_conditions(database_url) == {}


async def test_who_is_forgotten_in_one_front_end_stays_known_in_another(north: Club, south: Club) -> None:
    here = await north.joined(email("ada@example.org"), profile=api.Profile(given_name="Ada"))
    there = await south.joined(email("ada@example.org"))
    await north.earned(here, "order-1", 30)
    assert (await north.platform.call(api.erase, api.Erase(member_id=here), north.caller)).member_id == here
    with pytest.raises(api.NotAMember):
        await north.member(here)
    again = await north.joined(email("ada@example.org"))
    assert (await north.member(again)).person_id == (await south.member(there)).person_id


async def test_who_is_forgotten_everywhere_is_a_new_person_when_they_come_back(north: Club) -> None:
    ask = api.Register(identities=(email("ada@example.org"),), consents=("terms",))
    first = await north.platform.call(api.register, ask, north.caller)
    await north.call(api.erase, api.Erase(member_id=first.member_id))
    second = await north.platform.call(api.register, ask, north.caller)
    assert second.is_new_person
    assert second.person_id != first.person_id


async def test_what_is_still_due_to_a_forgotten_member_goes_through_and_moves_nothing(north: Club) -> None:
    member_id = await north.joined(email("ada@example.org"))
    await north.earned(member_id, "order-1", 30)
    await north.call(api.erase, api.Erase(member_id=member_id))
    assert (await north.earned(member_id, "order-2", 10)).moved == 0
    assert (await north.reversed(member_id, "order-1")).moved == 0
    with pytest.raises(api.NotAMember):
        await north.spent(member_id, "gift", 5)
    with pytest.raises(api.NotAMember):
        await north.earned(uuid4(), "order-3", 10)
