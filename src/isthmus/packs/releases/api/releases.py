"""Releases are published, given to more, watched, and taken back."""

from __future__ import annotations

from isthmus.kernel import Effect, Value, capability, event

from .errors import FileTooLarge, NoArtefact, NothingBefore, NotRolling, ShareOnlyGrows, UnknownRelease, VersionTaken
from .model import (
    AppRelease,
    CheckArtefact,
    CheckUpdate,
    Delta,
    FileNoted,
    GetKey,
    ListReleases,
    MakeDelta,
    Minimum,
    Numbered,
    PublicKey,
    PublishRelease,
    RaiseShare,
    Releases,
    Reported,
    ReportHealth,
    SetMinimum,
    Update,
    Watched,
    WatchHealth,
)


@event("releases.release-changed", version="1.0", subject="number")
class ReleaseChanged(Value):
    """A release was published, given to more, paused, resumed, rolled back, or stopped by itself (`stopped`)."""

    number: int
    what: str
    version: str
    share: int
    reason: str


@capability("releases.publish", version="1.0", effect=Effect.WRITE, raises=[NoArtefact, VersionTaken])
def publish(ask: PublishRelease) -> AppRelease:
    """Publish a version, signed, and give it to a share of devices. Without an artefact or address it is refused."""
    ...


@capability(
    "releases.raise-share", version="1.0", effect=Effect.WRITE, raises=[UnknownRelease, ShareOnlyGrows, NotRolling]
)
def raise_share(ask: RaiseShare) -> AppRelease:
    """Give a release to more devices; those that have it keep it."""
    ...


@capability("releases.pause", version="1.0", effect=Effect.WRITE, raises=[UnknownRelease, NotRolling])
def pause(ask: Numbered) -> AppRelease:
    """Give a release to no further device until it is resumed. Safe to repeat."""
    ...


@capability("releases.resume", version="1.0", effect=Effect.WRITE, raises=[UnknownRelease, NotRolling])
def resume(ask: Numbered) -> AppRelease:
    """Go on with a release that was paused, or that stopped by itself; it stops again where it fares no better."""
    ...


@capability(
    "releases.roll-back", version="1.0", effect=Effect.WRITE, raises=[UnknownRelease, NotRolling, NothingBefore]
)
def roll_back(ask: Numbered) -> AppRelease:
    """Give everybody the version before again, by a release of its own, which is returned."""
    ...


@capability("releases.set-minimum", version="1.0", effect=Effect.WRITE)
def set_minimum(ask: SetMinimum) -> Minimum:
    """Say which version is the least that works. Until the grace is over, older ones are only asked to update."""
    ...


@capability(
    "releases.make-delta", version="1.0", effect=Effect.WRITE, raises=[UnknownRelease, NoArtefact, FileTooLarge],
    deadline_ms=60_000,
)  # fmt: skip
def make_delta(ask: MakeDelta) -> Delta:
    """Make and sign a delta between two artefacts; it is applied once before it is kept. Safe to repeat."""
    ...


@capability("releases.check-update", version="1.0", effect=Effect.READ)
def check_update(ask: CheckUpdate) -> Update:
    """Say what a device should run: the newest release that it is given, and whether it has to.

    The same device is given the same, and raising a share only adds devices. What is paused is given to nobody new;
    who has it is current.
    """
    ...


@capability("releases.report-health", version="1.0", effect=Effect.WRITE)
def report_health(ask: ReportHealth) -> Reported:
    """Say how a session went: clients do when it ends, or when they start after a crash."""
    ...


@capability("releases.list-releases", version="1.0", effect=Effect.READ)
def list_releases(ask: ListReleases) -> Releases:
    """List releases with how each fares."""
    ...


@capability("releases.get-key", version="1.0", effect=Effect.READ)
def get_key(ask: GetKey) -> PublicKey:
    """Give the public key that an app is built with, to verify what it is given."""
    ...


@capability("releases.watch-health", version="1.0", effect=Effect.WRITE)
def watch_health(ask: WatchHealth) -> Watched:
    """Stop each release that rolls and breaks its limits, from its least number of sessions on. A job calls it."""
    ...


@capability("releases.check-file", version="1.0", effect=Effect.READ, raises=[FileTooLarge])
def check_file(ask: CheckArtefact) -> FileNoted:
    """Say whether a file may be kept here; `/releases/files` asks before it is."""
    ...


@capability("releases.note-file", version="1.0", effect=Effect.WRITE)
def note_file(ask: FileNoted) -> FileNoted:
    """Note that a front end has put a file; `/releases/files` does."""
    ...
