"""A platform with planted faults: a branch, a name, a setting and a capability that serve one front end alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from isthmus.kernel import Context, Effect, Pass, Value, capability, combine, errors, extension_point, implements


class Line(Value):
    """One line of a basket."""

    sku: str
    minor: int


class Buy(Value):
    """Ask what a basket costs."""

    lines: tuple[Line, ...]
    rounding: Literal["none", "five"] = "none"
    is_gift: bool = False  # nobody ever says so
    bags: int = 0  # one front end alone never sells any, which is no logic of its own
    voucher: str = ""
    is_remote: bool = True


class Total(Value):
    """What a basket costs."""

    minor: int


class Empty(errors.BadAsk):
    """There is nothing in it."""

    slug = "till.empty"


@extension_point("till.price", combine=combine.first_answer, per_line=True)
def price(lines: Sequence[Line]) -> Sequence[int | Pass]:
    """Say what each line costs."""
    return [line.minor for line in lines]


@extension_point("till.unasked", combine=combine.first_answer)
def unasked(minor: int) -> int | Pass:
    """Change a total; no front end ever wanted to."""
    return minor


@capability("till.total", version="1.0", effect=Effect.READ, raises=[Empty])
def total(ask: Buy) -> Total:
    """Say what a basket costs."""
    ...


@capability("till.label", version="1.0", effect=Effect.READ)
def label(ask: Line) -> Total:
    """Print a label: one front end alone has a printer."""
    ...


@implements(total)
async def add_up(ask: Buy, ctx: Context) -> Total:
    minor = summed(ctx.answer(price)(ask.lines))
    if any(line.sku.startswith("wine") for line in ask.lines):  # one front end alone sells wine
        minor += 25
    if ask.bags:
        minor += 10 * ask.bags
    minor += 1 if ask.voucher else 2  # one front end alone has no vouchers, which is no logic of its own either
    minor += 3 if ask.is_remote else 4  # one front end alone sells here, and that is what it is charged for
    if ctx.front_end == "west":
        minor = minor - 1
    length = ctx.plan.settings.get("receipt", "short")
    if length == "long":  # one front end alone has that setting, which is one thing to lift and not two
        minor += 0
    minor += 0 * len(ctx.plan.settings.get("receipt", "short") + ctx.plan.settings.get("bags", ""))
    return Total(minor=ctx.answer(unasked)(rounded(minor, ask.rounding)))


def summed(prices: Sequence[int]) -> int:
    if not prices:
        raise Empty("there is nothing in it", remedy="put something in")
    found = 0
    for one in prices:
        found += one if one > 0 else 0
    return found


def rounded(minor: int, how: str) -> int:
    return minor if how == "none" else round(minor / 5) * 5


@implements(label)
async def printed(ask: Line, ctx: Context) -> Total:
    return Total(minor=ask.minor)
