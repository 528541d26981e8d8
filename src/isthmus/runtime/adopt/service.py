"""Call an HTTP service that was there before: one deadline, retries for what is safe, a breaker, secrets by name."""

from __future__ import annotations

import asyncio
import base64
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast
from urllib.parse import quote

import httpx
import msgspec

from isthmus.kernel import errors

TRIES_MAX = 3  # of what is safe to repeat, within the call's deadline
WAIT_S = 0.1  # before the second try, twice as long before the third
FAILURES_MAX = 5  # in a row: then the service is left alone …
REST_S = 10.0  # … for so long, and one call finds out whether it is back
ANSWER_BYTES_MAX = 8 << 20


class ServiceRefused(errors.RuleBroken):
    """The service behind the capability refuses."""

    slug = "adopted.service-refused"


class NotThere(errors.NotFound):
    """The service behind the capability does not know what was asked for."""

    slug = "adopted.not-there"


class InTheWay(errors.Conflict):
    """The service behind the capability finds it in conflict with what it has."""

    slug = "adopted.in-the-way"


class ServiceDown(errors.Unavailable):
    """The service behind the capability does not answer as it should."""

    slug = "adopted.service-down"


@dataclass(frozen=True, slots=True, kw_only=True)
class Auth:
    """How calls are signed: the kind, the header or parameter, and the environment variable that has the secret."""

    kind: str  # "bearer", "basic", "header", "query" or "none"
    name: str = ""
    secret: str = ""

    def signed(self, headers: dict[str, str], query: dict[str, str | list[str]]) -> None:
        """Add the credential. Raises ServiceDown where its variable is not set."""
        if self.kind == "none":
            return
        value = os.environ.get(self.secret)
        if value is None:
            raise ServiceDown(f"the variable {self.secret} is not set", remedy=f"set {self.secret} and start again")
        if self.kind == "bearer":
            headers["Authorization"] = f"Bearer {value}"
        elif self.kind == "basic":
            headers["Authorization"] = f"Basic {base64.b64encode(value.encode()).decode()}"
        elif self.kind == "header":
            headers[self.name] = value
        else:
            query[self.name] = value


Body = Literal["json", "form", ""]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of the service, as its document has it; `places` says where each field of an ask goes.

    `joined` are the parameters whose values stand in one text with commas; of others, each is a parameter of its own.
    """

    method: str
    path: str
    places: Mapping[str, str]  # field on the wire → "path", "query" or "header"; the body is what is left
    joined: frozenset[str]
    body: Body
    is_wrapped: bool  # True where the answer is no object: it stands in `value`

    @property
    def is_safe(self) -> bool:
        return self.method in ("GET", "HEAD")


@dataclass(slots=True)
class Service:
    """A service at an address. One breaker for all of it: it is one thing that is down or not."""

    name: str
    url: str
    auth: Auth
    clock: Callable[[], float] = time.monotonic
    _failures: int = 0
    _rests_until: float = 0.0
    _clients: dict[asyncio.AbstractEventLoop, httpx.AsyncClient] = field(
        default_factory=dict[asyncio.AbstractEventLoop, httpx.AsyncClient]
    )

    async def call(self, operation: Operation, ask: Mapping[str, Any], key: str, limit_s: float) -> bytes:
        """Send an ask and return the answer's body. Raises ServiceRefused, NotThere, InTheWay or ServiceDown."""
        request = self._request(operation, ask, key)
        ends = self.clock() + limit_s
        for again in range(TRIES_MAX if operation.is_safe else 1):
            if self._failures >= FAILURES_MAX and self.clock() < self._rests_until:
                raise ServiceDown(
                    f"{self.name} failed {self._failures} times in a row and is left alone",
                    remedy="try again in some seconds",
                    retry_after_s=max(1, round(self._rests_until - self.clock())),
                )
            if again:
                await asyncio.sleep(min(WAIT_S * 2 ** (again - 1), max(0.0, ends - self.clock())))
            left = ends - self.clock()
            if left <= 0:
                break
            try:
                answer = await self._sent(request, left)
            except (httpx.HTTPError, OSError, TimeoutError):
                self._failed()
                continue
            if answer.status_code < 500:
                self._failures = 0
                return self._body(answer)
            self._failed()
        raise ServiceDown(
            f"{self.name} gave no answer to {operation.method} {operation.path}", remedy="try again later"
        )

    def _failed(self) -> None:
        self._failures += 1
        if self._failures >= FAILURES_MAX:
            self._rests_until = self.clock() + REST_S

    def _request(self, operation: Operation, ask: Mapping[str, Any], key: str) -> httpx.Request:
        path, query = operation.path, dict[str, str | list[str]]()
        headers = {"Accept": "application/json"}
        if not operation.is_safe:
            headers["Idempotency-Key"] = key
        rest: dict[str, Any] = {}
        for name, value in ask.items():
            place = operation.places.get(name)
            if place == "path":
                path = path.replace(f"{{{name}}}", quote(_text(value), safe=""))
            elif value is None and place in ("query", "header"):
                continue
            elif place == "query":
                query[name] = _texts(value) if name not in operation.joined else _text(value)
            elif place == "header":
                headers[name] = _text(value)
            else:
                rest[name] = value
        self.auth.signed(headers, query)
        content = form = None
        if operation.body == "json":
            headers["Content-Type"] = "application/json"
            content = msgspec.json.encode(rest.get("body", rest))
        elif operation.body == "form":
            form = {name: _texts(value) for name, value in rest.get("body", rest).items() if value is not None}
        return httpx.Request(
            operation.method, f"{self.url.rstrip('/')}{path}", params=query, headers=headers, content=content, data=form
        )

    async def _sent(self, request: httpx.Request, left: float) -> httpx.Response:
        async with asyncio.timeout(left):
            return await self._client().send(request)

    def _client(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            self._clients = {known: one for known, one in self._clients.items() if not known.is_closed()}
            self._clients[loop] = httpx.AsyncClient(timeout=None, follow_redirects=False)
        return self._clients[loop]

    def _body(self, answer: httpx.Response) -> bytes:
        if answer.status_code < 300:
            if len(answer.content) > ANSWER_BYTES_MAX:
                raise ServiceDown(f"{self.name} answered {len(answer.content)} bytes", remedy="ask for less at once")
            return answer.content
        if answer.status_code in (401, 403):
            raise ServiceDown(
                f"{self.name} does not take our credential ({answer.status_code})", remedy=f"check {self.auth.secret}"
            )
        if answer.status_code < 400:
            raise ServiceDown(f"{self.name} redirects ({answer.status_code})", remedy="adopt it at the address it has")
        kind = {404: NotThere, 409: InTheWay}.get(answer.status_code, ServiceRefused)
        detail, path = _told(answer.content)
        raise kind(
            f"{self.name} refuses ({answer.status_code}): {detail}",
            remedy="change what it names, and send it again",
            path=path,
            status_of_service=answer.status_code,
        )


def _texts(value: object) -> str | list[str]:
    return [*map(_text, cast("list[object]", value))] if isinstance(value, (list, tuple)) else _text(value)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return ",".join(map(_text, cast("list[object]", value)))
    return str(value)


def _told(content: bytes) -> tuple[str, str | None]:
    """Return what a refusal says, and where; problem documents and the usual words are understood."""
    try:
        found: Any = msgspec.json.decode(content)
    except msgspec.DecodeError:
        return content[:200].decode("utf-8", "replace") or "without a word", None
    if isinstance(found, dict):
        fields = cast("dict[str, Any]", found)
        for name in ("detail", "message", "error", "title"):
            if isinstance(fields.get(name), str):
                path = fields.get("path")
                return str(fields[name])[:500], path if isinstance(path, str) and path.startswith("$") else None
    return msgspec.json.encode(found)[:200].decode("utf-8", "replace"), None
