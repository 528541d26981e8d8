"""What the data platform may read of releases: sessions that clients told of, by release. No device, no person."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from isthmus.kernel import Value
from isthmus.markings import Count, Dimension, Key, Measure, Ratio, Ref, Time, Where, entity


@entity("releases.release", table="releases.release")
class Published(Value):
    """A version of an app that was published."""

    front_end: Annotated[str, Key(), Dimension()]
    number: Annotated[int, Key()]
    app: Annotated[str, Dimension()]
    platform: Annotated[str, Dimension()]
    channel: Annotated[str, Dimension()]
    version: Annotated[str, Dimension()]
    state: Annotated[str, Dimension()]
    published_at: Annotated[datetime, Time()]


@entity("releases.session", table="releases.session")
class Session(Value):
    """A session of a client, as it told of it."""

    front_end: Annotated[str, Key(), Dimension()]
    number: Annotated[int, Key(), Ref("releases.release")]
    session: Annotated[str, Key()]
    has_crashed: Annotated[bool, Dimension()]
    requests: Annotated[int, Measure(unit="request")]
    errors: Annotated[int, Measure(unit="request")]
    reported_at: Annotated[datetime, Time()]


ENTITIES = (Published, Session)

METRICS = (
    Count(name="releases.sessions", of="releases.session", doc="Sessions that clients told of.", unit="session"),
    Count(
        name="releases.crashes", of="releases.session", where=Where("releases.session.has_crashed", "=", True),
        doc="Sessions that ended in a crash.", unit="session",
    ),
    Ratio(
        name="releases.crash-rate", numerator="releases.crashes", denominator="releases.sessions",
        doc="Share of sessions that ended in a crash.",
    ),
)  # fmt: skip
