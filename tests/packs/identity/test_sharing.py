"""What is shared with people: given by who may, seen at once on every server, over when it ends, kept as history."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from isthmus.kernel import Caller, errors
from isthmus.manifest.sign_in import Person
from isthmus.packs.identity import api
from isthmus.packs.identity.service import entering
from isthmus.packs.identity.service.staff import Staff
from isthmus.packs.policy.service.policies import DEFAULT, Policies
from tests import shipped

from .conftest import CLI, DESK, PASSWORD, Office, as_person, secret_of

GET, SETTLED, LOOK = "order.get-order", "settlement.list-settlements", "console.look"
ORDER = "order/019df2dc-0a00-7001-a2cc-8c7fecb56c9a"
SELLER = api.RelationAt(role="operator", front_end="market", part="seller/17")
POLICIES = Policies(shipped.PACKS, [("default", DEFAULT.read_text())])


@pytest.fixture
def office(office: Office) -> Office:
    office.staff.kinds = {"seller", "order"}
    return office


def calls(person: Person | None, front_end: str = "market") -> Caller:
    assert person is not None
    held = person.relations.get(front_end, ())
    return Caller(front_end=front_end, person=person.name, roles=person.roles_at(front_end), relations=held)


async def may(person: Person | None, action: str, front_end: str = "market") -> bool:
    """Ask the guard as the pipeline does."""
    try:
        await POLICIES.check(calls(person, front_end), POLICIES.capabilities[action], {})
    except errors.NotPermitted:
        return False
    return True


async def test_who_is_invited_as_a_sellers_holds_that_and_nothing_else(office: Office) -> None:
    link = await office.staff.invite("bo", "bo@example.org", (), CLI, (SELLER,))
    done = await entering.by_link(office.staff, secret_of(link), DESK, password=PASSWORD)
    bo = await office.staff.known(done.session)
    assert bo is not None
    assert (bo.roles, bo.relations) == ({}, {"market": ("operator seller/17",)})
    assert await POLICIES.check(calls(bo), POLICIES.capabilities[GET], {}) == "seller/17"
    assert [await may(bo, one) for one in (LOOK, "people.share", "payment.get-payment", "order.place-order")] == [
        False
    ] * 4
    assert not await may(bo, GET, "brand")


async def test_what_is_shared_and_ended_counts_with_the_next_page_on_every_server(office: Office) -> None:
    bo = await office.hire("bo")
    other_server = Staff(office.database, office.staff.vault)
    assert not await may(await other_server.known(bo.session), GET)
    await office.staff.share("bo", api.RelationAt(role="support", front_end="market", part=ORDER), CLI)
    known = await other_server.known(bo.session)
    assert await may(known, GET)
    assert not await may(known, "order.complete-order")  # support reads
    assert not await may(known, SETTLED)  # which are of a seller, and not of an order
    (one,) = await office.staff.relations(person="bo")
    await office.staff.end_share(one.id, "market", CLI)
    assert not await may(await other_server.known(bo.session), GET)
    with pytest.raises(api.NoSuchRelation):
        await office.staff.end_share(one.id, "market", CLI)


async def test_an_agency_has_a_front_end_until_friday_and_no_longer(office: Office) -> None:
    agency = await office.hire("agency")
    friday = datetime.now(UTC) + timedelta(days=2)
    given = api.RelationAt(role="support", front_end="fresh", part="front-end/fresh", ends_at=friday)
    await office.staff.share("agency", given, CLI)
    known = await office.staff.known(agency.session)
    assert await POLICIES.check(calls(known, "fresh"), POLICIES.capabilities[GET], {}) == ""  # all of it
    assert await may(known, LOOK, "fresh")
    assert not await may(known, LOOK, "market")
    async with office.database.platform() as session:
        await session.execute("update identity.relation set ends_at = now() - interval '1 second'")
    known = await office.staff.known(agency.session)
    assert known is not None
    assert known.relations == {}
    assert not await may(known, GET, "fresh")
    assert await office.staff.relations() == ()


async def test_nobody_gives_what_they_do_not_hold_or_what_was_given_to_them(office: Office) -> None:
    await office.hire("bo")
    to_share = api.RelationAt(role="operator", front_end="market", part=ORDER)
    await office.staff.share("bo", to_share, as_person("ada", "operator", front_end="market"))
    await office.staff.share("bo", to_share, as_person("root", "owner", front_end="market"))
    lent = Caller(front_end="market", person="bo", relations=("operator front-end/market",), via="console")
    for by, role in (
        (as_person("ada", "support", front_end="market"), "operator"),
        (as_person("ada", "operator", front_end="market"), "treasurer"),
        (as_person("root", "owner", front_end="market"), "owner"),
        (CLI, "owner"),
        (lent, "operator"),
    ):
        with pytest.raises(api.NotYoursToGive):
            await office.staff.share("bo", to_share.replace(role=role), by)


@pytest.mark.parametrize(
    ("front_end", "part"),
    [
        ("*", "seller/17"), ("market", "seller/"), ("market", "seller"), ("market", "front-end/fresh"),
        ("market", "shelf/1"), ("market", "seller/17 seller/18"), ("market", "seller/'17"),
        ("market", "seller/\u0430da"),
        ("market", "seller/17\n"), ("market", "seller/17,seller/18 "),
    ],
)  # fmt: skip
async def test_what_is_no_part_is_given_to_nobody(office: Office, front_end: str, part: str) -> None:
    await office.hire("bo")
    with pytest.raises(api.WrongPart):
        await office.staff.share("bo", api.RelationAt(role="operator", front_end=front_end, part=part), CLI)


async def test_a_time_that_is_over_is_refused(office: Office) -> None:
    await office.hire("bo")
    with pytest.raises(api.EndsBefore):
        await office.staff.share("bo", SELLER.replace(ends_at=datetime(2020, 1, 1, tzinfo=UTC)), CLI)
    assert await office.staff.relations() == ()


async def test_given_again_with_another_end_the_new_one_stands_and_the_old_one_is_history(office: Office) -> None:
    await office.hire("bo")
    await office.staff.share("bo", SELLER, CLI)
    later = datetime.now(UTC) + timedelta(days=9)
    await office.staff.share("bo", SELLER.replace(ends_at=later), CLI)
    (one,) = await office.staff.relations(front_end="market")
    assert one.ends_at == later
    async with office.database.platform() as session:
        assert await session.fetch_value("select count(*) from identity.relation") == 2


async def test_each_is_written_down_with_who_what_and_until_when(office: Office) -> None:
    await office.hire("bo")
    await office.staff.share("bo", SELLER, as_person("root", "owner", front_end="market"))
    with pytest.raises(api.NotYoursToGive):
        await office.staff.share("bo", SELLER, as_person("eve", "support", front_end="market"))
    (one,) = await office.staff.relations()
    await office.staff.end_share(one.id, "market", CLI)
    written = [(one["action"], one["outcome"], one["person"]) for one in await office.written()]
    assert written[-3:] == [
        ("people.share", "done", "root"),
        ("people.share", "identity.not-yours-to-give", "eve"),
        ("people.end-share", "done", ""),
    ]
    assert "operator seller/17 at market" in (await office.written())[-1]["content"]


async def test_nobody_ends_what_was_given_at_another_front_end(office: Office) -> None:
    await office.hire("bo")
    await office.staff.share("bo", SELLER, CLI)
    (one,) = await office.staff.relations()
    with pytest.raises(api.NoSuchRelation):
        await office.staff.end_share(one.id, "brand", as_person("ada", "owner", front_end="brand"))
    assert await office.staff.relations() == (one,)


async def test_who_may_sign_in_no_more_is_in_no_list_of_who_may(office: Office) -> None:
    await office.hire("root", "owner")
    await office.hire("bo")
    await office.staff.share("bo", SELLER, CLI)
    await office.staff.disable("bo", CLI)
    assert await office.staff.relations() == ()
    assert await office.staff.holding("bo") is None
