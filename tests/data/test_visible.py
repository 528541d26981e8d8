"""Who sees which rows where references go in circles: rows under an unseen one are unseen, however it is reached."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

import asyncpg
import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus import markings as m
from isthmus.data.model.ask import Ask
from isthmus.data.model.model import Model, build
from isthmus.data.privacy.policy import ALL, Opened, Policy, visible_rows
from isthmus.data.query.dialect import translated
from isthmus.data.query.plan import plan
from isthmus.data.query.sql import statement
from isthmus.kernel import Value
from isthmus.markings import Dimension, Key, Measure, Ref, Where, entity

from .conftest import NOW, World


@entity("bank.account", table="account")
class Account(Value):
    """An account of a shop, and the payment that came last."""

    shop: Annotated[str, Key(), Dimension()]
    id: Annotated[int, Key()]
    last_id: Annotated[int | None, Ref("bank.payment")]


@entity("bank.payment", table="payment")
class Payment(Value):
    """A payment to an account, perhaps a part of another one."""

    id: Annotated[int, Key()]
    shop: Annotated[str | None, Dimension()]
    account_id: Annotated[int | None, Ref("bank.account", also=("shop",))]
    parent_id: Annotated[int | None, Ref("bank.payment")]
    amount: Annotated[int, Measure()]


@entity("bank.note", table="note")
class Note(Value):
    """What somebody wrote of a payment."""

    id: Annotated[int, Key()]
    payment_id: Annotated[int, Ref("bank.payment")]


METRICS = (
    m.Atomic(name="paid", measure="bank.payment.amount"),
    m.Count(name="accounts", of="bank.account"),
    m.Count(name="notes", of="bank.note"),
)
NORTH = Policy(name="north", opens={ALL: Opened(), "bank.account": Opened(rows=Where("shop", "=", "north"))})
SMALL = Policy(name="small", opens={ALL: Opened(), "bank.payment": Opened(rows=Where("amount", "<", 5))})

AccountRow = tuple[str, int, int | None]
PaymentRow = tuple[int, str | None, int | None, int | None, int]
Made = Callable[[Model, str], World]


def bank() -> Model:
    return build([(Account, "bank"), (Payment, "bank"), (Note, "bank")], METRICS)


def sql(accounts: Sequence[AccountRow], payments: Sequence[PaymentRow]) -> str:
    written = (
        "create table account (shop varchar, id bigint, last_id bigint);"
        "create table payment (id bigint, shop varchar, account_id bigint, parent_id bigint, amount bigint);"
        "create table note (id bigint, payment_id bigint);"
    )
    for table, rows in (("account", accounts), ("payment", payments), ("note", [(row[0], row[0]) for row in payments])):
        for row in rows:
            values = ", ".join("null" if one is None else repr(one) for one in row)
            written += f"insert into {table} values ({values});"
    return written


TWO_SHOPS = sql(
    [("north", 1, 10), ("south", 1, 20)],
    [
        (10, "north", 1, None, 100),
        (20, "south", 1, None, 5000),
        (21, "south", 1, 20, 7),
        (22, None, None, 21, 3),
        (30, None, None, None, 1),
    ],
)


def test_a_cycle_of_references_switches_no_policy_off(make_world: Made) -> None:
    world = make_world(bank(), TWO_SHOPS)
    assert world.rows("paid", "accounts", "notes", as_=NORTH) == [(101, 1, 2)]
    assert world.rows("paid", by=("account_id>bank.account.shop",), as_=NORTH) == [("north", 100), (None, 1)]


def test_a_row_under_an_unseen_one_of_its_own_kind_is_unseen(make_world: Made) -> None:
    world = make_world(bank(), TWO_SHOPS)
    assert world.rows("paid", as_=SMALL) == [(1,)]  # 22 is small, and part of what is part of 20
    assert world.rows("accounts", as_=SMALL) == [(0,)]  # both point at a payment that is not seen


async def test_rows_are_unseen_on_postgresql_as_they_are_here(make_world: Made, empty_url: str) -> None:
    world = make_world(bank(), TWO_SHOPS)
    ask = Ask(metrics=("paid", "accounts", "notes"))
    written = statement(world.model, plan(world.model, ask, NOW), visible_rows(world.model, NORTH))
    text, parameters = translated(written.sql, written.parameters, "postgres")
    connection = await asyncpg.connect(empty_url)
    try:
        await connection.execute(TWO_SHOPS)
        row = await connection.fetchrow(text, *parameters)
    finally:
        await connection.close()
    assert tuple(row.values())[:3] == (101, 1, 2)


ids = st.integers(1, 5)
maybe = st.one_of(st.none(), ids)
shops = st.sampled_from(["north", "south"])
accounts_of = st.lists(st.tuples(shops, ids, maybe), max_size=6, unique_by=lambda row: row[:2])
payments_of = st.lists(
    st.tuples(ids, st.one_of(st.none(), shops), maybe, maybe, st.integers(1, 9)),
    max_size=5,
    unique_by=lambda row: row[0],
)


@given(accounts=accounts_of, payments=payments_of, is_by_account=st.booleans())
@settings(max_examples=60, deadline=None)
def test_what_is_seen_is_what_taking_unseen_rows_away_one_after_the_other_leaves(
    accounts: list[AccountRow], payments: list[PaymentRow], is_by_account: bool
) -> None:
    policy = NORTH if is_by_account else SMALL
    left = {row[:2]: row for row in accounts if not is_by_account or row[0] == "north"}
    paid = {row[0]: row for row in payments if is_by_account or row[4] < 5}
    is_changed = True
    while is_changed:
        gone = [key for key, row in left.items() if row[2] is not None and row[2] not in paid]
        unpaid = [
            key
            for key, row in paid.items()
            if (row[2] is not None and (row[1], row[2]) not in left) or (row[3] is not None and row[3] not in paid)
        ]
        left = {key: row for key, row in left.items() if key not in gone}
        paid = {key: row for key, row in paid.items() if key not in unpaid}
        is_changed = bool(gone or unpaid)
    model = bank()
    with duckdb.connect() as connection:
        connection.execute(sql(accounts, payments))
        ask = Ask(metrics=("paid", "accounts", "notes"))
        written = statement(model, plan(model, ask, NOW), visible_rows(model, policy))
        row = connection.execute(written.sql, list(written.parameters)).fetchone()
    assert row is not None
    assert row[:3] == (sum(one[4] for one in paid.values()), len(left), len(paid))
