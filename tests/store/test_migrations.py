"""Migrations: each once, whole or not at all, and never edited."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import pytest

from isthmus.kernel import errors
from isthmus.store import MigrationSource, migrate

FIRST = "create table till.coin (n int primary key); insert into till.coin values (1);"
SECOND = "insert into till.coin values (2);"


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
    assert [str(file) for file in await migrate(empty_url, [till])] == [
        "isthmus/0001_store.sql",
        "isthmus/0002_saga.sql",
        "till/0001_coin.sql",
    ]
    till = source(tmp_path, m0002_more=SECOND)
    assert [str(file) for file in await migrate(empty_url, [till])] == ["till/0002_more.sql"]
    assert await migrate(empty_url, [till]) == []
    assert await coins(empty_url) == [1, 2]


async def test_ten_processes_at_once_apply_each_once(empty_url: str, tmp_path: Path) -> None:
    till = source(tmp_path, m0001_coin=FIRST, m0002_more=SECOND)
    applied = await asyncio.gather(*(migrate(empty_url, [till]) for _ in range(10)))
    assert sorted(map(len, applied)) == [0] * 9 + [4]
    assert await coins(empty_url) == [1, 2]


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


async def test_a_database_that_is_newer_than_the_code_is_refused(empty_url: str, tmp_path: Path) -> None:
    await migrate(empty_url, [source(tmp_path, m0001_coin=FIRST, m0002_more=SECOND)])
    (tmp_path / "till" / "0002_more.sql").unlink()
    with pytest.raises(errors.BuildProblems, match="this code is too old"):
        await migrate(empty_url, [source(tmp_path)])


async def test_one_that_fails_leaves_nothing_and_names_its_line(empty_url: str, tmp_path: Path) -> None:
    till = source(tmp_path, m0001_coin=FIRST, m0002_more="insert into till.coin values (2);\nselect *\nfrom nowhere;")
    with pytest.raises(errors.Fault, match=r'till/0002_more\.sql failed at line 3: relation "nowhere"'):
        await migrate(empty_url, [till])
    assert await coins(empty_url) == [1]
    (tmp_path / "till" / "0002_more.sql").write_text(SECOND)
    assert [str(file) for file in await migrate(empty_url, [till])] == ["till/0002_more.sql"]


async def test_a_guard_wants_a_column_to_guard_by(empty_url: str, tmp_path: Path) -> None:
    till = source(tmp_path, m0001_coin=FIRST + "select isthmus.guard('till.coin');")
    with pytest.raises(errors.Fault, match=r"till\.coin has no column front_end"):
        await migrate(empty_url, [till])


async def test_a_source_is_found_by_its_package() -> None:
    found = MigrationSource.of_pack("loose-change", "isthmus.store:migrations")
    assert found.schema == "loose_change"
    assert (found.folder / "0001_store.sql").is_file()
