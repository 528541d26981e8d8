"""A share of the calls is recorded, whole, without personal data, and only so much and so long."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest

from isthmus.kernel import Caller, Meta, Platform, Value, errors
from isthmus.kernel.host import Trace
from isthmus.markings import Pii
from isthmus.runtime.replay import record as records
from isthmus.runtime.replay import recorded
from isthmus.runtime.replay.record import Recorder, Recording
from isthmus.values import Address, attributes_of

from .recorded_shop import NOON, Buy, Line, Total, baskets, listed, record, release, total

WAITS = "select count(*) > 0 from pg_locks where relation = 'runtime.recorded_call'::regclass and not granted"
SECRETS = ("ada@example.com", "Lovelace", "Garden Street", "+441234", "SW1A")
HOME = Address(
    country="GB", region="LND", city="London", postcode="SW1A 1AA", street="Garden Street 7", recipient="Lovelace",
    phone="+441234",
)  # fmt: skip


def _recorder(database, **recording: object) -> Recorder:
    return Recorder(database, release(north=listed).points, Recording.of(recording), randomness=random.Random(7).random)


async def _one(database) -> recorded.RecordedCall:
    return await anext(recorded.recent(database, "north", limit=1))


async def test_a_recorded_call_has_ask_answer_and_every_question_with_who_said_what(database):
    await record(database, release(north=listed), baskets("north", 1))
    call = await _one(database)
    assert (call.capability, call.version, call.now) == ("till.total", "1.0", NOON)
    assert msgspec.json.decode(call.answer)["minor"] == 100
    first = call.asked[0]
    assert (first.point, bytes(first.arguments), bytes(first.result)) == (
        "till.price",
        b'[[{"sku":"sku-1","minor":100}]]',
        b"[100]",
    )
    assert first.said[0].by == "north.listed"


async def test_a_recorded_id_and_time_draw_the_same_ids_and_chances_again(database):
    running = release(north=listed)
    await record(database, running, baskets("north", 1))
    call = await _one(database)
    platform = Platform(running, database, clock=lambda: call.now)
    again, _ = await platform.call_wire("till.total", bytes(call.ask), Caller(front_end="north"), call_id=call.call_id)
    assert again == bytes(call.answer)


async def test_a_recorded_call_says_what_it_used_and_not_what_others_did_meanwhile(database):
    """Two calls that wait for the same database: one works for a while, and the other's processor time is its own."""

    async def busy() -> None:
        for _ in range(40):
            until = time.thread_time_ns() + 1_000_000
            while time.thread_time_ns() < until:
                pass
            await asyncio.sleep(0)

    recorder = _recorder(database)

    async def asks_the_database() -> str:
        session = database.read("north")
        try:
            await session.fetch("select generate_series(1, 7), pg_sleep(0.003)")
            with pytest.raises(errors.IsthmusError):
                await session.fetch_value("select 1 / 0")
            return await session.execute("select pg_sleep(0.02)")
        finally:
            await session.close()

    trace = Trace("a", "till.total", "1.0", "north", "north", "f", Buy(lines=()), NOON.isoformat())
    said, _ = await asyncio.gather(recorder.metered(trace, asks_the_database()), busy())
    assert said == "SELECT 1"
    recorder.keep(trace)
    await recorder.flush()
    call = await _one(database)
    assert (call.statements, call.rows) == (4, 8)  # setting the front end is one
    assert call.db_us is not None
    assert call.cpu_us is not None
    assert call.db_us > 40_000
    assert 0 < call.cpu_us < 20_000  # and 40 ms were worked beside it
    async with database.platform() as session:
        kept = await session.fetch_row("select cpu_us, db_us, rows from runtime.recorded_call")
    assert tuple(kept.values()) == (call.cpu_us, call.db_us, 8)


async def test_what_is_called_all_the_time_is_recorded_some_times_a_second(database, monkeypatch):
    monkeypatch.setattr(records.time, "monotonic", lambda: 7.5)
    often = _recorder(database, share=0.5, shares={"till.refund": 0.5})
    wanted = {name: sum(often.wants(name, "north") for _ in range(1_000)) for name in ("till.total", "till.refund")}
    assert wanted["till.total"] == records.MOST_PER_S
    assert wanted["till.refund"] > 400, "its own share was asked for"
    assert sum(often.wants("till.total", "south") for _ in range(1_000)) == records.MOST_PER_S, "each front end's own"
    monkeypatch.setattr(records.time, "monotonic", lambda: 8.0)
    assert any(often.wants("till.total", "north") for _ in range(1_000)), "the next second has room"
    often.shadow({"north": 0.5})
    assert sum(often.wants("till.total", "north") for _ in range(1_000)) > 400, "a shadow gets the share it is promised"
    assert all(_recorder(database, share=1.0).wants("till.total", "north") for _ in range(100)), "all means all"


async def test_an_answer_says_how_long_it_took(database):
    await record(database, release(north=listed), baskets("north", 1))
    said = [one for asked in (await _one(database)).asked for one in asked.said]
    assert said
    assert all(one.took_ns > 0 for one in said)


async def test_an_error_is_recorded_with_its_sentence(database):
    await record(database, release(north=listed), [("north", Buy(lines=(Line(sku="gone", minor=1),)))])
    assert (await _one(database)).error.startswith("till.sold-out: nothing is left")


async def test_personal_data_is_masked_before_it_is_written_and_still_fits_its_contract(database):
    ask = Buy(lines=(Line(sku="a", minor=5),), email="ada@example.com", address=HOME)
    await record(database, release(north=listed), [("north", ask)])
    call = await _one(database)
    text = msgspec.json.encode(call).decode()
    assert [secret for secret in SECRETS if secret in text] == []
    read = msgspec.json.decode(call.ask, type=Buy)
    assert read.address is not None
    assert (read.address.country, read.address.region, read.address.postcode) == ("GB", "LND", "SW***")
    assert bytes(call.asked[1].arguments) == b'[5,"***"]'  # an argument that the point itself marks


async def test_the_share_is_that_of_the_narrowest_name(database):
    shares = {"north": 0.0, "till.sell": 1.0, "north/till.total": 0.1}
    recorder = _recorder(database, share=0.5, most_per_s=0, shares=shares)
    of = {
        (name, code): sum(recorder.wants(name, code) for _ in range(4_000)) / 4_000
        for name in ("till.total", "till.sell", "till.other")
        for code in ("north", "south")
    }
    assert of["till.sell", "north"] == of["till.sell", "south"] == 1.0
    assert of["till.other", "north"] == 0.0
    assert abs(of["till.total", "north"] - 0.1) < 0.02
    assert abs(of["till.total", "south"] - 0.5) < 0.04


@pytest.mark.parametrize("said", [{"share": 2}, {"share": "much"}, {"shares": {"north": -1}}])
def test_a_share_that_is_none_is_refused(said: dict[str, object]):
    with pytest.raises(errors.BadAsk, match="share is a number from 0 to 1"):
        Recording.of(said)


async def test_without_a_share_nothing_is_recorded(database):
    running = release(north=listed)
    recorder = _recorder(database, share=0.0)
    platform = Platform(running, database, recorder=recorder)
    for _ in range(50):
        await platform.call(total, Buy(lines=()), Caller(front_end="north"))
    await recorder.flush()
    assert await recorded.counted(database) == ()


async def test_the_newest_of_each_front_end_stay_when_there_are_too_many(database):
    running = release(north=listed, south=listed)
    await record(database, running, [*baskets("north", 12), *baskets("south", 3)])
    recent = [call.call_id async for call in recorded.recent(database, "north", limit=5)]
    await _recorder(database, kept=5, kept_days=36_500).prune()
    assert {one.front_end: one.calls for one in await recorded.counted(database)} == {"north": 5, "south": 3}
    assert {call.call_id async for call in recorded.recent(database, "north", limit=50)} == set(recent)


async def test_what_is_too_old_or_too_large_goes(database):
    await record(database, release(north=listed), baskets("north", 3))
    async with database.platform() as session:
        await session.execute("update runtime.recorded_call set recorded_at = now() - interval '31 days'")
    await _recorder(database).prune()
    assert await recorded.counted(database) == ()
    await record(database, release(south=listed), baskets("south", 3))
    await _recorder(database, kept_mb=0, kept_days=36_500).prune()
    assert await recorded.counted(database) == ()


async def test_a_full_buffer_drops_and_counts_and_the_calls_go_on(database, monkeypatch):
    monkeypatch.setattr(records, "BUFFER_MAX", 2)
    recorder = await record(database, release(north=listed), baskets("north", 5))
    assert (recorder.figures.kept, recorder.figures.dropped) == (2, 3)


async def test_whoever_is_cancelled_while_it_writes_leaves_every_story_to_the_next(database):
    recorder = await record(database, release(north=listed), baskets("north", 1))
    platform = Platform(release(north=listed), database, clock=lambda: NOON, recorder=recorder)
    for _, ask in baskets("north", 5):
        await platform.call(total, ask, Caller(front_end="north"))
    flushing = asyncio.create_task(recorder.flush())
    async with database.platform_transaction() as session:  # the table is another's while it writes
        await session.execute("lock table runtime.recorded_call in access exclusive mode")
        async with database.platform() as other:
            while not await other.fetch_value(WAITS):
                assert not flushing.done()
        flushing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await flushing
    await recorder.flush()
    assert [one.calls for one in await recorded.counted(database)] == [6]
    assert recorder.figures.dropped == 0


async def test_a_story_as_large_as_an_export_is_dropped_and_counted(database):
    lines = tuple(Line(sku=f"sku-{number}", minor=number) for number in range(10_000))
    recorder = await record(database, release(north=listed), [("north", Buy(lines=lines))])
    assert (recorder.figures.kept, recorder.figures.dropped) == (0, 1)


async def test_an_exported_file_is_read_back_the_same_elsewhere(fresh_database, database, tmp_path: Path):
    await record(database, release(north=listed, south=listed), [*baskets("north", 4), *baskets("south", 2)])
    file = tmp_path / "calls.jsonl"
    assert await recorded.export_to(database, file, await recorded.codes(database), limit=100) == 6
    async with fresh_database() as url, await type(database).open(url) as other:
        assert await recorded.import_from(other, file) == 6
        assert await recorded.import_from(other, file) == 6  # again changes nothing
        assert [one.calls for one in await recorded.counted(other)] == [4, 2]
        read = [call async for call in recorded.recent(other, "north", limit=10)]
    assert {msgspec.json.encode(call) for call in read} == set(file.read_bytes().splitlines()[:4])


def test_a_file_that_holds_something_else_is_refused_with_the_line(tmp_path: Path):
    file = tmp_path / "calls.jsonl"
    file.write_text('{"call_id": 1}\n')
    with pytest.raises(recorded.NotARecording, match="line 1 of"):
        recorded.read_file(file)


async def test_a_value_that_has_no_json_costs_its_own_story_only(database):
    recorder = _recorder(database)
    good, bad = (
        Trace(id_, "till.total", "1.0", "north", "north", "f", Buy(lines=()), NOON.isoformat()) for id_ in "ab"
    )
    good.answer, bad.now = Total(minor=1, ticket="", luck=0.0), "no time"
    recorder.keep(bad)
    recorder.keep(good)
    await recorder.flush()
    assert (recorder.figures.kept, recorder.figures.dropped) == (1, 1)


async def test_a_call_that_is_not_recorded_is_not_found(database):
    with pytest.raises(recorded.NotRecorded, match="isthmus record list"):
        await recorded.find(database, "nobody")


class Parcel(Value):
    """An order as a contract has it, with what the front end says more of it."""

    number: str
    own: Annotated[dict[str, Any], attributes_of("order.order")] = {}


class Gift(Value):
    """What a front end says more of an order."""

    wrap: Literal["none", "box"] = "none"
    note: Annotated[str, Pii("free-text", why="to know it")] = ""
    initials: Annotated[str, Pii("name", why="to know it"), Meta(pattern=r"^[A-Za-z]*\Z")] = ""


def test_attributes_are_masked_as_the_front_end_marks_them_and_still_fit() -> None:
    given = {"wrap": "box", "note": "Lovelace", "initials": "AL", "gone": "Garden Street"}
    masked = recorded.masked(Parcel(number="1", own=given), {"order.order": Gift})
    assert masked.own == {"wrap": "box", "note": "***", "initials": "x", "gone": "***"}
    assert recorded.masked(Parcel(number="1", own={"note": "Ada"}), {}).own == {"note": "***"}
    assert recorded.masked(Parcel(number="1", own={"note": ""}), {"order.order": Gift}).own == {"note": ""}
