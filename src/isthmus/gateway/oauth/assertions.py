"""What a client signs to prove who it is (private_key_jwt): RFC 7523, with public keys that were registered; pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeGuard, cast

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey, import_key

from isthmus.kernel import errors

KIND: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LEEWAY_S: Final = 60  # clocks of two machines differ by less, or one of them is wrong
LASTS_MAX_S: Final = 3_600  # clients of libraries ask for an hour; each assertion is kept for as long
TEXT_MAX: Final = 8_192
RSA_BITS_MIN: Final = 2_048

# Which algorithms fit a key: those of signatures. What is none, or a shared secret, is not among them.
_OF_CURVE: Final = {"P-256": ("ES256",), "P-384": ("ES384",), "Ed25519": ("EdDSA", "Ed25519")}
_OF_RSA: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")

PublicKey = RSAKey | ECKey | OKPKey


class WrongPublicKey(errors.BadAsk):
    """This is no public key that a client can prove itself with."""

    slug = "gateway.wrong-public-key"


class Unproved(Exception):
    """An assertion proves nothing: why, in one sentence."""


class Proved:
    """What an assertion says that holds: its id, and when it ends."""

    __slots__ = ("assertion_id", "ends_s")

    def __init__(self, assertion_id: str, ends_s: float) -> None:
        self.assertion_id = assertion_id
        self.ends_s = ends_s


def read_public_key(text: bytes) -> tuple[bytes, str]:
    """Return the thumbprint and the JWK of a public key in PEM or as a JWK. Raises WrongPublicKey.

    Of a private key, the public half is taken, and the rest is looked at no further.
    """
    try:
        found = _imported(text)
    except (JoseError, ValueError, TypeError, msgspec.DecodeError) as wrong:
        raise WrongPublicKey(
            f"this is no public key: {str(wrong) or type(wrong).__name__}", remedy="give one in PEM, or as a JWK"
        ) from wrong
    public = cast("dict[str, Any]", found.as_dict(private=False))
    if not fitting(public) or (isinstance(found, RSAKey) and found.raw_value.key_size < RSA_BITS_MIN):
        raise WrongPublicKey(
            f"this is a key of the kind {public.get('kty')} {public.get('crv', '')}".rstrip(),
            remedy=f"use RSA with {RSA_BITS_MIN} bits or more, EC on P-256 or P-384, or Ed25519",
        )
    kept = {one: value for one, value in public.items() if one in ("kty", "crv", "x", "y", "n", "e", "kid")}
    return hashlib.sha256(_canonical(kept)).digest(), msgspec.json.encode(kept).decode()


def _imported(text: bytes) -> PublicKey:
    if text.lstrip().startswith(b"{"):
        found = import_key(msgspec.json.decode(text, type=dict[str, Any]))
        if isinstance(found, RSAKey | ECKey | OKPKey):
            return found
        raise ValueError("a shared secret is none")
    for kind in (RSAKey, ECKey, OKPKey):
        try:
            return kind.import_key(text)
        except (JoseError, ValueError, TypeError):
            continue
    raise ValueError("it is neither PEM nor a JWK")


def _canonical(public: Mapping[str, Any]) -> bytes:
    """Return what the thumbprint is of (RFC 7638): the members that make the key, in order."""
    members = {"RSA": ("e", "kty", "n"), "EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x")}[public["kty"]]
    return msgspec.json.encode({one: public[one] for one in members})


def fitting(public: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the algorithms that a key may be used with."""
    return _OF_RSA if public.get("kty") == "RSA" else _OF_CURVE.get(str(public.get("crv")), ())


def named_client(assertion: str) -> str:
    """Return whom an assertion says to be, unproved. Raises Unproved."""
    parts = assertion.split(".")
    if len(assertion) > TEXT_MAX or len(parts) != 3:
        raise Unproved("client_assertion is no signed JWT")
    try:
        claims = msgspec.json.decode(_unpadded(parts[1]), type=dict[str, Any])
    except (ValueError, msgspec.DecodeError):
        raise Unproved("client_assertion is no signed JWT") from None
    if claims.get("iss") != claims.get("sub") or not isinstance(claims.get("sub"), str):
        raise Unproved("iss and sub of an assertion are both the client's id")
    return claims["sub"]


def _unpadded(part: str) -> bytes:
    from base64 import urlsafe_b64decode

    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


def prove(assertion: str, keys: Sequence[str], audiences: Sequence[str], now_s: float) -> tuple[int, Proved]:
    """Return by which of a client's public keys an assertion is proved, and what it says. Raises Unproved."""
    for place, text in enumerate(keys):
        public = msgspec.json.decode(text, type=dict[str, Any])
        try:
            key = cast(PublicKey, import_key(public))
            claims = jwt.decode(assertion, key, algorithms=list(fitting(public))).claims
        except (JoseError, ValueError, TypeError, KeyError):
            continue
        return place, _held(claims, audiences, now_s)
    raise Unproved("no key of this client has signed the assertion, with an algorithm that fits the key")


def _held(claims: Mapping[str, Any], audiences: Sequence[str], now_s: float) -> Proved:
    said, ends, made = claims.get("aud"), claims.get("exp"), claims.get("iat")
    heard = cast("list[Any]", said) if isinstance(said, list) else [said]
    if not any(one in audiences for one in heard):
        raise Unproved(f"the assertion is for another audience; ours is {audiences[0]}")
    if not _is_time(ends) or ends <= now_s - LEEWAY_S:
        raise Unproved("the assertion has ended, or does not say when (exp); is the clock right?")
    if ends > now_s + LASTS_MAX_S + LEEWAY_S:
        raise Unproved(f"the assertion lasts longer than {LASTS_MAX_S} s; is the clock right?")
    for name, begins in (("nbf", claims.get("nbf", now_s)), ("iat", now_s if made is None else made)):
        if not _is_time(begins) or begins > now_s + LEEWAY_S:
            raise Unproved(f"the assertion begins later than now ({name}); is the clock right?")
    assertion_id = claims.get("jti")
    if not isinstance(assertion_id, str) or not 1 <= len(assertion_id) <= 255 or "\0" in assertion_id:
        raise Unproved("the assertion has no id of up to 255 characters (jti)")
    return Proved(assertion_id, float(ends))


def _is_time(found: object) -> TypeGuard[float]:
    return isinstance(found, int | float) and not isinstance(found, bool) and 0 < found < 1e11
