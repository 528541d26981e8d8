"""Flags are put, approved, killed and deleted: each change in one transaction with its version and its history."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from isthmus.kernel import Context, implements

from .. import api, storage
from ..rules import checks, targeting
from .store import FlagStore

FOUR_EYES: Final = "flags.four-eyes"  # a setting of the front end: "yes"


@implements(api.put_flag)
async def put_flag(ask: api.PutFlag, ctx: Context) -> api.FlagChange:
    await storage.lock(ctx.session, ctx.front_end)
    known = await _known(ctx)
    based_on = known[ask.flag.key].version if ask.flag.key in known else 0
    if ask.expected_version is not None and ask.expected_version != based_on:
        raise api.FlagChanged(key=ask.flag.key, version=based_on)
    _check(ask.flag, known)
    await _check_segments(ask.flag, ctx)
    if _has_four_eyes(ctx):
        return await storage.add_change(
            ctx.session, ctx.front_end, ask.flag.key, "put", ask.flag, based_on, ask.note, _author(ctx), None
        )
    return await _applied("put", ask.flag.key, ask.flag, based_on, ask.note, ctx)


@implements(api.approve_change)
async def approve_change(ask: api.DecideChange, ctx: Context) -> api.FlagChange:
    await storage.lock(ctx.session, ctx.front_end)
    change, based_on = await storage.waiting(ctx.session, ctx.front_end, ask.number)
    by = ctx.caller.person
    if not by or by == change.author:
        raise api.NeedsAnother(number=ask.number, author=change.author)
    known = await _known(ctx)
    now_at = known[change.key].version if change.key in known else 0
    if now_at != based_on:
        raise api.FlagChanged(key=change.key, version=now_at)
    assert change.flag is not None  # only what is put waits
    _check(change.flag, known)
    version = await storage.next_version(ctx.session, ctx.front_end)
    await storage.put(ctx.session, ctx.front_end, change.flag, version, change.author)
    decided = await storage.decide(ctx.session, ctx.front_end, ask.number, "applied", by, version, ask.note)
    _emit(decided, ctx)
    return decided


@implements(api.refuse_change)
async def refuse_change(ask: api.DecideChange, ctx: Context) -> api.FlagChange:
    await storage.waiting(ctx.session, ctx.front_end, ask.number)
    return await storage.decide(ctx.session, ctx.front_end, ask.number, "refused", _author(ctx), None, ask.note)


@implements(api.kill_flag)
async def kill_flag(ask: api.FlagNamed, ctx: Context) -> api.FlagChange:
    await storage.lock(ctx.session, ctx.front_end)
    state = await _one(ask.key, ctx)
    off = state.flag.replace(is_enabled=False, schedule=())
    return await _applied("kill", ask.key, off, state.version, ask.note, ctx)


@implements(api.delete_flag)
async def delete_flag(ask: api.FlagNamed, ctx: Context) -> api.FlagChange:
    await storage.lock(ctx.session, ctx.front_end)
    known = await _known(ctx)
    if ask.key not in known:
        raise api.UnknownFlag(key=ask.key, known=known)
    needing = [key for key, one in known.items() if any(need.key == ask.key for need in one.flag.requires)]
    if needing:
        fact = f"flag {ask.key!r} is required by {', '.join(needing)}"
        raise api.WrongFlag(fact, remedy="change those first", path="$.key")
    return await _applied("delete", ask.key, None, known[ask.key].version, ask.note, ctx)


@implements(api.list_flags)
async def list_flags(ask: api.ListFlags, ctx: Context) -> api.Flags:
    items = await storage.states(ctx.session, ctx.front_end)
    version = await storage.version(ctx.session, ctx.front_end)
    return api.Flags(items=tuple(items), version=version, has_four_eyes=_has_four_eyes(ctx))


@implements(api.get_flag)
async def get_flag(ask: api.FlagNamed, ctx: Context) -> api.FlagState:
    return await _one(ask.key, ctx)


@implements(api.list_changes)
async def list_changes(ask: api.ListFlagChanges, ctx: Context) -> api.FlagChanges:
    found = await storage.changes(ctx.session, ctx.front_end, ask)
    items = tuple(found[: ask.limit])
    return api.FlagChanges(items=items, next_before=items[-1].number if len(found) > ask.limit else None)


@implements(api.apply_due)
async def apply_due(ask: api.ApplyDue, ctx: Context) -> api.TakenSteps:
    flags, now = await storage.due(ctx.session, ctx.front_end)
    for flag in flags:
        await _applied("step", flag.key, stepped(flag, now), 0, "its time has come", ctx)
    return api.TakenSteps(keys=tuple(one.key for one in flags))


def stepped(flag: api.Flag, now: datetime) -> api.Flag:
    """Return a flag with all steps taken that are due, in the order of their times."""
    for step in sorted((one for one in flag.schedule if one.at <= now), key=lambda one: one.at):
        flag = flag.replace(
            is_enabled=flag.is_enabled if step.is_enabled is None else step.is_enabled,
            default_variant=step.default_variant or flag.default_variant,
            targeting=flag.targeting if step.targeting is None else step.targeting,
        )
    return flag.replace(schedule=tuple(one for one in flag.schedule if one.at > now))


async def _applied(
    what: str, key: str, flag: api.Flag | None, based_on: int, note: str, ctx: Context
) -> api.FlagChange:
    version = await storage.next_version(ctx.session, ctx.front_end)
    if flag is None:
        await storage.delete(ctx.session, ctx.front_end, key)
    else:
        await storage.put(ctx.session, ctx.front_end, flag, version, _author(ctx))
    made = await storage.add_change(ctx.session, ctx.front_end, key, what, flag, based_on, note, _author(ctx), version)
    _emit(made, ctx)
    return made


async def _one(key: str, ctx: Context) -> api.FlagState:
    if not (found := await storage.states(ctx.session, ctx.front_end, key)):
        raise api.UnknownFlag(key=key, known=await _known(ctx))
    return found[0]


async def _known(ctx: Context) -> dict[str, api.FlagState]:
    return {one.flag.key: one for one in await storage.states(ctx.session, ctx.front_end)}


def _check(flag: api.Flag, known: Mapping[str, api.FlagState]) -> None:
    if flag.key not in known and len(known) >= api.FLAGS_MAX:
        raise api.TooManyFlags
    checks.check(flag, {key: one.flag for key, one in known.items()})


async def _check_segments(flag: api.Flag, ctx: Context) -> None:
    written = [flag.targeting, *(step.targeting for step in flag.schedule if step.targeting)]
    named = [one for logic in written for one in targeting.segments_of(logic)]
    if not named:
        return
    known = await ctx.resource(FlagStore).known_segments(ctx.front_end)
    for segment, path in named:
        if segment not in known:
            raise api.UnknownSegment(segment=segment, known=known, path=f"$.flag.targeting{path[1:]}")


def _emit(change: api.FlagChange, ctx: Context) -> None:
    ctx.emit(
        api.FlagApplied(
            key=change.key,
            what=change.what,
            version=change.version or 0,
            number=change.number,
            author=change.author,
            approved_by=change.decided_by,
        )
    )


def _has_four_eyes(ctx: Context) -> bool:
    return ctx.plan.settings.get(FOUR_EYES, "no") == "yes"


def _author(ctx: Context) -> str:
    return ctx.caller.person or ctx.caller.client
