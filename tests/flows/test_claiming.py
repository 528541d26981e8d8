"""Who signs in has what they ordered as a guest, once, by addresses that were proved and no others."""

from __future__ import annotations

import asyncio
from uuid import UUID

from isthmus.flows.checkout import api as checkout
from isthmus.kernel import Caller
from isthmus.packs.member import api as member
from isthmus.packs.order import api as order

from .conftest import Shop

ANN = "ann@example.org"


async def guest_order(shop: Shop, address: str, caller: Caller | None = None) -> UUID:
    ask = checkout.PlaceOrder(currency="EUR", lines=(checkout.BuyLine(sku="tea", quantity=1),), contact_email=address)
    placed = await shop.platform.call(checkout.place_order, ask, caller or shop.north)
    return placed.orders[0].order_id


async def joined(shop: Shop, address: str, *, is_verified: bool = True, caller: Caller | None = None) -> UUID:
    identity = member.Identity(kind="email", value=address, is_verified=is_verified)
    ask = member.Register(identities=(identity,))
    return (await shop.platform.call(member.register, ask, caller or shop.north)).member_id


async def claimed(shop: Shop, member_id: UUID) -> int:
    ask = member.GetMember(member_id=member_id)
    return (await shop.platform.call(checkout.claim_orders, ask, shop.north)).orders


async def orders_of(shop: Shop, member_id: UUID) -> set[UUID]:
    found = await shop.platform.call(order.list_orders, order.ListOrders(member_id=member_id), shop.north)
    return {one.order_id for one in found.items}


async def test_orders_of_a_guest_are_the_members_who_proves_the_address_once(shop: Shop) -> None:
    first, second = await guest_order(shop, ANN), await guest_order(shop, "ANN@Example.org")
    other, elsewhere = await guest_order(shop, "bob@example.org"), await guest_order(shop, ANN, shop.south)
    ann = await joined(shop, ANN)
    assert await claimed(shop, ann) == 2
    assert await orders_of(shop, ann) == {first, second}
    assert await claimed(shop, ann) == 0
    kept = await shop.platform.call(order.get_order, order.GetOrder(order_id=first), shop.north)
    assert [one.what for one in kept.history] == ["placed", "claimed"]
    for order_id, caller in ((other, shop.north), (elsewhere, shop.south)):
        kept = await shop.platform.call(order.get_order, order.GetOrder(order_id=order_id), caller)
        assert kept.member_id is None
    assert await shop.broken() == []


async def test_an_address_that_was_only_typed_in_claims_nothing(shop: Shop) -> None:
    await guest_order(shop, ANN)
    stranger = await joined(shop, ANN, is_verified=False)
    assert await claimed(shop, stranger) == 0
    assert await orders_of(shop, stranger) == set()


async def test_what_is_a_members_is_claimed_by_nobody_else(shop: Shop) -> None:
    await guest_order(shop, ANN)
    ann = await joined(shop, ANN)
    both = await asyncio.gather(claimed(shop, ann), claimed(shop, ann))
    assert sorted(both) == [0, 1]
    remove = member.RemoveIdentity(member_id=ann, kind="email", value=ANN)
    proved = member.Identity(kind="phone", value="+491700000000", is_verified=True)
    await shop.platform.call(member.put_identity, member.PutIdentity(member_id=ann, identity=proved), shop.north)
    await shop.platform.call(member.remove_identity, remove, shop.north)
    later = await joined(shop, ANN)
    assert await claimed(shop, later) == 0
    assert len(await orders_of(shop, ann)) == 1


def test_only_a_flow_gives_orders_to_somebody(shop: Shop) -> None:
    assert order.claim_orders.name not in shop.platform.release.line("north").permitted
