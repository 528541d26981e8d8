"""A thousand operations of an app that was offline, pushed in one call, against the same rows written by hand.

Both by processors, of this process and of PostgreSQL: other work on the machine does not count.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg

from bench import _shop as shop
from bench._clock import Clock, Spent
from isthmus.kernel import Caller, FrontEnd, Platform, Registry, answers
from isthmus.packs.sync import api
from isthmus.packs.sync.pack import PACK
from isthmus.store import Database, MigrationSource, migrate

Row = dict[str, Any]
OPERATIONS = 1_000
DOCUMENTS = 200
AIM_MS = 200.0
CALLER = Caller(front_end="bench", client="bench")

DOCUMENT = """insert into sync.document (front_end, scope, collection, document, version, is_deleted, body)
              values ('bench', $1, 'basket', $2, $3, false, $4)"""
OPERATION = """insert into sync.operation (front_end, client_id, sequence, scope, version, said, at)
               values ('bench', $1, $2, $3, $4, $5, now())"""
BODY = '{"quantity":{"n":3},"note":{"v":"ripe","at":7,"by":"phone-1"},"tags":{"\\"a\\"":{"phone-1":9}}}'


@answers(api.collections)
def kept() -> Sequence[api.Collection]:
    """Keep a basket."""
    fields = (
        api.Field(name="quantity", merge=api.Merge.COUNTER),
        api.Field(name="note"),
        api.Field(name="tags", merge=api.Merge.SET),
    )
    return (api.Collection(name="basket", fields=fields),)


def rows(rounds: int) -> list[Row]:
    """Measure and return the table's rows."""
    return asyncio.run(_measured(rounds))


async def _measured(rounds: int) -> list[Row]:
    async with shop.database("sync") as url:
        await migrate(url, [MigrationSource.of_pack("sync", PACK.migrations)])
        async with await Database.open(url) as database:
            front_end = FrontEnd(code="bench", name="Bench", owner="bench", uses=("sync.*",), answers=(kept,))
            platform = Platform(Registry().add(PACK, front_end).freeze(), database)
            found = [await _round(platform, url, number) for number in range(rounds + 1)][1:]
    pushed, by_hand = (statistics.median(_ms(one[at]) for one in found) for at in (0, 1))
    waited = statistics.median(one[0].seconds for one in found) * 1e3
    return [
        {
            "name": f"sync of {OPERATIONS:,} operations on {DOCUMENTS} documents",
            "value": pushed,
            "unit": "ms of processors",
            "against": f"{by_hand:.0f} ms, the rows by hand; {waited:.0f} ms by the clock here",
            "ratio": pushed / by_hand,
            "aim": f"≤ {AIM_MS:g} ms",
            "met": pushed <= AIM_MS,
        }
    ]


def _ms(spent: Spent) -> float:
    return (spent.own + spent.database) * 1e3


async def _round(platform: Platform, url: str, number: int) -> tuple[Spent, Spent]:
    """Return what a push takes, and the same rows written one statement for each kind."""
    ask = api.PushOperations(
        client_id=f"phone-of-bench-{number}", member_id=UUID(int=number + 1),
        operations=tuple(_operation(one) for one in range(1, OPERATIONS + 1)),
    )  # fmt: skip
    clock = await Clock.started(url)
    pushed = await platform.call(api.push, ask, CALLER)
    took = await clock.stopped()
    assert pushed.applied == OPERATIONS, pushed
    connection = await asyncpg.connect(url)
    scope, client = f"by-hand-{number}", f"by-hand-{number}"
    clock = await Clock.started(url)
    async with connection.transaction():
        await connection.executemany(DOCUMENT, [(scope, f"sku-{one}", one, BODY) for one in range(DOCUMENTS)])
        operations = [(client, one, scope, one, b"sixteen bytes of") for one in range(OPERATIONS)]
        await connection.executemany(OPERATION, operations)
    by_hand = await clock.stopped()
    await connection.close()
    return took, by_hand


def _operation(number: int) -> api.Operation:
    kind, field, value = (("increment", "quantity", 1), ("set", "note", "ripe"), ("add", "tags", "a"))[number % 3]
    found: Any = kind
    return api.Operation(
        sequence=number, collection="basket", document=f"sku-{number % DOCUMENTS}", kind=found, field=field, value=value
    )
