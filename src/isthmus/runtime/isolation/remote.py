"""Answers over HTTP, from a service that the front end's team runs in any language.

A folder with a `front_end.json` says what is answered; `docs/guides/isolation.md` has the protocol. All asks of one
call share one deadline; a service that keeps failing is not asked for a while; then what the point declares holds.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec

from isthmus.kernel import errors
from isthmus.kernel.host import Point
from isthmus.later import later
from isthmus.outside import decode_file

from .breaker import Breaker
from .manifest import AnswerManifest, FrontEndManifest, WrongManifest
from .waiting import DeadlineUsed, can_wait, spent_now, wait
from .wire import wire_of

if TYPE_CHECKING:
    import httpx
else:
    httpx = later("httpx")

MANIFEST = "front_end.json"
ANSWER_BYTES_MAX = 1_048_576  # an answer for a basket of a thousand lines takes a tenth of this
WORDS_MAX = 200  # characters of what a failing service says that go into the error


class ServiceFailed(errors.AnswerFailed):
    """A front end's service did not answer as it should."""

    slug = "runtime.service-failed"


def read_manifest(folder: Path) -> FrontEndManifest:
    """Return what a folder says of a front end that answers over HTTP. Raises WrongManifest with the place."""
    file = folder / MANIFEST
    if not file.is_file():
        raise WrongManifest(f"{folder} has no {MANIFEST}", remedy="write one, see docs/guides/isolation.md")
    try:
        return _placed(decode_file(file, FrontEndManifest), str(file))
    except errors.BadAsk as wrong:
        raise WrongManifest(wrong.message, remedy=wrong.remedy, path=wrong.path) from None


def _placed(manifest: FrontEndManifest, file: str) -> FrontEndManifest:
    """Say of each answer where it stands, for messages; a file of JSON has no lines to name, so its name must do."""
    return msgspec.structs.replace(
        cast(Any, manifest),
        answers=tuple(
            msgspec.structs.replace(cast(Any, one), source=one.source or f"{file}: {one.name}")
            for one in manifest.answers
        ),
        children=tuple(_placed(child, file) for child in manifest.children),
    )


class Service:
    """One front end's service: its address, its deadline, its breaker."""

    def __init__(self, url: str, *, deadline_ms: int) -> None:
        self._url = url.rstrip("/")
        self._deadline_s = deadline_ms / 1000
        self._clients: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = (
            weakref.WeakKeyDictionary()
        )
        self.breaker = Breaker(f"the service at {self._url}")

    def asking(self, owner: str, _place: int, manifest: AnswerManifest, point: Point) -> Callable[..., Any]:
        """Return the function that asks one answer of this service."""
        who, wire = f"{owner}.{manifest.name}", wire_of(point, is_total=manifest.is_total)
        path = f"{self._url}/{point.name}/{manifest.name}"
        limit_s = min(self._deadline_s, point.deadline_ms / 1000) if point.is_async else self._deadline_s
        code = manifest.code  # in the closure, so that the fingerprint of the release has it

        async def ask_later(*args: Any, **kwargs: Any) -> Any:
            arguments = (*args, *(kwargs[name] for name in point.parameters[len(args) :]))
            body = await self._ask(path, wire.pack_json(arguments), who, limit_s)
            return wire.read_json(body, f"{who} {code}".rstrip())

        def ask(*args: Any, **kwargs: Any) -> Any:
            if can_wait():
                return wait(ask_later(*args, **kwargs))
            if _has_loop():
                raise errors.Fault(
                    f"{who} answers over HTTP, and this call cannot wait for it",
                    remedy="run the release in an IsolatingPlatform, as app.running does",
                )
            return asyncio.run(ask_later(*args, **kwargs))

        return ask_later if point.is_async else ask

    async def _ask(self, path: str, body: bytes, who: str, limit_s: float) -> bytes:
        self.breaker.admit()
        spent = spent_now.get() or DeadlineUsed()
        left_s = min(limit_s, self._deadline_s - spent.seconds)
        if left_s <= 0:
            raise ServiceFailed(
                f"{who} was not asked: earlier asks of the call took its {self._deadline_s * 1000:.0f} ms",
                remedy="answer sooner, or give deadline_ms more room in isthmus.toml",
            )
        began = time.monotonic()
        try:
            async with asyncio.timeout(left_s):
                found = await self._post(path, body, who, left_s)
        except TimeoutError:
            self.breaker.failed()
            raise ServiceFailed(
                f"{who} had no answer from its service within {left_s * 1000:.0f} ms",
                remedy="make it faster, or give deadline_ms more room in isthmus.toml",
            ) from None
        except (httpx.HTTPError, ServiceFailed) as error:
            self.breaker.failed()
            if isinstance(error, ServiceFailed):
                raise
            raise ServiceFailed(
                f"the service of {who} cannot be asked: {error!r}",
                remedy=f"see whether something listens at {self._url}",
            ) from error
        finally:
            spent.seconds += time.monotonic() - began
        self.breaker.succeeded()
        return found

    async def _post(self, path: str, body: bytes, who: str, left_s: float) -> bytes:
        headers = {"Content-Type": "application/json", "Isthmus-Deadline-Ms": str(int(left_s * 1000))}
        headers["Accept-Encoding"] = "identity"  # compressed, an answer could be of any size
        async with self._client().stream("POST", path, content=body, headers=headers) as response:
            found = b""
            async for part in response.aiter_raw():
                found += part
                if len(found) > ANSWER_BYTES_MAX:
                    raise ServiceFailed(
                        f"{who} answered with more than {ANSWER_BYTES_MAX} bytes", remedy="answer what was asked only"
                    )
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise ServiceFailed(f"the service of {who} answers compressed, unasked", remedy="obey Accept-Encoding")
        if response.status_code != 200:
            words = found[:WORDS_MAX].decode(errors="replace")
            raise ServiceFailed(
                f"the service of {who} answered {response.status_code}: {words}", remedy="see the service's own log"
            )
        return found

    def _client(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            self._clients[loop] = httpx.AsyncClient(timeout=None, trust_env=False)  # the deadline is ours
        return self._clients[loop]


def _has_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
