"""Events for readers outside: what each front end may see, after a cursor, and groups whose cursor is kept here.

A cursor is a position in the one order of all events (see `outbox`), so nothing is skipped: an event that commits late
has a late position. It goes on after what was looked at, of whatever front end, and not only after what was seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from isthmus.kernel import Value, errors

from .database import Database
from .outbox import COLUMNS, Event, Outbox, event_of

LOOKED_AT_MAX: Final = 5_000  # events of all front ends that one reading passes: some 10 ms
HOLD_S: Final = 30  # how long a silent reader keeps its group from its twin
GROUPS_MAX: Final = 100  # of one front end
STREAM: Final = "isthmus.event_stream"  # the kind of what is granted
ALL: Final = "*"

_READ: Final = f"""
    with granted as (
        select owner, name from isthmus.row_grant
        where to_front_end = $1 and kind = '{STREAM}' and withdrawn_at is null
            and (ends_at is null or ends_at > now())
    ), looked_at as materialized (
        select {COLUMNS} from isthmus.event where position > $2 order by position limit {LOOKED_AT_MAX}
    ), seen as (
        select * from looked_at e
        where ($3::text[] is null or e.type = any ($3) or split_part(e.type, '.', 1) || '.*' = any ($3))
            and (e.front_end = $1 or exists (
                select from granted g where g.owner = e.front_end and g.name in (e.type, '{ALL}')))
        order by position limit $4
    )
    select {", ".join(f"seen.{column}" for column in COLUMNS.split(", "))}, state.*
    from (
        select pruned_through,
            greatest(pruned_through, coalesce((select max(position) from isthmus.event), 0)) as newest,
            (select max(position) from looked_at) as through, (select count(*) from looked_at) as count
        from isthmus.collector
    ) state left join seen on true order by seen.position"""
_OLDEST: Final = "select pruned_through from isthmus.collector"
_OPEN: Final = """
    insert into isthmus.event_group (front_end, name, position)
    select $1, $2, pruned_through from isthmus.collector
    where (select count(*) from isthmus.event_group where front_end = $1) < $3 on conflict do nothing"""
_HOLD: Final = f"""
    update isthmus.event_group set held_by = $3, held_until = now() + make_interval(secs => {HOLD_S})
    where front_end = $1 and name = $2 and (held_by = $3 or held_until < now()) returning position"""
_COMMIT: Final = f"""
    update isthmus.event_group set position = $4, moved_at = now(), held_until = now() + make_interval(secs => {HOLD_S})
    where front_end = $1 and name = $2 and held_by = $3"""
_LEAVE: Final = """
    update isthmus.event_group set held_by = '', held_until = '-infinity'
    where front_end = $1 and name = $2 and held_by = $3"""
_GROUPS: Final = """
    select g.front_end, name, g.position, held_by, held_until > now() as is_held, moved_at,
        (select count(*) from isthmus.event e where e.position > g.position and e.front_end = g.front_end) as behind
    from isthmus.event_group g where ($1::text is null or g.front_end = $1) and ($2::text is null or name = $2)
    order by 1, 2"""
_FORGET: Final = "delete from isthmus.event_group where front_end = $1 and name = $2"
_STREAMS: Final = """
    insert into isthmus.event_stream (front_end, type) select * from unnest($1::text[], $2::text[])
    on conflict do nothing"""


class CursorExpired(errors.Conflict):
    """Events after this cursor are deleted already."""

    slug = "events.cursor-expired"

    def __init__(self, *, after: int, oldest: int) -> None:
        super().__init__(
            f"events after {after} were deleted up to {oldest}",
            remedy=f"look up what you missed with the API, then go on after={oldest}",
            path="after",
            oldest=str(oldest),
        )


class CursorAhead(errors.Conflict):
    """The cursor is of events that there are not, as after a backup was restored."""

    slug = "events.cursor-ahead"

    def __init__(self, *, after: int, newest: int) -> None:
        super().__init__(
            f"no event has come to position {after} yet; the newest is at {newest}",
            remedy="go on after a cursor that this platform gave; it may have been restored from a backup",
            path="after",
            newest=str(newest),
        )


class GroupHeld(errors.Conflict):
    """Another reader has this group now."""

    slug = "events.group-held"

    def __init__(self, *, group: str) -> None:
        super().__init__(
            f"another reader holds the group {group!r}",
            remedy=f"come again: a reader that is silent for {HOLD_S} s loses it",
            path="group",
        )


class NoSuchGroup(errors.NotFound):
    """No reader has made this group."""

    slug = "events.no-such-group"

    def __init__(self, *, group: str) -> None:
        super().__init__(f"there is no group {group!r}", remedy="read with it once: that makes it", path="group")


class TooManyGroups(errors.RuleBroken):
    """The front end has as many groups as it may have."""

    slug = "events.too-many-groups"

    def __init__(self) -> None:
        super().__init__(f"you have {GROUPS_MAX} groups", remedy="delete those that nobody reads with", path="group")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Events in their order, and the cursor after them. `has_more`: the next reading need not wait."""

    events: tuple[Event, ...]
    through: int
    has_more: bool


class EventGroup(Value):
    """A group of readers: how far it is, how many events of its front end wait for it, and who holds it."""

    front_end: str
    name: str
    position: int
    behind: int
    held_by: str
    is_held: bool
    moved_at: datetime


class Feed:
    """The events of a database as front ends may see them: their own, and those that they were granted."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._outbox = Outbox(database)

    async def newest(self) -> int:
        """Return the cursor after all that is committed."""
        return max(await self._outbox.newest(), await self.oldest())

    async def oldest(self) -> int:
        """Return the cursor before all that is kept."""
        async with self._database.platform() as session:
            return await session.fetch_value(_OLDEST)

    async def read(self, front_end: str, after: int, types: Sequence[str] | None, count_max: int) -> Reading:
        """Return what a front end may see after a cursor: of these types (`PACK.*` is a pack's), or all.

        Raises CursorExpired where something after it is deleted, and CursorAhead where it is nobody's.
        """
        await self._outbox.collect()
        async with self._database.platform() as session:
            rows = await session.fetch(_READ, front_end, after, list(types) if types else None, count_max)
        state = rows[0]
        if after < state["pruned_through"]:
            raise CursorExpired(after=after, oldest=state["pruned_through"])
        if after > state["newest"]:
            raise CursorAhead(after=after, newest=state["newest"])
        events = tuple(event_of(row) for row in rows if row["position"] is not None)
        is_full = len(events) == count_max
        through = events[-1].position if is_full else max(after, state["through"] or 0)
        return Reading(events=events, through=through, has_more=is_full or state["count"] == LOOKED_AT_MAX)

    async def hold(self, front_end: str, group: str, reader: str) -> int:
        """Take a group for a reader, and make it where there is none; return how far it is. Raises GroupHeld."""
        async with self._database.platform() as session:
            await session.execute(_OPEN, front_end, group, GROUPS_MAX)
            position: int | None = await session.fetch_value(_HOLD, front_end, group, reader)
            if position is None:
                if not await session.fetch(_GROUPS, front_end, group):
                    raise TooManyGroups
                raise GroupHeld(group=group)
            return position

    async def commit(self, front_end: str, group: str, reader: str, position: int) -> None:
        """Say how far a group is. Raises GroupHeld where the reader has lost it, and NoSuchGroup."""
        if position > (newest := await self.newest()):
            raise CursorAhead(after=position, newest=newest)
        async with self._database.platform() as session:
            if await session.execute(_COMMIT, front_end, group, reader, position) == "UPDATE 0":
                if not await session.fetch(_GROUPS, front_end, group):
                    raise NoSuchGroup(group=group)
                raise GroupHeld(group=group)

    async def leave(self, front_end: str, group: str, reader: str) -> None:
        """Give a group back, so that another reader need not wait."""
        async with self._database.platform() as session:
            await session.execute(_LEAVE, front_end, group, reader)

    async def groups(self, front_end: str | None = None) -> list[EventGroup]:
        """Return the groups of a front end, or of all."""
        async with self._database.platform() as session:
            rows = await session.fetch(_GROUPS, front_end, None)
        return [EventGroup(**{name: row[name] for name in EventGroup.__struct_fields__}) for row in rows]

    async def forget(self, front_end: str, group: str) -> None:
        """Delete a group with its cursor. Raises NoSuchGroup."""
        async with self._database.platform() as session:
            if await session.execute(_FORGET, front_end, group) == "DELETE 0":
                raise NoSuchGroup(group=group)


async def know_streams(database: Database, streams: Sequence[tuple[str, str]]) -> None:
    """Note what events front ends have, as (front end, type), so that they can be granted before any has happened."""
    if streams:
        async with database.platform() as session:
            await session.execute(_STREAMS, *map(list, zip(*streams, strict=True)))
