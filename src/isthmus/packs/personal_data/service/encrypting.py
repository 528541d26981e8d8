"""Rows that are there already are sealed block by block: what is sealed stays so, and whoever goes on does the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from isthmus.kernel import Pack, ports
from isthmus.sealing import Sealed
from isthmus.store import Database

from .keys import PersonKeys, named, sealable

BLOCKS: Final = 32  # of 8 KB a transaction: a few thousand rows, for a second or two
PASSES_MAX: Final = 5  # over a table, where servers that do not seal yet write meanwhile

Said = Callable[[str, int, int], None]  # a table, how many of its blocks were looked at, of how many


@dataclass(slots=True)
class Encrypted:
    """How many fields of a table were sealed, and how many are left in the clear."""

    table: str
    sealed: int = 0
    left: int = 0


async def encrypt(
    database: Database, keys: PersonKeys, packs: Sequence[Pack], said: Said = lambda table, at, count: None
) -> list[Encrypted]:
    """Seal what is in the clear in the tables that the settings name; it may be stopped and begun again at any time."""
    found: dict[str, Encrypted] = {}
    for table, sealed in sealable(packs):
        if keys.is_on(table):
            done = found.setdefault(table, Encrypted(named(table)))
            await _encrypt(database, keys, table, sealed, done, said)
    return list(found.values())


async def _encrypt(
    database: Database, keys: PersonKeys, table: str, sealed: Sealed, done: Encrypted, said: Said
) -> None:  # fmt: skip
    left = 0
    for _ in range(PASSES_MAX):
        async with database.platform() as session:
            blocks = await session.fetch_value("select pg_relation_size($1::text::regclass) / 8192", table)
        for at in range(0, blocks, BLOCKS):
            async with database.platform_transaction() as session:
                done.sealed += await _of_blocks(session, keys, table, sealed, at)
            said(done.table, min(at + BLOCKS, blocks), blocks)
        async with database.platform() as session:
            left = await session.fetch_value(f"select count(*) from {table} where {_in_the_clear(sealed)}")
        if not left:
            break
    done.left += left


def _in_the_clear(sealed: Sealed) -> str:
    is_filled = f"{sealed.column} is not null" if sealed.empty == "null" else f"{sealed.column} <> {sealed.empty}"
    return f"{sealed.into} is null and {is_filled} and ({sealed.subject}) is not null"


async def _of_blocks(session: ports.Session, keys: PersonKeys, table: str, sealed: Sealed, at: int) -> int:
    """Seal what is in the clear in some blocks; a row that somebody writes at this moment is left for the next pass."""
    rows = await session.fetch(
        f"""select ctid::text as place, {sealed.column}::text as clear, {sealed.subject} as subject,
                {sealed.front_end} as front_end
            from {table} where ctid >= $1::text::tid and ctid < $2::text::tid and {_in_the_clear(sealed)}
            for update skip locked""",
        f"({at},0)",
        f"({at + BLOCKS},0)",
    )
    if not rows:
        return 0
    hashes: list[bytes | None] = []
    texts: list[bytes] = []
    for row in rows:
        texts += await keys.seal(session, row["front_end"], row["subject"], table, [row["clear"].encode()])
        hashes.append(await keys.hashed(row["clear"].lower(), session) if sealed.hashed else None)
    more = f", {sealed.hashed} = given.hashed" if sealed.hashed else ""
    await session.execute(
        f"""update {table} as one set {sealed.column} = {sealed.empty}, {sealed.into} = given.sealed{more}
            from unnest($1::text[], $2::bytea[], $3::bytea[]) as given (place, sealed, hashed)
            where one.ctid = given.place::tid""",
        [row["place"] for row in rows],
        texts,
        hashes,
    )
    return len(rows)
