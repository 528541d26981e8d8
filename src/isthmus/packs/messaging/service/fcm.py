"""Pushes by Firebase Cloud Messaging, HTTP v1: with an access token for a service account's assertion (RFC 7523)."""

from __future__ import annotations

import time
from typing import Annotated, Any, Final, cast

import httpx
from joserfc import jwt
from joserfc.jwk import RSAKey

from isthmus.kernel import Meta, Value, encode
from isthmus.manifest import ProviderType, Secret
from isthmus.manifest.outbound import BoundedTransport

from .. import api, rules

TIMEOUT_S: Final = 10.0
SCOPE: Final = "https://www.googleapis.com/auth/firebase.messaging"
GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
RENEWED_BEFORE_S: Final = 300
UNAUTHORIZED: Final = 401
UNREGISTERED: Final = "UNREGISTERED"


class FcmSettings(Value):
    """`[providers.messaging.<name>]`: what the file of the service account says. key: its `private_key`, as PEM."""

    project: Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,60}\Z")]
    account: Annotated[str, Meta(min_length=3, max_length=200)]
    key: Secret
    token_url: Annotated[str, Meta(pattern=r"^https?://\S+\Z")] = "https://oauth2.googleapis.com/token"
    url: Annotated[str, Meta(pattern=r"^https?://[^\s/]+\Z")] = "https://fcm.googleapis.com"


class FcmPusher:
    """Pushes to devices by their registration tokens."""

    kinds: tuple[str, ...] = ("fcm",)

    def __init__(self, name: str, settings: FcmSettings) -> None:
        self.name = name
        self._settings = settings
        self._client: httpx.AsyncClient | None = None
        self._access = 0.0, ""

    async def push(self, push: api.Push) -> api.Receipt:
        if self._client is None:  # it belongs to the loop that pushes
            self._client = httpx.AsyncClient(timeout=TIMEOUT_S, transport=BoundedTransport(), trust_env=False)
        try:
            access = await self._token(self._client)
            answer = await self._client.post(
                f"{self._settings.url}/v1/projects/{self._settings.project}/messages:send",
                content=encode({"message": _message(push)}),
                headers={"authorization": f"Bearer {access}", "content-type": "application/json"},
            )
        except (httpx.TimeoutException, httpx.TransportError, httpx.HTTPStatusError) as wrong:
            return api.Receipt(state="again", reason=type(wrong).__name__)
        if answer.status_code == UNAUTHORIZED:
            self._access = 0.0, ""
            return api.Receipt(state="again", reason="the access token is no longer good")
        if _code(answer) == UNREGISTERED:
            return api.Receipt(state="gone", reason=UNREGISTERED)
        found = rules.receipt(answer.status_code)  # a 404 is about the project where it does not say UNREGISTERED
        return found.replace(state="refused") if found.state == "gone" else found

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _token(self, client: httpx.AsyncClient) -> str:
        until, access = self._access
        now = time.time()
        if access and now < until - RENEWED_BEFORE_S:
            return access
        claims = {
            "iss": self._settings.account, "scope": SCOPE, "aud": self._settings.token_url, "iat": int(now),
            "exp": int(now) + 3_600,
        }  # fmt: skip
        key = RSAKey.import_key(self._settings.key.reveal())
        assertion = jwt.encode({"alg": "RS256", "typ": "JWT"}, claims, key)
        answer = await client.post(self._settings.token_url, data={"grant_type": GRANT, "assertion": assertion})
        answer.raise_for_status()
        said: Any = answer.json()
        self._access = now + float(said["expires_in"]), str(said["access_token"])
        return self._access[1]


def _message(push: api.Push) -> dict[str, Any]:
    return {
        "token": push.address,
        "notification": {"title": push.title, "body": push.body},
        "data": {"id": str(push.message_id), "link": push.link},
        "android": {
            "ttl": f"{push.ttl_s}s",
            "priority": "high" if push.is_urgent else "normal",
            "notification": {"tag": push.tag or str(push.message_id)},  # what comes twice is shown once
            **({"collapse_key": push.tag} if push.tag else {}),  # Google keeps four of them for a device that is away
        },
    }


def _code(answer: httpx.Response) -> str:
    try:
        details: Any = answer.json()["error"]["details"]
        return next((str(one["errorCode"]) for one in details if "errorCode" in one), "")
    except (ValueError, KeyError, TypeError):
        return cast(str, "")


FCM: Final = ProviderType(settings=FcmSettings, make=FcmPusher)
