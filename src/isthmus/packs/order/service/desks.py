"""Return desks: what is handed in at one front end of another's orders."""

from __future__ import annotations

from uuid import UUID

from isthmus.kernel import Context, implements

from .. import api
from ..storage import desks as storage

_BEFORE = {"taken": "agreed", "refunded": "taken"}


@implements(api.put_desk)
async def put_desk(ask: api.PutDesk, ctx: Context) -> api.PutDesk:
    await storage.put(ctx.session, ctx.front_end, ask)
    return ask


@implements(api.ask_hand_in)
async def ask_hand_in(ask: api.AskHandIn, ctx: Context) -> api.HandIn:
    granted = await storage.granted(ctx.session, ask.owner, ask.desk)
    if granted is None:
        raise api.NoDesk(owner=ask.owner)
    grant_id, desk, worth = granted
    asked = api.HandIn(
        hand_in_id=ctx.new_id(),
        owner=ask.owner,
        taker=ctx.front_end,
        desk=desk,
        number=ask.number,
        lines=ask.lines,
        state="asked",
        refund=None,
        owes=None,
        note="",
        asked_at=ctx.now,
    )
    await storage.ask(ctx.session, asked, grant_id, worth)
    _emit_moved(asked, ctx)
    return asked


@implements(api.get_hand_in)
async def get_hand_in(ask: api.GetHandIn, ctx: Context) -> api.HandIn:
    return await _found(ask.hand_in_id, ctx)


@implements(api.list_hand_ins)
async def list_hand_ins(ask: api.ListHandIns, ctx: Context) -> api.HandIns:
    return api.HandIns(items=tuple(await storage.page(ctx.session, ctx.front_end, ask)))


@implements(api.hold_hand_ins)
async def hold_hand_ins(ask: api.HoldHandIns, ctx: Context) -> api.HandIns:
    return api.HandIns(items=tuple(await storage.hold(ctx.session, ctx.front_end, ask)))


@implements(api.answer_hand_in)
async def answer_hand_in(ask: api.AnswerHandIn, ctx: Context) -> api.HandIn:
    if not await storage.answer(ctx.session, ctx.front_end, ask):
        known = await _found(ask.hand_in_id, ctx)
        raise _illegal(known, "answered")
    return _emit_moved(await _found(ask.hand_in_id, ctx), ctx)


@implements(api.mark_hand_in)
async def mark_hand_in(ask: api.MarkHandIn, ctx: Context) -> api.HandIn:
    if not await storage.mark(ctx.session, ctx.front_end, ask.hand_in_id, ask.state, _BEFORE[ask.state]):
        known = await _found(ask.hand_in_id, ctx)
        mine = known.taker if ask.state == "taken" else known.owner
        if (known.state, mine) == (ask.state, ctx.front_end):
            return known
        raise _illegal(known, ask.state)
    return _emit_moved(await _found(ask.hand_in_id, ctx), ctx)


@implements(api.show_orders)
async def show_orders(ask: api.ShowOrders, ctx: Context) -> api.ShownOrders:
    return api.ShownOrders(items=tuple(await storage.shown(ctx.session, ask)))


async def _found(hand_in_id: UUID, ctx: Context) -> api.HandIn:
    found = await storage.find(ctx.session, ctx.front_end, hand_in_id)
    if found is None:
        raise api.UnknownHandIn(hand_in_id=hand_in_id)
    return found


def _illegal(known: api.HandIn, wanted: str) -> api.IllegalTransition:
    return api.IllegalTransition(
        what=f"hand-in {known.hand_in_id}", state=known.state, wanted=wanted, path="$.hand_in_id"
    )


def _emit_moved(known: api.HandIn, ctx: Context) -> api.HandIn:
    ctx.emit(
        api.HandInMoved(
            hand_in_id=known.hand_in_id,
            owner=known.owner,
            taker=known.taker,
            state=known.state,
            refund=known.refund,
            owes=known.owes,
        )
    )
    return known
