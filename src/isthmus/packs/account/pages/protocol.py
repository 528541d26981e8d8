"""What shops ask of the provider by themselves: its document, its keys, tokens, and who somebody is."""

from __future__ import annotations

import base64
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from isthmus.kernel import errors

from .. import rules
from ..rules import Unfit
from ..service import tokens
from ..service.accounts import Accounts
from ..service.keys import ALGORITHM

FORM_MAX: Final = 64 * 1024
KEYS_AGE_S: Final = 600  # shorter than a key is shown before it signs


class Protocol:
    """The addresses of OpenID Connect that no person sees."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    async def document(self, request: Request) -> Response:
        """Return what the provider is and where (OpenID Connect Discovery)."""
        issuer = self._accounts.issuer
        found: dict[str, Any] = {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "userinfo_endpoint": f"{issuer}/userinfo",
            "revocation_endpoint": f"{issuer}/revoke",
            "jwks_uri": f"{issuer}/keys",
            "end_session_endpoint": f"{issuer}/leave",
            "scopes_supported": list(rules.SCOPES),
            "claims_supported": ["sub", "email", "email_verified", "auth_time", "sid"],
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [ALGORITHM],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
            "backchannel_logout_supported": True,
            "backchannel_logout_session_supported": True,
            "request_parameter_supported": False,
            "request_uri_parameter_supported": False,
        }
        return JSONResponse(found, headers={"cache-control": f"max-age={KEYS_AGE_S}"})

    async def keys(self, request: Request) -> Response:
        """Return the public keys."""
        async with self._accounts.database.platform() as session:
            shown = await self._accounts.signing.shown(session)
        return JSONResponse({"keys": shown}, headers={"cache-control": f"max-age={KEYS_AGE_S}"})

    async def token(self, request: Request) -> Response:
        """Return tokens for a code or a refresh token."""
        try:
            form = await read_form(request)
            client = tokens.client_of(self._accounts, _basic(request), form)
            return JSONResponse(await tokens.granted(self._accounts, client, form), headers=NO_STORE)
        except Unfit as wrong:
            return refused(wrong)

    async def revoke(self, request: Request) -> Response:
        """End what came of a refresh token (RFC 7009)."""
        try:
            form = await read_form(request)
            client = tokens.client_of(self._accounts, _basic(request), form)
        except Unfit as wrong:
            return refused(wrong)
        await tokens.revoke(self._accounts, client, form.get("token", ""))
        return Response(status_code=200, headers=NO_STORE)

    async def person(self, request: Request) -> Response:
        """Return what an access token lets a shop know."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        try:
            if scheme.lower() != "bearer":
                raise Unfit("invalid_token")
            return JSONResponse(await tokens.person(self._accounts, token.strip()), headers=NO_STORE)
        except Unfit as wrong:
            said = f'Bearer error="{wrong.error}"'
            return JSONResponse({"error": wrong.error}, 401, headers={**NO_STORE, "www-authenticate": said})


NO_STORE: Final = {"cache-control": "no-store"}


def refused(wrong: Unfit) -> Response:
    """Return what the protocol says of a refusal."""
    status = 401 if wrong.error == "invalid_client" else 400
    more = {"www-authenticate": "Basic"} if status == 401 else {}
    found = {"error": wrong.error, "error_description": wrong.sentence}
    return JSONResponse(found, status, headers={**NO_STORE, **more})


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a form; none may come twice. Raises Unfit."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > FORM_MAX:
            raise Unfit("invalid_request", f"the form is larger than {FORM_MAX} bytes")
    try:
        return once(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=50))
    except ValueError as wrong:
        raise Unfit("invalid_request", "the form is not UTF-8, or has too many fields") from wrong


def once(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Return parameters by name. Raises Unfit where one comes twice, or holds what no column does."""
    found = dict(pairs)
    if len(found) != len(pairs) or any("\0" in value for value in found.values()):
        raise Unfit("invalid_request", "a parameter comes twice, or holds a zero byte")
    return found


def _basic(request: Request) -> tuple[str, str] | None:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, _, secret = base64.b64decode(given, validate=True).decode().partition(":")
    except ValueError as wrong:
        raise Unfit("invalid_client", "Authorization is not Basic") from wrong
    return name, secret


def sentence_of(refused: errors.IsthmusError) -> str:
    """Return a refusal for a shopper."""
    return f"{refused.message[:1].upper()}{refused.message[1:]}."
