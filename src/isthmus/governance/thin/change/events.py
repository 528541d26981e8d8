"""Send an event no more that nobody takes: what sends it goes, with all that only it had named."""

from __future__ import annotations

import inspect
from dataclasses import replace
from pathlib import Path
from typing import Any

import libcst as cst
from libcst import matchers as m

from isthmus.kernel import Pack, Value
from isthmus.kernel.host import event_kind

from . import removing
from .code import CONTEXT, ByHand
from .delete import change_of, check_unused, folder_of, is_declared, said_elsewhere
from .named import Code
from .seam import Change


def delete_event(code: Code, pack: Pack, kind: type[Value]) -> Change:
    """Return the change that takes an event out of a pack. Raises ByHand."""
    name, folder = event_kind(kind).name, folder_of(pack)
    path = Path(inspect.getsourcefile(kind) or "").resolve()
    if path not in code.texts:
        raise ByHand(f"{name} is not declared in {code.root}", remedy="only code of this checkout is changed")
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
