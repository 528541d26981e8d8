"""Find anything: one box at the top of every page, and the page of whatever was meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from isthmus.kernel import errors
from isthmus.pages import Found

from .. import words
from ..brought import Find
from ..client import Client
from ..web import Page, redirect, render
from .calls import Traces

EACH_MAX = 12  # of one kind: more is a page of its own


class Search:
    """The search over everything that has a page."""

    def __init__(self, client: Client, traces: Traces, metrics: Mapping[str, str], searches: Sequence[Find]) -> None:
        self._client = client
        self._traces = traces
        self._metrics = metrics
        self._searches = searches

    def pages(self) -> list[Page]:
        return [Page("/find", "", self.find)]

    async def find(self, request: Request) -> Response:
        text = request.query_params.get("q", "").strip()
        hits = [*self._names(text.lower()), *await self._things(text)] if text else []
        if len(hits) == 1:
            return redirect(request, hits[0].path)
        return render(request, "find.html", text=text, hits=hits)

    def _names(self, text: str) -> Iterator[Found]:
        """Go through what the release declares: front ends, capabilities, points, packs, metrics."""
        release = self._client.release
        for code, line in sorted(release.lines.items()):
            if text in f"{code} {line.front_end.name}".lower():
                yield Found("front end", line.front_end.name, f"/front-ends/{code}", line.front_end.owner)
        named = [name for name in sorted(release.offered) if text in name]
        for name in named[:EACH_MAX]:
            yield Found("capability", name, f"/capabilities/{name}", words.first(release.offered[name].capability.doc))
        first = next(iter(sorted(release.lines)), "")
        for name in [one for one in sorted(release.points) if text in one][:EACH_MAX] if first else []:
            yield Found(
                "extension point",
                name,
                f"/front-ends/{first}/points/{name}",
                words.first(release.points[name].doc),
            )
        for name in [one for one in sorted(self._metrics) if text in one][:EACH_MAX]:
            yield Found("metric", name, f"/metrics?metrics={name}&grain=month", words.first(self._metrics[name]))

    async def _things(self, text: str) -> list[Found]:
        """Return what packs know by the text, and the call that has it as its id, each found whole."""
        codes = sorted(self._client.release.lines)
        hits = [hit for code in codes for find in self._searches for hit in await find(text, code, self._client)]
        return [*hits, *await self._call(text)]

    async def _call(self, text: str) -> list[Found]:
        try:
            UUID(text)
            await self._traces.open(text)
        except (ValueError, errors.NotFound):
            return []
        return [Found("call", text, f"/calls/{text}")]
