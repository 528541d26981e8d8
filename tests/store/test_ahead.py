"""What is sent ahead of a statement is not waited for, and its failure is told by who sent it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from bench._wire import tapped
from isthmus.kernel import errors, ports
from isthmus.store import Database
from isthmus.store.ahead import Ahead

SAGA = ports.Saga(
    claim=ports.Claim(key="k-1", capability="shelf.take", ask_hash="h"),
    is_kept=True,
    ask=b"{}",
    caller=b"{}",
    left_after_s=60,
)


@pytest.fixture
async def one(shelf: Database) -> AsyncIterator[Database]:
    """Give a database that has one connection for calls, on which everybody comes after everybody else."""
    async with await Database.open(shelf.url, connections_max=1, take_limit_s=2) as database:
        yield database


async def test_a_step_begins_and_reads_in_one_round_trip(shelf: Database) -> None:
    async with tapped(shelf.url) as tap, await Database.open(tap.url, connections_max=1) as database:
        for _ in range(2):  # the first prepares its statements
            before = tap.round_trips
            step = database.step("north", SAGA, 0)
            await step.later("select $1::text", "locked")
            assert await step.fetch_value("select 1") == 1
            taken = tap.round_trips - before
            await step.close()
    assert taken == 1


async def test_what_fails_ahead_is_what_is_raised_and_what_stands_behind_it_is_not_run(one: Database) -> None:
    step = one.step("north", SAGA, 0)
    await step.fetch_value("select 1")
    await step.later("select 1 / $1::integer", 0)
    with pytest.raises(errors.Fault, match="division by zero"):
        await step.fetch_value("select 2")
    await step.close()
    step = one.step("north", SAGA, 0)  # which is where it was
    assert await step.fetch_value("select 3") == 3
    await step.close()


async def test_a_statement_that_is_not_sent_leaves_no_transaction_that_was_begun_ahead_of_it(
    shelf: Database, one: Database
) -> None:
    for _ in range(2):
        step = one.step("north", SAGA, 0)
        with pytest.raises(errors.IsthmusError):
            await step.fetch_value("select $1::integer", "no number")
        await step.close()
        async with shelf.platform() as session:
            begun = "select count(*) from pg_stat_activity where state like 'idle in transaction%' and datname = $1"
            assert await session.fetch_value(begun, await session.fetch_value("select current_database()")) == 0
        reading = one.read("north")
        assert await reading.fetch_value("select count(*) from shelf.item") == 1
        await reading.close()


class _Inner:
    def __init__(self) -> None:
        self.heard = b""

    def data_received(self, data: bytes) -> None:
        self.heard += data


class _Transport:
    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def write(self, data: bytes) -> None:
        self.sent = data


def _message(kind: bytes, content: bytes) -> bytes:
    return kind + (len(content) + 4).to_bytes(4, "big") + content


def test_answers_that_come_in_pieces_are_taken_off_and_the_rest_is_passed_on() -> None:
    said = _message(b"E", b"SERROR\0C22012\0Mdivision by zero\0\0")
    notice, other = _message(b"N", b"Mcareful\0\0"), _message(b"2", b"") + _message(b"Z", b"E")
    came = _message(b"C", b"BEGIN\0") + notice + said + _message(b"Z", b"E") + other
    for cut in range(len(came) + 1):
        for second in {cut, min(cut + 3, len(came)), len(came)}:
            inner, transport = _Inner(), _Transport()
            sent = Ahead(inner, transport).send("begin; select 1 / 0")
            for piece in (came[:cut], came[cut:second], came[second:]):
                transport.protocol.data_received(piece)
            assert inner.heard == notice + other, f"cut at {cut} and {second}"
            assert sent.is_answered
            assert str(sent.error) == "division by zero"
