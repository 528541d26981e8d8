"""What joining costs, kept as it was found; and who answers which operation."""

from __future__ import annotations

from isthmus.kernel import Context, implements

from .. import api, storage


@implements(api.note_estimate)
async def note_estimate(ask: api.NoteEstimate, ctx: Context) -> api.Estimate:
    found = api.Estimate(
        operations=ask.operations, distance=ask.distance, compared=ask.compared, agreed=ask.agreed, hours=ask.hours,
        at=ctx.now,
    )  # fmt: skip
    await storage.add_estimate(ctx.session, ctx.front_end, found)
    return found


@implements(api.list_estimates)
async def list_estimates(ask: api.ListEstimates, ctx: Context) -> api.Estimates:
    return api.Estimates(items=await storage.estimates(ctx.session, ctx.front_end))


@implements(api.switch_operation)
async def switch_operation(ask: api.SwitchOperation, ctx: Context) -> api.OperationState:
    stands = await storage.operation(ctx.session, ctx.front_end, ask.operation)
    if ask.to == "platform" and not ask.is_accepted and not _agrees(stands):
        raise api.NotAgreed(operation=ask.operation, compared=stands.compared, agreed=stands.agreed)
    if ask.to == "shadow" and stands.answered_by != "shadow":
        stands = stands.replace(compared=0, agreed=0, differs="")
    moved = stands.replace(answered_by=ask.to, since=ctx.now, because=ask.because)
    await storage.put_operation(ctx.session, ctx.front_end, moved)
    return moved


def _agrees(stands: api.OperationState) -> bool:
    return stands.compared >= api.AGREED_MIN and stands.agreed == stands.compared


@implements(api.list_operations)
async def list_operations(ask: api.ListOperations, ctx: Context) -> api.Operations:
    return api.Operations(items=await storage.operations(ctx.session, ctx.front_end))


@implements(api.note_compared)
async def note_compared(ask: api.NoteCompared, ctx: Context) -> api.OperationState:
    await storage.add_compared(ctx.session, ctx.front_end, ask)
    return await storage.operation(ctx.session, ctx.front_end, ask.operation)


@implements(api.note_left)
async def note_left(ask: api.NoteLeft, ctx: Context) -> api.LeftNoted:
    await storage.lock_position(ctx.session, ctx.front_end)
    return await storage.note_left(ctx.session, ctx.front_end, ask)
