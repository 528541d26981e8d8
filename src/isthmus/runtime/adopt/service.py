"""Call an HTTP service that was there before: one deadline, retries for what is safe, a breaker, secrets by name."""

from __future__ import annotations

import asyncio
import base64
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import msgspec

from isthmus.kernel import errors
from isthmus.later import later
from isthmus.manifest import Secret
from isthmus.manifest.public_addresses import PrivateAddress

from .request import Operation, Query, filled

if TYPE_CHECKING:
    import httpx
else:
    httpx = later("httpx")

TRIES_MAX = 3  # of what is safe to repeat, within the call's deadline
WAIT_S = 0.1  # before the second try, twice as long before the third
FAILURES_MAX = 5  # in a row: then the service is left alone …
REST_S = 10.0  # … for so long, and one call finds out whether it is back
ANSWER_BYTES_MAX = 8 << 20
EVERYONE = ""  # whose breaker opens where nobody listens at the address


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
    """How calls are signed: the kind, the header or parameter, and the secret, or the variable that has it."""

    kind: str  # "bearer", "basic", "header", "query" or "none"
    name: str = ""
    secret: str | Secret = ""

    @property
    def kept(self) -> str:
        """Return the name of the secret."""
        return self.secret.name if isinstance(self.secret, Secret) else self.secret

    def signed(self, headers: dict[str, str], query: Query) -> None:
        """Add the credential. Raises ServiceDown where its variable is not set."""
        if self.kind == "none":
            return
        value = self.secret.reveal() if isinstance(self.secret, Secret) else os.environ.get(self.secret)
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


@dataclass(slots=True)
class _Breaker:
    """Failures in a row, and until when nobody is let through for them."""

    failures: int = 0
    rests_until: float = 0.0

    def failed(self, now: float) -> None:
        self.failures += 1
        if self.failures >= FAILURES_MAX:
            self.rests_until = now + REST_S


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What the service answered, read within the limit."""

    status: int
    content: bytes


@dataclass(slots=True)
class Service:
    """A service at an address.

    Where nobody listens at it, it is left alone for everyone. Where it listens and fails, for those whose calls fail:
    what one front end asks may break it, and then another's calls go on.
    """

    name: str
    url: str
    auth: Auth
    clock: Callable[[], float] = time.monotonic
    _breakers: dict[str, _Breaker] = field(default_factory=dict[str, _Breaker])  # by front end; `""` is everyone
    _clients: dict[asyncio.AbstractEventLoop, httpx.AsyncClient] = field(
        default_factory=dict[asyncio.AbstractEventLoop, "httpx.AsyncClient"]
    )

    async def call(
        self, operation: Operation, ask: Mapping[str, Any], key: str, limit_s: float, front_end: str
    ) -> bytes:
        """Send an ask of a front end and return the answer's body.

        Raises ServiceRefused, NotThere, InTheWay, ServiceDown, and CannotCarry for a value that cannot be sent.
        """
        request = self._request(operation, ask, key)
        ends = self.clock() + limit_s
        for again in range(TRIES_MAX if operation.is_safe else 1):
            self._check_rest(front_end)
            if again:
                await asyncio.sleep(min(WAIT_S * 2 ** (again - 1), max(0.0, ends - self.clock())))
            left = ends - self.clock()
            if left <= 0:
                break
            if (answer := await self._tried(request, left, front_end)) is not None:
                return self._body(answer)
        raise ServiceDown(
            f"{self.name} gave no answer to {operation.method} {operation.path}", remedy="try again later"
        )

    async def _tried(self, request: httpx.Request, left: float, front_end: str) -> _Answer | None:
        """Return the service's answer, or nothing where it failed; whose failure it was is counted."""
        try:
            answer = await self._sent(request, left)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            self._breaker(EVERYONE).failed(self.clock())
            return None
        except PrivateAddress as wrong:
            raise ServiceDown(
                f"{self.name} is not called: {wrong}", remedy="fix its name, or write its address into the settings"
            ) from None
        except (httpx.LocalProtocolError, httpx.UnsupportedProtocol) as wrong:  # nothing was sent
            raise ServiceDown(
                f"{request.method} {request.url.path} cannot be sent to {self.name}: {wrong}",
                remedy="fix its document or its url",
            ) from None
        except (httpx.HTTPError, OSError, TimeoutError):
            self._breaker(front_end).failed(self.clock())
            return None
        self._breaker(EVERYONE).failures = 0
        if answer.status >= 500:
            self._breaker(front_end).failed(self.clock())
            return None
        self._breaker(front_end).failures = 0
        return answer

    def _breaker(self, whose: str) -> _Breaker:
        return self._breakers.setdefault(whose, _Breaker())

    def _check_rest(self, front_end: str) -> None:
        now = self.clock()
        for whose in (EVERYONE, front_end):
            found = self._breaker(whose)
            if found.failures >= FAILURES_MAX and now < found.rests_until:
                calls = "in a row" if whose == EVERYONE else f"in a row for calls of {front_end!r}"
                raise ServiceDown(
                    f"{self.name} failed {found.failures} times {calls} and is left alone",
                    remedy="try again in some seconds",
                    retry_after_s=max(1, round(found.rests_until - now)),
                )

    def _request(self, operation: Operation, ask: Mapping[str, Any], key: str) -> httpx.Request:
        found = filled(operation, ask)
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", **found.headers}
        if not operation.is_safe:
            headers["Idempotency-Key"] = key
        if found.content is not None:
            headers["Content-Type"] = "application/json"
        self.auth.signed(headers, found.query)
        url = f"{self.url.rstrip('/')}{found.path}"
        try:
            return httpx.Request(
                operation.method, url, params=found.query, headers=headers, content=found.content, data=found.form
            )
        except httpx.InvalidURL as wrong:
            raise errors.BadAsk(f"the ask makes no address: {wrong}", remedy="send shorter values", path="$") from None

    async def _sent(self, request: httpx.Request, left: float) -> _Answer:
        async with asyncio.timeout(left):
            response = await self._client().send(request, stream=True)
            try:
                return _Answer(status=response.status_code, content=await self._read(response))
            finally:
                await response.aclose()

    async def _read(self, response: httpx.Response) -> bytes:
        """Return the body, read no further than its limit; compressed, it could grow to any size."""
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise ServiceDown(f"{self.name} answers compressed, unasked", remedy="have it obey Accept-Encoding")
        found = bytearray()
        async for part in response.aiter_raw():
            found += part
            if len(found) > ANSWER_BYTES_MAX:
                raise ServiceDown(
                    f"{self.name} answered more than {ANSWER_BYTES_MAX} bytes", remedy="ask for less at once"
                )
        return bytes(found)

    def _client(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            self._clients = {known: one for known, one in self._clients.items() if not known.is_closed()}
            from urllib.request import getproxies  # here: both bring clients of their own

            from isthmus.manifest.public_connections import to_own_networks

            transport = None if getproxies() else to_own_networks()  # a proxy says itself where it leads
            self._clients[loop] = httpx.AsyncClient(timeout=None, follow_redirects=False, transport=transport)
        return self._clients[loop]

    def _body(self, answer: _Answer) -> bytes:
        if answer.status < 300:
            return answer.content
        if answer.status in (401, 403):
            raise ServiceDown(
                f"{self.name} does not take our credential ({answer.status})", remedy=f"check {self.auth.kept}"
            )
        if answer.status < 400:
            raise ServiceDown(f"{self.name} redirects ({answer.status})", remedy="adopt it at the address it has")
        kind = {404: NotThere, 409: InTheWay}.get(answer.status, ServiceRefused)
        detail, path = _problem(answer.content)
        raise kind(
            f"{self.name} refuses ({answer.status}): {detail}",
            remedy="change what it names, and send it again",
            path=path,
            status_of_service=answer.status,
        )


def _problem(content: bytes) -> tuple[str, str | None]:
    """Return what a refusal says, and where; problem documents and the usual words are understood."""
    try:
        found: Any = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return content[:200].decode("utf-8", "replace") or "without a word", None
    if isinstance(found, dict):
        fields = cast("dict[str, Any]", found)
        for name in ("detail", "message", "error", "title"):
            if isinstance(fields.get(name), str):
                path = fields.get("path")
                return str(fields[name])[:500], path if isinstance(path, str) and path.startswith("$") else None
    return msgspec.json.encode(found)[:200].decode("utf-8", "replace"), None
