"""Find anything: one box at the top of every page, and the page of whatever was meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from isthmus.kernel import errors
from isthmus.values import whole_number

from . import words
from .calls import Told
from .client import Client
from .web import Page, redirect, render

EACH_MAX = 12  # of one kind: more is a page of its own


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Something that fits: what kind of thing it is, its name, where it is, and a word on it."""

    kind: str
    name: str
    path: str
    note: str = ""


class Search:
    """The search over everything that has a page."""

    def __init__(self, client: Client, told: Told, metrics: Mapping[str, str]) -> None:
        self._client = client
        self._told = told
        self._metrics = metrics

    def pages(self) -> list[Page]:
        return [Page("/find", "", self.find)]

    async def find(self, request: Request) -> Response:
        text = request.query_params.get("q", "").strip()
        hits = [*self._names(text.lower()), *await self._things(text)] if text else []
        if len(hits) == 1:
            return redirect(request, hits[0].path)
        return render(request, "find.html", text=text, hits=hits)

    def _names(self, text: str) -> Iterator[SearchResult]:
        """Go through what the release declares: front ends, capabilities, points, packs, metrics."""
        release = self._client.release
        for code, line in sorted(release.lines.items()):
            if text in f"{code} {line.front_end.name}".lower():
                yield SearchResult("front end", line.front_end.name, f"/front-ends/{code}", line.front_end.owner)
        named = [name for name in sorted(release.offered) if text in name]
        for name in named[:EACH_MAX]:
            yield SearchResult(
                "capability", name, f"/capabilities/{name}", words.first(release.offered[name].capability.doc)
            )
        first = next(iter(sorted(release.lines)), "")
        for name in [one for one in sorted(release.points) if text in one][:EACH_MAX] if first else []:
            yield SearchResult(
                "extension point", name, f"/front-ends/{first}/points/{name}", words.first(release.points[name].doc)
            )
        for name in [one for one in sorted(self._metrics) if text in one][:EACH_MAX]:
            yield SearchResult("metric", name, f"/metrics?metrics={name}&grain=month", words.first(self._metrics[name]))

    async def _things(self, text: str) -> list[SearchResult]:
        """Return orders, members, stocks and calls that are known by the text, each found whole."""
        hits: list[SearchResult] = []
        client = self._client
        number = text.lstrip("#")
        for code in sorted(client.release.lines):
            if whole_number(number, 0, 10**15) is not None:
                page = await client.find(code, "order.list-orders", {"number": number, "limit": EACH_MAX})
                for one in (page or {"items": []})["items"]:
                    hits.append(SearchResult("order", f"#{one['number']}", f"/orders/{code}/{one['order_id']}", code))
            if "@" in text:
                member = await client.find(code, "member.find-member", {"kind": "email", "value": text})
                if member:
                    hits.append(SearchResult("member", text, f"/members/{code}/{member['member_id']}", code))
            stock = await client.find(code, "inventory.list-stock", {"sku": text, "limit": 1})
            if stock and stock["items"]:
                hits.append(SearchResult("stock", text, f"/stock/{code}/{quote(text)}", code))
        return [*hits, *await self._by_id(text)]

    async def _by_id(self, text: str) -> list[SearchResult]:
        try:
            UUID(text)
        except ValueError:
            return []
        hits: list[SearchResult] = []
        for code in sorted(self._client.release.lines):
            if await self._client.find(code, "order.get-order", {"order_id": text}):
                hits.append(SearchResult("order", text, f"/orders/{code}/{text}", code))
            if await self._client.find(code, "member.get-member", {"member_id": text}):
                hits.append(SearchResult("member", text, f"/members/{code}/{text}", code))
        try:
            await self._told.open(text)
        except errors.NotFound:
            return hits
        return [*hits, SearchResult("call", text, f"/calls/{text}")]
