"""Pseudonyms: what stands for a personal value where the value itself must not, the same for the same value.

masked:…   by the lake's own key: in answers, and in the history of rows; whoever has the key can tell whose it is
erased:…   by a key that is thrown away when the erasure is done: nobody can tell, and distinct counts stay
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from isthmus.data.model.columns import quoted

from ..model.model import Entity, Field

MASKED: Final = "masked:"
ERASED: Final = "erased:"
SECRET: Final = "pseudonym.key"
_DIGITS: Final = 16
_IS_ERASED: Final = re.compile(rf"{ERASED}[0-9a-f]{{{_DIGITS}}}")


def secret_of(place: Path) -> bytes:
    """Return the key in a file that only its owner reads, made where there is none; all processes get the same one."""
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.is_file():
        draft = place.parent / f"{uuid.uuid4().hex}.draft"
        draft.touch(mode=0o600)
        draft.write_bytes(secrets.token_bytes(32))
        with suppress(FileExistsError):  # another process was first: its key is the one
            os.link(draft, place)
        draft.unlink()
    return place.read_bytes()


def pseudonym(prefix: str, secret: bytes, field: str, value: str) -> str:
    """Return what stands for a text; it is the same that `pseudonym_sql` gives."""
    return prefix + hashlib.sha256(f"{secret.hex()}\0{field}\0{value}".encode()).hexdigest()[:_DIGITS]


def erased(secret: bytes, field: str, value: str) -> str:
    """Return the text that stays of a text that is erased. What is empty, or erased already, stays as it is."""
    is_done = not value or _IS_ERASED.fullmatch(value) is not None
    return value if is_done else pseudonym(ERASED, secret, field, value)


def masking(secret: bytes, owner: str) -> Callable[[str, Any], Any]:
    """Return what masks a field of an owner by the lake's key: a text by a pseudonym, all else by nothing."""
    return lambda name, value: pseudonym(MASKED, secret, f"{owner}.{name}", value) if isinstance(value, str) else None


def pseudonym_sql(prefix: str, secret: bytes, entity: Entity, field: Field, column: str) -> str:
    """Return SQL of what stands for a column's value: of texts, ids and JSON a pseudonym, of all else nothing."""
    known = f"'{secret.hex()}' || chr(0) || '{entity.name}.{field.name}' || chr(0) || "
    match field.kind:
        case "text":
            made = f"'{prefix}' || substr(sha256({known}{column}), 1, {_DIGITS})"
            is_done = f"{column} = '' or regexp_full_match({column}, '{prefix}[0-9a-f]{{{_DIGITS}}}')"
            return f"case when {column} is null or {is_done} then {column} else {made} end"
        case "json":
            made = f"'\"{prefix}' || substr(sha256({known}cast({column} as varchar)), 1, {_DIGITS}) || '\"'"
            is_done = f"regexp_full_match(cast({column} as varchar), '\"{prefix}[0-9a-f]{{{_DIGITS}}}\"')"
            return f"case when {column} is null or {is_done} then {column} else {made} end"
        case "uuid":
            return f"cast(md5({known}cast({column} as varchar)) as uuid)"
        case _:
            return f"cast(null as {_SQL_NULLS.get(field.kind, field.kind)})"


_SQL_NULLS: Final = {"integer": "bigint", "number": "double", "decimal": "decimal(38, 6)", "timestamp": "timestamptz"}


def masked_columns(secret: bytes, entity: Entity) -> str:
    """Return an entity's columns as history keeps them: nothing personal in the clear.

    Attributes are masked beforehand, in `masked`: which of them are personal their front end says.
    """
    columns = {
        name: pseudonym_sql(MASKED, secret, entity, field, quoted(name)) if field.pii else quoted(name)
        for name, field in entity.fields.items()
    }
    if {"attributes", "front_end"} <= entity.fields.keys():
        columns["attributes"] = "coalesce(masked, attributes)"
    return ", ".join(f"{sql} as {quoted(name)}" for name, sql in columns.items())
