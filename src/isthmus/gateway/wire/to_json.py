"""Any Python value as JSON: for facts of errors and for traces, whose values no contract describes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final, cast

import msgspec

TEXT_MAX: Final = 200  # of a value that has no other form: a trace is for reading
DEPTH_MAX: Final = 20


def plain(value: object, depth: int = 0) -> Any:
    """Return what JSON can say of a value: its fields where it has some, else its text, cut to TEXT_MAX."""
    if depth > DEPTH_MAX:
        return "…"
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, Mapping):
        held = cast("Mapping[object, object]", value)
        return {_key(key): plain(item, depth + 1) for key, item in held.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item, depth + 1) for item in cast("Collection[object]", value)]
    if fields := getattr(value, "__struct_fields__", None) or getattr(value, "__dataclass_fields__", None):
        return {name: plain(getattr(value, name, None), depth + 1) for name in fields}
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {value}"[:TEXT_MAX]
    return _builtin(value)


def _builtin(value: object) -> Any:
    try:
        return msgspec.to_builtins(value)  # times, numbers, UUIDs, enums, bytes
    except TypeError:
        return repr(value)[:TEXT_MAX]


def _key(key: object) -> str:
    found = _builtin(key)
    return found if isinstance(found, str) else repr(found)
