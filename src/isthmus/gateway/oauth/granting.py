"""Who asks for a token, what it may, and the end of it."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote_plus
from uuid import UUID

from isthmus.kernel import Caller, errors, ports
from isthmus.manifest.actions import Doer
from isthmus.store import Database

from ..auth import CHANNEL, Clients, is_key
from . import assertions
from .tokens import Said, Tokens

TOKEN_S: Final = 600  # so long may somebody who has read one use it
SCOPES_MAX: Final = 100

_PUBLIC_KEYS: Final = """
    select credential, public_key, scopes, extract(epoch from expires_at - now())::float as left_s,
        extract(epoch from now())::float as now_s
    from gateway.client
    where front_end = $1 and name = $2 and public_key is not null
        and revoked_at is null and (expires_at is null or expires_at > now())
    order by created_at desc limit 10"""
_KEY: Final = """
    select credential, scopes, extract(epoch from expires_at - now())::float as left_s,
        extract(epoch from now())::float as now_s
    from gateway.client
    where key_hash = $1 and front_end = $2 and name = $3 and public_key is null
        and revoked_at is null and (expires_at is null or expires_at > now())"""
_USED_ONCE: Final = """
    with gone as (delete from gateway.assertion where assertion_hash in (
        select assertion_hash from gateway.assertion where ends_at < now() - interval '5 minutes' limit 100))
    insert into gateway.assertion (assertion_hash, ends_at) values ($1, to_timestamp($2))
    on conflict do nothing returning 1"""
_USED: Final = "update gateway.client set used_at = now() where credential = $1"
_END: Final = """
    with gone as (delete from gateway.ended_token where token_id in (
        select token_id from gateway.ended_token where ends_at < now() limit 100))
    insert into gateway.ended_token (token_id, ends_at) values ($1, to_timestamp($2)) on conflict do nothing"""


class Unfit(Exception):
    """What was asked does not fit the protocol: the code that OAuth 2 has for it, and a sentence."""

    def __init__(self, error: str, sentence: str) -> None:
        super().__init__(sentence)
        self.error = error
        self.sentence = sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """A client that has proved who it is, by one of its credentials."""

    front_end: str
    name: str
    credential: UUID
    scopes: tuple[str, ...] | None
    left_s: float | None
    now_s: float

    @property
    def ends_s(self) -> int:
        """Return when a token ends that is made now: with its credential at the latest."""
        return int(self.now_s) + int(TOKEN_S if self.left_s is None else min(TOKEN_S, self.left_s))


class Granting:
    """Makes tokens for clients, and takes them back."""

    def __init__(
        self, database: Database, clients: Clients, tokens: Tokens, journal: Callable[[], ports.Journal | None]
    ) -> None:
        self._database = database
        self._clients = clients
        self._journal = journal
        self.tokens = tokens

    async def grant(self, basic: tuple[str, str] | None, form: Mapping[str, str]) -> dict[str, Any]:
        """Return a token for who asks, and an entry in the journal that it was made. Raises Unfit, TooMany."""
        if (grant := form.get("grant_type", "")) != "client_credentials":
            raise Unfit("unsupported_grant_type", f"grant_type is client_credentials here, not {grant[:40]!r}")
        async with self._database.platform_transaction() as session:
            asking = await self._asking(session, basic, form)
            scopes = _scopes(asking, form.get("scope"))
            said = Said(
                front_end=asking.front_end, name=asking.name, credential=asking.credential, scopes=scopes,
                token_id=secrets.token_urlsafe(18), ends_s=asking.ends_s,
            )  # fmt: skip
            await session.execute(_USED, asking.credential)
            await self._note(session, "oauth.token", said)
        answer = {
            "access_token": self.tokens.signed(said, int(asking.now_s)),
            "token_type": "Bearer",
            "expires_in": said.ends_s - int(asking.now_s),
        }
        return answer if scopes is None else {**answer, "scope": " ".join(scopes)}

    async def revoke(self, basic: tuple[str, str] | None, form: Mapping[str, str]) -> None:
        """End a token of who asks, on every server at once; what is none of theirs is no error (RFC 7009)."""
        said = self.tokens.read(form.get("token", ""))
        async with self._database.platform_transaction() as session:
            asking = await self._asking(session, basic, form)
            if said is not None and (said.front_end, said.name) == (asking.front_end, asking.name):
                await session.execute(_END, said.token_id, float(said.ends_s))
                await session.execute("select pg_notify($1, '')", CHANNEL)
                await self._note(session, "oauth.revoke", said)

    async def _note(self, session: ports.Session, act: str, said: Said) -> None:
        caller = Caller(front_end=said.front_end, client=said.name, via="http")
        kept = {"credential": str(said.credential), "token": said.token_id, "scopes": said.scopes}
        await Doer(caller=caller, journal=self._journal()).note(session, act, kept)

    async def _asking(self, session: ports.Session, basic: tuple[str, str] | None, form: Mapping[str, str]) -> Asking:
        self._clients.check_guesses()
        try:
            if "client_assertion" in form or "client_assertion_type" in form:
                if basic is not None or "client_secret" in form:
                    raise Unfit("invalid_request", "a client proves itself in one way at a time")
                return await self._by_assertion(session, form)
            return await self._by_key(session, basic, form)
        except Unfit as wrong:
            if wrong.error == "invalid_client":
                self._clients.note_guess()
            raise

    async def _by_key(self, session: ports.Session, basic: tuple[str, str] | None, form: Mapping[str, str]) -> Asking:
        if basic is not None and "client_secret" in form:
            raise Unfit("invalid_request", "a client proves itself in one way at a time")
        client = unquote_plus(basic[0]) if basic else form.get("client_id", "")
        key = (unquote_plus(basic[1]) if basic else form.get("client_secret", "")).encode("utf-8", "replace")
        front_end, _, name = client.partition("/")
        row = None
        if is_key(key):
            row = await session.fetch_row(_KEY, hashlib.sha256(key).digest(), front_end, name)
        if row is None:
            raise Unfit("invalid_client", "this is no client that is known here (FRONT-END/NAME), or not its key")
        return _of_row(row, front_end, name)

    async def _by_assertion(self, session: ports.Session, form: Mapping[str, str]) -> Asking:
        if form.get("client_assertion_type") != assertions.KIND:
            raise Unfit("invalid_client", f"client_assertion_type is {assertions.KIND}")
        assertion = form.get("client_assertion", "")
        try:
            client = assertions.named_client(assertion)
            if form.get("client_id", client) != client:
                raise assertions.Unproved("client_id is another than the one that the assertion names")
            front_end, _, name = client.partition("/")
            rows = await session.fetch(_PUBLIC_KEYS, front_end, name)
            if not rows:
                raise assertions.Unproved("this client has no public key here that stands")
            keys, audiences = [row["public_key"] for row in rows], (self.tokens.endpoint, self.tokens.issuer)
            place, proved = assertions.prove(assertion, keys, audiences, rows[0]["now_s"])
        except assertions.Unproved as wrong:
            raise Unfit("invalid_client", str(wrong)) from None
        once = hashlib.sha256(f"{client}\0{proved.assertion_id}".encode("utf-8", "replace")).digest()
        if await session.fetch_row(_USED_ONCE, once, proved.ends_s + assertions.LEEWAY_S) is None:
            raise Unfit("invalid_client", "this assertion was used already; sign another one, with a jti of its own")
        return _of_row(rows[place], front_end, name)


def _of_row(row: ports.Row, front_end: str, name: str) -> Asking:
    return Asking(
        front_end=front_end,
        name=name,
        credential=row["credential"],
        scopes=None if row["scopes"] is None else tuple(row["scopes"]),
        left_s=row["left_s"],
        now_s=row["now_s"],
    )


def _scopes(asking: Asking, wanted: str | None) -> tuple[str, ...] | None:
    """Return what a token may: what is asked for, where the credential may all of it; else what that may."""
    listed = tuple(dict.fromkeys((wanted or "").split()))
    if not listed:
        return asking.scopes
    if len(listed) > SCOPES_MAX:
        raise Unfit("invalid_scope", f"scope names more than {SCOPES_MAX} capabilities")
    for one in listed:
        if asking.scopes is not None and one not in asking.scopes and f"{one.partition('.')[0]}.*" not in asking.scopes:
            raise Unfit("invalid_scope", f"this client may not {one[:80]!r}")
    return listed


def as_refusal(wrong: errors.IsthmusError) -> Unfit:
    """Return what the protocol says of a request that was not read to its end."""
    return Unfit("invalid_request", wrong.message)
