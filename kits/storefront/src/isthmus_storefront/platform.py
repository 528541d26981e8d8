"""What the shop asks of the platform: the public HTTP API, with the shop's own key."""

from __future__ import annotations

import json
import uuid
from typing import Any

import httpx

TIMEOUT_S = 20.0  # longer than any capability that a page asks for may take
NOT_MODIFIED = 304
KEPT_MAX = 200  # answers of screens: those that shoppers who are here now may ask for again
NOT_NOW = "the shop cannot answer just now; nothing was lost, try again in a minute"


class Refused(Exception):
    """The platform said no. `path` is where in the ask, `document` the whole problem document."""

    def __init__(self, document: dict[str, Any]) -> None:
        super().__init__(str(document.get("detail", "the shop cannot do this now")))
        self.document = document
        self.slug = str(document.get("slug", ""))
        self.path = str(document.get("path", "$"))

    @property
    def field(self) -> str:
        """The form's field that it is about; empty where it is about no one field."""
        return self.path.rpartition(".")[2].partition("[")[0].lstrip("$")


class Platform:
    """Calls capabilities by name."""

    def __init__(self, address: str, key: str) -> None:
        self._client = httpx.AsyncClient(
            base_url=address, headers={"Authorization": f"Bearer {key}"}, timeout=TIMEOUT_S
        )
        self._kept: dict[str, tuple[str, dict[str, Any]]] = {}  # by what is asked, which names whom it is for

    async def call(self, capability: str, ask: dict[str, Any], key: str | None = None) -> dict[str, Any]:
        """Return the answer; with the same `key` a second call does nothing again. Raises Refused."""
        return (await self._answer(capability, ask, {"Idempotency-Key": key or str(uuid.uuid4())})).json()

    async def screen(self, name: str, ask: dict[str, Any]) -> dict[str, Any]:
        """Return what a screen shows; it comes again only where it has changed. Raises Refused."""
        asked = f"{name} {json.dumps(ask, sort_keys=True)}"
        tag, known = self._kept.pop(asked, ("", {}))
        answer = await self._answer(name, ask, {"If-None-Match": tag} if tag else {})
        if answer.status_code != NOT_MODIFIED:
            tag, known = answer.headers.get("etag", ""), answer.json()
        if tag:
            self._kept[asked] = (tag, known)
            for one in [*self._kept][:-KEPT_MAX]:
                del self._kept[one]
        return known

    async def _answer(self, capability: str, ask: dict[str, Any], headers: dict[str, str]) -> httpx.Response:
        try:
            answer = await self._client.post(f"/v1/{capability}", json=ask, headers=headers)
        except httpx.HTTPError:
            raise Refused({"slug": "shop.no-answer", "status": 503, "detail": NOT_NOW}) from None
        if answer.is_success or answer.status_code == NOT_MODIFIED:
            return answer
        try:
            raise Refused(answer.json())
        except ValueError:
            raise Refused({"slug": "shop.no-answer", "status": 502, "detail": NOT_NOW}) from None

    async def file(self, path: str) -> tuple[bytes, str]:
        """Return a file that the platform serves, and its type. Raises Refused where there is none."""
        try:
            answer = await self._client.get(path)
        except httpx.HTTPError:
            raise Refused({"slug": "shop.no-answer", "status": 503, "detail": NOT_NOW}) from None
        if not answer.is_success:
            raise Refused({"slug": "shop.no-file", "status": 404, "detail": "there is no such picture"})
        return answer.content, answer.headers.get("content-type", "application/octet-stream")

    async def close(self) -> None:
        await self._client.aclose()
