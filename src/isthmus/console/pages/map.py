"""The map: front ends above, flows between, packs below, and lines as thick as the traffic."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from isthmus.governance.traffic import Traffic
from isthmus.kernel import Pack
from isthmus.kernel.host import CompiledFrontEnd
from isthmus.language import mark

from ..client import Client
from ..web import Page, render

WIDTH: Final = 1160
TOP_Y: Final = 34
BOX_HEIGHT: Final = 46
BETWEEN_KINDS, BETWEEN_ROWS = 88, 22
LEAST_WIDTH, WIDEST, APART = 96, 150, 8
LETTER: Final = 7  # how wide a letter of a name is, so that every name fits its box
THICK_MAX: Final = 11.0


@dataclass(frozen=True, slots=True)
class Box:
    """A box of the map: where its middle is, how wide it is, what stands in it, where it leads."""

    name: str
    x: int
    y: int
    width: int
    note: str
    href: str


@dataclass(frozen=True, slots=True)
class Thread:
    """A line of the map; `calls` none: no traffic yet."""

    path: str
    width: float
    calls: int
    title: str


class Map:
    """The first page."""

    def __init__(self, client: Client, traffic: Traffic) -> None:
        self._client = client
        self._traffic = traffic

    def pages(self) -> list[Page]:
        return [Page("/", "Map", self.show)]

    async def show(self, request: Request) -> Response:
        release = self._client.release
        flows = {name: pack for name, pack in release.packs.items() if _is_flow(pack)}
        packs = {name: pack for name, pack in release.packs.items() if name not in flows}
        calls = await self._calls()
        of_lines = _placed(list(release.lines), TOP_Y, "/front-ends/", self._line_notes(calls))
        of_flows = _placed(list(flows), _below(of_lines), "/capabilities?q=", dict.fromkeys(flows, mark("flow")))
        sizes = {name: _size(pack) for name, pack in packs.items()}
        of_packs = _placed(list(packs), _below(of_flows), "/capabilities?q=", sizes)
        boxes = [of_lines, of_flows, of_packs]
        return render(
            request,
            "map.html",
            boxes=boxes,
            threads=self._threads({box.name: box for row in boxes for box in row}, flows, calls),
            width=WIDTH,
            height=_below(of_packs) - BETWEEN_KINDS + 8,
            box_height=BOX_HEIGHT,
            packs=packs,
            flows=flows,
            lines=release.lines,
            own=_own(release.lines.values()),
            points=Counter(point.pack for point in release.points.values()),
            calls=calls.total(),
        )

    async def _calls(self) -> Counter[tuple[str, str]]:
        seen: Counter[tuple[str, str]] = Counter()
        for (front_end, name), tally in (await self._traffic.of()).items():
            seen[front_end, name.partition(".")[0]] += tally.calls
        return seen

    def _line_notes(self, calls: Counter[tuple[str, str]]) -> dict[str, str]:
        by_line: Counter[str] = Counter()
        for (code, _), count in calls.items():
            by_line[code] += count
        return {code: mark(f"{by_line[code]:,} calls") for code in self._client.release.lines}

    def _threads(self, boxes: dict[str, Box], flows: dict[str, Pack], calls: Counter[tuple[str, str]]) -> list[Thread]:
        """Return a line for each front end and what it uses, and for each flow and the packs that it is made of."""
        found: Counter[tuple[str, str]] = Counter()
        for code, line in self._client.release.lines.items():
            for pack in {name.partition(".")[0] for name in line.permitted}:
                if pack in flows or calls[code, pack]:
                    found[code, pack] = calls[code, pack]
        for name, flow in flows.items():
            through = sum(count for (_, pack), count in calls.items() if pack == name)
            for part in {part.pack for one in flow.capabilities().values() for part in one.uses}:
                if part in boxes and part != name:
                    found[name, part] = through
        most = max(found.values(), default=0) or 1
        return [
            _thread(boxes[one], boxes[other], count, most)
            for (one, other), count in sorted(found.items(), key=lambda pair: pair[1])
            if one in boxes and other in boxes
        ]


def _thread(one: Box, other: Box, calls: int, most: int) -> Thread:
    top, bottom = one.y + BOX_HEIGHT, other.y
    middle = (top + bottom) / 2
    return Thread(
        path=f"M{one.x},{top} C{one.x},{middle:.0f} {other.x},{middle:.0f} {other.x},{bottom}",
        width=round(1.2 + (THICK_MAX - 1.2) * (calls / most) ** 0.5, 1) if calls else 1.2,
        calls=calls,
        title=mark(f"{one.name} → {other.name}: {calls:,} calls"),
    )


def _placed(names: list[str], y: int, href: str, notes: dict[str, str]) -> list[Box]:
    """Place names evenly over the width of the map, in as many rows as they need to be read.

    Every other row is half a step to the right: the lines to it pass between the boxes above.
    """
    width = max(LEAST_WIDTH, LETTER * max((len(name) for name in names), default=0) + 4) + APART
    rows = math.ceil(len(names) / int(WIDTH / width - 0.5)) if len(names) * width > WIDTH else 1
    many = math.ceil(max(len(names), 1) / rows)
    step = WIDTH / (many + (rows > 1) / 2)
    return [
        Box(
            name=name,
            x=round(step * (at % many + 0.5 + at // many % 2 / 2)),
            y=y + at // many * (BOX_HEIGHT + BETWEEN_ROWS),
            width=min(WIDEST, round(step - APART)),
            note=notes.get(name, ""),
            href=href + name + "." * href.endswith("="),
        )
        for at, name in enumerate(sorted(names))
    ]


def _below(boxes: list[Box]) -> int:
    """Return where the next kind of boxes begins."""
    return max((box.y for box in boxes), default=TOP_Y) + BOX_HEIGHT + BETWEEN_KINDS


def _is_flow(pack: Pack) -> bool:
    return any(capability.uses for capability in pack.capabilities().values())


def _size(pack: Pack) -> str:
    return mark(f"{len(pack.capabilities())} capabilities")


def _own(lines: Any) -> dict[tuple[str, str], int]:
    """Return how many points of each pack each front end answers itself, products included."""
    found: dict[tuple[str, str], int] = {}
    for line in lines:
        found |= _own_of(line)
    return found


def _own_of(line: CompiledFrontEnd) -> dict[tuple[str, str], int]:
    answered = {point.name for node in line.nodes for point, found in node.candidates.items() if found.answers}
    counted = Counter(name.partition(".")[0] for name in answered)
    return {(line.front_end.code, pack): count for pack, count in counted.items()}
