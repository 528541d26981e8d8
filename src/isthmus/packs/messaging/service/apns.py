"""Pushes to Apple's devices: HTTP/2 to APNs, signed by a token of the team's key (ES256), made anew in time."""

from __future__ import annotations

import ssl
import time
from typing import Annotated, Final

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey

from isthmus.kernel import Meta, Value, encode
from isthmus.manifest import ProviderType, Secret

from .. import api, rules

TIMEOUT_S: Final = 10.0
TOKEN_KEPT_S: Final = 2_400  # APNs takes one for an hour, and wants none more often than each 20 minutes
GONE: Final = ("BadDeviceToken", "Unregistered", "DeviceTokenNotForTopic")


class ApnsSettings(Value):
    """`[providers.messaging.<name>]`. key: the team's private key, as PEM. topic: the id of the app's bundle.

    url: another one for development. ca_file: who vouches for it, where not those whom this machine trusts.
    """

    key: Secret
    key_id: Annotated[str, Meta(min_length=1, max_length=40)]
    team_id: Annotated[str, Meta(min_length=1, max_length=40)]
    topic: Annotated[str, Meta(min_length=1, max_length=200)]
    url: Annotated[str, Meta(pattern=r"^https://[^\s/]+\Z")] = "https://api.push.apple.com"
    ca_file: str = ""


class ApnsPusher:
    """Pushes to devices by their APNs tokens."""

    kinds: tuple[str, ...] = ("apns",)

    def __init__(self, name: str, settings: ApnsSettings) -> None:
        self.name = name
        self._settings = settings
        self._client: httpx.AsyncClient | None = None
        self._token = 0.0, ""

    async def push(self, push: api.Push) -> api.Receipt:
        if not push.address.isalnum():
            return api.Receipt(state="gone", reason="its token is none")
        if self._client is None:  # it belongs to the loop that pushes
            trust = ssl.create_default_context(cafile=self._settings.ca_file or None)
            self._client = httpx.AsyncClient(http2=True, verify=trust, timeout=TIMEOUT_S, base_url=self._settings.url)
        said = {
            "aps": {"alert": {"title": push.title, "body": push.body}},
            "id": str(push.message_id),
            "link": push.link,
        }
        headers = {
            "authorization": f"bearer {self._bearer()}",
            "apns-topic": self._settings.topic,
            "apns-push-type": "alert",
            "apns-id": str(push.message_id),
            "apns-expiration": str(int(time.time()) + push.ttl_s),
            "apns-priority": "10" if push.is_urgent else "5",
            "apns-collapse-id": push.tag or str(push.message_id),  # what comes twice is shown once
        }
        try:
            answer = await self._client.post(f"/3/device/{push.address}", content=encode(said), headers=headers)
        except (httpx.TimeoutException, httpx.TransportError) as wrong:
            return api.Receipt(state="again", reason=type(wrong).__name__)
        reason = _reason(answer)
        if reason in GONE:
            return api.Receipt(state="gone", reason=reason)
        if reason == "ExpiredProviderToken":
            self._token = 0.0, ""
            return api.Receipt(state="again", reason=reason)
        found = rules.receipt(answer.status_code)
        return found.replace(reason=reason) if reason else found

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def _bearer(self) -> str:
        made_at, token = self._token
        now = time.time()
        if not token or now > made_at + TOKEN_KEPT_S:
            header = {"alg": "ES256", "kid": self._settings.key_id}
            claims = {"iss": self._settings.team_id, "iat": int(now)}
            token = jwt.encode(header, claims, ECKey.import_key(self._settings.key.reveal()))
            self._token = now, token
        return token


def _reason(answer: httpx.Response) -> str:
    """Return Apple's word for what is wrong: one of a list that names no device."""
    try:
        found = answer.json().get("reason", "") if answer.content else ""
    except (ValueError, AttributeError):
        return ""
    return found if isinstance(found, str) and found.isalnum() and len(found) <= 60 else ""


APNS: Final = ProviderType(settings=ApnsSettings, make=ApnsPusher)
