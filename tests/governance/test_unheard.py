"""What the platform says and nobody hears is found, what somebody hears is not; it goes once that is announced."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from isthmus.governance.consumers import Calls
from isthmus.governance.contracts import contracts_of
from isthmus.governance.reads import Consumers, code_of
from isthmus.governance.thin.age import Age, begun_at
from isthmus.governance.thin.change.events import announce_event, delete_event
from isthmus.governance.thin.change.fields import announce_field, delete_field
from isthmus.governance.thin.change.named import Code
from isthmus.governance.thin.change.proof import Said as Ran
from isthmus.governance.thin.change.proof import compared
from isthmus.governance.thin.unread import Said, Taken, unread_fields, untaken_events
from isthmus.kernel import FrontEnd, Registry, event
from isthmus.kernel.host import Deprecated

from .company import Company, differing, made

TODAY = date(2026, 5, 4)
OLD = Age(Path("/"), datetime.now(UTC))  # where there is no checkout, all is old
KINDS = '''

class Part(Value):
    """A part of a slip."""

    goods: str
    weight: int


class Slip(Value):
    """A slip."""

    text: str
    width: int
    parts: tuple[Part, ...] = ()


@event("till.printed", version="1.0", subject="goods")
class SlipPrinted(Value):
    """A slip was printed."""

    goods: str


@capability("till.slip", version="1.0", effect=Effect.WRITE)
def slip(ask: Label) -> Slip:
    """Print a slip."""
    ...
'''
DOES = """

@implements(api.slip)
async def slipped(ask: api.Label, ctx: Context) -> api.Slip:
    part = api.Part(goods=ask.goods, weight=rules.WIDTH)
    if ask.goods:
        ctx.emit(api.SlipPrinted(goods=ask.goods))
    return api.Slip(text=ask.goods, width=rules.WIDTH, parts=(part,))
"""
DESK = """
from {name}.till import api as till


async def shown(ctx, ask):
    found = await ctx.call(till.slip, ask)
    return found.text, [part.goods for part in found.parts]
"""


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Company]:
    def write(root: Path) -> None:
        """Add what is not heard before anything is imported."""
        (pack,) = root.glob("*/till")
        api = pack / "api.py"
        api.write_text(api.read_text().replace("errors, extension_point", "errors, event, extension_point") + KINDS)
        (pack / "service.py").write_text((pack / "service.py").read_text() + DOES)
        desk = root / "front_ends" / "north" / "desk.py"
        desk.write_text(DESK.format(name=pack.parent.name))

    with made(tmp_path, monkeypatch, write) as found:
        yield found


def consumers(company: Company, calls: int = 300) -> Consumers:
    north = FrontEnd(code="north", name="North", owner="north", uses=("till.*",))
    running = Registry().add(company.pack, north).freeze()
    return Consumers(
        release=running,
        contracts=contracts_of(running),
        codes={"north": code_of(company.north)},
        platform={},
        calls=Calls(days=28, counted={("north", "till.slip"): calls}, asked={}),
    )


def unread(company: Company, known: Consumers, age: Age = OLD) -> set[str]:
    return {one.name for one in unread_fields(known, [company.pack], age, TODAY)}


def test_fields_that_nobody_reads_are_found_and_no_others(company: Company):
    assert unread(company, consumers(company)) == {"till.slip:$.width", "till.slip:$.parts.weight"}


def test_where_a_capability_is_hardly_called_nothing_is_said_of_its_fields(company: Company):
    assert unread(company, consumers(company, calls=20)) == set()


def test_who_calls_from_code_that_is_not_here_may_read_anything(company: Company):
    (company.north / "desk.py").unlink()
    assert unread(company, consumers(company)) == set()


def test_a_field_that_the_pack_itself_takes_is_left(company: Company):
    service = company.file("service.py")
    service.write_text(service.read_text() + "\n\ndef wide(one: api.Slip) -> bool:\n    return one.width > 9\n")
    assert unread(company, consumers(company)) == {"till.slip:$.parts.weight"}


def test_what_is_younger_than_the_calls_is_not_judged_by_them(company: Company):
    def commit(at: datetime) -> None:
        said = ["-c", "user.name=a", "-c", "user.email=a@localhost", "commit", "-qm", "One"]
        subprocess.run(["git", "add", "-A"], cwd=company.root, check=True)
        subprocess.run(["git", *said], cwd=company.root, check=True, env={"GIT_COMMITTER_DATE": at.isoformat()})

    now = datetime.now(UTC)
    subprocess.run(["git", "init", "-q"], cwd=company.root, check=True)
    text = company.file("api.py").read_text()
    company.file("api.py").write_text(text.replace("    width: int\n", ""))
    commit(now - timedelta(days=40))
    company.file("api.py").write_text(text)
    commit(now - timedelta(days=3))
    age = Age(company.root, begun_at(None, now))
    assert unread(company, consumers(company), age) == {"till.slip:$.parts.weight"}
    assert unread(company, consumers(company), Age(company.root, now)) >= {"till.slip:$.width"}
    assert begun_at(now - timedelta(days=2), now) == now - timedelta(days=2)
    assert begun_at(now - timedelta(days=200), now) == now - timedelta(days=28)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (Said(sent={("north", "till.printed"): 40}), {"till.printed"}),
        (Said(sent={("north", "till.printed"): 5}), set()),
        (Said(sent={("north", "till.printed"): 40}, taken=[Taken(who="webhook", types=("till.*",))]), set()),
        (Said(sent={("north", "till.printed"): 40}, taken=[Taken(who="flag", types=("shop.left",))]), {"till.printed"}),
        (Said(sent={("north", "till.printed"): 40}, grouped=["north"]), set()),
    ],
)
def test_an_event_that_is_sent_and_that_nobody_takes_is_found(company: Company, said: Said, found: set[str]):
    known = untaken_events(consumers(company), [company.pack], Code.of(company.root), said, OLD, TODAY)
    assert {one.name for one in known} == found


def test_an_event_that_code_takes_is_left(company: Company):
    taking = f"from {company.name}.till import api as till\n\nSUBSCRIBED = {{till.SlipPrinted: ()}}\n"
    (company.north / "taking.py").write_text(taking)
    said = Said(sent={("north", "till.printed"): 40})
    assert not [*untaken_events(consumers(company), [company.pack], Code.of(company.root), said, OLD, TODAY)]


def test_the_last_day_of_an_event_is_announced_and_it_is_found_again_after_that(company: Company):
    change = announce_event(
        Code.of(company.root), company.pack, company.pack.api.SlipPrinted, TODAY, TODAY + timedelta(days=30)
    )
    announced = differing(change, "api.py")
    assert '-@event("till.printed", version="1.0", subject="goods")' in announced
    declared = 'Deprecated(since=date(2026, 5, 4), sunset=date(2026, 6, 3), instead="")'
    assert declared in "".join(line.strip("+ ") for line in announced)
    assert {"+from datetime import date", "+from isthmus.kernel.host import Deprecated"} <= set(announced)

    kind, said = company.pack.api.SlipPrinted, Said(sent={("north", "till.printed"): 40})
    leaving = Deprecated(since=TODAY, sunset=TODAY + timedelta(days=30), instead="")
    event("till.printed", version="1.0", subject="goods", deprecated=leaving)(kind)
    known, code = consumers(company), Code.of(company.root)
    assert not [*untaken_events(known, [company.pack], code, said, OLD, leaving.sunset)]
    (found,) = untaken_events(known, [company.pack], code, said, OLD, leaving.sunset + timedelta(days=1))
    assert found.next == "send it no more: its last day has passed"


def test_an_event_goes_with_what_sends_it(company: Company):
    change = delete_event(Code.of(company.root), company.pack, company.pack.api.SlipPrinted)
    assert differing(change, "service.py") == [
        "-    if ask.goods:",
        "-        ctx.emit(api.SlipPrinted(goods=ask.goods))",
    ]
    assert "-class SlipPrinted(Value):" in differing(change, "api.py")
    assert change.unsent == ("till.printed",)


def test_the_last_day_of_a_field_is_announced_first_and_then_it_goes(company: Company):
    kind, code = company.pack.api.Part, Code.of(company.root)
    change = announce_field(code, company.pack, kind, "weight", "till.slip:$.parts.weight", date(2026, 6, 3))
    announced = '    weight: Annotated[int, Meta(extra_json_schema={"deprecated": True, "x-sunset": "2026-06-03"})]'
    assert f"+{announced}" in differing(change, "api.py")
    assert change.name == "till.slip-parts-weight"
    company.edit(company.file("api.py"), "    weight: int", announced)
    change = delete_field(Code.of(company.root), company.pack, kind, "weight", "till.slip:$.parts.weight")
    assert f"-{announced}" in differing(change, "api.py")
    assert differing(change, "service.py") == [
        "-    part = api.Part(goods=ask.goods, weight=rules.WIDTH)",
        "+    part = api.Part(goods=ask.goods)",
    ]


def test_calls_prove_that_nothing_else_is_gone():
    def ran(**answer: object) -> list[Ran]:
        return [Ran(front_end="north", call_id="1", capability="till.slip", said=answer, events=[["till.printed", {}]])]

    old, fewer, other = ran(text="a", width=3), ran(text="a"), ran(text="b")
    assert not compared(old, fewer, old).is_equal
    assert compared(old, fewer, old, ["width"]).is_equal
    assert not compared(old, other, old, ["width"]).is_equal
    silent = [old[0].replace(events=[])]
    assert not compared(old, silent, old).is_equal
    assert compared(old, silent, old, unsent=["till.printed"]).is_equal
