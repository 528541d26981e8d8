"""A server of the tax services' protocol, for tests: 10 % on everything that is not food."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.packs.listening import listening

SECRET = "only for tests"
RATE_PPM = 100_000


class TaxServer:
    """Keeps what it was asked; `breaks` makes it answer 502, `says` makes it say something else."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.breaks = False
        self.says: Any = None
        self.url = ""
        self.app = Starlette(routes=[Route("/assess", self.assess, methods=["POST"])])

    async def assess(self, request: Request) -> Response:
        if request.headers["authorization"] != f"Bearer {SECRET}":
            return Response(status_code=401)
        ask = await request.json()
        self.asked.append(ask)
        if self.breaks:
            return Response(status_code=502)
        return JSONResponse(self.says or {"lines": [{"taxes": _taxes(ask, one)} for one in ask["lines"]]})


def _taxes(ask: dict[str, Any], line: dict[str, Any]) -> list[dict[str, Any]]:
    if line["tax_category"] == "food" or line["is_exempt"]:
        return []
    whole = 1_000_000 + RATE_PPM if ask["prices_include_tax"] else 1_000_000
    tax = line["amount_minor"] * RATE_PPM // whole
    return [{"name": "sales", "rate_ppm": RATE_PPM, "jurisdiction": ask["jurisdiction"], "tax_minor": tax}]


@asynccontextmanager
async def tax_server() -> AsyncIterator[TaxServer]:
    """Run one on an address of this machine."""
    server = TaxServer()
    async with listening(server.app) as server.url:
        yield server
