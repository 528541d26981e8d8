"""Personal data: where contracts mark it, what takes its place, and how packs are asked to forget it.

masked      in what is recorded: the same for everybody, so that nothing can be told apart
erased:…    in rows of a person who is forgotten: by a key that is thrown away, so that what was different stays so
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, Final, cast, get_args, get_origin
from uuid import UUID

import msgspec

from isthmus.kernel import Meta, Value
from isthmus.kernel.host import hints_of
from isthmus.markings import Pii
from isthmus.values import ATTRIBUTES_OF

Own = Mapping[str, type[Value]]  # what a front end says of entities by attributes of its own

CLASSES_REMEMBERED: Final = 4096  # more contracts than any installation has
COARSE: Final = frozenset({"country", "region"})  # of an address: rules and taxes go by them, and they name nobody
MASKS: Final = {"email": "masked@example.invalid", "phone": "+10000000000", "birth-date": "1900-01-01"}
MASK: Final = "***"
NOBODY: Final = UUID(int=0)  # where an id is asked for, and none is no answer
LONG_MASK: Final = "masked-masked"  # where a contract asks for some letters, as names of devices have
ERASED: Final = "erased:"
_DIGITS: Final = 16


class Renamed(Value):
    """A text that named a person, such as a coupon of their own, and what it is called now."""

    was: Annotated[str, Pii("identifier")]
    now: str


class Pseudonyms:
    """Words that stand for what says who somebody is: the same for the same, and nobody's name.

    key: gives 32 random bytes, when the first one is needed.
    """

    def __init__(self, key: Callable[[], bytes]) -> None:
        self._make = key
        self._key = b""

    def of(self, text: str, kind: str) -> str:
        """Return what stands for a text; a date of birth, which would still have to be a date, is hidden."""
        if kind == "birth-date":
            return MASKS[kind]
        self._key = self._key or self._make()
        plain = " ".join(text.casefold().split())
        return f"~{hashlib.blake2b(plain.encode(), key=self._key, digest_size=5).hexdigest()}"


class Forget(Value):
    """Forget persons: what is kept of members, of guests by e-mail, and under references such as an order's id."""

    member_ids: tuple[UUID, ...] = ()
    emails: tuple[Annotated[str, Pii("email"), Meta(max_length=254)], ...] = ()
    references: tuple[str, ...] = ()
    renamed: tuple[Renamed, ...] = ()


class Forgotten(Value):
    """Under which references others may keep something of theirs, and what was renamed."""

    references: tuple[str, ...] = ()
    renamed: tuple[Renamed, ...] = ()


def masked(value: Any, own: Own) -> Any:
    """Return a value with personal data replaced by what its contract also allows; everything else is the same."""
    if isinstance(value, msgspec.Struct):
        kinds, extended = personal_fields(type(value)), _extended(type(value))
        changed: dict[str, Any] = {}
        for name in value.__struct_fields__:
            was = getattr(value, name)
            if name in extended and was:
                now = _masked_attributes(was, own.get(extended[name]))
            else:
                now = _hidden_field(type(value), name, was, kinds[name]) if name in kinds else masked(was, own)
            if now is not was:
                changed[name] = now
        return msgspec.structs.replace(value, **changed) if changed else value
    if isinstance(value, (tuple, list)):
        items: Sequence[Any] = cast("Sequence[Any]", value)
        found: list[Any] = [masked(item, own) for item in items]
        return items if all(a is b for a, b in zip(found, items, strict=True)) else tuple(found)
    if isinstance(value, dict):
        return {key: masked(item, own) for key, item in cast("dict[Any, Any]", value).items()}
    return value


def hidden(value: Any, kind: str) -> Any:
    """Replace personal data; nothing stays nothing, for rules ask whether it is there."""
    if isinstance(value, str):
        return MASKS.get(kind, MASK) if value else value
    if isinstance(value, msgspec.Struct):
        fields = {name: getattr(value, name) for name in value.__struct_fields__ if name not in COARSE}
        return msgspec.structs.replace(value, **{name: _hidden_part(name, one, kind) for name, one in fields.items()})
    if isinstance(value, (tuple, list)):
        return tuple(hidden(item, kind) for item in cast("Sequence[Any]", value))
    if isinstance(value, dict):
        return {key: hidden(item, kind) for key, item in cast("dict[Any, Any]", value).items()}
    return None if not isinstance(value, (bool, int, float)) else type(value)(0)


def erasing_key() -> bytes:
    """Return a key for one erasure. Nobody keeps it: what it made cannot be made again (so it is not from `ctx`)."""
    return secrets.token_bytes(32)


def erased_attributes(given: Mapping[str, Any], declared: type[Value] | None, key: bytes) -> dict[str, Any]:
    """Return attributes of an entity without what its front end marks as personal.

    Texts become pseudonyms, so that counts of different ones stay; what nobody declares any more may be anybody's name.
    """
    kinds = personal_fields(declared) if declared else {}
    hints = hints_of(declared) if declared else {}
    return {
        name: _erased(value, kinds.get(name, ""), hints.get(name), key) if name in kinds or name not in hints else value
        for name, value in given.items()
    }


def personal_paths(type_: type) -> Iterator[str]:
    """Yield where a contract takes or gives personal data, as paths: `$.contact_email`, `$.lines[].attributes`."""
    return (path for path, _ in personal_marks(type_))


@lru_cache(maxsize=CLASSES_REMEMBERED)
def personal_marks(type_: type) -> tuple[tuple[str, Pii | None], ...]:
    """Return where a contract takes or gives personal data, with its mark; None: attributes of front ends, which mark
    each of their own."""
    return tuple(_marks(type_, "$", ()))


@lru_cache(maxsize=CLASSES_REMEMBERED)
def personal_fields(cls: type) -> dict[str, str]:
    """Return the kind of personal data in each marked field of a class."""
    return {name: kind for name, hint in hints_of(cls).items() if (kind := kind_of(hint))}


def kind_of(hint: Any) -> str:
    """Return the kind of personal data that a type is marked as, wherever the mark stands in it."""
    for mark in getattr(hint, "__metadata__", ()):
        if isinstance(mark, Pii):
            return mark.kind
    return next((kind for part in get_args(hint) if (kind := kind_of(part))), "")


def _marks(hint: Any, path: str, above: tuple[type, ...]) -> Iterator[tuple[str, Pii | None]]:
    for into, found in _held(hint, path):
        if not isinstance(found, type):
            yield into, found
        elif found not in above:
            for place, part in _of_class(found):
                if isinstance(part, type):
                    yield from _marks(part, into + place, (*above, found))
                else:
                    yield into + place, part


@lru_cache(maxsize=CLASSES_REMEMBERED)  # an address is in a hundred contracts
def _of_class(cls: type) -> tuple[tuple[str, Pii | type | None], ...]:
    return tuple(one for name, hint in hints_of(cls).items() for one in _held(hint, f".{name}"))


def _held(hint: Any, path: str) -> Iterator[tuple[str, Pii | type | None]]:
    """Yield what a type is made of: marks of personal data, and classes, which may hold more; not what these hold."""
    mark = next((one for one in getattr(hint, "__metadata__", ()) if isinstance(one, Pii)), None)
    if mark or attributes_entity(hint):
        yield path, mark
    elif isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        yield path, hint
    else:
        into = f"{path}[]" if get_origin(hint) in (tuple, list, dict) else path
        for part in get_args(hint):
            yield from _held(part, into)


def _masked_attributes(given: Mapping[str, Any], declared: type[Value] | None) -> dict[str, Any]:
    """Mask attributes of an entity as the front end marks them; a text that nobody declares may be anybody's name."""
    kinds = personal_fields(declared) if declared else {}
    hints = hints_of(declared) if declared else {}
    return {
        name: _fitting(value, (hidden(value, kinds[name]),), hints[name])
        if name in kinds
        else value
        if name in hints
        else hidden(value, "")
        for name, value in given.items()
    }


def _erased(value: Any, kind: str, hint: Any, key: bytes) -> Any:
    if isinstance(value, str) and (not value or value.startswith(ERASED)):
        return value
    if not isinstance(value, str):
        return hidden(value, kind)
    digest = ERASED + hashlib.blake2b(value.encode(), key=key, digest_size=_DIGITS // 2).hexdigest()
    return digest if hint is None else _fitting(value, (digest, hidden(value, kind)), hint)


def _fitting(value: Any, masks: tuple[Any, ...], hint: Any) -> Any:
    """Hide a value behind the first mask that its own contract takes; nothing stays nothing."""
    if not value:
        return value
    for mask in (*masks, "x", "0", LONG_MASK):
        try:
            return msgspec.convert(mask, hint)
        except msgspec.ValidationError:
            continue
    return None


def _hidden_field(cls: type, name: str, value: Any, kind: str) -> Any:
    now = _hidden_part(name, value, kind)
    return _fitting(value, (now, NOBODY), hints_of(cls)[name]) if isinstance(value, (str, UUID)) else now


def _hidden_part(name: str, value: Any, kind: str) -> Any:
    if name == "postcode" and isinstance(value, str):
        return value and value[:2] + MASK  # delivery zones go by its beginning
    return hidden(value, kind)


@lru_cache(maxsize=CLASSES_REMEMBERED)
def _extended(cls: type) -> dict[str, str]:
    """Return the fields of a class that hold a front end's own attributes, each with the entity."""
    return {name: entity for name, hint in hints_of(cls).items() if (entity := _entity(hint))}


def _entity(hint: Any) -> str:
    return attributes_entity(hint) or next((entity for part in get_args(hint) if (entity := _entity(part))), "")


def attributes_entity(hint: Any) -> str:
    """Return the entity whose attributes stand in a field of this type; nothing where none do."""
    for mark in getattr(hint, "__metadata__", ()):
        if isinstance(mark, Meta):
            return str((mark.extra_json_schema or {}).get(ATTRIBUTES_OF, ""))
    return ""
