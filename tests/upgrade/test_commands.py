"""What commands do to a database: nothing that nobody asked for, and `migrate --plan` says what would be done."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from typer.testing import CliRunner
from uvicorn.config import STARTUP_FAILURE

from isthmus.cli import main_app
from isthmus.kernel import errors
from isthmus.store import embedded
from tests.flows.serving import Server
from tests.waiting import PATIENCE_S

BACK = """
alter table "order".orders drop column attributes;
alter table "order".lines drop column attributes;
delete from isthmus.migration where pack = 'order' and number = 6"""
APPLIED = "select count(*) from isthmus.migration"


def run(*command: str) -> str:
    """Run a command in this process and return what it prints; its deliberate errors are raised."""
    found = CliRunner().invoke(main_app, command)
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found.output


def said(url: str, sql: str) -> Any:
    async def ask() -> Any:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(ask())


@pytest.fixture
async def older(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give a configured database that lacks one migration, in an empty folder without front ends."""
    connection = await asyncpg.connect(database_url)
    await connection.execute(BACK)
    await connection.close()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ISTHMUS_DATABASE_URL", database_url)
    return database_url


@pytest.mark.parametrize("command", [("client", "list"), ("doctor",), ("dead-letters", "list"), ("compat", "--served")])
def test_a_command_leaves_older_tables_as_they_are_and_says_what_to_do(older: str, command: tuple[str, ...]) -> None:
    before = said(older, APPLIED)
    with pytest.raises(errors.IsthmusError, match=r"first order/0006_attributes\.sql.*isthmus migrate --plan") as found:
        run(*command)
    assert found.value.slug == "store.tables-older"
    assert said(older, APPLIED) == before


def test_a_plan_shows_each_statement_with_its_lock_and_changes_nothing(older: str) -> None:
    before = said(older, APPLIED)
    plan = run("migrate", "--plan")
    assert f"1 migration(s) are pending, {before} are applied; nothing was changed" in plan
    assert "order/0006_attributes.sql: expands" in plan
    assert """line 2    expand    alter table "order".orders add column attributes""" in plan
    assert 'locks "order".orders: ACCESS EXCLUSIVE' in plan
    assert said(older, APPLIED) == before
    (pending,) = json.loads(run("migrate", "--plan", "--json"))["pending"]
    assert (pending["file"], pending["steps"][0]["kind"]) == ("order/0006_attributes.sql", "expand")
    assert "applied order/0006_attributes.sql" in run("migrate")
    assert said(older, APPLIED) == before + 1
    assert "the database is up to date" in run("migrate", "--plan")


def test_a_plan_names_what_contracts_and_what_its_author_says_of_it(older: str, tmp_path: Path) -> None:
    run("migrate")
    folder = tmp_path / "front_ends" / "corner"
    (folder / "migrations").mkdir(parents=True)
    (folder / "front_end.py").write_text(
        "from isthmus.kernel import FrontEnd\n"
        "FRONT_END = FrontEnd(code='corner', name='Corner', owner='c', doc='A corner shop.', uses=())\n"
    )
    (folder / "migrations" / "0001_create.sql").write_text("create table wish (id int, note text);")
    run("migrate")
    (folder / "migrations" / "0002_less.sql").write_text(
        "-- contract: nobody reads a note since version 7\nalter table wish drop column note;"
    )
    plan = run("migrate", "--plan")
    assert "fe_corner/0002_less.sql: CONTRACTS" in plan
    assert "this column; contract: nobody reads a note since version 7" in plan
    assert "1 statement(s) contract" in plan


def test_a_command_makes_no_database_where_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ISTHMUS_DATABASE_URL", raising=False)
    monkeypatch.setenv("ISTHMUS_DATA", str(tmp_path / "data"))
    for command in (("client", "list"), ("psql",), ("migrate", "--plan")):
        with pytest.raises(errors.IsthmusError, match="no tables of Isthmus yet") as found:
            run(*command)
        assert found.value.slug == "store.no-tables"
    assert not (tmp_path / "data").exists()


async def test_a_server_does_not_migrate_a_configured_database(database_url: str, tmp_path: Path) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute(BACK)
    applied = "select count(*) from isthmus.migration where pack = 'order'"
    before = await connection.fetchval(applied)
    with pytest.raises(AssertionError, match="the server has ended with"):
        await Server(tmp_path, database_url, ISTHMUS_DATA=str(tmp_path / "data")).start()
    assert await connection.fetchval(applied) == before
    await connection.close()


LATER = """
insert into isthmus.migration (pack, number, name, checksum)
select pack, 99, '0099_later.sql', checksum from isthmus.migration where pack = 'order' and number = 6"""
REFUSED = {  # what is done to the database before → the sentence
    BACK: "the tables are older than this code: 1 migration(s) are not applied, first order/0006_attributes.sql",
    LATER: "the tables are newer than this code: 1 applied migration(s) have no file here",
}


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("done", [BACK, LATER], ids=["older", "newer"])
async def test_a_start_that_is_refused_says_why_once_and_ends_as_failed(
    database_url: str, tmp_path: Path, done: str, workers: str
) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute(done)
    await connection.close()
    command = [sys.executable, "-m", "isthmus.cli", "serve", "--port", "0", "--workers", workers]
    environment = {**os.environ, "ISTHMUS_DATABASE_URL": database_url, "ISTHMUS_DATA": str(tmp_path / "data")}
    ended = await asyncio.to_thread(
        subprocess.run, command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert ended.returncode == STARTUP_FAILURE
    assert ended.stderr.count(REFUSED[done]) == 1
    assert "Traceback" not in ended.stderr


async def test_a_server_makes_the_tables_of_an_empty_database(empty_url: str, tmp_path: Path) -> None:
    server = Server(tmp_path, empty_url, ISTHMUS_DATA=str(tmp_path / "data"))
    await server.start()
    server.stop()


@pytest.mark.skipif(shutil.which("psql") is None and embedded.program("psql") is None, reason="there is no psql here")
def test_psql_opens_on_the_configured_database(older: str, capfd: pytest.CaptureFixture[str]) -> None:
    run("psql", "-Atc", "select 'this is ' || current_database()")
    assert f"this is {urlsplit(older).path.removeprefix('/')}" in capfd.readouterr().out
