"""Sellers against sellers: who has to do with one seller of a marketplace sees and does what is theirs, and no more."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from isthmus.flows.after_sale import api as after_sale
from isthmus.kernel import Caller, Effect, Platform, encode, errors, ports
from isthmus.manifest.actions import ACTIONS
from isthmus.manifest.parts import kinds_of
from isthmus.packs.catalog import api as catalog
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.inventory import api as inventory
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.packs.personal_data.service.envelopes import FileSettings, KeyFile
from isthmus.packs.personal_data.service.keys import PersonKeys
from isthmus.packs.policy import api as policy
from isthmus.packs.policy.service.policies import DEFAULT, Policies
from isthmus.packs.pricing import api as pricing
from isthmus.packs.settlement import api as settlement
from isthmus.runtime.deploy.loading import front_end_folders
from isthmus.runtime.isolation.isolate import load_isolated, points_of
from isthmus.runtime.isolation.limits import Isolation
from isthmus.sealing import Seals
from isthmus.store import Database
from tests import promises, shipped

from .test_business_lines import CODES, HOME, NOON, Lines, stocked

FOLDERS = Path(__file__).parents[2] / "front_ends"
WITHIN = kinds_of(shipped.PACKS)
SELLERS = ("ada", "ben")
CAPABILITIES = {name for name, kinds in WITHIN.items() if "seller" in kinds} - {one.name for one in ACTIONS}
NOWHERE = UUID(int=7)


def staff(seller: str, role: str = "operator") -> Caller:
    held = (f"{role} seller/{seller}",)
    return Caller(front_end="market", person=f"who-packs-for-{seller}", client="console", via="console", relations=held)


def service(seller: str) -> Caller:
    """Return what a key of a seller's own service calls as."""
    return Caller(
        front_end="market", client=f"service-of-{seller}", via="http", relations=(f"operator seller/{seller}",)
    )


@dataclass(frozen=True, slots=True)
class Bazaar:
    """A marketplace that has sold for two sellers: each one's order, shipment and settlement."""

    platform: Platform
    orders: dict[str, UUID]
    group: UUID
    shipments: dict[str, UUID]
    settlements: dict[str, UUID]

    async def ask(self, capability: Any, ask: Any, caller: Caller, key: str | None = None) -> Any:
        return await self.platform.call(capability, ask, caller, now=NOON, key=key)


@pytest.fixture
async def bazaar(database: Database, tmp_path: Path) -> AsyncIterator[Bazaar]:
    points = points_of(shipped.PACKS)
    found = [load_isolated(folder, Isolation(), points) for folder in front_end_folders(FOLDERS)]
    release = shipped.build([one for one in found if one.code in CODES])
    envelope = KeyFile("file", FileSettings())
    envelope.begin(tmp_path)
    resources = {  # whom orders are for is encrypted, so that walls have to hold for keys as well
        payment.Providers: payment.Providers([payment.TestProvider()]), order.Numbers: order.Numbers(database),
        Seals: PersonKeys(database, envelope, ("order.orders", "fulfilment.shipment")),
        ports.Guard: Policies(shipped.PACKS, [("default", DEFAULT.read_text())]),
    }  # fmt: skip
    lines = Lines(Platform(release, database, resources=resources), database)
    await stocked(lines)
    yield await sold(lines)
    assert await promises.broken(database, release.packs.values()) == []


async def sold(lines: Lines) -> Bazaar:
    first = await lines.place("market", ("soup", 1), ("mug", 1), address=HOME)
    await lines.pay("market", first.payment_id)
    for one in first.orders:
        await lines.call("market", after_sale.ship_order, after_sale.ShipOrder(order_id=one.order_id))
    due: dict[str, UUID] = {}
    for seller in SELLERS:
        terms = settlement.PutPayee(
            payee=f"seller/{seller}", currency="USD", iban="DE89370400440532013000", hold_back_days=0
        )
        await lines.call("market", settlement.put_payee, terms)
        wanted = settlement.DrawUp(cut_off=date(2026, 6, 1), payee=f"seller/{seller}")
        (made,) = (await lines.call("market", settlement.draw_up, wanted)).items
        due[seller] = made.settlement_id
    bought = await lines.place("market", ("cup", 2), ("jar", 1), address=HOME)
    await lines.pay("market", bought.payment_id)
    orders = {one.part: one.order_id for one in bought.orders}
    shipments = {}
    for seller, order_id in orders.items():
        ask = fulfilment.ListShipments(reference=str(order_id))
        (shipment,) = (await lines.call("market", fulfilment.list_shipments, ask)).items
        shipments[seller] = shipment.shipment_id
    return Bazaar(lines.platform, orders, bought.group_id, shipments, due)


async def test_a_sellers_people_see_their_orders_goods_parcels_and_settlements_in_lists_and_by_name(
    bazaar: Bazaar,
) -> None:
    for seller in SELLERS:
        who, other = staff(seller), next(one for one in SELLERS if one != seller)
        listed = (await bazaar.ask(order.list_orders, order.ListOrders(), who)).items
        assert len(listed) == 2
        assert {line.seller for one in listed for line in one.lines} == {seller}
        found = await bazaar.ask(order.get_order, order.GetOrder(order_id=bazaar.orders[seller]), who)
        assert found.history
        assert found.address == HOME
        sent = (await bazaar.ask(fulfilment.list_shipments, fulfilment.ListShipments(), who)).items
        assert bazaar.shipments[seller] in {one.shipment_id for one in sent}
        assert bazaar.shipments[other] not in {one.shipment_id for one in sent}
        assert len(sent) == 2
        goods = (await bazaar.ask(catalog.search, catalog.Search(), who)).items
        assert {one.seller for one in goods} == {seller}
        counted = await bazaar.ask(catalog.count_facets, catalog.CountFacets(), who)
        assert other not in json.dumps(shown(counted))
        due = (await bazaar.ask(settlement.list_settlements, settlement.ListSettlements(), who)).items
        assert [one.settlement_id for one in due] == [bazaar.settlements[seller]]
        items = (await bazaar.ask(settlement.list_items, settlement.ListItems(), who)).items
        assert {one.payee for one in items} == {f"seller/{seller}"}
        assert [
            one.payee for one in (await bazaar.ask(settlement.list_payees, settlement.ListPayees(), who)).items
        ] == [f"seller/{seller}"]


def shown(value: Any) -> Any:
    return json.loads(encode(value))


async def test_what_is_anothers_is_refused_as_what_does_not_exist(bazaar: Bazaar) -> None:
    ada, theirs = staff("ada"), bazaar
    asks = [
        (order.get_order, order.GetOrder, "order_id", theirs.orders["ben"]),
        (order.complete_order, order.Complete, "order_id", theirs.orders["ben"]),
        (after_sale.ship_order, after_sale.ShipOrder, "order_id", theirs.orders["ben"]),
        (fulfilment.get_shipment, fulfilment.GetShipment, "shipment_id", theirs.shipments["ben"]),
        (fulfilment.list_steps, fulfilment.ListSteps, "shipment_id", theirs.shipments["ben"]),
        (fulfilment.pack, fulfilment.Pack, "shipment_id", theirs.shipments["ben"]),
        (fulfilment.deliver, fulfilment.Deliver, "shipment_id", theirs.shipments["ben"]),
        (fulfilment.take_back, fulfilment.TakeBack, "shipment_id", theirs.shipments["ben"]),
        (settlement.get_settlement, settlement.GetSettlement, "settlement_id", theirs.settlements["ben"]),
        (settlement.get_statement, settlement.GetStatement, "settlement_id", theirs.settlements["ben"]),
    ]
    for capability, contract, field, theirs_id in asks:
        said = [await refused(bazaar, capability, contract(**{field: one}), ada) for one in (theirs_id, NOWHERE)]
        assert isinstance(said[0], errors.NotFound), capability.name
        assert [one.message.replace(str(theirs_id), "?").replace(str(NOWHERE), "?") for one in said] == [
            said[0].message.replace(str(theirs_id), "?")
        ] * 2, capability.name
        assert said[0].slug == said[1].slug
    said = [await refused(bazaar, catalog.get_product, catalog.GetProduct(sku=sku), ada) for sku in ("mug", "no-such")]
    assert said[0].message.replace("mug", "?") == said[1].message.replace("no-such", "?")
    goods = [catalog.Publish(listings=(catalog.Listing(sku=sku, offered_from=NOON),)) for sku in ("mug", "no-such")]
    said = [await refused(bazaar, catalog.publish, one, ada) for one in goods]
    assert said[0].message.replace("mug", "?") == said[1].message.replace("no-such", "?")


async def refused(bazaar: Bazaar, capability: Any, ask: Any, who: Caller) -> errors.IsthmusError:
    with pytest.raises(errors.Refusal) as found:
        await bazaar.ask(capability, ask, who)
    return found.value


async def test_filters_that_name_another_find_nothing(bazaar: Bazaar) -> None:
    ada = staff("ada")
    theirs = str(bazaar.orders["ben"])
    assert (await bazaar.ask(fulfilment.list_shipments, fulfilment.ListShipments(reference=theirs), ada)).items == ()
    assert (await bazaar.ask(catalog.search, catalog.Search(text="mug"), ada)).items == ()
    assert (await bazaar.ask(catalog.search, catalog.Search(seller="ben"), ada)).items == ()
    ask = settlement.ListItems(payee="seller/ben")
    assert (await bazaar.ask(settlement.list_items, ask, ada)).items == ()
    of_theirs = settlement.ListItems(settlement_id=bazaar.settlements["ben"])
    assert (await bazaar.ask(settlement.list_items, of_theirs, ada)).items == ()


async def test_withdrawing_anothers_goods_withdraws_nothing(bazaar: Bazaar) -> None:
    ada, ben = staff("ada"), staff("ben")
    await bazaar.ask(catalog.withdraw, catalog.Withdraw(skus=("mug", "cup")), ada)
    assert [one.sku for one in (await bazaar.ask(catalog.search, catalog.Search(), ada)).items] == ["soup"]
    assert [one.sku for one in (await bazaar.ask(catalog.search, catalog.Search(), ben)).items] == ["jar", "mug"]


GOODS = {"ada": "cup", "ben": "mug"}  # a good of each
WHO = pytest.mark.parametrize("called_by", [staff, service], ids=["people", "key"])


def price(sku: str, minor: int) -> pricing.PutPrices:
    return pricing.PutPrices(prices=(pricing.PriceEntry(sku=sku, currency="USD", amount=minor, valid_from=NOON),))


async def prices(bazaar: Bazaar, sku: str, caller: Caller) -> list[int]:
    found = await bazaar.ask(pricing.list_prices, pricing.ListPrices(sku=sku), caller)
    return [one.entry.amount for one in found.items]


async def on_hand(bazaar: Bazaar, sku: str, caller: Caller) -> list[int]:
    return [one.on_hand for one in (await bazaar.ask(inventory.list_stock, inventory.ListStock(sku=sku), caller)).items]


OFFICE = Caller(front_end="market", client="office")


@WHO
async def test_a_seller_sets_prices_and_stock_of_its_own_goods(bazaar: Bazaar, called_by: Any) -> None:
    for seller, sku in GOODS.items():
        who = called_by(seller)
        await bazaar.ask(pricing.put_prices, price(sku, 4_321), who)
        assert 4_321 in await prices(bazaar, sku, who)
        (before, *_) = await on_hand(bazaar, sku, who)
        (stock, *_) = (await bazaar.ask(inventory.list_stock, inventory.ListStock(sku=sku), who)).items
        line = inventory.Receipt(sku=sku, location=stock.location, quantity=7)
        await bazaar.ask(inventory.receive, inventory.Receive(reference=f"in-{seller}", lines=(line,)), who)
        less = inventory.Adjustment(sku=sku, location=stock.location, quantity=-2)
        await bazaar.ask(
            inventory.adjust, inventory.Adjust(reference=f"out-{seller}", reason="broken", lines=(less,)), who
        )
        assert (await on_hand(bazaar, sku, OFFICE))[0] == before + 5
        moves = await bazaar.ask(inventory.list_movements, inventory.ListMovements(sku=sku), who)
        assert [one.quantity for one in moves.items][:2] == [-2, 7]


@WHO
async def test_a_seller_touches_no_price_and_no_stock_of_another(bazaar: Bazaar, called_by: Any) -> None:
    ada, theirs = called_by("ada"), GOODS["ben"]
    known = (await bazaar.ask(pricing.list_prices, pricing.ListPrices(sku=theirs), OFFICE)).items
    (stock, *_) = (await bazaar.ask(inventory.list_stock, inventory.ListStock(sku=theirs), OFFICE)).items
    at, before = stock.location, (await prices(bazaar, theirs, OFFICE), await on_hand(bazaar, theirs, OFFICE))
    assert (await prices(bazaar, theirs, ada), await on_hand(bazaar, theirs, ada)) == ([], [])
    assert (await bazaar.ask(pricing.list_prices, pricing.ListPrices(), ada)).items
    assert {one.entry.sku for one in (await bazaar.ask(pricing.list_prices, pricing.ListPrices(), ada)).items} == {
        "cup",
        "soup",
    }
    history = pricing.ListPriceHistory(sku=theirs)
    assert (await bazaar.ask(pricing.list_price_history, history, ada)).items == ()
    assert (await bazaar.ask(inventory.list_movements, inventory.ListMovements(sku=theirs), ada)).items == ()

    def both(sku: str) -> list[tuple[Any, Any]]:
        mine = inventory.Receipt(sku="cup", location=at, quantity=1)
        less = inventory.Adjustment(sku=sku, location=at, quantity=-1)
        return [
            (pricing.put_prices, price(sku, 1)),
            (pricing.put_prices, pricing.PutPrices(prices=(*price("cup", 1).prices, *price(sku, 1).prices))),
            (inventory.receive, inventory.Receive(reference="r", lines=(mine, mine.replace(sku=sku)))),
            (inventory.adjust, inventory.Adjust(reference="a", reason="theft", lines=(less,))),
            (
                inventory.count,
                inventory.Count(reference="c", lines=(inventory.Counted(sku=sku, location=at, quantity=0),)),
            ),
            (inventory.set_limits, inventory.SetLimits(items=(inventory.Limits(sku=sku, location=at, safety=99),))),
        ]

    for (capability, ask), (_, no_such) in zip(both(theirs), both("no-such"), strict=True):
        said = [await refused(bazaar, capability, one, ada) for one in (ask, no_such)]
        assert isinstance(said[0], errors.NotFound), capability.name
        assert (said[0].slug, said[0].message) == (said[1].slug, said[1].message), capability.name
    gone = pricing.WithdrawPrices(price_ids=(known[0].price_id,))
    assert isinstance(await refused(bazaar, pricing.withdraw_prices, gone, ada), errors.NotFound)
    assert (await prices(bazaar, theirs, OFFICE), await on_hand(bazaar, theirs, OFFICE)) == before
    assert 1 not in await prices(bazaar, "cup", OFFICE)  # nothing of what named both was done


async def test_who_looks_for_a_seller_sets_no_prices(bazaar: Bazaar) -> None:
    looking = staff("ada", "support")
    assert await prices(bazaar, "cup", looking)
    with pytest.raises(policy.Forbidden):
        await bazaar.ask(pricing.put_prices, price("cup", 1), looking)


async def test_a_sellers_key_is_confined_to_the_seller_wherever_it_calls(bazaar: Bazaar) -> None:
    ada = service("ada")
    listed = (await bazaar.ask(order.list_orders, order.ListOrders(), ada)).items
    assert {line.seller for one in listed for line in one.lines} == {"ada"}
    with pytest.raises(errors.NotFound):
        await bazaar.ask(order.get_order, order.GetOrder(order_id=bazaar.orders["ben"]), ada)
    others = [one for one in bazaar.platform.release.line("market").permitted if "seller" not in WITHIN.get(one, ())]
    for name in sorted(others):
        with pytest.raises(errors.NotPermitted):
            await bazaar.platform.call_wire(name, b"{}", ada)


async def test_they_ship_their_own_order_and_it_is_written_down_as_theirs(bazaar: Bazaar) -> None:
    ada = staff("ada")
    await bazaar.ask(after_sale.ship_order, after_sale.ShipOrder(order_id=bazaar.orders["ada"]), ada)
    found = await bazaar.ask(order.get_order, order.GetOrder(order_id=bazaar.orders["ada"]), ada)
    assert found.state is order.OrderState.SHIPPED
    theirs = await bazaar.ask(order.get_order, order.GetOrder(order_id=bazaar.orders["ben"]), staff("ben"))
    assert theirs.state is order.OrderState.PAID


async def test_nothing_else_of_the_front_end_is_theirs_to_call(bazaar: Bazaar) -> None:
    """Every capability that is not answered within a seller is refused by policy, before its ask is looked at."""
    ada = staff("ada", "operator")
    names = sorted(bazaar.platform.release.line("market").permitted)
    others = [one for one in names if "seller" not in WITHIN.get(one, ())]
    assert len(others) > 100
    for name in others:
        with pytest.raises(errors.NotPermitted) as found:
            await bazaar.platform.call_wire(name, b"{}", ada)
        assert found.value.slug in ("policy.forbidden", "kernel.not-permitted", "not-permitted"), name


async def test_a_role_that_looks_does_nothing_within_a_seller_either(bazaar: Bazaar) -> None:
    looking = staff("ada", "support")
    assert (await bazaar.ask(order.list_orders, order.ListOrders(), looking)).items
    with pytest.raises(policy.Forbidden):
        await bazaar.ask(after_sale.ship_order, after_sale.ShipOrder(order_id=bazaar.orders["ada"]), looking)
    nobody = staff("ada", "unheard-of")
    with pytest.raises(policy.Forbidden):
        await bazaar.ask(order.list_orders, order.ListOrders(), nobody)


async def test_a_seller_at_one_front_end_is_nobody_at_another(bazaar: Bazaar) -> None:
    elsewhere = staff("ada").replace(front_end="brand", relations=())
    with pytest.raises(policy.Forbidden):
        await bazaar.ask(order.list_orders, order.ListOrders(), elsewhere)


async def test_the_key_of_anothers_command_gives_nobody_its_answer(bazaar: Bazaar) -> None:
    ship = after_sale.ShipOrder(order_id=bazaar.orders["ben"])
    await bazaar.ask(after_sale.ship_order, ship, staff("ben"), key="k-1")
    await bazaar.ask(after_sale.ship_order, ship, staff("ben"), key="k-1")
    with pytest.raises(errors.NotFound):
        await bazaar.ask(after_sale.ship_order, ship, staff("ada"), key="k-1")


async def test_who_has_two_sellers_sees_both_and_no_third(bazaar: Bazaar) -> None:
    both = staff("ada").replace(relations=("operator seller/ada", "support seller/ben"))
    assert len((await bazaar.ask(order.list_orders, order.ListOrders(), both)).items) == 4
    goods = (await bazaar.ask(catalog.search, catalog.Search(), both)).items
    assert {one.seller for one in goods} == {"ada", "ben"}
    with pytest.raises(errors.NotFound):  # of ben's they are support, and that ships nothing
        await bazaar.ask(after_sale.ship_order, after_sale.ShipOrder(order_id=bazaar.orders["ben"]), both)


async def test_who_was_given_one_order_sees_that_one_with_its_parcels(bazaar: Bazaar) -> None:
    one = bazaar.orders["ben"]
    colleague = staff("x").replace(relations=(f"operator order/{one}",))
    listed = (await bazaar.ask(order.list_orders, order.ListOrders(), colleague)).items
    assert [found.order_id for found in listed] == [one]
    sent = (await bazaar.ask(fulfilment.list_shipments, fulfilment.ListShipments(), colleague)).items
    assert [found.shipment_id for found in sent] == [bazaar.shipments["ben"]]
    with pytest.raises(errors.NotFound):
        await bazaar.ask(order.get_order, order.GetOrder(order_id=bazaar.orders["ada"]), colleague)
    with pytest.raises(policy.Forbidden):
        await bazaar.ask(settlement.list_settlements, settlement.ListSettlements(), colleague)


async def test_the_second_wall_stands_without_the_first(bazaar: Bazaar, database: Database) -> None:
    """A reading session that is confined sees rows of its part, and a table that nobody walled not at all."""
    session = database.read("market", "seller/ada")
    try:
        sellers = await session.fetch('select distinct seller from "order".lines')
        assert [row["seller"] for row in sellers] == ["ada"]
        (own,) = {str(order_id) for seller, order_id in bazaar.orders.items() if seller == "ada"}
        keys = {row["subject"] for row in await session.fetch("select subject from personal_data.key")}
        assert own in keys
        assert str(bazaar.orders["ben"]) not in keys
        for table in (
            "payment.payment",
            "member.member",
            '"order".basket',
            "settlement.payout_file",
        ):
            with pytest.raises(errors.Fault, match="permission denied"):
                await session.fetch(f"select 1 from {table}")
    finally:
        await session.close()
    whole = database.read("market")
    try:
        assert len(await whole.fetch('select distinct seller from "order".lines')) == 2  # on the same connection
    finally:
        await whole.close()


async def test_a_transaction_that_is_confined_changes_no_row_of_another(bazaar: Bazaar, database: Database) -> None:
    for parts, changed in (("seller/ada", "UPDATE 2"), ("seller/nobody", "UPDATE 0"), ("", "UPDATE 4")):
        writing = await database.write("market", None, parts)
        try:
            assert await writing.execute('update "order".orders set box = box') == changed
        finally:
            await writing.close()


@pytest.mark.parametrize("name", sorted(CAPABILITIES))
async def test_all_that_is_answered_within_a_seller_reads_walled_tables_alone(bazaar: Bazaar, name: str) -> None:
    capability = bazaar.platform.release.find(name).capability
    if capability.effect is not Effect.READ:
        pytest.skip("its effects reach further than what it shows")
    asks = {
        "order.get-order": {"order_id": str(bazaar.orders["ada"])},
        "order.get-return": {"return_id": str(NOWHERE)},
        "fulfilment.get-shipment": {"shipment_id": str(bazaar.shipments["ada"])},
        "fulfilment.list-steps": {"shipment_id": str(bazaar.shipments["ada"])},
        "settlement.get-settlement": {"settlement_id": str(bazaar.settlements["ada"])},
        "settlement.get-statement": {"settlement_id": str(bazaar.settlements["ada"])},
        "catalog.get-product": {"sku": "cup"},
        "catalog.search": {"text": "cup"},
        "pricing.list-price-history": {"sku": "cup"},
        "inventory.list-movements": {"sku": "cup"},
        "order.list-returns": {"order_id": str(bazaar.orders["ada"])},
    }
    try:
        answer, _ = await bazaar.platform.call_wire(name, json.dumps(asks.get(name, {})).encode(), staff("ada"))
    except errors.NotFound:
        assert name == "order.get-return"
    else:
        assert b"ben" not in answer
        assert b"mug" not in answer
