"""Push services of others: one for browsers that decrypts, APNs over HTTP/2, and FCM with its token endpoint."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import http_ece
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypercorn.asyncio import serve
from hypercorn.config import Config
from py_vapid import Vapid02

from tests.certificates import self_signed
from tests.packs.webhooks.receiver import Receiver, Request

Answers = Callable[[dict[str, Any]], tuple[int, dict[str, Any]]]


def text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@dataclass
class Browser:
    """A browser that has subscribed: it has the private key, and nobody else can read what it is pushed."""

    service: Receiver
    name: str = "ann"
    key: Any = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    auth: bytes = b"sixteen bytes  !"

    def subscription(self) -> dict[str, str]:
        point = self.key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        address = f"http://127.0.0.1:{self.service.port}/push/{self.name}"
        return {"kind": "web", "address": address, "p256dh": text(point), "auth": text(self.auth)}

    def requests(self) -> list[Request]:
        return [one for one in self.service.taken if one.path == f"/push/{self.name}"]

    def read(self) -> list[dict[str, Any]]:
        """Return what was pushed, decrypted by the reference library with this browser's own key."""
        return [
            json.loads(http_ece.decrypt(one.body, private_key=self.key, auth_secret=self.auth, version="aes128gcm"))
            for one in self.requests()
        ]


def vapid_is_of(request: Request, origin: str) -> dict[str, Any]:
    """Return the claims of a push's signature; py_vapid, which is not ours, verifies it."""
    authorization = request.headers["authorization"]
    assert Vapid02.verify(authorization)
    token = authorization.split("t=")[1].split(",")[0]
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert claims["aud"] == origin
    return claims


@dataclass
class Apns:
    """Apple's service as its protocol says: HTTP/2, a path for each device, a bearer token, reasons as JSON."""

    url: str
    ca_file: Path
    taken: list[dict[str, Any]] = field(default_factory=list)
    answer: Answers = lambda request: (200, {})


@asynccontextmanager
async def apns(folder: Path) -> AsyncIterator[Apns]:
    certificate, key = self_signed(folder)
    listening = socket.create_server(("127.0.0.1", 0))
    found = Apns(f"https://localhost:{listening.getsockname()[1]}", certificate)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {one.decode(): two.decode() for one, two in scope["headers"]}
        request = {"http": scope["http_version"], "path": scope["path"], "headers": headers, "said": json.loads(body)}
        found.taken.append(request)
        status, said = found.answer(request)
        await send(
            {"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]}
        )
        await send({"type": "http.response.body", "body": json.dumps(said).encode() if said else b""})

    config = Config()
    config.bind = [f"fd://{listening.detach()}"]
    config.certfile, config.keyfile = str(certificate), str(key)
    config.alpn_protocols = ["h2"]
    config.errorlog = None
    closing = asyncio.Event()
    serving = asyncio.create_task(serve(app, config, shutdown_trigger=closing.wait))  # type: ignore[arg-type]
    try:
        yield found
    finally:
        closing.set()
        await serving


class Fcm(Receiver):
    """Google's service: an access token for a signed assertion, then HTTP v1."""

    answers: Answers = staticmethod(lambda said: (200, {"name": "projects/shop/messages/1"}))
    assertions: list[str]
    messages: list[dict[str, Any]]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.__dict__.setdefault("assertions", [])
        self.__dict__.setdefault("messages", [])
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            path = head[0].split(" ")[1]
            if path == "/token":
                form = parse_qs(body.decode())
                assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
                self.assertions.append(form["assertion"][0])
                status, said = 200, {"access_token": f"access-{len(self.assertions)}", "expires_in": 3600}
            else:
                assert path == "/v1/projects/shop/messages:send"
                message = json.loads(body)["message"]
                self.messages.append({"authorization": headers["authorization"], **message})
                status, said = self.answers(message)
            content = json.dumps(said).encode()
            writer.write(
                f"HTTP/1.1 {status} Said\r\ncontent-length: {len(content)}\r\nconnection: close\r\n\r\n".encode()
            )
            writer.write(content)
            await writer.drain()
        finally:
            writer.close()
