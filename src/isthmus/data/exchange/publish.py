"""Metrics as tables of a PostgreSQL, for BI tools: any of them speaks its protocol, and no driver of ours is needed.

    each metric → answered by day, front end and currency, as far as it can be → metrics.order_sales, in one transaction

Answers leave through the same place as all others, so a policy holds, and the comment of each table names its receipt.
A table has its metric at the grain that it is answered in: a ratio or a count of different members is not to be added
up any further. That is why the comment says by what it is.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any, Final

from isthmus.data.model.columns import quoted
from isthmus.kernel import Value, errors
from isthmus.store import DirectConnection

from ..answers.metrics import Answer, Metrics
from ..answers.units import MINOR, Units, amount, codes_in, units_of
from ..arrow import pa
from ..model.ask import Ask
from ..privacy.policy import Policy
from .postgres import connected

SCHEMA: Final = "metrics"
GRAINS: Final = (  # the finest that a metric can be answered in is taken
    ("time:day", "front_end", "currency"),
    ("time:day", "front_end"),
    ("time:week", "front_end"),
    ("time:month", "front_end"),
    ("time:day",),
    ("front_end",),
    (),
)


class Published(Value):
    """One metric's table, or why it has none."""

    metric: str
    table: str
    by: tuple[str, ...] = ()
    rows: int = 0
    failure: str = ""


async def publish(metrics: Metrics, policy: Policy, url: str) -> list[Published]:
    """Replace the tables of all metrics; readers see all of the old ones or all of the new ones.

    A metric that cannot be answered loses its table: no number is better than one that nobody stands behind.
    Raises Unavailable, before anything is asked, where nobody answers at the address.
    """
    connection = await connected(url, {"application_name": "isthmus metrics"}, to="write to", undone="written")
    try:
        model = await asyncio.to_thread(metrics.seen_by, policy)  # whoever says what front ends declare may run a loop
        found = [await asyncio.to_thread(_finest, metrics, policy, name) for name in model.metrics]
        async with connection.transaction():
            await connection.execute(f"create schema if not exists {SCHEMA}")
            for one, answer in found:
                await connection.execute(f"drop table if exists {SCHEMA}.{quoted(one.table)}")
                if answer is not None:
                    units, codes = await asyncio.to_thread(_money, metrics, policy, answer)
                    await _put(connection, one, answer, model.metric(one.metric).doc, units, codes)
    finally:
        await connection.close()
    return [one for one, _ in found]


def _finest(metrics: Metrics, policy: Policy, name: str) -> tuple[Published, Answer | None]:
    table = re.sub(r"\W", "_", name)
    failure = ""
    for by in GRAINS:
        try:
            answer = metrics.ask(Ask(metrics=(name,), by=by), policy, asker="publish")
        except errors.IsthmusError as refused:
            failure = str(refused)
            continue
        if not answer.receipt.is_cut:
            return Published(metric=name, table=table, by=by, rows=len(answer.rows)), answer
    return Published(metric=name, table=table, failure=failure or "it has too many rows in every grain"), None


def _money(metrics: Metrics, policy: Policy, answer: Answer) -> tuple[Units, dict[str, str]]:
    return units_of(metrics, answer, policy), codes_in(metrics, answer, policy)


async def _put(
    connection: DirectConnection, one: Published, answer: Answer, doc: str, units: Units, codes: Mapping[str, str]
) -> None:
    """Write a metric's table; money stands in it in whole units too, as `amount` and `currency`."""
    table: Any = answer.table
    names = [re.sub(r"\W", "_", column.removeprefix("time:")) for column in answer.columns]
    types = [_type(field.type) for field in table.schema]
    rows = [tuple(row[name] for name in answer.columns) for row in table.to_pylist()]
    if any(unit == MINOR or places for unit, places in (units[name] for name in answer.numbers)):
        money = [amount(row, answer.numbers[0], units, codes) for row in answer.rows]
        rows = [(*row, number if code else None) for row, (number, code) in zip(rows, money, strict=True)]
        names, types = [*names, "amount"], [*types, "numeric"]
        if "currency" not in names:
            rows = [(*row, code or None) for row, (_, code) in zip(rows, money, strict=True)]
            names, types = [*names, "currency"], [*types, "text"]
    listed = ", ".join(f"{quoted(name)} {type_}" for name, type_ in zip(names, types, strict=True))
    await connection.execute(f"create table {SCHEMA}.{quoted(one.table)} ({listed})")
    await connection.copy_records_to_table(one.table, schema_name=SCHEMA, columns=names, records=rows)
    said = f"{doc} By {', '.join(one.by) or 'nothing'}; snapshot {answer.receipt.snapshot}, receipt {answer.receipt.id}"
    literal = "'" + said.replace("'", "''") + "'"
    await connection.execute(f"comment on table {SCHEMA}.{quoted(one.table)} is {literal}")


def _type(found: Any) -> str:
    """Return PostgreSQL's type for an Arrow type."""
    kinds = (
        (pa.types.is_boolean, "boolean"),
        (pa.types.is_integer, "bigint"),
        (pa.types.is_floating, "double precision"),
        (pa.types.is_decimal, "numeric"),
        (pa.types.is_date, "date"),
        (pa.types.is_timestamp, "timestamptz"),
    )
    return next((name for is_kind, name in kinds if is_kind(found)), "text")
