"""Fields under a key per person: nobody reads them without it, and whoever is erased is forgotten by copies too."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from isthmus.app.config import load_config
from isthmus.app.forgetting import forgetting
from isthmus.app.resources import setting_problems
from isthmus.kernel import Caller, FrontEnd, Platform, errors
from isthmus.manifest import Place, WrongSettings
from isthmus.packs.member import api as member
from isthmus.packs.member.entities import RECORDS
from isthmus.packs.member.pack import PACK as MEMBER
from isthmus.packs.personal_data import api, storage
from isthmus.packs.personal_data.pack import PACK
from isthmus.packs.personal_data.service.encrypting import encrypt
from isthmus.packs.personal_data.service.envelopes import (
    Envelope,
    Environment,
    EnvironmentSettings,
    FileSettings,
    KeyFile,
    Vault,
    VaultSettings,
)
from isthmus.packs.personal_data.service.export import export_person
from isthmus.packs.personal_data.service.keys import PersonKeys, keys_at
from isthmus.packs.personal_data.service.register import Registry
from isthmus.sealing import PersonKeyMissing, Seals
from isthmus.store import Database, embedded
from isthmus.values import Address
from tests import shipped

from .transit_server import TOKEN, TransitServer, transit_server

TABLE = "member.address"
STREET = "7 Canary Wharf"
ADA = Caller(front_end="*", client="console", via="console", person="ada", roles=("operator",))
NORTH = Caller(front_end="north", client="till")


@dataclass
class Club:
    """A front end whose members' addresses are kept encrypted."""

    platform: Platform
    database: Database
    keys: PersonKeys
    url: str

    async def joined(self, name: str, street: str = STREET) -> UUID:
        ask = member.Register(identities=(member.Identity(kind="email", value=f"{name}@example.org"),))
        found = (await self.platform.call(member.register, ask, NORTH)).member_id
        await self.moved(found, street)
        return found

    async def moved(self, member_id: UUID, street: str, label: str = "home") -> member.Member:
        address = Address(country="DE", city="Berlin", postcode="10115", street=street)
        ask = member.PutAddress(member_id=member_id, label=label, address=address)
        return await self.platform.call(member.put_address, ask, NORTH)

    async def streets(self, member_id: UUID) -> list[str]:
        ask = member.GetMember(member_id=member_id)
        return [one.address.street for one in (await self.platform.call(member.get_member, ask, NORTH)).addresses]

    async def run(self, sql: str, *args: object) -> Any:
        async with self.database.platform() as session:
            return [dict(row) for row in await session.fetch(sql, *args)]

    def dump(self, *options: str) -> str:
        ran = subprocess.run(
            [embedded.program("pg_dump") or "pg_dump", *options, self.url], check=False, capture_output=True, text=True
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout


def file_at(folder: Path) -> KeyFile:
    made = KeyFile("file", FileSettings())
    made.begin(folder)
    return made


@pytest.fixture
async def club(
    make_platform: Callable[..., Awaitable[Platform]], database_url: str, tmp_path: Path
) -> AsyncIterator[Club]:
    north = FrontEnd(code="north", name="north", owner="north", uses=("member.*",))
    async with await Database.open(database_url) as database:
        keys = PersonKeys(database, file_at(tmp_path), [TABLE])
        packs = (MEMBER, PACK)
        platform = await make_platform(*packs, *forgetting(packs), north, resources={Seals: keys})
        yield Club(platform, database, keys, database_url)


async def test_what_is_sealed_is_read_as_before_and_stands_nowhere_in_the_database(club: Club) -> None:
    ann = await club.joined("ann")
    assert await club.streets(ann) == [STREET]
    assert await club.run("select address::text, sealed is not null as is_sealed from member.address") == [
        {"address": "{}", "is_sealed": True}
    ]
    assert STREET not in club.dump("--data-only", "--schema=member", "--schema=personal_data")
    assert [row["street"] for row in await club.run(RECORDS)] == [None]  # what One ID reads for the lake
    await club.moved(ann, "9 New Street")
    await club.moved(ann, "1 Work Street", "work")
    assert await club.streets(ann) == ["9 New Street", "1 Work Street"]


async def test_whoever_is_erased_is_forgotten_by_the_copies_that_were_made_before(club: Club) -> None:
    ann, bob = await club.joined("ann"), await club.joined("bob", "3 Bob Street")
    backup = club.dump("--data-only", "--table=member.address")  # kept for years: without the keys of persons
    whole = club.dump("--data-only", "--table=member.address", "--table=personal_data.key")
    await club.platform.call(member.erase, member.Erase(member_id=ann), NORTH)
    assert await club.run("select subject from personal_data.key") == [{"subject": str(bob)}]

    await club.run("truncate member.address")
    await restored(club.url, backup)
    async with club.database.platform() as session:
        rows = {row["member_id"]: row["sealed"] for row in await session.fetch("select * from member.address")}
        assert await club.keys.open(session, str(bob), TABLE, [rows[bob]]) != []
        with pytest.raises(PersonKeyMissing, match=r"what member.address keeps of .* their key is not there"):
            await club.keys.open(session, str(ann), TABLE, [rows[ann]])

    # A whole copy has Ann's key too: it opens until the envelope key that wraps it is destroyed, and by nothing then.
    (kept,) = [line for line in whole.splitlines() if line.startswith(f"{ann}\tnorth\t") and "\\\\x" in line]
    _, _, envelope, wrapped, *_ = kept.split("\t")
    key = (envelope, bytes.fromhex(wrapped.removeprefix("\\\\x")))
    assert len(await club.keys.envelope.unwrap(key, str(ann))) == 32
    await rotated(club)
    with pytest.raises(PersonKeyMissing, match="is wrapped under the envelope key '1', and .* has 2"):
        await club.keys.envelope.unwrap(key, str(ann))
    fresh = PersonKeys(club.database, club.keys.envelope, [TABLE])  # another server, which remembers nothing
    async with club.database.platform() as session:
        assert b"3 Bob Street" in (await fresh.open(session, str(bob), TABLE, [rows[bob]]))[0]


async def restored(url: str, dump: str) -> None:
    """Put the rows of a dump back."""
    head, _, rest = dump.partition("FROM stdin;\n")
    columns = head.rpartition("(")[2].rpartition(")")[0].split(", ")
    connection = await asyncpg.connect(url)
    try:
        await connection.copy_to_table(
            "address", schema_name="member", columns=columns, source=_Lines(rest.partition("\\.\n")[0])
        )
    finally:
        await connection.close()


class _Lines:
    """What a dump has of a table, as a file."""

    def __init__(self, text: str) -> None:
        self._rest = text.encode()

    def read(self, size: int) -> bytes:
        found, self._rest = self._rest[:size], self._rest[size:]
        return found


async def rotated(club: Club) -> None:
    await club.keys.envelope.follow()
    async with club.database.platform_transaction() as session:
        await club.keys.rewrap(session)
    await club.keys.envelope.drop_old()


async def test_a_person_can_take_out_what_is_sealed(club: Club, tmp_path: Path) -> None:
    ann = await club.joined("ann")
    registry = Registry(database=club.database, lake=tmp_path / "no lake")
    export = await export_person(club.platform, registry, api.Whom(member_ids=(ann,)), ADA)
    (addresses,) = [one for one in export.held if one.where == TABLE]
    assert addresses.rows[0]["address"]["street"] == STREET
    assert "sealed" not in addresses.rows[0]
    assert "wrapped" not in str(export)


async def test_rows_that_were_there_are_sealed_and_whoever_was_stopped_goes_on(club: Club) -> None:
    clear = PersonKeys(club.database, club.keys.envelope)
    club.platform.resources[Seals] = clear
    people = [await club.joined(f"p{at}", f"{at} Street") for at in range(5)]
    with pytest.raises(KeyboardInterrupt):
        await encrypt(club.database, club.keys, (MEMBER,), stopping)
    await club.joined("late", "9 Street")  # by a server that seals nothing yet
    (done,) = await encrypt(club.database, club.keys, (MEMBER,))
    assert (done.table, done.sealed, done.left) == (TABLE, 1, 0)
    assert [await club.streets(one) for one in people] == [[f"{at} Street"] for at in range(5)]
    assert "Street" not in club.dump("--data-only", "--table=member.address")


def stopping(table: str, at: int, count: int) -> None:
    raise KeyboardInterrupt


async def test_a_key_that_is_missing_or_another_is_an_error_with_what_to_do_and_never_an_empty_address(
    club: Club, tmp_path: Path
) -> None:
    ann, bob = await club.joined("ann"), await club.joined("bob")
    other = PersonKeys(club.database, file_at(tmp_path / "other"), [TABLE])
    club.platform.resources[Seals] = other
    with pytest.raises(PersonKeyMissing, match="is not the one that wraps the key of"):
        await club.streets(ann)
    club.platform.resources.pop(Seals)
    with pytest.raises(PersonKeyMissing, match="no pack here keeps keys of persons"):
        await club.streets(ann)
    club.platform.resources[Seals] = club.keys
    await club.run("update member.address set sealed = (select sealed from member.address where member_id = $1)", bob)
    with pytest.raises(PersonKeyMissing, match="is encrypted under another key than theirs"):
        await club.streets(ann)  # by hand, with the row of somebody else
    await club.run("delete from personal_data.key")
    with pytest.raises(PersonKeyMissing, match="their key is not there"):
        await club.streets(ann)


async def test_a_front_end_can_neither_change_nor_destroy_a_key_and_sees_none_of_another(club: Club) -> None:
    await club.joined("ann")
    south = club.database.read("south")
    assert await south.fetch("select * from personal_data.key") == []
    await south.close()
    for statement in ("delete from personal_data.key", "update personal_data.key set wrapped = ''"):
        session = await club.database.write("north", None)
        with pytest.raises(errors.Fault, match="permission denied"):
            await session.execute(statement)
        await session.close()


async def test_keys_are_wrapped_anew_when_an_envelope_key_follows(club: Club) -> None:
    people = [await club.joined(f"p{at}") for at in range(3)]
    await rotated(club)
    async with club.database.platform() as session:
        assert await storage.count_by_envelope(session) == {"2": 3}
    club.platform.resources[Seals] = PersonKeys(club.database, club.keys.envelope, [TABLE])
    assert [await club.streets(one) for one in people] == [[STREET]] * 3


def ring(*names: str) -> str:
    return " ".join(f"{name}:{base64.b64encode(name.encode() * 32).decode()}" for name in names)


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("VAULT_TOKEN", TOKEN)
    with transit_server() as server:
        yield server


@pytest.mark.parametrize("kind", ["file", "environment", "vault"])
async def test_each_place_of_envelope_keys_wraps_follows_and_forgets(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vault: TransitServer
) -> None:
    monkeypatch.setenv("ISTHMUS_PERSON_KEYS", ring("a"))
    made: dict[str, Envelope] = {
        "file": file_at(tmp_path),
        "environment": Environment("environment", EnvironmentSettings()),
        "vault": Vault("vault", VaultSettings(url=vault.url, key="persons")),
    }
    envelope, key = made[kind], os.urandom(32)
    wrapped = await envelope.wrap(key, "ann")
    assert wrapped[0] == await envelope.newest()
    assert key not in wrapped[1]
    assert await envelope.unwrap(wrapped, "ann") == key
    monkeypatch.setenv("ISTHMUS_PERSON_KEYS", ring("a", "b"))
    assert await envelope.follow() != wrapped[0]
    assert await envelope.unwrap(wrapped, "ann") == key, "what was wrapped before still opens"
    again = await envelope.wrap(key, "ann")
    monkeypatch.setenv("ISTHMUS_PERSON_KEYS", ring("b"))
    await envelope.drop_old()
    assert await envelope.unwrap(again, "ann") == key
    with pytest.raises(PersonKeyMissing):
        await envelope.unwrap(wrapped, "ann")
    with pytest.raises(PersonKeyMissing):
        await envelope.unwrap((again[0], again[1][:-4] + b"abcd"), "ann")


async def test_a_vault_that_is_down_or_takes_the_token_no_more_says_so_and_not_what_was_sent(
    vault: TransitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_TOKEN", "hvs.revoked")
    kept = Vault("vault", VaultSettings(url=vault.url, key="persons"))
    with pytest.raises(errors.Unavailable, match="does not answer for the keys of persons: Forbidden") as refused:
        await kept.wrap(b"k" * 32, "ann")
    assert "hvs." not in str(refused.value)
    gone = Vault("vault", VaultSettings(url="http://127.0.0.1:1", key="persons"))
    with pytest.raises(errors.Unavailable, match="ConnectionError"):
        await gone.newest()


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "has no envelope key"), ("a:short", "that is not 32 bytes in base64"), ("a", "that is not 32 bytes")],
)
async def test_envelope_keys_that_are_none_are_refused(text: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISTHMUS_PERSON_KEYS", text)
    with pytest.raises(PersonKeyMissing, match=said):
        await Environment("environment", EnvironmentSettings()).newest()


def test_a_company_switches_it_on_by_its_settings(tmp_path: Path) -> None:
    (tmp_path / "isthmus.toml").write_text(
        "[settings.personal-data]\nsealed = ['member.address']\npseudonym_key = 'pseudonyms'\n"
    )
    assert setting_problems(shipped.PACKS, load_config(tmp_path / "isthmus.toml")) == []
    place = Place(database=None, providers={"file": file_at(tmp_path)}, data=tmp_path, packs=(MEMBER,))
    keys = keys_at(replace(place, settings=api.PersonalSettings(sealed=(TABLE,))))
    assert (keys.is_on(TABLE), keys.is_on("account.account")) == (True, False)
    with pytest.raises(WrongSettings, match=r"names 'member.adress', of which nothing can be sealed.*member\.address"):
        keys_at(replace(place, settings=api.PersonalSettings(sealed=("member.adress",))))
    with pytest.raises(WrongSettings, match="has 2: file, other"):
        keys_at(replace(place, settings=api.PersonalSettings(), providers={"file": 1, "other": 2}))
