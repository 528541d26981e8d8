"""Clients and their API keys: the credential, and nothing else, decides for which front end a call runs.

A key is `isth_` and 256 random bits. Only its SHA-256 is kept: a slow hash protects what people choose, and nobody
chose these bits. A key that was looked up is trusted for a few seconds, so a revoked one stops within them.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from isthmus.kernel import Value, errors, ports
from isthmus.store import Database, MigrationSource

from .wire.rate import Bucket, Limit, Rate

MIGRATIONS: Final = MigrationSource.of_pack("gateway", "isthmus.gateway:migrations")
TRUSTED_S: Final = 5.0  # how long a revoked key may go on: short for an operator, rare enough for the database
KNOWN_MAX: Final = 10_000  # keys remembered at once
LASTS_MAX: Final = timedelta(days=3_650)
UNKNOWN_KEYS: Final = Rate(per_s=50, burst=200)  # look-ups of unknown keys: guessing must not busy the database

NO_LIMIT: Final = Limit()

_PREFIX: Final = "isth_"
_KEY: Final = re.compile(rb"isth_[A-Za-z0-9_-]{43}")
_SCOPE: Final = re.compile(r"[a-z][a-z0-9-]*\.(\*|[a-z][a-z0-9-]*)")
_REMEDY: Final = "send `Authorization: Bearer KEY`; make a key with `isthmus client create FRONT_END`"

# When a key was used is noted with its look-up, once a minute: calls wait for no further round trip.
_FIND: Final = """
    with used as (
        update gateway.client set used_at = now()
        where key_hash = $1 and revoked_at is null and (used_at is null or used_at < now() - interval '1 minute')
    )
    select front_end, name, scopes, per_second, at_once, extract(epoch from expires_at - now())::float as left_s
    from gateway.client
    where key_hash = $1 and revoked_at is null and (expires_at is null or expires_at > now())"""
_CREATE: Final = """
    insert into gateway.client (key_hash, front_end, name, scopes, expires_at, per_second, at_once)
    values ($1, $2, $3, $4, now() + make_interval(secs => $5), $6, $7)"""
_LIST: Final = """
    select front_end, name, scopes, created_at, expires_at, used_at, revoked_at, per_second, at_once
    from gateway.client order by front_end, name, created_at"""
_END_SOON: Final = """
    update gateway.client set expires_at = least(expires_at, now() + make_interval(secs => $3))
    where front_end = $1 and name = $2 and revoked_at is null and (expires_at is null or expires_at > now())
    returning scopes, created_at, per_second, at_once"""
_REVOKE: Final = """
    update gateway.client set revoked_at = now()
    where front_end = $1 and name = $2 and revoked_at is null returning 1"""


class WrongClient(errors.BadAsk):
    """A client cannot be made like this."""

    slug = "gateway.wrong-client"


class Client(Value):
    """Who holds one key."""

    front_end: str
    name: str
    scopes: tuple[str, ...] | None
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None
    revoked_at: datetime | None
    limit: Limit = Limit()


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """What a valid key says: the client's name, its front end, and what it is limited to."""

    front_end: str
    name: str
    scopes: tuple[str, ...] | None
    until: float
    limit: Limit = NO_LIMIT

    def may(self, capability: str) -> bool:
        """True where the scopes allow a capability; what the front end uses is another question."""
        return self.scopes is None or capability in self.scopes or f"{capability.partition('.')[0]}.*" in self.scopes


class Clients:
    """Finds the client of a request, from memory where it can."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._known: dict[bytes, Principal] = {}
        self._asking = asyncio.Lock()  # one look-up at a time: many requests with one new key ask once
        self._unknown_keys = Bucket(UNKNOWN_KEYS, clock())

    async def of(self, authorization: bytes | None) -> Principal:
        """Return the client that an Authorization header names.

        Raises NotAuthenticated, and TooMany while too many unknown keys are tried.
        """
        digest = _digest_of(authorization)
        known = self._known.get(digest)
        if known is not None and known.until > self._clock():
            return known
        async with self._asking:
            known = self._known.get(digest)
            if known is not None and known.until > self._clock():
                return known
            return await self._looked_up(digest, is_unknown=known is None)

    async def _looked_up(self, digest: bytes, *, is_unknown: bool) -> Principal:
        if is_unknown and not self._unknown_keys.take(self._clock()):
            raise errors.TooMany(
                "too many unknown keys are being tried", remedy="wait a second, then try again", path="Authorization"
            )
        async with self._database.platform() as session:
            row = await session.fetch_row(_FIND, digest)
        if row is None:
            self._known.pop(digest, None)
            raise errors.NotAuthenticated("this key is not valid", remedy=_REMEDY, path="Authorization")
        if len(self._known) >= KNOWN_MAX:
            self._known.clear()
        known = Principal(
            front_end=row["front_end"],
            name=row["name"],
            scopes=_scopes(row),
            until=self._clock() + min(TRUSTED_S, TRUSTED_S if row["left_s"] is None else row["left_s"]),
            limit=_limit(row),
        )
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
) -> str:
    """Make a key for a client of a front end and return it; it cannot be read again. lasts: then it ends by itself.

    A client may hold several keys at once, to change from one to the next; a key that is made later says what its
    limit is. Raises WrongClient.
    """
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
    async with database.platform() as session:
        return await _create(session, front_end, name, scopes, lasts, limit)


async def _create(
    session: ports.Session,
    front_end: str,
    name: str,
    scopes: Sequence[str] | None,
    lasts: timedelta | None,
    limit: Limit,
) -> str:
    key = _PREFIX + secrets.token_urlsafe(32)
    digest = hashlib.sha256(key.encode()).digest()
    seconds = None if lasts is None else lasts.total_seconds()
    listed = None if scopes is None else list(scopes)
    await session.execute(_CREATE, digest, front_end, name, listed, seconds, limit.per_second, limit.at_once)
    return key


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
        return await _create(session, front_end, name, _scopes(newest), lasts, _limit(newest))


async def list_clients(database: Database) -> tuple[Client, ...]:
    """Return every client ever made, revoked ones too, by front end and name."""
    async with database.platform() as session:
        rows = await session.fetch(_LIST)
    return tuple(
        Client(
            front_end=row["front_end"],
            name=row["name"],
            scopes=_scopes(row),
            created_at=row["created_at"],
            expires_at=row["expires_at"],
            used_at=row["used_at"],
            revoked_at=row["revoked_at"],
            limit=_limit(row),
        )
        for row in rows
    )


async def revoke_client(database: Database, front_end: str, name: str) -> int:
    """Revoke all keys of a client and return how many that were; running servers follow within TRUSTED_S."""
    async with database.platform() as session:
        return len(await session.fetch(_REVOKE, front_end, name))


def _digest_of(authorization: bytes | None) -> bytes:
    if authorization is None:
        raise errors.NotAuthenticated("no key was sent", remedy=_REMEDY, path="Authorization")
    scheme, _, key = authorization.partition(b" ")
    key = key.strip()
    if scheme.lower() != b"bearer" or not _KEY.fullmatch(key):
        raise errors.NotAuthenticated("this is not one of our keys", remedy=_REMEDY, path="Authorization")
    return hashlib.sha256(key).digest()


def _limit(row: ports.Row) -> Limit:
    return Limit(per_second=row["per_second"], at_once=row["at_once"])


def _scopes(row: ports.Row) -> tuple[str, ...] | None:
    return None if row["scopes"] is None else tuple(row["scopes"])
