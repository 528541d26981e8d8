"""What stands on which rung is decided by what was observed, in two windows: entry, warning, demotion."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from isthmus.app.config import load_config
from isthmus.app.platform import composed
from isthmus.governance import served
from isthmus.governance.contracts import contracts_of
from isthmus.governance.counters import Counters
from isthmus.governance.ladder import facts
from isthmus.governance.ladder.rungs import RUNGS, Seen, Standing, standing
from isthmus.governance.thin import report
from isthmus.governance.thin.findings import Finding
from isthmus.governance.thin.index import index_of
from isthmus.governance.traffic import Traffic
from isthmus.kernel import Outcome
from isthmus.store import Database

from .test_thin import release

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
CORE = Seen(
    front_ends=3, teams=3, effective=2.5, well=0.9999, recorded=20_000, steady_days=120, alone=0, of_all=0.75,
    audited_days=100,
)  # fmt: skip


def stands(now: Seen, before: Seen | None = None, idle_days: int = 0) -> Standing:
    return standing("till", "till team", now, before, idle_days)


def test_what_everybody_relies_on_and_was_audited_is_core() -> None:
    found = stands(CORE)
    assert (found.rung, found.next, found.missing, found.falls) == ("core", None, (), False)


@pytest.mark.parametrize(
    ("lacks", "rung", "missing"),
    [
        ({"audited_days": None}, "shared", ["audited"]),
        ({"audited_days": 366}, "shared", ["audited"]),
        ({"of_all": 0.4}, "shared", ["of-all"]),
        ({"well": 0.999}, "shared", ["well"]),
        ({"teams": 2}, "incubating", ["teams"]),
        ({"effective": 1.9}, "incubating", ["effective"]),
        ({"alone": 1}, "incubating", ["alone"]),
        ({"alone": None}, "incubating", ["alone"]),
        ({"steady_days": 60}, "incubating", ["steady"]),
        ({"steady_days": 29}, "sandbox", ["steady"]),
        ({"recorded": 9_999}, "sandbox", ["recorded"]),
        ({"front_ends": 1}, "sandbox", ["front-ends"]),
        ({"well": None}, "sandbox", ["well"]),
    ],
    ids=lambda one: one if isinstance(one, str) else "-".join(map(str, one)),
)
def test_each_thing_that_a_rung_asks_for_holds_something_below_it(
    lacks: dict[str, float | None], rung: str, missing: list[str]
) -> None:
    found = stands(CORE.replace(**lacks))
    assert found.rung == rung
    assert [one.name for one in found.missing] == missing


def test_who_fails_one_window_is_warned_and_who_fails_two_goes_down() -> None:
    worse = CORE.replace(well=0.9)
    warned = stands(worse, CORE)
    assert (warned.rung, warned.falls, warned.notice) == ("core", True, "falls")
    down = stands(worse, worse)
    assert (down.rung, down.falls, down.notice) == ("sandbox", False, "")
    assert stands(CORE, worse).rung == "core", "who is well again is where it was"


def test_what_nobody_calls_is_to_be_archived() -> None:
    nobody = Seen(
        front_ends=0, teams=0, effective=0, well=None, recorded=0, steady_days=100, alone=0, of_all=0.0,
        audited_days=None,
    )  # fmt: skip
    assert (stands(nobody, nobody, 90).rung, stands(nobody, nobody, 90).notice) == ("sandbox", "idle")
    assert stands(nobody, nobody, 89).notice == ""


async def called(
    database: Database, days_ago: int, *codes: str, calls: int = 10, error: str = "", failed: int = 0
) -> None:
    figures = Counters()
    for code in codes:
        for number in range(calls):
            slug = error if number < failed else ""
            figures.see(Outcome(capability="till.total", box=code, client="shop", took_ns=1_000, error=slug))
    await Traffic(database, figures, clock=lambda: NOW - timedelta(days=days_ago)).keep()


async def read(database: Database, audited: dict[str, date] | None = None) -> Standing:
    (found,) = await facts.ladder(database, release(), audited or {}, NOW)
    return found


def seen_of(found: Standing, rung: str, name: str) -> tuple[float | None, float | None]:
    (one,) = [each for each in found.criteria if (each.rung, each.name) == (rung, name)]
    return one.seen, one.before


async def test_front_ends_count_once_they_have_called_for_28_days(database: Database) -> None:
    await called(database, 70, "north")
    await called(database, 40, "south", calls=30)
    await called(database, 3, "north", "south", "west")
    found = await read(database)
    assert seen_of(found, "incubating", "front-ends") == (2, 0), "the west is new, and the north did not call before"
    assert found.rung == "sandbox"


async def test_a_call_that_the_asker_got_wrong_has_not_failed(database: Database) -> None:
    await called(database, 60, "north", "south")
    await called(database, 3, "north", calls=50, error="till.sold-out", failed=20)
    await called(database, 3, "south", calls=50, error="deadline-exceeded", failed=1)
    assert seen_of(await read(database), "incubating", "well") == (0.99, None)


async def test_what_breaks_a_contract_begins_its_days_anew(database: Database) -> None:
    whole = contracts_of(release())
    fewer = {name: one for name, one in whole.capabilities.items() if name != "till.label"}
    for days, contracts in (
        (200, whole),
        (10, whole.replace(capabilities=fewer)),
    ):
        await served.remember(database, contracts)
        async with database.platform() as session:
            await session.execute(
                "update governance.contracts set first_served_at = $1 where first_served_at > $2",
                NOW - timedelta(days=days), datetime.now(UTC) - timedelta(minutes=5),
            )  # fmt: skip
    assert seen_of(await read(database), "incubating", "steady") == (10, None)


async def test_a_branch_for_one_front_end_and_an_audit_count_as_they_were_at_the_end_of_each_window(
    database: Database,
) -> None:
    leak = Finding(
        verdict="lift", what="", where="isthmus/packs/till/rules.py:3", front_end="north", evidence="", next=""
    )
    other = leak.replace(where="isthmus/packs/tillage/rules.py:3")
    for days, findings in ((40, ()), (5, (leak, other))):
        found = report.Report(
            at=NOW - timedelta(days=days), index=index_of({}), findings=findings, calls={}, not_run={}, decisions={}
        )
        await report.keep(database, found)
    await called(database, 80, "north", "south", "west")
    await called(database, 40, "north", "south", "west")
    await called(database, 4, "north", "south", "west")
    async with database.platform() as session:
        await session.execute(
            """insert into runtime.recorded_call (call_id, front_end, capability, version, box, fingerprint,
                   recorded_at, took_us, error, story)
               select n::text, 'north', 'till.total', '1.0', 'north', '', now(), 1, '', '{}'
               from generate_series(1, 10000) n"""
        )
    await served.remember(database, contracts_of(release()))
    async with database.platform() as session:
        await session.execute("update governance.contracts set first_served_at = $1", NOW - timedelta(days=300))
    found = await read(database, {"till": (NOW - timedelta(days=20)).date()})
    assert found.rung == "shared", "of two windows one holds"
    assert found.falls
    assert seen_of(found, "shared", "alone") == (1, 0)
    assert seen_of(found, "shared", "teams") == (3, 3)
    assert seen_of(found, "core", "audited") == (20, None)
    assert [one.name for one in found.missing] == []


async def test_a_pack_that_nobody_calls_is_idle_once_calls_were_counted_for_90_days(database: Database) -> None:
    assert (await read(database)).notice == ""
    for days, notice in ((60, ""), (95, "idle")):
        async with database.platform() as session:
            await session.execute(
                """insert into console.traffic (hour, front_end, capability, calls, took_us, by_bound)
                   values ($1, 'north', 'other.thing', 1, 1, '{}')""",
                NOW - timedelta(days=days),
            )
        assert (await read(database)).notice == notice


def test_what_reacts_to_an_event_is_relied_on_by_who_calls_what_emits_it() -> None:
    _, shipped = composed(load_config(ROOT / "isthmus.toml"), [])
    reach = facts.reaches(shipped)
    assert {"checkout", "order", "tax", "payment", "bookkeeping", "ledger"} <= reach["checkout.place-order"]
    assert reach["tax.calculate"] == {"tax"}


def test_the_rungs_are_in_order() -> None:
    assert RUNGS == ("independent", "sandbox", "incubating", "shared", "core")
