"""Whole calls run again by two versions on the same rows, and nothing of it stays."""

from __future__ import annotations

import time
from collections.abc import Sequence

import asyncpg
import msgspec

from isthmus.kernel import Pass, Platform
from isthmus.runtime.replay import recorded
from isthmus.runtime.replay.answers import Count
from isthmus.runtime.replay.capabilities import Versions, compared, replay_capabilities
from isthmus.runtime.shadow.run import SETTINGS, WRITE_MS
from isthmus.store import Database

from .recorded_shop import CREATE, Buy, Line, Seat, baskets, broken, cheaper, listed, record, release, sell, take_seat


async def _with_till(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(CREATE)
    await connection.close()


async def _sold(database) -> int:
    async with database.platform() as session:
        return await session.fetch_value("select count(*) from till.sold")


async def test_a_read_is_run_by_both_versions_and_the_differing_field_is_shown_with_its_rule(database):
    old = release(north=listed)
    await record(database, old, baskets("north", 4))
    found = await replay_capabilities(database, old, release(north=cheaper), "north")
    (tally,) = found.front_ends[0].tallies
    assert (tally.name, tally.differing, tally.noise) == ("till.total", 4, ())
    assert [one.path for one in tally.examples[0].differences] == ["$.minor"]  # ids and randomness are the same again
    assert "till.price" in tally.examples[0].cause
    assert "north.cheaper" in tally.examples[0].cause


async def test_the_same_rules_are_the_same_also_where_both_refuse(database):
    old = release(north=listed)
    refused = ("north", Buy(lines=(Line(sku="gone", minor=1),)))
    await record(database, old, [*baskets("north", 2), refused])
    found = await replay_capabilities(database, old, release(north=listed), "north")
    assert found.is_same
    assert (found.front_ends[0].same, found.front_ends[0].tallies[0].refused) == (3, 1)


async def test_what_a_replayed_write_does_is_undone_and_both_meet_the_same_rows(database_url, database):
    await _with_till(database_url)
    old = release(north=listed)
    await record(database, old, baskets("north", 3), which=sell)
    found = await replay_capabilities(database, old, release(north=cheaper), "north")
    assert await _sold(database) == 3
    (tally,) = found.front_ends[0].tallies
    # The sales are there, and none is in the way of its own replay: of each, only the price differs.
    assert (tally.refused, tally.failing, tally.differing) == (0, 0, 3)
    assert [one.path for one in tally.examples[0].differences] == ["$.minor"]


async def test_a_price_that_changed_is_shown_for_each_call_that_both_refuse_since_it_has_happened(
    database_url, database
):
    await _with_till(database_url)
    old = release(north=listed)
    seats = [("north", Seat(number=number)) for number in range(3)]
    await record(database, old, [*seats, seats[0]], which=take_seat)  # the last one was refused then, too
    found = await replay_capabilities(database, old, release(north=cheaper), "north")
    (tally,) = found.front_ends[0].tallies
    assert (tally.differing, tally.same, tally.refused, tally.failing) == (3, 1, 1, 0)
    (shown,) = tally.examples[0].differences
    assert (shown.path, shown.old, shown.new) == ("till.price $[0]", "500", "490")
    assert "north.cheaper" in tally.examples[0].cause
    assert "3 were answered then, and are refused by both today (till.seat-taken): 3 compared" in str(found)
    assert (await replay_capabilities(database, old, release(north=broken), "north")).front_ends[0].failing == 3
    assert (await replay_capabilities(database, old, release(north=listed), "north")).is_same


async def test_a_call_that_comes_to_the_same_without_asking_is_asked_what_it_had_asked(database_url, database):
    await _with_till(database_url)
    old = release(north=listed)
    await record(database, old, [("north", Seat(number=1, is_kept=True))], which=take_seat)
    found = await replay_capabilities(database, old, release(north=cheaper), "north")
    assert [one.path for one in found.front_ends[0].tallies[0].examples[0].differences] == ["till.price $[0]"]


async def test_a_call_that_both_refuse_since_it_has_happened_and_that_had_asked_nothing_proves_nothing(
    database_url, database
):
    await _with_till(database_url)
    old = release(north=listed)
    await record(database, old, [("north", Seat(number=1, is_free=True))], which=take_seat)
    found = await replay_capabilities(database, old, release(north=cheaper), "north")
    assert (found.is_same, found.front_ends[0].same, found.front_ends[0].unproved) == (True, 0, 1)
    assert "of 1 nothing is proved" in str(found)


async def test_a_field_that_differs_from_itself_is_named_as_noise(database_url, database):
    await _with_till(database_url)
    old = release(north=listed)
    await record(database, old, baskets("north", 2), which=sell)
    async with database.platform() as session:
        await session.execute("delete from till.sold")
    found = await replay_capabilities(database, old, release(north=listed), "north")
    assert found.is_same
    assert found.front_ends[0].tallies[0].noise == ("$.luck",)  # a number that a sequence gave
    assert "noise: $.luck" in str(found)


async def test_a_version_that_raises_is_failing(database):
    old = release(north=listed)
    await record(database, old, baskets("north", 2))
    found = await replay_capabilities(database, old, release(north=broken), "north")
    assert found.front_ends[0].failing == 2
    assert "margin" in str(found)


async def test_a_call_recorded_under_an_older_contract_is_reported_as_such(database):
    old = release(north=listed)
    await record(database, old, baskets("north", 1))
    kept = await anext(recorded.recent(database, "north", limit=1))
    other_version = msgspec.structs.replace(kept, call_id="a", version="0.9")
    other_fields = msgspec.structs.replace(kept, call_id="b", ask=msgspec.Raw(b'{"skus":[]}'))
    gone = msgspec.structs.replace(kept, call_id="c", capability="till.lend")
    await recorded.write(database, [other_version, other_fields, gone])
    found = await replay_capabilities(database, old, release(north=listed), "north")
    assert found.is_same
    assert (found.front_ends[0].same, found.front_ends[0].unreadable) == (1, 3)
    assert "recorded in version 0.9" in str(found)
    assert "unknown field 'skus'" in str(found)
    assert "no capability is called 'till.lend'" in str(found)


async def test_a_shadow_that_sleeps_in_a_transaction_loses_it_and_the_rows_with_it(database_url, database):
    await _with_till(database_url)
    old = release(north=listed)
    await record(database, old, baskets("north", 1), which=sell)
    call = await anext(recorded.recent(database, "north", limit=1))
    async with await Database.open(database_url, settings=SETTINGS) as impatient:
        count = Count()
        before, after = Platform(old, impatient), Platform(release(north=sleepy), impatient)
        both = Versions.of(before, after, "north")
        assert not await compared(impatient, both, call, count, as_id="another")
        assert (count.failing, count.same) == (1, 0)
        assert "the database" in count.examples[0].differences[0].new
        assert await compared(impatient, Versions.of(before, before, "north"), call, count, as_id="another"), (
            "the next call is well"
        )
        assert count.same == 1
    assert await _sold(database) == 1


def sleepy(lines: Sequence[Line]) -> Sequence[int | Pass]:
    time.sleep(1.5 * WRITE_MS / 1000)  # as a loop in C would: nothing in this process can end it
    return listed(lines)
