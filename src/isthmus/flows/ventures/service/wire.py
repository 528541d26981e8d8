"""Asking a venture over HTTP: its signed pages, and whatever else a check wants to see."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from isthmus.later import later
from isthmus.packs.venture import api as venture

from .. import api

if TYPE_CHECKING:
    import httpx
else:
    httpx = later("httpx")

ANSWERS_WITHIN_S: Final = 10.0
WHOLE_WITHIN_S: Final = 30.0  # of an answer that comes byte by byte: whoever is asked next waits no longer for it
BODY_MAX: Final = 2_000_000  # a page of a thousand items is a tenth of it
SIGNATURE: Final = "venture-signature"


class Wire:
    """A connection to a venture, with the key for what it shows the group."""

    def __init__(self, charter: venture.Charter) -> None:
        self.charter = charter
        self.http = httpx.AsyncClient(timeout=ANSWERS_WITHIN_S, follow_redirects=False)

    async def __aenter__(self) -> Self:
        await self.http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, wrong: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.http.__aexit__(kind, wrong, trace)

    async def send(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Return what the venture answers to anything. Raises VentureDown where it does not."""
        address = path if "://" in path else f"{self.charter.url}{path}"
        try:
            async with asyncio.timeout(WHOLE_WITHIN_S), self.http.stream(method, address, **more) as reply:
                body = b""
                async for part in reply.aiter_bytes():
                    body += part
                    if len(body) > BODY_MAX:
                        raise api.VentureDown(what=f"{method} {path}", because=f"it sends more than {BODY_MAX} bytes")
                return httpx.Response(reply.status_code, headers=_plain(reply.headers), content=body)
        except TimeoutError:
            because = f"its answer is not whole after {WHOLE_WITHIN_S:g} s"
            raise api.VentureDown(what=f"{method} {address}", because=because) from None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as wrong:
            because = str(wrong) or type(wrong).__name__
            raise api.VentureDown(what=f"{method} {address}", because=because) from None

    async def obliged(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Return what it shows with the group's key. Raises VentureDown where that is no success."""
        headers = {"authorization": f"Bearer {self.charter.secret()}"}
        reply = await self.send(method, f"/obligations/{path}", headers=headers, **more)
        if not reply.is_success:
            said = reply.text[:200]
            what = f"{method} {self.charter.url}/obligations/{path}"
            raise api.VentureDown(what=what, because=f"it answers {reply.status_code} {said}")
        return reply

    async def page(self, what: str, after: int) -> venture.SignedPage:
        """Return the page of its journal or sales after a number, as it came."""
        reply = await self.obliged("GET", f"{what}?after={after}")
        try:
            text = reply.content.decode()
        except UnicodeDecodeError:
            raise api.VentureDown(what=f"GET /obligations/{what}", because="what it sends is not UTF-8") from None
        return venture.SignedPage(page=text, signature=reply.headers.get(SIGNATURE, "")[:200])


def _plain(headers: httpx.Headers) -> list[tuple[str, str]]:
    """Return headers of a body that is decoded already."""
    return [
        (name, value) for name, value in headers.multi_items() if name not in ("content-encoding", "content-length")
    ]
