"""A server of the HTTP protocol of payments, for tests: it keeps what it was told under each key, and signs."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from isthmus.packs.payment.service.http_provider import signature_of

SECRET = "only for tests"


class ProviderServer:
    """Approves what it is asked, but for tokens that begin with `decline`; `pending` is settled later."""

    def __init__(self) -> None:
        self.outcomes: dict[str, dict[str, Any]] = {}
        self.effects = 0
        self.app = Starlette(
            routes=[
                Route("/calls/{key:path}", self.look_up),
                Route("/page", self.page),
                Route("/{act}", self.act, methods=["POST"]),
            ]
        )

    async def act(self, request: Request) -> Response:
        if request.headers["authorization"] != f"Bearer {SECRET}":
            return Response(status_code=401)
        key, body = request.headers["idempotency-key"], await request.json()
        if key not in self.outcomes:
            token = body.get("token", "")
            if token.startswith("decline"):
                self.outcomes[key] = {"state": "refused", "reason": token.partition(":")[2] or "declined"}
            elif token == "pending":
                self.outcomes[key] = {"state": "unknown", "reason": "the buyer has to confirm"}
            else:
                self.effects += 1
                reference = body.get("authorisation") or f"ref-{len(self.outcomes)}"
                self.outcomes[key] = {"state": "done", "provider_reference": reference}
        if body.get("token") == "breaks":
            return Response(status_code=502)
        return JSONResponse(self.outcomes[key])

    async def look_up(self, request: Request) -> Response:
        found = self.outcomes.get(request.path_params["key"])
        return Response(status_code=404) if found is None else JSONResponse(found)

    async def page(self, request: Request) -> Response:
        back = request.query_params["return_to"]
        amount = request.query_params["amount_minor"]
        return HTMLResponse(f'<p>Pay {amount}</p><a href="{back}?token=good">Pay</a>')

    def settle(self, key: str) -> str:
        """Decide what was pending, and return the notification."""
        self.outcomes[key] = {"state": "done", "provider_reference": f"late-{key[-4:]}"}
        payload = msgspec.json.encode({"key": key, "outcome": self.outcomes[key]}).decode()
        return f"{signature_of(payload, SECRET)}.{payload}"
