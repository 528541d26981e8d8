"""The service of `service.mjs` once more, for machines without Node.js."""

from __future__ import annotations

import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def tier(points: int) -> dict[str, Any]:
    return {} if points == 404 else {"answer": "gold" if points > 100 else "silver"}


def methods(offered: list[str], amount: dict[str, Any]) -> dict[str, Any]:
    return {"answer": [*offered, amount["minor"]]}


def price(lines: list[dict[str, Any]], buyer: dict[str, Any]) -> list[dict[str, Any]]:
    cheap = [{"amount": {**line["amount"], "minor": 1}, "by": "python", "reason": "cheap"} for line in lines]
    return [{"answer": one} if line["sku"] == "dear" else {} for one, line in zip(cheap, lines, strict=True)]


ANSWERS = {"member.tier-for/tier": tier, "payment.methods/methods": methods, "pricing.adjust-unit-price/price": price}


class Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["arguments"]
        if given.get("points", 0) < 0:
            time.sleep(-given["points"] / 1000)
        is_down = given.get("points") == 500
        body = b"no tiers today" if is_down else json.dumps(ANSWERS[self.path[1:]](**given)).encode()
        self.send_response(500 if is_down else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


if __name__ == "__main__":
    ThreadingHTTPServer.request_queue_size = 64
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    print(server.server_address[1], flush=True)
    server.serve_forever()
