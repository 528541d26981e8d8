"""The metrics explorer: a question in the address, a chart, a table and the receipt as its answer."""

from __future__ import annotations

import asyncio
import csv
import io
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from isthmus.data.answers.groupings import dimensions
from isthmus.data.answers.metrics import Answer
from isthmus.data.answers.units import units_of
from isthmus.data.lake.stopping import while_wanted
from isthmus.data.model.ask import GRAINS, Ask, read_condition
from isthmus.data.model.model import Model
from isthmus.data.platform import DataPlatform
from isthmus.data.privacy.policy import Policy, of_front_end, of_parts
from isthmus.kernel import errors
from isthmus.manifest import Headlines, brought
from isthmus.manifest.actions import ASK
from isthmus.manifest.parts import rows_of
from isthmus.markings import Where
from isthmus.pages import ordered

from ..client import Client
from ..web import Page, render

ROWS_MAX: Final = 500  # of the table; the file that can be downloaded has all
SERIES_MAX: Final = 6  # of a chart: more can't be told apart
BARS_MAX: Final = 25
EVERYBODY: Final = "owner"  # the policy that sees all
TEXTS_MAX: Final = 8  # conditions in one question

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a business line: the metric, its value and unit, and what the metric says."""

    metric: str
    value: float | None
    unit: str
    doc: str


class Explorer:
    """The pages of metrics."""

    def __init__(self, client: Client, data: DataPlatform) -> None:
        self._client = client
        self._data = data
        self._known: dict[str, tuple[int, list[Figure]]] = {}
        self._renewing: dict[str, asyncio.Task[list[Figure]]] = {}

    def pages(self) -> list[Page]:
        return [
            Page("/metrics", "Metrics", self.show, group="Data", action=ASK, is_anywhere=True),
            Page("/metrics/answer.csv", "", self.download, action=ASK, is_anywhere=True),
        ]

    async def show(self, request: Request) -> Response:
        asked, seen = _asked(request), await self._policies()
        asked["policy"] = asked["policy"] or next(iter(seen))
        answer: Answer | None = None
        refused: errors.IsthmusError | None = None
        units: dict[str, tuple[str, int]] = {}
        if asked["metrics"]:
            try:
                policy = self._chosen(seen, asked["policy"])
                answer = await self._answer(request, _question(asked), policy)
                units = await asyncio.to_thread(units_of, self._data.metrics, answer, policy)
            except errors.IsthmusError as error:
                refused = error
        rows = [_scaled(row, units) for row in answer.rows] if answer else []
        model = self._seen(seen.get(asked["policy"]))
        return render(
            request,
            "metrics.html",
            status=400 if refused else 200,
            asked=asked,
            metrics=sorted(model.metrics.values(), key=lambda one: one.name),
            unit_of=model.unit,
            dimensions=self._dimensions(model, asked["metrics"]),
            grains=GRAINS,
            policies=[*seen],
            answer=answer,
            refused=refused,
            rows=(ordered(request, rows, _columns(answer)) if answer else rows)[:ROWS_MAX],
            units={name: unit for name, (unit, _) in units.items()},
            chart=_chart(answer, rows, units) if answer else None,
            bars=_bars(answer, rows) if answer else [],
            has_landed=bool(self._data.lake.head().number),
        )

    def warm(self) -> None:
        """Begin to read the newest snapshot, so that nobody waits for the first look at it."""
        for code in self._client.release.lines:
            self._renew(code)

    async def business(self, code: str) -> list[Figure]:
        """Return how a front end fares, as its own metrics of what has landed say; nothing where nothing has.

        Where more has landed since the last look, that one's figures are shown once more while new ones are asked;
        where there were none, they are waited for.
        """
        known = self._known.get(code)
        if known is None or (not known[1] and known[0] != self._data.lake.head().number):
            return await self._renew(code)
        if known[0] != self._data.lake.head().number:
            self._renew(code)
        return known[1]

    def _renew(self, code: str) -> asyncio.Task[list[Figure]]:
        running = self._renewing.get(code)
        if running is None or running.done():
            running = self._renewing[code] = asyncio.create_task(asyncio.to_thread(self._figures, code))
        return running

    def _figures(self, code: str) -> list[Figure]:
        headlines = brought(self._client.release.packs.values(), Headlines)
        names = tuple(name for one in headlines for name in one.metrics if name in self._data.model.metrics)
        number, found = self._data.lake.head().number, list[Figure]()
        if names and number:
            try:
                policy = self.policy(code)
                answer = self._data.metrics.ask(Ask(metrics=names), policy)
                units = units_of(self._data.metrics, answer, policy)
            except errors.IsthmusError:
                return found
            row = _scaled(answer.rows[0], units)
            found += [Figure(name, row[name], units[name][0], self._data.model.metric(name).doc) for name in names]
        self._known[code] = number, found
        return found

    async def download(self, request: Request) -> Response:
        """Return all rows of an answer as CSV, amounts in whole units of their currency."""
        asked, seen = _asked(request), await self._policies()
        policy = self._chosen(seen, asked["policy"] or next(iter(seen)))
        answer = await self._answer(request, _question(asked), policy)
        units = await asyncio.to_thread(units_of, self._data.metrics, answer, policy)
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow([f"{name} ({units[name][0]})" if name in units else name for name in answer.columns])
        writer.writerows([_scaled(row, units)[name] for name in answer.columns] for row in answer.rows)
        headers = {"content-disposition": f'attachment; filename="metrics-{answer.receipt.id}.csv"'}
        return Response(text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)

    async def _answer(self, request: Request, ask: Ask, policy: Policy) -> Answer:
        """Answer a question for as long as the page is waited for."""

        async def left() -> None:
            while (await request.receive())["type"] != "http.disconnect":
                pass

        return await while_wanted(lambda: self._data.metrics.ask(ask, policy), left)

    def policy(self, name: str) -> Policy:
        """Return what an asker may see: a front end, or whoever else is known by a policy. Raises NotFound."""
        if name in self._data.policies:
            return self._data.policies[name]
        self._client.release.line(name)
        return of_front_end(self._data.model, name)

    async def _policies(self) -> dict[str, Policy]:
        """Return as whom somebody may ask, by name: anybody who may ask everywhere, else where they may, as they may.

        Who is confined to parts of a front end asks about the rows of those, whatever they ask.
        """
        if await self._client.is_allowed(ASK):
            return {name: self.policy(name) for name in (EVERYBODY, *sorted(self._client.release.lines))}
        found: dict[str, Policy] = {}
        for code in self._client.front_ends():
            with suppress(errors.NotPermitted):
                parts = await self._client.check(ASK, code)
                rows = rows_of(self._client.release.packs.values(), parts)
                one = of_parts(self._data.model, code, parts, rows) if parts else self.policy(code)
                found[one.name] = one
        return found

    def _chosen(self, seen: Mapping[str, Policy], name: str) -> Policy:
        """Return one of the policies that somebody may ask under. Raises NotPermitted; NotFound for who may ask all."""
        if EVERYBODY in seen:
            return self.policy(name)
        if (found := seen.get(name)) is None:
            raise errors.NotPermitted(f"you may not ask as {name!r}", remedy=f"ask as {', '.join(seen)}")
        return found

    def _seen(self, policy: Policy | None) -> Model:
        """Return the model with the attributes of front ends that an asker sees; none where nobody is called so."""
        return self._data.metrics.seen_by(policy) if policy else self._data.model

    def _dimensions(self, model: Model, metrics: Sequence[str]) -> list[str]:
        """Return what the metrics can be split by: their own front end first, then all that they reach."""
        known = [name for name in metrics if name in model.metrics]
        if not known:
            return ["front_end"]
        plan = self._data.metrics.plan
        try:
            roots = frozenset(leg.root for name in known for leg in plan(_question({"metrics": [name]})).legs)
        except errors.IsthmusError:
            roots = frozenset[str]()
        own = ["front_end"] if all("front_end" in model.entity(root).fields for root in roots) else []
        return [*own, *(one for one in dimensions(model, roots) if "front_end" not in one)]


def _asked(request: Request) -> dict[str, Any]:
    """Read the question from the address, so that whoever has the address asks the same."""
    query = request.query_params
    wheres = [text for text in query.getlist("where") if text.strip()][:TEXTS_MAX]
    return {
        "metrics": list(dict.fromkeys(query.getlist("metrics"))),
        "grain": query.get("grain", ""),
        "by": [one for one in dict.fromkeys(query.getlist("by")) if one],
        "from": query.get("from", ""),
        "to": query.get("to", ""),
        "where": wheres,
        "policy": query.get("policy", ""),
    }


def _question(asked: Mapping[str, Any]) -> Ask:
    """Return the ask that an address stands for. Raises BadAsk."""
    where = [read_condition(text) for text in asked.get("where", ())]
    if asked.get("from"):
        where.append(Where("time", ">=", _day(asked["from"]).isoformat()))
    if asked.get("to"):
        where.append(Where("time", "<", _day(asked["to"]).isoformat()))
    by = [f"time:{asked['grain']}"] if asked.get("grain") else []
    return Ask(metrics=tuple(asked["metrics"]), by=(*by, *asked.get("by", ())), where=tuple(where))


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise errors.BadAsk(f"{text!r} is no day", remedy="write it like 2026-01-31") from None


def _scaled(row: Row, units: Mapping[str, tuple[str, int]]) -> dict[str, Any]:
    """Write amounts in whole units: 12.34 and not 1234."""
    return {
        name: value / 10 ** units[name][1] if name in units and units[name][1] and value is not None else value
        for name, value in row.items()
    }


def _columns(answer: Answer) -> dict[str, Callable[[Row], Any]]:
    return {name: operator.itemgetter(name) for name in answer.columns}


def _chart(answer: Answer, rows: Sequence[Row], units: Mapping[str, tuple[str, int]]) -> dict[str, Any] | None:
    """Return lines over time: of each metric in the first one's unit, or of the largest groups."""
    at = next((name for name in answer.columns if name.startswith("time:")), None)
    if at is None or not rows:
        return None
    asked = answer.receipt.ask
    groups = [name for name in answer.columns if name != at and name not in asked.metrics]
    unit = units.get(asked.metrics[0], ("", 0))[0]
    shown = [name for name in asked.metrics if units.get(name, ("", 0))[0] == unit]
    times = sorted({row[at] for row in rows if row[at] is not None})
    lines: dict[str, dict[Any, float]] = {}
    for row in rows:
        label = " · ".join("none" if row[name] is None else str(row[name]) for name in groups)
        for metric in shown:
            name = " ".join(filter(None, [label, metric if len(shown) > 1 or not groups else ""]))
            lines.setdefault(name, {})[row[at]] = row[metric]
    largest = sorted(lines, key=lambda name: -sum(abs(one or 0) for one in lines[name].values()))
    kept = [name for name in lines if name in largest[:SERIES_MAX]]
    return {
        "label": at.partition(":")[2],
        "unit": unit,
        "times": [_seconds(one) for one in times],
        "series": kept,
        "values": [[lines[name].get(one) for one in times] for name in kept],
        "left_out": len(lines) - len(kept),
    }


def _bars(answer: Answer, rows: Sequence[Row]) -> list[tuple[str, float, float]]:
    """Return the largest groups of the first metric: name, value, and share of the largest."""
    metric = answer.receipt.ask.metrics[0]
    groups = [name for name in answer.columns if name not in answer.receipt.ask.metrics]
    if not groups or any(name.startswith("time:") for name in groups):
        return []
    known = [row for row in rows if row[metric] is not None]
    ranked = sorted(known, key=lambda row: -abs(row[metric] or 0))[:BARS_MAX]
    most = max((abs(row[metric] or 0) for row in ranked), default=0) or 1
    return [
        (_label(row[name] for name in groups), row[metric] or 0, round(100 * abs(row[metric] or 0) / most, 1))
        for row in ranked
    ]


def _label(values: Iterable[object]) -> str:
    return " · ".join("none" if value is None else str(value) for value in values)


def _seconds(value: date | datetime) -> int:
    moment = value if isinstance(value, datetime) else datetime.combine(value, time(), UTC)
    return round(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp())
