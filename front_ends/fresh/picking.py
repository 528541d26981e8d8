"""The picking list: each order that was placed online, until it was picked."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from isthmus.kernel import Context, Effect, Meta, Value, capability, implements
from isthmus.packs.order import api as order

SHOWN_MAX = 100  # more than a shop picks at once


class OrderToPick(Value):
    """An order that a picker may take."""

    order_id: UUID
    number: str
    lines: int


class Picked(Value):
    """Say that an order is picked."""

    order_id: UUID


class AskToPick(Value):
    """Ask what is to be picked."""

    limit: Annotated[int, Meta(ge=1, le=SHOWN_MAX)] = SHOWN_MAX


class ToPick(Value):
    """What is to be picked, the oldest first."""

    orders: tuple[OrderToPick, ...]


@capability("fresh.list-for-picking", version="1.0", effect=Effect.WRITE)
def list_for_picking(ask: order.OrderPlaced) -> Picked:
    """Put an order on the picking list; what is taken along in the shop needs no picker."""
    ...


@capability("fresh.to-pick", version="1.0", effect=Effect.READ)
def to_pick(ask: AskToPick) -> ToPick:
    """List what is to be picked, the oldest first."""
    ...


@capability("fresh.picked", version="1.0", effect=Effect.WRITE)
def picked(ask: Picked) -> Picked:
    """Take an order off the picking list. Safe to repeat."""
    ...


@implements(list_for_picking)
async def put_on_list(ask: order.OrderPlaced, ctx: Context) -> Picked:
    if ask.channel != "store":
        await ctx.session.execute(
            "insert into fe_fresh.to_pick values ($1, $2, $3, $4)", ask.order_id, ask.number, len(ask.lines), ctx.now
        )
    return Picked(order_id=ask.order_id)


@implements(to_pick)
async def read_list(ask: AskToPick, ctx: Context) -> ToPick:
    rows = await ctx.session.fetch(
        "select order_id, number, lines from fe_fresh.to_pick order by at, order_id limit $1", ask.limit
    )
    return ToPick(
        orders=tuple(OrderToPick(order_id=row["order_id"], number=row["number"], lines=row["lines"]) for row in rows)
    )


@implements(picked)
async def take_off_list(ask: Picked, ctx: Context) -> Picked:
    await ctx.session.execute("delete from fe_fresh.to_pick where order_id = $1", ask.order_id)
    return ask
