"""Two front ends with tables, subscriptions and a flow of their own."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from isthmus.kernel import (
    Caller,
    Capability,
    Context,
    Effect,
    FrontEnd,
    Platform,
    Value,
    capability,
    errors,
    event,
    flow,
    implements,
)
from isthmus.runtime.events.durable import DurableCalls
from isthmus.store import Database, migrate_own
from tests import shipped
from tests.waiting import until

MIGRATIONS = Path(__file__).parent / "own_migrations"
NORTH = Caller(front_end="north")
SOUTH = Caller(front_end="south")
BROKEN: set[str] = set()  # subjects on which `remember` fails
HANGING: set[str] = set()
KILL_AT = "ISTHMUS_TEST_KILL_AT"  # the step at which a process kills itself


class Note(Value):
    """Something to write down, or to look up."""

    subject: str
    what: str = ""


class Notes(Value):
    """What is written down of a subject."""

    what: tuple[str, ...]


def line(code: str) -> FrontEnd:
    """Return a front end that is told when something is packed, and writes it into its own table."""
    table = f"fe_{code}.note"

    @event(f"{code}.packed", version="1.0", subject="subject")
    class Packed(Value):
        """A parcel was packed."""

        subject: str

    class Unwritable(errors.RuleBroken):
        slug = "tests.unwritable"

    @capability(f"{code}.pack", version="1.0", effect=Effect.WRITE)
    def pack(ask: Note) -> Note:
        """Pack a parcel."""
        ...

    @capability(f"{code}.remember", version="1.0", effect=Effect.WRITE, raises=[Unwritable])
    def remember(ask: Packed) -> Note:
        """Remember that it was packed."""
        ...

    @capability(f"{code}.write", version="1.0", effect=Effect.WRITE, raises=[Unwritable])
    def write(ask: Note) -> Note:
        """Write a note."""
        ...

    @capability(f"{code}.notes", version="1.0", effect=Effect.READ)
    def notes(ask: Note) -> Notes:
        """Read notes."""
        ...

    @capability(f"{code}.look", version="1.0", effect=Effect.WRITE)
    def look(ask: Note) -> Note:
        """Run a statement of whatever kind."""
        ...

    @flow(f"{code}.send-off", version="1.0", effect=Effect.SAGA, uses=[write])
    def send_off(ask: Packed) -> Note:
        """Pick, wrap and send, each a step; taken back in reverse order where sending fails."""
        ...

    @implements(pack)
    async def do_pack(ask: Note, ctx: Context) -> Note:
        ctx.emit(Packed(subject=ask.subject))
        return ask

    @implements(remember)
    async def do_remember(ask: Packed, ctx: Context) -> Note:
        await ctx.session.execute(f"insert into {table} values ($1, 'packed')", ask.subject)
        if ask.subject in HANGING:
            await asyncio.Event().wait()
        if ask.subject in BROKEN:
            raise Unwritable(f"{ask.subject} cannot be written down", remedy="fix it")
        return Note(subject=ask.subject)

    @implements(write)
    async def do_write(ask: Note, ctx: Context) -> Note:
        if f"{ask.what} {ask.subject}" in BROKEN:
            raise Unwritable(f"{ask.what} is broken", remedy="fix it")
        await ctx.session.execute(f"insert into {table} values ($1, $2)", ask.subject, ask.what)
        return ask

    @implements(notes)
    async def do_read(ask: Note, ctx: Context) -> Notes:
        rows = await ctx.session.fetch(f"select what from {table} where subject = $1 order by at", ask.subject)
        return Notes(what=tuple(row["what"] for row in rows))

    @implements(look)
    async def do_look(ask: Note, ctx: Context) -> Note:
        await ctx.session.execute(ask.what)
        return ask

    @implements(send_off)
    async def do_send_off(ask: Packed, ctx: Context) -> Note:
        for what in ("pick", "wrap", "send"):
            if os.environ.get(KILL_AT) == what:
                os.kill(os.getpid(), signal.SIGKILL)
            await ctx.call(write, Note(subject=ask.subject, what=what))
            ctx.compensate_with(write, Note(subject=ask.subject, what=f"un{what}"))
        return Note(subject=ask.subject)

    return FrontEnd(
        code=code,
        name=code,
        owner=f"{code} team",
        capabilities=(pack, remember, write, notes, look, send_off),
        implementations=(do_pack, do_remember, do_write, do_read, do_look, do_send_off),
        subscriptions={Packed: (remember, send_off)},
        events=(Packed,),
    )


async def platform_of(database: Database) -> Platform:
    """Return a platform of both, with their tables."""
    for code in ("north", "south"):
        await migrate_own(database.url, code, MIGRATIONS)
    return Platform(shipped.build([line("north"), line("south")]), database)


def of(platform: Platform, name: str) -> Capability[Note, Notes]:
    return platform.release.lines[name.partition(".")[0]].offered[name].capability


async def notes(platform: Platform, subject: str, caller: Caller = NORTH) -> list[str]:
    """Return what a front end has written down of a subject, in the order of writing."""
    found = await platform.call(of(platform, f"{caller.front_end}.notes"), Note(subject=subject), caller)
    return list(found.what)


async def packed(platform: Platform, subject: str, caller: Caller = NORTH) -> None:
    await platform.call(of(platform, f"{caller.front_end}.pack"), Note(subject=subject), caller)


@asynccontextmanager
async def delivering(platform: Platform, database: Database):
    """Have events told as long as the block runs, with short pauses."""
    in_flight = asyncio.create_task(
        DurableCalls(platform, database, lease_s=1, retry_first_s=0.02, attempts_max=3).run()
    )
    try:
        await becomes(lambda: _is_known(database), True)
        yield
    finally:
        in_flight.cancel()
        with suppress(asyncio.CancelledError):
            await in_flight


async def becomes(read: Callable[[], Awaitable[object]], wanted: object) -> None:
    """Wait until something is so; say what it is where it never comes."""

    async def is_so() -> bool:
        return await read() == wanted

    await until(is_so, f"that it becomes {wanted!r}")


async def _is_known(database: Database) -> bool:
    async with database.platform() as session:
        return bool(await session.fetch_value("select count(*) from isthmus.consumer where name = 'subscriptions'"))


async def _serve(url: str) -> None:
    async with await Database.open(url) as database:
        platform = await platform_of(database)
        async with delivering(platform, database):
            await asyncio.sleep(3600)


if __name__ == "__main__":
    import sys

    asyncio.run(_serve(sys.argv[1]))
