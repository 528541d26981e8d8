"""The facade before a venture: each operation is answered by the venture, or by the platform, as it is switched.

    somebody ──▶ facade ──own──────▶ venture
                        ──shadow───▶ venture, and the platform beside it: compared, and not shown
                        ──platform─▶ capability at the venture's seat, in the venture's words

Whatever is not mapped goes through. Where the platform is not there, what reads is answered by the venture.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, cast
from urllib.parse import parse_qsl

import httpx

from isthmus.kernel import Caller, Platform, errors
from isthmus.packs.venture import api as venture

from . import joining
from .mapping import Joining, Operation

log = logging.getLogger("isthmus.ventures")

LOOKS_EVERY_S: Final = 1.0
ANSWERS_WITHIN_S: Final = 30.0
BODY_MAX: Final = 1_000_000
SHADOWED_MAX: Final = 4  # comparisons at once: what comes beyond is answered, and not compared
STATUS: Final = (
    (errors.BadAsk, 400), (errors.NotAuthenticated, 401), (errors.NotPermitted, 403), (errors.NotFound, 404),
    (errors.TooMany, 429), (errors.Refusal, 409),
)  # fmt: skip
HOP: Final = (
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding",
    "upgrade", "host",
)  # fmt: skip

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Facade:
    """An ASGI application before one venture."""

    def __init__(self, platform: Platform, charter: venture.Charter, mapping: Joining) -> None:
        self.platform = platform
        self.charter = charter
        self.http = httpx.AsyncClient(base_url=charter.url, timeout=ANSWERS_WITHIN_S, follow_redirects=False)
        self.by_http = {one.http: (name, one) for name, one in mapping.operations.items() if one.http}
        self.answered_by: dict[str, str] = {}
        self._looked = float("-inf")
        self._shadows: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = b""
        more = True
        while more:
            part = await receive()
            body += part.get("body", b"")
            more = part.get("more_body", False)
            if len(body) > BODY_MAX:
                await _send(send, 413, {"error": f"a body of more than {BODY_MAX} bytes is not read"})
                return
        await self._look()
        name, chosen = self.by_http.get(f"{scope['method']} {scope['path']}", ("", joining.UNMAPPED))
        by = self.answered_by.get(name, "own") if name else "own"
        if by == "platform" and await self._by_platform(chosen, scope, body, send):
            return
        reply = await self._by_venture(scope, body, send)
        if by == "shadow" and reply is not None and reply.is_success and joining.reads(self.platform, chosen):
            self._compare(name, chosen, scope, body, reply)

    async def settled(self) -> None:
        """Wait until what is in the shadow is compared."""
        await asyncio.gather(*self._shadows)

    async def close(self) -> None:
        await self.settled()
        await self.http.aclose()

    async def _look(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._looked < LOOKS_EVERY_S:
            return
        self._looked = now
        found = await self.platform.call(venture.list_operations, venture.ListOperations(), self._caller())
        self.answered_by = {one.operation: one.answered_by for one in found.items}

    def _caller(self) -> Caller:
        return Caller(front_end=self.charter.code, client="facade", via="cli")

    async def _by_venture(self, scope: dict[str, Any], body: bytes, send: Send) -> httpx.Response | None:
        query = f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else ""
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        try:
            reply = await self.http.request(
                scope["method"], scope["path"] + query, content=body,
                headers=[(name, value) for name, value in headers if name not in HOP],
            )  # fmt: skip
        except httpx.HTTPError as wrong:
            await _send(send, 502, {"error": f"{self.charter.name} does not answer: {type(wrong).__name__}"})
            return None
        kept = [
            (name.encode("latin-1"), value.encode("latin-1"))
            for name, value in reply.headers.multi_items()
            if name not in HOP and name not in ("content-length", "content-encoding")
        ]
        kept.append((b"content-length", str(len(reply.content)).encode()))
        await send({"type": "http.response.start", "status": reply.status_code, "headers": kept})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else reply.content})
        return reply

    async def _by_platform(self, chosen: Operation, scope: dict[str, Any], body: bytes, send: Send) -> bool:
        """Answer by the capability; False where the venture has to, as the platform is not there."""
        does_read = joining.reads(self.platform, chosen)
        who: dict[str, Any] = {}
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if not does_read:
            known = await self.http.get(self.charter.obligations.who, headers=_signed_in(headers))
            if not known.is_success:
                await _send(send, 401, {"error": "Please sign in first."})
                return True
            who = known.json()
        key = headers.get("idempotency-key") or f"facade-{secrets.token_hex(16)}"
        try:
            given = _ask_of(scope, body)
            said = await joining.asked(self.platform, self.charter.code, chosen, given, "" if does_read else key, who)
        except errors.Refusal as refused:
            status = next(status for kind, status in STATUS if isinstance(refused, kind))
            await _send(send, status, {"error": refused.message, "slug": refused.slug})
            return True
        except errors.IsthmusError as wrong:
            if does_read:
                log.warning("%s answers by itself: %s", self.charter.code, wrong)
                return False
            await _send(send, 503, {"error": "This cannot be taken just now. Please try again in a moment."})
            return True
        await _send(send, 200 if does_read else 201, said)
        return True

    def _compare(self, name: str, chosen: Operation, scope: dict[str, Any], body: bytes, reply: httpx.Response) -> None:
        if len(self._shadows) >= SHADOWED_MAX:
            return
        task = asyncio.create_task(self._compared(name, chosen, scope, body, reply))
        self._shadows.add(task)
        task.add_done_callback(self._shadows.discard)

    async def _compared(
        self, name: str, chosen: Operation, scope: dict[str, Any], body: bytes, reply: httpx.Response
    ) -> None:
        try:
            call = joining.Recorded(number=0, operation=name, ask=_ask_of(scope, body), answer=reply.json())
            differs = await joining.difference(self.platform, self.charter.code, chosen, call)
            noted = venture.NoteCompared(operation=name, compared=1, agreed=int(not differs), differs=differs[:400])
            await self.platform.call(venture.note_compared, noted, self._caller())
        except (errors.IsthmusError, ValueError) as wrong:
            log.warning("%s of %s was not compared: %s", name, self.charter.code, wrong)


def _ask_of(scope: dict[str, Any], body: bytes) -> dict[str, Any]:
    """Return what was asked: the query, and what the body says, as JSON or as a form."""
    found: dict[str, Any] = dict(parse_qsl(scope["query_string"].decode("latin-1")))
    kind = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    if kind.startswith(b"application/json") and body:
        try:
            said = json.loads(body)
        except ValueError:
            raise errors.BadAsk("the body is no JSON", remedy="send an object", path="$") from None
        found |= cast("dict[str, Any]", said) if isinstance(said, dict) else {}
    elif body:
        found |= dict(parse_qsl(body.decode("utf-8", "replace")))
    return found


def _signed_in(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name in ("authorization", "cookie")}


async def _send(send: Send, status: int, said: Any) -> None:
    body = json.dumps(said).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
