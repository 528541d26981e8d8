"""Whom a platform knows as a person, as the pack that has them says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from isthmus.kernel import Capability, Value, ports
from isthmus.sealing import Seals

OpenRecords = Callable[[Sequence[ports.Row], ports.Session, Seals], Awaitable[Sequence[Mapping[str, Any]]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Persons:
    """Whom the platform knows as a person: what One ID compares, who is erased in the lake, how segments come back.

    records: SQL with the fields of `isthmus.data.persons.matching.Record`; opened: puts into some of its rows what is
    kept encrypted of them, in memory, where `records` cannot say it. resolved: where persons land in the lake.
    entity: the lake's entity that goes when the event `erased` says so; `member_id` is its field and the event's, whose
    `merged_ids`, if it has them, are erased too.
    set_segments: the subscriber of a member's segments; `ask` makes its ask of the member, the segments, and the
    prefix of those that are replaced. segments, known_segments: SQL that gives the segments of a member, from front
    end and id, and all that any member of a front end has. consenting: SQL of which members, of a front end, some ids
    and a purpose, have consented to it. in_segment: the next members of a segment after an id, at most so many.
    person: members of some ids, each with whom it is in the whole group.
    """

    records: str
    resolved: str
    entity: str
    erased: type[Value]
    set_segments: Capability[Any, Any]
    ask: Callable[[UUID, tuple[str, ...], str], Value]
    opened: OpenRecords | None = None
    segments: str = ""
    known_segments: str = ""
    consenting: str = ""
    in_segment: str = ""
    person: str = ""
