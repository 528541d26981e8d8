"""The console's pages about what is there: the map, front ends, capabilities, the story of a call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from isthmus.kernel import Caller, Capability, Platform, errors
from isthmus.kernel.contract import json_schema
from isthmus.kernel.release import Candidate, Release
from isthmus.runtime.figures import Figures

from .web import Page, Templates


@dataclass(frozen=True, slots=True)
class Thread:
    """A line of the map: traffic between a front end and a pack."""

    path: str
    width: float
    title: str


class Pages:
    """Makes the pages; it reads the platform's release and figures, and calls it as a client does."""

    def __init__(self, platform: Platform, figures: Figures) -> None:
        self._platform = platform
        self._figures = figures
        self.templates = Templates(self.all())

    def all(self) -> list[Page]:
        """Return every page, in the order of the menu."""
        return [
            Page("/", "Map", self.map),
            Page("/front-ends", "Front ends", self.front_ends),
            Page("/front-ends/{code}", "", self.front_end),
            Page("/front-ends/{code}/points/{point}", "", self.point),
            Page("/capabilities", "Capabilities", self.capabilities),
            Page("/capabilities/{name}", "", self.capability),
            Page("/capabilities/{name}/try", "", self.attempt, ("POST",)),
        ]

    async def map(self, request: Request) -> Response:
        release = self._release
        tops = _spread(sorted(release.lines))
        bottoms = _spread(sorted(release.packs))
        return self.templates.render(
            request, "map.html", tops=tops, bottoms=bottoms, threads=self._threads(tops, bottoms), packs=release.packs
        )

    async def front_ends(self, request: Request) -> Response:
        cards = [
            {
                "line": line,
                "calls": sum(tally.calls for _, _, tally in self._figures.of(front_end=code)),
                "answers": sum(len(found.answers) for node in line.nodes for found in node.candidates.values()),
            }
            for code, line in sorted(self._release.lines.items())
        ]
        return self.templates.render(request, "front_ends.html", cards=cards)

    async def front_end(self, request: Request) -> Response:
        code = request.path_params["code"]
        line = self._release.line(code)
        points = [
            (name, self._release.explain(code, name))
            for name in sorted(self._release.points)
            if name in self._release.points
        ]
        calls = list(self._figures.of(front_end=code))
        return self.templates.render(
            request, "front_end.html", line=line, points=points, calls=calls, nodes=[node.code for node in line.nodes]
        )

    async def point(self, request: Request) -> Response:
        code, name = request.path_params["code"], request.path_params["point"]
        chosen = {key: value for key, value in request.query_params.items() if value}
        explanation = self._release.explain(code, name, chosen)
        dimensions = [
            (one.name, self._release.line(code).dimensions[one.name].values)
            for one in self._release.points[name].dimensions
        ]
        return self.templates.render(
            request,
            "point.html",
            code=code,
            point=self._release.points[name],
            found=explanation,
            dimensions=dimensions,
            fate_class=_fate_class,
        )

    async def capabilities(self, request: Request) -> Response:
        wanted = request.query_params.get("q", "").strip().lower()
        found = [
            (offered.capability, sum(tally.calls for _, _, tally in self._figures.of(capability=name)))
            for name, offered in sorted(self._release.offered.items())
            if wanted in name or wanted in offered.capability.doc.lower()
        ]
        return self.templates.render(request, "capabilities.html", found=found, wanted=wanted)

    async def capability(self, request: Request) -> Response:
        return self._capability(request, request.path_params["name"])

    async def attempt(self, request: Request) -> Response:
        """Call the capability with the ask that was typed in, and show the answer with its story."""
        name = request.path_params["name"]
        form = await request.form()
        front_end, body = str(form.get("front_end", "")), str(form.get("ask", ""))
        caller = Caller(front_end=front_end, client="console")
        try:
            answer, _ = await self._platform.call_wire(name, body.encode(), caller)
            reply = _pretty(answer)
        except errors.IsthmusError as refused:
            reply = f"{refused.slug}\n{refused}"
        return self._capability(request, name, ask=body, front_end=front_end, reply=reply)

    def _capability(
        self, request: Request, name: str, *, ask: str = "", front_end: str = "", reply: str = ""
    ) -> Response:
        found: Capability[Any, Any] = self._release.find(name).capability
        schemas, components = json_schema((found.ask, found.answer), "#/{name}")
        consumers = [code for code, line in sorted(self._release.lines.items()) if name in line.permitted]
        return self.templates.render(
            request,
            "capability.html",
            found=found,
            ask_schema=_shape(schemas[0], components),
            answer_schema=_shape(schemas[1], components),
            consumers=consumers,
            calls=list(self._figures.of(capability=name)),
            ask=ask,
            front_end=front_end or next(iter(consumers), ""),
            reply=reply,
        )

    def _threads(self, tops: dict[str, int], bottoms: dict[str, int]) -> list[Thread]:
        seen: dict[tuple[str, str], int] = {}
        for front_end, name, tally in self._figures.of():
            pack = name.partition(".")[0]
            seen[front_end, pack] = seen.get((front_end, pack), 0) + tally.calls
        for code, line in self._release.lines.items():
            for name in line.permitted:
                seen.setdefault((code, name.partition(".")[0]), 0)
        most = max(seen.values(), default=0) or 1
        return [
            Thread(
                path=f"M{tops[code]},96 C{tops[code]},190 {bottoms[pack]},190 {bottoms[pack]},284",
                width=1 + 9 * calls / most,
                title=f"{code} → {pack}: {calls:,} calls",
            )
            for (code, pack), calls in sorted(seen.items())
            if code in tops and pack in bottoms
        ]

    @property
    def _release(self) -> Release:
        return self._platform.release


def _spread(names: list[str]) -> dict[str, int]:
    """Place names evenly over a width of 1,200."""
    step = 1200 / max(len(names), 1)
    return {name: round(step * (at + 0.5)) for at, name in enumerate(names)}


def _fate_class(candidate: Candidate) -> str:
    if candidate.fate.startswith("behind"):
        return "warm"
    return "good" if candidate.fate == "answers" else ""


def _pretty(body: bytes) -> str:
    return msgspec.json.format(body, indent=2).decode()


def _shape(schema: dict[str, Any], components: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return (field, type, description) of an object's fields."""
    target = components.get(schema.get("$ref", "").removeprefix("#/"), schema)
    required = set(target.get("required", ()))
    return [
        (name, _type_name(one) + ("" if name in required else ", optional"), one.get("description", ""))
        for name, one in target.get("properties", {}).items()
    ]


def _type_name(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix("#/")
    if "anyOf" in schema:
        return " or ".join(_type_name(one) for one in schema["anyOf"] if one.get("type") != "null")
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_type_name(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type", "any"))
