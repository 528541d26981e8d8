"""What members are told, kept encrypted: read in the inbox and pushed as before, and gone from copies with the key."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from isthmus.packs.messaging.pack import PACK
from isthmus.packs.personal_data.service.encrypting import encrypt
from isthmus.packs.personal_data.service.envelopes import FileSettings, KeyFile
from isthmus.packs.personal_data.service.keys import PersonKeys
from isthmus.sealing import Seals

from .conftest import Desk, MakeDesk

TABLE: Final = "messaging.message"
SAID: Final = {"title": "Dear Adelaide", "body": "your parcel is at Canary Wharf"}


@dataclass(frozen=True, slots=True)
class Sealing:
    """A desk whose messages are kept encrypted."""

    desk: Desk
    keys: PersonKeys

    async def in_the_clear(self) -> list[str]:
        async with self.desk.database.platform() as session:
            said = str([dict(row) for row in await session.fetch(f"select * from {TABLE}")])
        return [word for word in ("Adelaide", "Canary") if word in said]

    async def texts(self, member_id: Any) -> list[tuple[str, str]]:
        return [(one.title, one.body) for one in (await self.desk.inbox(member_id)).items]


@pytest.fixture
async def sealing(make_desk: MakeDesk, tmp_path: Path) -> Sealing:
    desk, envelope = await make_desk(), KeyFile("file", FileSettings())
    envelope.begin(tmp_path)
    keys = PersonKeys(desk.database, envelope, [TABLE])
    desk.platform.resources[Seals] = keys
    return Sealing(desk, keys)


async def test_what_is_sealed_is_in_the_inbox_and_on_the_device_and_nowhere_in_the_rows(sealing: Sealing) -> None:
    ada = await sealing.desk.join("ada@example.org")
    browser = await sealing.desk.subscribe(ada, "laptop")
    made = await sealing.desk.notify(ada, "parcel/1", **SAID)
    assert await sealing.desk.notify(ada, "parcel/1", **SAID) == made, "told once"
    assert (await sealing.texts(ada), await sealing.in_the_clear()) == ([(SAID["title"], SAID["body"])], [])
    await sealing.desk.deliver()
    (pushed,) = browser.read()
    assert (pushed["title"], pushed["body"]) == (SAID["title"], SAID["body"])


async def test_what_was_there_is_sealed_by_the_command(sealing: Sealing) -> None:
    resources = sealing.desk.platform.resources
    del resources[Seals]
    ada = await sealing.desk.join("ada@example.org")
    await sealing.desk.notify(ada, **SAID)
    assert await sealing.in_the_clear() == ["Adelaide", "Canary"]
    resources[Seals] = sealing.keys
    (done,) = await encrypt(sealing.desk.database, sealing.keys, (PACK,))
    assert (done.table, done.sealed, done.left) == (TABLE, 2, 0)
    assert await sealing.in_the_clear() == []
    assert await sealing.texts(ada) == [(SAID["title"], SAID["body"])]
