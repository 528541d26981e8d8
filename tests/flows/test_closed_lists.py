"""Lists leave out what a policy keeps somebody from opening, and lead on as before: orders, and those of members."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest

from isthmus.flows.checkout import api as checkout
from isthmus.kernel import Caller, Platform, encode, errors, ports
from isthmus.manifest.seen import ViewsByPurpose
from isthmus.packs.member import api as member
from isthmus.packs.order import api as order
from isthmus.packs.policy.service.policies import DEFAULT, Policies
from tests import shipped

from .conftest import Shop

ADA = Caller(front_end="north", person="ada", roles=("helpdesk",), via="console")
BEN = Caller(front_end="north", person="ben", roles=("operator",), via="console")
MAY = """permit (principal in Role::"helpdesk",
    action in [Action::"member.*", Action::"order.*", Action::"persons.see"], resource);"""
STAFF = """@id("staff-are-for-others")
forbid (principal in Role::"helpdesk", action == Action::"member.get-member", resource is Member)
when { resource.segments.contains("staff") };"""
PHONE = """@id("phone-orders-are-for-others")
forbid (principal in Role::"helpdesk", action == Action::"order.get-order", resource is Order)
when { resource.channel == "phone" };"""


def ruled(shop: Shop, *texts: str) -> Platform:
    sources = [("default", DEFAULT.read_text()), ("may", MAY), *(("company", text) for text in texts)]
    policies = Policies(shipped.PACKS, sources, database=shop.database)
    resources = {**shop.platform.resources, ports.Guard: policies, ports.Views: ViewsByPurpose()}
    return Platform(shop.platform.release, shop.database, resources=resources)


async def bought(shop: Shop, member_id: UUID | None = None, channel: str = "") -> UUID:
    more: dict[str, Any] = {"channel": channel} if channel else {}
    lines = (checkout.BuyLine(sku="tea", quantity=1),)
    ask = checkout.PlaceOrder(currency="EUR", lines=lines, member_id=member_id, **more)
    return (await shop.platform.call(checkout.place_order, ask, shop.north)).orders[0].order_id


async def joined(shop: Shop, name: str, *segments: str) -> UUID:
    ask = member.Register(identities=(member.Identity(kind="email", value=f"{name}@example.org"),))
    member_id = (await shop.platform.call(member.register, ask, shop.north)).member_id
    await shop.platform.call(
        member.set_segments, member.SetSegments(member_id=member_id, segments=segments), shop.north
    )
    return member_id


async def asked(platform: Platform, name: str, ask: Mapping[str, object], caller: Caller) -> Any:
    return json.loads((await platform.call_wire(name, encode(dict(ask)), caller))[0])


async def pages(platform: Platform, caller: Caller, limit: int) -> list[list[UUID]]:
    """Return the orders of each page, until there is no next one."""
    found, cursor = list[list[UUID]](), None
    while True:
        page = await asked(platform, "order.list-orders", {"limit": limit, "cursor": cursor}, caller)
        found.append([UUID(one["order_id"]) for one in page["items"]])
        if (cursor := page["next_cursor"]) is None:
            return found


async def test_orders_of_a_member_whom_somebody_may_not_open_are_in_no_page_and_all_others_once(shop: Shop) -> None:
    ann, sue = await joined(shop, "ann"), await joined(shop, "sue", "staff")
    orders = [await bought(shop, one) for one in (ann, sue, sue, None, sue, ann, sue)]
    shown = [orders[at] for at in (5, 3, 0)]  # the latest first
    platform = ruled(shop, STAFF)
    with pytest.raises(errors.NotPermitted):
        await asked(platform, "member.get-member", {"member_id": str(sue)}, ADA)
    for limit in (1, 2, 3, 50):
        found = await pages(platform, ADA, limit)
        assert [one for page in found for one in page] == shown
        assert [one for page in await pages(platform, BEN, limit) for one in page] == orders[::-1]
    assert (await asked(platform, "order.list-orders", {"member_id": str(ann)}, ADA))["items"] != []
    assert [len(page) for page in await pages(ruled(shop), ADA, 50)] == [7], "no policy speaks of members"


async def test_orders_that_somebody_may_not_open_are_in_no_page(shop: Shop) -> None:
    orders = [await bought(shop), await bought(shop, channel="phone"), await bought(shop)]
    one = f'forbid (principal in Role::"helpdesk", action, resource == Order::"north/{orders[0]}");'
    platform = ruled(shop, PHONE, one)
    for closed in orders[:2]:
        with pytest.raises(errors.NotPermitted):
            await asked(platform, "order.get-order", {"order_id": str(closed)}, ADA)
    assert [one for page in await pages(platform, ADA, 1) for one in page] == [orders[2]]
    assert (await platform.call(order.list_orders, order.ListOrders(), shop.north)).items != ()


async def test_somebody_who_may_open_members_of_one_segment_alone_is_shown_these(shop: Shop) -> None:
    ann, sue = await joined(shop, "ann", "ours"), await joined(shop, "sue")
    ours, _ = await bought(shop, ann), await bought(shop, sue)
    only = """forbid (principal in Role::"helpdesk", action == Action::"member.get-member", resource is Member)
        unless { resource.segments.contains("ours") };"""
    assert await pages(ruled(shop, only), ADA, 50) == [[ours]]
    merge = member.Merge(member_id=ann, other_id=sue, evidence="the same person")
    await shop.platform.call(member.merge, merge, shop.north)
    assert [len(page) for page in await pages(ruled(shop, only), ADA, 50)] == [2], "all names of one are one"
