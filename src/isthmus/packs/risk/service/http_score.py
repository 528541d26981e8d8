"""A score over HTTP.

    POST /score   Idempotency-Key: KEY
        {"front_end": "fresh", "kind": "order", "hour": 12, "amount": {"minor": 1200, "currency": "EUR"} | null,
         "marks": {"person": "9f86…"}, "about": {"channel": "online", …}}
    200 {"score": 120, "reasons": ["new-device"]}

Marks are keyed hashes: the same person is the same, and nobody learns who. Any other status is no answer.
"""

from __future__ import annotations

from typing import Annotated, Final

import httpx

from isthmus.kernel import Meta, Value, decode, encode
from isthmus.manifest import ProviderType, Secret
from isthmus.manifest.outbound import BoundedTransport

from .. import api

KEPT_CONNECTIONS: Final = 20  # asks at once in one process; more wait their turn, and their deadline with them
ANSWER_BYTES_MAX: Final = 64 << 10


class HttpSettings(Value):
    """`[providers.risk.<name>]`."""

    url: Annotated[str, Meta(pattern=r"^https?://")]
    secret: Secret


class HttpScorer:
    """Asks a service for a score."""

    def __init__(self, name: str, settings: HttpSettings) -> None:
        self.name = name
        self._client = httpx.AsyncClient(
            base_url=settings.url.rstrip("/"),
            headers={"Authorization": f"Bearer {settings.secret.reveal()}", "Content-Type": "application/json"},
            timeout=api.REMOTE_MS_MAX / 1000,
            transport=BoundedTransport(ANSWER_BYTES_MAX, limits=httpx.Limits(max_connections=KEPT_CONNECTIONS)),
        )

    async def score(self, *, key: str, ask: api.ScoreAsk) -> api.Score:
        answered = await self._client.post("/score", content=encode(ask), headers={"Idempotency-Key": key})
        return decode(answered.raise_for_status().content, api.Score)


HTTP: Final = ProviderType(settings=HttpSettings, make=HttpScorer)
