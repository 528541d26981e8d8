"""Sign-in by a company's own provider: OpenID Connect 1.0, authorization code with PKCE, logout by back channel.

What the provider says is believed as far as its signature, issuer, audience, times and nonce are right. Times are the
database's. Its document and its keys are remembered for a while; a key that is not known is looked for once more.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlencode, urlsplit

from isthmus.kernel import Value
from isthmus.language import mark
from isthmus.later import later
from isthmus.manifest import Secret

from .. import api, rules

if TYPE_CHECKING:
    import httpx
else:
    httpx = later("httpx")

ANSWERS_WITHIN_S: Final = 5.0
REMEMBERED_S: Final = 600.0  # a document and keys
KEYS_ANEW_S: Final = 15.0  # at most so often because of an unknown key, whoever sends one
LEEWAY_S: Final = 60
ALGORITHMS: Final = ("RS256", "PS256", "ES256", "ES384", "EdDSA", "Ed25519")
LOGOUT: Final = "http://schemas.openid.net/event/backchannel-logout"
_WRONG: Final = mark("what the provider says cannot be believed")


class ProviderSettings(Value):
    """`[settings.identity.providers.<name>]`: who the provider is, and which of its claims is which role.

    roles: by what the claim `roles_claim` has, a role, or `role@front-end`.
    """

    issuer: str
    client_id: str
    client_secret: Secret | None = None
    scopes: str = "openid email profile"
    roles_claim: str = "groups"
    roles: dict[str, str] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Vouched:
    """Whom a provider vouches for: the subject, a session of its own, and what it says of them."""

    issuer: str
    subject: str
    sid: str
    name: str
    address: str | None  # where the provider has verified it
    roles: tuple[api.RoleAt, ...]


class Provider:
    """One provider, as its settings name it."""

    def __init__(self, name: str, settings: ProviderSettings) -> None:
        self.name = name
        self.settings = settings
        self._document: Mapping[str, Any] = {}
        self._document_at = self._keys_at = -REMEMBERED_S
        self._keys: dict[str, Any] = {"keys": []}

    async def address(self, *, back: str, state: str, nonce: str, verifier: str) -> str:
        """Return where somebody signs in. Raises ProviderAway."""
        digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        asked = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": back,
            "scope": self.settings.scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": digest,
            "code_challenge_method": "S256",
        }
        endpoint = await self._endpoint("authorization_endpoint")
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"

    async def vouched(self, code: str, *, back: str, nonce: str, verifier: str, now: int) -> Vouched:
        """Return whom the provider vouches for by a code. Raises ProviderAway; NotSignedIn for what is wrong."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back, "code_verifier": verifier}
        tokens = await self._posted(await self._endpoint("token_endpoint"), form)
        claims = await self._claims(str(tokens.get("id_token", "")), now, nonce={"essential": True, "value": nonce})
        said = {**await self._said_of(claims, str(tokens.get("access_token", ""))), **claims}
        address = str(said.get("email", "")) if said.get("email_verified") is True else ""
        return Vouched(
            issuer=self.settings.issuer,
            subject=str(claims["sub"]),
            sid=str(claims.get("sid", "")),
            name=name_from(str(said.get("preferred_username") or said.get("email") or claims["sub"])),
            address=_address(address),
            roles=self._roles(said.get(self.settings.roles_claim)),
        )

    async def left(self, token: str, now: int) -> tuple[str, str, str]:
        """Return subject, session and number of a logout token. Raises NotSignedIn for what is none."""
        claims = await self._claims(token, now, jti={"essential": True})
        events: Any = claims.get("events")
        is_logout = isinstance(events, dict) and LOGOUT in events and "nonce" not in claims
        if not is_logout or not (claims.get("sub") or claims.get("sid")):
            raise api.NotSignedIn(because=_WRONG)
        return str(claims.get("sub", "")), str(claims.get("sid", "")), str(claims["jti"])

    async def _claims(self, token: str, now: int, **more: Any) -> dict[str, Any]:
        """Return the claims of a token that is this provider's, for this client and for now."""
        from joserfc import jwt
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        own = self.settings
        try:
            keys = KeySet.import_key_set(cast(Any, await self._keys_with(_kid(token))))
            claims = jwt.decode(token, keys, algorithms=ALGORITHMS).claims
            subject: dict[str, Any] = {} if "jti" in more else {"sub": {"essential": True}}
            jwt.JWTClaimsRegistry(
                now=now, leeway=LEEWAY_S, iss={"essential": True, "value": own.issuer},
                aud={"essential": True, "value": own.client_id}, exp={"essential": True}, iat={"essential": True},
                **subject, **more,
            ).validate(claims)  # fmt: skip
        except (JoseError, ValueError, KeyError, TypeError) as wrong:
            raise api.NotSignedIn(because=_WRONG) from wrong
        audiences = _listed(claims["aud"])
        if claims.get("azp", own.client_id) != own.client_id or (len(audiences) > 1 and "azp" not in claims):
            raise api.NotSignedIn(because=_WRONG)
        return claims

    async def _said_of(self, claims: Mapping[str, Any], access: str) -> dict[str, Any]:
        """Return what the provider says of somebody beside the token, where it has a place for that."""
        endpoint = (await self._discovered()).get("userinfo_endpoint")
        if not endpoint or not access or self.settings.roles_claim in claims:
            return {}
        said = await self._got(str(endpoint), {"authorization": f"Bearer {access}"})
        if said.get("sub") != claims["sub"]:
            raise api.NotSignedIn(because=_WRONG)
        return {name: value for name, value in said.items() if name not in ("iss", "aud", "sid")}

    def _roles(self, said: Any) -> tuple[api.RoleAt, ...]:
        named = [
            self.settings.roles[one] for one in _listed(said) if isinstance(one, str) and one in self.settings.roles
        ]
        found = (one.partition("@") for one in dict.fromkeys(named))
        return tuple(api.RoleAt(role=rules.role_of(role), front_end=at or "*") for role, _, at in found)

    async def _endpoint(self, name: str) -> str:
        found = str((await self._discovered()).get(name, ""))
        if not _is_safe(found):
            raise api.ProviderAway(provider=self.name, because=f"it names no {name} over https")
        return found

    async def _discovered(self) -> Mapping[str, Any]:
        """Return the provider's document, which is remembered for a while."""
        if time.monotonic() - self._document_at > REMEMBERED_S:
            issuer = self.settings.issuer
            if not _is_safe(issuer):
                raise api.ProviderAway(provider=self.name, because=f"{issuer!r} is not https")
            found = await self._got(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            if found.get("issuer") != issuer:
                raise api.ProviderAway(provider=self.name, because=f"it calls itself {found.get('issuer')!r}")
            self._document, self._document_at = found, time.monotonic()
        return self._document

    async def _keys_with(self, kid: str) -> Mapping[str, Any]:
        """Return the provider's keys; where one is not among them, they are looked for once more: keys change."""
        age = time.monotonic() - self._keys_at
        is_known = any(one.get("kid") == kid for one in self._keys["keys"])
        if age > REMEMBERED_S or (not is_known and age > KEYS_ANEW_S):
            found = await self._got(await self._endpoint("jwks_uri"))
            if not isinstance(found.get("keys"), list):
                raise api.ProviderAway(provider=self.name, because="it has no keys")
            self._keys, self._keys_at = found, time.monotonic()
        return self._keys

    async def _posted(self, address: str, form: dict[str, str]) -> dict[str, Any]:
        secret = self.settings.client_secret
        own = None if secret is None else httpx.BasicAuth(_quoted(self.settings.client_id), _quoted(secret.reveal()))
        form = form if own else {**form, "client_id": self.settings.client_id}
        return await self._answer("POST", address, data=form, auth=own)

    async def _got(self, address: str, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        return await self._answer("GET", address, headers=dict(headers or {}))

    async def _answer(self, method: str, address: str, **sent: Any) -> dict[str, Any]:
        from isthmus.manifest.outbound import BoundedTransport  # here: few sign in by somebody else

        try:
            async with (  # the whole answer has its time: one that comes byte by byte would end never
                asyncio.timeout(ANSWERS_WITHIN_S),
                httpx.AsyncClient(timeout=ANSWERS_WITHIN_S, transport=BoundedTransport()) as client,
            ):
                reply = await client.request(method, address, **sent)
            found = reply.json()
        except (httpx.HTTPError, ValueError, TimeoutError) as wrong:
            raise api.ProviderAway(provider=self.name, because=type(wrong).__name__) from wrong
        if 400 <= reply.status_code < 500 and method == "POST":
            raise api.NotSignedIn(because=_WRONG)  # a code that was used, or is another's
        if reply.status_code != 200 or not isinstance(found, dict):
            raise api.ProviderAway(provider=self.name, because=f"it answers {reply.status_code}")
        return cast("dict[str, Any]", found)


def name_from(said: str) -> str:
    """Return a name of a person that comes near to what a provider calls them."""
    folded = re.sub(r"[^a-z0-9._-]+", "-", said.partition("@")[0].lower()).strip("-._")
    return (folded if folded[:1].isalpha() else f"p-{folded}")[:50].rstrip("-._") or f"p-{secrets.token_hex(4)}"


def _address(said: str) -> str | None:
    try:
        return rules.address_of(said) if said else None
    except api.WrongAddress:
        return None


def _kid(token: str) -> str:
    from joserfc.jws import extract_compact

    return str(extract_compact(token.encode()).headers().get("kid", ""))


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")


def _is_safe(address: str) -> bool:
    """Say whether an address is https, or of this machine."""
    found = urlsplit(address)
    return found.scheme == "https" or (found.scheme == "http" and found.hostname in ("localhost", "127.0.0.1", "::1"))


def _listed(said: object) -> list[Any]:
    """Return a claim that is one value or several as a list."""
    return cast("list[Any]", said) if isinstance(said, list) else [said]
