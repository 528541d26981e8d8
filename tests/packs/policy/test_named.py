"""Members and orders as resources: what a company forbids of one holds for who may do it with all others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from isthmus.kernel import Caller, FrontEnd, Platform, errors, ports
from isthmus.packs.member import api as member
from isthmus.packs.policy import api
from isthmus.packs.policy.rules.things import Thing
from isthmus.packs.policy.service.policies import DEFAULT, Policies, front_end_problems
from isthmus.store import Database
from tests import shipped

MakePlatform = Callable[..., Awaitable[Platform]]
SHIPPED = ("default", DEFAULT.read_text())
DESK = Caller(front_end="north", person="ada", roles=("helpdesk",), via="console")
OFFICE = Caller(front_end="north", client="office")
MAY = 'permit (principal in Role::"helpdesk", action in Action::"member.*", resource);'
VIPS = """@id("vips-are-for-others")
forbid (principal in Role::"helpdesk", action in Action::"write", resource is Member)
when { resource.segments.contains("vip") };"""


def one(member_id: UUID) -> str:
    return f"""@id("not-this-one")
    forbid (principal in Role::"helpdesk", action, resource == Member::"north/{member_id}");"""


class Shop:
    """A shop with two members, and its policies."""

    def __init__(self, platform: Platform, ids: tuple[UUID, UUID]) -> None:
        self.platform = platform
        self.ann, self.bob = ids

    def ruled(self, *texts: str) -> None:
        sources = [SHIPPED, ("may", MAY), *(("company", text) for text in texts)]
        database = self.platform.store
        assert isinstance(database, Database)
        policies = Policies(shipped.PACKS, sources, database=database)
        self.platform = Platform(self.platform.release, database, resources={ports.Guard: policies})

    async def names(self, member_id: UUID, caller: Caller = DESK) -> Any:
        ask = member.UpdateMember(member_id=member_id, profile=member.Profile(given_name="Another"))
        return await self.platform.call(member.update_member, ask, caller)

    async def segments(self, member_id: UUID, *segments: str) -> None:
        await self.platform.call(
            member.set_segments, member.SetSegments(member_id=member_id, segments=segments), OFFICE
        )


@pytest.fixture
async def shop(make_platform: MakePlatform) -> Shop:
    north = FrontEnd(code="north", name="N", owner="n", uses=("member.*", "order.*", "policy.*"))
    platform = await make_platform(*shipped.PACKS, north)
    ids: list[UUID] = []
    for name in ("ann", "bob"):
        known = member.Identity(kind="email", value=f"{name}@example.org", is_verified=True)
        ids.append((await platform.call(member.register, member.Register(identities=(known,)), OFFICE)).member_id)
    return Shop(platform, (ids[0], ids[1]))


async def test_support_may_not_change_one_member_and_may_all_others(shop: Shop) -> None:
    shop.ruled(one(shop.ann))
    with pytest.raises(api.Forbidden, match="forbidden by company#not-this-one"):
        await shop.names(shop.ann)
    assert (await shop.names(shop.bob)).profile.given_name == "Another"
    assert (await shop.names(shop.ann, OFFICE)).profile.given_name == "Another"


async def test_it_holds_as_bytes_and_whatever_way_they_are_named(shop: Shop) -> None:
    shop.ruled(one(shop.ann))
    body = f'{{"member_id": "{str(shop.ann).upper()}"}}'.encode()
    with pytest.raises(api.Forbidden):
        await shop.platform.call_wire("member.get-member", body, DESK)
    by_address = member.FindMember(kind="email", value=" ANN@Example.org ")
    with pytest.raises(api.Forbidden):
        await shop.platform.call(member.find_member, by_address, DESK)
    into = member.Merge(member_id=shop.bob, other_id=shop.ann, evidence="the same card")
    with pytest.raises(api.Forbidden):
        await shop.platform.call(member.merge, into, DESK)


async def test_who_was_merged_is_named_by_each_of_their_names(shop: Shop) -> None:
    into = member.Merge(member_id=shop.ann, other_id=shop.bob, evidence="the same card")
    await shop.platform.call(member.merge, into, OFFICE)
    for named, asked in ((shop.ann, shop.bob), (shop.bob, shop.ann)):
        shop.ruled(one(named))
        with pytest.raises(api.Forbidden):
            await shop.names(asked)


async def test_members_of_a_segment_are_as_they_are_at_that_moment(shop: Shop) -> None:
    shop.ruled(VIPS)
    await shop.names(shop.ann)
    await shop.segments(shop.ann, "vip", "other")
    with pytest.raises(api.Forbidden, match="vips-are-for-others"):
        await shop.names(shop.ann)
    await shop.platform.call(member.get_member, member.GetMember(member_id=shop.ann), DESK)  # which reads
    await shop.names(shop.bob)
    await shop.segments(shop.ann, "other")
    await shop.names(shop.ann)


async def test_a_desk_is_permitted_members_of_one_segment_alone(shop: Shop) -> None:
    shop.ruled("""permit (principal in Role::"concierge", action in Action::"member.*", resource is Member)
    when { resource.segments.contains("vip") };""")
    concierge = DESK.replace(roles=("concierge",))
    await shop.segments(shop.ann, "vip")
    await shop.names(shop.ann, concierge)
    for member_id in (shop.bob, uuid4()):
        with pytest.raises(api.Forbidden, match="no policy permits it"):
            await shop.names(member_id, concierge)
    both = member.Merge(member_id=shop.ann, other_id=shop.bob, evidence="the same card")
    with pytest.raises(api.Forbidden):
        await shop.platform.call(member.merge, both, concierge)


async def test_a_question_about_one_member_is_decided_as_the_call_is(shop: Shop) -> None:
    shop.ruled(VIPS)
    await shop.segments(shop.ann, "vip")
    who = api.Who(person="ada", roles=("helpdesk",))
    for member_id, allowed in ((shop.ann, False), (shop.bob, True)):
        ask = api.Decide(who=who, action="member.update-member", about=f"member/{member_id}")
        found = await shop.platform.call(api.decide, ask, OFFICE)
        assert found.is_allowed is allowed
    with pytest.raises(api.NoSuchThing, match=r"member/…"):
        await shop.platform.call(api.decide, ask.replace(about="shelf/1"), OFFICE)
    with pytest.raises(api.NotNamed, match="name no order"):
        await shop.platform.call(api.decide, ask.replace(about="order/1"), OFFICE)


async def test_where_no_policy_speaks_of_members_an_ask_is_not_looked_at(shop: Shop) -> None:
    shop.ruled()
    with pytest.raises(errors.BadAsk):  # by the call, and not by a policy
        await shop.platform.call_wire("member.get-member", b'{"member_id": 7}', DESK)
    deployer = DESK.replace(roles=("deployer",))
    with pytest.raises(api.Forbidden):
        await shop.platform.call_wire("member.get-member", b"no JSON", deployer)


def test_the_schema_knows_members_and_orders_of_all_packs_whose_asks_name_them() -> None:
    for action in ("member.update-member", "order.place-order", "messaging.notify"):
        about = f'forbid (principal, action == Action::"{action}", resource is Member);'
        Policies(shipped.PACKS, [SHIPPED, ("company", about)])
    for action, kind in (("inventory.receive", "Member"), ("catalog.search", "Order")):
        wrong = f'forbid (principal, action == Action::"{action}", resource is {kind});'
        with pytest.raises(api.WrongPolicies, match="company"):
            Policies(shipped.PACKS, [SHIPPED, ("company", wrong)])
    with pytest.raises(api.WrongPolicies, match="company"):
        Policies(shipped.PACKS, [SHIPPED, ("company", VIPS.replace("segments", "shoe_size"))])


def test_an_order_that_is_named_is_held_against_its_seller_and_against_who_has_all_of_the_front_end() -> None:
    forbids = 'forbid (principal, action in Action::"write", resource == Order::"market/1");'
    found = Policies(shipped.PACKS, [SHIPPED, ("company", forbids)])
    for who in (api.Who(person="a", relations=("operator seller/17",)), api.Who(person="a", roles=("operator",))):
        for name, allowed in (("1", False), ("2", True)):
            things = (Thing("order", name),)
            decided = found.decide(who, "order.complete-order", "market", things=things)
            assert decided.is_allowed is allowed
            assert decided.parts == (("seller/17",) if who.relations and allowed else ())


def test_cases_name_members_and_what_is_known_of_them() -> None:
    cases = """
    helpdesk may not member.update-member on north about member/1 with {"segments": ["vip"]}
    helpdesk may member.update-member on north about member/1 with {"segments": ["new"]} via mcp
    helpdesk may member.update-member on north about member/1
    """
    sources = [SHIPPED, ("may", MAY), ("company", VIPS)]
    Policies(shipped.PACKS, sources, [("cases.txt", cases)])
    with pytest.raises(api.WrongPolicies, match="line 2: .*does not hold"):
        Policies(shipped.PACKS, sources[:2], [("cases.txt", cases)])
    with pytest.raises(api.WrongPolicies, match="shoe_size"):
        Policies(shipped.PACKS, sources, [("cases.txt", cases.replace('"segments": ["new"]', '"shoe_size": 4'))])
    with pytest.raises(api.WrongPolicies, match="is no case"):
        Policies(shipped.PACKS, sources, [("cases.txt", cases.replace('"vip"]}', '"vip"}'))])


def test_a_front_ends_own_policies_speak_of_its_members() -> None:
    own = FrontEnd(code="north", name="N", owner="n", uses=("member.*",), settings={api.RULES: VIPS})
    assert list(front_end_problems(own, shipped.PACKS)) == []
