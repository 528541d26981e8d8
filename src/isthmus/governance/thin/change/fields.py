"""Let a field of an answer go that nobody reads: first its last day is announced, and after that day it is deleted."""

from __future__ import annotations

import ast
import inspect
import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, cast

import libcst as cst
from libcst import matchers as m

from isthmus.kernel import Pack, Value

from . import removing
from .code import ByHand, Source
from .delete import change_of, folder_of, said_elsewhere
from .named import Code
from .seam import Change


def announce_field(code: Code, pack: Pack, kind: type[Value], field: str, named: str, last: date) -> Change:
    """Return the change that announces the last day of a field. named: as people call it. Raises ByHand."""
    path = _file(code, kind)
    source = Source(path, code.module(path).name, code.texts[path])
    line = _line(source, kind, field)
    said = f'{source.need("isthmus.kernel", "Meta")}(extra_json_schema={{"deprecated": True, "x-sunset": "{last}"}})'
    was = cst.Module([]).code_for_node(line.annotation.annotation)
    if m.matches(line.annotation.annotation, m.Subscript(value=m.Name("Annotated"))):
        now = f"{was[:-1]}, {said}]"
    else:
        now = f"{source.need('typing', 'Annotated')}[{was}, {said}]"
    source.replace(line.annotation, line.annotation.with_changes(annotation=cst.parse_expression(now)))
    code.texts[path] = source.text()
    return change_of(
        code, _branch(named), f"Announce the last day of {named}, which nobody reads", [folder_of(pack)], []
    )


def delete_field(code: Code, pack: Pack, kind: type[Value], field: str, named: str) -> Change:
    """Return the change that takes a field out of an answer, whose last day has passed. Raises ByHand."""
    path = _file(code, kind)
    folder = folder_of(pack)
    source = Source(path, code.module(path).name, code.texts[path])
    held = code.used_by(path, {kind.__name__})
    line = _line(source, kind, field)
    source.tree = source.tree.visit(_WithoutLine(line))
    code.texts[path] = source.text()
    for one in code.mentions(f"{code.module(path).name}.{kind.__name__}"):
        if not one.is_import and not one.is_decorator:
            held |= code.used_by(one.file, {one.within})
            tree = cst.parse_module(code.texts[one.file])
            code.texts[one.file] = tree.visit(_WithoutArgument(one.text, field)).code
    _check(code, folder, kind, field)
    removing.sweep(code, held, [folder])
    change = change_of(code, _branch(named), f"Delete {named}, which nobody reads", [folder], [])
    return replace(change, lost=(field,), notes=(*change.notes, *said_elsewhere(code, named, folder)))


def _branch(named: str) -> str:
    """Return a field's name as a branch of git may be called."""
    capability, _, path = named.partition(":$.")
    words = re.findall(r"[A-Za-z0-9]+", path)
    return "-".join([capability, *words])


def _file(code: Code, kind: type[Value]) -> Path:
    path = Path(inspect.getsourcefile(kind) or "").resolve()
    if path not in code.texts:
        raise ByHand(f"{kind.__name__} is not in {code.root}", remedy="only code of this checkout is changed")
    return path


def _line(source: Source, kind: type[Value], field: str) -> cst.AnnAssign:
    """Return where a type declares a field. Raises ByHand where it has it of another."""
    for one in source.tree.body:
        if isinstance(one, cst.ClassDef) and one.name.value == kind.__name__:
            found = m.findall(one.body, m.AnnAssign(target=m.Name(field)))
            if found:
                return cast(cst.AnnAssign, found[0])
    raise ByHand(f"{kind.__name__} does not declare {field} itself", remedy="change it where it is declared")


def _check(code: Code, folder: Path, kind: type[Value], field: str) -> None:
    """Raise ByHand where something of that name is still taken of, or given to, what may be of the type."""
    for path, text in code.texts.items():
        if not path.is_relative_to(folder) or field not in text:
            continue
        for node in ast.walk(code.module(path).tree):
            is_given = isinstance(node, ast.Call) and ast.unparse(node.func).endswith("replace") and any(
                one.arg == field for one in node.keywords
            )  # fmt: skip
            is_packed = isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == kind.__name__ and any(
                one.arg is None for one in node.keywords
            )  # fmt: skip
            if is_given or is_packed:
                where = f"{path.relative_to(code.root)}:{cast(ast.Call, node).lineno}"
                raise ByHand(f"{where} may give a {kind.__name__} its {field}", remedy="let that do without it first")


class _WithoutLine(cst.CSTTransformer):
    """Takes a declaration out of a class."""

    def __init__(self, line: cst.AnnAssign) -> None:
        super().__init__()
        self._line = line

    def leave_SimpleStatementLine(self, original_node: cst.SimpleStatementLine, updated_node: Any) -> Any:
        return cst.RemoveFromParent() if self._line in original_node.body else updated_node


class _WithoutArgument(cst.CSTTransformer):
    """Takes a keyword out of what makes a type. name: as it is written there."""

    def __init__(self, name: str, field: str) -> None:
        super().__init__()
        self._name = name
        self._field = field

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> Any:
        if cst.Module([]).code_for_node(original_node.func) != self._name:
            return updated_node
        kept = [one for one in updated_node.args if one.keyword is None or one.keyword.value != self._field]
        return updated_node.with_changes(args=removing.closed(updated_node.args, kept))
