"""A server of Vault's protocol (KV version 2 and the Kubernetes login), for tests: it runs in a thread of its own."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "hvs.only-for-tests"
ACCOUNT = "a-kubernetes-account"


class VaultServer(ThreadingHTTPServer):
    """Has entries of the engine `secret`, for whoever has the token."""

    def __init__(self, entries: dict[str, dict[str, Any] | None]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.entries = entries  # None: its last version was deleted

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: VaultServer

    def do_GET(self) -> None:
        if self.headers.get("X-Vault-Token") != TOKEN:
            return self._answer(403, {"errors": [f"permission denied for {self.headers.get('X-Vault-Token')}"]})
        path = self.path.partition("?")[0].removeprefix("/v1/secret/data/")
        if path not in self.server.entries:
            return self._answer(404, {"errors": []})
        found = self.server.entries[path]
        metadata = {"version": 1, "destroyed": False, "deletion_time": "" if found else "2026-01-01T00:00:00Z"}
        return self._answer(200 if found else 404, {"data": {"data": found, "metadata": metadata}})

    def do_POST(self) -> None:
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != "/v1/auth/kubernetes/login" or said != {"jwt": ACCOUNT, "role": "isthmus"}:
            return self._answer(400, {"errors": [f"no login for {said}"]})
        return self._answer(200, {"auth": {"client_token": TOKEN, "lease_duration": 3600, "renewable": True}})

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


@contextmanager
def vault_server(entries: dict[str, dict[str, Any] | None]) -> Iterator[VaultServer]:
    """Run a server for as long as the block lasts."""
    with VaultServer(entries) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
