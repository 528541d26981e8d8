"""Personal fields inside values: what a contract marks as personal, however deep, becomes what stands for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast, get_args, get_origin, get_type_hints

import msgspec

from isthmus.kernel import encode
from isthmus.markings import Pii
from isthmus.personal import attributes_entity

from ..model.marks import marks_of

Hide = Callable[[str, Any], Any]  # a field's name and value → what stands for it


def hidden_attributes(text: str, contract: Any, hide: Hide, *, is_rest_kept: bool) -> str:
    """Return attributes, as JSON, with what is personal hidden.

    What the contract does not name may be personal: it is hidden too where it is kept, and else left out.
    """
    found = cast(dict[str, Any], msgspec.json.decode(text))
    known = {field.encode_name for field in msgspec.structs.fields(contract)} if contract is not None else set[str]()
    data = {name: value for name, value in found.items() if name in known}
    shown = blank(data, contract, hide)
    rest = {name: hide(name, value) for name, value in found.items() if is_rest_kept and name not in known}
    after = {**shown, **rest}
    return text if after == found else encode(after).decode()


def blank(data: Any, contract: Any, hide: Hide, own: Mapping[str, Any] = {}) -> Any:
    """Return data with every field that its contract marks as personal hidden, also inside nested values and lists.

    own: the contracts of a front end's attributes by entity; of attributes without one, all is hidden.
    """
    if isinstance(data, list):
        inner = [part for part in get_args(contract) if part is not Ellipsis]
        return [blank(one, inner[-1] if inner else Any, hide, own) for one in cast(list[Any], data)]
    if not isinstance(data, dict):
        return data
    known = cast(dict[str, Any], data)
    hints: dict[str, Any] = {}
    if hasattr(contract, "__struct_fields__"):
        by_name = get_type_hints(contract, include_extras=True)
        hints = {field.encode_name: by_name[field.name] for field in msgspec.structs.fields(contract)}
    blanked: dict[str, Any] = {}
    for name, value in known.items():
        hint = hints.get(name, Any)
        if any(isinstance(mark, Pii) for mark in marks_of(hint)):
            blanked[name] = hide(name, value)
        elif isinstance(value, dict) and (entity := attributes_entity(hint)):
            text = encode(cast(object, value)).decode()
            hidden = hidden_attributes(text, own.get(entity), hide, is_rest_kept=True)
            blanked[name] = value if hidden == text else msgspec.json.decode(hidden)
        else:
            blanked[name] = blank(value, _value_type(hint), hide, own)
    return blanked


def _value_type(hint: Any) -> Any:
    """Take off Annotated and the `| None` of an optional field."""
    while hasattr(hint, "__metadata__"):
        hint = get_args(hint)[0]
    parts = [part for part in get_args(hint) if part is not type(None)]
    is_optional = type(None) in get_args(hint) and get_origin(hint) is not tuple
    return _value_type(parts[0]) if is_optional and len(parts) == 1 else hint
