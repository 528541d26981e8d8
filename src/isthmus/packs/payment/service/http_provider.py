"""A payment provider over HTTP: every call has a key, what is settled later comes by a signed notification.

    POST /authorise  {"amount_minor": 1200, "currency": "EUR", "token": "…"}       Idempotency-Key: KEY
    POST /capture    {"authorisation": "…", "amount_minor": 1200, "currency": "EUR"}
    POST /void       {"authorisation": "…"}
    POST /refund     {"authorisation": "…", "amount_minor": 1200, "currency": "EUR"}
    GET  /calls/KEY  what became of a call; 404 where it never arrived
    GET  /page?amount_minor=&currency=&return_to=   the hosted page: the buyer comes back with ?token=

Each answer is `{"state": "done" | "refused" | "unknown", "provider_reference": "…", "reason": "…"}` with status 200;
any other status is an unknown outcome. A notification is `SIGNATURE.{"key": "…", "outcome": {…}}`: the signature is the
HMAC-SHA256 of what follows the dot, in hexadecimal digits, under the secret that both sides know. Whoever receives
notifications hands them on as they are, to `payment.notify` or the flow that calls it. One of a chargeback is
`SIGNATURE.{"chargeback": {"reference": "…", "key": "…", "state": "opened" | "won" | "lost", "amount": {…}, "fee": {…},
"reason": "…"}}`, with the key of the capture, and goes to `disputes.receive-chargeback`.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Annotated, Any, Final
from urllib.parse import quote, urlencode

import httpx

from isthmus.kernel import Meta, Value, decode, errors
from isthmus.manifest import ProviderType, Secret
from isthmus.manifest.outbound import BoundedTransport
from isthmus.values import Money

from .. import api

TIMEOUT_S: Final = 9.0  # below what the pack gives a provider, so that the cause is the provider's own
NOT_FOUND: Final = 404
KEPT_CONNECTIONS: Final = 20  # calls at once in one process; more wait their turn


class HttpSettings(Value):
    """`[providers.payment.<name>]`. secret: the key of notifications and calls."""

    url: Annotated[str, Meta(pattern=r"^https?://")]
    secret: Secret
    methods: Annotated[tuple[str, ...], Meta(min_length=1)] = ("card",)


class HttpProvider:
    """Carries payments out by calling a service."""

    def __init__(self, name: str, url: str, secret: str, methods: tuple[str, ...]) -> None:
        self.name = name
        self.methods = methods
        self._url = url.rstrip("/")
        self._secret = secret
        self._client = httpx.AsyncClient(
            base_url=self._url,
            headers={"Authorization": f"Bearer {secret}"},
            timeout=TIMEOUT_S,
            transport=BoundedTransport(limits=httpx.Limits(max_connections=KEPT_CONNECTIONS)),
        )

    async def authorise(self, *, key: str, amount: Money, token: str) -> api.Outcome:
        return await self._post("authorise", key, {**_sum(amount), "token": token})

    async def capture(self, *, key: str, authorisation: str, amount: Money) -> api.Outcome:
        return await self._post("capture", key, {"authorisation": authorisation, **_sum(amount)})

    async def void(self, *, key: str, authorisation: str) -> api.Outcome:
        return await self._post("void", key, {"authorisation": authorisation})

    async def refund(self, *, key: str, authorisation: str, amount: Money) -> api.Outcome:
        return await self._post("refund", key, {"authorisation": authorisation, **_sum(amount)})

    async def look_up(self, *, key: str) -> api.Outcome:
        """Say what became of a call; `refused` where it never arrived."""
        answered = await self._client.get(f"/calls/{quote(key, safe='')}")
        if answered.status_code == NOT_FOUND:
            return api.Outcome(state="refused", reason="it never arrived")
        return decode(answered.raise_for_status().content, api.Outcome)

    def read(self, payload: str) -> tuple[str, api.Outcome]:
        """Read a notification. Raises BadAsk where its signature is not that of this provider."""
        found = decode(self.signed(payload), api.Notification)
        return found.key, found.outcome

    def signed(self, payload: str) -> bytes:
        """Return what stands behind a signature. Raises BadAsk where that is not this provider's."""
        signature, _, signed = payload.partition(".")
        if not hmac.compare_digest(signature.encode(), signature_of(signed, self._secret).encode()):
            raise errors.BadAsk(
                f"{self.name!r} did not sign this notification", remedy="hand it on as it came, byte for byte"
            )
        return signed.encode()

    def page(self, amount: Money, return_to: str) -> str:
        """Return the address of the hosted page, where a buyer says how to pay; it leads back with a token."""
        return f"{self._url}/page?{urlencode({**_sum(amount), 'return_to': return_to})}"

    async def _post(self, path: str, key: str, body: dict[str, Any]) -> api.Outcome:
        answered = await self._client.post(f"/{path}", json=body, headers={"Idempotency-Key": key})
        return decode(answered.raise_for_status().content, api.Outcome)


def signature_of(payload: str, secret: str) -> str:
    """Return what a provider puts in front of a notification."""
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


def _sum(amount: Money) -> dict[str, Any]:
    return {"amount_minor": amount.minor, "currency": amount.currency}


def _made(name: str, settings: HttpSettings) -> HttpProvider:
    return HttpProvider(name, settings.url, settings.secret.reveal(), settings.methods)


HTTP: Final = ProviderType(settings=HttpSettings, make=_made)
