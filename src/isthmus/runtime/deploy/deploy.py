"""Deploy a front end: packed, loaded elsewhere, checked, tested, replayed, and then put in place.

    folder ──▶ packed ──▶ signed? ──▶ loads? ──▶ contract ──▶ tests ──▶ replay ──▶ accepted? ──▶ prepared ──▶ switched
                            └ nothing has changed anywhere until here ┘          └▶ waits for another, where asked

One deploy of a front end at a time; others deploy theirs meanwhile, and notice nothing.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Literal

from isthmus.kernel import FrontEnd, Value, errors
from isthmus.kernel.host import CompiledFrontEnd, Release, compile_front_ends
from isthmus.store import Migration, migrate_own

from ..shadow import shadow as shadows
from . import proposals, signatures, versions, vouching
from . import rollout as switches
from .changes import attributes_compared, compared, events_compared, metrics_compared
from .check import TEST_LIMIT_S, TESTS_LIMIT_S, code_of, laid_out, run_tests
from .context import CLI, DeployContext, Say
from .declared import problems_of as own_problems
from .declared import rehearsed
from .guardrails import bounds_of
from .proposals import Proposal
from .rollout import Rollout, Switched
from .signatures import Signature

SAY_EVERY_S = 10
DEPLOYED = "deploy.deploy"  # in the journal
FINDINGS_MAX = 40_000  # characters that whoever approves reads: a replay says no more than that
CONTRACT_BROKEN = "runtime.contract-broken"  # what a front end that does not fit is refused for


class NotAccepted(errors.RuleBroken):
    """The version answers recorded calls differently, and nobody said that this is meant."""

    slug = "runtime.not-accepted"


class NothingBeside(errors.Conflict):
    """A version can be staged only beside another one."""

    slug = "runtime.nothing-beside"


class NotYours(errors.NotPermitted):
    """The folder is another front end's."""

    slug = "runtime.not-yours"


class DeployRequest(Value):
    """What is to be done. percent: 100 for everybody. is_accepted: differences are meant. code: only this front end.

    shadow: run it on so many of 100 live calls, and give nobody its answers; 0 puts it in place. via: the way in.
    signature: of whoever deploys, over `signed_over` this.
    """

    made_by: str
    percent: int = 100
    is_accepted: bool = False
    code: str | None = None
    shadow: int = 0
    via: str = CLI
    signature: Signature | None = None

    @property
    def signed_over(self) -> dict[str, object]:
        """Return what is signed beside the files."""
        return {"percent": self.percent, "shadow": self.shadow, "accepted": str(self.is_accepted).lower()}


class Deployed(Value):
    """What came of a deploy. proposal: the number under which it waits for another person."""

    front_end: str
    version: str
    outcome: Literal["live", "staged", "shadow", "proposed", "already-there"]
    percent: int
    workers: int = 0
    took_ms: int = 0
    behind: tuple[str, ...] = ()
    differences: str = ""
    signed_by: str = ""
    proposal: int = 0


async def deploy(context: DeployContext, folder: Path, request: DeployRequest) -> Deployed:
    """Deploy a folder; nothing runs it before all has gone well.

    Raises NotAFrontEnd, TooLarge, NotYours, BuildProblems with every problem at once, TestsFailed, NotAccepted with the
    differences, DeployUnderWay, Superseded, WorkersNotReady, NothingBeside, and NotPermitted for what is not signed as
    the front end asks: where its code is known beforehand, before anything of the folder runs.
    """
    if not 1 <= request.percent <= 100:
        raise errors.BadAsk(f"{request.percent} percent", remedy="stage for 1 to 99 percent, or leave it out for all")
    packed = await asyncio.to_thread(versions.pack, folder)
    signed = None
    if request.code is not None:
        async with _noted(context, request.code, packed, request):
            signed = await _vouched(context, request.code, packed, request)
    async with laid_out(packed) as inside:
        testing = asyncio.create_task(run_tests(inside, context.hidden))
        try:
            code = await code_of(inside, context.hidden)
            if request.code not in (None, code):
                raise NotYours(
                    f"the folder is front end {code!r}, and this key is of {request.code!r}",
                    remedy="use a key of that front end whose scopes have deploy.*",
                )
            async with _noted(context, code, packed, request), switches.alone(context.database, code):
                signed = signed or await _vouched(context, code, packed, request)
                return await _deployed(context, code, packed, request, testing, signed)
        finally:
            testing.cancel()
            with suppress(asyncio.CancelledError, errors.IsthmusError):
                await testing


@asynccontextmanager
async def _noted(
    context: DeployContext, code: str, packed: versions.Packed, request: DeployRequest
) -> AsyncGenerator[None]:
    """Have the journal keep that a deploy was refused; one that is carried out is kept with its switch."""
    try:
        yield
    except (errors.IsthmusError, errors.BuildProblems) as refused:
        slug = refused.slug if isinstance(refused, errors.IsthmusError) else CONTRACT_BROKEN
        doer = context.doer(code, request.made_by, request.via)
        await doer.note_refused(context.database, DEPLOYED, slug, {"version": packed.hash})
        raise


async def _vouched(
    context: DeployContext, code: str, packed: versions.Packed, request: DeployRequest
) -> vouching.Vouched | None:
    """Return who signed. Raises NotPermitted where nobody did and what runs asks for it, or where it is no good."""
    if request.signature is None:
        asked = await vouching.asked_by(context, code, await switches.current(context.database, code))
        vouching.check_is_signed(asked, code, None)
        return None
    via = context.doer(code, request.made_by, request.via).caller
    sent, said = request.signature, request.signed_over
    return await vouching.vouched(context, code, "deploy", packed.digest, sent, via, **said)


async def _deployed(
    context: DeployContext,
    code: str,
    packed: versions.Packed,
    request: DeployRequest,
    testing: asyncio.Task[bool],
    signed: vouching.Vouched | None,
) -> Deployed:
    database, by = context.database, context.doer(code, request.made_by, request.via)
    by = signed.doer(by) if signed else by
    findings: list[str] = []

    def say(sentence: str) -> None:
        findings.append(sentence)
        context.say(sentence)

    held = await switches.current(database, code)
    front_end = await asyncio.to_thread(_loaded, context, code, packed)
    new = checked(context.release, front_end)
    own = vouching.asks_of(front_end.settings)
    asked = vouching.most(await vouching.asked_by(context, code, held), own)
    vouching.check_is_signed(asked, code, signed)
    say(f"{code}: fits the contracts of this platform")
    say(f"{code}: its tests pass" if await _tested(testing, code, context.say) else f"{code}: it has no tests")
    number = await versions.keep(database, code, packed, by.name, own)
    if signed is not None:
        await _keep_signature(context, code, packed, signed)
    named = versions.named(number, packed.hash)
    if _is_there(held, packed.hash, request.percent):
        return Deployed(front_end=code, version=named, outcome="already-there", percent=request.percent)
    old = await _running(context, code, held)
    if old is None and (request.percent < 100 or request.shadow):
        raise NothingBeside(f"nothing of {code!r} runs yet", remedy="deploy it to everybody first: no --percent")
    differences = await _compared(context, code, old, new, say)
    if signed is not None and asked == "four-eyes":
        _check_accepted(code, named, differences, request)
        new_one = Proposal(
            front_end=code,
            hash=packed.hash,
            digest=packed.digest,
            percent=request.percent,
            shadow=request.shadow,
            findings="\n".join(one for one in (*findings, differences) if one)[:FINDINGS_MAX],
            based_on=held.id if held else 0,
            author=by.name,
            key=signed.sent.key,
        )
        made = await proposals.propose(database, new_one, by)
        return _waiting(made, named, differences)
    if request.shadow:
        await shadows.declare(database, code, packed.hash, percent=request.shadow, by=by)
        return Deployed(
            front_end=code, version=named, outcome="shadow", percent=request.shadow, differences=differences
        )
    _check_accepted(code, named, differences, request)
    for file in await migrate_own_in(context, code, _folder(context, code, packed)):
        say(f"{code}: applied {file.name}")
    done = await switches.put(
        database,
        code,
        packed.hash,
        percent=request.percent,
        by=by,
        expected=held.id if held else None,
        reason="differences accepted" if differences else "",
        key=signed.sent.key if signed else "",
    )
    return _said(done, named, request.percent, differences, by.name if signed else "")


async def _keep_signature(context: DeployContext, code: str, packed: versions.Packed, signed: vouching.Vouched) -> None:
    """Keep a signature with its version, where what is kept under that hash is what was signed."""
    async with versions.as_signed(context.database, code, packed.hash, packed.digest):
        pass
    async with context.database.platform() as session:
        await signatures.keep(session, code, packed.hash, "deploy", signed.signer, signed.sent, signed.said)


def _check_accepted(code: str, named: str, differences: str, request: DeployRequest) -> None:
    if differences and not request.is_accepted:
        raise NotAccepted(
            f"{named} of {code!r} answers recorded calls differently:\n{differences}\n",
            remedy="if that is meant, deploy again with --accept",
        )


async def _tested(testing: asyncio.Task[bool], code: str, say: Say) -> bool:
    """Wait for the tests, and say from time to time that they run."""
    for times in itertools.count(1):
        done, _ = await asyncio.wait([testing], timeout=SAY_EVERY_S)
        if done:
            break
        limits = f"each may for {TEST_LIMIT_S} s, all for {TESTS_LIMIT_S} s"
        say(f"{code}: its tests have run for {times * SAY_EVERY_S} s; {limits}")
    return await testing


def checked(release: Release, front_end: FrontEnd) -> CompiledFrontEnd:
    """Return a front end's line. Raises BuildProblems with every problem, each with the line to write."""
    (line,), problems = compile_front_ends(release, [front_end])
    problems += own_problems(front_end, release.packs.values())
    try:
        bounds_of(front_end.settings)
        vouching.asks_of(front_end.settings)
    except errors.BadAsk as wrong:
        problems.append(str(wrong))
    problems = problems or list(rehearsed(line, release.packs.values()))
    if problems:
        raise errors.BuildProblems(problems)
    return line


def _folder(context: DeployContext, code: str, packed: versions.Packed) -> Path:
    return context.cache / f"{code}-{packed.hash[: versions.SHORT]}" / packed.folder


def _loaded(context: DeployContext, code: str, packed: versions.Packed) -> FrontEnd:
    folder = _folder(context, code, packed)
    if not folder.exists():
        versions.unpack(packed.content, folder)
    return versions.load_checked(folder, code, packed.hash, context.load)


async def migrate_own_in(context: DeployContext, code: str, inside: Path) -> Sequence[Migration]:
    """Bring the front end's own tables to the shape of a version, before any server runs it; inside: its folder."""
    folder = inside / "migrations"
    return await migrate_own(context.database.url, code, folder) if folder.is_dir() else ()


def _is_there(held: Rollout | None, hash_: str, percent: int) -> bool:
    if held is None:
        return False
    if percent == 100:
        return held.stable == hash_ and held.staged is None
    return (held.staged == hash_ and held.percent == percent) or (held.stable == hash_ and held.staged is None)


async def _running(context: DeployContext, code: str, held: Rollout | None) -> CompiledFrontEnd | None:
    """Return the line that most members get now."""
    if held is None or held.stable is None:
        return context.release.lines.get(code)
    try:
        front_end = await versions.load(context.database, code, held.stable, context.cache, context.load)
        return checked(context.release, front_end)
    except (errors.Refusal, errors.BuildProblems) as error:  # an old version that no longer fits: nothing to compare
        context.say(f"{code}: what runs now cannot be loaded here, so nothing is compared: {error}")
        return None


async def _compared(
    context: DeployContext, code: str, old: CompiledFrontEnd | None, new: CompiledFrontEnd, say: Say
) -> str:
    """Say what has changed, and return the differences in recorded calls, as text; nothing where there are none."""
    if old is None:
        return ""
    for change in compared(old, new):
        say(f"{code}: {change.what}: {change.answer} answers {change.point} ({change.where})")
    for sentence in [*attributes_compared(old, new), *metrics_compared(old, new), *events_compared(old, new)]:
        say(f"{code}: {sentence}")
    if context.replay is None:
        return ""
    if old.fingerprint == new.fingerprint:
        say(f"{code}: the same rules as those that run (fingerprint {new.fingerprint})")
        return ""
    before, after = context.release.replacing(old), context.release.replacing(new)
    found = await context.replay(context.database, before, after, code)
    if found.is_same:
        say(str(found))
        return ""
    return str(found)


def _said(done: Switched, named: str, percent: int, differences: str, signed_by: str) -> Deployed:
    return Deployed(
        front_end=done.switch.front_end,
        version=named,
        outcome="live" if percent == 100 else "staged",
        percent=percent,
        workers=done.workers,
        took_ms=done.took_ms,
        behind=done.behind,
        differences=differences,
        signed_by=signed_by,
    )


def _waiting(made: Proposal, named: str, differences: str) -> Deployed:
    return Deployed(
        front_end=made.front_end,
        version=named,
        outcome="proposed",
        percent=made.percent,
        differences=differences,
        signed_by=made.author,
        proposal=made.number,
    )
