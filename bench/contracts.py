"""Contracts as msgspec structs against frozen dataclasses, both read and written by msgspec: decisions/0001."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from isthmus.kernel import Value

TURNS = 4_000


class Line(Value):
    """One line of an ask."""

    sku: str
    quantity: int


class Ask(Value):
    """An ask with lines."""

    lines: tuple[Line, ...]
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainLine:
    """One line, as a dataclass."""

    sku: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainAsk:
    """An ask, as a dataclass."""

    lines: tuple[PlainLine, ...]
    currency: str


BODY = msgspec.json.encode({"lines": [{"sku": f"sku-{at}", "quantity": at} for at in range(20)], "currency": "EUR"})


def rows(rounds: int) -> list[dict[str, Any]]:
    """Measure reading, writing, making and comparing, side by side in each round."""
    read, read_plain = msgspec.json.Decoder(Ask).decode, msgspec.json.Decoder(PlainAsk).decode
    write = msgspec.json.Encoder().encode
    one, other, plain, plain_other = read(BODY), read(BODY), read_plain(BODY), read_plain(BODY)
    sides: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "read an ask of 20 lines": (lambda: read(BODY), lambda: read_plain(BODY)),
        "write it": (lambda: write(one), lambda: write(plain)),
        "make a line": (lambda: Line(sku="a", quantity=1), lambda: PlainLine(sku="a", quantity=1)),
        "compare two asks": (lambda: one == other, lambda: plain == plain_other),
    }
    found: list[dict[str, Any]] = []
    for name, (ours, theirs) in sides.items():
        pairs = [(_us(ours), _us(theirs)) for _ in range(rounds * 3)]
        value, against = (statistics.median(side) for side in zip(*pairs, strict=True))
        found.append(
            {"name": f"contract: {name}", "value": value, "unit": "µs", "against": "a frozen dataclass",
             "ratio": value / against, "aim": "≤ 1×", "met": value <= against}
        )  # fmt: skip
    return found


def _us(call: Callable[[], object]) -> float:
    began = time.perf_counter_ns()
    for _ in range(TURNS):
        call()
    return (time.perf_counter_ns() - began) / TURNS / 1_000
