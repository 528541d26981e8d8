"""Events of a front end's own: under which contracts they land, and what is wrong with how they are declared.

An event's name begins with its front end's code, so one name is one contract, and whose it is can be read off it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from isthmus.kernel import FrontEnd, Value
from isthmus.kernel.host import event_kind, json_schema, kebab

from .attributes import Declared
from .model import FieldKind

Columns = Mapping[str, Mapping[str, FieldKind]]
_NAME: Final = re.compile(r"[a-z][a-z0-9-]*\.[a-z][a-z0-9-]*")


def contracts_of(declared: Declared) -> dict[str, type[Value]]:
    """Return the contracts of all front ends' own events, by the event's name."""
    return {event_kind(one).name: one for front_end in declared.values() for one in front_end.events}


def together(before: Columns, new: Columns) -> dict[str, dict[str, FieldKind]]:
    """Return the columns of events that landed and are landing; one that was something else before is text."""
    return {
        name: {**old, **{field: kind if old.get(field, kind) == kind else "text" for field, kind in columns.items()}}
        for name, columns in new.items()
        for old in [before.get(name, {})]
    }


def whose(event: str) -> str:
    """Return the front end that an event would be of, were it one's own."""
    return event.partition(".")[0]


def problems_of(front_end: FrontEnd) -> Iterator[str]:
    """Yield what is wrong with a front end's own events, each with what to write instead."""
    code, own = front_end.code, set[str]()
    for one in front_end.events:
        where = f"front end {code!r} has the event {one.__name__}"
        if not hasattr(one, "__isthmus_event__"):
            yield f"{where}, which is not declared with @event"
            continue
        name = event_kind(one).name
        if whose(name) != code or not _NAME.fullmatch(name):
            yield f"{where} called {name!r}; call it {f'{code}.{kebab(one.__name__)}'!r}: the others are not its own"
        elif name in own:
            yield f"{where} called {name!r}, as another is; give one of them another name"
        elif unfit := _unfit(one):
            yield f"{where}, which JSON cannot carry: {unfit}"
        own.add(name)
    for one in front_end.subscriptions:
        name = event_kind(one).name if hasattr(one, "__isthmus_event__") else ""
        if whose(name) == code and name not in own:
            yield f"front end {code!r} subscribes to {name!r}, which it does not declare; add events=({one.__name__},)"


def _unfit(one: type[Value]) -> str:
    try:
        json_schema((one,), "{name}")
    except TypeError as wrong:
        return str(wrong).splitlines()[0]
    return ""
