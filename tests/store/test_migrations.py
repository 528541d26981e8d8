"""Migrations: each once, whole or not at all, and never edited."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import asyncpg
import pytest

from isthmus import store
from isthmus.kernel import errors
from isthmus.store import (
    MigrationSource,
    NoTables,
    TablesNewer,
    TablesOlder,
    UnsupportedPostgres,
    check_tables,
    look,
    migrate,
)
from isthmus.store.versions import check_version
from tests.waiting import PATIENCE_S, until

FIRST = "create table till.coin (n int primary key); insert into till.coin values (1);"
SECOND = "insert into till.coin values (2);"
OWN = [  # what the store itself brings
    f"isthmus/{file.name}" for file in sorted(Path(store.__file__).parent.glob("migrations/*.sql"))
]


def source(folder: Path, pack: str = "till", **files: str) -> MigrationSource:
    folder = folder / pack
    folder.mkdir(exist_ok=True)
    for name, sql in files.items():
        (folder / f"{name.removeprefix('m')}.sql").write_text(sql)
    return MigrationSource(pack=pack, schema=pack, folder=folder)


async def coins(url: str) -> list[int]:
    connection = await asyncpg.connect(url)
    try:
        return [row["n"] for row in await connection.fetch("select n from till.coin order by n")]
    finally:
        await connection.close()


async def test_each_is_applied_once(empty_url: str, tmp_path: Path) -> None:
    till = source(tmp_path, m0001_coin=FIRST)
    assert [str(file) for file in await migrate(empty_url, [till])] == [*OWN, "till/0001_coin.sql"]
    till = source(tmp_path, m0002_more=SECOND)
    assert [str(file) for file in await migrate(empty_url, [till])] == ["till/0002_more.sql"]
    assert await migrate(empty_url, [till]) == []
    assert await coins(empty_url) == [1, 2]


async def test_ten_processes_at_once_apply_each_once(empty_url: str, tmp_path: Path) -> None:
    till = source(tmp_path, m0001_coin=FIRST, m0002_more=SECOND)
    applied = await asyncio.gather(*(migrate(empty_url, [till]) for _ in range(10)))
    assert sorted(map(len, applied)) == [0] * 9 + [len(OWN) + 2]
    assert await coins(empty_url) == [1, 2]


async def test_a_mended_file_that_names_what_it_was_is_taken_as_applied(empty_url: str, tmp_path: Path) -> None:
    (first,) = (one for one in await migrate(empty_url, [source(tmp_path, m0001_coin=FIRST)]) if one.pack == "till")
    fixed = f"-- was: {first.checksum} (it failed on some)\n{FIRST}"
    assert await migrate(empty_url, [source(tmp_path, m0001_coin=fixed)]) == []
    with pytest.raises(errors.BuildProblems, match="was edited after it was applied"):
        await migrate(empty_url, [source(tmp_path, m0001_coin=f"-- was: {'0' * 64}\n{FIRST}")])


async def test_all_problems_come_at_once_and_nothing_is_applied(empty_url: str, tmp_path: Path) -> None:
    await migrate(empty_url, [source(tmp_path, m0001_coin=FIRST)])
    sources = [
        source(tmp_path, m0001_coin=FIRST + " ", m0002_more=SECOND),
        source(tmp_path, pack="gap", m0001_a="select 1", m0003_b="select 1"),
        source(tmp_path, pack="odd", mFirst="select 1"),
    ]
    with pytest.raises(errors.BuildProblems) as found:
        await migrate(empty_url, sources)
    report = str(found.value)
    assert "till/0001_coin.sql was edited after it was applied" in report
    assert "gap/0003_b.sql should have number 0002" in report
    assert "odd/First.sql is no name of a migration" in report
    assert len(found.value.problems) == 3
    assert await coins(empty_url) == [1]


async def newer_database(url: str, folder: Path, second: str) -> MigrationSource:
    """Apply two files, and return the source as the release before has it: with the first of them."""
    await migrate(url, [source(folder, m0001_coin=FIRST, m0002_more=second)])
    (folder / "till" / "0002_more.sql").unlink()
    return source(folder)


async def test_a_database_that_a_later_release_took_something_from_is_refused(empty_url: str, tmp_path: Path) -> None:
    before = await newer_database(empty_url, tmp_path, "alter table till.coin rename n to minor")
    for works in (migrate, check_tables):
        with pytest.raises(TablesNewer, match=r"newer than this code.*first till/0002_more\.sql") as refused:
            await works(empty_url, [before])
        assert (refused.value.slug, refused.value.facts["newer"]) == ("store.tables-newer", ["till/0002_more.sql"])
        assert "run the release that applied them" in refused.value.remedy


async def test_a_database_that_a_later_release_only_added_to_is_worked_with(
    empty_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = await newer_database(empty_url, tmp_path, "alter table till.coin add column metal text")
    await check_tables(empty_url, [before])
    assert await migrate(empty_url, [before]) == []
    assert "a later release has added to the tables" in caplog.text
    assert "till/0002_more.sql" in caplog.text


async def test_what_a_release_applied_that_did_not_say_what_it_does_is_refused(empty_url: str, tmp_path: Path) -> None:
    before = await newer_database(empty_url, tmp_path, SECOND)
    connection = await asyncpg.connect(empty_url)
    await connection.execute("alter table isthmus.migration drop column contracts")
    with pytest.raises(TablesNewer):
        await check_tables(empty_url, [before])
    await connection.execute("delete from isthmus.migration where number = 2 and pack = 'till'")
    assert await migrate(empty_url, [source(tmp_path, m0002_more=SECOND.replace("2", "3"))])  # and says so from now on
    assert (
        await connection.fetchval("select contracts from isthmus.migration where number = 2 and pack = 'till'") is False
    )
    await connection.close()


async def test_looking_changes_nothing(empty_url: str, tmp_path: Path) -> None:
    till = source(tmp_path, m0001_coin=FIRST)
    tables = await look(empty_url, [till])
    assert [str(file) for file in tables.pending] == [*OWN, "till/0001_coin.sql"]
    assert (tables.applied, tables.is_empty) == (0, True)
    with pytest.raises(NoTables, match="no tables of Isthmus yet"):
        await check_tables(empty_url, [till])
    assert (await look(empty_url, [till])).is_empty


async def test_tables_that_are_older_are_named_and_left_as_they_are(empty_url: str, tmp_path: Path) -> None:
    till = source(tmp_path, m0001_coin=FIRST)
    assert len(await migrate(empty_url, [till], only_empty=True)) == len(OWN) + 1
    till = source(tmp_path, m0002_more=SECOND)
    for refuses in (check_tables(empty_url, [till]), migrate(empty_url, [till], only_empty=True)):
        with pytest.raises(TablesOlder, match=r"older than this code: 1 .* first till/0002_more\.sql") as refused:
            await refuses
        assert (refused.value.slug, refused.value.facts["pending"]) == ("store.tables-older", ["till/0002_more.sql"])
        assert "isthmus migrate --plan" in refused.value.remedy
    assert await coins(empty_url) == [1]
    assert len(await migrate(empty_url, [till])) == 1
    assert await migrate(empty_url, [till], only_empty=True) == []


async def test_ten_servers_at_once_make_the_tables_of_an_empty_database(empty_url: str, tmp_path: Path) -> None:
    till = source(tmp_path, m0001_coin=FIRST, m0002_more=SECOND)
    applied = await asyncio.gather(*(migrate(empty_url, [till], only_empty=True) for _ in range(10)))
    assert sorted(map(len, applied)) == [0] * 9 + [len(OWN) + 2]


async def test_a_database_with_tables_of_somebody_else_is_not_empty(empty_url: str, tmp_path: Path) -> None:
    connection = await asyncpg.connect(empty_url)
    await connection.execute("create table theirs (n int)")
    await connection.close()
    with pytest.raises(NoTables):
        await migrate(empty_url, [source(tmp_path, m0001_coin=FIRST)], only_empty=True)


@pytest.mark.parametrize("major", [9, 13])
def test_a_postgresql_that_is_too_old_is_named_with_what_to_do(major: int) -> None:
    with pytest.raises(UnsupportedPostgres, match=f"is PostgreSQL {major}, and Isthmus runs on 14 to 18") as refused:
        check_version(major)
    assert refused.value.slug == "store.unsupported-postgres"
    assert "upgrade it" in refused.value.remedy


def test_a_postgresql_that_nobody_tried_is_named_and_used(caplog: pytest.LogCaptureFixture) -> None:
    for major in (14, 15, 16, 17, 18):
        check_version(major)
    assert caplog.text == ""
    check_version(19)
    assert "PostgreSQL 19, and Isthmus was tried on 14 to 18; run `isthmus doctor`" in caplog.text


@pytest.mark.parametrize("url", ["nonsense", "mysql://a@b/c", "postgresql://a@127.0.0.1:54x/b"])
async def test_an_address_that_is_none_is_named_with_one_that_would_be(url: str) -> None:
    with pytest.raises(errors.Unavailable, match="address cannot be read") as refused:
        await migrate(url)
    assert refused.value.slug == "store.bad-address"
    assert "postgresql://user:password@host:5432/name" in refused.value.remedy


async def test_one_that_fails_leaves_nothing_and_names_its_line(empty_url: str, tmp_path: Path) -> None:
    till = source(tmp_path, m0001_coin=FIRST, m0002_more="insert into till.coin values (2);\nselect *\nfrom nowhere;")
    with pytest.raises(errors.Fault, match=r'till/0002_more\.sql failed at line 3: relation "nowhere"'):
        await migrate(empty_url, [till])
    assert await coins(empty_url) == [1]
    (tmp_path / "till" / "0002_more.sql").write_text(SECOND)
    assert [str(file) for file in await migrate(empty_url, [till])] == ["till/0002_more.sql"]


async def test_a_file_gives_way_to_calls_until_it_is_given_its_tables(empty_url: str, tmp_path: Path) -> None:
    await migrate(empty_url, [source(tmp_path, m0001_coin=FIRST)])
    holder, caller = await asyncpg.connect(empty_url), await asyncpg.connect(empty_url)
    try:
        await holder.execute("begin; select n from till.coin")  # as a long call does
        till = source(tmp_path, m0002_note="alter table till.coin add note text;")
        migrating = asyncio.create_task(migrate(empty_url, [till]))
        for _ in range(3):
            await until(partial(_is_waiting, caller), "that the file waits for its table")
            async with asyncio.timeout(PATIENCE_S):  # who asks behind it waits for a moment, not for the long call
                assert await caller.fetchval("select count(*) from till.coin") == 1
        assert not migrating.done()
        await holder.execute("commit")
        assert [str(file) for file in await migrating] == ["till/0002_note.sql"]
    finally:
        await holder.close()
        await caller.close()


async def _is_waiting(connection: asyncpg.Connection) -> bool:
    waiting = "select count(*) > 0 from pg_locks where relation = 'till.coin'::regclass and not granted"
    return bool(await connection.fetchval(waiting))


async def test_a_call_is_not_given_up_for_a_file_that_works_between_two_tables(empty_url: str, tmp_path: Path) -> None:
    await migrate(empty_url, [source(tmp_path, m0001_coin=FIRST + "create table till.bill (n int);")])
    caller, other = await asyncpg.connect(empty_url), await asyncpg.connect(empty_url)
    try:
        await caller.execute("begin; insert into till.bill values (1)")
        works = "alter table till.coin add note text; select pg_sleep(0.8); alter table till.bill add note text;"
        migrating = asyncio.create_task(migrate(empty_url, [source(tmp_path, m0002_note=works)]))
        taken = "select count(*) > 0 from pg_locks where relation = 'till.coin'::regclass or not granted"
        await until(partial(other.fetchval, taken), "that the file has a table, or waits for one")
        await caller.execute("insert into till.coin values (2)")
        await caller.execute("commit")
        assert [str(file) for file in await migrating] == ["till/0002_note.sql"]
    finally:
        await caller.close()
        await other.close()


async def test_of_a_file_and_a_call_that_hold_what_the_other_needs_the_file_starts_again(
    empty_url: str, tmp_path: Path
) -> None:
    await migrate(empty_url, [source(tmp_path, m0001_coin=FIRST + "create table till.bill (n int);")])
    caller = await asyncpg.connect(empty_url)
    try:
        await caller.execute("begin; insert into till.bill values (1)")
        till = source(tmp_path, m0002_note="alter table till.coin add note text; alter table till.bill add note text;")
        migrating = asyncio.create_task(migrate(empty_url, [till]))
        other = await asyncpg.connect(empty_url)
        waiting = "select count(*) > 0 from pg_locks where relation = 'till.bill'::regclass and not granted"
        await until(partial(other.fetchval, waiting), "that the file waits for the call")
        await caller.execute("insert into till.coin values (2)")
        await caller.execute("commit")
        assert [str(file) for file in await migrating] == ["till/0002_note.sql"]
        await other.close()
    finally:
        await caller.close()
    assert await coins(empty_url) == [1, 2]


async def test_a_guard_wants_a_column_to_guard_by(empty_url: str, tmp_path: Path) -> None:
    till = source(tmp_path, m0001_coin=FIRST + "select isthmus.guard('till.coin');")
    with pytest.raises(errors.Fault, match=r"till\.coin has no column front_end"):
        await migrate(empty_url, [till])


async def test_a_source_is_found_by_its_package() -> None:
    found = MigrationSource.of_pack("loose-change", "isthmus.store:migrations")
    assert found.schema == "loose_change"
    assert (found.folder / "0001_store.sql").is_file()
