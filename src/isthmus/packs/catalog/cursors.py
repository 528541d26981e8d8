"""Cursors: where a list went on, as text that only the list itself understands."""

from __future__ import annotations

from typing import TypeVar

from isthmus.values import cursor_at, place_at

from . import api

P = TypeVar("P")


def written(position: object) -> str:
    return cursor_at(position)


def read(cursor: str | None, type_: type[P], *, first: P) -> P:
    """Return the position that a cursor stands for, or the first where there is none. Raises BadCursor."""
    return first if cursor is None else place_at(cursor, type_, api.BadCursor)
