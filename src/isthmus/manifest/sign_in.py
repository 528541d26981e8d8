"""Who is signed in: the port that the console asks, and that a pack, or a company's own, answers.

A pack brings it as `Resource(kind=SignIn, make=…)`, with the pages of signing in (`Page(…, is_open=True)`). Where none
does, the console keeps to a token of its server.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from .actions import EVERYWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who is signed in. name: as policies and the journal name them; roles: by front end, `*` for all.

    relations: by front end, what they were given of a part of it, or of all of it for a time (parts.py).
    """

    name: str
    roles: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    relations: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    def roles_at(self, front_end: str) -> tuple[str, ...]:
        """Return the roles at a front end: those of the platform too."""
        own = self.roles.get(front_end, ()) if front_end != EVERYWHERE else ()
        return tuple(dict.fromkeys((*self.roles.get(EVERYWHERE, ()), *own)))

    @property
    def places(self) -> tuple[str, ...]:
        """Return where they hold anything: front ends, and `*`."""
        return tuple(dict.fromkeys((*self.roles, *self.relations)))


class SignIn(Protocol):
    """Knows who is signed in by what their browser keeps."""

    @property
    def template(self) -> str:
        """Return the page that a stranger sees, as `package:file.html`."""
        ...

    @property
    def offers(self) -> Mapping[str, Any]:
        """Return what that page reads beside what every page does."""
        ...

    async def known(self, session: str) -> Person | None:
        """Return whose session this is; nobody's where it has ended or was revoked, on whatever server."""
        ...

    async def first_link(self, secret: str) -> str:
        """Return where the first person of a fresh platform signs in, below the console, once; else nothing.

        secret: of the link; all processes of one server give the same.
        """
        ...
