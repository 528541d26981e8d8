"""A small shop whose prices front ends decide, with two front ends of very different size: what replays run on."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from types import ModuleType
from typing import Annotated, Any

from isthmus.kernel import (
    PASS,
    Caller,
    Context,
    Effect,
    FrontEnd,
    Meta,
    Pack,
    Pass,
    Platform,
    Registry,
    Value,
    answers,
    capability,
    combine,
    errors,
    extension_point,
    implements,
)
from isthmus.kernel.host import Release
from isthmus.markings import Pii
from isthmus.runtime.replay.record import Recorder, Recording
from isthmus.store import Database
from isthmus.values import Address

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


class Line(Value):
    """One line of a basket."""

    sku: str
    minor: int


class Buy(Value):
    """Ask what a basket costs."""

    lines: tuple[Line, ...]
    email: Annotated[str, Pii("email"), Meta(max_length=254)] = ""
    address: Annotated[Address | None, Pii("address")] = None


class Total(Value):
    """What a basket costs."""

    minor: int
    ticket: str
    luck: float


class SoldOut(errors.RuleBroken):
    """Nothing is left."""

    slug = "till.sold-out"


@extension_point("till.price", combine=combine.first_answer, per_line=True)
def price(lines: Sequence[Line]) -> Sequence[int | Pass]:
    """Say what each line costs."""
    return [line.minor for line in lines]


@extension_point("till.guard", combine=combine.every)
def guard(ask: Buy) -> Any:
    """Refuse a basket."""
    return PASS


@extension_point("till.extra", combine=combine.first_answer, on_failure="default")
def extra(minor: int, where: Annotated[str, Pii("free-text")]) -> int | Pass:
    """Add to a total."""
    return 0


@capability("till.total", version="1.0", effect=Effect.READ, raises=[SoldOut])
def total(ask: Buy) -> Total:
    """Say what a basket costs."""
    ...


@implements(total)
async def add_up(ask: Buy, ctx: Context) -> Total:
    if any(line.sku == "gone" for line in ask.lines):
        raise SoldOut("nothing is left", remedy="take something else")
    minor = sum(ctx.answer(price)(ask.lines))  # pyright: ignore[reportCallIssue]
    minor += ctx.answer(extra)(minor, ask.address.street if ask.address else "")
    return Total(minor=minor, ticket=str(ctx.new_id()), luck=ctx.random.random())


@capability("till.sell", version="1.0", effect=Effect.WRITE)
def sell(ask: Buy) -> Total:
    """Sell a basket."""
    ...


@implements(sell)
async def note_sale(ask: Buy, ctx: Context) -> Total:
    minor = sum(ctx.answer(price)(ask.lines))  # pyright: ignore[reportCallIssue]
    sold = await ctx.session.fetch_value(
        "insert into till.sold (front_end, id, minor) values ($1, $2, $3) returning "
        "(select count(*) from till.sold where front_end = $1)",
        ctx.front_end,
        ctx.new_id(),
        minor,
    )
    number = await ctx.session.fetch_value("select nextval('till.number')")
    return Total(minor=minor, ticket=f"{sold}", luck=float(number))


class Seat(Value):
    """Ask for a seat, which one person can have."""

    number: int
    is_kept: bool = False  # whoever has it already is told so rather than refused
    is_free: bool = False


class SeatTaken(errors.Conflict):
    """Somebody has the seat."""

    slug = "till.seat-taken"


@capability("till.take-seat", version="1.0", effect=Effect.WRITE, raises=[SeatTaken])
def take_seat(ask: Seat) -> Total:
    """Take a seat, which is priced once it is taken."""
    ...


@implements(take_seat)
async def seat_is_taken(ask: Seat, ctx: Context) -> Total:
    taken = await ctx.session.fetch_value(
        "insert into till.seat (front_end, number) values ($1, $2) on conflict do nothing returning number",
        ctx.front_end,
        ask.number,
    )
    if taken is None and not ask.is_kept:
        raise SeatTaken(f"seat {ask.number} is taken", remedy="take another")
    prices = ctx.answer(price)((Line(sku="seat", minor=500),)) if taken is not None and not ask.is_free else [0]
    return Total(minor=0 if ask.is_kept else sum(prices), ticket="", luck=0.0)  # pyright: ignore[reportCallIssue, reportArgumentType]


def pack() -> Pack:
    api, service = ModuleType("api", "Sells."), ModuleType("service")
    offered = {"total": total, "sell": sell, "take_seat": take_seat, "price": price, "guard": guard, "extra": extra}
    for name, value in offered.items():
        setattr(api, name, value)
    for name, implementation in {"add_up": add_up, "note_sale": note_sale, "seat_is_taken": seat_is_taken}.items():
        setattr(service, name, implementation)
    return Pack(name="till", owner="till team", api=api, service=(service,))


def release(**rules: Callable[..., Any]) -> Release:
    """Return a release; each front end's code with its rule for prices."""
    lines = [
        FrontEnd(code=code, name=code, owner=code, uses=("till.*",), answers=(answers(price)(rule),))
        for code, rule in rules.items()
    ]
    return Registry().add(pack(), *lines).freeze()


def with_extra(rule: Callable[..., Any]) -> Release:
    """Return a release whose `north` adds to totals by a rule."""
    north = FrontEnd(code="north", name="north", owner="north", uses=("till.*",), answers=(answers(extra)(rule),))
    return Registry().add(pack(), north).freeze()


def listed(lines: Sequence[Line]) -> Sequence[int | Pass]:
    return [line.minor for line in lines]


def cheaper(lines: Sequence[Line]) -> Sequence[int | Pass]:
    return [line.minor - 10 for line in lines]


def broken_extra(minor: int, where: str) -> int | Pass:
    raise KeyError("fee")


def broken(lines: Sequence[Line]) -> Sequence[int | Pass]:
    raise KeyError("margin")


CREATE = """
    create schema till;
    create table till.sold (front_end text not null, id uuid primary key, minor integer not null);
    create table till.seat (front_end text not null, number integer not null, primary key (front_end, number));
    create sequence till.number;
    grant usage on schema till to isthmus_app;
    grant select, insert on till.sold, till.seat to isthmus_app;
    grant usage on till.number to isthmus_app;
"""


async def record(
    database: Database, running: Release, calls: Sequence[tuple[str, Any]], *, which: Any = total
) -> Recorder:
    """Call and record all; refusals are recorded too."""
    recorder = Recorder(database, running.points, Recording(share=1.0))
    platform = Platform(running, database, clock=lambda: NOON, recorder=recorder)
    for code, ask in calls:
        try:
            await platform.call(which, ask, Caller(front_end=code))
        except errors.IsthmusError:
            continue
        if len(recorder._buffer) >= 5_000:
            await recorder.flush()
    await recorder.flush()
    return recorder


def baskets(code: str, count: int) -> list[tuple[str, Buy]]:
    numbers = itertools.islice(itertools.cycle(range(1, 50)), count)
    return [(code, Buy(lines=(Line(sku=f"sku-{number}", minor=number * 100),))) for number in numbers]
