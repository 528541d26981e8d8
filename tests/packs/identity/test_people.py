"""Who is let in, and who is no more: links, roles, the last administrator, and one entry for all that is done."""

from __future__ import annotations

import asyncio
import json

import pytest

from isthmus.kernel import errors
from isthmus.packs.identity import api, rules
from isthmus.packs.identity.service import entering

from .conftest import CLI, DESK, PASSWORD, Office, as_person, secret_of

OWNER = api.RoleAt(role="owner")
SUPPORT = api.RoleAt(role="support")


async def test_the_first_administrator_is_made_once(office: Office) -> None:
    first = await office.staff.first_admin("ada", "ada@example.org", CLI)
    again = await office.staff.first_admin("ada", "ada@example.org", CLI)  # the first link was lost
    with pytest.raises(api.LinkSpent):
        await entering.by_link(office.staff, secret_of(first), DESK, password=PASSWORD)
    done = await entering.by_link(office.staff, secret_of(again), DESK, password=PASSWORD)
    known = await office.staff.known(done.session)
    assert known is not None
    assert (known.name, known.roles_at("north")) == ("ada", ("owner",))
    with pytest.raises(api.AlreadyAdministered):
        await office.staff.first_admin("eve", "eve@example.org", CLI)


async def test_a_fresh_platform_says_one_link_however_many_processes_start(office: Office) -> None:
    said = await asyncio.gather(*(office.staff.first_link("a-secret-of-this-server") for _ in range(4)))
    (link,) = [one for one in said if one]
    found = await entering.looked_at(office.staff, secret_of(link))
    assert (found.name, found.needs_address, found.needs_password) == ("admin", True, True)
    anew = await office.staff.first_link("of-the-next-start")
    with pytest.raises(api.LinkSpent):
        await entering.looked_at(office.staff, secret_of(link))
    await entering.by_link(office.staff, secret_of(anew), DESK, password=PASSWORD, address="ada@example.org")
    assert await office.staff.first_link("and-the-next") == ""


async def test_a_link_lets_in_one_of_many_who_use_it_at_once(office: Office) -> None:
    link = secret_of(await office.staff.invite("bo", "bo@example.org", (SUPPORT,), CLI))
    tries = [entering.by_link(office.staff, link, DESK, password=PASSWORD) for _ in range(4)]
    done = await asyncio.gather(*tries, return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["Entered", "LinkSpent", "LinkSpent", "LinkSpent"]


async def test_a_link_that_is_too_old_lets_nobody_in(office: Office) -> None:
    link = secret_of(await office.staff.invite("bo", "bo@example.org", (SUPPORT,), CLI))
    await office.passes(73 * 3600)
    with pytest.raises(api.LinkSpent):
        await entering.by_link(office.staff, link, DESK, password=PASSWORD)


async def test_of_two_invitations_of_one_address_the_second_counts_and_there_is_one_person(office: Office) -> None:
    first = await office.staff.invite("bo", "Bo@Example.org", (SUPPORT,), CLI)
    second = await office.staff.invite("bo", "bo@example.ORG ", (api.RoleAt(role="analyst"),), CLI)
    with pytest.raises(api.LinkSpent):
        await entering.looked_at(office.staff, secret_of(first))
    await entering.by_link(office.staff, secret_of(second), DESK, password=PASSWORD)
    (bo,) = await office.staff.people()
    assert {one.role for one in bo.roles} == {"support", "analyst"}
    with pytest.raises(api.AlreadyHere):
        await office.staff.invite("bob", "bo@example.org", (SUPPORT,), CLI)


async def test_two_invitations_at_once_are_one_person(office: Office) -> None:
    both = [office.staff.invite("bo", "bo@example.org", (SUPPORT,), CLI) for _ in range(2)]
    done = await asyncio.gather(*both, return_exceptions=True)
    assert [one for one in done if isinstance(one, BaseException) and not isinstance(one, api.AlreadyHere)] == []
    assert len(await office.staff.people()) == 1


@pytest.mark.parametrize("name", ["\u0430da", "ad\u200ba", "Ａda", "", "a b", "a" * 64, "1ada", "ada\0"])
def test_a_name_that_looks_like_another_is_none(name: str) -> None:
    with pytest.raises(api.WrongName):
        rules.name_of(name)


@pytest.mark.parametrize(
    "address",
    ["\u0430da@example.org", "ada@ex\u0430mple.org", "ada@example.org\u200b", "ada", "a@b@c", "@b", "a@", "a\0@b"],
)
def test_an_address_that_looks_like_another_is_none(address: str) -> None:
    with pytest.raises(api.WrongAddress):
        rules.address_of(address)


@pytest.mark.parametrize(
    "password", ["short", "a" * 40, "abababababababab", "lovelace and so on", "x" * 2_000, "my lovelace rocks"]
)
def test_a_password_that_is_easy_to_guess_is_none(password: str) -> None:
    with pytest.raises(api.WeakPassword):
        rules.check_password(password, "lovelace")


async def test_the_last_administrator_stays(office: Office) -> None:
    await office.hire("ada", "owner")
    with pytest.raises(api.LastAdministrator):
        await office.staff.take("ada", OWNER, CLI)
    with pytest.raises(api.LastAdministrator):
        await office.staff.disable("ada", CLI)
    await office.hire("bo", "owner")
    done = await asyncio.gather(
        office.staff.take("ada", OWNER, as_person("bo", "owner")),
        office.staff.disable("bo", as_person("ada", "owner")),
        return_exceptions=True,
    )
    assert sorted(type(one).__name__ for one in done) == ["LastAdministrator", "NoneType"], "of two at once one stays"


async def test_the_database_itself_keeps_the_last_administrator(office: Office) -> None:
    await office.hire("ada", "owner")
    for statement in (
        "delete from identity.person",
        "delete from identity.role",
        "update identity.role set role = 'x'",
    ):
        with pytest.raises(errors.IsthmusError, match="identity_keep_an_administrator"):
            async with office.database.platform() as session:
                await session.execute(statement)


async def test_only_an_owner_makes_an_owner_or_lets_one_in(office: Office) -> None:
    await office.hire("ada", "owner")
    await office.hire("bo", "support")
    operator = as_person("oz", "operator")
    for act in (
        office.staff.give("bo", OWNER, operator),
        office.staff.take("ada", OWNER, operator),
        office.staff.invite("eve", "eve@example.org", (OWNER,), operator),
        office.staff.sign_in_link("ada", operator),
        office.staff.disable("ada", operator),
    ):
        with pytest.raises(api.OwnersOnly):
            await act


async def test_roles_count_from_the_next_look_on_and_at_their_front_end_alone(office: Office) -> None:
    done = await office.hire("bo")
    await office.staff.give("bo", api.RoleAt(role="support", front_end="north"), CLI)
    known = await office.staff.known(done.session)
    assert known is not None
    assert (known.roles_at("north"), known.roles_at("south"), known.roles_at("*")) == (("support",), (), ())
    await office.staff.take("bo", api.RoleAt(role="support", front_end="north"), CLI)
    known = await office.staff.known(done.session)
    assert known is not None
    assert known.roles_at("north") == ()


async def test_who_is_let_in_no_more_is_signed_out_everywhere(office: Office) -> None:
    await office.hire("ada", "owner")
    done = await office.hire("bo", "support")
    await office.staff.disable("bo", CLI)
    assert await office.staff.known(done.session) is None
    with pytest.raises(api.NotSignedIn):
        await entering.by_password(office.staff, "bo", PASSWORD, DESK)
    with pytest.raises(api.NoSuchPerson):
        await office.staff.sign_in_link("bo", CLI)
    await office.staff.disable("bo", CLI, is_back=True)
    assert (await entering.by_password(office.staff, "bo", PASSWORD, DESK)).session


async def test_each_act_has_an_entry_done_or_refused_and_no_secret_is_in_it(office: Office) -> None:
    await office.hire("ada", "owner")
    with pytest.raises(api.LastAdministrator):
        await office.staff.take("ada", OWNER, as_person("ada", "owner"))
    with pytest.raises(api.NotSignedIn):
        await entering.by_password(office.staff, "ada@example.org", "wrong wrong wrong", DESK)
    found = await office.written()
    assert [(one["action"], one["outcome"], one["person"]) for one in found] == [
        ("people.invite", "done", ""),
        ("people.sign-in", "done", "ada"),
        ("people.take-role", "identity.last-administrator", "ada"),
        ("people.sign-in", "identity.not-signed-in", "ada"),
    ]
    whole = "".join(one["content"] for one in found)
    assert all(secret not in whole for secret in (PASSWORD, "wrong wrong", "@example.org"))


async def test_what_somebody_was_before_and_is_after_is_in_the_entry(office: Office) -> None:
    await office.hire("ada", "owner")
    await office.hire("bo", "support")
    await office.staff.give("bo", api.RoleAt(role="operator", front_end="north"), CLI)
    await office.staff.take("bo", SUPPORT, CLI)
    await office.staff.disable("bo", CLI)
    said = [json.loads(one["content"])["ask"] for one in (await office.written())[-3:]]
    first, both, last = ["support at *"], ["operator at north", "support at *"], ["operator at north"]
    assert [(sorted(one["before"]["roles"]), sorted(one["after"]["roles"])) for one in said] == [
        (first, both), (both, last), (last, last),
    ]  # fmt: skip
    assert (said[-1]["before"]["state"], said[-1]["after"]["state"]) == ("active", "disabled")


async def test_what_cannot_be_written_down_is_not_done(office: Office) -> None:
    await office.hire("ada", "owner")
    async with office.database.platform() as session:
        await session.execute("alter table audit.pending add constraint full_up check (false) not valid")
    with pytest.raises(errors.IsthmusError):
        await office.staff.invite("bo", "bo@example.org", (SUPPORT,), CLI)
    assert [one.name for one in await office.staff.people()] == ["ada"]
