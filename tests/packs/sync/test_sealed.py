"""What members write down, kept encrypted: pulled, merged and settled as before, and gone from copies with its key."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from isthmus.packs.personal_data.pack import PACK as PERSONAL_DATA
from isthmus.packs.personal_data.service.encrypting import encrypt
from isthmus.packs.personal_data.service.envelopes import FileSettings, KeyFile
from isthmus.packs.personal_data.service.keys import PersonKeys
from isthmus.packs.sync import api
from isthmus.packs.sync.pack import PACK
from isthmus.sealing import PersonKeyMissing, Seals
from tests.packs.conftest import MakePlatform

from .conftest import ANN, BOB, NORTH, SOUTH, Desk, Pad

TABLES: Final = ("sync.document", "sync.conflict")
WORDS: Final = ("for Adelaide", "to Canary Wharf")


@dataclass(frozen=True, slots=True)
class Sealing:
    """A desk whose documents and conflicts are kept encrypted."""

    desk: Desk
    keys: PersonKeys

    async def in_the_clear(self) -> list[str]:
        async with self.desk.database.platform() as session:
            said = str([[dict(row) for row in await session.fetch(f"select * from {table}")] for table in TABLES])
        return [word for word in WORDS if word in said]


@pytest.fixture
async def sealing(make_platform: MakePlatform, tmp_path: Path) -> Sealing:
    desk, envelope = Desk(await make_platform(PACK, PERSONAL_DATA, NORTH, SOUTH)), KeyFile("file", FileSettings())
    envelope.begin(tmp_path)
    keys = PersonKeys(desk.database, envelope, TABLES)
    desk.platform.resources[Seals] = keys
    return Sealing(desk, keys)


async def _differ(desk: Desk) -> api.Conflict:
    """Have a phone and a watch write another note each, without knowing of each other."""
    phone, watch = desk.phone(), desk.phone("watch-of-ann")
    for device, said in zip((phone, watch), WORDS, strict=True):
        device.change("basket", "now", "set", "note", said)
    await phone.push()
    (conflict,) = (await watch.push()).conflicts
    return conflict


async def test_what_is_sealed_is_on_all_devices_and_nowhere_in_the_rows(sealing: Sealing) -> None:
    desk = sealing.desk
    conflict = await _differ(desk)
    assert {conflict.kept, conflict.lost} == set(WORDS)
    assert await sealing.in_the_clear() == []
    assert await desk.call(api.list_conflicts, api.ListConflicts(member_id=ANN)) == api.Conflicts(
        items=(conflict,), next_before=None
    )
    assert await desk.phone().pull() == {("basket", "now"): {"note": conflict.kept}}
    settled = await desk.call(api.settle_conflict, api.SettleConflict(conflict_id=conflict.conflict_id, choose="lost"))
    assert settled == conflict
    assert await desk.phone().pull() == {("basket", "now"): {"note": conflict.lost}}
    assert await sealing.in_the_clear() == []


async def test_who_goes_on_writing_says_anew_what_stands_in_a_conflict(sealing: Sealing) -> None:
    desk = sealing.desk
    phone, watch = desk.phone(), desk.phone("watch-of-ann")
    phone.change("basket", "now", "set", "note", "first")
    watch.change("basket", "now", "set", "note", "second")
    await phone.push()
    await watch.push()
    watch.change("basket", "now", "set", "note", WORDS[0])
    await watch.push()
    (conflict,) = (await desk.call(api.list_conflicts, api.ListConflicts(member_id=ANN))).items
    assert (conflict.kept, conflict.lost) == (WORDS[0], "first")
    assert await sealing.in_the_clear() == []


async def test_texts_of_several_merge_as_they_did(sealing: Sealing) -> None:
    desk = sealing.desk
    one, other, ann, bob = Pad(), Pad(), desk.phone(scope="both"), desk.phone("phone-of-bob", BOB, scope="both")
    ann.change("notes", "trip", "edit", "body", one.write(0, WORDS[0]))
    await ann.push()
    await desk.call(api.share_scope, api.ShareScope(scope="both", member_id=ANN, with_member_id=BOB))
    found = (await bob.pull())["notes", "trip"]["body"]["update"]
    assert other.read(found) == WORDS[0]
    bob.change("notes", "trip", "edit", "body", other.write(len(WORDS[0]), " and Bob"))
    await bob.push()
    assert one.read((await ann.pull())["notes", "trip"]["body"]["update"]) == f"{WORDS[0]} and Bob"
    assert await sealing.in_the_clear() == []


async def test_what_was_there_is_sealed_by_the_command_and_opens_by_no_other_key(sealing: Sealing) -> None:
    resources = sealing.desk.platform.resources
    del resources[Seals]
    conflict = await _differ(sealing.desk)
    assert await sealing.in_the_clear() == list(WORDS)
    resources[Seals] = sealing.keys
    done = {one.table: (one.sealed, one.left) for one in await encrypt(sealing.desk.database, sealing.keys, (PACK,))}
    assert done == {"sync.document": (1, 0), "sync.conflict": (2, 0)}
    assert await sealing.in_the_clear() == []
    assert await sealing.desk.phone().pull() == {("basket", "now"): {"note": conflict.kept}}
    async with sealing.desk.database.platform_transaction() as session:
        await session.execute("delete from personal_data.key")
    with pytest.raises(PersonKeyMissing, match=f"of 'sync/north/{ANN}' is encrypted, and their key is not there"):
        await sealing.desk.phone().pull()
