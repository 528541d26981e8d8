"""Rows that are there already are sealed block by block: what is sealed stays so, and whoever goes on does the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from isthmus.kernel import Pack, ports
from isthmus.sealing import KNOWN_BY, Sealed, known_by
from isthmus.store import ConstraintBroken, Database

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
        if keys.is_on(sealed.along or table):
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
    if sealed.is_by_hash:
        return f"{sealed.column} !~ '{KNOWN_BY}' and ({sealed.subject}) is not null"
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
    try:
        async with session.savepoint():
            await _seal_rows(session, keys, table, sealed, rows)
        return len(rows)
    except (
        ConstraintBroken
    ):  # a server that does not seal yet wrote what is there by its hash: one by one, but for that
        return sum([await _is_sealed_alone(session, keys, table, sealed, row) for row in rows])


async def _is_sealed_alone(
    session: ports.Session, keys: PersonKeys, table: str, sealed: Sealed, row: ports.Row
) -> bool:  # fmt: skip
    try:
        async with session.savepoint():
            await _seal_rows(session, keys, table, sealed, [row])
    except ConstraintBroken:
        return False
    return True


async def _seal_rows(
    session: ports.Session, keys: PersonKeys, table: str, sealed: Sealed, rows: Sequence[ports.Row]
) -> None:  # fmt: skip
    hashes: list[bytes | None] = []
    texts: list[bytes | None] = []
    for row in rows:
        clear = row["clear"]
        given = (row["front_end"], row["subject"], table, [clear.encode()])
        texts += await keys.seal(session, *given) if sealed.into else [None]
        hashes.append(
            await keys.hashed(clear if sealed.is_by_hash else clear.lower(), session) if sealed.hashed else None
        )
    changed = {sealed.column: "given.known" if sealed.is_by_hash else sealed.empty}
    changed |= {sealed.into: "given.sealed"} if sealed.into else {}
    changed |= {sealed.hashed: "given.hashed"} if sealed.hashed and not sealed.is_by_hash else {}
    await session.execute(
        f"""update {table} as one set {", ".join(f"{column} = {value}" for column, value in changed.items())}
            from unnest($1::text[], $2::bytea[], $3::bytea[], $4::text[]) as given (place, sealed, hashed, known)
            where one.ctid = given.place::tid""",
        [row["place"] for row in rows],
        texts,
        hashes,
        [hashed and known_by(hashed) for hashed in hashes],
    )
