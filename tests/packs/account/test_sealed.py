"""Addresses of accounts under a key per person: found by a keyed hash, read by nobody who has the database alone."""

from __future__ import annotations

from pathlib import Path

from isthmus.kernel import Caller
from isthmus.packs.account import storage
from isthmus.packs.account.pack import PACK
from isthmus.packs.personal_data import api as personal_data
from isthmus.packs.personal_data.service.encrypting import encrypt
from isthmus.packs.personal_data.service.export import export_person
from isthmus.packs.personal_data.service.keys import PersonKeys
from isthmus.packs.personal_data.service.register import Registry
from isthmus.sealing import Seals

from .conftest import ADDRESS, World, envelope_at

TABLE = "account.account"
ADA = Caller(front_end="*", client="console", via="console", person="ada")


def seal(world: World, folder: Path) -> PersonKeys:
    keys = PersonKeys(world.database, envelope_at(folder), [TABLE])
    world.made[Seals] = world.platform.resources[Seals] = keys
    return keys


async def rows(world: World) -> list[tuple[str | None, bool]]:
    async with world.database.platform() as session:
        found = await session.fetch("select * from account.account order by made_at")
    return [(row["address"], row["sealed"] is not None and row["address_hash"] is not None) for row in found]


async def test_who_signs_in_again_has_the_same_account_and_its_address_stands_nowhere(
    world: World, tmp_path: Path
) -> None:
    seal(world, tmp_path)
    async with world.browser() as browser, world.browser() as other:
        first = await world.sign_in(browser)
        assert await rows(world) == [(None, True)]
        again = await world.sign_in(other)
        assert (again["sub"], again["email"]) == (first["sub"], ADDRESS)
        assert ADDRESS in (await other.get("http://south.test/enter")).text  # whom consent is asked of
    assert await rows(world) == [(None, True)]
    registry = Registry(database=world.database, lake=tmp_path / "no lake")
    for whom in ({"emails": (ADDRESS,)}, {"emails": (ADDRESS.upper(),)}):
        export = await export_person(world.platform, registry, personal_data.Whom(**whom), ADA)
        assert [row["address"] for one in export.held if one.where == TABLE for row in one.rows] == [ADDRESS]
    hashed = await world.made[Seals].hashed(ADDRESS)  # type: ignore[attr-defined]
    async with world.database.platform() as session:
        assert await storage.forget(session, [ADDRESS], []) == []
        assert await storage.forget(session, [ADDRESS], [hashed]) != []
    assert await rows(world) == []


async def test_accounts_that_were_there_are_sealed_and_still_found(world: World, tmp_path: Path) -> None:
    async with world.browser() as browser, world.browser() as other:
        first = await world.sign_in(browser)
        keys = seal(world, tmp_path)
        assert (await world.sign_in(other))["sub"] == first["sub"], "in the clear still, and found"
        (done,) = await encrypt(world.database, keys, (PACK,))
        assert (done.sealed, done.left) == (1, 0)
        assert await rows(world) == [(None, True)]
        async with world.browser() as third:
            assert (await world.sign_in(third))["sub"] == first["sub"]
