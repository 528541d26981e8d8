"""Keys of persons: made with the first field that is sealed, read with each that is opened, destroyed with the person.

A key is looked up in the database each time, so that what is destroyed opens nothing on any server from then on; what
is remembered is how it was unwrapped.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from isthmus.kernel import Context, Pack, errors, implements, ports
from isthmus.manifest import Personal, Place, WrongSettings, brought
from isthmus.personal import Forget, Forgotten
from isthmus.sealing import PersonKeyMissing, Sealed, Seals
from isthmus.store import Database

from .. import api, storage
from .envelopes import KEY_BYTES, NONCE, Envelope, Wrapped

FORM: Final = b"\x01"  # AES-256-GCM: nonce, text, tag; bound to the table and to whose it is
REMEMBERED_MAX: Final = 10_000  # unwrapped keys: about 2 MB, for who is looked at again and again
OF_HASHES: Final = "*"
REWRAPPED_AT_ONCE: Final = 200


class PersonKeys(Seals):
    """Seals under keys of persons that an envelope key wraps; `sealed` are the tables whose new rows are."""

    def __init__(self, database: Database, envelope: Envelope, sealed: Iterable[str] = ()) -> None:
        self._database = database
        self.envelope = envelope
        self._sealed = frozenset(sealed)
        self._unwrapped: dict[Wrapped, bytes] = {}
        self._of_hashes = b""

    def is_on(self, table: str) -> bool:
        return named(table) in self._sealed

    async def seal_all(
        self, session: ports.Session, front_end: str, subject: str, texts: Sequence[tuple[str, bytes]],
        *, is_first: bool = False,
    ) -> list[bytes]:  # fmt: skip
        make = self._first if is_first else self._made
        cipher = AESGCM(await make(session, front_end, subject))
        sealed = [(os.urandom(NONCE), text, _bound(table, subject)) for table, text in texts]
        return [FORM + nonce + cipher.encrypt(nonce, text, bound) for nonce, text, bound in sealed]

    async def open_all(self, session: ports.Session, sealed: Sequence[tuple[str, str, bytes]]) -> list[bytes]:
        kept = await storage.keys(session, sorted({subject for _, subject, _ in sealed}))
        return [await self._opened(kept.get(subject), subject, table, one) for table, subject, one in sealed]

    async def open_shared(self, sealed: Sequence[tuple[str, str, bytes]]) -> list[bytes]:
        async with self._database.platform() as own:
            return await self.open_all(own, sealed)

    async def _opened(self, kept: Wrapped | None, subject: str, table: str, sealed: bytes) -> bytes:
        if kept is None:
            raise PersonKeyMissing(
                f"what {table} keeps of {subject!r} is encrypted, and their key is not there",
                remedy="a copy of the rows without keys opens nothing: restore personal_data.key with them; whose key "
                "was destroyed is erased, and what is left of them has to be erased again",
            )
        cipher, bound = AESGCM(await self._key(kept, subject)), _bound(table, subject)
        try:
            return cipher.decrypt(_of_form(sealed)[1 : 1 + NONCE], sealed[1 + NONCE :], bound)
        except (InvalidTag, ValueError):
            raise PersonKeyMissing(
                f"what {table} keeps of {subject!r} is encrypted under another key than theirs",
                remedy="rows and keys are of two copies, or a row was changed by hand: restore both of one moment",
            ) from None

    async def hashed(self, text: str, session: ports.Session | None = None, *, is_made: bool = True) -> bytes | None:
        if not self._of_hashes and ((self._sealed and is_made) or await self._has_hashes(session)):
            # Its own transaction: what is remembered has to be there, whatever becomes of the caller's.
            async with self._database.platform_transaction() as own:
                made = await self._made(own, OF_HASHES, OF_HASHES)
            self._of_hashes = made
        return hmac.digest(self._of_hashes, text.encode(), "sha256") if self._of_hashes else None

    async def _has_hashes(self, session: ports.Session | None) -> bool:
        """Say whether anything was ever sealed here that is found by a hash."""
        if session is not None:
            return await storage.key(session, OF_HASHES) is not None
        async with self._database.platform() as own:
            return await storage.key(own, OF_HASHES) is not None

    async def rewrap(self, session: ports.Session) -> int:
        """Wrap some keys under the newest envelope key that are under another; return how many there were."""
        rows = await storage.old_keys(session, await self.envelope.newest(), REWRAPPED_AT_ONCE)
        for row in rows:
            key = await self._key((row["envelope"], row["wrapped"]), row["subject"])
            await storage.rewrap(session, row["subject"], *await self.envelope.wrap(key, row["subject"]))
        return len(rows)

    async def _first(self, session: ports.Session, front_end: str, subject: str) -> bytes:
        """Return a new key of somebody who has none; a second one breaks the transaction."""
        key = os.urandom(KEY_BYTES)
        await storage.add_first_key(session, front_end, subject, *await self.envelope.wrap(key, subject))
        return key

    async def _made(self, session: ports.Session, front_end: str, subject: str) -> bytes:
        """Return the key of somebody, made where there is none; of two who make one, the first one's counts."""
        kept = await storage.key(session, subject)
        if kept is None:
            wrapped = await self.envelope.wrap(os.urandom(KEY_BYTES), subject)
            await storage.add_key(session, front_end, subject, *wrapped)
            kept = await storage.key(session, subject)
        if kept is None:
            raise errors.Fault(f"the key of {subject!r} is another front end's", remedy="report it with the call's id")
        return await self._key(kept, subject)

    async def _key(self, kept: Wrapped, subject: str) -> bytes:
        if (known := self._unwrapped.get(kept)) is None:
            known = await self.envelope.unwrap(kept, subject)
            if len(self._unwrapped) >= REMEMBERED_MAX:
                self._unwrapped.clear()
            self._unwrapped[kept] = known
        return known


@implements(api.forget)
async def forget(ask: Forget, ctx: Context) -> Forgotten:
    await storage.forget(ctx.session, [*map(str, ask.member_ids), *ask.references])
    return Forgotten()


def sealable(packs: Iterable[Pack]) -> Iterator[tuple[str, Sealed]]:
    """Yield each table that has a column that can be kept encrypted, with how."""
    for said in brought(packs, Personal):
        yield from ((one.table, sealed) for one in said.keeps for sealed in one.sealed)


def keys_at(place: Place) -> PersonKeys:
    """Return the keys of a platform. Raises WrongSettings for a table that has nothing to seal."""
    settings: api.PersonalSettings = place.settings
    known = {named(table) for table, sealed in sealable(place.packs) if not sealed.along}
    for one in settings.sealed:
        if one not in known:
            raise WrongSettings(
                f"[settings.personal-data] sealed names {one!r}, of which nothing can be sealed"
                f"{errors.near(one, known)}",
                remedy=f"what can be is {', '.join(sorted(known)) or 'nothing of what is plugged in'}",
            )
    if len(place.providers) != 1:
        raise WrongSettings(
            f"[providers.envelope] has {len(place.providers)}: {', '.join(sorted(place.providers))}",
            remedy="one wraps all keys: keep one of them",
        )
    (envelope,) = place.providers.values()
    envelope.begin(place.data / "personal")
    return PersonKeys(place.database, envelope, settings.sealed)


def named(table: str) -> str:
    """Return what settings call a table."""
    return table.replace('"', "")


def _bound(table: str, subject: str) -> bytes:
    return f"{table}\0{subject}".encode()


def _of_form(sealed: bytes) -> bytes:
    if sealed[:1] != FORM:
        raise ValueError(sealed[:1])
    return sealed
