"""Segments: who has a metric within bounds, computed in the lake, brought back to where the business decides by them.

    metric by member → within bounds → joined and left since the last run → delivered → kept

The data platform knows no pack: `deliver` is the composition root's, which calls the capability that members offer.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from isthmus.kernel import Value, encode, errors
from isthmus.markings import Segment

from ..model.ask import ROWS_MAX, Ask
from ..privacy.policy import Policy
from .metrics import Metrics

PREFIX: Final = "data:"  # segments that the lake gives; those that people give have no prefix, and are left alone

Consenting = Callable[[str, Sequence[str], str], Awaitable[set[str]]]  # of a front end's members, for a purpose
Deliver = Callable[[str, str, tuple[str, ...]], Awaitable[None]]


async def nobody(front_end: str, members: Sequence[str], purpose: str) -> set[str]:
    """Return who has consented where nobody can say: nobody."""
    return set()


class InSegment(Value):
    """One member in one segment, until a time, by the snapshot that says so."""

    front_end: str
    member: str
    segment: str
    version: int
    until: datetime
    snapshot: str


class Refreshed(Value):
    """What one run changed: members whose segments were delivered, how many came and went, and what failed."""

    delivered: int
    joined: int
    left: int
    failures: tuple[str, ...]


class Segments:
    """Segments of a company, with who was in them at the last run, kept in a folder."""

    def __init__(self, folder: Path, segments: Sequence[Segment]) -> None:
        self._folder = folder
        self._segments = tuple(segments)

    def members(self) -> list[InSegment]:
        """Return who is in what, as the last run left it."""
        place = self._folder / "segments.json"
        return msgspec.json.decode(place.read_bytes(), type=list[InSegment]) if place.is_file() else []

    async def refresh(
        self, metrics: Metrics, policy: Policy, now: datetime, deliver: Deliver, consenting: Consenting = nobody
    ) -> Refreshed:
        """Compute all segments, deliver the full list of each member whose list changed, and keep who is in.

        One segment that fails does not hold up the others; it is named in `failures`.
        `deliver` may be called again for the same member after a failure: the list is whole, so that is no harm.
        """
        known = {_place(one): one for one in self.members()}
        after: dict[tuple[str, str, str], InSegment] = {}
        failures: list[str] = []
        for segment in self._segments:
            try:
                found = await asyncio.to_thread(_members, segment, metrics, policy, now)
            except errors.IsthmusError as failed:
                failures.append(f"{segment.code}: {failed}")
                found = [one for one in known.values() if one.segment == segment.code and one.until > now]
            if segment.purpose:
                found = await _consenting(found, segment.purpose, consenting)
            after |= {_place(one): one for one in found}
        changed = sorted({place[:2] for place in known.keys() ^ after.keys()})
        for front_end, member in changed:
            codes = sorted(PREFIX + place[2] for place in after if place[:2] == (front_end, member))
            await deliver(front_end, member, tuple(codes))
        self._keep(list(after.values()))
        return Refreshed(
            delivered=len(changed),
            joined=len(after.keys() - known.keys()),
            left=len(known.keys() - after.keys()),
            failures=tuple(failures),
        )

    def _keep(self, members: Sequence[InSegment]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = self._folder / f"{uuid.uuid4().hex}.draft"
        draft.write_bytes(encode(sorted(members, key=lambda one: (one.front_end, one.member, one.segment))))
        draft.replace(self._folder / "segments.json")


def _members(segment: Segment, metrics: Metrics, policy: Policy, now: datetime) -> list[InSegment]:
    ask = Ask(metrics=(segment.metric,), by=(segment.front_end, segment.member), where=segment.where, as_of=now)
    answer = metrics.ask(ask, policy)
    if answer.receipt.is_cut:
        raise errors.TooMany(
            f"segment {segment.code!r} looks at more than {ROWS_MAX} members",
            remedy="narrow it by front end with `where`, in several segments of the same code",
        )
    return [
        InSegment(
            front_end=str(row[segment.front_end]),
            member=str(row[segment.member]),
            segment=segment.code,
            version=segment.version,
            until=now + timedelta(days=segment.days),
            snapshot=answer.receipt.snapshot,
        )
        for row in answer.rows
        if row[segment.member] is not None and _is_within(segment, row[segment.metric])
    ]


async def _consenting(found: Sequence[InSegment], purpose: str, consenting: Consenting) -> list[InSegment]:
    """Return those who have consented to a purpose at their own front end."""
    kept: list[InSegment] = []
    for front_end in sorted({one.front_end for one in found}):
        own = [one for one in found if one.front_end == front_end]
        agreed = await consenting(front_end, [one.member for one in own], purpose)
        kept += [one for one in own if one.member in agreed]
    return kept


def _is_within(segment: Segment, value: float | None) -> bool:
    if value is None:
        return False
    return (segment.least is None or value >= segment.least) and (segment.greatest is None or value <= segment.greatest)


def _place(one: InSegment) -> tuple[str, str, str]:
    return one.front_end, one.member, one.segment
