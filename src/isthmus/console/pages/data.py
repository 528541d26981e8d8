"""What the data is and how it stands: lineage, quality, quarantine, landing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from isthmus.data.checks import quality
from isthmus.data.checks.own_rules import own_findings
from isthmus.data.errors import NeedsTime
from isthmus.data.exchange.lineage import Source, sources
from isthmus.data.lake.landing import Landing
from isthmus.data.model.ask import Ask
from isthmus.data.persons.one_id import OneId
from isthmus.data.platform import DataPlatform
from isthmus.data.privacy.policy import owner
from isthmus.data.query.proof import Proofs
from isthmus.manifest.actions import ASK, CARE
from isthmus.markings import Rule
from isthmus.store import Database
from isthmus.values import whole_number

from ..client import Client
from ..menu import Part
from ..web import ROWS_MAX, Page, redirect, render
from ..work import Work, shown
from .growth import GrowthPages
from .metrics import Explorer
from .one_id import OneIdPages
from .questions import QuestionPages
from .receipts import ReceiptPages

PAGE_SIZE: Final = 50
WORK: Final = "work"  # the folder beside the lake in which work beside the pages is written down
ROW_Y: Final = 26  # of a field in the graph of lineage
_QUARANTINED: Final = """
    select source, owner, reason, "row", landed_at, digest from lake.quarantine
    where ($1 = '' or source = $1) order by landed_at desc, digest limit $2 offset $3"""
_REASONS: Final = """
    select source, owner, reason, count(*) as found, max(landed_at) as latest from lake.quarantine
    group by all order by found desc, source, reason limit 100"""

Land = Callable[[], Awaitable[Landing]]


@dataclass(frozen=True, slots=True)
class FieldBox:
    """A field in the graph: its name and where it stands."""

    name: str
    y: int


@dataclass(frozen=True, slots=True)
class EntityBox:
    """An entity in the graph, with the fields of it that a metric is made of."""

    name: str
    owner: str
    y: int
    height: int
    fields: tuple[FieldBox, ...]


def data_part(client: Client, data: DataPlatform, land: Land, one_id: OneId | None, database: Database) -> Part:
    """Return what the data platform adds to the console, and begin to read what has landed."""
    explorer = Explorer(client, data)
    explorer.warm()
    receipts = ReceiptPages(data, explorer.policy, client.release.lines)
    pages = [*explorer.pages(), *receipts.pages(), *Data(data, land).pages(), *QuestionPages(data).pages()]
    pages += GrowthPages(data, database).pages()
    pages += OneIdPages(one_id, Work(data.lake.folder.parent / WORK, "resolving")).pages() if one_id else []
    said = {name: one.doc for name, one in data.model.metrics.items()}
    return Part(pages=pages, metrics=said, business=explorer.business)


class Data:
    """Lineage, quality and quarantine."""

    def __init__(self, data: DataPlatform, land: Land) -> None:
        self._data = data
        self._land = land
        folder = data.lake.folder.parent / WORK
        self._work = {name: Work(folder, name) for name in ("landing", "checking")}

    def pages(self) -> list[Page]:
        return [
            Page("/lineage", "Lineage", self.lineage, group="Data", action=ASK),
            Page("/quality", "Quality", self.quality, group="Data", action=ASK),
            Page("/quality/check", "", self.check, ("POST",), action=CARE, is_noted=True),
            Page("/quality/land", "", self.land, ("POST",), action=CARE, is_noted=True),
            Page("/quarantine", "Quarantine", self.quarantine, group="Data", action=ASK),
        ]

    async def lineage(self, request: Request) -> Response:
        model = self._data.metrics.seen_by(owner())  # with what front ends add
        names = sorted(model.metrics)
        name = request.query_params.get("metric") or next(iter(names), "")
        columns, shared = sources(model, self._data.metrics.plan(_plain_ask(self._data, name)))
        found = list(dict.fromkeys((*columns[name], *shared)))
        boxes = self._boxes(found)
        places = {(box.name, field.name): field.y for box in boxes for field in box.fields}
        height = max((box.y + box.height for box in boxes), default=60) + 10
        return render(
            request,
            "lineage.html",
            names=names,
            metric=model.metric(name),
            unit=model.unit(name),
            owner=model.owners.get(name, ""),
            boxes=boxes,
            height=height,
            found=found,
            threads=[(places[one.entity, one.field], one) for one in found],
            entities=self._data.model.entities,
        )

    def _boxes(self, found: list[Source]) -> list[EntityBox]:
        boxes: list[EntityBox] = []
        y = 10
        for name in dict.fromkeys(one.entity for one in found):
            fields = dict.fromkeys(one.field for one in found if one.entity == name)
            placed = tuple(FieldBox(field, y + 46 + at * ROW_Y) for at, field in enumerate(fields))
            height = 40 + len(placed) * ROW_Y
            boxes.append(EntityBox(name, self._data.model.entity(name).owner, y, height, placed))
            y += height + 14
        return boxes

    async def quality(self, request: Request) -> Response:
        head = self._data.lake.head()
        latest: dict[str, quality.Finding] = {}
        for one in self._history().all():
            latest[one.rule] = one
        findings = sorted(latest.values(), key=lambda one: (one.holds, one.owner, one.rule))
        return render(
            request,
            "quality.html",
            head=head,
            findings=findings,
            broken=[one for one in findings if not one.holds],
            rules=len(quality.rules(self._data.model)),
            **shown(request, self._work.values()),
            datasets=sorted((name, head.rows(name)) for name in head.datasets if not name.startswith("changes/")),
        )

    async def check(self, request: Request) -> Response:
        """Begin to examine all rules, keys and references, and keep what is found."""
        self._work["checking"].begin(lambda: asyncio.to_thread(self._examine))
        return redirect(request, "/quality", work="checking")

    def _examine(self) -> None:
        reader, now = self._data.lake.newest(), datetime.now(UTC)
        proofs = [
            quality.Finding(
                rule=f"the {proof.kind} of {proof.subject} holds",
                owner=self._owner(proof.subject),
                snapshot=reader.snapshot,
                at=now,
                holds=proof.holds,
                count=proof.count,
                examples=proof.examples,
            )
            for proof in Proofs(self._data.model).all(reader)
        ]
        self._history().keep(proofs)
        quality.examine(quality.rules(self._data.model), reader, now, self._history())
        self._history().keep(own_findings(self._data.metrics, self._data.brought(Rule), now))

    async def land(self, request: Request) -> Response:
        """Begin to land what is committed."""
        self._work["landing"].begin(self._land)
        return redirect(request, "/quality", work="landing")

    async def quarantine(self, request: Request) -> Response:
        source, at = request.query_params.get("source", ""), _whole(request.query_params.get("cursor"))
        reasons, rows = await asyncio.to_thread(self._set_aside, source, at)
        following = str(at + PAGE_SIZE) if len(rows) > PAGE_SIZE else None
        return render(
            request, "quarantine.html", reasons=reasons, rows=rows[:PAGE_SIZE], source=source, next_cursor=following
        )

    def _set_aside(self, source: str, at: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        reader = self._data.lake.newest()
        return reader.rows(_REASONS), reader.rows(_QUARANTINED, [source, PAGE_SIZE + 1, at])

    def _history(self) -> quality.History:
        return quality.History(self._data.lake.folder / "quality.jsonl")

    def _owner(self, subject: str) -> str:
        entities = self._data.model.entities
        return entities[subject].owner if subject in entities else entities[subject.rpartition(".")[0]].owner


def _plain_ask(data: DataPlatform, name: str) -> Ask:
    """Return a question for a metric alone, by a grain of time where it can't be asked without one."""
    for by in ((), ("time:month",), ("time:day",), ("time:week",)):
        ask = Ask(metrics=(name,), by=by)
        with suppress(NeedsTime):
            data.metrics.plan(ask)
            return ask
    return Ask(metrics=(name,))


def _whole(text: Any) -> int:
    return whole_number(text, 0, ROWS_MAX) or 0
