"""One effect under one key, whatever arrives at once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import asyncpg
import msgspec
import pytest

from isthmus.kernel import errors, ports
from isthmus.store import Database, Outbox

TAKE = "update shelf.item set stock = stock - 1 where front_end = 'north' and sku = 'tea' returning stock"


def claim(key: str, ask_hash: str = "a1", capability: str = "shelf.take") -> ports.Claim:
    return ports.Claim(key=key, capability=capability, ask_hash=ask_hash)


def taken(stock: int, note: str = "trace") -> ports.EventRow:
    return ports.EventRow(
        id=f"tea/{stock}",
        type="shelf.item-taken",
        version="1.0",
        subject="tea",
        front_end="north",
        box="north",
        time=datetime.now(UTC),
        trace=note,
        data=msgspec.json.encode({"note": note}),
    )


async def take(database: Database, key: str, ask_hash: str = "a1") -> bytes:
    try:
        writing = await database.write("north", claim(key, ask_hash))
    except errors.AlreadyAnswered as already:
        return already.answer
    try:
        stock = await writing.fetch_value(TAKE)
        answer = b'{"left":%d}' % stock
        await writing.commit([taken(stock)], answer)
    finally:
        await writing.close()
    return answer


async def test_fifty_at_once_have_one_effect_and_one_answer(shelf: Database) -> None:
    answers = await asyncio.gather(*(take(shelf, "k1") for _ in range(50)))
    assert set(answers) == {b'{"left":9}'}
    assert await Outbox(shelf).collect() == 1


async def test_another_ask_under_the_same_key_is_refused(shelf: Database) -> None:
    await take(shelf, "k1")
    with pytest.raises(errors.KeyReused, match="another ask"):
        await take(shelf, "k1", ask_hash="b2")
    with pytest.raises(errors.KeyReused, match=r"shelf\.take"):
        await shelf.write("north", claim("k1", capability="shelf.put"))


async def test_another_front_end_has_keys_of_its_own(shelf: Database) -> None:
    await take(shelf, "k1")
    writing = await shelf.write("south", claim("k1"))
    await writing.commit([], b"{}")


async def test_a_call_that_failed_leaves_its_key_free(shelf: Database) -> None:
    writing = await shelf.write("north", claim("k1"))
    await writing.execute("update shelf.item set stock = stock - 1")
    await writing.close()
    assert await take(shelf, "k1") == b'{"left":9}'


async def test_the_second_of_two_waits_and_goes_on_where_the_first_gives_up(shelf: Database) -> None:
    first = await shelf.write("north", claim("k1"))
    second = asyncio.create_task(take(shelf, "k1"))
    done, _ = await asyncio.wait([second], timeout=0.2)
    assert not done
    await first.close()
    assert await second == b'{"left":9}'


async def test_a_key_with_quotes_and_backslashes_is_a_key_like_any_other(shelf: Database) -> None:
    key = "'; drop table isthmus.idempotency; -- \\ \" ü"
    assert await take(shelf, key) == await take(shelf, key)


async def test_a_claimed_key_wants_an_answer(shelf: Database) -> None:
    writing = await shelf.write("north", claim("k1"))
    with pytest.raises(errors.Fault, match="give both or none"):
        await writing.commit([], None)
    await writing.close()


async def test_a_refused_claim_gives_its_connection_back(database_url: str) -> None:
    async with await Database.open(database_url, connections_max=1, take_limit_s=1) as database:
        writing = await database.write("north", claim("k1"))
        await writing.commit([], b"{}")
        for _ in range(3):
            with pytest.raises(errors.AlreadyAnswered):
                await database.write("north", claim("k1"))


@pytest.mark.parametrize(
    "text",
    ["it's", "''", "\\", "\\'; rollback; --", "$1", "$$", "\u00e9\u4e2d\U0001f375", '{"a": "\\""}', "x" * 100_000],
)
async def test_what_is_written_with_the_commit_comes_back_as_it_was(shelf: Database, text: str) -> None:
    key, answer = text[:200], text.encode() + bytes(range(256))
    writing = await shelf.write("north", claim(key, ask_hash=text))
    await writing.commit([taken(9, note=text)], answer)
    with pytest.raises(errors.AlreadyAnswered) as already:
        await shelf.write("north", claim(key, ask_hash=text))
    assert already.value.answer == answer
    (event,) = await Outbox(shelf).read(0)
    assert (event.trace, msgspec.json.decode(event.data)) == (text, {"note": text})


async def test_begin_and_commit_take_a_round_trip_each(shelf: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    execute = asyncpg.Connection.execute

    async def counting(self: asyncpg.Connection, sql: str, *args: object, **options: float) -> str:
        if not sql.startswith("notify"):  # the relays are told of the first call's event, a moment later
            sent.append(sql)
        return await execute(self, sql, *args, **options)

    await take(shelf, "k1")
    monkeypatch.setattr(asyncpg.Connection, "execute", counting)
    assert await take(shelf, "k2") == b'{"left":8}'
    assert [sql.split(maxsplit=1)[0] for sql in sent] == ["begin", "execute"]
    assert sent[-1].endswith("; commit")
