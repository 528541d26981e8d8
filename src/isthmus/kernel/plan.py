"""Plans: all answers of one front end in one situation, compiled into a flat table.

A plan is an immutable value with a table from extension point to a callable. Each entry is compiled when it
is first asked, and shared wherever the same answers meet the same point, so a table costs what is used.
Conditions on dimensions are gone after compiling: the box has decided them.
"""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import logging
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from .combine import PASS, Rule
from .errors import AnswerFailed, Unavailable
from .extension import Answer, ExtensionPoint
from .story import asking, telling, telling_default

Point = ExtensionPoint[..., Any]
Function = Callable[..., Any]
Find = Callable[[Point], Sequence[Answer]]

log = logging.getLogger("isthmus.kernel")


class Table(dict[Point, Function]):
    """Extension point → compiled answer; `__getitem__` of this is the whole hot path of `ctx.answer`."""

    __slots__ = ("_compiled",)

    def __init__(self, compiled: Callable[[Point], Function]) -> None:
        super().__init__()
        self._compiled = compiled

    def __missing__(self, point: Point) -> Function:
        function = self[point] = self._compiled(point)
        return function


class Plan:
    """What one box of a release answers and may do."""

    __slots__ = (
        "_told",
        "answer",
        "box",
        "dims",
        "find",
        "fingerprint",
        "front_end",
        "permitted",
        "settings",
        "told",
    )

    def __init__(
        self,
        *,
        front_end: str,
        box: str,
        dims: Mapping[str, str],
        permitted: frozenset[str],
        settings: Mapping[str, str],
        fingerprint: str,
        find: Find,
        compiler: Compiler,
    ) -> None:
        self.front_end = front_end
        self.box = box
        self.dims = dims
        self.permitted = permitted
        self.settings = settings
        self.fingerprint = fingerprint
        self.find = find
        self.answer = Table(lambda point: compiler.compiled(point, find(point))).__getitem__
        self.told = Table(lambda point: compiler.told(point, find(point))).__getitem__


class Compiler:
    """Turns (point, answers in order) into one callable, once for all plans that share them."""

    def __init__(self) -> None:
        self._interned: dict[tuple[object, ...], Function] = {}

    def compiled(self, point: Point, ranked: Sequence[Answer]) -> Function:
        key = (point, *map(id, ranked))
        found = self._interned.get(key)
        if found is None:
            functions = [answer.function for answer in ranked]
            found = self._interned[key] = compile_answers(point, ranked, functions, point.default)
        return found

    def told(self, point: Point, ranked: Sequence[Answer]) -> Function:
        """Compile with every word written into the story of the call."""
        functions = [telling(answer) for answer in ranked]
        return asking(point, compile_answers(point, ranked, functions, telling_default(point)))


def compile_answers(
    point: Point, ranked: Sequence[Answer], functions: Sequence[Function], default: Function
) -> Function:
    """Return one callable with the signature of the point."""
    if not ranked:
        return default
    if point.per_line:
        compiled = _line_by_line(point, ranked, functions, default)
    elif _is_plain(point, ranked[0]):
        compiled = functions[0]
    else:
        compiled = _generated(point, ranked, functions, default)
    if point.is_async:
        compiled = _bounded(point, compiled)
    return _falling_back(point, compiled, default) if point.on_failure == "default" else compiled


def _is_plain(point: Point, first: Answer) -> bool:
    """True where the first answer alone decides: then the call costs what calling it costs."""
    is_same_colour = point.is_async == inspect.iscoroutinefunction(first.function)
    return point.combine.name == "first_answer" and first.is_total and is_same_colour


def _generated(point: Point, ranked: Sequence[Answer], functions: Sequence[Function], default: Function) -> Function:
    """Write the function that asks these answers, and compile it: straight code, no loop, no *args."""
    names: dict[str, Any] = {"PASS": PASS, "default": default, "combine": point.combine.combine}
    arguments = ", ".join(point.parameters)
    body: list[str] = [] if point.combine.is_ordered else ["said = []"]
    for number, (answer, function) in enumerate(zip(ranked, functions, strict=True)):
        names[f"answer_{number}"] = function
        call = f"{'await ' if inspect.iscoroutinefunction(function) else ''}answer_{number}({arguments})"
        lines = _step(point.combine, call, number, point.parameters)
        names[f"label_{number}"] = answer.label
        if answer.applies is not None:
            names[f"applies_{number}"] = answer.applies
            lines = [f"if applies_{number}({arguments}):", *(f"    {line}" for line in lines)]
        body += lines
    body += _end(point.combine, f"{'await ' if point.is_async else ''}default({arguments})", point.parameters)
    text = f"{'async ' if point.is_async else ''}def ask({arguments}):\n" + "\n".join(f"    {line}" for line in body)
    exec(compile(text, f"<plan of {point.name}>", "exec"), names)
    return cast(Function, names["ask"])


def _step(rule: Rule, call: str, number: int, parameters: Sequence[str]) -> list[str]:
    if rule.name == "first_answer":
        return [f"value = {call}", "if value is not PASS:", "    return value"]
    if rule.name == "fold":
        return [f"value = {call}", "if value is not PASS:", f"    {parameters[0]} = value"]
    return [f"value = {call}", "if value is not PASS:", f"    said.append((label_{number}, value))"]


def _end(rule: Rule, default: str, parameters: Sequence[str]) -> list[str]:
    if rule.name == "first_answer":
        return [f"return {default}"]
    if rule.name == "fold":
        return [f"return {parameters[0]}"]
    return ["if said:", "    return combine(said)", f"return {default}"]


def _line_by_line(point: Point, ranked: Sequence[Answer], functions: Sequence[Function], default: Function) -> Function:
    """Combine element by element; the default speaks for the lines on which nobody has an opinion."""
    combine = point.combine.combine or _first

    def ask(lines: Sequence[Any], *rest: Any) -> tuple[Any, ...]:
        said: list[list[tuple[str, Any]]] = [[] for _ in lines]
        for answer, function in zip(ranked, functions, strict=True):
            if answer.applies is not None and not answer.applies(lines, *rest):
                continue
            values = function(lines, *rest)
            if len(values) != len(lines):
                raise AnswerFailed(
                    f"{answer.label} ({answer.source}) answered {point.name!r} with {len(values)} elements for "
                    f"{len(lines)} lines",
                    remedy="answer one element for each line, PASS where it has no opinion",
                )
            for heard, value in zip(said, values, strict=True):
                if value is not PASS:
                    heard.append((answer.label, value))
        if all(said):
            return tuple(combine(heard) for heard in said)
        fallback = default(lines, *rest)
        return tuple(combine(heard) if heard else value for heard, value in zip(said, fallback, strict=True))

    return ask


def _first(said: Sequence[tuple[str, Any]]) -> Any:
    return said[0][1]


def _bounded(point: Point, compiled: Function) -> Function:
    """Give an async point its deadline: one slow answer must not take the whole call's."""

    async def ask(*args: Any, **kwargs: Any) -> Any:
        try:
            async with asyncio.timeout(point.deadline_ms / 1000):
                return await compiled(*args, **kwargs)
        except TimeoutError:
            raise Unavailable(
                f"no answer to {point.name!r} within {point.deadline_ms} ms",
                remedy="try again; if it persists, look at the front end's service",
            ) from None

    return ask


def _falling_back(point: Point, compiled: Function, default: Function) -> Function:
    def failed(error: Exception) -> None:
        log.warning("an answer to %s failed, the default stands: %r", point.name, error)

    def ask(*args: Any, **kwargs: Any) -> Any:
        try:
            return compiled(*args, **kwargs)
        except Exception as error:
            failed(error)
            return default(*args, **kwargs)

    async def ask_later(*args: Any, **kwargs: Any) -> Any:
        try:
            return await compiled(*args, **kwargs)
        except Exception as error:
            failed(error)
            return await default(*args, **kwargs)

    return ask_later if point.is_async else ask


def code_hash(function: Function) -> str:
    """Hash what a function does: its code, its constants and closure, and the code of its own package it reaches."""
    digest = hashlib.sha256()
    _digest_function(function, digest.update, set())
    return digest.hexdigest()


def _digest_function(function: Function, update: Callable[[bytes], None], seen: set[int]) -> None:
    code = getattr(function, "__code__", None)
    if code is None or id(code) in seen:
        return
    seen.add(id(code))
    _digest_code(code, update)
    for default in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
        _digest_value(default, update, seen)
    for cell in function.__closure__ or ():
        _digest_value(cell.cell_contents, update, seen)
    package = function.__module__.partition(".")[0]
    for name in sorted(_names(code)):
        reached = function.__globals__.get(name)
        if getattr(reached, "__module__", "").partition(".")[0] == package and callable(reached):
            _digest_value(getattr(reached, "function", reached), update, seen)
        elif isinstance(reached, str | int | float | bool | tuple | frozenset):
            update(f"{name}={_written(reached)}".encode())


def _digest_value(value: object, update: Callable[[bytes], None], seen: set[int]) -> None:
    if isinstance(value, types.FunctionType):
        _digest_function(value, update, seen)
    else:
        update(_written(value).encode())


def _written(value: object) -> str:
    """Write a value the same way in every process: sets have no order of their own, addresses mean nothing."""
    if isinstance(value, frozenset):
        return repr(sorted(map(repr, value)))
    text = repr(value)
    return type(value).__qualname__ if " at 0x" in text else text


def _digest_code(code: types.CodeType, update: Callable[[bytes], None]) -> None:
    update(code.co_code)
    update(repr(code.co_names).encode())
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            _digest_code(constant, update)
        else:
            update(_written(constant).encode())


def _names(code: types.CodeType) -> set[str]:
    inner = [_names(constant) for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return set(code.co_names).union(*inner)
