"""What packs and front ends declare of data themselves: quality rules, terms, kept questions, segments."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from isthmus import markings as m
from isthmus.app.lake_sync import segments_of
from isthmus.cli.data import commands
from isthmus.data.answers.metrics import Metrics
from isthmus.data.answers.receipt import Receipts
from isthmus.data.checks.own_rules import own_findings
from isthmus.data.lake.lake import Lake
from isthmus.data.model.ask import Ask
from isthmus.data.model.brought import problems_of
from isthmus.data.model.model import build
from isthmus.data.platform import DataPlatform
from isthmus.data.privacy.policy import of_front_end, owner
from isthmus.kernel import FrontEnd, Pack, errors
from isthmus.markings import Where

from .conftest import SHOP_METRICS, SHOP_SQL, Level, Member, Sale, Visit

NOON = datetime(2024, 4, 2, 12, tzinfo=UTC)
DEARER = m.Rule(name="baskets cost something", entity="shop.order", holds=Where("total_minor", ">=", 300))
BASKET = m.Term(name="basket", doc="What somebody pays at once.", also=("cart",), see=("baskets",))
WEEKLY = m.Question(
    name="team.sales-of-fronts", metrics=("sales", "baskets"), by=("front_end",), daily="06:00",
    timezone="Europe/Berlin", doc="How fronts fare.",
)  # fmt: skip
PACK = Pack(name="team", owner="team", api=ModuleType("team"), service=(), brings=(DEARER, BASKET, WEEKLY))


def platform_of(folder: Path, *, packs: tuple[Pack, ...] = (PACK,), fronts: tuple[FrontEnd, ...] = ()) -> DataPlatform:
    model = build([(one, "data-team") for one in (Member, Sale, Visit, Level)], SHOP_METRICS)
    lake, receipts = Lake(folder / "lake", model), Receipts(folder / "receipts")
    declared = {one.code: one for one in fronts}
    return DataPlatform(
        model=model, lake=lake, receipts=receipts, policies={"owner": owner()}, event_owners={}, packs=packs,
        metrics=Metrics(model, lake, receipts, secret=b"x", declared=lambda: declared), declared=lambda: declared,
    )  # fmt: skip


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., DataPlatform]:
    """Give what opens the shop's lake, with its five orders, for packs and front ends."""
    lake = platform_of(tmp_path).lake
    before = lake.head()
    connection = lake.connect(before)
    connection.execute("attach ':memory:' as arriving; use arriving;" + SHOP_SQL)
    tables = {name: entity.table for name, entity in lake.model.entities.items()}
    files = {f"current/{name}": (lake.write(connection, f"from arriving.{one}"),) for name, one in tables.items()}
    lake.commit(before, 0, files, datetime(2024, 4, 1, tzinfo=UTC))  # pyright: ignore[reportArgumentType]
    return lambda **more: platform_of(tmp_path, **more)


def test_a_rule_of_a_team_counts_the_rows_that_break_it_and_names_them(make: Callable[..., DataPlatform]) -> None:
    """Order 5 costs 90; north has no order below 300, so that its own rule holds."""
    own = FrontEnd(code="north", name="North", owner="north-team", brings=(DEARER,))
    platform = make(fronts=(own,))
    of_pack, of_north = own_findings(platform.metrics, platform.brought(m.Rule), NOON)
    assert (of_pack.holds, of_pack.count, of_pack.examples, of_pack.owner) == (False, 1, ("5",), "team")
    assert str(of_pack) == "shop.order: baskets cost something (team): broken by 1, such as 5"
    assert (of_north.holds, of_north.count, of_north.owner) == (True, 0, "north-team")


def test_a_rule_about_what_is_not_there_is_broken_and_says_why(make: Callable[..., DataPlatform]) -> None:
    wrong = dataclasses.replace(PACK, brings=(m.Rule(name="x", entity="shop.order", holds=Where("tottal", "=", 1)),))
    platform = make(packs=(wrong,))
    (found,) = own_findings(platform.metrics, platform.brought(m.Rule), NOON)
    assert not found.holds
    assert "shop.order has no field 'tottal'" in found.rule or "tottal" in found.rule


def test_a_question_is_asked_once_a_day_and_written_to_its_file(make: Callable[..., DataPlatform]) -> None:
    platform = make()
    kept = platform.questions
    before_six = datetime(2024, 4, 2, 3, 59, tzinfo=UTC)  # 05:59 in Berlin
    assert kept.run_due(datetime(2024, 4, 1, 12, tzinfo=UTC)) == []
    first = kept.ran(WEEKLY.name)
    assert first is not None
    kept.run_due(before_six)
    assert kept.ran(WEEKLY.name) == first
    kept.run_due(datetime(2024, 4, 2, 4, 1, tzinfo=UTC))
    second = kept.ran(WEEKLY.name)
    assert second is not None
    assert second.at > first.at
    rows = list(csv.reader(Path(second.file).read_text().splitlines()))
    assert rows == [["front_end", "sales", "baskets"], ["north", "3350", "3"], ["south", "790", "2"]]
    assert platform.metrics.rerun(second.receipt, platform.policies).is_same


def test_a_front_ends_question_sees_its_own_rows_and_parquet_has_types(make: Callable[..., DataPlatform]) -> None:
    asked = m.Question(name="south.sales", metrics=("sales",), form="parquet")
    own = FrontEnd(code="south", name="South", owner="south-team", brings=(asked,))
    platform = make(fronts=(own,))
    ran = platform.questions.run("south.sales", NOON)
    assert Path(ran.file).parent.name == "south"
    assert [int(row["sales"]) for row in pq.read_table(ran.file).to_pylist()] == [790]
    assert platform.receipts.get(ran.receipt).policy == of_front_end(platform.model, "south").name
    (wrong,) = problems_of(dataclasses.replace(own, brings=(m.Question(name="sales", metrics=("sales",)),)))
    assert wrong.endswith("call it south.sales")


def test_why_a_question_was_refused_is_written_down_and_the_others_go_on(make: Callable[..., DataPlatform]) -> None:
    gone = m.Question(name="team.gone", metrics=("salez",), daily="00:00")
    platform = make(packs=(dataclasses.replace(PACK, brings=(gone, WEEKLY)),))
    (refused,) = platform.questions.run_due(NOON)
    assert "salez" in refused
    ran = platform.questions.ran("team.gone")
    assert ran is not None
    assert "salez" in ran.refused
    assert not ran.file
    assert platform.questions.ran(WEEKLY.name) is not None


def test_segments_of_a_front_end_have_its_own_members_only(make: Callable[..., DataPlatform]) -> None:
    big = m.Segment(code="big", version=1, metric="sales", member="buyer_id", least=700)
    platform = make(packs=(), fronts=(FrontEnd(code="north", name="North", owner="north-team", brings=(big,)),))
    (chosen,) = segments_of(platform)
    answer = platform.metrics.ask(
        Ask(metrics=(chosen.metric,), by=("front_end", "buyer_id"), where=chosen.where), owner()
    )
    assert {(row["front_end"], row["buyer_id"]): int(row["sales"]) for row in answer.rows} == {
        ("north", 1): 3050,
        ("north", 2): 300,
    }


def test_the_catalogue_finds_terms_by_other_words_and_says_who_answers(make: Callable[..., DataPlatform]) -> None:
    platform = make()
    (term,) = platform.find("cart", owner())
    assert (term.kind, term.name, term.owner, term.see) == ("term", "basket", "team", ("baskets",))
    kinds = {(one.kind, one.name) for one in platform.find("basket", owner())}
    assert {("term", "basket"), ("metric", "baskets"), ("question", WEEKLY.name)} <= kinds
    assert [one.name for one in platform.find("shop.order.currency", owner())] == ["shop.order.currency"]
    assert platform.find("zzz", owner()) == []


def run(platform: DataPlatform, *arguments: str, code: int = 0) -> str:
    app = commands(lambda: platform, None, None)  # pyright: ignore[reportArgumentType]
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


def test_a_question_is_kept_listed_run_and_forgotten_from_the_terminal(
    make: Callable[..., DataPlatform], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isthmus.cli.data.out.width", 200)
    platform = make()
    run(platform, "ask", "baskets", "--where", "front_end = north", "--save", "north-baskets", "--daily", "07:30")
    listed = run(platform, "questions")
    assert {"north-baskets", "07:30", WEEKLY.name} <= set(listed.split())
    assert "wrote 1 rows to" in run(platform, "run", "north-baskets")
    assert (platform.questions.folder / "north-baskets.csv").read_text().split() == ["baskets", "3"]
    assert "basket" in run(platform, "find", "cart")
    run(platform, "questions", "--forget", "north-baskets")
    with pytest.raises(errors.NotFound, match="there is no question 'north-baskets'"):
        run(platform, "run", "north-baskets")
    with pytest.raises(errors.BadAsk, match="small letters"):
        run(platform, "ask", "baskets", "--save", "../x")
    with pytest.raises(errors.BadAsk, match="a kept question has no limit"):
        run(platform, "ask", "baskets", "--save", "x", "--limit", "3")
    with pytest.raises(errors.Conflict, match="declared in code"):
        run(platform, "ask", "baskets", "--save", WEEKLY.name)
