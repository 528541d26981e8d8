"""Types and values as source code: what is written of them, and what must be imported for it."""

from __future__ import annotations

import ast
import builtins
import enum
import importlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, cast
from uuid import UUID

import msgspec

from isthmus.kernel import PASS, Value, errors

PLAIN: Final = (type(None), bool, int, float, str, bytes)
CALLED: Final = (Decimal, Fraction, UUID, date, datetime, timedelta, timezone)


class Ref(Value):
    """A name that has to be imported from a module."""

    module: str
    name: str


class Words(Value):
    """Source code in which `{0}`, `{1}` … stand for the references."""

    text: str
    refs: tuple[Ref, ...] = ()


class NotSayable(errors.RuleBroken):
    """A value or type that has no source code."""

    slug = "governance.not-sayable"


def of_value(value: Any) -> Words:
    """Return a value as an expression that makes it. Raises NotSayable."""
    if value is PASS:
        return Words(text="{0}", refs=(Ref(module="isthmus.kernel", name="PASS"),))
    if type(value) in PLAIN:
        return Words(text=_quoted(repr(value)))
    if isinstance(value, enum.Enum):
        return Words(text=f"{{0}}.{value.name}", refs=(ref(cast("type[Any]", type(value))),))
    if isinstance(value, msgspec.Struct):
        return _struct(value)
    if isinstance(value, datetime) and value.tzinfo is not None and not value.utcoffset():
        parts = ", ".join(map(str, value.timetuple()[:6]))
        utc = Ref(module="datetime", name="UTC")
        return Words(text=f"{{0}}({parts}, {value.microsecond}, tzinfo={{1}})", refs=(ref(datetime), utc))
    if isinstance(value, Fraction):
        return Words(text=f"{{0}}({value.numerator}, {value.denominator})", refs=(ref(Fraction),))
    if isinstance(value, CALLED):
        kind = next(one for one in CALLED if isinstance(value, one))  # a driver's UUID is one of Python's
        return Words(text=f'{{0}}("{value}")', refs=(ref(kind),))
    if isinstance(value, tuple | list | set | frozenset):
        return _items(cast("Sequence[Any]", value))
    if isinstance(value, Mapping):
        pairs = [(of_value(key), of_value(one)) for key, one in cast("Mapping[Any, Any]", value).items()]
        flat = [part for pair in pairs for part in pair]
        text = ", ".join(f"{key}: {one}" for key, one in zip(*[iter(_numbered(flat))] * 2, strict=True))
        return Words(text=f"{{{{{text}}}}}", refs=_refs(flat))
    raise NotSayable(f"{type(value).__name__} has no source code", remedy="write this part by hand")


def of_type(values: Iterable[Any]) -> Words:
    """Return an annotation that all these values fit. Raises NotSayable."""
    kinds = {one.text.format(*one.refs): one for one in map(_type, values)}
    ordered = sorted(kinds.values(), key=lambda one: (one.text == "None", one.text))
    return Words(text=" | ".join(_numbered(ordered)), refs=_refs(ordered))


def of_annotation(text: str, names: Mapping[str, Any]) -> Words:
    """Return an annotation that was written in a module with these names, for use in another. Raises NotSayable."""
    refs: list[Ref] = []

    class Named(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.AST:
            return self._said(node, names.get(node.id, getattr(builtins, node.id, None)))

        def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
            found = eval(ast.unparse(node), dict(names))
            return self._said(node, found)

        def visit_Constant(self, node: ast.Constant) -> ast.AST:
            return node

        def _said(self, node: ast.AST, found: Any) -> ast.AST:
            if getattr(found, "__module__", "") == "builtins":
                return node
            refs.append(_ref_of(found, ast.unparse(node)))
            return ast.Name(f"__{len(refs) - 1}__")

    try:
        said = ast.unparse(Named().visit(ast.parse(text, mode="eval")))
    except (NameError, AttributeError, SyntaxError) as error:
        raise NotSayable(f"annotation {text!r} cannot be read: {error}", remedy="write plain names in it") from error
    said = said.replace("{", "{{").replace("}", "}}")
    for place in range(len(refs)):
        said = said.replace(f"__{place}__", f"{{{place}}}")
    return Words(text=said, refs=tuple(refs))


def ref(kind: type[Any]) -> Ref:
    """Return where a class is imported from: the door of its package, where that has it."""
    parts = kind.__module__.split(".")
    for count in range(1, len(parts)):
        door = ".".join(parts[:count])
        if getattr(sys.modules.get(door), kind.__name__, None) is kind:
            return Ref(module=door, name=kind.__name__)
    return Ref(module=kind.__module__, name=kind.__name__)


def _ref_of(found: Any, text: str) -> Ref:
    """Return where a name that an annotation has comes from; an alias of a type is looked for by its name."""
    name = text.rpartition(".")[2]
    module = getattr(found, "__module__", "")
    if isinstance(found, type) or (module and getattr(sys.modules.get(module), name, None) is found):
        return Ref(module=ref(found).module if isinstance(found, type) else module, name=name)
    for home in ("isthmus.values", "isthmus.kernel", "collections.abc", "typing"):
        if getattr(importlib.import_module(home), name, None) is found:
            return Ref(module=home, name=name)
    raise NotSayable(f"nobody knows where {text!r} comes from", remedy="use a type that can be imported")


def _struct(value: msgspec.Struct) -> Words:
    kind, said = type(value), list[tuple[str, Words]]()
    for one in msgspec.structs.fields(kind):
        held = getattr(value, one.name)
        if one.required or held != _default(one):
            said.append((one.name, of_value(held)))
    parts = [part for _, part in said]
    text = ", ".join(f"{name}={part}" for (name, _), part in zip(said, _numbered(parts, 1), strict=True))
    return Words(text=f"{{0}}({text})", refs=(ref(kind), *_refs(parts)))


def _default(one: msgspec.structs.FieldInfo) -> Any:
    return one.default if one.default_factory is msgspec.NODEFAULT else one.default_factory()


def _items(values: Sequence[Any]) -> Words:
    parts = [of_value(one) for one in (sorted(values, key=repr) if isinstance(values, set | frozenset) else values)]
    said = ", ".join(_numbered(parts))
    if isinstance(values, tuple):
        text = f"({said},)" if len(parts) == 1 else f"({said})"
    elif isinstance(values, list):
        text = f"[{said}]"
    else:
        text = f"{type(values).__name__}([{said}])"
    return Words(text=text, refs=_refs(parts))


def _type(value: Any) -> Words:
    if value is None:
        return Words(text="None")
    if isinstance(value, tuple | list):
        inner = of_type(cast("Sequence[Any]", value)) if value else Words(text="object")
        shifted = _numbered([inner], 1)[0]
        return Words(text=f"{{0}}[{shifted}]", refs=(Ref(module="collections.abc", name="Sequence"), *inner.refs))
    if isinstance(value, Mapping):
        held = cast("Mapping[Any, Any]", value)
        pair = [of_type(held), of_type(held.values())] if held else [Words(text="str"), Words(text="object")]
        text = ", ".join(_numbered(pair, 1))
        return Words(text=f"{{0}}[{text}]", refs=(Ref(module="collections.abc", name="Mapping"), *_refs(pair)))
    if type(value) in PLAIN:
        return Words(text=type(value).__name__)
    if callable(value) or "<locals>" in type(value).__qualname__:
        raise NotSayable(f"{type(value).__name__} is no plain value", remedy="write this part by hand")
    return Words(text="{0}", refs=(ref(cast("type[object]", type(value))),))


def _numbered(parts: Sequence[Words], first: int = 0) -> list[str]:
    """Return the parts with their references numbered on from those of the parts before."""
    found: list[str] = []
    for part in parts:
        found.append(part.text.format(*(f"{{{first + at}}}" for at in range(len(part.refs)))))
        if "{{" in part.text or "}}" in part.text:
            found[-1] = _escaped(part, first)
        first += len(part.refs)
    return found


def _escaped(part: Words, first: int) -> str:
    marks = [f"\0{first + at}\0" for at in range(len(part.refs))]
    said = part.text.format(*marks).replace("{", "{{").replace("}", "}}")
    for at in range(len(part.refs)):
        said = said.replace(f"\0{first + at}\0", f"{{{first + at}}}")
    return said


def _refs(parts: Iterable[Words]) -> tuple[Ref, ...]:
    return tuple(one for part in parts for one in part.refs)


def _quoted(text: str) -> str:
    """Write a text as the formatter does, in double quotes, with braces that stand for themselves."""
    if text.startswith("'") and '"' not in text:
        text = f'"{text[1:-1]}"'
    return text.replace("{", "{{").replace("}", "}}")
