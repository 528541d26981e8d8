"""Pushes to browsers: encrypted for the subscription (RFC 8291), signed by the server (VAPID, RFC 8292).

What is sent goes to the address that the browser gave, through the guard that webhooks have: a public one, over https.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

import http_ece
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from isthmus.later import later
from isthmus.manifest.public_calls import Caller

from .. import api, rules

httpcore, jwk, jwt = (later(one) for one in ("httpcore", "joserfc.jwk", "joserfc.jwt"))

TIMEOUT_S: Final = 10.0
TOKEN_S: Final = 12 * 3_600  # of the 24 hours that services take
TOKEN_KEPT_S: Final = 6 * 3_600
TOKENS_KEPT: Final = 1_000  # push services: there are a few
POINT_BYTES: Final = 65
AUTH_BYTES: Final = 16
RECORD: Final = 4_096

_ece: Any = http_ece  # it says nothing of its types


class WebPusher:
    """Pushes to browsers."""

    name = "web push"
    kinds: tuple[str, ...] = ("web",)

    def __init__(self, key: Callable[[], ec.EllipticCurvePrivateKey], contact: str, caller: Caller) -> None:
        self.caller = caller
        self._read_key = key
        self._contact = contact
        self._key: ec.EllipticCurvePrivateKey | None = None
        self._tokens: dict[str, tuple[float, str]] = {}

    def public_key(self) -> str:
        """Return the key that browsers subscribe with."""
        public = self._private().public_key()
        return _text(public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))

    async def push(self, push: api.Push) -> api.Receipt:
        said = rules.payload(push.message_id, push.title, push.body, push.link, push.tag)
        try:
            body = encrypted(said, push.p256dh, push.auth)
        except ValueError:
            return api.Receipt(state="refused", reason="its keys are none")
        headers = {
            "ttl": str(push.ttl_s),
            "urgency": "high" if push.is_urgent else "normal",
            "content-encoding": "aes128gcm",
            "content-type": "application/octet-stream",
            "authorization": f"vapid t={self.token(push.address)},k={self.public_key()}",
            **({"topic": push.tag} if push.tag else {}),
        }
        try:
            status, _ = await self.caller.post(push.address, headers, body, TIMEOUT_S)
        except (TimeoutError, httpcore.TimeoutException):
            return rules.receipt(0)
        except (OSError, httpcore.NetworkError, httpcore.ProtocolError, ValueError) as wrong:
            return api.Receipt(state="again", reason=type(wrong).__name__)
        return rules.receipt(status)

    async def close(self) -> None:
        await self.caller.close()

    def token(self, address: str) -> str:
        """Return what says to a push service who this is; one is used for some hours."""
        parts = urlsplit(address)
        origin = f"{parts.scheme}://{parts.netloc}"
        made_at, token = self._tokens.get(origin, (0.0, ""))
        now = time.time()
        if not token or now > made_at + TOKEN_KEPT_S:
            pem = self._private().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            claims = {"aud": origin, "exp": int(now) + TOKEN_S, "sub": self._contact}
            token = jwt.encode({"typ": "JWT", "alg": "ES256"}, claims, jwk.ECKey.import_key(pem))
            if len(self._tokens) >= TOKENS_KEPT:
                self._tokens.clear()
            self._tokens[origin] = now, token
        return token

    def _private(self) -> ec.EllipticCurvePrivateKey:
        if self._key is None:
            self._key = self._read_key()
        return self._key


def encrypted(said: bytes, p256dh: str, auth: str) -> bytes:
    """Return a push as only the browser that has subscribed can read it. Raises ValueError for keys that are none."""
    made_for, secret = key_bytes(p256dh, auth)
    own = ec.generate_private_key(ec.SECP256R1())
    return _ece.encrypt(said, private_key=own, dh=made_for, auth_secret=secret, version="aes128gcm", rs=RECORD)


def key_bytes(p256dh: str, auth: str) -> tuple[bytes, bytes]:
    """Return the keys of a subscription. Raises ValueError for what is none."""
    point, secret = (
        base64.urlsafe_b64decode(one.rstrip("=") + "=" * (-len(one.rstrip("=")) % 4)) for one in (p256dh, auth)
    )
    if len(point) != POINT_BYTES or len(secret) != AUTH_BYTES:
        raise ValueError("a subscription has a key of 65 bytes and a secret of 16")
    ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    return point, secret


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
