"""Calls: one as a trace, and the latest of which a trace is kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Protocol, cast

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from isthmus.kernel import encode, errors
from isthmus.kernel.host import Trace
from isthmus.manifest.actions import READ_CALLS
from isthmus.pages import moment_of
from isthmus.runtime.replay import recorded
from isthmus.runtime.replay.latest import Wanted
from isthmus.runtime.replay.latest import latest as recorded_latest
from isthmus.store import Database

from ..client import Client
from ..web import Page, render

PAGE_SIZE: Final = 30
ASKED: Final = ("front_end", "capability", "outcome", "from", "until", "cursor")


class Traces(Protocol):
    """Where traces are kept. `latest` returns rows with call_id, front_end, capability, told_at, error, took_us."""

    async def keep(self, trace: Trace) -> None: ...
    async def open(self, call_id: str) -> bytes: ...
    async def latest(self, wanted: Wanted, cursor: str, limit: int) -> tuple[list[dict[str, Any]], str | None]: ...


class CallLog:
    """The traces that were asked for, and the calls that were recorded, as one."""

    def __init__(self, asked_for: Traces, database: Database) -> None:
        self._asked_for = asked_for
        self._database = database

    async def keep(self, trace: Trace) -> None:
        await self._asked_for.keep(trace)

    async def open(self, call_id: str) -> bytes:
        """Return a trace, or a recorded call, as JSON. Raises NotFound."""
        try:
            return await self._asked_for.open(call_id)
        except errors.NotFound as missing:
            try:
                return encode(await recorded.find(self._database, call_id))
            except errors.NotFound:
                raise missing from None

    async def latest(self, wanted: Wanted, cursor: str, limit: int) -> tuple[list[dict[str, Any]], str | None]:
        """Return the latest of both, each once, and the cursor of the next page: ids are in the order of time."""
        traces, _ = await self._asked_for.latest(wanted, cursor, limit + 1)
        kept = await recorded_latest(self._database, wanted, cursor, limit + 1)
        both = {str(one["call_id"]): one for one in (*kept, *traces)}
        ids = sorted(both, reverse=True)
        return [both[id] for id in ids[:limit]], ids[limit - 1] if len(ids) > limit else None


class Calls:
    """The pages of traced calls."""

    def __init__(self, client: Client, traces: Traces) -> None:
        self._client = client
        self._traces = traces

    def pages(self) -> list[Page]:
        return [
            Page("/calls", "Calls", self.list, group="Operate", action=READ_CALLS),
            Page("/calls/{call_id}", "", self.show, action=READ_CALLS),
        ]

    async def list(self, request: Request) -> Response:
        asked = {name: request.query_params.get(name, "").strip() for name in ASKED}
        wanted = Wanted(
            front_end=asked["front_end"],
            capability=asked["capability"],
            outcome=asked["outcome"],
            since=moment_of(request, "from"),
            until=moment_of(request, "until"),
        )
        found, next_cursor = await self._traces.latest(wanted, asked["cursor"], PAGE_SIZE)
        return render(
            request,
            "calls.html",
            found=found,
            next_cursor=next_cursor,
            asked=asked,
            codes=sorted(self._client.release.lines),
            names=sorted(self._client.release.offered),
        )

    async def show(self, request: Request) -> Response:
        trace = msgspec.json.decode(await self._traces.open(request.path_params["call_id"]))
        return render(request, "call.html", trace=trace, changes=list(_changes(trace["answer"])))


def plain(trace: Trace) -> dict[str, Any]:
    """Return a trace as JSON would hold it; what has no form in JSON is written as Python shows it."""
    return msgspec.to_builtins(trace, enc_hook=repr)


def _changes(value: Any, where: str = "") -> Iterator[dict[str, Any]]:
    """Go through all that changed an amount, wherever in the answer it stands."""
    if isinstance(value, Mapping):
        said = cast("Mapping[str, Any]", value)
        name = str(said.get("title") or said.get("sku") or where)
        for one in cast("list[dict[str, Any]]", said.get("applied") or []):
            if one.get("amount"):
                yield {**one, "where": name}
        for inner in said.values():
            yield from _changes(inner, name)
    elif isinstance(value, list):
        for inner in cast("list[Any]", value):
            yield from _changes(inner, where)
