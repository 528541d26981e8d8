"""A question by a front end's attribute, read out of JSON when asked: against the same by hand, and by a column.

python -m bench data_attributes
"""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import duckdb

from bench.data_metrics import RATIO_MAX, interleaved
from isthmus.data.answers.metrics import Metrics
from isthmus.data.answers.receipt import Receipts
from isthmus.data.lake.reader import DuckReader
from isthmus.data.model.ask import Ask
from isthmus.data.model.model import build
from isthmus.data.privacy import policy
from isthmus.kernel import FrontEnd, Value
from isthmus.markings import Atomic, Dimension, Key, Measure, entity

ORDERS = 1_000_000
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@entity("sale", table="sale")
class Sale(Value):
    """An order."""

    id: Annotated[int, Key()]
    front_end: Annotated[str, Key(), Dimension()]
    wrap: Annotated[str, Dimension()]
    total: Annotated[int, Measure()]
    attributes: dict[str, Any]


class Gift(Value):
    """What one front end says of its orders."""

    wrap: Literal["none", "paper", "box"] = "none"


MODEL = build([(Sale, "")], [Atomic(name="sales", measure="sale.total")])
TABLE = f"""create table sale as select i as id, ['north', 'south'][i % 2 + 1] as front_end,
    ['none', 'paper', 'box'][i % 3 + 1] as wrap, i % 100 as total,
    '{{"wrap": "' || ['none', 'paper', 'box'][i % 3 + 1] || '", "note": "for ' || i || '"}}' as attributes
    from range({ORDERS}) t(i)"""
BY_HAND = """select json_extract_string(attributes, '$.wrap') as wrap, sum(total) from sale
    where front_end = 'north' group by all order by all"""


def rows(rounds: int) -> list[dict[str, object]]:
    """Return what a question by an attribute takes against SQL by hand, and against a question by a column."""
    connection = duckdb.connect()
    connection.execute(TABLE)
    reader = DuckReader(connection, "bench")
    with tempfile.TemporaryDirectory() as folder:
        declared = {"north": FrontEnd(code="north", name="North", owner="north team", attributes={"sale": Gift})}
        metrics = Metrics(
            MODEL, reader, Receipts(Path(folder)), secret=b"bench", now=lambda: NOW, declared=lambda: declared
        )
        north = policy.of_front_end(MODEL, "north")

        def by(name: str) -> None:
            metrics._known.clear()  # the answer is not to be one that is remembered
            metrics.ask(Ask(metrics=("sales",), by=(name,)), north)

        own, by_hand = interleaved(lambda: by("sale.attributes.wrap"), lambda: reader.rows(BY_HAND), rounds + 1)
        again, column = interleaved(lambda: by("sale.attributes.wrap"), lambda: by("sale.wrap"), rounds + 1)
    connection.close()
    return [
        {"name": "metric by an attribute", "value": round(own, 2), "unit": "ms", "against": "SQL by hand",
         "ratio": own / by_hand, "aim": f"at most {RATIO_MAX}", "met": own / by_hand <= RATIO_MAX},
        {"name": "metric by an attribute", "value": round(again, 2), "unit": "ms", "against": "by a column",
         "ratio": again / column, "aim": "", "met": None},
    ]  # fmt: skip
