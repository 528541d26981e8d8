"""The screens that business lines ship: each part as its own call would answer, for a guest and for a member."""

from __future__ import annotations

from uuid import uuid4

from front_ends.brand.screens import AskAccount, account
from front_ends.fresh.screens import AskHome, home
from isthmus.flows.checkout import api as checkout
from isthmus.packs.catalog import api as catalog
from isthmus.packs.flags.service.store import FlagStore
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.member import api as member
from isthmus.packs.member.pack import PERSONS
from isthmus.packs.order import api as order
from isthmus.packs.pricing import api as pricing
from isthmus.packs.releases import api as releases

from .test_business_lines import GOODS, NOON, Lines, usd
from .test_business_lines import lines as lines


async def joined(lines: Lines, code: str) -> member.Registered:
    identity = member.Identity(kind="email", value=f"{uuid4()}@example.org", is_verified=True)
    ask = member.Register(identities=(identity,), profile=member.Profile(given_name="Ada"), consents=("terms",))
    return await lines.call(code, member.register, ask)


async def test_a_guest_sees_the_shelf_with_what_single_calls_say_and_nothing_of_members(lines: Lines) -> None:
    found = await lines.call("fresh", home.capability, AskHome())
    assert found.missing == ()
    assert found.goods == await lines.call("fresh", catalog.search, catalog.Search(limit=24))
    skus = tuple(one.sku for one in found.goods.items)
    assert found.described == await lines.call("fresh", catalog.describe_skus, catalog.DescribeSkus(skus=skus))
    asked = tuple(pricing.QuoteLine(sku=sku, quantity=100 if GOODS[sku][3] == "gram" else 1) for sku in skus)
    ask = pricing.QuoteLines(lines=asked, currency="USD", is_partial=True)
    assert found.prices == await lines.call("fresh", pricing.quote, ask)
    assert found.slots == await lines.call("fresh", fulfilment.list_slots, fulfilment.ListSlots(limit=3))
    assert (found.buyer, found.basket, found.bill, found.orders, found.flags, found.update) == (None,) * 6


async def test_a_member_sees_their_basket_its_bill_and_their_orders(lines: Lines) -> None:
    ada = await joined(lines, "fresh")
    placed = await lines.place("fresh", ("jar", 2), member_id=ada.member_id)
    opened = await lines.call("fresh", order.open_basket, order.OpenBasket(currency="USD"))
    line = order.SetLine(sku="cup", quantity=2)
    await lines.call("fresh", order.set_lines, order.SetLines(basket_id=opened.basket_id, lines=(line,)))
    found = await lines.call("fresh", home.capability, AskHome(member_id=ada.member_id, basket_id=opened.basket_id))
    ask = checkout.PreviewOrder(currency="USD", basket_id=opened.basket_id, member_id=ada.member_id)
    bill = (await lines.call("fresh", checkout.preview_order, ask)).bill
    assert (found.bill.total, found.bill.short, found.bill.can_be_placed) == (bill.total, 0, True)
    assert [(one.number, one.total) for one in found.orders] == [(placed.orders[0].number, usd(2200))]
    assert found.basket.lines[0].sku == "cup"
    assert {one.slug for one in found.missing} <= {"fault"}, "flags, of which this platform has no store"


async def test_flags_and_the_least_version_come_with_the_screen(lines: Lines) -> None:
    store = FlagStore(lines.database, PERSONS)
    lines.platform.resources[FlagStore] = store
    train = releases.Train(app="fresh", platform="web")
    minimum = releases.SetMinimum(train=train, version="2.0.0", grace_until=NOON)
    await lines.call("fresh", releases.set_minimum, minimum)
    ask = AskHome(device="d-1", version="1.9.0", fields=("update", "flags"))
    found = await lines.call("fresh", home.capability, ask)
    assert found.update is not None, found.missing
    assert (found.update.state, found.update.minimum) == (releases.UpdateState.REQUIRED, "2.0.0")


async def test_a_member_of_the_brand_sees_what_they_are_here_and_a_stranger_sees_why_not(lines: Lines) -> None:
    ada = await joined(lines, "brand")
    points = member.EarnPoints(member_id=ada.member_id, reference="welcome", points=700)
    await lines.call("brand", member.earn_points, points)
    placed = await lines.place("brand", ("cup", 1), member_id=ada.member_id)
    found = await lines.call("brand", account.capability, AskAccount(member_id=ada.member_id))
    assert (found.standing.given_name, found.standing.points, found.missing) == ("Ada", 700, ())
    assert [one.reference for one in found.points.items] == ["welcome"]
    assert [one.number for one in found.orders] == [placed.orders[0].number]
    nobody = await lines.call("brand", account.capability, AskAccount(member_id=uuid4()))
    slugs = {one.part: one.slug for one in nobody.missing}
    assert slugs == {"standing": "member.not-a-member", "points": "member.not-a-member", "orders": "part-missing"}
