"""What a page of the console is made of, where a pack brings it: functions from what was asked to what is shown.

async def list_cards(asked: Asked, client: Client) -> Shown: return {"found": await client.call("north", …)}
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Protocol, TypeVar

from isthmus.kernel import Caller, Platform, errors

Item = TypeVar("Item")

BIGINT_MAX: Final = 10**18 - 1  # of a number that a column of 64 bits holds


class Client(Protocol):
    """Calls capabilities by name in the name of who is signed in, with what JSON can say."""

    @property
    def platform(self) -> Platform:
        """Return what runs: its release says what packs and front ends declare."""
        ...

    def resource(self, kind: type[Item]) -> Item:
        """Return what a pack makes of this kind. Raises Fault where none does."""
        ...

    def users(self, name: str) -> list[str]:
        """Return the front ends that may use a capability, by code."""
        ...

    def may(self, front_end: str, name: str) -> bool:
        """Return whether a front end may use a capability."""
        ...

    def front_ends(self) -> list[str]:
        """Return the front ends at which who is signed in has something to do, by code."""
        ...

    def caller(self, front_end: str) -> Caller:
        """Return as whom this calls at a front end, or everywhere (`*`)."""
        ...

    async def check(self, action: Any, front_end: str = "*") -> str:
        """Return the parts of a front end that who is signed in is confined to there; nothing: to none.

        Raise NotPermitted where they may not do an `isthmus.manifest.actions.Action` there.
        """
        ...

    def new_id(self) -> str:
        """Return an id that nothing has yet, such as a form's key."""
        ...

    async def call(self, front_end: str, name: str, ask: Mapping[str, Any], *, key: str | None = None) -> Any:
        """Return the answer. Raises what the capability raises, NotPermitted and BadAsk."""
        ...

    async def find(self, front_end: str, name: str, ask: Mapping[str, Any]) -> Any | None:
        """Return the answer, and None where it may not be called, or does not know what is asked for."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a browser asked for: the query and the path's parts, and the fields of a form that was sent.

    session, device, away: what it keeps of its sign-in, of earlier ones, and of one that is under way elsewhere.
    address, agent: where it is, and what it says it is. site: the origin that the page has, such as
    `https://console.example`; root: where the console is below it.
    """

    query_params: Mapping[str, str] = field(default_factory=dict[str, str])
    path_params: Mapping[str, str] = field(default_factory=dict[str, str])
    form: Mapping[str, str] = field(default_factory=dict[str, str])
    session: str = ""
    device: str = ""
    away: str = ""
    address: str = ""
    agent: str = ""
    site: str = ""
    root: str = ""


@dataclass(frozen=True, slots=True)
class Enter:
    """Somebody has signed in: what the browser keeps from now on, for how long, and where it goes next."""

    path: str
    session: str
    age_s: int
    device: str = ""  # kept for a year, to be known again by; nothing: what it has stays
    is_from_elsewhere: bool = False  # another site led here: its browser gives nothing to where it is sent at once


@dataclass(frozen=True, slots=True)
class Away:
    """Somebody signs in elsewhere: where, and what their browser keeps until it is back, for ten minutes at most."""

    url: str
    kept: str


@dataclass(frozen=True, slots=True)
class Leave:
    """Somebody has signed out, and goes there."""

    path: str


@dataclass(frozen=True, slots=True)
class GoTo:
    """Where the browser is sent after a form has done its work: a path of the console, and its query."""

    path: str
    query: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Found:
    """Something that fits a search: what kind of thing it is, its name, where it is, and a word on it."""

    kind: str
    name: str
    path: str
    note: str = ""


Shown = dict[str, Any]  # what the template reads; `refused` with an error makes it a 409


class Queried(Protocol):
    """What `moment_of` and `ordered` read: an `Asked`, or a request."""

    @property
    def query_params(self) -> Mapping[str, str]:
        """Return what stands behind the `?` of the address, by name."""
        ...


def moment_of(asked: Queried, name: str) -> datetime | None:
    """Return a time of the address, in UTC where it names no zone; a day is its beginning. Raises BadAsk."""
    text = asked.query_params.get(name, "").strip()
    try:
        at = datetime.fromisoformat(text) if text else None
    except ValueError:
        raise errors.BadAsk(
            f"{name} = {text!r} is no time", remedy="write it like 2026-01-31 or 2026-01-31T18:00", path=name
        ) from None
    return at if at is None or at.tzinfo else at.replace(tzinfo=UTC)


def ordered(
    asked: Queried, found: Iterable[Item], columns: Mapping[str, Callable[[Item], Any]], name: str = "sort"
) -> list[Item]:
    """Return a whole list by the column that the address names, `-` in front for downwards; what has none stands last.

    A list of which the page has a part only can't be sorted so: it would pretend that the part is the whole.
    """
    text = asked.query_params.get(name, "")
    column = columns.get(text.removeprefix("-"))
    if column is None:
        return list(found)
    keyed = [(column(one), one) for one in found]
    there = [pair for pair in keyed if pair[0] is not None]
    there.sort(key=lambda pair: pair[0], reverse=text.startswith("-"))
    return [one for _, one in there] + [one for key, one in keyed if key is None]
