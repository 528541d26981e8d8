"""A front end that syncs a basket, a list and notes, and clients that are offline most of the time."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from pycrdt import Doc, Text

from isthmus.kernel import Caller, FrontEnd, Platform, Value, answers
from isthmus.packs.sync import api
from isthmus.packs.sync.api import Collection, Field, Merge, Was
from isthmus.packs.sync.pack import PACK
from tests.packs.conftest import MakePlatform

NOW = datetime(2030, 5, 6, 12, 0, tzinfo=UTC)
ANN, BOB = UUID(int=1), UUID(int=2)
BASKET = Collection(
    name="basket",
    version=4,
    fields=(
        Field(name="quantity", merge=Merge.COUNTER, was=(Was(until=1, name="qty"), Was(until=3, name="count"))),
        Field(name="note"),
        Field(name="gift", since=3),
    ),
)
LIST = Collection(name="list", version=2, oldest=2, fields=(Field(name="items", merge=Merge.SET), Field(name="name")))
NOTES = Collection(name="notes", fields=(Field(name="body", merge=Merge.TEXT),))


@answers(api.collections)
def what_the_app_keeps() -> Sequence[Collection]:
    return (BASKET, LIST, NOTES)


NORTH = FrontEnd(code="north", name="north", owner="north", uses=("sync.*",), answers=(what_the_app_keeps,))
SOUTH = FrontEnd(code="south", name="south", owner="south", uses=("sync.*",))


class Desk:
    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.database: Any = platform.store

    async def call(self, capability: Any, ask: Value, front_end: str = "north", now: datetime = NOW) -> Any:
        return await self.platform.call(capability, ask, Caller(front_end=front_end, client="shop"), now=now)

    def phone(self, name: str = "phone-of-ann", member_id: UUID = ANN, scope: str = "", **schema: int) -> Phone:
        return Phone(self, name, member_id, scope, schema)


class Phone:
    """An app: it writes down what it changes, pushes that when it can, and pulls what others have."""

    def __init__(self, desk: Desk, client_id: str, member_id: UUID, scope: str, schema: dict[str, int]) -> None:
        self.desk, self.client_id, self.member_id, self.scope, self.schema = desk, client_id, member_id, scope, schema
        self.pending: list[api.Operation] = []
        self.sequence = 0
        self.since = 0
        self.documents: dict[tuple[str, str], api.Document] = {}

    def change(self, collection: str, document: str, kind: Any, field: str = "", value: Any = None) -> api.Operation:
        self.sequence += 1
        made = api.Operation(
            sequence=self.sequence, collection=collection, document=document, kind=kind, field=field, value=value,
            base=self.since,
        )  # fmt: skip
        self.pending.append(made)
        return made

    async def push(self, *, is_answer_lost: bool = False) -> api.Pushed:
        ask = api.PushOperations(
            client_id=self.client_id, member_id=self.member_id, operations=tuple(self.pending), scope=self.scope,
            schema=self.schema,
        )  # fmt: skip
        pushed = await self.desk.call(api.push, ask)
        if not is_answer_lost:
            self.pending.clear()
        return pushed

    async def pull(self, *collections: str) -> dict[tuple[str, str], Any]:
        """Pull until there is no more; return all that the app has, without what is deleted."""
        is_more = True
        while is_more:
            ask = api.Pull(
                client_id=self.client_id, member_id=self.member_id, since=self.since, scope=self.scope,
                collections=collections, schema=self.schema,
            )  # fmt: skip
            pulled: api.Pulled = await self.desk.call(api.pull, ask)
            self.since, is_more = pulled.version, pulled.is_more
            self.documents |= {(one.collection, one.document): one for one in pulled.documents}
        return {key: one.values for key, one in self.documents.items() if not one.is_deleted}


class Pad:
    """A text as an app has it."""

    def __init__(self) -> None:
        self.doc: Any = Doc()
        self.text: Any = self.doc.get("text", type=Text)

    def write(self, at: int, words: str) -> str:
        """Write, and return the update that says so."""
        before = self.doc.get_state()
        self.text.insert(at, words)
        return base64.b64encode(self.doc.get_update(before)).decode()

    def read(self, update: str) -> str:
        self.doc.apply_update(base64.b64decode(update))
        return str(self.text)


@pytest.fixture
async def desk(make_platform: MakePlatform) -> Desk:
    return Desk(await make_platform(PACK, NORTH, SOUTH))
