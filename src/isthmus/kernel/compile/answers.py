"""The answers to one extension point, compiled into one function that asks them in their order."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Sequence
from typing import Any, cast

from ..deadline import DeadlinePassed, within
from ..declare.combine import PASS, Rule
from ..declare.extension import Answer, ExtensionPoint
from ..errors import AnswerFailed, Unavailable
from ..trace import asking, tracing

Point = ExtensionPoint[..., Any]
Function = Callable[..., Any]

log = logging.getLogger("isthmus.kernel")


class Compiler:
    """Turns (point, answers in order) into one callable, once for all plans that share them."""

    def __init__(self) -> None:
        self._interned: dict[tuple[object, ...], Function] = {}

    def compiled(self, point: Point, ranked: Sequence[Answer]) -> Function:
        key = (point, *ranked)
        found = self._interned.get(key)
        if found is None:
            functions = [answer.function for answer in ranked]
            found = self._interned[key] = compile_answers(point, ranked, functions, point.default)
        return found


def traced(point: Point, ranked: Sequence[Answer]) -> Function:
    """Compile with every word written into the trace of the call."""
    functions = [tracing(answer.label, answer.source, answer.function) for answer in ranked]
    return asking(point, compile_answers(point, ranked, functions, tracing("default", point.source, point.default)))


def compile_answers(
    point: Point, ranked: Sequence[Answer], functions: Sequence[Function], default: Function
) -> Function:
    """Return one callable with the signature of the point."""
    if not ranked:
        return default
    compiled = functions[0] if _is_plain(point, ranked[0]) else _generated(point, ranked, functions, default)
    if point.is_async:
        compiled = _bounded(point, compiled)
    return _falling_back(point, compiled, default) if point.on_failure == "default" else compiled


def _is_plain(point: Point, first: Answer) -> bool:
    """True where the first answer alone decides: then the call costs what calling it costs."""
    is_same = point.is_async == inspect.iscoroutinefunction(first.function) and first.parameters == point.parameters
    return point.combine.name == "first_answer" and first.is_total and is_same


def _generated(point: Point, ranked: Sequence[Answer], functions: Sequence[Function], default: Function) -> Function:
    """Write the function that asks these answers, and compile it: straight code, no loop, no *args."""
    arguments = ", ".join(point.parameters)
    names: dict[str, Any] = {"PASS": PASS, "default": default}
    ending = f"{'await ' if point.is_async else ''}default({arguments})"
    if point.per_line:
        words = _Words(point)
        names |= {"open_lines": words.open, "hear": words.hear, "join": words.join}
        body = [f"said = open_lines({point.parameters[0]})"]
        end = ["if all(said):", "    return join(said, said)", f"return join(said, {ending})"]
    else:
        names["combine"] = point.combine.combine
        body = [] if point.combine.is_ordered else ["said = []"]
        end = _end(point.combine, ending, point.parameters)
    for number, (answer, function) in enumerate(zip(ranked, functions, strict=True)):
        names |= {f"answer_{number}": function, f"label_{number}": answer.label, f"applies_{number}": answer.applies}
        call = f"{'await ' if inspect.iscoroutinefunction(function) else ''}answer_{number}({arguments})"
        if point.per_line:
            lines = [f"hear(said, label_{number}, {call})"]
        else:
            lines = [f"value = {call}", "if value is not PASS:", f"    {_heard(point, number)}"]
        if answer.applies is not None:
            lines = [f"if applies_{number}({arguments}):", *(f"    {line}" for line in lines)]
        body += lines
    text = "\n    ".join([f"{'async ' if point.is_async else ''}def ask({arguments}):", *body, *end])
    exec(compile(text, f"<plan of {point.name}>", "exec"), names)
    return cast(Function, names["ask"])


def _heard(point: Point, number: int) -> str:
    if point.combine.name == "first_answer":
        return "return value"
    if point.combine.name == "fold":
        return f"{point.parameters[0]} = value"
    return f"said.append((label_{number}, value))"


def _end(rule: Rule, ending: str, parameters: Sequence[str]) -> list[str]:
    if rule.name == "first_answer":
        return [f"return {ending}"]
    if rule.name == "fold":
        return [f"return {parameters[0]}"]
    return ["if said:", "    return combine(said)", f"return {ending}"]


AnswerRecord = list[list[tuple[str, Any]]]  # for each line, what was said about it and by whom


class _Words:
    """Combine element by element; the default speaks for the lines on which nobody has an opinion."""

    def __init__(self, point: Point) -> None:
        self._point = point
        self._combine = point.combine.combine or _first

    def open(self, lines: Sequence[Any]) -> AnswerRecord:
        return [[] for _ in lines]

    def hear(self, said: AnswerRecord, who: str, values: Sequence[Any]) -> None:
        if len(values) != len(said):
            fact = f"{who} answered {self._point.name!r} with {len(values)} elements for {len(said)} lines"
            raise AnswerFailed(fact, remedy="answer one element for each line, PASS where it has no opinion")
        for heard, value in zip(said, values, strict=True):
            if value is not PASS:
                heard.append((who, value))

    def join(self, said: AnswerRecord, defaults: Sequence[Any]) -> tuple[Any, ...]:
        combine = self._combine
        return tuple(combine(heard) if heard else value for heard, value in zip(said, defaults, strict=True))


def _first(said: Sequence[tuple[str, Any]]) -> Any:
    return said[0][1]


def _bounded(point: Point, compiled: Function) -> Function:
    """Give an async point its deadline: one slow answer must not take the whole call's."""

    async def ask(*args: Any, **kwargs: Any) -> Any:
        try:
            return await within(point.deadline_ms / 1000, compiled(*args, **kwargs))
        except DeadlinePassed:
            fact = f"no answer to {point.name!r} within {point.deadline_ms} ms"
            raise Unavailable(fact, remedy="try again; if it persists, look at the front end's service") from None

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
