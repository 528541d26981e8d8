"""The embedded server: shared, stopped by the last, found again after a kill."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import psutil
import pytest

from isthmus.kernel import errors
from isthmus.store import embedded
from tests.waiting import until

USER = """
import sys, time
from pathlib import Path
from isthmus.store import embedded
from tests.waiting import until
server = embedded.start(Path(sys.argv[1]))
print("started", flush=True)
sys.stdin.readline()
server.stop()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "data"
    embedded.start(tmp_path / "data").stop(is_wiped=True)


def other_process(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", USER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


def server_pid(folder: Path) -> int | None:
    try:
        pid = int((folder / "postgres" / "postmaster.pid").read_text().split()[0])
    except FileNotFoundError:
        return None
    is_there = psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return pid if is_there else None


async def one(url: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval("select 1")
    finally:
        await connection.close()


async def test_two_processes_share_a_server_and_the_last_stops_it(folder: Path) -> None:
    other = other_process(folder)
    pid = server_pid(folder)
    mine = embedded.start(folder)
    assert server_pid(folder) == pid
    other.communicate("leave\n")
    assert await one(mine.url) == 1
    mine.stop()
    assert server_pid(folder) is None


async def test_a_killed_user_leaves_nothing_that_keeps_the_server_up(folder: Path) -> None:
    other = other_process(folder)
    other.kill()
    other.communicate()
    with embedded.start(folder) as mine:
        assert await one(mine.url) == 1
    assert server_pid(folder) is None


async def test_a_killed_server_is_started_again_with_what_it_had_committed(folder: Path) -> None:
    with embedded.start(folder) as mine:
        connection = await asyncpg.connect(mine.url)
        await connection.execute("create table kept (n int); insert into kept values (1)")
        pid = server_pid(folder)
        assert pid is not None
        killed = psutil.Process(pid)
        os.kill(pid, signal.SIGKILL)
        killed.wait(timeout=10)  # a signal is on its way for a moment, and until it arrives the server still answers
        connection.terminate()
        with embedded.start(folder) as again:
            connection = await asyncpg.connect(again.url)
            assert await connection.fetchval("select n from kept") == 1
            assert await connection.fetchval("show fsync") == "on"
            assert await connection.fetchval("show synchronous_commit") == "on"
            await connection.close()


async def test_a_number_that_now_belongs_to_another_process_is_no_server(folder: Path) -> None:
    with embedded.start(folder) as mine:
        lines = (folder / "postgres" / "postmaster.pid").read_text().splitlines()
        mine.stop()
    (folder / "postgres" / "postmaster.pid").write_text("\n".join([str(os.getpid()), *lines[1:]]))
    with embedded.start(folder) as mine:
        assert await one(mine.url) == 1


async def test_a_cluster_that_was_left_half_made_is_made_again(folder: Path) -> None:
    (folder / "postgres.new").mkdir(parents=True)
    (folder / "postgres.new" / "half").touch()
    with embedded.start(folder) as mine:
        assert await one(mine.url) == 1


async def test_a_long_path_still_has_a_socket(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 25)
    with embedded.start(folder) as mine:
        assert await one(mine.url) == 1
    embedded.start(folder).stop(is_wiped=True)


def test_a_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(errors.Unavailable, match="cannot be written") as refused:
        embedded.start(tmp_path / "file" / "data")
    assert "ISTHMUS_DATABASE_URL" in refused.value.remedy


def test_data_of_another_version_says_so(folder: Path) -> None:
    embedded.start(folder).stop()
    version = folder / "postgres" / "PG_VERSION"
    version.write_text("16\n")
    with pytest.raises(errors.Unavailable, match="is of PostgreSQL 16, and this is 18"):
        embedded.start(folder)
    version.write_text("18\n")


def test_a_cluster_that_exists_is_started_and_not_made_again(folder: Path) -> None:
    embedded.start(folder).stop()
    made = (folder / "postgres" / "PG_VERSION").stat()
    with embedded.start(folder):
        found = (folder / "postgres" / "PG_VERSION").stat()
    assert (found.st_ino, found.st_mtime_ns) == (made.st_ino, made.st_mtime_ns)


async def test_a_server_that_was_killed_is_started_again_by_whoever_uses_it(tmp_path: Path) -> None:
    with embedded.start(tmp_path) as server:
        assert not server.restart_if_dead()
        number = int((tmp_path / "postgres" / "postmaster.pid").read_text().splitlines()[0])
        looking = asyncio.create_task(embedded.keep_alive(server))
        killed = psutil.Process(number)
        killed.kill()
        await asyncio.to_thread(killed.wait)

        async def is_there() -> bool:
            with suppress(OSError, asyncpg.PostgresError):
                connection = await asyncpg.connect(server.url)
                assert await connection.fetchval("select 1") == 1
                await connection.close()
                return True
            return False

        await until(is_there, "that somebody starts it")
        looking.cancel()
        assert not server.restart_if_dead()
