"""OAuth 2 over HTTP: the token endpoint, the end of tokens, and the documents that say where they are (RFC 8414)."""

from __future__ import annotations

import base64
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from isthmus.kernel import errors

from ..later import TOKENS, WELL_KNOWN
from ..wire.body import read_bytes
from . import assertions
from .granting import Granting, Unfit, as_refusal
from .tokens import ALGORITHM

PATH: Final = TOKENS
DOCUMENT: Final = f"{WELL_KNOWN}/oauth-authorization-server"
FORM_MAX: Final = 32 * 1024
FORM_S: Final = 10.0
NO_STORE: Final = {"cache-control": "no-store"}
WAYS: Final = ("client_secret_basic", "client_secret_post", "private_key_jwt")


class TokenSite:
    """What clients reach below `/oauth`, and the document beside it."""

    def __init__(self, granting: Granting) -> None:
        self._granting = granting
        self.tokens = Starlette(
            routes=[
                Route("/token", self._token, methods=["POST"]),
                Route("/revoke", self._revoke, methods=["POST"]),
                Route("/keys", self._keys),
            ]
        )
        self.document = Starlette(routes=[Route(DOCUMENT.removeprefix(WELL_KNOWN), self._document)])

    async def _token(self, request: Request) -> Response:
        try:
            form = await _form(request)
            return JSONResponse(await self._granting.grant(_basic(request), form), headers=NO_STORE)
        except (Unfit, errors.TooMany) as wrong:
            return _refused(wrong)

    async def _revoke(self, request: Request) -> Response:
        try:
            await self._granting.revoke(_basic(request), await _form(request))
        except (Unfit, errors.TooMany) as wrong:
            return _refused(wrong)
        return Response(headers=NO_STORE)

    async def _keys(self, request: Request) -> Response:
        return JSONResponse(self._granting.tokens.shown(), headers={"cache-control": "max-age=600"})

    async def _document(self, request: Request) -> Response:
        tokens = self._granting.tokens
        signed = sorted({*assertions.fitting({"kty": "RSA"}), "ES256", "ES384", "EdDSA", "Ed25519"})
        found: dict[str, Any] = {
            "issuer": tokens.issuer,
            "token_endpoint": tokens.endpoint,
            "revocation_endpoint": f"{tokens.issuer}{PATH}/revoke",
            "jwks_uri": f"{tokens.issuer}{PATH}/keys",
            "grant_types_supported": ["client_credentials"],
            "response_types_supported": [],
            "token_endpoint_auth_methods_supported": WAYS,
            "token_endpoint_auth_signing_alg_values_supported": signed,
            "revocation_endpoint_auth_methods_supported": WAYS,
            "revocation_endpoint_auth_signing_alg_values_supported": signed,
            "access_token_signing_alg_values_supported": [ALGORITHM],
        }
        return JSONResponse(found, headers={"cache-control": "max-age=600"})


async def _form(request: Request) -> dict[str, str]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise Unfit("invalid_request", "send the form as application/x-www-form-urlencoded")
    headers = dict(request.scope["headers"])
    try:
        body = await read_bytes(request.receive, headers, bytes_max=FORM_MAX, limit_s=FORM_S)
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=20)
    except errors.Refusal as wrong:
        raise as_refusal(wrong) from wrong
    except ValueError as wrong:
        raise Unfit("invalid_request", "the form is not UTF-8, or has too many fields") from wrong
    form = dict(pairs)
    if len(form) != len(pairs) or any("\0" in value for value in form.values()):
        raise Unfit("invalid_request", "a parameter comes twice, or holds a zero byte")
    return form


def _basic(request: Request) -> tuple[str, str] | None:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, _, secret = base64.b64decode(given, validate=True).decode().partition(":")
    except ValueError:
        raise Unfit("invalid_client", "Authorization is not Basic") from None
    if "\0" in name:
        raise Unfit("invalid_client", "the client's id holds a zero byte")
    return name, secret


def _refused(wrong: Unfit | errors.TooMany) -> Response:
    if isinstance(wrong, errors.TooMany):
        found = {"error": "temporarily_unavailable", "error_description": wrong.message}
        return JSONResponse(found, 429, headers={**NO_STORE, "retry-after": "1"})
    status = 401 if wrong.error == "invalid_client" else 400
    more = {"www-authenticate": 'Basic realm="isthmus"'} if status == 401 else {}
    found = {"error": wrong.error, "error_description": wrong.sentence}
    return JSONResponse(found, status, headers={**NO_STORE, **more})
