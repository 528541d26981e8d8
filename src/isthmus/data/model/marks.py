"""Markings of an annotation: what is said of a field, and what is wrong with it."""

from __future__ import annotations

import types
from collections.abc import Iterable, Sequence
from typing import Any, Union, get_args, get_origin

import msgspec

from isthmus.markings import Dimension, Key, Measure, Pii, Ref, Time


def marks_of(hint: Any) -> Iterable[object]:
    """Yield the markings of an annotation, also those inside `X | None`."""
    yield from getattr(hint, "__metadata__", ())
    for part in get_args(hint):
        if hasattr(part, "__metadata__") or is_union(part):
            yield from marks_of(part)


def wrong_marks(hint: Any) -> Iterable[str]:
    """Yield what is wrong with the markings of a field: a part that cannot be, or two of a kind, of which one would
    win in silence."""
    said: dict[type, object] = {}
    for mark in marks_of(hint):
        if not isinstance(mark, Key | Ref | Dimension | Measure | Pii | Time):
            continue
        if wrong := malformed(mark):
            yield f"is marked {mark!r}: {wrong}"
        if said.setdefault(type(mark), mark) != mark:
            yield f"is marked {said[type(mark)]!r} and {mark!r}; leave one of them, or make it two fields"


def malformed(marking: msgspec.Struct) -> str:
    """Return what a part of a metric or marking cannot be: its class does not look when it is made."""
    try:
        msgspec.convert(msgspec.to_builtins(marking), type(marking))
    except msgspec.ValidationError as wrong:
        return str(wrong)
    return ""


def limits(metas: Sequence[msgspec.Meta]) -> dict[str, Any]:
    """Return what constraints say; of several, the outermost that says it."""
    asked = {"least": "ge", "greatest": "le", "pattern": "pattern", "doc": "description"}
    said = {ours: [getattr(meta, theirs) for meta in metas] for ours, theirs in asked.items()}
    firsts = {ours: next((one for one in values if one is not None), None) for ours, values in said.items()}
    return {ours: first for ours, first in firsts.items() if first is not None}


def bare(hint: Any) -> Any:
    return get_args(hint)[0] if hasattr(hint, "__metadata__") else hint


def is_union(hint: Any) -> bool:
    return get_origin(hint) in (Union, types.UnionType)
