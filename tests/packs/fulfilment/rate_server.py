"""A server of the rate services' protocol, for tests: express costs 9.90 and more by weight, and goes nowhere in NZ."""

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


class RateServer:
    """Keeps what it was asked; `breaks` makes it answer 502, `says` makes it say something else."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.breaks = False
        self.says: Any = None
        self.url = ""
        self.app = Starlette(routes=[Route("/rates", self.rates, methods=["POST"])])

    async def rates(self, request: Request) -> Response:
        if request.headers["authorization"] != f"Bearer {SECRET}":
            return Response(status_code=401)
        ask = await request.json()
        self.asked.append(ask)
        if self.breaks:
            return Response(status_code=502)
        if (ask["destination"] or {}).get("country") == "NZ":
            return JSONResponse({"rates": []})
        grams = sum(line["quantity"] * line["weight_grams"] for line in ask["lines"])
        fee = 990 + grams // 10
        rates = [
            {"method": one, "fee_minor": fee, "after_minutes": 60, "within_minutes": 120} for one in ask["methods"]
        ]
        return JSONResponse(self.says or {"rates": rates})


@asynccontextmanager
async def rate_server() -> AsyncIterator[RateServer]:
    """Run one on an address of this machine."""
    server = RateServer()
    async with listening(server.app) as server.url:
        yield server
