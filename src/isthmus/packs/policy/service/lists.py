"""Lists leave out what somebody may not open: an order that a policy keeps from them, or one of a member whom it does.

A page is shorter by what is left out, and its cursor leads on as before: who reads to the end has met each of the
others once. It is looked up with each answer, name by name, since a member is forbidden by any of their names; and only
where some policy speaks of such things.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import msgspec

from isthmus.manifest.named import Named
from isthmus.store import Database

from ..rules.things import Thing
from . import naming

May = Callable[[Named, Sequence[Thing]], bool]  # whether somebody may open one thing, given by all of its names


async def shortened(
    answer: bytes, kinds: Sequence[Named], front_end: str, may: May, database: Database | None
) -> bytes:  # fmt: skip
    """Return an answer without the items of its lists that name what may not be opened."""
    found = msgspec.json.decode(answer)
    closed = {one.by: await _closed(one, {*_listed(found, one.by)}, front_end, may, database) for one in kinds}
    return msgspec.json.encode(_without(found, closed)) if any(closed.values()) else answer


async def _closed(one: Named, names: set[str], front_end: str, may: May, database: Database | None) -> set[str]:
    if database is None or not names:
        return {name for name in names if not may(one, [Thing(one.kind, name)])}
    session = database.read(front_end)
    try:
        return {name for name in names if not may(one, await naming.known(session, one, front_end, {name}))}
    finally:
        await session.close()


def _listed(value: Any, by: str) -> Iterator[str]:
    """Yield what items of lists have in a field."""
    if isinstance(value, dict):
        for one in cast("dict[str, Any]", value).values():
            yield from _listed(one, by)
    elif isinstance(value, list):
        for one in cast("list[Any]", value):
            if isinstance(one, dict) and (said := cast("dict[str, Any]", one).get(by)) is not None:
                yield str(said)
            yield from _listed(one, by)


def _without(value: Any, closed: Mapping[str, set[str]]) -> Any:
    if isinstance(value, dict):
        return {name: _without(one, closed) for name, one in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return [_without(one, closed) for one in items if not _is_closed(one, closed)]
    return value


def _is_closed(item: Any, closed: Mapping[str, set[str]]) -> bool:
    if not isinstance(item, dict):
        return False
    fields = cast("dict[str, Any]", item)
    return any(str(fields.get(by)) in names for by, names in closed.items())
