"""What `isthmus lead-time` says: deploys as the database has them, and the commits behind them as git has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Final

from isthmus.kernel import Value, decode, encode
from isthmus.store import Database

from .commits import Checkout, Commit, NoCheckout
from .stages import STAGES, Change, Lead, Queue, Stage, hours_of, lead_of, queue_of

DAYS: Final = 28
ROWS_MAX: Final = 20_000

_KEEP: Final = "insert into governance.lead_time (at, report) values ($1, $2)"
_LAST: Final = "select report from governance.lead_time order by at desc limit 1"
_DECIDED: Final = """
    select front_end, kind, stable, staged, made_at from runtime.switch order by id limit $1"""
_FIRST_WRITES: Final = """
    select front_end, min(hour) as hour from console.traffic where capability = any($1::text[]) group by front_end"""


class Report(Value):
    """How long changes take. tax: what waiting cost, where somebody said what a day of a team costs.

    note: why git says nothing; then only roll-outs and roll-backs are known.
    """

    at: datetime
    days: int
    leads: tuple[Lead, ...]
    queue: Queue
    tax: str = ""
    note: str = ""


@dataclass(slots=True)
class Deployed:
    """A version that was put in place: when its roll-out began, when everybody had it, when it was taken back."""

    hash: str
    begun: datetime
    live: datetime | None = None
    failed: datetime | None = None


@dataclass(slots=True)
class _History:
    """What was decided of one front end, in order."""

    versions: list[Deployed] = field(default_factory=list[Deployed])
    staged: Deployed | None = None

    def see(self, kind: str, stable: str | None, staged: str | None, at: datetime) -> None:
        if kind.endswith("rollback"):
            gone = self.staged or next((one for one in reversed(self.versions) if not one.failed), None)
            if gone is not None:
                gone.failed = at
            self.staged = None
        elif staged is not None:
            if self.staged is None or self.staged.hash != staged:
                self.staged = Deployed(staged, at)
                self.versions.append(self.staged)
        elif stable is not None:
            if self.staged is not None and self.staged.hash == stable:
                self.staged.live, self.staged = at, None
            else:
                self.versions.append(Deployed(stable, at, at))


async def measure(
    database: Database,
    root: Path,
    front_ends: Mapping[str, Path],
    platform: Sequence[Path],
    writes: Sequence[str],
    now: datetime,
    *,
    days: int = DAYS,
    team_day: str = "",
) -> Report:
    """Return how long the changes of these front ends (folders by code) took that went live in the last days.

    writes: capabilities that change something. team_day: what a day of a team costs, such as `600 EUR`.
    """
    async with database.platform() as session:
        decided = await session.fetch(_DECIDED, ROWS_MAX)
        sold = {row["front_end"]: row["hour"] for row in await session.fetch(_FIRST_WRITES, list(writes))}
    histories: dict[str, _History] = {}
    for row in decided:
        history = histories.setdefault(row["front_end"], _History())
        history.see(row["kind"], row["stable"], row["staged"], row["made_at"])
    since, note, checkout = now - timedelta(days=days), "", None
    try:
        checkout = Checkout.read(root, platform)
    except NoCheckout as wrong:
        note = str(wrong)
    leads: list[Lead] = []
    folders = _folders(checkout, front_ends)
    for code in sorted({*front_ends, *histories}):
        versions = histories.get(code, _History()).versions
        commits = checkout.of_folder(folders[code]) if checkout and code in folders else []
        if versions:
            changes = [
                one for one in changes_of(code, versions, commits, checkout, folders.get(code)) if one.live_at > since
            ]
        else:
            changes = [one for one in _merged(code, commits, checkout) if one.live_at > since]
        recoveries = [one.failed - one.begun for one in versions if one.failed and one.failed > since]
        begun = commits[0].written if commits and commits[0].written > since else None
        leads.append(lead_of(code, changes, recoveries, begun, sold.get(code) if begun else None))
    queue = _queue(checkout, list(folders.values()), since, timedelta(days=days))
    return Report(at=now, days=days, leads=tuple(leads), queue=queue, tax=_tax(leads, team_day), note=note)


def changes_of(
    code: str,
    versions: Sequence[Deployed],
    commits: Sequence[Commit],
    checkout: Checkout | None,
    folder: PurePosixPath | None,
) -> Iterator[Change]:
    """Yield each version that was put in place, with its stages as far as a commit holds exactly that version."""
    before = -1
    for one in versions:
        live = one.live or one.failed or one.begun
        at = _held(one, commits, checkout, folder)
        if at is None or checkout is None:
            hours: dict[Stage, float] = {"roll-out": (live - one.begun) / timedelta(hours=1)}
            yield Change(front_end=code, live_at=live, hours=hours, is_failed=bool(one.failed))
            continue
        own = commits[before + 1 : at + 1] or [commits[at]]
        yield _change(code, own, checkout, one.begun, live, is_failed=bool(one.failed))
        before = max(before, at)


def _held(
    one: Deployed, commits: Sequence[Commit], checkout: Checkout | None, folder: PurePosixPath | None
) -> int | None:
    """Return the place of the last commit before a deploy that holds exactly that version."""
    if checkout is None or folder is None:
        return None
    found = (at for at in range(len(commits) - 1, -1, -1) if commits[at].written <= one.begun)
    return next((at for at in found if checkout.version(commits[at].id, folder) == one.hash), None)


def _merged(code: str, commits: Sequence[Commit], checkout: Checkout | None) -> Iterator[Change]:
    """Yield what was merged of a front end that runs from its folder: nobody deploys it, so it is live when merged."""
    if checkout is None:
        return
    landings: dict[str, list[Commit]] = {}
    for one in commits:
        landings.setdefault(one.landing, []).append(one)
    for own in landings.values():
        merged = max(one.merged for one in own)
        yield _change(code, own, checkout, merged, merged, is_failed=False)


def _change(
    code: str, own: Sequence[Commit], checkout: Checkout, deployed: datetime, live: datetime, *, is_failed: bool
) -> Change:
    wait_of = checkout.with_platform(own)
    first, last = min(one.written for one in own), max(one.written for one in own)
    merged = max(one.merged for one in own)
    hours = hours_of(first, last, merged, deployed, live, is_queued=bool(wait_of))
    return Change(front_end=code, live_at=live, hours=hours, begun=first, wait_of=wait_of, is_failed=is_failed)


def _folders(checkout: Checkout | None, front_ends: Mapping[str, Path]) -> dict[str, PurePosixPath]:
    if checkout is None:
        return {}
    named = {code: checkout.within(folder) for code, folder in front_ends.items()}
    return {code: folder for code, folder in named.items() if folder is not None}


def _queue(checkout: Checkout | None, folders: Sequence[PurePosixPath], since: datetime, window: timedelta) -> Queue:
    if checkout is None:
        return Queue(waiting=(), served=0, expected_days=None)
    lately = [one for one in list(checkout.commits.values())[1:] if one.merged > since]
    ours = {one.landing for one in lately if any(file.is_relative_to(at) for file in one.files for at in folders)}
    theirs = {one.landing for one in lately if checkout.is_platform(one.files)}
    return queue_of(checkout.waiting(folders), len(ours & theirs), window)


def _tax(leads: Sequence[Lead], team_day: str) -> str:
    """Return what waiting for the platform cost, which is the platform's to pay."""
    if not team_day:
        return ""
    amount, currency = team_day.split()
    return f"{sum(one.wait_days for one in leads) * float(amount):.2f} {currency}"


async def keep(database: Database, report: Report) -> None:
    """Keep a report, for the page."""
    async with database.platform() as session:
        await session.execute(_KEEP, report.at, encode(report).decode())


async def last(database: Database) -> Report | None:
    """Return the report that was kept last, or None."""
    async with database.platform() as session:
        kept = await session.fetch_value(_LAST)
    return None if kept is None else decode(kept.encode(), Report)


def text(report: Report) -> Iterator[str]:
    """Return a report in lines."""
    yield f"changes of front ends that went live in the last {report.days} days"
    for one in report.leads:
        yield from _lead_text(one)
    days = sum(one.wait_days for one in report.leads)
    yield f"queue tax: {days:g} days waited for the platform" + (f", {report.tax}" if report.tax else "")
    queue = report.queue
    expected = "nobody can say" if queue.expected_days is None else f"about {queue.expected_days:g} days"
    yield f"a request to the platform waits {expected}: {len(queue.waiting)} wait, {queue.served} were served"
    yield from (f"  {branch}" for branch in queue.waiting)
    yield "without waiting: isthmus seam FRONT_END makes the question, and proves that nobody's result changes"
    if report.note:
        yield report.note


def _lead_text(one: Lead) -> Iterator[str]:
    if not one.changes:
        yield f"{one.front_end}: none"
        return
    hours = f", {_days(one.total.p50)} from first commit to live (p85 {_days(one.total.p85)})" if one.total else ""
    unknown = f", {one.changes - one.known} of no commit" if one.known < one.changes else ""
    yield f"{one.front_end}: {one.changes} changes{unknown}{hours}; {one.failed} rolled back"
    for stage in STAGES:
        if found := one.stages.get(stage):
            name = "waiting for the platform" if stage == "platform" else stage
            yield f"  {name}: p50 {_days(found.p50)}, p85 {_days(found.p85)}, p95 {_days(found.p95)}"
    if one.autonomy:
        late = ": it queues" if one.is_queueing else ""
        own = one.autonomy
        yield f"  autonomy {own.both:.2f} (changes {own.changes:.2f}, time {own.time:.2f}){late}"
    if one.recovery_hours is not None:
        yield f"  taken back after {_days(one.recovery_hours)}"
    if one.begun and one.first_write:
        took = _days((one.first_write - one.begun) / timedelta(hours=1))
        yield f"  new: {took} from its first commit to the first call that changed something"


def _days(hours: float) -> str:
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} days"
