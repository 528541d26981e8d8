"""What the local variables of a place in the platform are when recorded calls come by: their types, and examples."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Final

from isthmus.kernel import Value

from .words import NotSayable, Words, of_type, of_value

SEEN_MAX: Final = 200  # values of a variable that its type is told from
EXAMPLES_MAX: Final = 3


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
    """Looks at a place: a line, and the lines of the body that may be entered there."""

    file: str = ""
    line: int = 0
    body: range = range(0)
    values: dict[str, list[Any]] = field(default_factory=dict[str, list[Any]])
    examples: dict[str, list[Example]] = field(default_factory=dict[str, list[Example]])
    _front_end: str = ""
    _before: dict[int, dict[str, Words]] = field(default_factory=dict[int, dict[str, Words]])
    _entered: set[int] = field(default_factory=set[int])

    @classmethod
    def of(cls, place: str) -> Looking:
        """Read a place as it is written on a command line: file, line, first and last line of the body."""
        file, line, first, last = place.rsplit(":", 3)
        return cls(file=str(Path(file).resolve()), line=int(line), body=range(int(first), int(last) + 1))

    @contextmanager
    def at(self, front_end: str) -> Generator[None]:
        """Look while a call of a front end runs; where there is no place, do nothing."""
        self._front_end = front_end
        if not self.file:
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
        code = frame.f_code
        is_inside = code.co_filename == self.file and self.line in {line for _, _, line in code.co_lines()}
        return self._stepped if is_inside else None

    def _stepped(self, frame: FrameType, event: str, argument: object) -> Any:
        key, line = id(frame), frame.f_lineno
        if key in self._entered and (line not in self.body or event == "return"):
            self._left(key, frame)
        if event == "return":
            self._before.pop(key, None)
        elif line == self.line:
            self._came(key, frame)
        elif line in self.body and key in self._before:
            self._entered.add(key)
        return self._stepped

    def _came(self, key: int, frame: FrameType) -> None:
        for name, value in frame.f_locals.items():
            held = self.values.setdefault(name, [])
            if len(held) < SEEN_MAX:
                held.append(value)
        if len(self.examples.get(self._front_end, ())) < EXAMPLES_MAX:
            self._before[key] = dict(_sayable(frame.f_locals))

    def _left(self, key: int, frame: FrameType) -> None:
        self._entered.discard(key)
        before = self._before.pop(key, None)
        found = self.examples.setdefault(self._front_end, [])
        if before is not None and len(found) < EXAMPLES_MAX:
            example = Example(before=before, after=dict(_sayable(frame.f_locals)))
            if example not in found:
                found.append(example)


def _sayable(variables: Mapping[str, Any]) -> Iterator[tuple[str, Words]]:
    for name, value in variables.items():
        try:
            yield name, of_value(value)
        except NotSayable:
            continue
