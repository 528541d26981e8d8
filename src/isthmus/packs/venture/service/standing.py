"""Where a venture stands, from what was observed."""

from __future__ import annotations

from isthmus.kernel import Context, implements

from .. import api, rules, storage


@implements(api.note_findings)
async def note_findings(ask: api.NoteFindings, ctx: Context) -> api.Noted:
    for one in ask.items:
        await storage.note(ctx.session, ctx.front_end, ctx.now, one)
    return api.Noted(items=await storage.findings(ctx.session, ctx.front_end))


@implements(api.get_standing)
async def get_standing(ask: api.GetStanding, ctx: Context) -> api.Standing:
    charter = ctx.resource(api.Charters).of(ctx.front_end)
    row = await storage.facts(ctx.session, ctx.front_end)
    stands = await storage.position(ctx.session, ctx.front_end)
    today = ctx.now.date()
    return api.Standing(
        charter=charter,
        is_lapsed=charter.is_lapsed(today),
        findings=await storage.findings(ctx.session, ctx.front_end),
        sums=await storage.sums(ctx.session, ctx.front_end),
        sales=row["sales"],
        members=row["members"],
        first_sale_at=row["first_sale_at"],
        taken_at=row["taken_at"],
        to_forget=row["to_forget"],
        left_on=stands.left_on,
        left_by=stands.left_by,
        kill_on=rules.killed_on(charter, row["sales"], today),
    )


@implements(api.list_disagreements)
async def list_disagreements(ask: api.ListDisagreements, ctx: Context) -> api.Disagreements:
    return await storage.disagreements(ctx.session, ctx.front_end)
