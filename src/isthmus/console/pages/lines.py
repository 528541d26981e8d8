"""Front ends: what each is, what it uses, who answers its extension points, how it fares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from isthmus.governance import explain
from isthmus.governance.explain import Candidate
from isthmus.governance.traffic import CallCount, Traffic, together
from isthmus.kernel.host import CompiledFrontEnd, Release
from isthmus.pages import ordered

from ..client import Client
from ..web import Page, page_of, render
from .cost import Cost
from .dead_letters import DeadLetters
from .deploys import Deploys

PAGE_SIZE: Final = 50
CALLS_SHOWN: Final = 12  # of its capabilities, those called most

Business = Callable[[str], Awaitable[Sequence[Any]]]  # code → figures with metric, value, unit, doc


@dataclass(frozen=True, slots=True)
class Point:
    """An extension point as a front end has it: who is asked by default, and who else under which condition."""

    point: str
    rule: str
    candidates: tuple[Candidate, ...]
    others: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A front end in the list: what it is, the traffic of a day, and how many points it answers itself."""

    line: CompiledFrontEnd
    tally: CallCount
    answers: int


COLUMNS: Final[Mapping[str, Callable[[Row], Any]]] = {
    "name": lambda row: row.line.front_end.name.lower(),
    "owner": lambda row: row.line.front_end.owner.lower(),
    "answers": lambda row: row.answers,
    "products": lambda row: len(row.line.front_end.products),
    "calls": lambda row: row.tally.calls,
    "refused": lambda row: row.tally.errors.total(),
    "half": lambda row: row.tally.percentile_us(0.5) if row.tally.calls else None,
}


class Lines:
    """The pages of front ends and their extension points."""

    def __init__(
        self,
        client: Client,
        traffic: Traffic,
        business: Business | None,
        deploys: Deploys,
        dead_letters: DeadLetters,
        cost: Cost,
    ) -> None:
        self._client = client
        self._traffic = traffic
        self._business = business
        self._deploys = deploys
        self._dead_letters = dead_letters
        self._cost = cost

    def pages(self) -> list[Page]:
        return [
            Page("/front-ends", "Front ends", self.list),
            Page("/front-ends/{code}", "", self.show),
            Page("/front-ends/{code}/points/{point}", "", self.point),
        ]

    async def list(self, request: Request) -> Response:
        seen = await self._traffic.of()
        rows = [
            Row(line, together({key: one for key, one in seen.items() if key[0] == code}), _answers(line))
            for code, line in sorted(self._client.release.lines.items())
        ]
        shown, next_cursor = page_of(request, ordered(request, rows, COLUMNS), PAGE_SIZE)
        return render(request, "front_ends.html", rows=shown, next_cursor=next_cursor)

    async def show(self, request: Request) -> Response:
        code = request.path_params["code"]
        line = self._client.release.line(code)
        explained = [_asked(self._client.release, code, name) for name in sorted(self._client.release.points)]
        calls = await self._traffic.of(front_end=code)
        deployed = await self._deploys.of(code)
        packs = Counter(name.partition(".")[0] for name in line.permitted)
        return render(
            request,
            "front_end.html",
            code=code,
            line=line,
            tally=together(calls),
            packs=sorted(packs.items()),
            point_count=len(explained),
            points=[one for one in explained if one.candidates or one.others],
            defaults=[one.point for one in explained if not (one.candidates or one.others)],
            calls=sorted(((name, one) for (_, name), one in calls.items()), key=lambda pair: -pair[1].calls),
            answers=_answers(line),
            refusals=await self._traffic.refused(front_end=code),
            deployed=deployed,
            names={one.hash: one.name for one in deployed.versions},
            calls_shown=CALLS_SHOWN,
            dead=await self._dead_letters.of(code),
            cost=await self._cost.of(code),
            stored=(await self._cost.stored()).get(code),
            has_data=self._business is not None,
            business=await self._business(code) if self._business else [],
        )

    async def point(self, request: Request) -> Response:
        code, name = request.path_params["code"], request.path_params["point"]
        release = self._client.release
        chosen = {key: value for key, value in request.query_params.items() if value}
        explanation = explain.explain(release, code, name, chosen)
        known = release.line(code).dimensions
        return render(
            request,
            "point.html",
            code=code,
            point=release.points[name],
            found=explanation,
            dimensions=[(one.name, known[one.name].values) for one in release.points[name].dimensions],
            others=[(other, explain.explain(release, other, name)) for other in sorted(release.lines) if other != code],
            fate_class=_fate_class,
        )


def _asked(release: Release, code: str, name: str) -> Point:
    """Return who is asked for a point by default, and who only under some condition."""
    explained = explain.explain(release, code, name)
    answers = {
        one.label: ", ".join(f"{dimension} {' or '.join(sorted(values))}" for dimension, values in one.when.items())
        for node in release.line(code).nodes
        for point, found in node.candidates.items()
        if point.name == name
        for one in found.answers
    }
    asked = {one.by for one in explained.candidates}
    others = tuple((label, when) for label, when in answers.items() if label not in asked)
    return Point(name, explained.rule, explained.candidates, others)


def _answers(line: CompiledFrontEnd) -> int:
    return len({id(one) for node in line.nodes for found in node.candidates.values() for one in found.answers})


def _fate_class(candidate: Candidate) -> str:
    if candidate.fate.startswith("behind"):
        return "soft"
    return "good" if candidate.fate == "answers" else ""
