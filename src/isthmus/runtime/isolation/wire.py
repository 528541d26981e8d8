"""How an extension point's arguments and answer cross to another process, and what is refused on the way back.

An answer crosses as `{"answer": value}`; `{}` says PASS. Where a point asks line by line, it is a list of those.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import UNSET, UnsetType

from isthmus.kernel import PASS, Pass, errors
from isthmus.kernel.host import Point

POINTS_MAX = 4_096  # wires remembered: more points than this is a fault elsewhere

_PLAIN = (bool, int, float, str)  # what a type check alone decides, without a look inside


class WrongAnswer(errors.AnswerFailed):
    """An answer is not of the type that its point declares."""

    slug = "runtime.wrong-answer"


class Wire:
    """One point on the wire: `pack` and `read` for arguments, `pack_answer` and `read_answer` for what comes back."""

    def __init__(self, point: Point, *, is_total: bool) -> None:
        hints = get_type_hints(point.default, include_extras=True)
        given = [_crossing(hints[name])[0] for name in point.parameters]
        self.point = point
        arguments: Any = tuple[tuple(given)]
        self._arguments = msgspec.msgpack.Decoder(arguments)
        self._arguments_json = msgspec.json.Decoder(arguments)
        hint = hints["return"]
        said, may_pass = _crossing(get_args(hint)[0] if point.per_line else hint)
        self._may_pass = may_pass and not is_total and not point.per_line
        self._said = _said(said, may_pass and not is_total)
        self._type: Any = tuple[self._said, ...] if point.per_line else self._said
        self._answer = msgspec.msgpack.Decoder(self._type)
        self._answer_json = msgspec.json.Decoder(self._type)
        self._pack = msgspec.msgpack.Encoder().encode
        self._element = said if said in _PLAIN else None
        self.plain = None if point.per_line else self._element  # the one type of which a type check tells all

    def pack(self, arguments: Sequence[Any]) -> bytes:
        return self._pack(arguments)

    def pack_json(self, arguments: Sequence[Any]) -> bytes:
        named = dict(zip(self.point.parameters, arguments, strict=True))
        return msgspec.json.encode({"arguments": named})

    def read(self, body: bytes | memoryview) -> tuple[Any, ...]:
        return self._arguments.decode(body)

    def read_arguments(self, body: bytes | memoryview) -> tuple[Any, ...]:
        """Return the arguments of a JSON array, in the order of the point."""
        return self._arguments_json.decode(body)

    def worded(self, value: Any) -> Any:
        """Return an answer in the shape in which it crosses."""
        return [_worded(one) for one in value] if self.point.per_line else _worded(value)

    def pack_answer(self, value: Any) -> bytes:
        """Write an answer as it is; whether it fits is for the reader to say."""
        return self._pack(self.worded(value))

    def read_answer(self, body: bytes | memoryview, who: str) -> Any:
        """Return the answer. Raises WrongAnswer with the path where it does not fit the point's type."""
        return self._read(self._answer.decode, body, who)

    def read_json(self, body: bytes, who: str) -> Any:
        return self._read(self._answer_json.decode, body, who)

    def checked(self, value: Any, who: str) -> Any:
        """Return the same value. Raises WrongAnswer where it could not cross: Python builds structs without a look."""
        if self._element is not None and type(value) in (tuple, list):
            if all(type(one) is self._element or one is PASS for one in value):
                return value
        elif value is PASS and self._may_pass:
            return value
        try:
            body = self.pack_answer(value)
        except (TypeError, ValueError) as wrong:
            raise self._refused(who, str(wrong), "$") from None
        self._read(self._answer.decode, body, who)
        return value

    def _read(self, decode: Callable[[Any], Any], body: bytes | memoryview, who: str) -> Any:
        try:
            found = decode(body)
        except msgspec.ValidationError as wrong:
            fact, _, path = str(wrong).partition(" - at `")
            raise self._refused(who, fact, path.rstrip("`") or "$") from None
        except msgspec.DecodeError as wrong:
            raise self._refused(who, str(wrong), "$") from None
        if self.point.per_line:
            return tuple(PASS if one.answer is UNSET else one.answer for one in found)
        return PASS if found.answer is UNSET else found.answer

    def _refused(self, who: str, fact: str, path: str) -> WrongAnswer:
        return WrongAnswer(
            f"{who} answered {self.point.name!r} with a wrong type: {fact[:1].lower()}{fact[1:]}",
            remedy="return what the point's signature says, or roll the front end back",
            path=path.replace(".answer", "") or "$",
        )


@lru_cache(maxsize=POINTS_MAX)
def wire_of(point: Point, *, is_total: bool = False) -> Wire:
    """Return how a point's arguments and answers cross, made once."""
    return Wire(point, is_total=is_total)


def _worded(value: Any) -> dict[str, Any]:
    return {} if value is PASS else {"answer": value}


def _said(hint: Any, may_pass: bool) -> type:
    field = ("answer", hint | UnsetType, UNSET) if may_pass else ("answer", hint)
    return msgspec.defstruct("Said", [field], forbid_unknown_fields=True, frozen=True)


def _crossing(hint: Any) -> tuple[Any, bool]:
    """Return the type as it can be decoded, and whether PASS was among its choices. A sequence becomes a tuple."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        kept = [_crossing(one)[0] for one in inner if one is not Pass]
        return Union[tuple(kept)], Pass in inner  # noqa: UP007 - the choices are known only here
    if origin is Annotated or not inner:
        return hint, False
    if isinstance(origin, type) and issubclass(origin, Sequence):
        parts = inner if origin is tuple else (inner[0], ...)
        return tuple[tuple(one if one is ... else _crossing(one)[0] for one in parts)], False
    return hint, False
