"""What is old goes, what somebody still needs stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from isthmus.kernel import ports
from isthmus.store import Database, Outbox, prune_answers, prune_events

DAY = timedelta(days=1)


async def emit(database: Database, key: str) -> None:
    event = ports.EventRow(
        id=key,
        type="shelf.item-taken",
        version="1.0",
        subject="tea",
        front_end="north",
        box="north",
        time=datetime.now(UTC),
        trace="trace",
        data=b"{}",
    )
    writing = await database.write("north", ports.Claim(key=key, capability="shelf.take", ask_hash="a1"))
    await writing.commit([event], b"{}")


async def test_events_go_when_they_are_old_and_all_have_read_them(database: Database) -> None:
    outbox = Outbox(database)
    await outbox.subscribe("quick")
    await outbox.subscribe("slow")
    for key in ("old", "older", "new"):
        await emit(database, key)
    await outbox.collect()
    async with database.platform() as session:
        await session.execute("update isthmus.event set collected_at = now() - interval '2 days' where id <> 'new'")
    positions = [event.position for event in await outbox.read(0)]
    await outbox.move_to("quick", positions[2])
    assert await prune_events(database, DAY) == 0
    await outbox.move_to("slow", positions[0])
    assert await prune_events(database, DAY) == 1
    await outbox.forget("slow")
    assert await prune_events(database, DAY) == 1
    assert [event.id for event in await outbox.read(0)] == ["new"]


async def test_answers_go_when_they_are_old_and_their_keys_are_free(database: Database) -> None:
    await emit(database, "old")
    await emit(database, "new")
    async with database.platform() as session:
        await session.execute(
            "update isthmus.idempotency set answered_at = now() - interval '2 days' where key = 'old'"
        )
    assert await prune_answers(database) == 1
    await emit(database, "old")
    assert await prune_answers(database) == 0
