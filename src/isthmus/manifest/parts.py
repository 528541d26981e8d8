"""Parts of a front end: one seller, one order; and what those can do there who have to do with nothing else of it.

A part is called by its kind and name, `seller/17`. Somebody holds a role of one, which `relation` writes down as
`operator seller/17`, and policies see it as a resource: `Seller::"market/17"`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

from isthmus.kernel import Caller, Capability, Effect, Pack

from .actions import ASK, SEE_PERSONAL
from .sign_in import Person

FRONT_END: Final = "front-end"  # the kind of a whole one
PART: Final = re.compile(r"([a-z][a-z-]{0,31})/([!#-&(-\[\]-~]{1,100})")  # its kind and its name


@dataclass(frozen=True, slots=True, kw_only=True)
class Within:
    """Capabilities that are answered within a part of a front end too: their statements read walled tables alone.

    kind: of part. A saga is none of them: whoever goes on with one knows no part. rows: entities whose metrics are
    answered within a part, each with its field that names it, such as `seller`.
    """

    kind: str
    capabilities: tuple[Capability[Any, Any], ...]
    rows: Mapping[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        if named := [one.name for one in self.capabilities if one.effect is Effect.SAGA]:
            raise ValueError(f"{', '.join(named)} is done in steps, and so not within a {self.kind}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """What somebody holds: a role of a part of a front end, or of all of it (`front-end/fresh`), until it ends."""

    id: int
    person: str
    role: str
    front_end: str
    part: str
    given_by: str
    given_at: datetime
    ends_at: datetime | None = None

    @property
    def text(self) -> str:
        """Return it as a caller carries it."""
        return f"{self.role} {self.part}"


def roles_held(caller: Caller) -> tuple[str, ...]:
    """Return the roles that a caller has at a front end, and those that relations to it or its parts give them."""
    return (*caller.roles, *(one.partition(" ")[0] for one in caller.relations))


class Relations(Protocol):
    """Knows who has been given a role of what, and until when; `SignIn` answers it where a pack keeps such."""

    async def relations(self, *, person: str = "", front_end: str = "") -> tuple[Relation, ...]:
        """Return what stands now, of a person or at a front end; of all where neither is named."""
        ...

    async def holding(self, name: str) -> Person | None:
        """Return somebody with the roles and relations that they hold now; None where nobody is called so."""
        ...


def kinds_of(packs: Iterable[Pack]) -> Mapping[str, frozenset[str]]:
    """Return the kinds of parts that each capability and action is done within, by name.

    To see what is personal there is of all kinds; to ask for metrics of those that say which rows are theirs.
    """
    found: dict[str, frozenset[str]] = {}
    for one in (one for pack in packs for one in pack.brings if isinstance(one, Within)):
        for capability in one.capabilities:
            found[capability.name] = found.get(capability.name, frozenset()) | {one.kind}
        if one.rows:
            found[ASK.name] = found.get(ASK.name, frozenset()) | {one.kind}
    every = frozenset(kind for kinds in found.values() for kind in kinds)
    return {**found, SEE_PERSONAL.name: every} if every else found


def rows_of(packs: Iterable[Pack], parts: str) -> dict[str, tuple[str, list[str]]]:
    """Return which rows are within parts, by entity: the field that names a part, and the names of these."""
    held = [one.partition("/")[::2] for one in parts.split()]
    found: dict[str, tuple[str, list[str]]] = {}
    for one in (one for pack in packs for one in pack.brings if isinstance(one, Within)):
        names = [name for kind, name in held if kind == one.kind]
        found |= {entity: (named, names) for entity, named in one.rows.items() if names}
    return found
