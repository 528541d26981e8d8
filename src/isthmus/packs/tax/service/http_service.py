"""A tax service over HTTP.

    POST /assess   Idempotency-Key: KEY
        {"jurisdiction": "US-OH", "currency": "USD", "prices_include_tax": false, "destination": {…} | null,
         "lines": [{"sku": "tea", "quantity": 2, "tax_category": "food", "amount_minor": 1200, "is_exempt": false}, …]}
    200 {"lines": [{"taxes": [{"name": "state", "rate_ppm": 57500, "jurisdiction": "US-OH", "tax_minor": 69}]}, …]}

Delivery is the last line, without a SKU. Any other status is no answer.
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
    """`[providers.tax.<name>]`. jurisdictions: where it is asked, each with all that lies in it; none: everywhere."""

    url: Annotated[str, Meta(pattern=r"^https?://")]
    secret: Secret
    jurisdictions: tuple[str, ...] = ()
    timeout_ms: Annotated[int, Meta(ge=50, le=10_000)] = 3_000


class _Answer(Value):
    lines: tuple[api.LineAssessment, ...]


class HttpTaxService:
    """Asks a service what tax is due."""

    def __init__(self, name: str, settings: HttpSettings) -> None:
        self.name = name
        self._jurisdictions = settings.jurisdictions
        self._client = httpx.AsyncClient(
            base_url=settings.url.rstrip("/"),
            headers={"Authorization": f"Bearer {settings.secret.reveal()}", "Content-Type": "application/json"},
            timeout=settings.timeout_ms / 1000,
            transport=BoundedTransport(limits=httpx.Limits(max_connections=KEPT_CONNECTIONS)),
        )

    def covers(self, jurisdiction: str) -> bool:
        within = (jurisdiction == one or jurisdiction.startswith(f"{one}-") for one in self._jurisdictions)
        return not self._jurisdictions or any(within)

    async def assess(self, *, key: str, ask: api.Assessment) -> Sequence[api.LineAssessment]:
        answered = await self._client.post("/assess", content=encode(ask), headers={"Idempotency-Key": key})
        return decode(answered.raise_for_status().content, _Answer).lines


HTTP: Final = ProviderType(settings=HttpSettings, make=HttpTaxService)
