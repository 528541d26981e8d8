"""Personal data, as others may see it: which is kept or passed on, what for, how long, and who reads it."""

from __future__ import annotations

from typing import Literal

from isthmus.kernel import Value

Place = Literal["table", "front-end table", "attribute", "event", "lake", "call"]


class Entry(Value):
    """Personal data in one place: a column, a field of an event or of the lake, or one that a call takes or gives.

    owner: the pack or front end that answers for it. readers: capabilities, or actions, by which somebody is given it.
    """

    place: Place
    owner: str
    where: str
    kind: str
    why: str
    until: str
    readers: tuple[str, ...] = ()


class Register(Value):
    """All entries, and for each reader which roles may call it at which front end (`client`: its keys)."""

    entries: tuple[Entry, ...]
    callers: dict[str, dict[str, tuple[str, ...]]]
