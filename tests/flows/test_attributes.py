"""What a front end says of orders, lines, members and goods by attributes of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from msgspec import structs
from openapi_spec_validator import OpenAPIV31SpecValidator

from isthmus.flows.checkout import api as checkout
from isthmus.gateway.documents import openapi
from isthmus.kernel import PASS, Caller, Capability, FrontEnd, Meta, Pass, Platform, Value, answers, encode, errors
from isthmus.markings import Pii
from isthmus.packs.catalog import api as catalog
from isthmus.packs.member import api as member
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.packs.pricing import api as pricing
from isthmus.packs.promotion import api as promotion
from isthmus.runtime.replay import recorded
from isthmus.runtime.replay.record import Recorder, Recording
from isthmus.store import Database
from isthmus.values import Buyer, money, read_attributes
from tests import shipped

from .conftest import LONG_AGO, NORTH, Shop, stocked


class Gift(Value):
    """How an order is given away."""

    note: Annotated[str, Meta(max_length=40)] = ""
    wrap: Literal["none", "paper", "box"] = "none"


class Engraving(Value):
    """What is engraved into a line's goods."""

    text: Annotated[str, Meta(min_length=1, max_length=20)] = "-"


class Taste(Value):
    """What a member likes."""

    likes: tuple[Literal["green", "black"], ...] = ()
    newsletter: bool = False


class Shelf(Value):
    """Where goods stand."""

    aisle: Annotated[int, Meta(ge=1, le=99)]


SOUTH = FrontEnd(
    code="south",
    name="South",
    owner="south team",
    uses=NORTH.uses,
    attributes={"order.order": Gift, "order.line": Engraving, "member.membership": Taste, "catalog.listing": Shelf},
)


@pytest.fixture
async def shop(database: Database) -> Shop:
    """Give a shop in which south has attributes of its own, and north has none."""
    provider = payment.TestProvider()
    resources = {payment.Providers: payment.Providers([provider]), order.Numbers: order.Numbers(database)}
    platform = Platform(shipped.build([NORTH, SOUTH]), database, resources=resources)
    callers = (Caller(front_end=code, client=code) for code in ("north", "south"))
    made = Shop(platform, database, provider, *callers)
    await stocked(made, {"south": {"aisle": 1}})
    return made


def bought(attributes: dict[str, object], **line: object) -> checkout.PlaceOrder:
    lines = (checkout.BuyLine(sku="tea", quantity=1, attributes=line), checkout.BuyLine(sku="jam", quantity=1))
    return checkout.PlaceOrder(currency="EUR", lines=lines, attributes=attributes)


async def placed(shop: Shop, ask: checkout.PlaceOrder, caller: Caller) -> order.Order:
    order_id: UUID = (await shop.platform.call(checkout.place_order, ask, caller)).orders[0].order_id
    return await shop.platform.call(order.get_order, order.GetOrder(order_id=order_id), caller)


async def test_what_a_front_end_declares_is_kept_with_the_order_and_given_back(shop: Shop) -> None:
    sold = await placed(shop, bought({"note": "for Ada"}, text="A."), shop.south)
    assert sold.attributes == {"note": "for Ada", "wrap": "none"}
    assert [line.attributes for line in sold.lines] == [{"text": "A."}, {"text": "-"}]
    assert read_attributes(Gift, sold.attributes) == Gift(note="for Ada")
    asked = order.ListOrders(number=sold.number)
    assert (await shop.platform.call(order.list_orders, asked, shop.south)).items == (sold,)


async def test_the_api_document_shows_a_front_end_its_own_attributes_and_nobody_elses(shop: Shop) -> None:
    south, north = (openapi.document(shop.platform.release, code) for code in ("south", "north"))
    for document in (south, north):
        OpenAPIV31SpecValidator(document).validate()
    shown = south["components"]["schemas"]
    assert shown["Gift"]["properties"]["note"]["maxLength"] == 40
    for name, own in (("BuyLine", "Engraving"), ("Order", "Gift"), ("Offer", "Shelf"), ("Member", "Taste")):
        assert shown[name]["properties"]["attributes"] == {"$ref": f"#/components/schemas/{own}"}
    assert "Gift" not in north["components"]["schemas"]
    assert north["components"]["schemas"]["Order"]["properties"]["attributes"]["maxProperties"] == 0


@pytest.mark.parametrize(
    ("attributes", "line", "path", "words"),
    [
        ({"note": "x" * 41}, {}, "$.attributes.note", "<= 40"),
        ({"wrap": "gold"}, {}, "$.attributes.wrap", "'gold' is not an allowed value"),
        ({"notes": "x"}, {}, "$.attributes.notes", "did you mean 'note'"),
        ({"note": 3}, {}, "$.attributes.note", "expected `str`"),
        ({}, {"text": ""}, "$.lines[0].attributes.text", ">= 1"),
    ],
)
async def test_what_does_not_fit_is_refused_with_its_path_and_nothing_is_sold(
    shop: Shop, attributes: dict[str, object], line: dict[str, object], path: str, words: str
) -> None:
    for ask in (bought(attributes, **line), preview(bought(attributes, **line))):
        capability = checkout.place_order if isinstance(ask, checkout.PlaceOrder) else checkout.preview_order
        with pytest.raises(errors.BadAsk, match=words) as refused:
            await shop.platform.call(capability, ask, shop.south)
        assert refused.value.path == path
    assert (await shop.platform.call(order.list_orders, order.ListOrders(), shop.south)).items == ()


def preview(ask: checkout.PlaceOrder) -> checkout.PreviewOrder:
    return checkout.PreviewOrder(currency=ask.currency, lines=ask.lines, attributes=ask.attributes)


async def test_attributes_are_refused_where_a_front_end_declares_none(shop: Shop) -> None:
    with pytest.raises(errors.BadAsk, match="'north' has no attributes of 'order.order', and note came") as refused:
        await placed(shop, bought({"note": "for Ada"}), shop.north)
    assert "FrontEnd(attributes" in refused.value.remedy
    assert (await placed(shop, bought({}), shop.north)).attributes == {}


async def test_more_than_a_row_should_hold_is_refused(shop: Shop) -> None:
    class Long(Value):
        text: str

    release = shipped.build(
        [FrontEnd(code="south", name="S", owner="s", uses=NORTH.uses, attributes={"order.order": Long})]
    )
    shop.platform.release = release
    with pytest.raises(errors.BadAsk, match="4096 is the limit"):
        await placed(shop, bought({"text": "x" * 5000}), shop.south)
    with pytest.raises(errors.BadAsk, match="'text' is missing") as refused:
        await placed(shop, bought({}), shop.south)
    assert refused.value.path == "$.attributes.text"


async def test_what_is_engraved_is_said_in_the_basket_and_stays_when_the_quantity_changes(shop: Shop) -> None:
    call, south = shop.platform.call, shop.south
    basket = await call(order.open_basket, order.OpenBasket(currency="EUR"), south)
    for quantity, attributes in ((1, {"text": "Ada"}), (2, None)):
        line = order.SetLine(sku="tea", quantity=quantity, attributes=attributes)
        basket = await call(order.set_lines, order.SetLines(basket_id=basket.basket_id, lines=(line,)), south)
    assert basket.lines[0].attributes == {"text": "Ada"}
    sold = await placed(shop, checkout.PlaceOrder(currency="EUR", basket_id=basket.basket_id), south)
    assert sold.lines[0].attributes == {"text": "Ada"}
    wrong = order.SetLine(sku="tea", quantity=1, attributes={"txt": "Ada"})
    with pytest.raises(errors.BadAsk, match="unknown field 'txt'"):
        await call(order.set_lines, order.SetLines(basket_id=basket.basket_id, lines=(wrong,)), south)


async def test_two_rings_with_two_engravings_are_ordered_as_they_were_put_in(shop: Shop) -> None:
    call, south = shop.platform.call, shop.south

    async def opened(*texts: str) -> order.Basket:
        basket = await call(order.open_basket, order.OpenBasket(currency="EUR"), south)
        lines = tuple(order.SetLine(sku="tea", quantity=1, attributes={"text": text}) for text in texts)
        return await call(order.set_lines, order.SetLines(basket_id=basket.basket_id, lines=lines), south)

    mine, guests = await opened("Ada"), await opened("Bob", "Ada")
    assert [line.attributes["text"] for line in guests.lines] == ["Bob", "Ada"]
    merge = order.MergeBasket(basket_id=mine.basket_id, from_basket_id=guests.basket_id)
    await call(order.merge_basket, merge, south)
    sold = await placed(shop, checkout.PlaceOrder(currency="EUR", basket_id=mine.basket_id), south)
    assert [(line.attributes["text"], line.quantity) for line in sold.lines] == [("Ada", 2), ("Bob", 1)]
    left = await call(order.get_basket, order.GetBasket(basket_id=mine.basket_id), south)
    assert left.lines == ()


async def test_a_member_and_a_sku_are_each_front_ends_own(shop: Shop) -> None:
    call = shop.platform.call
    joins = member.Register(
        identities=(member.Identity(kind="email", value="a@example.org", is_verified=True),),
        attributes={"likes": ["green"]},
    )
    known = await call(member.register, joins, shop.south)
    also = await call(member.register, structs.replace(joins, attributes={}), shop.north)
    assert also.person_id == known.person_id
    update = member.UpdateMember(member_id=known.member_id, attributes={"newsletter": True})
    changed = await call(member.update_member, update, shop.south)
    assert changed.attributes == {"likes": [], "newsletter": True}
    seen = await call(member.get_member, member.GetMember(member_id=also.member_id), shop.north)
    assert seen.attributes == {}
    listing = catalog.Listing(sku="tea", offered_from=LONG_AGO, attributes={"aisle": 7})
    await call(catalog.publish, catalog.Publish(listings=(listing,)), shop.south)
    for caller, own in ((shop.south, {"aisle": 7}), (shop.north, {})):
        shown = await call(catalog.get_product, catalog.GetProduct(sku="tea"), caller)
        described = await call(catalog.describe_skus, catalog.DescribeSkus(skus=("tea",)), caller)
        assert shown.offers[0].attributes == own
        assert described.items[0].offer is not None
        assert described.items[0].offer.attributes == own
    wrong = structs.replace(listing, attributes={"aisle": 100})
    with pytest.raises(errors.BadAsk, match="<= 99") as refused:
        await call(catalog.publish, catalog.Publish(listings=(listing, wrong)), shop.south)
    assert refused.value.path == "$.listings[1].attributes.aisle"


async def test_an_erased_member_has_no_attributes_and_a_merged_one_keeps_those_of_who_stays(shop: Shop) -> None:
    call = shop.platform.call
    ids: list[UUID] = []
    for name, likes in (("ann", ["green"]), ("bob", ["black"])):
        identity = member.Identity(kind="email", value=f"{name}@example.org")
        joins = member.Register(identities=(identity,), attributes={"likes": likes})
        ids.append((await call(member.register, joins, shop.south)).member_id)
    merged = await call(member.merge, member.Merge(member_id=ids[0], other_id=ids[1], evidence="said so"), shop.south)
    assert merged.attributes["likes"] == ["green"]
    await call(member.erase, member.Erase(member_id=ids[0]), shop.south)
    async with shop.database.platform() as session:
        assert await session.fetch("select from member.membership where attributes <> '{}'") == []


def test_what_takes_no_attributes_and_what_json_cannot_carry_are_refused_together() -> None:
    class Odd(Value):
        what: type

    attributes = {"order.ordr": Gift, "payment.payment": Gift, "order.line": Odd, "order.order": dict}
    wrong = FrontEnd(code="west", name="W", owner="w", uses=NORTH.uses, attributes=attributes)  # type: ignore[arg-type]
    with pytest.raises(errors.BuildProblems) as refused:
        shipped.build([wrong])
    problems = "\n".join(refused.value.problems)
    assert "'order.ordr' attributes, which takes none (did you mean 'order.order'?)" in problems
    assert "'payment.payment' attributes, which takes none" in problems
    assert "by Odd, which JSON cannot carry" in problems
    assert "which is no Value" in problems


@answers(pricing.adjust_unit_price)
def engraving_costs(lines: Sequence[pricing.ListedLine], buyer: Buyer) -> list[pricing.UnitPrice | Pass]:
    """Take 0.10 for each letter, but from nobody who only looks at a list of goods."""
    letters = [len(read_attributes(Engraving, line.line_attributes).text.strip("-")) for line in lines]
    return [
        pricing.UnitPrice(amount=line.amount + money(10 * count, "EUR"), by="south", reason="engraving")
        if count
        else PASS
        for line, count in zip(lines, letters, strict=True)
    ]


@answers(promotion.extra_benefits)
def boxes_are_thanked_for(
    lines: Sequence[promotion.PromotionLine], buyer: Buyer, now: datetime
) -> tuple[promotion.ExtraBenefit, ...]:
    """Take 1.00 off the first engraved line of an order that goes in a box."""
    engraved = [at for at, line in enumerate(lines) if line.line_attributes]
    if not engraved or read_attributes(Gift, lines[0].order_attributes).wrap != "box":
        return ()
    share = promotion.ExtraShare(line=engraved[0], amount=money(100, "EUR"))
    return (promotion.ExtraBenefit(code="boxed", title="Boxed", reason="in a box", shares=(share,)),)


@pytest.fixture
def pricing_shop(shop: Shop) -> Shop:
    """Give the shop with rules of south's that go by its attributes."""
    south = replace(SOUTH, answers=(engraving_costs, boxes_are_thanked_for))
    shop.platform.release = shipped.build([NORTH, south])
    return shop


async def test_prices_and_promotions_go_by_what_is_said_of_a_line_and_its_order(pricing_shop: Shop) -> None:
    call, south = pricing_shop.platform.call, pricing_shop.south
    ask = bought({"wrap": "box"}, text="Ada")
    shown = await call(checkout.preview_order, preview(ask), south)
    assert [(line.amount.minor, line.discount.minor) for line in shown.bill.lines] == [(1030, 100), (400, 0)]
    assert shown.bill.lines[0].applied[0].reason == "engraving"
    sold = await placed(pricing_shop, ask, south)
    assert (sold.total, sold.lines[0].discount) == (shown.bill.total, money(100, "EUR"))
    plain = await call(checkout.preview_order, preview(bought({})), south)
    assert plain.bill.total == money(1400, "EUR")


async def test_a_basket_is_priced_by_what_was_said_when_it_was_filled(pricing_shop: Shop) -> None:
    call, south = pricing_shop.platform.call, pricing_shop.south
    basket = await call(order.open_basket, order.OpenBasket(currency="EUR"), south)
    line = order.SetLine(sku="tea", quantity=2, attributes={"text": "Eve"})
    await call(order.set_lines, order.SetLines(basket_id=basket.basket_id, lines=(line,)), south)
    shown = await call(checkout.preview_order, checkout.PreviewOrder(currency="EUR", basket_id=basket.basket_id), south)
    assert shown.bill.total == money(2060, "EUR")


@pytest.mark.parametrize(
    ("capability", "ask", "path"),
    [
        (
            pricing.quote,
            {"currency": "EUR", "lines": [{"sku": "tea", "quantity": 1, "attributes": {"txt": "A"}}]},
            "$.lines[0].attributes.txt",
        ),
        (
            pricing.quote,
            {"currency": "EUR", "lines": [{"sku": "tea", "quantity": 1}], "attributes": {"wrap": "gold"}},
            "$.attributes.wrap",
        ),
        (
            promotion.evaluate,
            {
                "lines": [
                    {
                        "sku": "tea",
                        "quantity": 1,
                        "amount": {"currency": "EUR", "minor": 1},
                        "line_attributes": {"text": ""},
                    }
                ]
            },
            "$.lines[0].line_attributes.text",
        ),
    ],
)
async def test_what_does_not_fit_is_refused_before_rules_see_it(
    pricing_shop: Shop, capability: Capability[Any, Any], ask: dict[str, object], path: str
) -> None:
    with pytest.raises(errors.BadAsk) as refused:
        await pricing_shop.platform.call_wire(capability.name, encode(ask), pricing_shop.south)
    assert refused.value.path == path


async def test_a_list_of_goods_is_priced_where_nothing_is_said_of_a_line(pricing_shop: Shop) -> None:
    ask = pricing.QuoteLines(currency="EUR", lines=(pricing.QuoteLine(sku="tea", quantity=1),), is_partial=True)
    quote = await pricing_shop.platform.call(pricing.quote, ask, pricing_shop.south)
    assert quote.lines[0].amount == money(1000, "EUR")


class Dedication(Value):
    """What is engraved, and for whom."""

    to: Annotated[str, Pii("name", why="to know it"), Meta(max_length=40)] = ""
    font: Literal["plain", "script"] = "plain"


async def test_a_recording_of_what_rules_were_given_has_personal_attributes_masked(shop: Shop) -> None:
    said = {"order.line": Dedication, "order.order": Dedication}
    release = shipped.build([NORTH, replace(SOUTH, attributes=said, answers=(boxes_are_thanked_for,))])
    recorder = Recorder(
        shop.database, release.points, Recording(share=1.0), own=lambda code: release.line(code).front_end.attributes
    )
    platform = Platform(release, shop.database, resources=shop.platform.resources, recorder=recorder)
    lines = (checkout.BuyLine(sku="tea", quantity=1, attributes={"to": "Lovelace", "font": "script"}),)
    ask = checkout.PreviewOrder(currency="EUR", lines=lines, attributes={"to": "Byron"})
    await platform.call(checkout.preview_order, ask, shop.south)
    await recorder.flush()
    call = await anext(recorded.recent(shop.database, "south", limit=1))
    text = encode(call).decode()
    assert [name for name in ("Lovelace", "Byron") if name in text] == []
    asked = {one.point: bytes(one.arguments).decode() for one in call.asked}
    for point in ("pricing.adjust-unit-price", "promotion.extra-benefits"):
        assert '"line_attributes":{"to":"***","font":"script"}' in asked[point]
        assert '"order_attributes":{"to":"***","font":"plain"}' in asked[point]
