"""Let an event go that nobody takes: its last day is announced first, and then it goes with what sends it."""

from __future__ import annotations

import inspect
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import libcst as cst
from libcst import matchers as m

from isthmus.kernel import Pack, Value
from isthmus.kernel.host import event_kind

from . import removing
from .code import CONTEXT, ByHand, Source
from .delete import change_of, check_unused, folder_of, is_declared, said_elsewhere
from .named import Code
from .seam import Change


def delete_event(code: Code, pack: Pack, kind: type[Value]) -> Change:
    """Return the change that takes an event out of a pack. Raises ByHand."""
    name, folder, path = event_kind(kind).name, folder_of(pack), _file(code, kind)
    target = f"{code.module(path).name}.{kind.__name__}"
    sent = [one for one in removing.uses(code, path, kind.__name__) if not code.is_test(one.file)]
    tests = removing.remove_tests(code, target, lambda one: is_declared(code, one, folder))
    used: set[str] = set()
    for file in sorted({one.file for one in sent}):
        within, texts = ({getattr(one, of) for one in sent if one.file == file} for of in ("within", "text"))
        before = code.used_by(file, within)
        tree = cst.parse_module(code.texts[file])
        code.texts[file] = tree.visit(_Silent(texts)).code
        used |= before - code.used_by(file, within)
    check_unused(code, target, name)
    said = list(said_elsewhere(code, name, folder))
    removing.drop_imports(code, target)
    removing.sweep(code, used | removing.remove(code, path, {kind.__name__}), [folder])
    change = change_of(code, name, f"Send {name} no more, which nobody takes", [folder], tests, said)
    return replace(change, unsent=(name,))


def announce_event(code: Code, pack: Pack, kind: type[Value], since: date, last: date) -> Change:
    """Return the change that announces the last day of an event. Raises ByHand."""
    name, path = event_kind(kind).name, _file(code, kind)
    source = Source(path, code.module(path).name, code.texts[path])
    made = next(
        (
            one.decorator
            for held in source.tree.body
            if isinstance(held, cst.ClassDef) and held.name.value == kind.__name__
            for one in held.decorators
            if isinstance(one.decorator, cst.Call) and m.matches(one.decorator, m.Call(args=[m.AtLeastN(n=1)]))
        ),
        None,
    )
    if made is None:
        raise ByHand(f"{kind.__name__} is not declared as an event itself", remedy="write `deprecated=` where it is")
    day = source.need("datetime", "date")
    days = [f"{day}({one.year}, {one.month}, {one.day})" for one in (since, last)]
    said = f'{source.need("isthmus.kernel.host", "Deprecated")}(since={days[0]}, sunset={days[1]}, instead="")'
    plain = cst.Module([]).code_for_node(made).rstrip().removesuffix(")").rstrip().removesuffix(",")
    source.replace(made, cst.parse_expression(f"{plain}, deprecated={said})"))
    code.texts[path] = source.text()
    return change_of(code, name, f"Announce the last day of {name}, which nobody takes", [folder_of(pack)], [])


def _file(code: Code, kind: type[Value]) -> Path:
    path = Path(inspect.getsourcefile(kind) or "").resolve()
    if path not in code.texts:
        raise ByHand(
            f"{event_kind(kind).name} is not declared in {code.root}", remedy="only code of this checkout is changed"
        )
    return path


class _Silent(cst.CSTTransformer):
    """Takes out `ctx.emit(…)` of these events, and what is left without a body by that."""

    def __init__(self, texts: set[str]) -> None:
        super().__init__()
        self._texts = texts

    def leave_SimpleStatementLine(self, original_node: cst.SimpleStatementLine, updated_node: Any) -> Any:
        emitted = m.Call(func=m.Attribute(value=m.Name(CONTEXT), attr=m.Name("emit")), args=[m.Arg(m.Call())])
        if not m.matches(original_node, m.SimpleStatementLine([m.Expr(emitted)])):
            return updated_node
        call: Any = original_node.body[0]
        made = cst.Module([]).code_for_node(call.value.args[0].value.func)
        return cst.RemoveFromParent() if made in self._texts else updated_node

    def leave_If(self, original_node: cst.If, updated_node: cst.If) -> Any:
        if not _is_empty(updated_node.body):
            return updated_node
        if updated_node.orelse is not None or m.findall(updated_node.test, m.Await() | m.NamedExpr()):
            raise ByHand("an `if` is left with nothing to do but its condition", remedy="delete it by hand")
        return cst.RemoveFromParent()

    def leave_For(self, original_node: cst.For, updated_node: cst.For) -> Any:
        if not _is_empty(updated_node.body):
            return updated_node
        if updated_node.orelse is not None or updated_node.asynchronous or m.findall(updated_node.iter, m.Await()):
            raise ByHand("a loop is left with nothing to do but come by", remedy="delete it by hand")
        return cst.RemoveFromParent()


def _is_empty(block: cst.BaseSuite) -> bool:
    return isinstance(block, cst.IndentedBlock) and not block.body
