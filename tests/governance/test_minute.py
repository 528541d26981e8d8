"""What to do on Monday follows from what was measured, the most urgent first, and from nothing else."""

from __future__ import annotations

from datetime import UTC, datetime

from isthmus.governance import experience, minute, silo
from isthmus.governance.cost.avoided import Alternative
from isthmus.governance.cost.bill import bill
from isthmus.governance.cost.inputs import Inputs
from isthmus.governance.cost.moved import Moved
from isthmus.governance.cost.report import Costs
from isthmus.governance.cost.used import Capacity, Use
from isthmus.governance.lead import report as lead_time
from isthmus.governance.lead.stages import Queue
from isthmus.governance.thin import report as thinness
from isthmus.governance.thin.findings import Finding, Kind
from isthmus.governance.thin.index import Index, Term, index_of

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
INPUTS = Inputs.of({"month": "1000 EUR"})
USES = {("north", "till.total"): Use(calls=9, took_us=90, cpu_us=50, db_us=40, rows=1, events=0, metered=9)}


def costs(alone: float = 10_000.0, idle_us: float = 0.0) -> Costs:
    capacity = Capacity(ran_us=50 + idle_us, cpu_us=50, peak=0.0)
    one = Alternative(
        front_end="north", charged=900.0, written=0.0, alone=alone, rented=2_300.0, orders=9, packs=1, lines=10
    )
    divided = bill(INPUTS, USES, capacity, {}, {}, {"north": {"till": 1}}, 1)
    return Costs(
        inputs=INPUTS, uses=USES, bill=divided, capacity=capacity, stored={}, orders={}, alternatives=(one,), saved=0.0
    )


def test_what_the_group_saves_is_less_the_whole_price_and_not_only_what_front_ends_are_charged() -> None:
    assert costs().alternatives[0].avoided == 2_300.0 - 900.0
    assert costs().avoided == 2_300.0 - 1_000.0


def met(step: experience.StepName, refused: float, calls: int = 100) -> experience.Met:
    return experience.Met(
        step=step, calls=calls, p50_us=100, p95_us=500, refused=refused, reasons={}, begun=0, ended=0, left=None,
        complaints=0, complained=None,
    )  # fmt: skip


THIN = index_of({name: Term(name=name, value=1.0, evidence="") for name in ("neutrality", "no-queue")})


def measured(
    *changes: experience.Changed, findings: tuple[Finding, ...] = (), exits: float = 1.0, index: Index = THIN
) -> minute.Measured:
    term = silo.Term(
        name="exits",
        value=exits,
        said="0 of 1 packs left",
        evidence=(silo.Evidence(what="pack till", why="red", next="isthmus eject till"),),
    )
    return minute.Measured(
        thin=thinness.Report(at=NOW, index=index, findings=findings, calls={}, not_run={}, decisions={}),
        lead=lead_time.Report(at=NOW, days=28, leads=(), queue=Queue(waiting=(), served=0, expected_days=None)),
        silo=silo.Silo(at=NOW, value=silo.index_of([term]), terms=(term,)),
        answers=Moved(at=NOW, orders=0, answers=()),
        met=experience.Report(at=NOW, experiences=(), changes=changes),
    )


def test_where_all_is_well_there_is_nothing_to_do():
    assert minute.monday(costs(), measured()) == []


def test_each_measurement_leads_to_its_step_and_what_people_suffer_from_comes_first():
    worse = experience.Changed(
        front_end="north", kind="deploy", at=NOW, step="pay", before=met("pay", 0.0), after=met("pay", 0.5),
        worse=("refused more",),
    )  # fmt: skip
    lift = Finding(verdict="lift", what="a branch", where="a.py:1", front_end="north", evidence="", next="lift it")
    found = measured(worse, findings=(lift,), exits=0.0, index=index_of({}))
    acts = minute.monday(costs(alone=1_000.0, idle_us=100.0), found)
    assert [(one.where, one.what) for one in acts] == [
        ("experience", "look at the last change of north, and take it back if need be"),
        ("cost", "buy less, or let the platform do less for itself"),
        ("cost", "look whether north is better off alone"),
        ("thinness", "lift it"),
        ("thinness", "have more calls recorded, and measure again"),
    ]
    assert acts[0].why == "its step pay is worse since: refused more"
    assert acts[2].why == "it pays 90% of what building alone would cost"


def finding(kind: Kind, what: str, name: str, said: str = "delete it") -> Finding:
    return Finding(verdict="delete", what=what, where="", front_end="", evidence="", next=said, kind=kind, name=name)


def test_each_step_has_the_command_that_begins_it():
    lift = Finding(verdict="lift", what="a branch", where="a.py:1", front_end="north", evidence="", next="lift it")
    option = finding("option", "an option", "till.total:$.bag")
    some = finding("point", "one answer", "till.tip", "decide: do without it")
    unused = finding("point", "no answer", "till.check")
    acts = minute.monday(costs(), measured(findings=(lift, option, some, unused), exits=0.0))
    assert [(one.what, one.why, one.command) for one in acts] == [
        ("lift it", "a branch", "isthmus thin lift a.py:1"),
        ("take out what nobody needs: 3 things, one by one", "no answer", "isthmus thin delete till.check"),
        ("see whether it could leave: pack till", "0 of 1 packs left", "isthmus eject till"),
    ]
    (_, by_hand) = minute.monday(costs(), measured(findings=(lift, option, some)))
    assert (by_hand.why, by_hand.command) == ("an option", ""), "no command does that"


def test_what_was_not_measured_is_to_be_measured():
    nothing = minute.Measured(thin=None, lead=None, silo=None, answers=None, met=measured().met)
    assert [one.command for one in minute.monday(costs(), nothing)] == [
        "isthmus thin", "isthmus silo", "isthmus lead-time", "isthmus answers",
    ]  # fmt: skip


def test_the_worst_steps_are_of_those_with_enough_calls():
    few, many = met("pay", 0.9, calls=3), met("basket", 0.1)
    one = experience.Experience(front_end="north", steps=(few, many))
    found = minute.worst(measured().met.replace(experiences=(one,)))
    assert found is not None
    assert (found.refused, found.where) == (0.1, "north, basket")
    assert minute.worst(measured().met) is None
