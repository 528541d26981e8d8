"""Personal fields inside values: what a contract marks as personal, however deep, becomes what stands for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast, get_args, get_origin, get_type_hints

import msgspec

from isthmus.kernel import encode
from isthmus.markings import Pii

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


def blank(data: Any, contract: Any, hide: Hide) -> Any:
    """Return data with every field that its contract marks as personal hidden, also inside nested values and lists."""
    if isinstance(data, list):
        inner = [part for part in get_args(contract) if part is not Ellipsis]
        return [blank(one, inner[-1] if inner else Any, hide) for one in cast(list[Any], data)]
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
        is_personal = any(isinstance(mark, Pii) for mark in marks_of(hint))
        blanked[name] = hide(name, value) if is_personal else blank(value, _value_type(hint), hide)
    return blanked


def _value_type(hint: Any) -> Any:
    """Take off Annotated and the `| None` of an optional field."""
    while hasattr(hint, "__metadata__"):
        hint = get_args(hint)[0]
    parts = [part for part in get_args(hint) if part is not type(None)]
    is_optional = type(None) in get_args(hint) and get_origin(hint) is not tuple
    return _value_type(parts[0]) if is_optional and len(parts) == 1 else hint
