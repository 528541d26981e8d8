"""A change is tried on recorded calls: what differs is shown, in the smallest front end as in the largest."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Annotated

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from isthmus.kernel import Pass
from isthmus.runtime.replay import recorded
from isthmus.runtime.replay.answers import compare_answers, replay_answers
from isthmus.runtime.replay.differences import differences, rate
from isthmus.runtime.replay.report import report

from .recorded_shop import Line, baskets, broken, broken_extra, cheaper, listed, record, release, with_extra


async def test_the_same_rules_answer_recorded_calls_as_before(database):
    old = release(north=listed)
    await record(database, old, baskets("north", 20))
    found = await replay_answers(database, old, release(north=listed), "north")
    assert found.is_same
    assert found.front_ends[0].calls == 20
    assert found.front_ends[0].same == 40


async def test_a_changed_rule_is_shown_with_what_it_says_now_and_the_call(database):
    old = release(north=listed)
    await record(database, old, baskets("north", 20))
    found = await replay_answers(database, old, release(north=cheaper), "north")
    assert not found.is_same
    (price, extra) = found.front_ends[0].tallies
    assert (price.name, price.differing, price.failing, extra.same) == ("till.price", 20, 0, 20)
    shown = price.examples[0]
    assert shown.differences[0].path == "$[0]"
    assert int(shown.differences[0].new) == int(shown.differences[0].old) - 10
    assert "north.cheaper" in shown.cause
    assert shown.call_id in str(found)


async def test_a_rule_that_raises_is_failing_and_its_error_is_shown(database):
    old = release(north=listed)
    await record(database, old, baskets("north", 7))
    found = await replay_answers(database, old, release(north=broken), "north")
    assert found.front_ends[0].failing == 7
    assert "raised KeyError: 'margin'" in str(found)


async def test_a_rule_that_raises_is_failing_also_where_the_default_would_stand_in_and_hide_it(database):
    old = release(north=listed)
    await record(database, old, baskets("north", 4))
    found = await replay_answers(database, with_extra(lambda minor, where: 0), with_extra(broken_extra), "north")
    assert {one.name: one.failing for one in found.front_ends[0].tallies} == {"till.extra": 4, "till.price": 0}
    assert "north.broken_extra" in str(found)


async def test_a_limit_takes_every_capability_in_turn(database):
    old = release(north=listed)
    await record(database, old, baskets("north", 30))
    found = await replay_answers(database, old, release(north=cheaper), "north", limit=10)
    assert found.front_ends[0].differing == 5


async def test_where_nothing_is_recorded_nothing_is_proved(database):
    old = release(north=listed)
    found = await replay_answers(database, old, release(north=cheaper), "north")
    assert "nothing is proved" in str(found)


async def test_what_differs_from_itself_is_named_noise_and_is_no_difference(database):
    def moody(lines: Sequence[Line]) -> Sequence[int | Pass]:
        return [random.randrange(10**12) for _ in lines]

    old = release(north=moody)
    await record(database, old, baskets("north", 5))
    found = await replay_answers(database, old, release(north=moody), "north")
    assert found.is_same
    assert found.front_ends[0].tallies[1].noise or found.front_ends[0].tallies[0].noise
    assert "differs from itself" in str(found)


async def test_a_change_that_breaks_only_the_newest_line_with_181_of_60_000_calls_stands_out(database):
    old = release(north=listed, south=listed, newest=listed)
    some = await _kept(database, old, ("north", "south", "newest"))
    counts = {"north": 40_000, "south": 19_819, "newest": 181}
    new = release(north=listed, south=listed, newest=broken)

    async def repeated(code: str):
        for _ in range(counts[code]):
            yield some[code]

    reports = [await compare_answers(repeated(code), old.line(code), new.line(code), limit=200_000) for code in counts]
    found = report("answers", reports)
    assert sum(one.calls for one in found.front_ends) == 60_000
    first = found.front_ends[0]
    assert (first.front_end, first.failing, first.changed.share) == ("newest", 181, 1.0)
    assert first.changed.low > 0.97  # certain, however few they are
    assert [one.is_same for one in found.front_ends[1:]] == [True, True]
    assert str(found).startswith("newest: 181 recorded calls, 181 come out otherwise: 100.0% (97.9% to 100.0%)")


async def _kept(database, old, codes: Sequence[str]) -> dict[str, recorded.RecordedCall]:
    await record(database, old, [call for code in codes for call in baskets(code, 1)])
    return {code: await anext(recorded.recent(database, code, limit=1)) for code in codes}


async def test_recordings_made_under_an_older_contract_are_counted_and_named(database):
    old = release(north=listed)
    kept = (await _kept(database, old, ["north"]))["north"]
    asked = msgspec.structs.replace(kept.asked[0], arguments=msgspec.Raw(b'[[{"sku":"a","cents":1}]]'))
    gone = msgspec.structs.replace(kept.asked[0], point="till.rounding")
    older = msgspec.structs.replace(kept, call_id="older", asked=(asked, gone))
    await recorded.write(database, [older])
    found = await replay_answers(database, old, release(north=listed), "north")
    assert found.is_same
    assert found.front_ends[0].unreadable == 2
    assert "1 recorded under another contract" in str(found)
    assert "missing required field `minor`" in str(found)
    assert "till.rounding is asked no more" in str(found)


async def test_what_an_argument_knew_beyond_its_contract_is_left_out(database):
    old = release(north=listed)
    kept = (await _kept(database, old, ["north"]))["north"]
    asked = msgspec.structs.replace(kept.asked[0], arguments=msgspec.Raw(b'[[{"sku":"a","minor":1,"more":2}]]'))
    await recorded.write(database, [msgspec.structs.replace(kept, call_id="more", asked=(asked,))])
    found = await replay_answers(database, old, release(north=cheaper), "north")
    assert (found.front_ends[0].differing, found.front_ends[0].unreadable) == (2, 0)


@given(count=st.integers(0, 500), more=st.integers(0, 500))
def test_a_rate_lies_within_its_bounds(count: int, more: int):
    found = rate(count, count + more)
    assert 0 <= found.low <= found.share <= found.high <= 1


def test_bounds_are_those_of_wilson():
    found = rate(5, 10)
    assert (round(found.low, 4), round(found.high, 4)) == (0.2366, 0.7634)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=10,
)


@given(JSON, JSON)
def test_differences_are_none_exactly_where_two_values_are_equal(
    old: Annotated[object, "JSON"], new: Annotated[object, "JSON"]
):
    encoded = [msgspec.json.encode(value, order="deterministic") for value in (old, new)]
    assert bool(differences(old, new)) == (encoded[0] != encoded[1])
