"""Whoever does not see rows is answered as the owner would be if they were not there: random rows and questions."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import pytest

from isthmus import markings as m
from isthmus.data.model.ask import Ask
from isthmus.data.model.model import build
from isthmus.data.privacy import policy
from isthmus.data.privacy.policy import ALL, EVERY_KIND, Opened, Policy
from isthmus.kernel import Value, errors
from isthmus.markings import AllOf, AnyOf, Dimension, Filter, Has, Key, Measure, Not, Ref, Time, Where, entity

from .conftest import Level, Member, Visit, World


@entity("shop.order", table="shop.orders")
class Sale(Value):
    """A basket that was paid."""

    id: Annotated[int, Key()]
    front_end: Annotated[str, Dimension()]
    buyer_id: Annotated[int | None, Ref("member.member")]
    currency: Annotated[str, Dimension()]
    total_minor: Annotated[int, Measure(unit="minor", currency="currency")]
    placed_at: Annotated[datetime, Time()]


BOUGHT = ("shop.visit.member_id", "shop.order.buyer_id")
AGAIN = ("shop.order.buyer_id", "shop.order.buyer_id")
MODEL = build(
    [(one, "data-team") for one in (Member, Sale, Visit, Level)],
    [
        m.Atomic(name="sales", measure="shop.order.total_minor"),
        m.Count(name="baskets", of="shop.order"),
        m.Count(name="visits", of="shop.visit"),
        m.Distinct(name="shoppers", field="shop.order.buyer_id"),
        m.Ratio(name="basket_value", numerator="sales", denominator="baskets"),
        m.Conversion(name="bought", start="visits", goal="baskets", within_days=7, by=BOUGHT),
        m.Conversion(name="came_back", start="baskets", goal="baskets", within_days=30, show="count", by=AGAIN),
        m.Percentile(name="median", measure="shop.order.total_minor", share=0.5),
        m.Derived(name="gold_sales", of="sales", where=Where("member.member.tier", "=", "gold")),
        m.Derived(name="sales_7_days", of="sales", period=m.Period(last=7, unit="day")),
    ],
)
OWN = ("member.member", "shop.order", "shop.visit", "shop.level")
SEEN: dict[str, Policy] = {
    "north": Policy(
        name="north",
        opens={one: Opened(rows=Where(f"{one}.front_end", "=", "north")) for one in OWN},
        personal=EVERY_KIND,
    ),
    "gold": Policy(
        name="gold",
        opens={ALL: Opened(), "member.member": Opened(rows=Where("member.member.tier", "=", "gold"))},
        personal=EVERY_KIND,
    ),
}
EMPTY = """create schema member; create schema shop;
create table member.member (id bigint, front_end varchar, email varchar, tier varchar);
create table shop.orders (id bigint, front_end varchar, buyer_id bigint, currency varchar, total_minor bigint,
                          placed_at timestamptz);
create table shop.visits (id bigint, front_end varchar, member_id bigint, seen_at timestamptz);
create table shop.levels (id bigint, front_end varchar, sku varchar, on_hand bigint, counted_at timestamptz);"""
Rows = list[tuple[Any, ...]]


@dataclass
class Tables:
    """What there is."""

    members: Rows
    sales: Rows
    visits: Rows

    def sql(self) -> str:
        tables = (("member.member", self.members), ("shop.orders", self.sales), ("shop.visits", self.visits))
        rows = [(table, row) for table, found in tables for row in found]
        written = (
            f"insert into {table} values ({', '.join('null' if one is None else repr(one) for one in row)});"
            for table, row in rows
        )
        return EMPTY + "".join(written)

    def left_to(self, who: str) -> Tables:
        """Return the same without what somebody does not see, and what refers to it."""
        is_own = (lambda row: row[1] == "north") if who == "north" else (lambda row: True)
        members = [row for row in self.members if (is_own(row) if who == "north" else row[3] == "gold")]
        keys = {(row[1], row[0]) for row in members}
        sales, visits = (
            [row for row in rows if is_own(row) and (row[2] is None or (row[1], row[2]) in keys)]
            for rows in (self.sales, self.visits)
        )
        return Tables(members, sales, visits)


def _tables(rng: random.Random) -> Tables:
    def somewhere() -> str:
        return rng.choice(["north", "south"])

    def somebody() -> int | None:
        return rng.choice([None, 1, 2, 3, 4])

    def at() -> str:
        return f"2024-0{rng.randint(1, 3)}-{rng.randint(1, 28):02d} 10:00:00+00"

    every = [(number, code) for number in range(1, 5) for code in ("north", "south")]
    some = rng.sample(every, 6)
    members = [(*one, f"e{one[0]}@x.org", rng.choice(["gold", "basic"])) for one in some]
    sales = [(n, somewhere(), somebody(), "EUR", rng.randint(1, 9) * 100, at()) for n in range(12)]
    return Tables(members, sales, [(n, somewhere(), somebody(), at()) for n in range(9)])


def _condition(rng: random.Random, deep: int = 0) -> Filter:
    made = rng.randint(0 if deep < 2 else 3, 8)
    if made <= 2:
        parts = tuple(_condition(rng, deep + 1) for _ in range(2))
        return (Not(parts[0]), AnyOf(parts), AllOf(parts))[made]
    return (
        Has("member.member", rng.choice(["baskets", "visits"]), rng.choice([">=", "="]), rng.randint(0, 2)),
        Where("member.member.tier", rng.choice(["=", "!="]), "gold"),
        Where("front_end", "=", rng.choice(["north", "south"])),
        Where("member.member.tier", "is null"),
        Where("time", rng.choice([">=", "<"]), "2024-02-10"),
        Where("member.member.tier", "in", ("gold", "basic")),
    )[made - 3]


def _answer(world: World, ask: Ask, who: Policy) -> object:
    try:
        answer = world.metrics.ask(ask, who)
    except errors.IsthmusError as refused:
        return type(refused)
    return sorted(tuple(str(row[name]) for name in answer.columns) for row in answer.rows)


@pytest.mark.parametrize("who", SEEN)
@pytest.mark.parametrize("seed", range(3))
def test_who_does_not_see_rows_is_answered_as_if_they_were_not_there(tmp_path: Path, seed: int, who: str) -> None:
    rng = random.Random(seed)
    tables = _tables(rng)
    whole = World(MODEL, tables.sql(), tmp_path / "whole")
    left = World(MODEL, tables.left_to(who).sql(), tmp_path / "left")
    answered = 0
    for _ in range(12):
        ask = Ask(
            metrics=tuple(rng.sample(sorted(MODEL.metrics), rng.randint(1, 2))),
            by=tuple(rng.sample(["front_end", "member.member.tier", "time:month"], rng.randint(0, 2))),
            where=tuple(_condition(rng) for _ in range(rng.randint(0, 2))),
        )
        found = _answer(whole, ask, SEEN[who])
        assert found == _answer(left, ask, policy.owner()), ask
        answered += isinstance(found, list)
    assert answered
