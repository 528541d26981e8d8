"""No transaction emits an event that breaks its published contract: a rule's, a step's, or a front end's own flow's."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from isthmus.flows.checkout import api as checkout
from isthmus.kernel import (
    Context,
    Effect,
    FrontEnd,
    Value,
    answers,
    capability,
    errors,
    event,
    flow,
    implements,
)
from isthmus.packs.promotion import api as promotion
from isthmus.store import Outbox
from isthmus.values import Buyer
from tests import shipped

from .conftest import ALL, SOUTH, Shop


class Note(Value):
    """What somebody has to say."""

    text: str


@event("north.noted", version="1.0", subject="text")
class Noted(Value):
    """Something was said."""

    text: str
    weight_grams: int = 0


@event("order.order-moved", version="1.0", subject="order_id")
class Moved(Value):
    """An order moved, as a front end would like the event to be: by another shape than the one that is published."""

    order_id: str
    whereto: str


WRONG: dict[str, Value] = {
    "own": Noted(text="a", weight_grams="heavy"),  # pyright: ignore[reportArgumentType]
    "shadow": Moved(order_id="a", whereto="b"),
}


@capability("north.note", version="1.0", effect=Effect.WRITE)
def note(ask: Note) -> Note:
    """Note something down, and say so."""
    ...


@flow("north.note-in-one", version="1.0", effect=Effect.WRITE, uses=[note])
def note_in_one(ask: Note) -> Note:
    """Note something twice, in one transaction."""
    ...


@flow("north.note-in-steps", version="1.0", effect=Effect.SAGA, uses=[note])
def note_in_steps(ask: Note) -> Note:
    """Note something twice, a step each."""
    ...


@implements(note)
async def do_note(ask: Note, ctx: Context) -> Note:
    ctx.emit(WRONG.get(ask.text, Noted(text=ask.text)))
    return ask


@implements(note_in_one)
async def do_note_in_one(ask: Note, ctx: Context) -> Note:
    await ctx.call(note, Note(text="good"))
    return await ctx.call(note, ask)


@implements(note_in_steps)
async def do_note_in_steps(ask: Note, ctx: Context) -> Note:
    await ctx.call(note, Note(text="good"))
    return await ctx.call(note, ask)


@answers(promotion.extra_benefits)
def a_rule_that_lies(
    lines: tuple[promotion.PromotionLine, ...], buyer: Buyer, now: datetime
) -> tuple[promotion.ExtraBenefit, ...]:
    """Give a share of a line as a text, where the contract has a number."""
    share: Any = promotion.ExtraShare(line="first", amount=lines[0].amount)  # pyright: ignore[reportArgumentType]
    return (promotion.ExtraBenefit(code="x", title="x", reason="x", shares=(share,)),)


@pytest.fixture
async def own(shop: Shop) -> Shop:
    """Give a shop whose northern front end has flows of its own."""
    north = FrontEnd(
        code="north", name="North", owner="n", uses=ALL, capabilities=(note, note_in_one, note_in_steps),
        implementations=(do_note, do_note_in_one, do_note_in_steps), events=(Noted,),
    )  # fmt: skip
    shop.platform.release = shipped.build([north, SOUTH])
    return shop


async def emitted(shop: Shop, since: int) -> list[str]:
    outbox = Outbox(shop.database)
    await outbox.newest()
    return [f"{one.type} {one.subject}" for one in await outbox.read(since)]


@pytest.mark.parametrize("wrong", sorted(WRONG))
@pytest.mark.parametrize(("called", "kept"), [(note, []), (note_in_one, []), (note_in_steps, ["north.noted good"])])
async def test_an_event_that_breaks_its_published_contract_fails_the_transaction_that_emits_it(
    own: Shop, wrong: str, called: Any, kept: list[str]
) -> None:
    before = await Outbox(own.database).newest()
    with pytest.raises(errors.Fault, match="breaks its contract"):
        await own.platform.call(called, Note(text=wrong), own.north)
    assert await emitted(own, before) == kept  # a step that was done before is done: it is a transaction of its own
    await own.platform.call(note, Note(text="fine"), own.north)
    assert await emitted(own, before) == [*kept, "north.noted fine"]


async def test_a_rule_cannot_bring_a_wrong_value_into_an_event(shop: Shop) -> None:
    before = await Outbox(shop.database).newest()
    lying = FrontEnd(code="north", name="North", owner="n", uses=ALL, answers=(a_rule_that_lies,))
    shop.platform.release = shipped.build([lying, SOUTH])
    ask = checkout.PlaceOrder(currency="EUR", lines=(checkout.BuyLine(sku="tea", quantity=1),), paid_at_till="cash")
    with pytest.raises(errors.IsthmusError):
        await shop.platform.call(checkout.place_order, ask, shop.north)
    assert await emitted(shop, before) == []
    await shop.platform.call(checkout.place_order, ask, shop.south)
    assert any("order-placed" in one for one in await emitted(shop, before))
