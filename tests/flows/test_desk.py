"""What one front end sold is taken back at another that agreed to it, and a person sees their orders at all of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from isthmus.flows.after_sale import api as after_sale
from isthmus.flows.checkout import api as checkout
from isthmus.kernel import Caller, errors
from isthmus.packs.grants import api as grants
from isthmus.packs.inventory import api as inventory
from isthmus.packs.member import api as member
from isthmus.packs.order import api as order
from isthmus.store.sharing import Draft

from .conftest import UNITS, Shop
from .test_between_front_ends import stands as standing
from .test_bookkeeping import Books, eur, taxed_books


@pytest.fixture
async def books(shop: Shop) -> AsyncIterator[Books]:
    """Give a north whose buyers may hand goods in at its desk `returns`."""
    books = await taxed_books(shop)
    await books.call(order.put_desk, order.PutDesk(code="returns", name="Returns"))
    yield books
    await books.check()


async def south(books: Books, capability: Any, ask: object) -> Any:
    return await books.shop.platform.call(capability, ask, books.shop.south)


async def lend(books: Books, can: str = "use", **bounds: int) -> grants.Grant:
    ask = Draft(kind="order.desk", name="returns", to="south", can=can, bounds=bounds)  # pyright: ignore[reportArgumentType]
    return await books.call(grants.give, ask)


async def sent(books: Books, *lines: tuple[str, int], **facts: Any) -> order.Order:
    placed = await books.bought(*lines, **facts)
    await books.sent(placed.orders[0].order_id, "1")
    return await books.call(order.get_order, order.GetOrder(order_id=placed.orders[0].order_id))


async def asked(books: Books, sold: order.Order, *lines: tuple[str, int]) -> order.HandIn:
    wanted = tuple(order.HandInLine(sku=sku, quantity=count) for sku, count in lines)
    return await south(books, order.ask_hand_in, order.AskHandIn(owner="north", number=sold.number, lines=wanted))


async def stands(books: Books, hand_in: order.HandIn) -> order.HandIn:
    return await south(books, order.get_hand_in, order.GetHandIn(hand_in_id=hand_in.hand_in_id))


async def on_hand(books: Books, caller: Caller, sku: str = "tea") -> int:
    page = await books.shop.platform.call(inventory.list_stock, inventory.ListStock(sku=sku), caller)
    return sum(one.on_hand for one in page.items)


async def test_goods_are_handed_in_at_another_front_end_and_their_own_pays_the_buyer_back(books: Books) -> None:
    await lend(books, worth=4000)
    sold = await sent(books, ("tea", 3), ("jam", 1))
    hand_in = await asked(books, sold, ("tea", 2))
    await books.call(after_sale.answer_hand_ins, after_sale.AnswerHandIns())
    agreed = await stands(books, hand_in)
    assert (agreed.state, agreed.refund, agreed.owes) == ("agreed", eur(2000), eur(800))
    take = after_sale.TakeHandIn(hand_in_id=hand_in.hand_in_id)
    for _ in range(2):  # it is taken once
        await south(books, after_sale.take_hand_in, take)
        assert await on_hand(books, books.shop.south) == UNITS + 2
    again = await asyncio.gather(
        *(books.call(after_sale.settle_hand_ins, after_sale.SettleHandIns()) for _ in range(3)), return_exceptions=True
    )
    assert not [one for one in again if isinstance(one, BaseException)]
    found = await books.call(order.get_order, order.GetOrder(order_id=sold.order_id))
    assert (found.refunded, found.lines[0].returned) == (eur(2000), 2)
    assert (await stands(books, hand_in)).state == "refunded"
    assert (await on_hand(books, books.shop.north), await on_hand(books, books.shop.south)) == (UNITS - 3, UNITS + 2)
    assert await books.stands("income:commission") == [-100]
    assert await books.owed() == {}
    assert (await standing(books.shop, "north"))["assets:front-ends front-end/south"] == 800
    assert await standing(books.shop, "south") == {
        "expenses:stock-bought front-end/north": 800,
        "liabilities:front-ends front-end/north": -800,
    }


async def test_whose_order_it_is_decides_and_nothing_is_taken_that_was_not_agreed(books: Books) -> None:
    await lend(books)
    sold = await sent(books, ("tea", 1))
    too_many, unknown, twice, good = [
        await asked(books, sold.replace(number=number), ("tea", count))
        for number, count in ((sold.number, 2), ("99999", 1), (sold.number, 1), (sold.number, 1))
    ]
    with pytest.raises(order.IllegalTransition, match="is asked"):
        await south(books, after_sale.take_hand_in, after_sale.TakeHandIn(hand_in_id=good.hand_in_id))
    done = await books.call(after_sale.answer_hand_ins, after_sale.AnswerHandIns())
    assert (done.agreed, done.refused) == (1, 3)
    states = [(await stands(books, one)).state for one in (too_many, unknown, twice, good)]
    assert states == ["refused", "refused", "agreed", "refused"]
    assert "0 of 'tea' can come back" in (await stands(books, good)).note


async def test_without_a_grant_there_is_no_desk_and_what_was_agreed_stays(books: Books) -> None:
    sold = await sent(books, ("tea", 2))
    with pytest.raises(order.NoDesk):
        await asked(books, sold, ("tea", 1))
    await lend(books, "read")
    with pytest.raises(order.NoDesk):
        await asked(books, sold, ("tea", 1))
    grant = await lend(books)
    hand_in = await asked(books, sold, ("tea", 1))
    await books.call(after_sale.answer_hand_ins, after_sale.AnswerHandIns())
    await books.call(grants.withdraw, grants.WithdrawGrant(grant_id=grant.grant_id, because="over"))
    with pytest.raises(order.NoDesk):
        await asked(books, sold, ("tea", 1))
    await south(books, after_sale.take_hand_in, after_sale.TakeHandIn(hand_in_id=hand_in.hand_in_id))
    with pytest.raises(errors.Refusal):  # only who takes them takes them
        await books.call(after_sale.take_hand_in, after_sale.TakeHandIn(hand_in_id=hand_in.hand_in_id))
    await books.call(after_sale.settle_hand_ins, after_sale.SettleHandIns())
    seen = (await south(books, order.list_hand_ins, order.ListHandIns())).items
    assert [(one.state, one.refund) for one in seen] == [("refunded", eur(1000))]


async def test_a_person_sees_their_orders_at_all_front_ends_that_show_them(books: Books) -> None:
    await books.call(member.put_programme, member.PutProgramme(code="circle", name="The circle"))
    await books.call(grants.give, Draft(kind="member.programme", name="circle", to="south"))
    who: dict[str, UUID] = {}
    for code, caller in (("north", books.shop.north), ("south", books.shop.south)):
        identity = member.Identity(kind="email", value="ada@example.org", is_verified=True)
        register = member.Register(identities=(identity,))
        who[code] = (await books.shop.platform.call(member.register, register, caller)).member_id
    sold = await sent(books, ("tea", 1), member_id=who["north"], contact_email="ada@example.org")
    lines = (checkout.BuyLine(sku="jam", quantity=2),)
    ask = checkout.PlaceOrder(currency="EUR", lines=lines, member_id=who["south"])
    theirs = await south(books, checkout.place_order, ask)

    async def shown() -> list[tuple[str, str]]:
        listing = after_sale.ListPersonsOrders(member_id=who["south"])
        items = (await south(books, after_sale.list_persons_orders, listing)).items
        assert not any("ada" in str(one) for one in items)
        return [(one.front_end, one.number) for one in items]

    own = ("south", theirs.orders[0].number)
    await lend(books, "read")
    assert await shown() == [own]  # they have not joined: who is the same person is not told
    for code, caller in (("north", books.shop.north), ("south", books.shop.south)):
        join = member.JoinProgramme(member_id=who[code], programme="circle", owner="north")
        await books.shop.platform.call(member.join_programme, join, caller)
    assert await shown() == [own, ("north", sold.number)]
    standing = await books.call(grants.list_grants, grants.Choice(kind="order.desk"))
    await books.call(grants.withdraw, grants.WithdrawGrant(grant_id=standing.items[0].grant_id))
    assert await shown() == [own]


def test_the_steps_of_the_desk_are_not_asked_for_by_themselves() -> None:
    steps = (
        after_sale.receive_hand_in,
        after_sale.close_hand_in,
        order.hold_hand_ins,
        order.answer_hand_in,
        order.mark_hand_in,
        order.show_orders,
        member.list_joined,
    )
    assert all(one.is_internal for one in steps)
