"""Operators of rules: what JSON logic and flagd say of values, each a plain function."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, cast

from isthmus.later import later

if TYPE_CHECKING:
    import semver
else:
    semver = later("semver")

VERSIONS_REMEMBERED: Final = 4_096


class NoAnswer(Exception):
    """An operator cannot be applied to what it was given."""


def is_true(value: Any) -> bool:
    return bool(value) or isinstance(value, dict)


def _equal(one: Any, two: Any) -> bool:
    """Compare as JSON logic does: text that is a number equals it."""
    if type(one) is type(two):
        return one == two
    if one is None or two is None or isinstance(one, list | dict) or isinstance(two, list | dict):
        return False
    a, b = _number_of(one), _number_of(two)
    return a is not None and a == b


def _same(one: Any, two: Any) -> bool:
    is_number = isinstance(one, int | float) and isinstance(two, int | float)
    if isinstance(one, bool) is not isinstance(two, bool):
        return False
    return one == two if is_number or type(one) is type(two) else False


def _differ(one: Any, two: Any) -> bool:
    return not _equal(one, two)


def _are_apart(one: Any, two: Any) -> bool:
    return not _same(one, two)


def _untrue(value: Any) -> bool:
    return not is_true(value)


def _number_of(value: Any) -> float | None:
    if isinstance(value, bool | int | float):
        return float(value)
    if isinstance(value, str):
        try:
            return float(value) if value.strip() else 0.0
        except ValueError:
            return None
    return None


def _number(value: Any) -> float:
    if (found := _number_of(value)) is None or not math.isfinite(found):
        raise NoAnswer
    return int(found) if found.is_integer() else found


def _compare(holds: Callable[[Any, Any], bool]) -> Callable[..., bool]:
    def two(one: Any, other: Any) -> bool:
        if isinstance(one, str) and isinstance(other, str):
            return holds(one, other)
        a, b = _number_of(one), _number_of(other)
        return a is not None and b is not None and holds(a, b)

    def compare(*args: Any) -> bool:
        return all(two(one, other) for one, other in pairwise(args))

    return compare


def is_in(one: Any, where: Any) -> bool:
    """Return whether something is an element of a list, or a part of a text."""
    if isinstance(where, str):
        return isinstance(one, str) and one in where
    return (
        any(_same(one, other) for other in cast("Sequence[Any]", where)) if isinstance(where, list | tuple) else False
    )


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)


def _cut(text: Any, start: Any, length: Any = None) -> str:
    if not isinstance(text, str) or not isinstance(start, int) or not isinstance(length, int | None):
        raise NoAnswer
    tail = text[start:]
    return tail if length is None else tail[:length]


def _divide(one: Any, two: Any) -> float:
    if not (by := _number(two)):
        raise NoAnswer
    return _number(_number(one) / by)


def _remainder(one: Any, two: Any) -> float:
    if not (by := _number(two)):
        raise NoAnswer
    return _number(math.fmod(_number(one), by))


def _minus(one: Any, two: Any = None) -> float:
    return -_number(one) if two is None else _number(one) - _number(two)


def _starts(text: Any, part: Any) -> bool:
    if not isinstance(text, str) or not isinstance(part, str):
        raise NoAnswer
    return text.startswith(part)


def _ends(text: Any, part: Any) -> bool:
    if not isinstance(text, str) or not isinstance(part, str):
        raise NoAnswer
    return text.endswith(part)


def version_of(text: str) -> semver.Version | None:
    """Return a version; `v1.2` is 1.2.0, as flagd reads it. None where it is none."""
    text = text[1:] if text[:1] in ("v", "V") else text
    parts = text.split(".")
    if len(parts) < 3 and all(one.isdigit() for one in parts):
        text = ".".join([*parts, "0", "0"][:3])
    try:
        return semver.Version.parse(text)
    except ValueError:
        return None


def _sem_ver(one: Any, operator: Any, two: Any) -> bool:
    if not isinstance(one, str):
        if not isinstance(one, int | float):
            raise NoAnswer
        one = _text(one)
    return _versions_hold(one, str(operator), _text(two))


@lru_cache(maxsize=VERSIONS_REMEMBERED)
def _versions_hold(one: str, operator: str, two: str) -> bool:
    a, b = version_of(one), version_of(two)
    if a is None or b is None:
        raise NoAnswer
    if operator == "^":
        return a.major == b.major
    if operator == "~":
        return a.major == b.major and a.minor == b.minor
    if (holds := _VERSIONS.get(operator)) is None:
        raise NoAnswer
    return holds(a.compare(b))


_VERSIONS: Final[Mapping[str, Callable[[int], bool]]] = {
    "=": lambda found: found == 0,
    "!=": lambda found: found != 0,
    "<": lambda found: found < 0,
    "<=": lambda found: found <= 0,
    ">": lambda found: found > 0,
    ">=": lambda found: found >= 0,
}
FLAGDS: Final = ("starts_with", "ends_with", "sem_ver")
_MANY: Final = 100
PLAIN: Final[Mapping[str, tuple[Callable[..., Any], int, int]]] = {
    "==": (_equal, 2, 2),
    "!=": (_differ, 2, 2),
    "===": (_same, 2, 2),
    "!==": (_are_apart, 2, 2),
    "<": (_compare(lambda one, two: one < two), 2, 3),
    "<=": (_compare(lambda one, two: one <= two), 2, 3),
    ">": (_compare(lambda one, two: one > two), 2, 2),
    ">=": (_compare(lambda one, two: one >= two), 2, 2),
    "!": (_untrue, 1, 1),
    "!!": (is_true, 1, 1),
    "cat": (lambda *args: "".join(map(_text, args)), 1, _MANY),
    "substr": (_cut, 2, 3),
    "+": (lambda *args: sum(map(_number, args)), 1, _MANY),
    "*": (lambda *args: math.prod(map(_number, args)), 1, _MANY),
    "-": (_minus, 1, 2),
    "/": (_divide, 2, 2),
    "%": (_remainder, 2, 2),
    "min": (lambda *args: min(map(_number, args)), 1, _MANY),
    "max": (lambda *args: max(map(_number, args)), 1, _MANY),
    "starts_with": (_starts, 2, 2),
    "ends_with": (_ends, 2, 2),
    "sem_ver": (_sem_ver, 3, 3),
}
