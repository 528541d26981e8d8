"""Fields that are kept encrypted under a key per person, as packs use them; who keeps the keys is a pack's matter.

    sealed under the key of whom it is of ─ wrapped under an envelope key ─ kept outside the database

Who is erased loses the key: what was sealed opens nowhere any more, in no copy of the rows either.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from isthmus.kernel import errors, ports


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A column that can be kept encrypted; a row has what it says there in the clear, or sealed in `into`.

    column: what it is in the clear, a text or JSON; `empty` is what stands there once it is sealed. subject: SQL of
    whose it is, such as `member_id::text`; null: nobody's, and left as it is. front_end: SQL of where the key belongs,
    `'*'` for the whole group. hashed: a column of a keyed hash by which it is still found, where it is looked up; where
    that is `column` itself, the hash stands there as `known_by` writes it, so that what is unique stays so, and an
    `into` of nothing keeps no more than that. along: the table that is named in settings where this one is sealed too.
    """

    column: str
    into: str
    subject: str
    front_end: str = "front_end"
    empty: str = "null"
    hashed: str = ""
    along: str = ""

    @property
    def is_by_hash(self) -> bool:
        """Say whether a keyed hash takes the place of what is sealed."""
        return self.hashed == self.column


class PersonKeyMissing(errors.Fault):
    """What is kept encrypted cannot be read: the key of the person is not there, or is not the one."""

    slug = "person-key-missing"


class Seals:
    """Seals fields, and opens them. This one, where no pack keeps keys, seals nothing and can open nothing."""

    def is_on(self, table: str) -> bool:
        """Say whether new rows of a table are sealed; what was sealed before is opened all the same."""
        return False

    async def seal(
        self, session: ports.Session, front_end: str, subject: str, table: str, texts: Sequence[bytes],
        *, is_first: bool = False,
    ) -> list[bytes]:  # fmt: skip
        """Return texts sealed under the key of a person, which is made in this transaction where there is none.

        front_end: where the key belongs, `*` for the whole group. is_first: there is none yet, and nobody has to look.
        """
        return await self.seal_all(session, front_end, subject, [(table, text) for text in texts], is_first=is_first)

    async def seal_all(
        self, session: ports.Session, front_end: str, subject: str, texts: Sequence[tuple[str, bytes]],
        *, is_first: bool = False,
    ) -> list[bytes]:  # fmt: skip
        """Return texts of several tables sealed under the key of a person, as `seal` does of one."""
        raise _no_keys(", ".join(sorted({table for table, _ in texts})))

    async def open(self, session: ports.Session, subject: str, table: str, sealed: Sequence[bytes]) -> list[bytes]:
        """Return what was sealed. Raises PersonKeyMissing where it cannot be opened, and never returns less."""
        return await self.open_each(session, table, [(subject, one) for one in sealed])

    async def open_each(self, session: ports.Session, table: str, sealed: Sequence[tuple[str, bytes]]) -> list[bytes]:
        """Return what was sealed of several, each with whose it is, as `open` does of one."""
        return await self.open_all(session, [(table, *one) for one in sealed])

    async def open_all(self, session: ports.Session, sealed: Sequence[tuple[str, str, bytes]]) -> list[bytes]:
        """Return what was sealed in several tables, each with its table and whose it is: keys are looked up once."""
        raise _no_keys(", ".join(sorted({table for table, _, _ in sealed})))

    async def open_shared(self, sealed: Sequence[tuple[str, str, bytes]]) -> list[bytes]:
        """Return what was sealed of others and is shared with who asks, as the database said, who sees no such key."""
        raise _no_keys(", ".join(sorted({table for table, _, _ in sealed})))

    async def put_away(
        self, session: ports.Session, front_end: str, subject: str, table: str, texts: Sequence[bytes], empty: bytes
    ) -> tuple[Sequence[bytes], Sequence[bytes | None]]:
        """Return what is written in the clear, and what sealed, for each text: one of the two is empty."""
        if not texts or not self.is_on(table):
            return texts, [None] * len(texts)
        return [empty] * len(texts), await self.seal(session, front_end, subject, table, texts)

    async def taken_out(
        self, session: ports.Session, subject: str, table: str, kept: Sequence[tuple[bytes, bytes | None]]
    ) -> Sequence[bytes]:
        """Return texts of what is written in the clear, and what sealed. Raises PersonKeyMissing."""
        sealed = [one for _, one in kept if one is not None]
        opened = iter(await self.open(session, subject, table, sealed) if sealed else ())
        return [clear if one is None else next(opened) for clear, one in kept]

    async def hashed(self, text: str, session: ports.Session | None = None, *, is_made: bool = True) -> bytes | None:
        """Return a keyed hash by which a sealed text is found, the same for the same; None: nothing is sealed here.

        session: a session of the platform's own to look in, where there is one. is_made: what it is of is sealed here,
        so that the key of hashes is made where there was none.
        """
        return None


def known_by(hashed: bytes) -> str:
    """Return how a keyed hash is written in the place of what it stands for."""
    return f"~{hashed.hex()}"


def is_known_by(text: str) -> bool:
    """Say whether a text is a keyed hash in the place of what it stands for."""
    return _KNOWN_BY.fullmatch(text) is not None


KNOWN_BY: Final = "^~[0-9a-f]{64}$"  # as `known_by` writes it, to PostgreSQL as well
_KNOWN_BY: Final = re.compile(KNOWN_BY)


def _no_keys(table: str) -> PersonKeyMissing:
    return PersonKeyMissing(
        f"rows of {table} are kept encrypted, and no pack here keeps keys of persons",
        remedy="plug in the pack that sealed them (`personal-data` of those that ship)",
    )


UNSEALED: Final = Seals()
