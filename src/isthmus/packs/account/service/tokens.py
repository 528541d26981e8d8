"""Tokens: a code for them once, refresh tokens that are each good once, and the end of all that came of one sign-in."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote_plus
from uuid import UUID

from isthmus.kernel import ports

from .. import rules, storage
from ..rules import Unfit
from .accounts import Accounts, ClientSettings

ID_TOKEN_S: Final = 600
ACCESS_S: Final = 600
ACCESS_KIND: Final = "at+jwt"


def client_of(accounts: Accounts, basic: tuple[str, str] | None, form: Mapping[str, str]) -> str:
    """Return which shop asks: by its secret where it has one. Raises Unfit."""
    name, given = (unquote_plus(basic[0]), unquote_plus(basic[1])) if basic else (form.get("client_id", ""), "")
    given = given or form.get("client_secret", "")
    own = accounts.settings.clients.get(name)
    if own is None or not _is_secret(own, given):
        raise Unfit("invalid_client", "this is no client that is known here, or not its secret")
    return name


def _is_secret(own: ClientSettings, given: str) -> bool:
    expected = own.secret.reveal() if own.secret is not None else ""
    return secrets.compare_digest(expected.encode(), given.encode("utf-8", "replace"))


async def granted(accounts: Accounts, client: str, form: Mapping[str, str]) -> dict[str, Any]:
    """Return tokens for a code or a refresh token. Raises Unfit for what is used, run out or another's.

    What is brought twice ends the whole family: its owner or a thief has it, and nobody knows which of them asks.
    """
    grant = form.get("grant_type", "")
    if grant not in ("authorization_code", "refresh_token"):
        raise Unfit("unsupported_grant_type", "grant_type is authorization_code or refresh_token")
    async with accounts.database.platform_transaction() as session:
        if grant == "authorization_code":
            row = await storage.code(session, form.get("code", ""))
            problem = _code_problem(row, client, form)
        else:
            row = await storage.refresh(session, form.get("refresh_token", ""))
            problem = _refresh_problem(row, client)
        if row is not None and not problem:
            if grant == "authorization_code":
                await storage.use_code(session, form["code"])
            return await _tokens(accounts, session, row, used=form.get("refresh_token", ""))
    if row is not None and row["is_used"]:
        async with accounts.act(row["client"], "account.token-reused", family=str(row["family_id"])) as session:
            await storage.end_family(session, row["family_id"], "a token was brought twice")
    raise Unfit("invalid_grant", problem)


def _code_problem(row: ports.Row | None, client: str, form: Mapping[str, str]) -> str:
    if row is None or row["client"] != client or not row["is_good"] or row["is_used"] or not row["is_fresh"]:
        return "this code is none, was used already, is too old, or is another's"
    if row["redirect_uri"] != form.get("redirect_uri"):
        return "redirect_uri is another one than when the code was asked for"
    if not rules.is_challenge_of(row["challenge"], form.get("code_verifier", "")):
        return "code_verifier is not what the challenge was made of"
    return ""


def _refresh_problem(row: ports.Row | None, client: str) -> str:
    if row is None or row["client"] != client or not row["is_good"] or row["is_used"]:
        return "this refresh token is none, was used already, has ended, or is another's"
    return ""


async def _tokens(accounts: Accounts, session: ports.Session, row: ports.Row, *, used: str) -> dict[str, Any]:
    scope, now = str(row["scope"]), await storage.now_s(session)
    base = {"iss": accounts.issuer, "sub": str(row["account_id"]), "iat": now, "sid": str(row["session_id"])}
    identity = {**base, "aud": row["client"], "exp": now + ID_TOKEN_S, "auth_time": row["signed_at"]}
    if nonce := dict(row).get("nonce"):
        identity["nonce"] = nonce
    access = {
        **base, "aud": accounts.issuer, "exp": now + ACCESS_S, "client_id": row["client"], "scope": scope,
        "jti": f"{row['family_id']}.{secrets.token_hex(8)}",
    }  # fmt: skip
    said: dict[str, Any] = {
        "token_type": "Bearer",
        "expires_in": ACCESS_S,
        "scope": scope,
        "id_token": await accounts.signing.signed(session, {**identity, **await _said(accounts, session, row)}),
        "access_token": await accounts.signing.signed(session, access, ACCESS_KIND),
    }
    if "offline_access" in scope.split():
        said["refresh_token"] = secrets.token_urlsafe(32)
        await storage.replace_refresh(session, row["family_id"], said["refresh_token"], used)
    return said


async def _said(accounts: Accounts, session: ports.Session, row: ports.Row) -> dict[str, Any]:
    if "email" not in str(row["scope"]).split():
        return {}
    address = await storage.address_of(session, row, accounts.seals)
    return {} if address is None else {"email": address, "email_verified": True}


async def person(accounts: Accounts, token: str) -> dict[str, Any]:
    """Return what an access token lets a shop know. Raises Unfit where it has run out, or its session has ended."""
    async with accounts.database.platform() as session:
        claims = await accounts.signing.claims(session, token, accounts.issuer)
        is_ours = claims is not None and claims["typ"] == ACCESS_KIND and claims.get("aud") == accounts.issuer
        if claims is None or not is_ours or claims["exp"] <= await storage.now_s(session):
            raise Unfit("invalid_token")
        row = await storage.family(session, UUID(str(claims["jti"]).partition(".")[0]))
        if row is None or not row["is_good"]:
            raise Unfit("invalid_token")
        return {"sub": str(row["account_id"]), **await _said(accounts, session, row)}


async def revoke(accounts: Accounts, client: str, token: str) -> None:
    """End all that came of the sign-in that a refresh token is of; what is none is no error."""
    async with accounts.act(client, "account.revoke") as session:
        row = await storage.refresh(session, token)
        if row is not None and row["client"] == client:
            await storage.end_family(session, row["family_id"], "revoked")
