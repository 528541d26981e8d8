"""Flags are put, approved, killed and deleted, and every server has them within a second."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from isthmus.kernel import Caller, errors
from isthmus.packs.flags import api
from isthmus.packs.flags.service.flags import stepped
from isthmus.packs.member import api as member
from isthmus.store import Database
from tests.packs.flags.conftest import Desk
from tests.waiting import until

VIP = {"if": [{"segment": "vip"}, "on", "off"]}


async def test_a_flag_is_asked_as_it_was_put(desk: Desk) -> None:
    made = await desk.put("new-checkout", targeting={"if": [{"==": [{"var": "country"}, "DE"]}, "on"]}, note="try it")
    assert (made.state, made.version, made.author, made.note) == ("applied", 1, "ada", "try it")
    assert (await desk.ask("new-checkout", country="DE")).value is True
    assert (await desk.ask("new-checkout", country="FR")).reason == "DEFAULT"
    assert (await desk.ask("new-checkout", front_end="south")).error_code == "FLAG_NOT_FOUND"


async def test_every_kind_of_value_is_held_to_what_it_is(desk: Desk) -> None:
    schema = {"type": "object", "required": ["columns"], "properties": {"columns": {"type": "integer", "minimum": 1}}}
    await desk.put("title", kind=api.FlagKind.STRING, variants={"a": "Hi", "b": "Hello"}, default_variant="b")
    await desk.put("rate", kind=api.FlagKind.NUMBER, variants={"low": 1, "high": 2.5}, default_variant="high")
    await desk.put("grid", kind=api.FlagKind.OBJECT, variants={"w": {"columns": 4}}, default_variant="w", schema=schema)
    answers = await desk.call(api.evaluate_all, api.EvaluateAll())
    assert {one.key: one.value for one in answers.items} == {"title": "Hello", "rate": 2.5, "grid": {"columns": 4}}
    assert answers.version == 3
    for wrong, path in [
        ({"variants": {"on": 1, "off": False}}, "$.flag.variants.on"),
        ({"kind": api.FlagKind.NUMBER, "variants": {"on": True, "off": 0}}, "$.flag.variants.on"),
        ({"kind": api.FlagKind.OBJECT, "variants": {"off": {"columns": 0}}, "schema": schema}, "$.flag.variants.off"),
        ({"kind": api.FlagKind.OBJECT, "variants": {"off": {}}, "schema": {"type": 5}}, "$.flag.schema"),
        ({"kind": api.FlagKind.OBJECT, "variants": {"off": {}}, "schema": {"$ref": "https://x.org"}}, "$.flag.schema"),
        ({"schema": schema}, "$.flag.schema"),
        ({"default_variant": "of"}, "$.flag.default_variant"),
        ({"targeting": {"if": [True, "onn"]}}, "$.flag.targeting"),
        ({"targeting": {"fractional": [["on", 50], ["of", 50]]}}, "$.flag.targeting"),
        ({"targeting": {"starts": [1, 2]}}, "$.flag.targeting"),
        ({"requires": (api.Requirement(key="nothing", variants=("on",)),)}, "$.flag.requires[0]"),
        ({"requires": (api.Requirement(key="title", variants=("c",)),)}, "$.flag.requires[0].variants"),
        ({"requires": (api.Requirement(key="x", variants=("on",)),)}, "$.flag.requires[0]"),
    ]:
        with pytest.raises(api.WrongFlag) as refused:
            await desk.put("x", **wrong)
        assert refused.value.path == path, str(refused.value)


async def test_a_change_is_on_every_server_within_a_second_and_all_flags_are_of_one_version(desk: Desk) -> None:
    other = desk.another()
    await desk.put("a", variants={"v": True}, default_variant="v")
    await desk.put("b", variants={"v": True}, default_variant="v")
    async with desk.serving() as one, other.serving() as two:
        assert (await two.snapshot("north")).version == 2
        began = time.monotonic()
        await desk.call(api.kill_flag, api.FlagNamed(key="a"))

        async def is_known() -> bool:
            return [(await store.snapshot("north")).version for store in (one, two)] == [3, 3]

        await until(is_known)
        assert time.monotonic() - began < 1.0
        assert (await other.ask("a")).reason == "DISABLED"
        answers = await other.call(api.evaluate_all, api.EvaluateAll())
        assert (answers.version, [item.reason for item in answers.items]) == (3, ["DISABLED", "STATIC"])


async def test_a_server_that_hears_of_a_later_version_reads_it_at_once(desk: Desk) -> None:
    other = desk.another()
    await desk.put("a")
    await other.store.snapshot("north")
    other.store._is_following = True  # it believes that it would be rung
    await desk.put("b")
    assert (await other.store.snapshot("north")).version == 1
    assert (await other.store.snapshot("north", at_least=2)).version == 2


async def test_versions_only_grow_however_many_change_at_once(desk: Desk) -> None:
    made = await asyncio.gather(*(desk.put(f"f{number}") for number in range(8)))
    assert sorted(one.version for one in made) == list(range(1, 9))
    listed = await desk.call(api.list_flags, api.ListFlags())
    assert (listed.version, len(listed.items)) == (8, 8)


async def test_who_changed_it_first_is_not_overwritten(desk: Desk) -> None:
    await desk.put("a")
    flag = api.Flag(key="a", variants={"on": True}, default_variant="on")
    await desk.call(api.put_flag, api.PutFlag(flag=flag, expected_version=1))
    with pytest.raises(api.FlagChanged, match="of version 2"):
        await desk.call(api.put_flag, api.PutFlag(flag=flag, expected_version=1))
    with pytest.raises(api.FlagChanged, match="of version 2"):
        await desk.call(api.put_flag, api.PutFlag(flag=flag, expected_version=0))


async def test_a_change_waits_for_another_person_where_the_front_end_has_four_eyes(desk: Desk) -> None:
    change = await desk.put("a", "south", person="ada", note="launch")
    assert (change.state, change.version) == ("waiting", None)
    assert (await desk.ask("a", front_end="south")).error_code == "FLAG_NOT_FOUND"
    ask = api.DecideChange(number=change.number, note="looks right")
    for person in ("ada", ""):
        with pytest.raises(api.NeedsAnother, match="made by 'ada'"):
            await desk.call(api.approve_change, ask, "south", person)
    with pytest.raises(api.UnknownChange):
        await desk.call(api.approve_change, ask, "north", "bea")
    approved = await desk.call(api.approve_change, ask, "south", "bea")
    assert (approved.state, approved.version, approved.decided_by, approved.note) == (
        "applied", 1, "bea", "launch\nlooks right",
    )  # fmt: skip
    assert (await desk.ask("a", front_end="south")).reason == "STATIC"
    with pytest.raises(api.ChangeClosed, match="is applied"):
        await desk.call(api.approve_change, ask, "south", "bea")
    state = await desk.call(api.get_flag, api.FlagNamed(key="a"), "south")
    assert (state.author, state.waiting) == ("ada", 0)


async def test_a_change_that_was_overtaken_is_not_approved_and_can_be_refused(desk: Desk) -> None:
    first, second = await desk.put("a", "south"), await desk.put("a", "south", doc="another")
    await desk.call(api.approve_change, api.DecideChange(number=first.number), "south", "bea")
    with pytest.raises(api.FlagChanged):
        await desk.call(api.approve_change, api.DecideChange(number=second.number), "south", "bea")
    refused = await desk.call(api.refuse_change, api.DecideChange(number=second.number, note="no"), "south")
    assert (refused.state, refused.decided_by) == ("refused", "ada")
    waiting = await desk.call(api.list_changes, api.ListFlagChanges(state=api.ChangeState.WAITING), "south")
    assert waiting.items == ()


async def test_a_flag_is_killed_by_one_person_at_once_and_no_step_puts_it_back(desk: Desk) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    change = await desk.put("a", "south", schedule=(api.FlagStep(at=soon, is_enabled=True),))
    await desk.call(api.approve_change, api.DecideChange(number=change.number), "south", "bea")
    killed = await desk.call(api.kill_flag, api.FlagNamed(key="a", note="orders fail"), "south", "cy")
    assert (killed.what, killed.version, killed.author, killed.flag.schedule) == ("kill", 2, "cy", ())
    assert (await desk.ask("a", front_end="south")).reason == "DISABLED"
    with pytest.raises(api.UnknownFlag, match=r"did you mean 'aa'|there is no flag"):
        await desk.call(api.kill_flag, api.FlagNamed(key="zzz"), "south")


async def test_a_flag_that_is_deleted_while_it_is_asked_is_not_found_and_its_history_stays(desk: Desk) -> None:
    await desk.put("a")

    async def ask_on() -> set[tuple[str, str]]:
        found: set[tuple[str, str]] = set()
        for _ in range(30):
            one = await desk.ask("a")
            found.add((one.reason, one.error_code))
        return found

    asking = asyncio.create_task(ask_on())
    await desk.call(api.delete_flag, api.FlagNamed(key="a"))
    assert await asking <= {("STATIC", ""), ("ERROR", "FLAG_NOT_FOUND")}
    assert (await desk.ask("a")).details == "there is no flag 'a'"
    changes = await desk.call(api.list_changes, api.ListFlagChanges(key="a"))
    assert [(one.what, one.version) for one in changes.items] == [("delete", 2), ("put", 1)]
    with pytest.raises(api.UnknownFlag):
        await desk.call(api.delete_flag, api.FlagNamed(key="a"))
    page = await desk.call(api.list_changes, api.ListFlagChanges(limit=1))
    assert (len(page.items), page.next_before) == (1, page.items[0].number)


async def test_prerequisites_hold_and_make_no_circle(desk: Desk) -> None:
    await desk.put("base", targeting={"if": [{"var": "is_staff"}, "on"]})
    await desk.put("more", default_variant="off", targeting={"if": [True, "on"]}, requires=(_need("base"),))
    assert [(await desk.ask("more", is_staff=staff)).variant for staff in (True, False)] == ["on", "off"]
    with pytest.raises(api.WrongFlag, match="requires the flag itself"):
        await desk.put("base", requires=(_need("more"),))
    with pytest.raises(api.WrongFlag, match="required by more"):
        await desk.call(api.delete_flag, api.FlagNamed(key="base"))
    await desk.call(api.kill_flag, api.FlagNamed(key="base"))
    found = await desk.ask("more", is_staff=True)
    assert (found.variant, found.reason) == ("off", "DEFAULT")


def _need(key: str) -> api.Requirement:
    return api.Requirement(key=key, variants=("on",))


async def test_a_schedule_goes_by_the_databases_clock_whatever_a_server_thinks_the_time_is(desk: Desk) -> None:
    now = datetime.now(UTC)
    steps = (
        api.FlagStep(at=now + timedelta(days=2), targeting={"fractional": [["on", 100]]}),
        api.FlagStep(at=now + timedelta(days=1), targeting={"fractional": [["on", 10], ["off", 90]]}),
    )
    await desk.put("a", schedule=steps)
    caller = Caller(front_end="north", client="jobs")
    ahead = now + timedelta(days=30)  # a server whose clock is a month ahead
    assert (await desk.platform.call(api.apply_due, api.ApplyDue(), caller, now=ahead)).keys == ()
    await _pass(desk.database, days=1)
    assert (await desk.call(api.apply_due, api.ApplyDue())).keys == ("a",)
    state = await desk.call(api.get_flag, api.FlagNamed(key="a"))
    assert state.flag.targeting == steps[1].targeting
    assert (state.version, len(state.flag.schedule)) == (2, 1)
    assert (await desk.call(api.apply_due, api.ApplyDue())).keys == ()
    changes = await desk.call(api.list_changes, api.ListFlagChanges(key="a"))
    assert changes.items[0].what == "step"


async def _pass(database: Database, *, days: int) -> None:
    """Let days pass: what is planned comes nearer."""
    async with database.platform() as session:
        await session.execute(
            """update flags.flag set next_at = next_at - make_interval(days => $1),
               body = replace(body::text, body->'schedule'->1->>'at', to_char(now() - interval '1 minute',
                   'YYYY-MM-DD"T"HH24:MI:SS"Z"'))::json""",
            days,
        )


def test_steps_that_were_missed_are_taken_in_their_order() -> None:
    now = datetime.now(UTC)
    steps = tuple(
        api.FlagStep(at=now - timedelta(hours=hours), default_variant=variant)
        for hours, variant in ((1, "late"), (2, "early"))
    )
    flag = api.Flag(key="a", kind=api.FlagKind.STRING, variants={"early": "e", "late": "l"}, schedule=steps)
    assert stepped(flag, now) == flag.replace(default_variant="late", schedule=())


async def test_a_rule_may_go_by_segments_that_somebody_is_in_and_by_no_others(desk: Desk) -> None:
    ada, bob = [await _member(desk, name) for name in ("ada", "bob")]
    with pytest.raises(api.UnknownSegment, match="segment 'vip' is not known here"):
        await desk.put("a", targeting=VIP)
    await desk.call(member.set_segments, member.SetSegments(member_id=ada, segments=("vip",)))
    with pytest.raises(api.UnknownSegment, match="did you mean 'vip'") as refused:
        await desk.put("a", targeting={"if": [{"segment": ["vipp"]}, "on"]})
    assert refused.value.path == "$.flag.targeting.if[0].segment"
    await desk.put("a", targeting=VIP)
    assert [(await desk.ask("a", str(who))).variant for who in (ada, bob, "device-7")] == ["on", "off", "off"]
    liar = await desk.ask("a", str(bob), **{"$segments": ["vip"]})
    assert liar.variant == "off"
    await desk.call(member.set_segments, member.SetSegments(member_id=ada, segments=()))
    assert (await desk.ask("a", str(ada))).variant == "off"  # nobody is in it any more, and nothing breaks


async def _member(desk: Desk, name: str) -> UUID:
    ask = member.Register(identities=(member.Identity(kind="email", value=f"{name}@example.org"),))
    return (await desk.call(member.register, ask)).member_id


async def test_it_says_who_sees_what_and_why(desk: Desk) -> None:
    ada = await _member(desk, "ada")
    await desk.call(member.set_segments, member.SetSegments(member_id=ada, segments=("vip",)))
    await desk.put("a", targeting={"if": [{"segment": "vip"}, "on", {"fractional": [["on", 0], ["off", 100]]}]})
    found = await desk.call(api.explain_flag, _why("a", str(ada)))
    assert found.sentence == "its rule gives on: true"
    assert [(one.path, one.rule, one.result) for one in found.looked] == [
        ("$.if[0]", "segment", True),
        ("$", "if", "on"),
    ]
    assert (found.segments, found.version) == (("vip",), 1)
    assert found.bucket is not None
    assert 0 <= found.bucket < 100
    await desk.put("b", requires=(_need("a"),))
    other = await desk.call(api.explain_flag, _why("b", "device"))
    assert other.sentence == "it requires a to be on, which is off, so it is false"
    with pytest.raises(api.UnknownFlag, match="did you mean 'a'|there is no flag"):
        await desk.call(api.explain_flag, _why("c", ""))


def _why(key: str, who: str) -> api.ExplainFlag:
    return api.ExplainFlag(key=key, context=api.Context(targeting_key=who))


async def test_flags_stay_as_they_were_while_the_database_is_away(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await desk.put("a")
    snapshot = await desk.store.snapshot("north")

    def away(*_: Any) -> Any:
        raise errors.Unavailable("the database is away", remedy="wait")

    monkeypatch.setattr(desk.database, "platform", away)
    assert await desk.store.snapshot("north") is snapshot


async def test_a_flag_that_this_version_cannot_read_is_an_answer_and_the_others_hold(desk: Desk) -> None:
    await desk.put("a")
    await desk.put("b")
    async with desk.database.platform() as session:
        await session.execute('update flags.flag set body = \'{"key": "a", "later": 1}\' where key = \'a\'')
        await session.execute("update flags.config set version = version + 1")
    answers = await desk.call(api.evaluate_all, api.EvaluateAll())
    assert [(one.key, one.error_code) for one in answers.items] == [("a", "PARSE_ERROR"), ("b", "")]


async def test_conditions_of_flags_hold_and_are_seen_where_they_do_not(desk: Desk) -> None:
    from isthmus.packs.flags.pack import PACK

    await desk.put("a")
    async with desk.database.platform() as session:
        assert [await session.fetch(one.sql) for one in PACK.conditions] == [[], []]
        await session.execute("update flags.config set version = 0")
        await session.execute("update flags.change set decided_by = author")
        assert [len(await session.fetch(one.sql)) for one in PACK.conditions] == [2, 1]
