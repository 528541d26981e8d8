"""A capability that asks one extension point and says what it heard."""

import asyncio

from isthmus.kernel import Context, Effect

from .world import Said, doing


def asking(point, effect=Effect.READ, name="say", **more):
    async def say(ask, ctx: Context) -> Said:
        found = ctx.answer(point)(ask.number)
        return Said(text=await found if asyncio.iscoroutine(found) else found)

    return doing(name, effect, say, **more)
