"""A relay that is killed, a disk that fills (real processes, a real limit), late events, and a model that changed."""

# ruff: noqa: F811  (a fixture of another file is a parameter here)
from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated
from uuid import UUID

import pytest
from msgspec.structs import replace

from isthmus.data.answers.metrics import Metrics
from isthmus.data.answers.receipt import Receipts
from isthmus.data.lake.lake import Lake
from isthmus.data.lake.landing import Lander
from isthmus.data.model.ask import Ask
from isthmus.data.model.model import build
from isthmus.data.privacy.policy import owner
from isthmus.kernel import Value
from isthmus.markings import Atomic, Dimension, Key, Measure, Ref, Time, entity
from isthmus.store import Outbox
from tests.waiting import PATIENCE_S

from .test_lake import START, Deli, Person, deli  # noqa: F401  # pyright: ignore[reportUnusedImport]

ROWS = (
    "select position, id, type, subject, time, data from lake.events order by position",
    "select * from deli.meal order by id",
    "select * from deli.person order by id",
    "select id, note, price_minor from deli.meal_history order by id, price_minor",
)
EARLIER = START - timedelta(days=3)


@asynccontextmanager
async def landing(deli: Deli, *, bytes_max: int = 0) -> AsyncIterator[asyncio.subprocess.Process]:
    """Give a process that lands and waits after each step."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.data.lander", deli.url, str(deli.lake.folder), str(bytes_max)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        cwd=Path(__file__).parents[2],
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def said(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    assert process.stdin is not None
    line = (await asyncio.wait_for(process.stdout.readline(), PATIENCE_S)).decode().strip()
    if line in ("file", "commit"):
        process.stdin.write(b"\n")
    return line


@pytest.mark.parametrize("steps", [("file",), ("file",) * 4, (*("file",) * 5, "commit")])
async def test_a_relay_that_is_killed_lands_all_or_nothing_and_the_next_one_has_the_same_lake(
    deli: Deli,
    tmp_path: Path,
    steps: tuple[str, ...],
) -> None:
    await deli.emit(*range(20))
    async with landing(deli) as process:
        assert tuple([await said(process) for _ in steps[:-1]]) == steps[:-1]
        assert process.stdout is not None
        assert (await process.stdout.readline()).decode().strip() == steps[-1]  # it waits: nobody answers it
        process.kill()  # SIGKILL, in the middle of a landing
    is_committed = steps[-1] == "commit"
    assert len(deli.lake.snapshots()) == is_committed
    found = await deli.land()
    assert (found.events, found.alerts) == (0 if is_committed else 20, ())
    rubbish = 0 if is_committed else len(steps)  # what the killed one had written
    assert deli.lake.drop_before(2, "tidied", rubbish_age_s=0) == rubbish
    other = Lake(tmp_path / "never-killed", deli.lake.model, deli.lake.events)
    other.folder.mkdir()
    shutil.copy(deli.lake.folder / "pseudonym.key", other.folder)  # history shows the same pseudonyms
    await Lander(other, deli.url, Outbox(deli.database)).land()
    for sql in ROWS:
        assert deli.lake.newest().read(sql).to_pylist() == other.newest().read(sql).to_pylist()


@pytest.mark.parametrize("bytes_max", [40, 600])
async def test_a_disk_that_fills_is_said_and_landing_goes_on_when_there_is_room(
    deli: Deli,
    bytes_max: int,
) -> None:
    await deli.emit(*range(20))
    async with landing(deli, bytes_max=bytes_max) as process:
        words = [await said(process)]
        while words[-1] == "file":
            words.append(await said(process))
    assert words[-1].startswith("unavailable: ")
    assert "takes no more" in words[-1]
    assert "free space" in words[-1]
    assert deli.lake.snapshots() == []
    found = await deli.land()
    assert (found.events, found.alerts) == (20, ())


async def test_a_late_event_lands_when_it_comes_and_counts_when_it_happened(deli: Deli) -> None:
    await deli.emit(1)
    await deli.land()
    late = replace(deli.event({"person_id": "x", "price_minor": 7}, None, "deli.meal-eaten"), time=EARLIER)
    writing = await deli.database.write("north", None)
    await writing.commit([late, late], None)
    found = await deli.land(1)
    assert (found.events, found.duplicates) == (1, 1)
    found_on = deli.rows('select event_time, price_minor from events."deli.meal-eaten" order by 1')
    assert found_on == [(EARLIER, 7), (START, 1)]


@entity("deli.meal", table="deli.meal")
class MealOfToday(Value):
    """Something eaten, as a later version keeps it: a price may be a fraction, the note has gone, a kind has come."""

    id: Annotated[int, Key()]
    person_id: Annotated[UUID | None, Ref("deli.person")]
    tags: tuple[str, ...]
    price_minor: Annotated[float, Measure()]
    eaten_at: Annotated[datetime, Time()]
    kind: Annotated[str | None, Dimension()]


async def test_a_changed_model_reads_old_files_and_an_old_receipt_says_that_the_model_changed(
    deli: Deli,
    tmp_path: Path,
) -> None:
    await deli.land()
    receipts, open_all = Receipts(tmp_path / "receipts"), {"owner": owner()}
    before = Metrics(deli.lake.model, deli.lake, receipts, secret=b"x")
    sold = before.ask(Ask(metrics=("spent",)), owner())
    spent = Atomic(name="spent", measure="deli.meal.price_minor")
    model = build([(Person, "people-team"), (MealOfToday, "deli-team")], [spent])
    deli.lake = Lake(deli.lake.folder, model, deli.lake.events)
    after = Metrics(model, deli.lake, receipts, secret=b"x")
    assert after.ask(Ask(metrics=("spent",), by=("deli.meal.kind",)), owner()).rows == [
        {"deli.meal.kind": None, "spent": 1500.0}
    ]
    again = after.rerun(sold.receipt.id, open_all)
    assert f"the model was {before.model.version} and is {model.version}" in again.reasons
    await deli.run(
        "alter table deli.meal drop column note, add column kind text, alter price_minor type double precision"
    )
    await deli.run("update deli.meal set price_minor = 300.5, kind = 'soup' where id = 2")
    found = await deli.land(1)
    assert (found.alerts, found.quarantined) == ((), {})
    assert deli.rows("select id, price_minor, kind from deli.meal order by id") == [
        (1, 1200.0, None),
        (2, 300.5, "soup"),
    ]
