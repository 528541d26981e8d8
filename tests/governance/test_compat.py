"""Which change of a contract breaks whom: named, by rule, and nothing that fits is called a break."""

from __future__ import annotations

import types
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.governance import served
from isthmus.governance.compat import Change, compare, undeclared
from isthmus.governance.consumers import users_of
from isthmus.governance.contracts import Contracts, contracts_of, read, read_folder, written
from isthmus.kernel import (
    Context,
    Effect,
    FrontEnd,
    Meta,
    Pack,
    Pass,
    Registry,
    Value,
    answers,
    capability,
    combine,
    decode,
    encode,
    errors,
    event,
    extension_point,
    implements,
)
from isthmus.kernel.host import Deprecated
from isthmus.store import Database, migrate
from tests import shipped

LOCKED = Path(__file__).parents[2] / "contracts"


class Ask(Value):
    sku: Annotated[str, Meta(max_length=20)]
    count: Annotated[int, Meta(ge=1, le=9)] = 1
    kind: Literal["new", "used"] = "new"


class Line(Value):
    sku: str


class Found(Value):
    lines: tuple[Line, ...]
    kind: Literal["new", "used"]
    note: str | None = None


def release(
    ask: type[Value] = Ask,
    answer: type[Value] = Found,
    *,
    version: str = "1.0",
    effect: Effect = Effect.READ,
    question: Callable[..., Any] | None = None,
    deprecated: Deprecated | None = None,
    front_ends: tuple[FrontEnd, ...] = (),
    is_offered: bool = True,
    sends: type[Value] | None = None,
) -> Any:
    """Return a release with one capability and one extension point, of these shapes."""
    api = types.ModuleType("shop")
    api.__doc__ = "A shop."

    def find(ask: Any) -> Any:
        """Find."""

    find.__annotations__ = {"ask": ask, "return": answer}

    async def found(ask: Any, ctx: Context) -> Any:
        raise NotImplementedError

    def plain(sku: str, lines: tuple[Line, ...]) -> int | Pass:
        """Say."""
        return 0

    declared = capability("shop.find", version=version, effect=effect, deprecated=deprecated)(find)
    if is_offered:
        api.find = declared  # type: ignore[attr-defined]
    api.judge = extension_point("shop.judge", combine=combine.first_answer)(question or plain)  # type: ignore[attr-defined]
    if sends is not None:
        api.sold = sends  # type: ignore[attr-defined]
    service = types.ModuleType("service")
    service.found = implements(declared)(found)  # type: ignore[attr-defined]
    pack = Pack(name="shop", owner="shop", api=api, service=(service,) if is_offered else ())
    return Registry().add(pack, *front_ends).freeze()


def changes(old: Any, new: Any) -> list[Change]:
    return compare(contracts_of(old), contracts_of(new), users_of(old))


def breaks(old: Any, new: Any) -> list[tuple[str, str]]:
    return [(one.rule, one.path) for one in changes(old, new) if one.is_breaking]


class Fewer(Value):
    sku: Annotated[str, Meta(max_length=20)]
    kind: Literal["new", "used"] = "new"


class More(Ask):
    colour: str = ""


class Needs(Ask):
    colour: str


class Shorter(Value):
    sku: Annotated[str, Meta(max_length=10)]
    count: Annotated[int, Meta(ge=1, le=9)] = 1
    kind: Literal["new", "used"] = "new"


class NewOnly(Value):
    sku: Annotated[str, Meta(max_length=20)]
    count: Annotated[int, Meta(ge=0, le=99)] = 1
    kind: Literal["new"] = "new"


class Numbered(Value):
    sku: int
    count: Annotated[int, Meta(ge=1, le=9)] = 1
    kind: Literal["new", "used"] = "new"


@pytest.mark.parametrize(
    ("now", "broken"),
    [
        (Ask, []),
        (More, []),
        (Fewer, [("ask-field-removed", "$.count")]),
        (Needs, [("ask-field-required", "$.colour")]),
        (Shorter, [("ask-bound-narrowed", "$.sku")]),
        (NewOnly, [("ask-values-narrowed", "$.kind")]),
        (Numbered, [("ask-type-changed", "$.sku")]),
    ],
)
def test_an_ask_goes_on_accepting_what_it_accepted(now: type[Value], broken: list[tuple[str, str]]) -> None:
    assert breaks(release(), release(ask=now)) == broken


class PricedLine(Value):
    sku: str
    price: int = 0


class WithPrices(Value):
    lines: tuple[PricedLine, ...]
    kind: Literal["new", "used"]
    note: str | None = None


class Bare(Value):
    lines: tuple[Line, ...]
    kind: Literal["new", "used"]


class MaybeKind(Value):
    lines: tuple[Line, ...]
    kind: Literal["new", "used"] | None
    note: str | None = None


class ThirdKind(Value):
    lines: tuple[Line, ...]
    kind: Literal["new", "used", "broken"]
    note: str | None = None


class AlwaysNoted(Value):
    lines: tuple[Line, ...]
    kind: Literal["new"]
    note: str = ""


@pytest.mark.parametrize(
    ("now", "broken"),
    [
        (WithPrices, []),
        (AlwaysNoted, []),
        (Bare, [("answer-field-removed", "$.note")]),
        (MaybeKind, [("answer-type-changed", "$.kind")]),
        (ThirdKind, [("answer-values-narrowed", "$.kind")]),
    ],
)
def test_an_answer_goes_on_being_what_it_was(now: type[Value], broken: list[tuple[str, str]]) -> None:
    assert breaks(release(), release(answer=now)) == broken


def longer(sku: str, lines: tuple[Line, ...], count: int) -> int | Pass:
    """Say."""
    return 0


def poorer(sku: str, lines: tuple[Value, ...]) -> int | Pass:
    """Say."""
    return 0


def stricter(sku: str, lines: tuple[Line, ...]) -> Annotated[int, Meta(ge=0)] | Pass:
    """Say."""
    return 0


def richer(sku: str, lines: tuple[PricedLine, ...]) -> int | str | Pass:
    """Say."""
    return 0


@pytest.mark.parametrize(
    ("question", "broken"),
    [
        (richer, []),
        (longer, [("parameters-changed", "")]),
        (poorer, [("question-field-removed", "lines[*].sku")]),
        (stricter, [("answer-bound-narrowed", "answer")]),
    ],
)
def test_a_question_goes_on_being_what_it_was_and_every_right_answer_stays_right(
    question: Callable[..., Any], broken: list[tuple[str, str]]
) -> None:
    assert breaks(release(), release(question=question)) == broken


def test_a_break_names_the_front_ends_that_it_breaks() -> None:
    old = release()

    @answers(old.points["shop.judge"])
    def always_one(sku: str, lines: tuple[Line, ...]) -> int | Pass:
        return 1

    north = FrontEnd(code="north", name="North", owner="n", uses=("shop.find",))
    south = FrontEnd(code="south", name="South", owner="s")
    used = release(front_ends=(north, south))
    assert [one.breaks for one in changes(used, release(ask=Needs))] == [("north",)]


def test_a_new_first_number_declares_a_break_and_without_it_the_break_is_undeclared() -> None:
    assert len(undeclared(changes(release(), release(ask=Needs)))) == 1
    assert undeclared(changes(release(), release(ask=Needs, version="2.0"))) == []


def test_an_event_may_go_once_its_end_was_announced_and_nobody_takes_it_or_the_day_has_passed() -> None:
    def sold(leaving: Deprecated | None) -> type[Value]:
        kind = type("Sold", (Value,), {"__annotations__": {"sku": str}, "__module__": __name__})
        return event("shop.sold", version="1.0", subject="sku", deprecated=leaving)(kind)

    leaving = Deprecated(since=date(2026, 1, 1), sunset=date(2026, 7, 1), instead="")
    silent, announced = release(), sold(leaving)
    (plain,) = undeclared(changes(release(sends=sold(None)), silent))
    assert (plain.rule, plain.remedy.partition(",")[0]) == ("event-removed", "deprecate it first (deprecated=...)")
    assert undeclared(changes(release(sends=announced), silent)) == []
    assert changes(release(sends=announced), release(sends=announced)) == []

    before = contracts_of(release(sends=announced))
    assert read(written(before)) == before
    for today, broken in ((date(2026, 7, 1), [("north",)]), (date(2026, 7, 2), [])):
        found = compare(before, contracts_of(silent), lambda kind, name: ("north",) if kind == "event" else (), today)
        assert [one.breaks for one in undeclared(found)] == broken


def test_what_is_deprecated_may_go_when_nobody_uses_it_any_more() -> None:
    leaving = Deprecated(since=date(2026, 1, 1), sunset=date(2026, 7, 1), instead="shop.find-v2")
    north = FrontEnd(code="north", name="North", owner="n", uses=("shop.find",))
    gone = release(is_offered=False)
    assert [one.rule for one in undeclared(changes(release(), gone))] == ["capability-removed"]
    used = release(deprecated=leaving, front_ends=(north,))
    assert [one.breaks for one in undeclared(changes(used, gone))] == [("north",)]
    assert undeclared(changes(release(deprecated=leaving), gone)) == []


def test_reading_that_becomes_writing_is_a_break() -> None:
    assert breaks(release(), release(effect=Effect.WRITE)) == [("effect-changed", "")]


@given(
    old=st.tuples(st.integers(-5, 5), st.integers(-5, 5)),
    new=st.tuples(st.integers(-5, 5), st.integers(-5, 5)),
    value=st.integers(-5, 5),
)
def test_what_is_said_to_fit_is_accepted(old: tuple[int, int], new: tuple[int, int], value: int) -> None:
    def bounded(bounds: tuple[int, int]) -> type[Value]:
        return type("Bounded", (Value,), {"__annotations__": {"n": Annotated[int, Meta(ge=bounds[0], le=bounds[1])]}})

    was, now = bounded(old), bounded(new)
    if not old[0] <= value <= old[1] or breaks(release(ask=was), release(ask=now)):
        return
    decode(encode({"n": value}), now)


async def test_what_was_served_last_is_kept_and_found(database_url: str) -> None:
    await migrate(database_url, [served.MIGRATIONS])
    async with await Database.open(database_url) as database:
        assert await served.last_served(database) is None
        for one in (release(), release(ask=More), release()):
            await served.remember(database, contracts_of(one))
        assert await served.last_served(database) == contracts_of(release())


def test_contracts_are_the_same_after_they_were_written() -> None:
    whole = contracts_of(shipped.build([]))
    assert read(written(whole)) == read(written(read(written(whole))))
    assert compare(read(written(whole)), whole) == []
    with pytest.raises(errors.BadAsk):
        read(b"[]")


def test_no_locked_contract_is_broken_without_saying_so() -> None:
    """Fix the contract, deprecate it, or raise its first number; then lock anew with `isthmus compat --lock`."""
    locked: Contracts = read_folder(LOCKED)
    broken = undeclared(compare(locked, contracts_of(shipped.build([]))))
    assert [f"{one.name} {one.rule} {one.path}: {one.remedy}" for one in broken] == []
