"""A server of the protocol of Vault's transit engine, for tests: it runs in a thread of its own."""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

TOKEN = "hvs.only-for-tests"
KEY = "/v1/transit/keys/persons"


class TransitServer(ThreadingHTTPServer):
    """Has one key, `persons`, in versions from 1 on, for whoever has the token."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.versions = {1: AESGCM(os.urandom(32))}
        self.least = 1

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: TransitServer

    def do_GET(self) -> None:
        self._answer({"latest_version": max(self.server.versions), "keys": dict.fromkeys(self.server.versions, 0)})

    def do_POST(self) -> None:
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"] or 0)) or b"{}")
        versions, newest = self.server.versions, max(self.server.versions)
        match self.path:
            case "/v1/transit/encrypt/persons":
                nonce = os.urandom(12)
                text = nonce + versions[newest].encrypt(nonce, base64.b64decode(said["plaintext"]), None)
                self._answer({"ciphertext": f"vault:v{newest}:{base64.b64encode(text).decode()}"})
            case "/v1/transit/decrypt/persons":
                self._decrypt(said["ciphertext"])
            case p if p == f"{KEY}/rotate":
                versions[newest + 1] = AESGCM(os.urandom(32))
                self._answer({})
            case p if p == f"{KEY}/config":
                self.server.least = said["min_decryption_version"]
                self._answer({})
            case p if p == f"{KEY}/trim" and said["min_available_version"] <= self.server.least:
                for old in [one for one in versions if one < said["min_available_version"]]:
                    del versions[old]
                self._answer({})
            case _:
                self._answer({"errors": [f"unsupported path {self.path}"]}, 404)

    do_PUT = do_POST

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _decrypt(self, ciphertext: str) -> None:
        try:
            _, version, coded = ciphertext.split(":")
            text = base64.b64decode(coded, validate=True)
            plain = self.server.versions[int(version[1:])].decrypt(text[:12], text[12:], None)
        except (KeyError, ValueError, InvalidTag):
            return self._answer({"errors": ["cipher: message authentication failed"]}, 400)
        return self._answer({"plaintext": base64.b64encode(plain).decode()})

    def _answer(self, data: dict[str, Any], status: int = 200) -> None:
        if self.headers.get("X-Vault-Token") != TOKEN:
            status, data = 403, {"errors": ["permission denied"]}
        text = json.dumps(data if status >= 400 else {"data": data}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


@contextmanager
def transit_server() -> Iterator[TransitServer]:
    """Run a server for as long as the block lasts."""
    with TransitServer() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
