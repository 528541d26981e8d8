"""Which decisions a setting turns: a branch that asks for a setting of one front end alone is that same setting."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path


def turned(file: Path, keys: Iterable[str]) -> set[int]:
    """Return the lines of decisions that ask for one of these settings, or for a variable that was read from one."""
    wanted = set(keys)
    text = file.read_text()
    if not any(key in text for key in wanted):
        return set()
    functions = [one for one in ast.walk(ast.parse(text)) if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {line for function in functions for line in _lines(function, wanted)}


def _lines(function: ast.AST, keys: set[str]) -> Iterator[int]:
    read = {
        target.id
        for one in ast.walk(function)
        if isinstance(one, ast.Assign | ast.AnnAssign | ast.NamedExpr) and one.value and _says(one.value, keys)
        for target in (one.targets if isinstance(one, ast.Assign) else [one.target])
        if isinstance(target, ast.Name)
    }
    for one in ast.walk(function):
        if isinstance(one, ast.If | ast.IfExp | ast.While):
            asked = {inner.id for inner in ast.walk(one.test) if isinstance(inner, ast.Name)}
            if asked & read or _says(one.test, keys):
                yield one.test.lineno
        elif isinstance(one, ast.Match) and _says(one.subject, keys):
            yield from (case.body[0].lineno for case in one.cases)


def _says(node: ast.AST, keys: set[str]) -> bool:
    return any(isinstance(one, ast.Constant) and one.value in keys for one in ast.walk(node))
