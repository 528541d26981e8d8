"""Things of a front end that asks name, such as one member: policies know them by kind, name and attributes.

A policy sees one as a resource in its front end, `Member::"north/019d…"`, with what is known of it. Which capabilities
name one follows from their asks: each that has the field, of whichever pack.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, Literal, Protocol, cast, get_args, runtime_checkable

import msgspec

from isthmus.kernel import Caller, Capability, Pack, ports
from isthmus.kernel.host import hints_of
from isthmus.sealing import Seals

Attribute = Literal["String", "Long", "Bool", "Set<String>"]  # as Cedar calls them
Finding = Callable[[ports.Session, str, Any, Seals], Awaitable[Iterable[str]]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Named:
    """A kind of thing that asks name in a field, at any depth, and what policies know of one.

    by: the field. found: gives the names which asks mean that say it otherwise, from a session, the front end, the ask,
    and what finds what is kept encrypted. rows: SQL that gives all names of the same thing (`name`) with attributes,
    from front end and names as texts. Of a name that nothing has, and of attributes without a value, policies see `""`,
    0, false, an empty set.
    opens: the capability by which one is opened: lists leave out what somebody may not open by it.
    """

    kind: str
    by: str
    rows: str
    attributes: Mapping[str, Attribute] = field(default_factory=dict[str, Attribute])
    found: Mapping[Capability[Any, Any], Finding] = field(default_factory=dict[Capability[Any, Any], Finding])
    opens: Capability[Any, Any] | None = None

    def is_in(self, capability: Capability[Any, Any]) -> bool:
        """Say whether asks of a capability can name one."""
        return self.by in fields_of(capability.ask) or capability in self.found

    @property
    def nothing(self) -> dict[str, Any]:
        """Return what policies see of one that nothing is known of."""
        return {name: NOTHING[kind] for name, kind in self.attributes.items()}


@runtime_checkable
class LeavesOut(Protocol):
    """A guard that knows of single things: lists leave out what somebody may not open."""

    def leaving_out(
        self, caller: Caller, capability: Capability[Any, Any], settings: Mapping[str, str]
    ) -> ports.View | None:
        """Return what an answer goes through; None where no policy speaks of what it can list."""
        ...


NOTHING: Final[Mapping[Attribute, Any]] = {"String": "", "Long": 0, "Bool": False, "Set<String>": ()}


@cache  # contracts of what is plugged in
def fields_of(contract: Any) -> frozenset[str]:
    """Return the names of all fields of a contract, at any depth."""
    seen = ahead = _classes_in([contract])
    while ahead:
        ahead = frozenset(one for cls in ahead for one in _inside(cls)) - seen
        seen |= ahead
    return frozenset(name for cls in seen for name in hints_of(cls))


@cache  # an address is in a hundred contracts
def _inside(cls: type[msgspec.Struct]) -> frozenset[type[msgspec.Struct]]:
    return _classes_in(hints_of(cls).values())


def _classes_in(hints: Iterable[Any]) -> frozenset[type[msgspec.Struct]]:
    found: set[type[msgspec.Struct]] = set()
    for hint in hints:
        if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            found.add(hint)
        else:
            found |= _classes_in(get_args(hint))
    return frozenset(found)


def names_in(ask: Any, of: str) -> frozenset[str]:
    """Return what an ask has in a field, at any depth."""
    return frozenset(_values(msgspec.to_builtins(ask), of))


def _values(value: Any, of: str) -> Iterator[str]:
    if isinstance(value, dict):
        fields = cast("dict[Any, Any]", value)
        if isinstance(said := fields.get(of), str | int):
            yield str(said)
        for one in fields.values():
            yield from _values(one, of)
    elif isinstance(value, list):
        for one in cast("list[Any]", value):
            yield from _values(one, of)


def named_by(packs: Iterable[Pack]) -> tuple[Named, ...]:
    """Return the kinds of things that packs say asks name."""
    return tuple(one for pack in packs for one in pack.brings if isinstance(one, Named))
