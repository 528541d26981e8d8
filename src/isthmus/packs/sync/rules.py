"""Rules of sync: how an operation changes a document, what of that is a conflict, and what older versions see. Pure.

A document's body has for each field what its merge needs:

    last-writer  {"v": value, "at": version, "by": client}
    counter      {"n": sum}
    set          {element as JSON: {client: version of its last add}}: an add that a remove has not seen stays
    text         {"u": what pycrdt keeps, in base64}
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from isthmus.kernel import encode

from . import api
from .api import Collection, Field, Merge, Operation

KINDS: Final = {
    Merge.LAST: ("set",),
    Merge.COUNTER: ("increment",),
    Merge.SET: ("add", "remove"),
    Merge.TEXT: ("edit",),
}
COUNT_MAX: Final = 10**12
DELETED: Final = ":deleted"  # of a document: {"at": version, "by": client}
TEXT: Final = "text"

Body = dict[str, Any]
Lost = tuple[Any, str]  # a value that was written over, and by whom it had been


def field_of(collection: Collection, name: str, schema: int) -> Field | None:
    """Return the field that a version calls so; None where it has none."""
    return next((one for one in collection.fields if one.since <= schema and name_in(one, schema) == name), None)


def name_in(field: Field, schema: int) -> str:
    """Return what a field is called in a version."""
    older = [one for one in field.was if schema <= one.until]
    return min(older, key=lambda one: one.until).name if older else field.name


def check(operation: Operation, field: Field | None, path: str) -> None:
    """Raise WrongOperation or NotDecidedHere for what cannot be applied to a field."""
    if operation.kind == "delete":
        return
    assert field is not None
    if operation.kind not in KINDS[field.merge]:
        because = f"{field.name!r} is merged as {field.merge}, and is not changed by {operation.kind!r}"
        raise api.WrongOperation(because=because, path=f"{path}.kind")
    value = operation.value
    if operation.kind == "increment" and (
        isinstance(value, bool) or not isinstance(value, int) or abs(value) > COUNT_MAX
    ):
        raise api.WrongOperation(because="a counter is changed by a whole number", path=f"{path}.value")
    if operation.kind == "edit":
        if not isinstance(value, str) or len(value) > api.TEXT_BYTES_MAX:
            raise api.WrongOperation(because="a text is changed by an update in base64", path=f"{path}.value")
    elif len(encode(value)) > api.VALUE_BYTES_MAX:
        because = f"a value has at most {api.VALUE_BYTES_MAX} bytes"
        raise api.WrongOperation(because=because, path=f"{path}.value")
    if says_money(value):
        raise api.NotDecidedHere(path=f"{path}.value")


def says_money(value: Any) -> bool:
    """True where a value has an amount with its currency somewhere inside."""
    if isinstance(value, dict):
        inside = cast("dict[str, Any]", value)
        return "currency" in inside or any(says_money(one) for one in inside.values())
    return isinstance(value, list) and any(says_money(one) for one in cast("list[Any]", value))


def apply(
    body: Body, operation: Operation, field: Field | None, version: int, client: str, path: str = "$"
) -> Lost | None:
    """Change a document; return what was written over by who did not know it. Raises WrongOperation."""
    deleted: Mapping[str, Any] | None = body.get(DELETED)
    if operation.kind == "delete":
        body[DELETED] = {"at": version, "by": client}
        return None
    assert field is not None
    if deleted is not None:  # whoever goes on with it has not seen that it is gone, or wants it again
        del body[DELETED]
    if field.merge is Merge.LAST:
        return _set(body, field.name, operation, version, client)
    if field.merge is Merge.COUNTER:
        state = body.setdefault(field.name, {"n": 0})
        state["n"] = max(-COUNT_MAX, min(COUNT_MAX, state["n"] + operation.value))
    elif field.merge is Merge.SET:
        _change_set(body.setdefault(field.name, {}), operation, version, client, path)
    else:
        state = body.setdefault(field.name, {"u": ""})
        state["u"] = merged_text(state["u"], operation.value, path)
    return None


def _set(body: Body, name: str, operation: Operation, version: int, client: str) -> Lost | None:
    state = body.get(name)
    body[name] = {"v": operation.value, "at": version, "by": client}
    if state is None or state["by"] == client or state["at"] <= operation.base or state["v"] == operation.value:
        return None
    return state["v"], state["by"]


def _change_set(
    elements: dict[str, dict[str, int]], operation: Operation, version: int, client: str, path: str
) -> None:
    element = json.dumps(operation.value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    added = elements.get(element, {})
    if operation.kind == "add":
        if not added and len(elements) >= api.SET_MAX:
            raise api.WrongOperation(because=f"a set has at most {api.SET_MAX} elements", path=f"{path}.value")
        elements[element] = {**added, client: version}
        return
    left = {by: at for by, at in added.items() if by != client and at > operation.base}
    if left:
        elements[element] = left
    else:
        elements.pop(element, None)


def merged_text(state: str, update: str, path: str) -> str:
    """Return a text with another update, both as pycrdt writes them, in base64. Raises WrongOperation."""
    from pycrdt import Doc  # here: only who syncs texts needs it

    doc: Any = Doc()  # pyright: ignore[reportUnknownVariableType]
    try:
        for one in (state, update):
            if one:
                doc.apply_update(base64.b64decode(one, validate=True))
        made = base64.b64encode(doc.get_update()).decode()
    except (ValueError, TypeError, RuntimeError, binascii.Error):
        raise api.WrongOperation(because="this is no update of a text", path=f"{path}.value") from None
    if len(made) > api.TEXT_BYTES_MAX:
        raise api.WrongOperation(because=f"a text has at most {api.TEXT_BYTES_MAX} bytes", path=f"{path}.value")
    return made


def shown_text(state: str) -> dict[str, str]:
    """Return a text to read, and what a client's own copy is brought up to date by."""
    from pycrdt import Doc, Text

    doc: Any = Doc()  # pyright: ignore[reportUnknownVariableType]
    text: Any = doc.get(TEXT, type=Text)
    if state:
        doc.apply_update(base64.b64decode(state))
    return {"text": str(text), "update": state}


def shown(body: Body, collection: Collection, schema: int) -> dict[str, Any]:
    """Return what a document says, in the words of a version."""
    found: dict[str, Any] = {}
    for field in collection.fields:
        if field.since > schema or field.name not in body:
            continue
        state = body[field.name]
        if field.merge is Merge.LAST:
            said: Any = state["v"]
        elif field.merge is Merge.COUNTER:
            said = state["n"]
        elif field.merge is Merge.SET:
            said = [json.loads(one) for one in sorted(state)]
        else:
            said = shown_text(state["u"])
        found[name_in(field, schema)] = said
    return found


def schema_of(collection: Collection, schema: dict[str, int]) -> int:
    """Return the version that a client speaks of a collection. Raises SchemaTooOld."""
    version = schema.get(collection.name, collection.version)
    if not collection.oldest <= version <= collection.version:
        raise api.SchemaTooOld(
            collection=collection.name, version=version, oldest=collection.oldest, newest=collection.version
        )
    return version


def sentence(document: str, field: str, kept: Any, lost: Any) -> str:
    """Return what has happened, for whoever made one of the two."""
    return f"{field} of {document}: {_said(kept)} took the place of {_said(lost)}, which was written on another device"


def _said(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"“{text if len(text) <= 60 else text[:59] + '…'}”"


def named(collections: Sequence[Collection]) -> dict[str, Collection]:
    """Return collections by their names."""
    return {one.name: one for one in collections}
