"""Releases are published, given to more, stopped, rolled back; devices ask what they should run."""

from __future__ import annotations

import asyncio
import hashlib

import bsdiff4

from isthmus.kernel import Context, implements

from .. import api, rules, storage
from ..api import ReleaseState
from .artefacts import ENDING, Artefacts

PATH = "/releases/files"


@implements(api.publish)
async def publish(ask: api.PublishRelease, ctx: Context) -> api.AppRelease:
    size = await _size(ask, ctx)
    made = await _add(ask, size, ctx)
    if made is None:
        raise api.VersionTaken(version=ask.version)
    _emit(made, "published", ctx)
    return made


@implements(api.raise_share)
async def raise_share(ask: api.RaiseShare, ctx: Context) -> api.AppRelease:
    found = await storage.locked(ctx.session, ctx.front_end, ask.number)
    _check_state(found, ReleaseState.ROLLING)
    if ask.share < found.share:
        raise api.ShareOnlyGrows(share=found.share)
    return await _changed(found, "raised", ctx, share=ask.share)


@implements(api.pause)
async def pause(ask: api.Numbered, ctx: Context) -> api.AppRelease:
    found = await storage.locked(ctx.session, ctx.front_end, ask.number)
    if found.state is ReleaseState.PAUSED:
        return found
    _check_state(found, ReleaseState.ROLLING)
    return await _changed(found, "paused", ctx, state=ReleaseState.PAUSED, reason=ask.reason)


@implements(api.resume)
async def resume(ask: api.Numbered, ctx: Context) -> api.AppRelease:
    found = await storage.locked(ctx.session, ctx.front_end, ask.number)
    _check_state(found, ReleaseState.PAUSED, ReleaseState.STOPPED)
    return await _changed(found, "resumed", ctx, state=ReleaseState.ROLLING, reason=ask.reason)


@implements(api.roll_back)
async def roll_back(ask: api.Numbered, ctx: Context) -> api.AppRelease:
    found = await storage.locked(ctx.session, ctx.front_end, ask.number)
    _check_state(found, ReleaseState.ROLLING, ReleaseState.PAUSED, ReleaseState.STOPPED)
    earlier = await storage.of_train(ctx.session, ctx.front_end, found.train)
    before = next((one for one in earlier if one.number < found.number and _was_for_all(one)), None)
    if before is None:
        raise api.NothingBefore(number=found.number)
    await _changed(found, "rolled back", ctx, state=ReleaseState.ROLLED_BACK, reason=ask.reason)
    again = api.PublishRelease(
        train=before.train,
        version=before.version,
        sha256=before.sha256,
        url=before.url,
        share=100,
        segments=before.segments,
        is_package=before.is_package,
        limits=before.limits,
        notes=f"back from {found.version}: {ask.reason}".removesuffix(": "),
    )
    made = await _add(again, before.size, ctx, rolls_back=found.number)
    assert made is not None  # of those that roll back, a version may have any number
    _emit(made, "published", ctx)
    return made


@implements(api.set_minimum)
async def set_minimum(ask: api.SetMinimum, ctx: Context) -> api.Minimum:
    await storage.set_minimum(ctx.session, ctx.front_end, ask)
    return api.Minimum(train=ask.train, version=ask.version, grace_until=ask.grace_until)


@implements(api.make_delta)
async def make_delta(ask: api.MakeDelta, ctx: Context) -> api.Delta:
    base, found = [await storage.locked(ctx.session, ctx.front_end, one) for one in (ask.base, ask.number)]
    contents = [await _content(one, ctx) for one in (base, found)]
    if known := await storage.delta(ctx.session, ctx.front_end, base.sha256 or "", found.sha256 or ""):
        return known
    made = await asyncio.to_thread(_diff, *contents)
    artefacts = ctx.resource(Artefacts)
    delta_sha256 = hashlib.sha256(made).hexdigest()
    await artefacts.put(delta_sha256 + ENDING, made)
    signature = artefacts.sign(api.delta_bytes(base.sha256 or "", found.sha256 or "", delta_sha256))
    delta = api.Delta(
        base_sha256=base.sha256 or "",
        sha256=found.sha256 or "",
        delta_sha256=delta_sha256,
        size=len(made),
        signature=signature,
    )
    await storage.add_delta(ctx.session, ctx.front_end, delta)
    return delta


@implements(api.check_update)
async def check_update(ask: api.CheckUpdate, ctx: Context) -> api.Update:
    releases = await storage.of_train(ctx.session, ctx.front_end, ask.train)
    segments = frozenset[str]()
    if ask.member_id and any(one.segments for one in releases):
        segments = await ctx.resource(Artefacts).segments_of(ctx.front_end, ask.member_id)
    release = rules.offered(releases, ask.version, ask.device, segments)
    minimum = await storage.minimum(ctx.session, ctx.front_end, ask.train)
    is_required, required_from = rules.requirement(minimum, ask.version, ctx.now)
    delta = None
    if release is not None and release.sha256 and ask.sha256:
        delta = await storage.delta(ctx.session, ctx.front_end, ask.sha256, release.sha256)
    state = api.UpdateState.AVAILABLE if release is not None or required_from else api.UpdateState.CURRENT
    return api.Update(
        state=api.UpdateState.REQUIRED if is_required else state,
        release=release,
        path=f"{PATH}/{release.sha256}{ENDING}" if release is not None and release.sha256 else "",
        delta=delta if delta is not None and release is not None and delta.size < release.size else None,
        minimum=None if minimum is None else minimum.version,
        required_from=required_from,
    )


@implements(api.report_health)
async def report_health(ask: api.ReportHealth, ctx: Context) -> api.Reported:
    return api.Reported(number=await storage.report(ctx.session, ctx.front_end, ask))


@implements(api.list_releases)
async def list_releases(ask: api.ListReleases, ctx: Context) -> api.Releases:
    found = await storage.listed(ctx.session, ctx.front_end, ask)
    health = await storage.health(ctx.session, ctx.front_end, [one.number for one in found])
    items = tuple(api.ReleaseLine(release=one, health=health[one.number]) for one in found[: ask.limit])
    return api.Releases(items=items, next_before=items[-1].release.number if len(found) > ask.limit else None)


@implements(api.get_key)
async def get_key(ask: api.GetKey, ctx: Context) -> api.PublicKey:
    return api.PublicKey(key=ctx.resource(Artefacts).public_key())


@implements(api.watch_health)
async def watch_health(ask: api.WatchHealth, ctx: Context) -> api.Watched:
    rolling = await storage.rolling(ctx.session, ctx.front_end)
    health = await storage.health(ctx.session, ctx.front_end, [one.number for one in rolling])
    stopped: list[int] = []
    for one in rolling:
        if why := rules.problem(one.limits, health[one.number]):
            await _changed(one, "stopped", ctx, state=ReleaseState.STOPPED, reason=why)
            stopped.append(one.number)
    return api.Watched(numbers=tuple(stopped))


@implements(api.check_file)
async def check_file(ask: api.CheckArtefact, ctx: Context) -> api.FileNoted:
    if not 0 < ask.size <= api.ARTEFACT_BYTES_MAX:
        raise api.FileTooLarge(size=ask.size, most=api.ARTEFACT_BYTES_MAX)
    return api.FileNoted(file=ask.file, size=ask.size)


@implements(api.note_file)
async def note_file(ask: api.FileNoted, ctx: Context) -> api.FileNoted:
    await storage.note_file(ctx.session, ctx.front_end, ask.file.removesuffix(ENDING), ask.size)
    return ask


async def _size(ask: api.PublishRelease, ctx: Context) -> int:
    if ask.sha256 is None:
        if ask.url is None:
            raise api.NoArtefact(because=f"version {ask.version} has neither an artefact nor an address")
        return 0
    size = await storage.file_size(ctx.session, ctx.front_end, ask.sha256)
    if size is None:
        raise api.NoArtefact(because=f"there is no file {ask.sha256[:12]}… of {ctx.front_end!r}")
    return size


async def _add(
    ask: api.PublishRelease, size: int, ctx: Context, rolls_back: int | None = None
) -> api.AppRelease | None:
    said = api.release_bytes(ask.train, ask.version, ask.sha256, ask.url)
    signature = ctx.resource(Artefacts).sign(said)
    author = ctx.caller.person or ctx.caller.client
    return await storage.add(ctx.session, ctx.front_end, ask, size, signature, author, rolls_back)


async def _content(release: api.AppRelease, ctx: Context) -> bytes:
    found = await ctx.resource(Artefacts).read(f"{release.sha256}{ENDING}") if release.sha256 else None
    if found is None:
        raise api.NoArtefact(because=f"release {release.number} has no artefact here")
    if len(found[0]) > api.DELTA_BYTES_MAX:
        raise api.FileTooLarge(size=len(found[0]), most=api.DELTA_BYTES_MAX)
    return found[0]


def _diff(base: bytes, content: bytes) -> bytes:
    """Return what leads from one content to the other. Raises WrongDelta where it does not."""
    made = bsdiff4.diff(base, content)
    if bsdiff4.patch(base, made) != content:
        raise api.WrongDelta(because="the delta leads to something else")
    return made


async def _changed(
    release: api.AppRelease, what: str, ctx: Context, *, state: ReleaseState | None = None, share: int | None = None,
    reason: str = "",
) -> api.AppRelease:  # fmt: skip
    made = await storage.change(
        ctx.session,
        ctx.front_end,
        release.number,
        state=(state or release.state).value,
        share=release.share if share is None else share,
        reason=reason,
    )
    _emit(made, what, ctx)
    return made


def _check_state(release: api.AppRelease, *states: ReleaseState) -> None:
    if release.state not in states:
        raise api.NotRolling(number=release.number, state=release.state.value)


def _was_for_all(release: api.AppRelease) -> bool:
    return release.share == 100 and release.state is not ReleaseState.ROLLED_BACK


def _emit(release: api.AppRelease, what: str, ctx: Context) -> None:
    ctx.emit(
        api.ReleaseChanged(
            number=release.number, what=what, version=release.version, share=release.share, reason=release.reason
        )
    )
