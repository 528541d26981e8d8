"""What runs of each front end, in words and as values: for the command line, HTTP and the console."""

from __future__ import annotations

from isthmus.kernel import Platform, Value
from isthmus.kernel.host import Release
from isthmus.language import mark

from ..shadow import shadow as shadows
from ..shadow.shadow import Shadow
from . import proposals, versions
from . import rollout as switches
from .context import DeployContext
from .deploy import checked
from .follower import Follower
from .proposals import Proposal
from .rollout import Rollout
from .versions import Version

_TROUBLES = """
    select a.front_end, w.node || ' ' || w.pid as worker, a.trouble
    from runtime.applied a join runtime.worker w on w.id = a.worker
    where a.trouble <> '' and w.seen_at > now() - make_interval(secs => $1)"""


class Line(Value):
    """One front end: its versions, what was decided last, and where that does not run as decided.

    waiting: what another person has to approve.
    """

    front_end: str
    versions: tuple[Version, ...]
    switch: Rollout | None
    is_in_folder: bool
    sentence: str
    troubles: tuple[str, ...]
    shadow: Shadow | None = None
    waiting: tuple[Proposal, ...] = ()

    def runs(self, hash_: str) -> str:
        """Return who gets a version: everybody, a share, nobody but the shadow, or nobody (empty)."""
        made, shadow = self.switch, self.shadow
        if shadow is not None and shadow.hash == hash_ and not shadow.ended:
            return f"shadow {shadow.percent} %"
        if made is None:
            return ""
        if made.staged == hash_:
            return f"{made.percent} %"
        if made.stable == hash_:
            return f"{100 - made.percent} %" if made.staged else "live"
        return ""


async def report(context: DeployContext, code: str | None = None) -> tuple[Line, ...]:
    """Return how each front end stands, deployed or in the folder, or the one that is named."""
    kept = await versions.versions(context.database, code)
    held = {made.front_end: made for made in await switches.since(context.database, 0)}
    shadowed = await shadows.declared(context.database, code)
    waiting = await proposals.waiting(context.database, code)
    async with context.database.platform() as session:
        troubled = await session.fetch(_TROUBLES, float(switches.LIVE_S))
    folder = context.release.lines
    codes = sorted({*held, *folder, *(one.front_end for one in kept)} if code is None else {code})
    return tuple(
        Line(
            front_end=one,
            versions=tuple(version for version in kept if version.front_end == one),
            switch=held.get(one),
            is_in_folder=one in folder,
            sentence=_sentence(one, held.get(one), {version.hash: version.name for version in kept}, one in folder),
            troubles=tuple(f"{row['worker']}: {row['trouble']}" for row in troubled if row["front_end"] == one),
            shadow=shadowed.get(one),
            waiting=tuple(proposal for proposal in waiting if proposal.front_end == one),
        )
        for one in codes
    )


async def as_deployed(
    context: DeployContext, code: str | None = None, version: str = ""
) -> tuple[Release, tuple[str, ...]]:
    """Return the release as servers run it, or with one version of a front end, and what that is in sentences.

    Raises NoSuchVersion, NotAFrontEnd, and BuildProblems where that version no longer fits.
    """
    if version and code:
        one = await versions.chosen(context.database, code, version)
        front_end = await versions.load(context.database, code, one.hash, context.cache, context.load)
        return context.release.replacing(checked(context.release, front_end)), (f"{code}: {one.name}",)
    platform = Platform(context.release, context.database)
    follower = Follower(platform, context.database, context.cache, load=context.load)
    await follower.catch_up()
    troubles = tuple(f"{name}: does not run as decided: {why}" for name, why in sorted(follower.troubles.items()))
    return platform.release, (*(line.sentence for line in await report(context, code)), *troubles)


def _sentence(code: str, made: Rollout | None, names: dict[str, str], is_in_folder: bool) -> str:
    if made is None or (made.stable is None and made.staged is None):
        what = mark("the folder's own runs") if is_in_folder else mark("nothing runs")
        return f"{code}: " + mark(f"not deployed; {what}")
    stable = names.get(made.stable, "?") if made.stable else mark("the folder's own")
    staged = names.get(made.staged, "?") if made.staged else ""
    runs = mark(f"{stable} runs, {staged} for {made.percent} of 100 members") if staged else mark(f"{stable} runs")
    if is_in_folder and made.stable:
        runs = mark(f"{runs}, and wins over the folder of the same code")
    kind, by, at = made.kind, made.made_by, f"{made.made_at:%Y-%m-%d %H:%M}"
    why, since = made.reason, mark(f"{runs} ({kind} by {by}, {at})")
    return f"{code}: " + (mark(f"{runs} ({kind} by {by}, {at}: {why})") if why else since)
