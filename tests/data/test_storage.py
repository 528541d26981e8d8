"""What the lake takes of the disk: in proportion to what changed, and no more than what is kept for receipts."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from isthmus.data.answers.metrics import Metrics
from isthmus.data.answers.receipt import Receipts
from isthmus.data.lake.current import FILES_MAX
from isthmus.data.lake.lake import Lake
from isthmus.data.lake.landing import Lander
from isthmus.data.lake.retention import KeptSnapshots
from isthmus.data.model.ask import Ask
from isthmus.data.platform import DataPlatform
from isthmus.data.privacy import policy
from isthmus.kernel import errors
from isthmus.store import Database, Outbox

from .test_lake import SQL, START, Deli, MealEaten, deli, deli_model  # noqa: F401 - `deli` is a fixture  # pyright: ignore[reportUnusedImport]

MANY = 60_000
ROWS = f"""insert into deli.meal select id, null, 'note ' || md5(id::text), '{{}}', id % 977,
    '2030-01-01'::timestamptz + id * interval '1 minute' from generate_series(100, {MANY + 99}) as id"""


def size(lake: Lake) -> int:
    return sum(place.stat().st_size for place in lake.folder.rglob("*") if place.is_file())


async def test_a_landing_of_one_changed_row_writes_one_row(deli: Deli) -> None:  # noqa: F811
    await deli.run(ROWS)
    await deli.land(0)
    whole = size(deli.lake)
    written: list[int] = []
    for day in range(1, 6):
        await deli.run(f"update deli.meal set price_minor = price_minor + 1 where id = {1_000 * day}")
        before = size(deli.lake)
        assert (await deli.land(day)).changed["deli.meal"] == 1
        written.append(size(deli.lake) - before)
    print(f"{whole:,} bytes for {MANY:,} rows; then {written} bytes a landing of one changed row")
    assert max(written) < whole / 100
    assert deli.rows("select count(*), cast(sum(price_minor) as bigint) from deli.meal") == [
        tuple((await figures(deli)).values())
    ]


async def figures(business: Deli) -> dict[str, Any]:
    async with business.database.platform() as session:
        rows = await session.fetch("select count(*) as count, sum(price_minor)::bigint as sum from deli.meal")
        return dict(rows[0])


@pytest.fixture
async def small(database: Database, database_url: str, tmp_path: Path) -> Deli:
    """Give a business whose rows change in every way, landing after landing."""
    business = Deli(database, database_url, Lake(tmp_path / "lake", deli_model(), {"deli.meal-eaten": MealEaten}))
    for statement in SQL.split(";\n"):
        if statement.strip():
            await business.run(statement)
    await business.run(
        "insert into deli.meal select id, null, null, '{}', id, '2030-01-01' from generate_series(10, 60) id"
    )
    return business


def changes() -> Iterator[str]:
    """Yield what happens between two landings: rows come, change, go, and come back."""
    for at in range(40):  # small files are put together more than once
        id = 10 + at * 7 % 70
        yield (
            f"update deli.meal set price_minor = {at}, note = 'changed {at}' where id = {id}",
            f"delete from deli.meal where id = {id}",
            f"insert into deli.meal values ({id}, null, 'back', '{{}}', {at}, '2030-01-01') on conflict do nothing",
            f"update deli.meal set price_minor = price_minor + 1 where id % {at + 2} = 0",
        )[at % 4]


async def test_base_and_deltas_are_the_rows_of_the_business_after_any_number_of_landings(small: Deli) -> None:
    for at, change in enumerate(changes()):
        await small.run(change)
        landing = await small.land(at)
        assert landing.alerts == ()
        datasets = small.lake.head().datasets
        assert max(len(files) for files in datasets.values()) <= FILES_MAX
        async with small.database.platform() as session:
            rows = await session.fetch("select id, note, price_minor from deli.meal order by id")
        assert small.rows("select id, note, price_minor from deli.meal order by id") == [tuple(row) for row in rows]


def platform(business: Deli, days: int = 90) -> DataPlatform:
    receipts = Receipts(business.lake.folder / "receipts")
    metrics = Metrics(business.lake.model, business.lake, receipts, secret=b"x")
    return DataPlatform(
        model=business.lake.model, lake=business.lake, metrics=metrics, receipts=receipts,
        policies={"owner": policy.owner()}, event_owners={}, kept=KeptSnapshots(days=days),
    )  # fmt: skip


def age(lake: Lake, hours: float) -> None:
    """Make all that the lake has on disk older."""
    then = time.time() - hours * 3_600
    for place in lake.folder.rglob("*"):
        if place.is_file():
            os.utime(place, (then, then))


async def test_states_that_no_receipt_names_go_and_those_that_one_names_give_the_same_number(small: Deli) -> None:
    data = platform(small)
    receipts: list[str] = []
    for day in range(6):
        await small.run(f"update deli.meal set price_minor = {day} where id = 1")
        await small.land(day)
        if day in (1, 3):
            receipts.append(data.metrics.ask(Ask(metrics=("spent",)), policy.owner()).receipt.id)
    assert len(small.lake.snapshots()) == 6
    data.prune(datetime.now(UTC))
    assert len(small.lake.snapshots()) == 6  # an hour has not gone by: somebody may be asking
    age(small.lake, hours=2)
    data.prune(datetime.now(UTC))
    assert [name.partition("-")[0] for name in small.lake.snapshots()] == ["00000002", "00000004", "00000006"]
    assert [data.metrics.rerun(id, data.policies).is_same for id in receipts] == [True, True]


async def test_after_the_stated_days_a_state_goes_with_its_files_and_its_receipt_says_so(small: Deli) -> None:
    data = platform(small, days=30)
    await small.land(0)
    receipt = data.metrics.ask(Ask(metrics=("spent",)), policy.owner()).receipt
    for day in range(1, 4):
        await small.run("update deli.meal set price_minor = price_minor + 1")
        await small.land(day)
    before = len(list(small.lake.folder.glob("files/*")))
    age(small.lake, hours=31 * 24)
    data.prune(datetime.now(UTC))
    assert len(small.lake.snapshots()) == 1
    assert len(list(small.lake.folder.glob("files/*"))) < before
    again = data.metrics.rerun(receipt.id, data.policies)
    assert not again.is_same
    assert "is gone: states are kept for a time where receipts name them" in again.reasons[0]


def grow_older(lake: Lake, hours: float) -> None:
    """Make all that the lake has on disk so much older than it was."""
    for place in lake.folder.rglob("*"):
        if place.is_file():
            then = place.stat().st_mtime - hours * 3_600
            os.utime(place, (then, then))


async def test_a_landing_a_day_with_a_receipt_each_takes_no_more_than_the_stated_days(small: Deli) -> None:
    """Of 40 days, each asked for, the last three can be computed again; the last ten take no more than those before.

    In 40 days small files are put together more than once after the first state has gone.
    """
    data = platform(small, days=3)
    receipts: list[str] = []
    sizes: list[int] = []
    for day in range(40):
        await small.run("update deli.meal set price_minor = price_minor + 1 where id = 20")
        await small.land(day)
        receipts.append(data.metrics.ask(Ask(metrics=("spent",)), policy.owner()).receipt.id)
        data.prune(datetime.now(UTC))
        sizes.append(sum(place.stat().st_size for place in small.lake.folder.glob("files/*")))
        grow_older(small.lake, hours=24)
    assert len(small.lake.snapshots()) <= 4
    assert max(sizes[30:]) < 1.2 * max(sizes[10:30]), sizes  # as much as was kept before, and the history's rows
    again = [data.metrics.rerun(id, data.policies) for id in receipts]
    assert [one.is_same for one in again[-3:]] == [True] * 3
    assert not any(one.is_same for one in again[:36])


async def test_many_landings_of_one_row_take_no_more_than_their_rows(small: Deli) -> None:
    data = platform(small)
    await small.land(0)
    landings = 4 * FILES_MAX  # of an entity and its history: twice as many files
    for _ in range(landings):
        await small.run("update deli.meal set price_minor = price_minor + 1 where id = 20")
        await small.land(1)
        age(small.lake, hours=2)
        data.prune(datetime.now(UTC))
        assert len(small.lake.snapshots()) <= 2
        assert len(list(small.lake.folder.glob("files/*"))) <= 2 * FILES_MAX
    history = small.rows("select count(*) from deli.meal_history where id = 20")
    assert history[0][0] >= landings  # type: ignore[operator]


async def test_another_landing_is_not_undone_by_one_that_began_before(small: Deli) -> None:
    await small.land(0)
    before = small.lake.head()
    await small.run("update deli.meal set price_minor = 7 where id = 11")
    await small.land(1)
    with pytest.raises(errors.Conflict):
        small.lake.commit(before, 0, before.datasets, START + timedelta(days=2))
    assert small.rows("select price_minor from deli.meal where id = 11") == [(7,)]


async def test_another_lake_over_the_same_business_has_a_name_of_its_own(small: Deli, tmp_path: Path) -> None:
    other = Lake(tmp_path / "other", small.lake.model, small.lake.events)
    await Lander(other, small.url, Outbox(small.database)).land()
    assert other.id != small.lake.id
    assert Lake(tmp_path / "other", small.lake.model).id == other.id
