"""The register of personal data: what is marked is in it, with what for and who reads it; else it is refused."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import pytest
from typer.testing import CliRunner

from isthmus.kernel import Effect, FrontEnd, Pack, Platform, Value, capability, errors, event, implements, ports
from isthmus.manifest import Keeps, Personal
from isthmus.manifest.kept import personal_problems
from isthmus.markings import Pii
from isthmus.packs.personal_data import api
from isthmus.packs.personal_data.commands import commands
from isthmus.packs.personal_data.pack import PACK
from isthmus.packs.personal_data.service.register import register
from isthmus.packs.policy.service.policies import DEFAULT, Policies
from isthmus.runtime.deploy.declared import problems_of
from isthmus.store import Database, migrate_own
from tests import shipped

MakePlatform = Callable[..., Awaitable[Platform]]
FORBIDS = 'forbid (principal in Role::"support", action == Action::"letters.read", resource);'


class Write(Value):
    """Write a letter."""

    to: Annotated[str, Pii("name")]


class Letter(Value):
    """What was written, to whom."""

    to: Annotated[str, Pii("name", why="to put it on the envelope")]


@event("letters.written", version="1.0", subject="to")
class Written(Value):
    """A letter was written."""

    to: Annotated[str, Pii("name")]


@capability("letters.write", version="1.0", effect=Effect.WRITE)
def write(ask: Write) -> Value:
    """Write a letter."""
    ...


@capability("letters.read", version="1.0", effect=Effect.READ)
def read(ask: Value) -> Letter:
    """Read a letter."""
    ...


@implements(write)
async def _write(ask: Write, ctx: object) -> Value:
    return Value()


@implements(read)
async def _read(ask: Value, ctx: object) -> Letter:
    return Letter(to="ann")


class Ribbon(Value):
    """What a front end knows of an order beside."""

    ribbon: Annotated[str, Pii("free-text", why="to print it on the ribbon")] = ""


class Bare(Value):
    """The same, and nobody says what for."""

    ribbon: Annotated[str, Pii("free-text")] = ""


KEPT = Keeps(
    table="letters.letter",
    columns={"addressee": "name"},
    why="to send it",
    until="a year",
    whose="addressee = any($1)",
)


def letters(*brings: object) -> Pack:
    found = ModuleType("letters", "Writes letters.")
    found.write, found.read, found.Written = write, read, Written  # type: ignore[attr-defined]
    service = ModuleType("service")
    service.a, service.b = _write, _read  # type: ignore[attr-defined]
    return Pack(name="letters", owner="l", api=found, service=(service,), brings=brings)


LETTERS = letters(Personal(because="x", purposes={"name": "to write to them"}, keeps=(KEPT,)))


def test_a_new_field_without_a_purpose_is_refused_with_the_line_to_write() -> None:
    (said,) = personal_problems(letters(Personal(because="x")))
    assert said == (
        "is given personal data of kind 'name' and does not say what for (letters.write ← .to, …); "
        "write Personal(purposes={'name': …}), or Pii('name', why=…)"
    )
    assert list(personal_problems(LETTERS)) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"why": " "}, "does not say what is personal, why it is kept, and until when"),
        ({"until": ""}, "does not say what is personal, why it is kept, and until when"),
        ({"columns": {}}, "does not say what is personal, why it is kept, and until when"),
        ({"whose": ""}, "says either whose a row is or why nobody can say so"),
    ],
)
def test_a_table_that_says_not_all_of_itself_is_refused(change: dict[str, Any], said: str) -> None:
    given = {"table": "letters.letter", "columns": {"to": "name"}, "why": "w", "until": "u", "whose": "true"}
    kept = Keeps(**{**given, **change})  # type: ignore[arg-type]
    (problem,) = personal_problems(letters(Personal(because="x", purposes={"name": "n"}, keeps=(kept,))))
    assert said in problem


def test_a_front_end_that_marks_a_field_and_says_no_purpose_is_not_deployed() -> None:
    def front_end(of: type[Value]) -> FrontEnd:
        return FrontEnd(code="north", name="N", owner="n", attributes={"order.order": of})

    assert not [one for one in problems_of(front_end(Ribbon), shipped.PACKS) if "personal" in one]
    (said,) = (one for one in problems_of(front_end(Bare), shipped.PACKS) if "personal" in one)
    assert said == (
        "front end 'north' marks order.order.attributes.ribbon as personal and does not say what for; "
        "write Pii('free-text', why=…)"
    )


@pytest.fixture
async def platform(make_platform: MakePlatform) -> Platform:
    north = FrontEnd(code="north", name="N", owner="n", uses=("letters.*",))
    south = FrontEnd(code="south", name="S", owner="s", uses=("letters.write",))
    policies = Policies((LETTERS, PACK), [("default", DEFAULT.read_text()), ("own", FORBIDS)])
    return await make_platform(LETTERS, PACK, north, south, resources={ports.Guard: policies})


async def test_each_field_is_there_with_what_for_how_long_and_who_may_read_it(
    platform: Platform, database: Database
) -> None:
    found = await register(platform, database)
    by_place = {(one.place, one.where): one for one in found.entries}
    kept = by_place["table", "letters.letter.addressee"]
    assert (kept.owner, kept.kind, kept.why, kept.until, kept.readers) == (
        "letters",
        "name",
        "to send it",
        "a year",
        ("letters.read",),
    )
    assert by_place["call", "letters.read → .to"].why == "to put it on the envelope"
    assert by_place["call", "letters.write ← .to"].why == "to write to them"
    assert by_place["event", "letters.written.to"].readers == ("events.read",)
    # south does not use it, and a policy forbids it to support
    assert found.callers["letters.read"] == {"north": ("owner", "operator", "analyst", "auditor", "client")}
    assert not [one for one in (await register(platform, database, has_calls=False)).entries if one.place == "call"]


async def test_tables_and_attributes_of_front_ends_are_in_it(database: Database, tmp_path: Path) -> None:
    (tmp_path / "0001_create.sql").write_text(
        """create table card (member_id uuid, words text);
           comment on column card.member_id is 'Ref member.membership';
           comment on column card.words is 'Pii free-text: what is written on the card'"""
    )
    await migrate_own(database.url, "north", tmp_path)
    north = FrontEnd(code="north", name="N", owner="n", uses=("order.*",), attributes={"order.order": Ribbon})
    found = await register(Platform(shipped.build([north]), database), database)
    own = {one.where: one for one in found.entries if one.owner == "north"}
    assert own["fe_north.card.words"].why == "what is written on the card"
    ribbon = own["order.order.attributes.ribbon"]
    assert (ribbon.place, ribbon.why) == ("attribute", "to print it on the ribbon")
    assert {"order.get-order", "order.list-orders"} <= {*ribbon.readers}


async def test_an_own_column_that_says_no_purpose_is_not_made(database: Database, tmp_path: Path) -> None:
    (tmp_path / "0001_create.sql").write_text(
        """create table card (member_id uuid, words text);
           comment on column card.member_id is 'Ref member.membership';
           comment on column card.words is 'Pii free-text'"""
    )
    with pytest.raises(errors.BuildProblems) as refused:
        await migrate_own(database.url, "north", tmp_path)
    (said,) = refused.value.problems
    assert "card.words is personal and does not say what for: write it behind a colon" in said


async def test_every_table_that_a_pack_names_is_there_and_each_row_can_be_asked_for(database: Database) -> None:
    kept = [one for pack in shipped.PACKS for said in pack.brings if isinstance(said, Personal) for one in said.keeps]
    async with database.platform() as session:
        for one in kept:
            named = ", ".join([*one.columns, *one.hidden, *one.leads_to, one.addresses or "null"])
            ask = (
                f"select {named} from {one.table} where {one.whose or 'true'} and ($1::text[], $2::text[]) is not null"
            )
            assert await session.fetch(ask, ["nobody"], ["nobody@example.org"]) == [], one.table
    assert len(kept) > 20


@dataclass
class Opened:
    platform: Platform
    database: Database


@pytest.fixture
def said(platform: Platform) -> Callable[..., str]:
    """Run the command, which has a loop of its own: over a database that it opens there."""
    url = platform.store.url  # type: ignore[attr-defined]

    @asynccontextmanager
    async def opening() -> AsyncIterator[Any]:
        async with await Database.open(url) as database:
            yield Opened(Platform(platform.release, database, resources=platform.resources), database)

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(commands(opening), ["register", *arguments])
        assert result.exit_code == 0, result.output
        return result.output

    return run


def test_the_command_says_it_as_lines_json_or_csv(said: Callable[..., str]) -> None:
    (line,) = (one for one in said().splitlines() if "letters.letter.addressee" in one)
    assert line.split("\t")[2:] == ["letters.letter.addressee", "name", "to send it", "a year", "letters.read"]
    found = json.loads(said("--json", "--calls"))
    assert {*found} == {*api.Register.__struct_fields__}
    assert "letters.read → .to" in [one["where"] for one in found["entries"]]
    (clear,) = (one for one in said("--in-the-clear").splitlines() if "letters.letter" in one)
    assert clear.split("\t") == ["letters.letter.addressee", "name", "a year", "who keeps it has not said why"]
    rows = said("--csv").splitlines()
    assert rows[0] == "place,owner,where,kind,why,until,readers"
    (row,) = (one for one in rows if "letters.letter.addressee" in one)
    assert row.endswith('"letters.read at north by owner, operator, analyst, auditor, client"')
