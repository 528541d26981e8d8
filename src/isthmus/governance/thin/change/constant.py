"""Write a setting that is the same everywhere where it is read: what it decided is decided then.

if ctx.plan.settings.get("till.receipt") == "long":       text += LONG
    text += LONG                                      →
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

import libcst as cst
from libcst import matchers as m

from isthmus.kernel import Pack
from isthmus.runtime.deploy.loading import MANIFEST

from . import removing
from .code import ByHand, Source
from .delete import change_of, folder_of
from .named import Code
from .seam import Change
from .settings import READ, check_all, named_around, put, reads_of


def write_setting(code: Code, key: str, value: str, folders: Sequence[Path], packs: Mapping[str, Pack]) -> Change:
    """Return the change that does without a setting. folders: of all front ends, which have it. Raises ByHand."""
    found = {one: pack for pack in packs.values() for one in reads_of(code, pack, key)}
    if not found:
        raise ByHand(f"{key!r} is read by no pack that is changed here", remedy=f"let packs read it as {READ}(…)")
    check_all(code, key, list(found), folders)
    used: set[str] = set()
    for file in sorted({one.file for one in found}):
        source = Source(file, code.module(file).name, code.texts[file])
        for one in found:
            if one.file == file:
                used |= named_around(code, one)
                put(source, one, f'"{value}"' if '"' not in value and "\\" not in value else repr(value))
        source.tree = source.tree.visit(_Decided())
        code.texts[file] = source.text()
    for folder in folders:
        manifest = (folder / MANIFEST).resolve()
        if not removing.remove_key(code, manifest, "settings", key):
            raise ByHand(f"{manifest} does not write {key!r} in its settings", remedy="delete it where it is written")
    owners = [folder_of(one) for one in dict.fromkeys(found.values())]
    removing.sweep(code, used, owners)
    title = f"Write {key} where it is read: it is {value!r} everywhere"
    return change_of(code, key, title, [*owners, *folders], [])


_END: Final = m.SimpleStatementLine(body=[m.Return() | m.Raise()])


class _Decided(cst.CSTTransformer):
    """Leaves of an `if` over plain texts the side that holds."""

    def leave_If(self, original_node: cst.If, updated_node: cst.If) -> Any:
        held = _holds(updated_node.test)
        if held is None:
            return updated_node
        if held:
            return cst.FlattenSentinel(_lines(updated_node))
        if updated_node.orelse is None:
            return cst.RemoveFromParent()
        return (
            cst.FlattenSentinel(_lines(updated_node.orelse))
            if isinstance(updated_node.orelse, cst.Else)
            else (updated_node.orelse)
        )

    def leave_IndentedBlock(self, original_node: cst.IndentedBlock, updated_node: cst.IndentedBlock) -> Any:
        """Leave out what nobody comes to any more, behind a side that ended the function."""
        if len(original_node.body) == 1 or original_node.deep_equals(updated_node):
            return updated_node
        body = list(updated_node.body)
        ended = [at for at, one in enumerate(body) if m.matches(one, _END)]
        return updated_node.with_changes(body=body[: ended[0] + 1]) if ended else updated_node

    def leave_IfExp(self, original_node: cst.IfExp, updated_node: cst.IfExp) -> Any:
        held = _holds(updated_node.test)
        return updated_node if held is None else updated_node.body if held else updated_node.orelse


def _holds(test: cst.BaseExpression) -> bool | None:
    """Tell whether a condition over plain texts holds; None for one that is more."""
    text = m.SimpleString() | m.Tuple(elements=[m.AtLeastN(m.Element(m.SimpleString()), n=0)])
    compared = m.Comparison(left=m.SimpleString(), comparisons=[m.ComparisonTarget(comparator=text)])
    if not m.matches(test, compared | m.SimpleString() | m.UnaryOperation(m.Not(), compared | m.SimpleString())):
        return None
    written = ast.unparse(ast.parse(cst.Module([]).code_for_node(test), mode="eval"))
    return bool(eval(compile(written, "<setting>", "eval"), {"__builtins__": {}}))  # nothing but plain texts


def _lines(of: cst.If | cst.Else) -> list[Any]:
    body = list(cast(cst.IndentedBlock, of.body).body)
    first = cast(Any, body[0])
    comments = [one for one in of.leading_lines if one.comment]
    return [first.with_changes(leading_lines=[*comments, *first.leading_lines]), *body[1:]]
