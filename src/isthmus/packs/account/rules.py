"""What holds of addresses, links and what shops ask for; pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Final
from uuid import UUID

from isthmus.kernel import Value

from . import api

SCOPES: Final = ("openid", "email", "offline_access")
FIELD_MAX: Final = 2_000  # characters of one parameter
_ADDRESS: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?=.{1,190}\Z)[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")

SESSION: Final = "account"
ASKED: Final = "account_asked"


def cookie_name(name: str, *, is_secure: bool) -> str:
    """Return what a browser keeps something under: over https for this very host, which no neighbour can set either."""
    return f"__Host-isthmus_{name}" if is_secure else f"isthmus_{name}"


class Wanted(Value):
    """What a shop asks for, checked."""

    redirect_uri: str
    scope: str
    state: str
    nonce: str
    challenge: str
    prompt: tuple[str, ...] = ()
    max_age_s: int | None = None


class Unfit(Exception):
    """What was asked does not fit the protocol: the code that OAuth 2 has for it, and a sentence."""

    def __init__(self, error: str, sentence: str = "") -> None:
        super().__init__(sentence or error)
        self.error = error
        self.sentence = sentence or error


def address_of(text: str) -> str:
    """Return an e-mail address in its one form. Raises WrongAddress, also for letters that look like others."""
    found = text.strip()
    if not _ADDRESS.fullmatch(found):
        raise api.WrongAddress
    return found.lower()


def hash_of(secret: str) -> bytes:
    """Return what is kept of a random secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def link_text(link_id: UUID, key: bytes) -> str:
    """Return what stands in a link: its id, and a keyed hash of it that nobody else can make."""
    return f"{link_id}.{_mac(link_id, key)}"


def link_id_of(text: str, key: bytes) -> UUID | None:
    """Return the id of a link that is ours."""
    said, _, mac = text.partition(".")
    try:
        found = UUID(said)
    except ValueError:
        return None
    return found if hmac.compare_digest(mac.encode("utf-8", "replace"), _mac(found, key).encode()) else None


def _mac(link_id: UUID, key: bytes) -> str:
    return base64.urlsafe_b64encode(hmac.digest(key, b"link " + link_id.bytes, "sha256")).decode().rstrip("=")


def is_challenge_of(challenge: str, verifier: str) -> bool:
    """Say whether a verifier is what a challenge was made of (PKCE, S256)."""
    digest = hashlib.sha256(verifier.encode("utf-8", "replace")).digest()
    return hmac.compare_digest(challenge.encode(), base64.urlsafe_b64encode(digest).rstrip(b"="))


def wanted(asked: Mapping[str, str]) -> Wanted:
    """Return what a shop asks for. Raises Unfit; where it may be sent back to is checked before."""
    if any(len(one) > FIELD_MAX for one in asked.values()):
        raise Unfit("invalid_request", f"a parameter has more than {FIELD_MAX} characters")
    if asked.get("response_type") != "code":
        raise Unfit("unsupported_response_type", "response_type is code")
    if "request" in asked or "request_uri" in asked:
        raise Unfit("request_not_supported")
    if asked.get("response_mode", "query") != "query":
        raise Unfit("invalid_request", "response_mode is query")
    scope = asked.get("scope", "").split()
    if "openid" not in scope:
        raise Unfit("invalid_scope", "scope has openid")
    if asked.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(asked.get("code_challenge", "")):
        raise Unfit("invalid_request", "send code_challenge with code_challenge_method=S256")
    prompt, age = tuple(asked.get("prompt", "").split()), asked.get("max_age", "")
    if "none" in prompt and len(prompt) > 1:
        raise Unfit("invalid_request", "prompt=none stands alone")
    if age and not (age.isascii() and age.isdigit() and len(age) < 10):
        raise Unfit("invalid_request", "max_age is a number of seconds")
    return Wanted(
        redirect_uri=asked["redirect_uri"],
        scope=" ".join(one for one in SCOPES if one in scope),
        state=asked.get("state", ""),
        nonce=asked.get("nonce", ""),
        challenge=asked["code_challenge"],
        prompt=prompt,
        max_age_s=int(age) if age else None,
    )
