"""A metric as a keyed look-up on the business database: what a member spent this month, while the member checks out.

It is the metric's own definition in PostgreSQL's dialect, so it can't say anything else than the lake does, only
sooner.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from isthmus.markings import Scalar, Where

from ..errors import BadMetric
from ..model.ask import Ask
from ..model.model import Model
from .dialect import translated
from .plan import FactScan, plan
from .sql import statement


class Fetching(Protocol):
    """A session of the store, with its front end's rows only."""

    async def fetch_row(self, sql: str, *args: object) -> Any: ...


class Lookup:
    """Metrics of one key, each in one statement; the text is made once for each shape of question."""

    def __init__(self, model: Model, metrics: Sequence[str], key: Sequence[str]) -> None:
        """Name metrics and the fields that identify what they are asked of.

        Raises BadMetric for a field on the many side, since a look-up must touch the rows of its key only.
        """
        self._model = model
        self._metrics = tuple(metrics)
        self._key = tuple(key)
        self._texts: dict[str, str] = {}
        for leg in plan(model, Ask(metrics=self._metrics, by=self._key), datetime.now().astimezone()).legs:
            self._check(leg)

    async def value(
        self, session: Fetching, key: Mapping[str, Scalar], now: datetime, timezone: str = "UTC"
    ) -> dict[str, Any]:
        """Return the metrics of one key at a moment, as the database has them within the caller's transaction."""
        where = tuple(Where(name, "=", key[name]) for name in self._key)
        ask = Ask(metrics=self._metrics, where=where, as_of=now, timezone=timezone)
        written = statement(self._model, plan(self._model, ask, now))
        if written.sql not in self._texts:
            self._texts[written.sql], _ = translated(written.sql, written.parameters, "postgres")
        row = await session.fetch_row(self._texts[written.sql], *written.parameters)
        return {name: _number(row[name]) for name in self._metrics}

    def _check(self, leg: FactScan) -> None:
        if leg.many:
            field = leg.dimensions[leg.many[0]].name
            raise BadMetric(
                f"{field} is on the many side of {leg.root}, so a look-up by it would read far more than its key",
                remedy="look up by a field that each counted row has one of",
            )


def _number(value: Any) -> Any:
    """Return a whole number as one: PostgreSQL adds them up as decimals."""
    is_whole = isinstance(value, Decimal) and value.as_tuple().exponent == 0
    return int(value) if is_whole else value
