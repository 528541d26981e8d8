"""Cursors: where a list went on, as text that only the list itself understands."""

from __future__ import annotations

from typing import TypeVar

from isthmus.kernel import decode, encode, errors

from . import api

P = TypeVar("P")


def written(position: object) -> str:
    return encode(position).hex()


def read(cursor: str | None, type_: type[P], *, first: P) -> P:
    """Return the position that a cursor stands for, or the first where there is none. Raises BadCursor."""
    if cursor is None:
        return first
    try:
        text = bytes.fromhex(cursor)
        if b"\\u0000" in text:  # no text in the database has it
            raise api.BadCursor
        return decode(text, type_)
    except (ValueError, errors.BadAsk):
        raise api.BadCursor from None
