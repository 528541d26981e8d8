"""What a connection is set to for row-level security: a front end, or parts of one, and the role that goes with it.

Who is confined to parts of a front end reads as a role that can read what a migration walled and nothing else, and
writes as one that has of walled tables the rows within its parts alone (migrations/0007_parts.sql).
"""

from __future__ import annotations

import re
from typing import Any, Final

from isthmus.kernel import errors

ROLE: Final = "isthmus_app"
PART_READS: Final = "isthmus_part"
PART_WRITES: Final = "isthmus_part_write"

_CODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_PARTS: Final = re.compile(r"([a-z][a-z-]{0,31}/[!#-&(-\[\]-~]{1,100}( |\Z)){0,200}")


class Tenant:
    """The front end that the server has a connection set to; nothing where that is not known."""

    __slots__ = ("code", "is_given_up", "was_confined", "watcher")

    def __init__(self) -> None:
        self.code = ""  # with the parts that it is confined to behind it
        self.was_confined = False  # once: from then on each setting says its role and parts too
        self.is_given_up = False  # until its first answer: it may be in a transaction that asyncpg knows nothing of
        self.watcher: Any = None  # what hears of each statement of the call that has the connection


def set_tenant(front_end: str, tenant: Tenant, parts: str = "", role: str = "") -> str:
    """Return what sets a connection to a front end, for row-level security, or as a role to parts of one.

    A connection that never was confined has no other role to come back from, and no statement more.
    """
    tenant.was_confined |= bool(parts)
    if not tenant.was_confined:
        return f"set isthmus.front_end = '{front_end}'"
    taken = role if parts else ROLE
    return f"set isthmus.front_end = '{front_end}'; set isthmus.parts = '{parts}'; set role {taken}"


def checked_code(front_end: str) -> str:
    """Return a front end's code, which may stand in a statement as it is. Raises Fault for any other text."""
    if not _CODE.fullmatch(front_end):
        raise errors.Fault(f"{front_end!r} is no code of a front end", remedy="use 1 to 100 letters, digits and . _ -")
    return front_end


def checked_parts(parts: str) -> str:
    """Return parts of a front end, which may stand in a statement as they are. Raises Fault for any other text."""
    if parts and not _PARTS.fullmatch(parts):
        raise errors.Fault(f"{parts[:200]!r} are no parts of a front end", remedy="write them as seller/17 seller/18")
    return parts
