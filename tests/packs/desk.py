"""A desk: flows of one step each, so that tests can call what only flows may."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from isthmus.kernel import Capability, Context, Pack, flow, implements


def desk(packs: ModuleType) -> Pack:
    """Return a pack of flows `desk.mark-paid` … for every internal capability of a pack's api."""
    api, service = ModuleType("desk"), ModuleType("desk_service")
    api.__doc__ = "What only flows may do, done by hand."
    for name, found in vars(packs).items():
        if isinstance(found, Capability) and found.is_internal:
            step = _step(found)
            setattr(api, name, step)
            setattr(service, name, _done(step, found))
    return Pack(name="desk", owner="tests", api=api, service=(service,))


def at_desk(capability: Capability[Any, Any], pack: Pack) -> Capability[Any, Any]:
    """Return what a test calls instead of a capability: the desk's flow where it is internal."""
    name = capability.name.partition(".")[2].replace("-", "_")
    return pack.capabilities()[name] if capability.is_internal else capability


def _step(part: Capability[Any, Any]) -> Capability[Any, Any]:
    def declared(ask: object) -> object:
        """Do by hand what only flows may."""
        return ask

    declared.__annotations__ = {"ask": part.ask, "return": part.answer}
    name = f"desk.{part.name.partition('.')[2]}"
    return flow(name, version="1.0", effect=part.effect, uses=[part])(declared)


def _done(step: Capability[Any, Any], part: Capability[Any, Any]) -> object:
    async def do(ask: Any, ctx: Context) -> Any:
        return await ctx.call(part, ask)

    return implements(step)(do)
