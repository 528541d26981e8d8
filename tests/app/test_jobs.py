"""Jobs of packs run for each front end by itself: what fails at one is nothing to the others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import ModuleType

import pytest

from isthmus.app.jobs import periodic
from isthmus.kernel import Context, Effect, FrontEnd, Pack, Platform, Registry, Value, capability, errors, implements
from isthmus.manifest import Every, Job
from isthmus.runtime.schedule import Periodic
from isthmus.store import Database

CODES = ("away", "broken", "well", "well2")


class Fetch(Value):
    """Fetch what is new."""


class Fetched(Value):
    """How much was new."""

    items: int = 0


@capability("post.fetch", version="1.0", effect=Effect.WRITE)
def fetch(ask: Fetch) -> Fetched:
    """Fetch what is new."""
    ...


def post(database: Database, fetches: Callable[[Fetch, Context], Awaitable[Fetched]]) -> Periodic:
    """Return the job of a pack that fetches post so, for each of some front ends."""
    api, service = ModuleType("api", "Post."), ModuleType("service")
    api.__dict__["fetch"], service.__dict__["fetches"] = fetch, implements(fetch)(fetches)
    pack = Pack(name="post", owner="us", api=api, service=(service,))
    front_ends = [FrontEnd(code=code, name=code, owner=code, uses=("post.*",)) for code in CODES]
    platform = Platform(Registry().add(pack, *front_ends).freeze(), database)
    return periodic(platform, database, Job(name="post.fetch", when=Every(seconds=60), calls=fetch))


async def test_a_front_end_at_which_a_job_fails_keeps_no_other_from_it(database: Database) -> None:
    fetched: list[str] = []

    async def fetches(ask: Fetch, ctx: Context) -> Fetched:
        if ctx.front_end in ("away", "broken"):
            raise KeyError("a defect")
        fetched.append(ctx.front_end)
        return Fetched()

    with pytest.raises(ExceptionGroup, match=r"post\.fetch failed at 2 front ends") as raised:
        await post(database, fetches).run()
    assert fetched == ["well", "well2"]
    assert [type(one) for one in raised.value.exceptions] == [errors.Fault, errors.Fault]


async def test_what_is_away_is_said_once_when_that_begins_and_once_when_it_is_back(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    away = {"away": "GET http://127.0.0.1:9/post: nobody answers"}

    async def fetches(ask: Fetch, ctx: Context) -> Fetched:
        if said := away.get(ctx.front_end):
            raise errors.Unavailable(said, remedy="start it")
        return Fetched()

    job = post(database, fetches)
    for _ in range(3):
        await job.run()
    assert [(one.levelname, one.getMessage()) for one in caplog.records] == [
        (
            "WARNING",
            "post.fetch of away waits: GET http://127.0.0.1:9/post: nobody answers; start it; "
            "it is tried every 60 s, and the next word of it is that it goes on",
        )
    ]
    async with database.platform() as session:
        rows = await session.fetch("select front_end, outcome from runtime.job_run")
    outcomes = {row["front_end"]: row["outcome"] for row in rows}
    assert outcomes["away"].startswith("failed: GET http://127.0.0.1:9/post: nobody answers"), "as it is shown"
    assert outcomes["well"] == "done"
    caplog.clear()
    away.clear()
    for _ in range(2):
        await job.run()
    assert [one.getMessage() for one in caplog.records] == ["post.fetch of away goes on"]
