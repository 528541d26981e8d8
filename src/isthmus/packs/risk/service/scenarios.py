"""Scenarios: written, tried, run."""

from __future__ import annotations

from isthmus.kernel import Context, implements

from .. import api
from ..rules import judging
from ..storage import kept
from ..storage import scenarios as storage
from .book import book_of
from .deciding import tried


@implements(api.put_scenario)
async def put_scenario(ask: api.PutScenario, ctx: Context) -> api.Scenario:
    judging.check(ask)
    content = api.Content(**{name: getattr(ask, name) for name in api.Content.__struct_fields__})
    by = ctx.caller.person or ctx.caller.client
    return await storage.put(ctx.session, ctx.front_end, content, by, ctx.now)


@implements(api.run_scenario)
async def run_scenario(ask: api.RunScenario, ctx: Context) -> api.Scenario:
    found = await storage.get(ctx.session, ctx.front_end, ask.version)
    is_ready = found.tried is not None and found.is_shadowed
    if ask.state == "live" and found.content.rules and not is_ready:
        raise api.NotTried(version=ask.version, is_tried=found.tried is not None)
    book_of(ctx).forget()
    return await storage.run(ctx.session, ctx.front_end, ask)


@implements(api.back_test)
async def back_test(ask: api.BackTest, ctx: Context) -> api.Tried:
    found = await storage.get(ctx.session, ctx.front_end, ask.version)
    result = tried(found.content, await kept.in_time(ctx.session, ctx.front_end, ask), ask)
    await storage.note_tried(ctx.session, ctx.front_end, ask.version, result)
    return result


@implements(api.list_scenarios)
async def list_scenarios(ask: api.ListScenarios, ctx: Context) -> api.Scenarios:
    return api.Scenarios(items=tuple(await storage.listed(ctx.session, ctx.front_end)))
