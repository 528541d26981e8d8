"""Clients and their API keys: the credential, and nothing else, decides for which front end a call runs.

A key is `isth_` and 256 random bits. Only its SHA-256 is kept: a slow hash protects what people choose, and nobody
chose these bits. A token that was made here (`oauth`) is taken in place of a key. What was looked up is trusted for a
few seconds; what is revoked stops at once where the word of it comes through, and within those seconds otherwise.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from isthmus.kernel import Caller, errors, ports
from isthmus.manifest.seen import REVEALING, Reveal, reason
from isthmus.store import Database, MigrationSource, listen

from .wire.rate import Bucket, Limit, Rate

if TYPE_CHECKING:
    from .oauth.tokens import Said, Tokens

MIGRATIONS: Final = MigrationSource.of_pack("gateway", "isthmus.gateway:migrations")
CHANNEL: Final = "isthmus_clients"  # on which every server hears that a key or a token was taken back
TRUSTED_S: Final = 5.0  # how long a revoked key may go on where that is not heard: short, and rare for the database
KNOWN_MAX: Final = 10_000  # keys remembered at once
LASTS_MAX: Final = timedelta(days=3_650)
UNKNOWN_KEYS: Final = Rate(per_s=50, burst=200)  # look-ups of unknown keys: guessing must not busy the database

NO_LIMIT: Final = Limit()
PURPOSES: Final = ("support", "analyst", "auditor")  # roles that a key can be made for
REVEAL: Final = b"isthmus-reveal"

_PREFIX: Final = "isth_"
_KEY: Final = re.compile(rb"isth_[A-Za-z0-9_-]{43}")
_TOKEN: Final = re.compile(rb"eyJ[A-Za-z0-9_-]{10,500}\.[A-Za-z0-9_-]{10,6000}\.[A-Za-z0-9_-]{86}")
_PART: Final = re.compile(r"[a-z][a-z-]{0,31}/[!#-&(-\[\]-~]{1,100}")
_SCOPE: Final = re.compile(r"[a-z][a-z0-9-]*\.(\*|[a-z][a-z0-9-]*)")
_REMEDY: Final = "send `Authorization: Bearer KEY`; make a key with `isthmus client create FRONT_END`"

# When a key was used is noted with its look-up, once a minute: calls wait for no further round trip.
_FIND: Final = """
    with used as (
        update gateway.client set used_at = now()
        where {where} and revoked_at is null and (used_at is null or used_at < now() - interval '1 minute')
    )
    select front_end, name, scopes, role, part, per_second, at_once,
        extract(epoch from expires_at - now())::float as left_s, extract(epoch from now())::float as now_s
    from gateway.client
    where {where} and revoked_at is null and (expires_at is null or expires_at > now())"""
_FIND_KEY: Final = _FIND.format(where="key_hash = $1 and public_key is null")
_FIND_TOKEN: Final = (
    _FIND.format(where="credential = $1") + " and not exists (select from gateway.ended_token where token_id = $2)"
)
_CREATE: Final = """
    insert into gateway.client
        (key_hash, front_end, name, scopes, expires_at, per_second, at_once, public_key, role, part)
    values ($1, $2, $3, $4, now() + make_interval(secs => $5), $6, $7, $8, $9, $10)
    on conflict (key_hash) do nothing returning 1"""
_END_SOON: Final = """
    update gateway.client set expires_at = least(expires_at, now() + make_interval(secs => $3))
    where front_end = $1 and name = $2 and public_key is null
        and revoked_at is null and (expires_at is null or expires_at > now())
    returning scopes, role, part, created_at, per_second, at_once"""
_REVOKE: Final = """
    with gone as (
        update gateway.client set revoked_at = now()
        where front_end = $1 and name = $2 and revoked_at is null returning 1
    ), told as (select pg_notify($3, ''))
    select count(*) as count, (select count(*) from told) as told from gone"""


class WrongClient(errors.BadAsk):
    """A client cannot be made like this."""

    slug = "gateway.wrong-client"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """What a valid key says: the client's name, its front end, and what it is limited to."""

    front_end: str
    name: str
    scopes: tuple[str, ...] | None
    until: float
    limit: Limit = NO_LIMIT
    roles: tuple[str, ...] = ()  # what it was made for: less of persons is seen by it
    relations: tuple[str, ...] = ()  # what it is of a part of the front end: it does nothing but call, confined to that

    def caller(self, via: str, headers: Mapping[bytes, bytes], trace: str = "") -> Caller:
        """Return as whom a request calls; why it wants to see what is masked (`Isthmus-Reveal`) counts for this call.

        Raises BadAsk for a reason that nobody could read.
        """
        if self.roles:
            why = headers.get(REVEAL, b"").decode("utf-8", "replace")
            REVEALING.set(Reveal(why=reason(why, "Isthmus-Reveal")) if why else None)
        return Caller(
            front_end=self.front_end, client=self.name, scopes=self.scopes, trace=trace, via=via,
            roles=self.roles, relations=self.relations,
        )  # fmt: skip

    def may(self, capability: str) -> bool:
        """True where the scopes allow a capability; what the front end uses is another question."""
        return self.scopes is None or capability in self.scopes or f"{capability.partition('.')[0]}.*" in self.scopes


class Clients:
    """Finds the client of a request, from memory where it can. tokens: reads those that were made here."""

    confines = False  # whether something holds calls to a part of a front end: else no key of a part is let in

    def __init__(
        self, database: Database, tokens: Tokens | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._tokens = tokens
        self._clock = clock
        self._known: dict[bytes, Principal] = {}
        self._taken_back = 0  # how often something was: what is looked up meanwhile is not remembered
        self._asking = asyncio.Lock()  # one look-up at a time: many requests with one new key ask once
        self._unknown_keys = Bucket(UNKNOWN_KEYS, clock())

    async def run(self) -> None:
        """Forget what is remembered whenever something is taken back, until cancelled."""
        await listen(self._database.url, self._forget, channel=CHANNEL)

    def _forget(self, *_: object) -> None:
        self._taken_back += 1
        self._known.clear()

    async def of(self, authorization: bytes | None, called: str = "") -> Principal:
        """Return the client that an Authorization header names. called: the capability, if any.

        A key of a part does nothing else. Raises NotAuthenticated, NotPermitted, and TooMany while too many unknown
        keys are tried.
        """
        found = await self._found(authorization)
        if found.relations and not (called and self.confines):
            fact = f"client {found.name!r} is of a part of {found.front_end!r} and calls capabilities alone"
            raise errors.NotPermitted(fact, remedy="take a key of the whole front end: isthmus client create")
        return found

    async def _found(self, authorization: bytes | None) -> Principal:
        sent = _sent(authorization)
        digest = hashlib.sha256(sent).digest()
        known = self._known.get(digest)
        if known is not None and known.until > self._clock():
            return known
        said = None if is_key(sent) else self._said(sent)
        async with self._asking:
            known = self._known.get(digest)
            if known is not None and known.until > self._clock():
                return known
            if known is None and said is None:
                self.note_guess()
            return await self._looked_up(digest, said)

    def check_guesses(self) -> None:
        """Raise TooMany while too many unknown keys are tried."""
        if not self._unknown_keys.has_one(self._clock()):
            raise _too_many()

    def note_guess(self) -> None:
        """Count a key that is not known, or not yet. Raises TooMany."""
        if not self._unknown_keys.take(self._clock()):
            raise _too_many()

    def _said(self, token: bytes) -> Said:
        said = self._tokens.read(token.decode()) if self._tokens is not None else None
        if said is None:
            raise errors.NotAuthenticated("this is no token of ours", remedy=_REMEDY, path="Authorization")
        return said

    async def _looked_up(self, digest: bytes, said: Said | None) -> Principal:
        taken_back = self._taken_back
        async with self._database.platform() as session:
            if said is None:
                row = await session.fetch_row(_FIND_KEY, digest)
            else:
                row = await session.fetch_row(_FIND_TOKEN, said.credential, said.token_id)
        left_s = TRUSTED_S if row is None or row["left_s"] is None else row["left_s"]
        if row is not None and said is not None:
            left_s = min(left_s, said.ends_s - row["now_s"])
        if row is None or left_s <= 0:
            self._known.pop(digest, None)
            what = "key is not valid" if said is None else "token has ended, or was taken back"
            raise errors.NotAuthenticated(f"this {what}", remedy=_REMEDY, path="Authorization")
        if len(self._known) >= KNOWN_MAX:
            self._known.clear()
        known = Principal(
            front_end=row["front_end"],
            name=row["name"],
            scopes=scopes_of(row) if said is None else said.scopes,
            until=self._clock() + min(TRUSTED_S, left_s),
            limit=limit_of(row),
            roles=(row["role"],) if row["role"] else (),
            relations=(f"operator {row['part']}",) if row["part"] else (),
        )
        if taken_back == self._taken_back:
            self._known[digest] = known
        return known


async def create_client(
    database: Database,
    front_end: str,
    name: str,
    scopes: Sequence[str] | None = None,
    *,
    lasts: timedelta | None = None,
    limit: Limit = NO_LIMIT,
    role: str | None = None,
    part: str | None = None,
) -> str:
    """Make a key for a client of a front end and return it; it cannot be read again. lasts: then it ends by itself.

    role: what it is for, one of PURPOSES: answers are masked as they are for people of that role.
    part: of the front end, such as `seller/17`.
    A client may hold several keys at once, to change from one to the next; a key that is made later says what its
    limit is. Raises WrongClient.
    """
    _check(name, scopes, lasts, limit)
    if role is not None and role not in PURPOSES:
        raise WrongClient(f"{role!r} is nothing that a key is made for", remedy=f"take one of {', '.join(PURPOSES)}")
    if part is not None and (role is not None or not _PART.fullmatch(part)):
        raise WrongClient(f"{part!r} is no part for a key", remedy="write seller/17, and no role beside it")
    async with database.platform() as session:
        return await _create(session, front_end, name, scopes, lasts, limit, role, part)


async def trust_key(
    database: Database,
    front_end: str,
    name: str,
    key: tuple[bytes, str],
    scopes: Sequence[str] | None = None,
    *,
    lasts: timedelta | None = None,
    limit: Limit = NO_LIMIT,
) -> None:
    """Let a client prove itself by a key pair of its own. key: thumbprint and JWK of its public half.

    Raises WrongClient.
    """
    _check(name, scopes, lasts, limit)
    async with database.platform() as session:
        if not await _insert(session, key[0], front_end, name, scopes, lasts, limit, public_key=key[1]):
            raise WrongClient("this public key is registered already", remedy="have the client make another pair")


def _check(name: str, scopes: Sequence[str] | None, lasts: timedelta | None, limit: Limit) -> None:
    if not name.strip() or not name.isprintable():
        raise WrongClient(f"{name!r} is no name for a client", remedy="say who will hold the key")
    wrong = [scope for scope in scopes or () if not _SCOPE.fullmatch(scope)]
    if wrong:
        raise WrongClient(
            f"{wrong[0]!r} is no scope",
            remedy="name capabilities as the catalogue lists them, or all of a pack as 'PACK.*'",
        )
    if lasts is not None and not timedelta() < lasts <= LASTS_MAX:
        raise WrongClient(f"a key that lasts {lasts}", remedy=f"have it last up to {LASTS_MAX.days} days, or for good")
    if (limit.per_second is not None and not limit.per_second > 0) or (limit.at_once is not None and limit.at_once < 1):
        raise WrongClient("a key that may call nothing", remedy="let it call more than 0 a second, and 1 at once")


async def _create(
    session: ports.Session,
    front_end: str,
    name: str,
    scopes: Sequence[str] | None,
    lasts: timedelta | None,
    limit: Limit,
    role: str | None,
    part: str | None,
) -> str:
    key = _PREFIX + secrets.token_urlsafe(32)
    digest = hashlib.sha256(key.encode()).digest()
    await _insert(session, digest, front_end, name, scopes, lasts, limit, role=role, part=part)
    return key


async def _insert(
    session: ports.Session,
    digest: bytes,
    front_end: str,
    name: str,
    scopes: Sequence[str] | None,
    lasts: timedelta | None,
    limit: Limit,
    *,
    public_key: str | None = None,
    role: str | None = None,
    part: str | None = None,
) -> bool:
    seconds = None if lasts is None else lasts.total_seconds()
    values = (
        None if scopes is None else list(scopes),
        seconds,
        limit.per_second,
        limit.at_once,
        public_key,
        role,
        part,
    )
    return await session.fetch_row(_CREATE, digest, front_end, name, *values) is not None


async def rotate_client(
    database: Database, front_end: str, name: str, *, overlap: timedelta, lasts: timedelta | None = None
) -> str:
    """Make another key for a client, as its newest is limited, and have all before it end after the overlap.

    Raises WrongClient where the client has no key that stands.
    """
    async with database.platform_transaction() as session:
        rows = await session.fetch(_END_SOON, front_end, name, overlap.total_seconds())
        if not rows:
            raise WrongClient(
                f"{name!r} of {front_end!r} has no key that stands", remedy="make one: isthmus client create"
            )
        newest = max(rows, key=lambda row: row["created_at"])
        return await _create(
            session, front_end, name, scopes_of(newest), lasts, limit_of(newest), newest["role"], newest["part"]
        )


async def revoke_client(database: Database, front_end: str, name: str) -> int:
    """Revoke all keys of a client, and the tokens made with them, and return how many keys; running servers hear it."""
    async with database.platform() as session:
        row = await session.fetch_row(_REVOKE, front_end, name, CHANNEL)
        return 0 if row is None else int(row["count"])


def is_key(sent: bytes) -> bool:
    """Say whether this has the form of a key."""
    return _KEY.fullmatch(sent) is not None


def _sent(authorization: bytes | None) -> bytes:
    if authorization is None:
        raise errors.NotAuthenticated("no key was sent", remedy=_REMEDY, path="Authorization")
    scheme, _, sent = authorization.partition(b" ")
    sent = sent.strip()
    if scheme.lower() != b"bearer" or not (is_key(sent) or _TOKEN.fullmatch(sent)):
        raise errors.NotAuthenticated("this is not one of our keys", remedy=_REMEDY, path="Authorization")
    return sent


def _too_many() -> errors.TooMany:
    return errors.TooMany(
        "too many unknown keys are being tried", remedy="wait a second, then try again", path="Authorization"
    )


def limit_of(row: ports.Row) -> Limit:
    return Limit(per_second=row["per_second"], at_once=row["at_once"])


def scopes_of(row: ports.Row) -> tuple[str, ...] | None:
    return None if row["scopes"] is None else tuple(row["scopes"])
