"""What a file of Python says by itself, whatever it was used for: of then, nothing is run. Pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from isthmus.kernel import Value

from .history import DECISIONS


class Written(Value):
    """decisions: how many. asked, answered: questions that are declared, and answered, by the names of Python.

    compared: texts that something is compared with or looked up by. settings: of a front end, with their values.
    """

    decisions: int = 0
    asked: tuple[str, ...] = ()
    answered: tuple[str, ...] = ()
    compared: tuple[str, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()


class Text(NamedTuple):
    """A text in code, and its line."""

    line: int
    value: str


def written(source: bytes) -> Written:
    """Read a file; one that does not parse any more says nothing."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return Written()
    nodes = list(ast.walk(tree))
    functions = [one for one in nodes if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
    decorated = [(one.name, call) for one in functions for call in one.decorator_list if isinstance(call, ast.Call)]
    return Written(
        decisions=sum(isinstance(one, DECISIONS) for one in nodes),
        asked=tuple(name for name, call in decorated if _last(call.func) == "extension_point"),
        answered=tuple(_last(call.args[0]) for _, call in decorated if _last(call.func) == "answers" and call.args),
        compared=tuple(sorted({part.value for one in nodes for part in compared(one)})),
        settings=tuple(pair for one in nodes if isinstance(one, ast.Call) for pair in _settings(one)),
    )


def _last(node: ast.expr) -> str:
    """Return the last part of a name, such as `answers`; of a text, the question that it names."""
    if isinstance(node, ast.Constant):
        return str(node.value).rpartition(".")[2].replace("-", "_")
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def compared(node: ast.AST) -> Iterator[Text]:
    """Return the texts with which a node compares something, or by which it looks something up."""
    held: list[ast.expr | None] = []
    if isinstance(node, ast.Compare):
        held = [node.left, *node.comparators]
    elif isinstance(node, ast.Dict):
        held = list(node.keys)
    elif isinstance(node, ast.MatchValue):
        held = [node.value]
    for one in held:
        for part in one.elts if isinstance(one, ast.Tuple | ast.Set | ast.List) else [one]:
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                yield Text(part.lineno, part.value)


def _settings(call: ast.Call) -> Iterator[tuple[str, str]]:
    given = next((one.value for one in call.keywords if one.arg == "settings"), None)
    if _last(call.func) == "FrontEnd" and isinstance(given, ast.Dict):
        for key, value in zip(given.keys, given.values, strict=True):
            if isinstance(key, ast.Constant):
                yield str(key.value), ast.unparse(value)
