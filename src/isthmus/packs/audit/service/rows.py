"""Which commands have the rows that they change noted, and what of those rows is hidden.

A command of a shop's own key on the way to an order is not watched: its events say what changed, and an order would
wait for one more statement. Neither are jobs and what follows an event: nobody's hand is in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from isthmus.kernel import FrontEnd, Pack, encode
from isthmus.kernel.host import Call, Release
from isthmus.manifest import Personal, Step, brought
from isthmus.personal import personal_marks

WAY_TO_AN_ORDER: Final = ("basket", "pay")
BY_ITSELF: Final = ("job", "event")
SECRET: Final = "secret"
ATTRIBUTES: Final = "attributes"  # what columns are called that have a front end's own

Masks = dict[str, dict[str, str]]


class Rows:
    """What a release says of its rows."""

    def __init__(self, release: Release) -> None:
        self.release = release
        steps = brought(release.packs.values(), Step)
        self._often = {one.name for step in steps if step.name in WAY_TO_AN_ORDER for one in step.calls}
        self._masks = masks_of(release.packs)
        self._written: dict[str, str] = {}

    def is_watched(self, call: Call) -> bool:
        if call.offered.implementation.together is not None:
            return False  # what others changed in the same transaction would be its own
        caller, name = call.caller, call.offered.capability.name
        return bool(caller.person) or (caller.via not in BY_ITSELF and name not in self._often)

    def masks(self, front_end: FrontEnd) -> str:
        """Return as JSON which columns are hidden in a front end's entries, by table."""
        if front_end.code not in self._written:
            own = any(personal_marks(one) for one in front_end.attributes.values())
            masks = {**self._masks, "*": {ATTRIBUTES: ATTRIBUTES}} if own else self._masks
            self._written[front_end.code] = encode(masks).decode()
        return self._written[front_end.code]


def masks_of(packs: Mapping[str, Pack]) -> Masks:
    """Return the columns that packs say are personal or given to nobody, with their kinds."""
    found: Masks = {}
    for kept in (kept for one in brought(packs.values(), Personal) for kept in one.keeps):
        columns = found.setdefault(kept.table.replace('"', ""), {})
        columns |= {**kept.columns, **dict.fromkeys(kept.hidden, SECRET)}
    for entity in (entity for pack in packs.values() for entity in pack.entities):
        if (marking := getattr(entity, "__isthmus_entity__", None)) is not None:
            marks = {path.removeprefix("$."): mark.kind for path, mark in personal_marks(entity) if mark is not None}
            found.setdefault(marking.table.replace('"', ""), {}).update(marks)
    return {table: columns for table, columns in found.items() if columns}
