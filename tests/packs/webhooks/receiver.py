"""A system outside that takes webhooks: HTTP by hand, so that a test sees exactly what was sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks import Webhook


@dataclass(frozen=True)
class Request:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        return json.loads(self.body)

    @property
    def subject(self) -> str:
        return self.event["subject"]

    def verified_by(self, secret: str) -> Any:
        """Return what the library of Standard Webhooks makes of it; it raises where the signature is wrong."""
        return Webhook(secret).verify(self.body, self.headers)


@dataclass
class Receiver:
    """answer: status and further headers of the answer to a request."""

    answer: Callable[[Request], tuple[int, dict[str, str]]] = lambda request: (204, {})
    taken: list[Request] = field(default_factory=list)
    port: int = 0

    async def __aenter__(self) -> Receiver:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def subjects(self) -> list[str]:
        return [one.subject for one in self.taken]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            request = Request(head[0].split(" ")[1], headers, body)
            self.taken.append(request)
            status, further = self.answer(request)
            lines = "".join(f"{name}: {value}\r\n" for name, value in further.items())
            writer.write(f"HTTP/1.1 {status} Said\r\n{lines}content-length: 0\r\nconnection: close\r\n\r\n".encode())
            await writer.drain()
        finally:
            writer.close()
