"""Releases of apps, as others may name them: published once, given to a growing share, stopped by how they fare.

    publish ──▶ rolling ──raise-share──▶ rolling … 100 %
                  │  ▲
             pause│  │resume              roll-back ──▶ a release of its own, of the version before, for everybody
                  ▼  │
                paused ◀── stopped by itself: too many crashes, errors, or too slow

An artefact is a file by the hash of its content. A release is signed (Ed25519) over what it is, and so is a delta over
base, result and itself: whoever verifies takes exactly these bytes or nothing.
"""

# pyright: reportUnusedImport=false

from .errors import (
    FileTooLarge,
    NoArtefact,
    NothingBefore,
    NotRolling,
    ShareOnlyGrows,
    UnknownRelease,
    VersionTaken,
    WrongDelta,
)
from .model import (
    ARTEFACT_BYTES_MAX,
    DELTA_BYTES_MAX,
    RELEASES_MAX,
    AppRelease,
    CheckArtefact,
    CheckUpdate,
    Delta,
    FileNoted,
    GetKey,
    Health,
    HealthLimits,
    ListReleases,
    MakeDelta,
    Minimum,
    Numbered,
    PublicKey,
    PublishRelease,
    RaiseShare,
    ReleaseLine,
    Releases,
    ReleaseState,
    Reported,
    ReportHealth,
    SetMinimum,
    Train,
    Update,
    UpdateState,
    Watched,
    WatchHealth,
)
from .releases import (
    ReleaseChanged,
    check_file,
    check_update,
    get_key,
    list_releases,
    make_delta,
    note_file,
    pause,
    publish,
    raise_share,
    report_health,
    resume,
    roll_back,
    set_minimum,
    watch_health,
)
from .signing import apply_delta, delta_bytes, release_bytes, signed_bytes
