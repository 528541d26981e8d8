"""What the gateway answers beside calls: health, readiness, traced calls, API documents, problems explained."""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Awaitable, Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from isthmus.kernel import Platform, errors
from isthmus.kernel.host import CompiledFrontEnd

from .auth import Principal
from .documents import asyncapi, docs, openapi
from .ready import Readiness
from .telemetry.traces import TraceStore
from .wire.problem import NoSuchPath, status_of, title_of

JSON: Final = b"application/json"
HTML: Final = b"text/html; charset=utf-8"
FORMS: Final = {"": "html", "openapi.json": "json", "asyncapi.json": "events"}  # of documents, by file
DOCUMENTS_MAX: Final = 256  # kept ready: front ends, and sets of scopes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What is sent back."""

    status: int = 200
    content_type: bytes = JSON
    body: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Something to GET; `show` is given the client, or None where the page is open to all."""

    show: Callable[[Principal | None], Awaitable[Reply]]
    is_open: bool = True


class Pages:
    """Finds the page at a path."""

    def __init__(
        self, platform: Platform, traces: TraceStore, readiness: Readiness, mounted: Callable[[], Collection[str]]
    ) -> None:
        self._platform = platform
        self._mounted = mounted
        self._traces = traces
        self._readiness = readiness
        self._exact = {
            "/health": Page(show=self._health),
            "/ready": Page(show=self._ready),
            "/docs": Page(show=self._front_ends),
            "/v1/openapi.json": Page(show=self._own_document, is_open=False),
            "/v1/asyncapi.json": Page(show=self._own_events, is_open=False),
        }
        self._below = {
            "/docs/": (self._docs, True),
            "/problems/": (self._problem, True),
            "/v1/calls/": (self._trace, False),
        }
        self._documents: dict[tuple[str, tuple[str, ...] | None, str], tuple[CompiledFrontEnd, bytes]] = {}

    def find(self, path: str) -> Page | None:
        """Return the page at a path; whether what it is to show exists turns out when it is shown."""
        if found := self._exact.get(path):
            return found
        for prefix, (show, is_open) in self._below.items():
            if path.startswith(prefix) and len(path) > len(prefix):
                return Page(show=functools.partial(show, path[len(prefix) :]), is_open=is_open)
        return None

    async def _health(self, _: Principal | None) -> Reply:
        return Reply(body=b'{"status":"up"}')

    async def _ready(self, _: Principal | None) -> Reply:
        await self._readiness.check()
        return Reply(body=b'{"status":"ready"}')

    async def _front_ends(self, _: Principal | None) -> Reply:
        return _html(docs.front_ends(self._platform.release))

    async def _own_document(self, client: Principal | None) -> Reply:
        if client is None:
            raise errors.Fault("an API document without a client", remedy="keep this page closed")
        return Reply(body=self._document(client.front_end, client.scopes, "json"))

    async def _own_events(self, client: Principal | None) -> Reply:
        if client is None:
            raise errors.Fault("an API document without a client", remedy="keep this page closed")
        return Reply(body=self._document(client.front_end, None, "events"))

    async def _docs(self, rest: str, _: Principal | None) -> Reply:
        code, _slash, file = rest.partition("/")
        if code not in self._platform.release.lines or file not in FORMS:
            raise NoSuchPath(f"there is nothing at /docs/{rest}", remedy="see /docs", path=f"/docs/{rest}")
        found = self._document(code, None, FORMS[file])
        return Reply(body=found) if file else _html(found)

    async def _trace(self, call_id: str, client: Principal | None) -> Reply:
        if client is None:
            raise errors.Fault("a trace without a client", remedy="keep this page closed")
        return Reply(body=await self._traces.find(call_id, client))

    async def _problem(self, slug: str, _: Principal | None) -> Reply:
        kind = next((kind for kind in self._kinds() if kind.slug == slug), None)
        if kind is None:
            raise NoSuchPath(f"no problem is called {slug!r}", remedy="see /docs", path=f"/problems/{slug}")
        offered = self._platform.release.offered.values()
        refusing = [one.capability.name for one in offered if kind in one.capability.raises]
        return _html(docs.problem(slug, title_of(kind), status_of(kind), kind.__doc__ or "", refusing))

    def _kinds(self) -> Iterator[type[errors.IsthmusError]]:
        for offered in self._platform.release.offered.values():
            yield from offered.capability.raises
        yield from _kinds_below(errors.IsthmusError)

    def _document(self, code: str, scopes: tuple[str, ...] | None, form: str) -> bytes:
        """Return an API document of a front end, made once for each release of it."""
        release = self._platform.release
        line = release.line(code)
        kept = self._documents.get((code, scopes, form))
        if kept is not None and kept[0] is line:
            return kept[1]
        if form == "events":
            made = msgspec.json.encode(asyncapi.document(release, code))
        else:
            document = openapi.document(release, code, scopes, self._mounted())
            made = msgspec.json.encode(document) if form == "json" else docs.page(code, document)
        if len(self._documents) >= DOCUMENTS_MAX:
            self._documents.clear()
        self._documents[code, scopes, form] = (line, made)
        return made


def _kinds_below(kind: type[errors.IsthmusError]) -> Iterator[type[errors.IsthmusError]]:
    yield kind
    for inner in kind.__subclasses__():
        yield from _kinds_below(inner)


def _html(page: bytes) -> Reply:
    """Send a page that may load nothing from anywhere and run only the script that it came with."""
    policy = b"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-%s'; frame-ancestors 'none'"
    headers = (
        (b"content-security-policy", policy % _script_hash()),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
    )
    return Reply(content_type=HTML, body=page, headers=headers)


@functools.cache
def _script_hash() -> bytes:
    return base64.b64encode(hashlib.sha256(docs.script().encode()).digest())
