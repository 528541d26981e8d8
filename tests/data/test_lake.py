"""The lake takes everything once, in order, keeps what is wrong, and agrees with the business side."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated
from uuid import UUID

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from isthmus.data.answers.metrics import Metrics
from isthmus.data.answers.receipt import Receipts
from isthmus.data.lake.erasure import erase
from isthmus.data.lake.lake import Lake
from isthmus.data.lake.landing import Lander, Landing
from isthmus.data.lake.reader import DuckReader
from isthmus.data.model.ask import Ask
from isthmus.data.model.model import Model, build
from isthmus.data.privacy import policy
from isthmus.kernel import Meta, Value, errors, event, ports
from isthmus.markings import Atomic, Count, Dimension, Key, Measure, Pii, Ref, Time, entity
from isthmus.store import Database, Outbox

START = datetime(2030, 1, 1, tzinfo=UTC)


@entity("deli.person", table="deli.person")
class Person(Value):
    """Somebody."""

    id: Annotated[UUID, Key()]
    name: Annotated[str, Pii("name")]
    is_known: Annotated[bool, Dimension()]


@entity("deli.meal", table="deli.meal")
class Meal(Value):
    """Something eaten."""

    id: Annotated[int, Key()]
    person_id: Annotated[UUID | None, Ref("deli.person")]
    note: Annotated[str | None, Pii("free-text")]
    tags: tuple[str, ...]
    price_minor: Annotated[int, Meta(ge=0), Measure()]
    eaten_at: Annotated[datetime, Time()]


@event("deli.meal-eaten", version="1.0", subject="person_id")
class MealEaten(Value):
    """Somebody ate."""

    person_id: Annotated[str, Ref("deli.person")]
    price_minor: int
    note: Annotated[str, Pii("free-text")] = ""


ANN, BOB = "00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000b"
SQL = f"""
create schema deli;
create table deli.person (id uuid primary key, name text not null, is_known boolean not null);
create table deli.meal (id bigint primary key, person_id uuid, note text, tags text[] not null, price_minor bigint not null,
                        eaten_at timestamptz not null);
insert into deli.person values ('{ANN}', 'Ann "A", née Oddß', true), ('{BOB}', '', false);
insert into deli.meal values (1, '{ANN}', null, '{{}}', 1200, '2030-01-01 10:00+00'),
                             (2, null, E'two\\nlines, "quoted"', '{{a,b}}', 300, '2030-01-02 10:00:00.123456+02');
"""  # noqa: E501


@dataclass
class Deli:
    """A business with its lake."""

    database: Database
    url: str
    lake: Lake
    emitted: int = 0

    async def land(self, day: int = 0) -> Landing:
        lander = Lander(self.lake, self.url, Outbox(self.database), {"deli.meal-eaten": "deli-team"})
        return await lander.land(START + timedelta(days=day))

    async def run(self, sql: str) -> None:
        async with self.database.platform() as session:
            await session.execute(sql)

    async def emit(self, *prices: object, id: str | None = None, type: str = "deli.meal-eaten") -> None:
        rows = [self.event({"person_id": ANN, "price_minor": price, "note": "good"}, id, type) for price in prices]
        writing = await self.database.write("north", None)
        await writing.commit(rows, None)

    def event(self, data: dict[str, object], id: str | None, type: str) -> ports.EventRow:
        self.emitted += 1
        return ports.EventRow(
            id=id or f"e{self.emitted}", type=type, version="1.0", subject=ANN, front_end="north", box="north",
            time=START, trace="t", data=json.dumps(data).encode(),
        )  # fmt: skip

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        return [tuple(row.values()) for row in self.lake.newest().read(sql).to_pylist()]


def deli_model() -> Model:
    metrics = [Atomic(name="spent", measure="deli.meal.price_minor"), Count(name="people", of="deli.person")]
    return build([(Person, "people-team"), (Meal, "deli-team")], metrics)


@pytest.fixture
async def deli(database: Database, database_url: str, tmp_path: Path) -> Deli:
    """Give a business with two people and two meals, and an empty lake."""
    business = Deli(database, database_url, Lake(tmp_path / "lake", deli_model(), {"deli.meal-eaten": MealEaten}))
    for statement in SQL.split(";\n"):
        if statement.strip():
            await business.run(statement)
    return business


async def test_tables_land_as_they_are(deli: Deli) -> None:
    landing = await deli.land()
    assert landing.changed == {"deli.person": 2, "deli.meal": 2}
    assert landing.alerts == ()
    assert {figure.figure: figure.lake for figure in landing.figures if figure.entity == "deli.meal"} == {
        "count": "2", "least id": "1", "greatest id": "2", "sum of price_minor": "1500",
    }  # fmt: skip
    assert deli.rows("select id, name, is_known from deli.person order by name desc") == [
        (ANN, 'Ann "A", née Oddß', True),
        (BOB, "", False),
    ]
    meals = deli.rows("select note, tags, eaten_at from deli.meal order by id")
    assert meals[0][0] is None
    assert meals[1] == ('two\nlines, "quoted"', '["a", "b"]', datetime(2030, 1, 2, 8, 0, 0, 123456, UTC))


async def test_only_what_changed_is_written_and_history_says_from_when_to_when(deli: Deli) -> None:
    await deli.land(0)
    await deli.run("update deli.meal set price_minor = 1300 where id = 1; ")
    await deli.run("delete from deli.meal where id = 2")
    assert (await deli.land(1)).changed == {"deli.person": 0, "deli.meal": 2}
    assert (await deli.land(2)).changed == {"deli.person": 0, "deli.meal": 0}
    assert deli.rows("select id, price_minor from deli.meal") == [(1, 1300)]
    history = deli.rows("select id, price_minor, valid_from, valid_to from deli.meal_history order by id, valid_from")
    days = [START + timedelta(days=day) for day in range(3)]
    assert history == [(1, 1200, days[0], days[1]), (1, 1300, days[1], None), (2, 300, days[0], days[1])]


async def test_an_earlier_snapshot_keeps_its_rows(deli: Deli) -> None:
    first = await deli.land(0)
    await deli.run("update deli.meal set price_minor = 5")
    await deli.land(1)
    assert deli.lake.at(first.snapshot).read("select sum(price_minor) as s from deli.meal").to_pylist() == [{"s": 1500}]
    assert deli.rows("select cast(sum(price_minor) as int) from deli.meal") == [(10,)]


@entity("deli.meal", table="deli.meal")
class WeighedMeal(Value):
    """Something eaten, with what it weighed."""

    id: Annotated[int, Key()]
    weight: Annotated[Decimal | None, Measure()]


async def test_a_decimal_that_would_be_rounded_goes_to_the_quarantine_with_its_value(deli: Deli) -> None:
    deli.lake = Lake(deli.lake.folder, build([(WeighedMeal, "deli-team")], ()), {})
    await deli.run("alter table deli.meal add column weight numeric")
    await deli.run("update deli.meal set weight = 0.123456 where id = 1")
    await deli.run("update deli.meal set weight = 12345678901234567890123456789012.5000000 where id = 2")
    assert (await deli.land()).quarantined == {}
    exact = "select id, cast(weight as varchar) from deli.meal order by id"
    assert deli.rows(exact) == [(1, "0.123456"), (2, "12345678901234567890123456789012.500000")]
    await deli.run("update deli.meal set weight = -0.1234567 where id = 1")
    landing = await deli.land(1)
    assert (landing.quarantined, landing.alerts) == ({"deli.meal": 1}, ())
    assert deli.rows(exact) == [(2, "12345678901234567890123456789012.500000")]
    ((reason,),) = deli.rows("select reason from lake.quarantine")
    assert reason == "-0.1234567 is kept with six decimals and up to 32 digits before them only, at $.weight"
    await deli.run("update deli.meal set weight = 'NaN' where id = 2; ")
    await deli.run("update deli.meal set weight = 7 where id = 1")
    assert (await deli.land(2)).quarantined == {"deli.meal": 1}
    assert deli.rows(exact) == [(1, "7.000000")]


@entity("deli.person", table="deli.person")
class PersonWithCity(Value):
    """Somebody, of whom more is known since yesterday."""

    id: Annotated[UUID, Key()]
    name: Annotated[str, Pii("name")]
    is_known: Annotated[bool, Dimension()]
    city: Annotated[str | None, Dimension()]


async def test_a_column_that_an_entity_has_since_yesterday_is_empty_until_it_lands(deli: Deli) -> None:
    await deli.land(0)
    deli.lake = Lake(deli.lake.folder, build([(PersonWithCity, "people-team"), (Meal, "deli-team")], ()), {})
    assert deli.rows("select is_known, city from deli.person order by name") == [(False, None), (True, None)]
    await deli.run("alter table deli.person add column city text")
    await deli.run("update deli.person set city = 'Ulm' where is_known")
    assert (await deli.land(1)).changed == {"deli.person": 1, "deli.meal": 0}
    assert deli.rows("select is_known, city from deli.person order by name") == [(False, None), (True, "Ulm")]


async def test_events_land_once_in_their_order_also_when_landed_again(deli: Deli) -> None:
    await deli.emit(1, 2, 3)
    assert (await deli.land()).events == 3
    await deli.emit(4)
    await deli.emit(2, id="e2")
    landing = await deli.land()
    assert (landing.events, landing.duplicates) == (1, 1)
    await Outbox(deli.database).move_to("lake", 0)
    assert (await deli.land()).events == 0
    assert deli.rows('select price_minor, event_front_end from events."deli.meal-eaten"') == [
        (1, "north"), (2, "north"), (3, "north"), (4, "north"),
    ]  # fmt: skip


async def test_replay_from_the_start_gives_the_same_lake(deli: Deli, tmp_path: Path) -> None:
    for price in range(5):
        await deli.emit(price)
        await deli.land(price)
    other = Lake(tmp_path / "other", deli.lake.model, deli.lake.events)
    await Lander(other, deli.url, Outbox(deli.database)).land()
    for sql in (
        "select position, id, type, subject, time, data from lake.events order by position",
        "select * from deli.meal order by id",
        "select * from deli.person order by id",
    ):
        assert other.newest().read(sql).to_pylist() == deli.lake.newest().read(sql).to_pylist()


async def test_an_event_that_breaks_its_contract_is_kept_with_the_reason_and_the_owner(deli: Deli) -> None:
    await deli.emit("much", 2)
    await deli.emit(1, type="deli.unheard-of")
    landing = await deli.land()
    assert landing.quarantined == {"deli.meal-eaten": 1, "deli.unheard-of": 1}
    assert deli.rows(
        "select source, owner, reason, json_extract_string(\"row\", '$.price_minor') from lake.quarantine"
    ) == [
        ("deli.meal-eaten", "deli-team", "expected `int`, got `str` at $.price_minor", "much"),
        ("deli.unheard-of", "", "neither a pack nor front end 'north' declares this event", "1"),
    ]
    assert deli.rows('select price_minor from events."deli.meal-eaten"') == [(2,)]


async def test_a_row_that_breaks_its_contract_is_kept_once_and_counted_as_landed(deli: Deli) -> None:
    await deli.run("update deli.meal set price_minor = -1 where id = 2")
    landing = await deli.land(0)
    assert landing.quarantined == {"deli.meal": 1}
    assert landing.alerts == ()
    assert deli.rows("select id from deli.meal") == [(1,)]
    assert deli.rows("select owner, reason from lake.quarantine") == [
        ("deli-team", "Expected `int` >= 0 - at `$.price_minor`")
    ]
    assert (await deli.land(1)).quarantined == {}
    await deli.run("update deli.meal set price_minor = 1 where id = 2")
    await deli.land(2)
    assert deli.rows("select id from deli.meal order by id") == [(1,), (2,)]


async def test_of_two_who_land_at_once_one_begins_again(deli: Deli) -> None:
    await deli.emit(*range(50))
    done = await asyncio.gather(deli.land(), deli.land(), return_exceptions=True)
    assert any(isinstance(one, Landing) for one in done)
    assert all(isinstance(one, Landing | errors.Conflict) for one in done)
    assert deli.rows("select count(*), count(distinct id) from lake.events") == [(50, 50)]


async def test_metrics_are_asked_of_a_lake_and_an_empty_one_answers_too(deli: Deli, tmp_path: Path) -> None:
    metrics = Metrics(deli.lake.model, deli.lake, Receipts(tmp_path / "receipts"), secret=b"x")
    ask = Ask(metrics=("spent", "people"))
    assert metrics.ask(ask, policy.owner()).rows == [{"spent": 0, "people": 0}]
    await deli.land()
    answer = metrics.ask(ask, policy.owner())
    assert answer.rows == [{"spent": 1500, "people": 2}]
    assert answer.receipt.snapshot == deli.lake.snapshots()[-1]
    await deli.run("delete from deli.meal")
    await deli.land(1)
    assert metrics.rerun(answer.receipt.id, {"owner": policy.owner()}).is_same
    deli.lake.drop_before(2, "older than 30 days")
    again = metrics.rerun(answer.receipt.id, {"owner": policy.owner()})
    assert not again.is_same
    assert "is gone: older than 30 days; asked of 00000002-" in again.reasons[0]


async def test_many_small_files_become_one(deli: Deli) -> None:
    for number in range(40):
        await deli.emit(number)
        await deli.land()
    assert len(deli.lake.head().datasets["events"]) < 34
    assert deli.rows('select count(*), cast(sum(price_minor) as int) from events."deli.meal-eaten"') == [(40, 780)]


async def test_an_erased_person_is_in_no_file_and_the_sums_stay(deli: Deli) -> None:
    await deli.run(f"update deli.meal set note = 'for Ann', person_id = '{ANN}' where id = 1")
    await deli.emit(5)
    await deli.emit("much")  # in quarantine, as it came
    first = await deli.land(0)
    await deli.run(f"update deli.person set name = 'Anna' where id = '{ANN}'")
    await deli.land(1)
    erasure = erase(deli.lake, "deli.person", {"id": ANN}, START + timedelta(days=2))
    assert erasure.rewritten == {
        "current/deli.person": 1, "changes/deli.person": 2, "current/deli.meal": 1, "changes/deli.meal": 1,
        "events": 1, "quarantine": 1,
    }  # fmt: skip
    ((name,),) = deli.rows(f"select name from deli.person where id = '{ANN}'")
    assert re.fullmatch("erased:[0-9a-f]{16}", str(name))
    assert deli.rows("select id, left(note, 7), price_minor from deli.meal order by id")[0] == (1, "erased:", 1200)
    assert deli.rows('select left(note, 7), price_minor from events."deli.meal-eaten"') == [("erased:", 5)]
    everything = pa.concat_tables(
        [pa.table({"text": [str(pq.read_table(path).to_pylist())]}) for path in deli.lake.folder.glob("files/*")]
    )
    assert not any(word in str(everything.to_pylist()) for word in ("Ann ", "Anna", "for Ann", "good"))
    before = deli.lake.at(first.snapshot)
    assert before.snapshot == first.snapshot
    assert before.rewritten == "rewritten on 2030-01-03 to erase a person"
    assert before.rows("select cast(sum(price_minor) as int) as s, count(distinct note) as n from deli.meal") == [
        {"s": 1500, "n": 2}
    ]


async def test_landing_goes_on_after_an_erasure(deli: Deli) -> None:
    await deli.emit(5)
    await deli.land(0)
    await deli.run(f"update deli.person set name = 'erased' where id = '{ANN}'")
    erase(deli.lake, "deli.person", {"id": ANN}, START)
    await deli.emit(6)
    landing = await deli.land(1)
    assert (landing.events, landing.changed["deli.person"], landing.alerts) == (1, 1, ())
    assert deli.rows(f"select name from deli.person where id = '{ANN}'") == [("erased",)]  # as the business has it


def test_rows_come_the_same_with_and_without_arrow() -> None:
    sql = (
        "select uuid '6f6e6520-6964-4f00-8000-697374686d75' as id, timestamptz '2024-01-01 01:00:00+01' as at, "
        "date '2024-01-01' as day, timestamp '2024-01-01 05:00:00' as hour, 1.5::decimal(38, 6) as exact, $1 as text, "
        "null::uuid as nobody, null::timestamptz as never"
    )
    reader = DuckReader(duckdb.connect(), "once")
    assert reader.rows(sql, ["x"]) == reader.read(sql, ["x"]).to_pylist()
