"""What the local variables of a place in the platform are when recorded calls come by: their types, and examples."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Final

from isthmus.kernel import Value, decode

from .words import NotSayable, Words, of_type, of_value

SEEN_MAX: Final = 200  # values of a variable that its type is told from
EXAMPLES_MAX: Final = 3


class Place(Value):
    """Where to look: a line, and the lines of the body that may be entered there.

    otherwise: the lines choose `value`, which would be this expression; the front end's own where `condition` holds.
    """

    file: str
    line: int
    first: int
    last: int
    value: str = ""
    condition: str = ""
    otherwise: str = ""


class Example(Value):
    """The variables before a body was entered, and those after it, as source code."""

    before: Mapping[str, Words]
    after: Mapping[str, Words]


class Seen(Value):
    """What was seen at a place: the type of each variable, and examples by front end of calls that entered."""

    types: Mapping[str, Words]
    examples: Mapping[str, tuple[Example, ...]]


@dataclass(slots=True)
class Looking:
    """Looks at a place; at none where it is not given."""

    place: Place | None = None
    values: dict[str, list[Any]] = field(default_factory=dict[str, list[Any]])
    examples: dict[str, list[Example]] = field(default_factory=dict[str, list[Example]])
    _front_end: str = ""
    _before: dict[int, dict[str, Words]] = field(default_factory=dict[int, dict[str, Words]])
    _entered: set[int] = field(default_factory=set[int])

    @classmethod
    def of(cls, place: str) -> Looking:
        """Read a place as it is written on a command line."""
        found = decode(place.encode(), Place)
        return cls(found.replace(file=str(Path(found.file).resolve())))

    @contextmanager
    def at(self, front_end: str) -> Generator[None]:
        """Look while a call of a front end runs; where there is no place, do nothing."""
        self._front_end = front_end
        if self.place is None:
            yield
            return
        sys.settrace(self._called)
        try:
            yield
        finally:
            sys.settrace(None)

    def seen(self) -> Seen:
        """Return what was seen; a variable whose values have no type in source code is left out."""
        types: dict[str, Words] = {}
        for name, values in self.values.items():
            try:
                types[name] = of_type(values)
            except NotSayable:
                continue
        return Seen(types=types, examples={code: tuple(found) for code, found in self.examples.items()})

    def _called(self, frame: FrameType, event: str, argument: object) -> Any:
        code, place = frame.f_code, self.place
        if (
            place is None
            or code.co_filename != place.file
            or place.line not in {line for _, _, line in code.co_lines()}
        ):
            return None
        return self._chosen if place.otherwise else self._stepped

    def _chosen(self, frame: FrameType, event: str, argument: object) -> Any:
        """Look at a value that is chosen: before the first of its lines, and after the last."""
        assert self.place is not None
        key, is_inside = id(frame), self.place.first <= frame.f_lineno <= self.place.last
        if key in self._entered and (event == "return" or not is_inside):
            returned = {self.place.value: argument} if event == "return" and is_inside else {}
            self._left(key, frame, returned)
        elif is_inside and event == "line" and key not in self._entered:
            self._entered.add(key)
            self._came(key, frame)
            if (before := self._before.pop(key, None)) is not None and self._holds(frame):
                self._before[key] = before | dict(
                    _sayable({self.place.value: self._asked(frame, self.place.otherwise)})
                )
        return self._chosen

    def _holds(self, frame: FrameType) -> bool:
        assert self.place is not None
        return not self.place.condition or bool(self._asked(frame, self.place.condition))

    def _asked(self, frame: FrameType, expression: str) -> Any:
        """Return what an expression is where a frame stands; None where it has no value there."""
        try:
            return eval(expression, {**frame.f_globals, **frame.f_locals})
        except Exception:
            return None

    def _stepped(self, frame: FrameType, event: str, argument: object) -> Any:
        assert self.place is not None
        key, line = id(frame), frame.f_lineno
        body = range(self.place.first, self.place.last + 1)
        if key in self._entered and (line not in body or event == "return"):
            self._left(key, frame)
        if event == "return":
            self._before.pop(key, None)
        elif line == self.place.line:
            self._came(key, frame)
        elif line in body and key in self._before:
            self._entered.add(key)
        return self._stepped

    def _came(self, key: int, frame: FrameType) -> None:
        self._note(frame.f_locals)
        if len(self.examples.get(self._front_end, ())) < EXAMPLES_MAX:
            self._before[key] = dict(_sayable(frame.f_locals))

    def _note(self, variables: Mapping[str, Any]) -> None:
        for name, value in variables.items():
            held = self.values.setdefault(name, [])
            if len(held) < SEEN_MAX:
                held.append(value)

    def _left(self, key: int, frame: FrameType, returned: Mapping[str, Any] = {}) -> None:
        self._entered.discard(key)
        before = self._before.pop(key, None)
        after = {**frame.f_locals, **returned}
        if self.place and self.place.otherwise:
            self._note({name: value for name, value in after.items() if name == self.place.value})
        found = self.examples.setdefault(self._front_end, [])
        if before is not None and len(found) < EXAMPLES_MAX:
            example = Example(before=before, after=dict(_sayable(after)))
            if example not in found:
                found.append(example)


def _sayable(variables: Mapping[str, Any]) -> Iterator[tuple[str, Words]]:
    for name, value in variables.items():
        try:
            yield name, of_value(value)
        except NotSayable:
            continue
