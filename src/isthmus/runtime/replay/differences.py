"""Differences between two values, in words; and how sure a rate is."""

from __future__ import annotations

import math
from typing import Any, Final, cast

import msgspec

from isthmus.kernel import Pass, Value

SHOWN_MAX: Final = 8  # differences of one example; the rest is counted
TEXT_MAX: Final = 120  # characters of one value
ABSENT: Final = "(nothing)"
Z_95: Final = 1.959964  # of the normal distribution: 95 of 100 such intervals hold the true rate

_encoder = msgspec.json.Encoder(enc_hook=lambda value: "PASS" if isinstance(value, Pass) else repr(value))


class Difference(Value):
    """One place where two values differ, as JSON."""

    path: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.path}: {self.old} → {self.new}"


class Rate(Value):
    """A share of recorded calls, and between which bounds the share of all calls lies, with 95 % confidence."""

    of: int
    count: int
    low: float
    high: float

    @property
    def share(self) -> float:
        return self.count / self.of if self.of else 0.0

    def __str__(self) -> str:
        return f"{self.share:.1%} ({self.low:.1%} to {self.high:.1%})"


def rate(count: int, of: int) -> Rate:
    """Return a rate with its Wilson score interval (Wilson 1927), which holds also for few calls and for none."""
    if of == 0:
        return Rate(of=0, count=0, low=0.0, high=1.0)
    share, z2 = count / of, Z_95 * Z_95
    middle = share + z2 / (2 * of)
    spread = Z_95 * math.sqrt(share * (1 - share) / of + z2 / (4 * of * of))
    low, high = (middle - spread) / (1 + z2 / of), (middle + spread) / (1 + z2 / of)
    return Rate(of=of, count=count, low=max(0.0, low) if count else 0.0, high=min(1.0, high) if count < of else 1.0)


def is_equal(old: Any, new: Any) -> bool:
    """Tell whether two answers say the same; classes of two versions of a front end may differ in name only."""
    if old is new or (type(old) is type(new) and old == new):
        return True
    return plain(old) == plain(new)


def plain(value: Any) -> Any:
    """Return a value as JSON knows it; sets in an order of their own."""
    if isinstance(value, (set, frozenset)):
        items = cast("set[Any] | frozenset[Any]", value)
        return sorted((plain(item) for item in items), key=repr)
    if isinstance(value, str):
        return str(value)
    return msgspec.json.decode(_encoder.encode(value))


def differences(old: Any, new: Any, path: str = "$") -> list[Difference]:
    """Return where two JSON values differ, deepest place first named, in the order of the old one."""
    is_alike = type(old) is type(new)  # 1 is no True
    if isinstance(old, dict) and isinstance(new, dict):
        was, now = cast("dict[str, Any]", old), cast("dict[str, Any]", new)
        names = dict.fromkeys((*was, *now))
        return [
            found
            for name in names
            for found in differences(was.get(name, _ABSENT), now.get(name, _ABSENT), f"{path}.{name}")
        ]
    if isinstance(old, list) and isinstance(new, list):
        before, after = cast("list[Any]", old), cast("list[Any]", new)
        pad = max(len(before), len(after))
        before, after = before + [_ABSENT] * (pad - len(before)), after + [_ABSENT] * (pad - len(after))
        pairs = enumerate(zip(before, after, strict=True))
        return [found for place, (a, b) in pairs for found in differences(a, b, f"{path}[{place}]")]
    is_same = is_alike and old == new
    return [] if is_same else [Difference(path=path, old=short(old), new=short(new))]


def short(value: Any) -> str:
    """Return a value on one line, cut where it is long."""
    if value is _ABSENT:
        return ABSENT
    text = value if isinstance(value, str) and value.startswith("raised ") else _encoder.encode(value).decode()
    return text if len(text) <= TEXT_MAX else text[: TEXT_MAX - 1] + "…"


class _Absent:
    """Stands where one of the two values has nothing."""


_ABSENT = _Absent()
