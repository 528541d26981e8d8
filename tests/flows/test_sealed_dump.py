"""A dump of before, with all encrypted that can be: what it still says of who is erased since, the register has."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import pytest

from isthmus.kernel import ports
from isthmus.manifest import clear
from isthmus.packs.personal_data.service.envelopes import FileSettings, KeyFile
from isthmus.packs.personal_data.service.keys import PersonKeys, named, sealable
from isthmus.packs.personal_data.service.register import register
from isthmus.sealing import PersonKeyMissing, Seals
from isthmus.store import embedded
from tests import shipped

from . import people
from .people import STORED_MEANS, World, joined, lived, subscribed

world = people.world
ENCRYPTED: Final = {
    "member.identity",
    "member.membership",
    "member.address",
    '"order".orders',
    "fulfilment.shipment",
    "subscription.subscription",
    "sync.conflict",
    "sync.document",
}
Row = dict[str, str]  # columns to what the dump has of them, bytes as hexadecimal digits behind `\x`


def dumped(url: str) -> list[tuple[str, Row]]:
    """Return each row of a dump, with its table."""
    command = [embedded.program("pg_dump") or "pg_dump", "--data-only", url]
    lines = iter(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines())
    return [row for line in lines if line.startswith("COPY ") for row in _rows(line, lines)]


def _rows(head: str, lines: Iterator[str]) -> Iterator[tuple[str, Row]]:
    table, _, rest = head.removeprefix("COPY ").partition(" (")
    columns = [one.strip('"') for one in rest.partition(")")[0].split(", ")]
    for line in lines:
        if line == "\\.":
            return
        yield table, dict(zip(columns, line.replace("\\\\x", "\\x").split("\t"), strict=True))


def said_in(value: str) -> str:
    if not value.startswith("\\x"):
        return value.lower()
    return bytes.fromhex(value[2:]).decode(errors="replace").lower()


def found_in(dump: Sequence[tuple[str, Row]], words: Iterable[str]) -> set[str]:
    """Return the columns of a dump in which one of some words stands."""
    wanted = [word.lower() for word in words]
    return {
        f"{named(table)}.{column}"
        for table, row in dump
        for column, value in row.items()
        if any(word in said_in(value) for word in wanted)
    }


def sealed_in(dump: Sequence[tuple[str, Row]]) -> list[tuple[str, bytes]]:
    """Return all that a dump has sealed, with its table."""
    into = {(table, of.into) for table, of in sealable(shipped.PACKS) if of.into}
    values = [(table, row[column]) for table, row in dump for at, column in into if at == table]
    return [(table, bytes.fromhex(value[2:])) for table, value in values if value != "\\N"]


async def opened_by(
    keys: PersonKeys, session: ports.Session, subjects: Sequence[str], sealed: Sequence[tuple[str, bytes]]
) -> AsyncIterator[str]:
    """Yield what opens under some keys, whosever it is."""
    for table, one in sealed:
        for subject in subjects:
            try:
                (text,) = await keys.open(session, subject, table, [one])
            except PersonKeyMissing:
                continue
            yield text.decode().lower()


async def test_a_dump_of_before_says_of_who_was_erased_what_the_register_says_stays_and_opens_by_no_key_that_is_left(
    world: World, tmp_path: Path
) -> None:
    envelope = KeyFile("file", FileSettings())
    envelope.begin(tmp_path / "keys")
    tables = {named(table) for table, of in sealable(shipped.PACKS) if not of.along}
    keys = PersonKeys(world.shop.database, envelope, tables)
    world.shop.platform.resources[Seals] = keys
    member_id, email = await joined(world, "ann"), world.canary("guest", "{}@example.com")
    await lived(world, "ann", member_id)
    await subscribed(world, "ann", member_id)
    await lived(world, "guest", None, email=email)
    theirs, world.planted = [*world.planted, STORED_MEANS], []
    await joined(world, "eve")
    dump = await asyncio.to_thread(dumped, world.shop.database.url)
    await world.forgotten("member.erase", member_id=member_id)
    await world.forgotten("privacy.erase-guest", email=email)

    entries = (await register(world.shop.platform, world.shop.database, has_calls=False)).entries
    why = {one.where: "" if one.is_sealed else one.in_the_clear for one in entries}
    found = found_in(dump, theirs)
    assert found, "words of front ends' own fields, and copies that pass"
    assert sorted(where for where in found if why.get(where, "") in ("", clear.UNSAID)) == []

    sealed = sealed_in(dump)
    assert {table for table, _ in sealed} == ENCRYPTED
    async with world.shop.database.platform() as session:
        left = [row["subject"] for row in await session.fetch("select subject from personal_data.key")]
        opened = [text async for text in opened_by(keys, session, left, sealed)]
    assert [text for text in opened if any(word.lower() in text for word in world.planted)] != [], "Eve's, who stays"
    assert [word for word in theirs for text in opened if word.lower() in text and word not in world.planted] == []

    # The keys that the dump itself has are wrapped, and what wraps them is gone with the next rotation.
    await envelope.follow()
    async with world.shop.database.platform_transaction() as session:
        await keys.rewrap(session)
    await envelope.drop_old()
    wrapped = [row for table, row in dump if table == "personal_data.key"]
    assert len(wrapped) > len(left)
    for row in wrapped:
        with pytest.raises(PersonKeyMissing):
            await envelope.unwrap((row["envelope"], bytes.fromhex(row["wrapped"][2:])), row["subject"])


async def test_each_column_of_what_ships_is_encrypted_or_the_register_says_why_not(world: World) -> None:
    entries = (await register(world.shop.platform, world.shop.database, has_calls=False)).entries
    assert [one.where for one in entries if one.is_sealed == bool(one.in_the_clear)] == []
    assert [one.where for one in entries if one.in_the_clear == clear.UNSAID] == []
