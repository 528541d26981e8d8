"""Metrics over HTTP: asked with the same API keys, answered from the lake, each front end its own rows only.

    POST /data/ask               a question in JSON → rows and their receipt, as JSON or as an Arrow stream (Accept)
    GET  /data/metrics?words=    the metrics in which all words occur, and how often this front end asked for each
    GET  /data/metrics/{name}    what a metric is made of, and what it may be grouped by
    GET  /data/receipts/{id}     what an answer was computed from

A key may ask where its scopes name `data.ask`; one without scopes may not. It sees rows of its own front end, and of
what belongs to the whole group; personal data leaves as pseudonyms, and numbers that fewer than five rows stand behind
are hidden. Policies say besides who may: `data.ask`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qs

from isthmus.data.answers import serve
from isthmus.data.platform import DataPlatform
from isthmus.data.privacy.policy import Policy, of_keys
from isthmus.kernel import Platform, encode, errors
from isthmus.manifest.actions import ASK, check

from .auth import Principal
from .wire.body import ClientGone, check_is_json, gone, read_body
from .wire.problem import CONTENT_TYPE, MethodNotAllowed, NoSuchPath, problem

SCOPE: Final = "data.ask"
QUESTION_BYTES_MAX: Final = 64 << 10
QUESTION_LIMIT_S: Final = 10.0

Admit = Callable[[bytes | None], Awaitable[Principal]]
Reply = tuple[bytes, bytes, list[tuple[bytes, bytes]]]  # content type, body, further headers


class MetricsService:
    """The ASGI application below `/data`. `admit` returns who a credential names, or refuses."""

    def __init__(self, platform: Platform, data: DataPlatform, admit: Admit) -> None:
        self._platform = platform
        self._data = data
        self._admit = admit
        self._policies: dict[str, Policy] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        call_id = self._platform.new_call_id()
        try:
            kind, body, headers = await self._answered(scope, receive)
            status = 200
        except ClientGone:
            return
        except Exception as error:
            found = problem(error, call_id)
            status, kind, body, headers = found.status, CONTENT_TYPE, found.body, list(found.headers)
        sent = [(b"content-type", kind), (b"isthmus-call", call_id.encode()), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": status, "headers": [*sent, *headers]})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _answered(self, scope: Any, receive: Any) -> Reply:
        headers: Mapping[bytes, bytes] = dict(scope["headers"])
        known = await self._admit(headers.get(b"authorization"))
        if known.scopes is None or not known.may(SCOPE):  # named, or not: a shop's own key is no analyst's
            raise errors.NotPermitted(
                f"client {known.name!r} may not ask for metrics", remedy=f"use a key whose scopes have {SCOPE!r}"
            )
        caller = known.caller("http", headers)
        await check(self._platform, caller, ASK)
        path = scope["path"].removeprefix("/data")
        if path == "/ask":
            self._check_method(scope, "POST")
            return await self._ask(known, headers, receive)
        self._check_method(scope, "GET")
        if path == "/metrics":
            words = parse_qs(scope["query_string"].decode("latin-1")).get("words", [""])[0]
            policy = self._policy(known)
            found = await asyncio.to_thread(serve.catalogue, self._data.metrics, policy, words)
            return b"application/json", found, []
        if path.startswith("/metrics/"):
            name = path.removeprefix("/metrics/")
            said = await asyncio.to_thread(serve.describe, self._data.metrics, self._policy(known), name)
            return b"application/json", said, []
        if path.startswith("/receipts/"):
            return b"application/json", self._receipt(known, path.removeprefix("/receipts/")), []
        raise NoSuchPath(f"there is nothing at {scope['path']}", remedy="ask /data/ask or /data/metrics", path=path)

    async def _ask(self, known: Principal, headers: Mapping[bytes, bytes], receive: Any) -> Reply:
        check_is_json(headers)
        body = await read_body(receive, headers, bytes_max=QUESTION_BYTES_MAX, limit_s=QUESTION_LIMIT_S)
        accept = headers.get(b"accept", b"").decode("latin-1")
        leaves = partial(gone, receive)
        reply = await serve.ask(self._data.metrics, self._policy(known), body, accept, known.name, leaves)
        further = [(name.encode(), value.encode()) for name, value in reply.headers]
        return reply.content_type.encode(), reply.body, further

    def _receipt(self, known: Principal, id: str) -> bytes:
        receipt = self._data.receipts.get(id)
        if receipt.policy != self._policy(known).name:
            raise errors.NotFound(
                f"there is no receipt {id!r} of front end {known.front_end!r}", remedy="ask with the key that asked"
            )
        return encode(receipt)

    def _policy(self, known: Principal) -> Policy:
        if known.front_end not in self._policies:
            self._policies[known.front_end] = of_keys(self._data.model, known.front_end)
        return self._policies[known.front_end]

    def _check_method(self, scope: Any, allowed: str) -> None:
        if scope["method"] != allowed and not (allowed == "GET" and scope["method"] == "HEAD"):
            raise MethodNotAllowed(scope["method"], scope["path"], allowed)
