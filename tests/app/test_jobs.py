"""Jobs of packs run for each front end by itself: what fails at one is nothing to the others."""

from __future__ import annotations

from types import ModuleType

import pytest

from isthmus.app.jobs import periodic
from isthmus.kernel import Context, Effect, FrontEnd, Pack, Platform, Registry, Value, capability, errors, implements
from isthmus.manifest import Every, Job
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


async def test_a_front_end_at_which_a_job_fails_keeps_no_other_from_it(database: Database) -> None:
    fetched: list[str] = []

    @implements(fetch)
    async def fetches(ask: Fetch, ctx: Context) -> Fetched:
        if ctx.front_end == "away":
            raise errors.Unavailable("nobody answers", remedy="start it")
        if ctx.front_end == "broken":
            raise KeyError("a defect")
        fetched.append(ctx.front_end)
        return Fetched()

    api, service = ModuleType("api", "Post."), ModuleType("service")
    api.__dict__["fetch"], service.__dict__["fetches"] = fetch, fetches
    pack = Pack(name="post", owner="us", api=api, service=(service,))
    front_ends = [FrontEnd(code=code, name=code, owner=code, uses=("post.*",)) for code in CODES]
    platform = Platform(Registry().add(pack, *front_ends).freeze(), database)
    job = periodic(platform, database, Job(name="post.fetch", when=Every(seconds=60), calls=fetch))
    with pytest.raises(ExceptionGroup, match=r"post\.fetch failed at 2 front ends") as raised:
        await job.run()
    assert fetched == ["well", "well2"]
    assert [type(one) for one in raised.value.exceptions] == [errors.Unavailable, errors.Fault]
