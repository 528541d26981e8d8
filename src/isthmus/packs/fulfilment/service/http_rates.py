"""A rate service over HTTP.

    POST /rates   Idempotency-Key: KEY
        {"methods": ["express"], "currency": "EUR", "amount_minor": 4200, "destination": {…} | null,
         "lines": [{"sku": "tea", "quantity": 2, "weight_grams": 250}, …]}
    200 {"rates": [{"method": "express", "fee_minor": 990, "after_minutes": 1440, "within_minutes": 2880}]}

A method that is left out does not go there. Any other status is no answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import httpx

from isthmus.kernel import Meta, Value, decode, encode
from isthmus.manifest import ProviderType, Secret
from isthmus.manifest.outbound import BoundedTransport

from .. import api

KEPT_CONNECTIONS: Final = 20  # asks at once in one process; more wait their turn


class HttpSettings(Value):
    """`[providers.shipping.<name>]`. methods: about which it is asked, by their codes."""

    url: Annotated[str, Meta(pattern=r"^https?://")]
    secret: Secret
    methods: Annotated[tuple[str, ...], Meta(min_length=1)]
    timeout_ms: Annotated[int, Meta(ge=50, le=10_000)] = 3_000


class _Answer(Value):
    rates: tuple[api.LiveRate, ...]


class HttpRateService:
    """Asks a service what deliveries cost."""

    def __init__(self, name: str, settings: HttpSettings) -> None:
        self.name = name
        self._methods = settings.methods
        self._client = httpx.AsyncClient(
            base_url=settings.url.rstrip("/"),
            headers={"Authorization": f"Bearer {settings.secret.reveal()}", "Content-Type": "application/json"},
            timeout=settings.timeout_ms / 1000,
            transport=BoundedTransport(limits=httpx.Limits(max_connections=KEPT_CONNECTIONS)),
        )

    def covers(self, method: str) -> bool:
        return method in self._methods

    async def rates(self, *, key: str, ask: api.RateAsk) -> Sequence[api.LiveRate]:
        answered = await self._client.post("/rates", content=encode(ask), headers={"Idempotency-Key": key})
        return decode(answered.raise_for_status().content, _Answer).rates


HTTP: Final = ProviderType(settings=HttpSettings, make=HttpRateService)
