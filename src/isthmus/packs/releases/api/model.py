"""What releases are, and what is asked and said of them."""

from __future__ import annotations

import enum
from typing import Annotated, Final

from isthmus.kernel import Meta, Value
from isthmus.markings import Pii
from isthmus.values import Code, Moment, PageSize

ARTEFACT_BYTES_MAX: Final = 32 << 20  # larger ones are in a store, and a release has their address
DELTA_BYTES_MAX: Final = 8 << 20  # of base and result: bsdiff needs seventeen times as much memory
RELEASES_MAX: Final = 200  # looked at for an update: those of one app, platform and channel

Version = Annotated[str, Meta(pattern=r"^(0|[1-9]\d{0,5})(\.(0|[1-9]\d{0,5})){2}(-[0-9A-Za-z.-]{1,40})?\Z")]
Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z", description="SHA-256 of the content")]
Url = Annotated[str, Meta(pattern=r"^https://[^\s#]+\Z", max_length=2_000)]
Share = Annotated[int, Meta(ge=0, le=100, description="percent of devices")]
Number = Annotated[int, Meta(ge=1, le=2**62)]
Device = Annotated[str, Pii("identifier"), Meta(min_length=1, max_length=200)]
Rate = Annotated[float, Meta(ge=0, le=1)]


class ReleaseState(enum.StrEnum):
    ROLLING = "rolling"
    PAUSED = "paused"
    STOPPED = "stopped"
    ROLLED_BACK = "rolled-back"


class Train(Value):
    """Which releases follow each other: of an app, on a platform, in a channel."""

    app: Code
    platform: Code
    channel: Code = "stable"


class HealthLimits(Value):
    """What a release may do before it is stopped, from so many sessions on. Rates are of sessions, and of requests."""

    crash_rate: Rate = 0.02
    error_rate: Rate = 0.05
    latency_ms: Annotated[int, Meta(ge=1, le=600_000)] | None = None
    sessions_min: Annotated[int, Meta(ge=1, le=10**6)] = 50


class PublishRelease(Value):
    """Publish a version. sha256: of an artefact that lies here (`/releases/files`); or url: where a store has it.

    share: of devices that are given it at first. segments: only to members in one of these. is_package: an offline
    package, which an app loads by itself.
    """

    train: Train
    version: Version
    sha256: Digest | None = None
    url: Url | None = None
    share: Share = 0
    segments: Annotated[tuple[Code, ...], Meta(max_length=10)] = ()
    is_package: bool = False
    limits: HealthLimits = HealthLimits()
    notes: Annotated[str, Meta(max_length=4_000)] = ""


class AppRelease(Value):
    """A release. size: of its artefact, in bytes. signature: of `signed_bytes`, in hex. rolls_back: which one."""

    number: int
    train: Train
    version: str
    sha256: str | None
    size: int
    url: str | None
    signature: str
    share: int
    segments: tuple[str, ...]
    is_package: bool
    limits: HealthLimits
    notes: str
    state: ReleaseState
    reason: str
    rolls_back: int | None
    published_at: Moment
    author: str


class Numbered(Value):
    """Name a release. reason: why, for those who read it later."""

    number: Number
    reason: Annotated[str, Meta(max_length=500)] = ""


class RaiseShare(Value):
    """Give a release to more devices."""

    number: Number
    share: Share


class SetMinimum(Value):
    """Say the least version that still works, and from when on an older one has to be left. None: any works."""

    train: Train
    version: Version | None
    grace_until: Moment | None = None


class Minimum(Value):
    """The least version, and until when older ones are let go on."""

    train: Train
    version: str | None
    grace_until: Moment | None


class MakeDelta(Value):
    """Make what leads from one release's artefact to another's."""

    base: Number
    number: Number


class Delta(Value):
    """What leads from one content to another: a file that bsdiff wrote. signature: over all three hashes, in hex."""

    base_sha256: str
    sha256: str
    delta_sha256: str
    size: int
    signature: str


class CheckUpdate(Value):
    """Ask what a device should run. sha256: of the artefact that it has, for a delta. member_id: who uses it."""

    train: Train
    version: Version
    device: Device
    member_id: Annotated[str, Pii("identifier"), Meta(max_length=64)] = ""
    sha256: Digest | None = None


class UpdateState(enum.StrEnum):
    CURRENT = "current"
    AVAILABLE = "available"
    REQUIRED = "required"


class Update(Value):
    """What a device should do. required_from: when the version that it has stops working. path: of the artefact.

    delta: what leads there from the artefact that it has, where that is smaller.
    """

    state: UpdateState
    release: AppRelease | None
    path: str
    delta: Delta | None
    minimum: str | None
    required_from: Moment | None


class ReportHealth(Value):
    """What a client says of one of its sessions; said again, it counts once, with what it said last."""

    train: Train
    version: Version
    session: Annotated[str, Meta(min_length=1, max_length=100)]
    has_crashed: bool = False
    requests: Annotated[int, Meta(ge=0, le=100_000)] = 0
    errors: Annotated[int, Meta(ge=0, le=100_000)] = 0
    latency_ms: Annotated[int, Meta(ge=0, le=10**9)] = 0  # of all requests together


class Reported(Value):
    """The release that it counts for; nothing where none of that version is known."""

    number: int | None


class Health(Value):
    """How a release fares, by what its clients have said."""

    number: int
    sessions: int
    crashed: int
    requests: int
    errors: int
    latency_ms: float
    crash_rate: float
    error_rate: float


class ListReleases(Value):
    """List releases, the newest first."""

    app: Code | None = None
    limit: PageSize = 50
    before: Number | None = None


class ReleaseLine(Value):
    """A release and how it fares."""

    release: AppRelease
    health: Health


class Releases(Value):
    """Releases; `next_before` goes on with those before."""

    items: tuple[ReleaseLine, ...]
    next_before: int | None = None


class GetKey(Value):
    """Ask for the key that releases are verified with."""


class PublicKey(Value):
    """An Ed25519 public key: 32 bytes, in hex."""

    key: str


class WatchHealth(Value):
    """Stop what fares badly."""


class Watched(Value):
    """The releases that were stopped."""

    numbers: tuple[int, ...]


class CheckArtefact(Value):
    """Ask whether a file may be kept here."""

    file: str
    size: int


class FileNoted(Value):
    """A file that is kept here."""

    file: str
    size: int
