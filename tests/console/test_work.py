"""Long work runs beside its page: begun once, looked at until it has ended, told as it ended, by every process."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import asyncpg
from playwright.async_api import Page, expect

from isthmus.app import lake_sync
from isthmus.console.work import Work
from isthmus.kernel import errors

from .conftest import Served, ended

KILLED = """
import asyncio, os, pathlib, sys
from isthmus.console.work import Work

async def main():
    Work(pathlib.Path(sys.argv[1]), "landing").begin(lambda: asyncio.sleep(600))
    os.kill(os.getpid(), 9)

asyncio.run(main())
"""


async def test_work_is_begun_once_and_every_process_sees_it_until_it_has_ended(tmp_path: Path) -> None:
    work, other, go, begun = Work(tmp_path, "landing"), Work(tmp_path, "landing"), asyncio.Event(), 0
    assert work.known() is None

    async def wait() -> None:
        nonlocal begun
        begun += 1
        await go.wait()

    for one in (work, other, work):
        one.begin(wait)
    for one in (work, other):
        known = one.known()
        assert known is not None
        assert known.ended_at is None
    go.set()
    await work.ended()
    known = other.known()
    assert known is not None
    assert (begun, known.ended_at is None, known.refused) == (1, False, "")


async def test_what_keeps_it_from_ending_is_told_and_the_next_one_may_end(tmp_path: Path) -> None:
    async def fail(error: Exception) -> None:
        raise error

    async def end() -> None: ...

    work = Work(tmp_path, "landing")
    for error, refused in (
        (errors.Conflict("another is running", remedy="wait"), "another is running"),
        (ValueError("inside"), "it failed"),
    ):
        work.begin(lambda error=error: fail(error))
        await work.ended()
        known = work.known()
        assert known is not None
        assert known.refused == refused
        assert known.remedy
    work.begin(end)
    await work.ended()
    known = work.known()
    assert known is not None
    assert (known.refused, known.before_s) == ("", 0)


def test_work_whose_process_was_killed_is_told_as_cut_off_and_can_be_begun_again(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    work = Work(tmp_path, "landing")
    known = work.known()
    assert known is not None
    assert (killed.returncode, known.refused) == (-9, "it was cut off: its server has ended")

    async def again() -> None:
        done: list[int] = []

        async def land() -> None:
            done.append(1)

        work.begin(land)
        await work.ended()
        assert done == [1]

    asyncio.run(again())


async def test_a_landing_that_takes_long_leaves_the_operator_free_and_says_when_it_has_ended(
    page: Page, served: Served
) -> None:
    await served.sell("tea")
    other = await asyncpg.connect(served.shop.database.url)  # another landing, which ends when the test says so
    await other.execute(f"select pg_advisory_lock({lake_sync._LANDING})")
    await page.goto(f"{served.address}/quality")
    await page.get_by_role("button", name="Land now").click()
    in_flight = page.get_by_role("status").filter(has_text="Landing is running")
    await expect(in_flight).to_be_visible()
    await expect(page.get_by_role("button", name="Land now")).to_be_disabled()
    await page.get_by_role("link", name="Orders").first.click()
    await expect(page.locator("h1")).to_contain_text("Orders")
    await page.goto(f"{served.address}/quality")  # the way back, from anywhere
    await expect(in_flight).to_be_visible()
    await other.close()
    await ended(page, "What the business has committed is in the lake.")
    await expect(page.get_by_role("button", name="Land now")).to_be_enabled()


async def test_a_landing_that_fails_says_why_on_the_page(page: Page, served: Served) -> None:
    work = Work(served.data / "work", "landing")

    async def fail() -> None:
        raise errors.Unavailable("the disk is full", remedy="free some of it")

    work.begin(fail)
    await work.ended()
    await page.goto(f"{served.address}/quality?work=landing")
    await expect(page.get_by_role("alert")).to_have_text(
        "Landing did not end well: the disk is full. What to do: free some of it."
    )
