"""Take out an extension point that nobody answers: what its default says is said where it was asked.

minor = ctx.answer(api.adjust_minor)(minor, ask)      goes, where the default returns `minor` as it came;
rate = ctx.answer(api.tax_rate)(ask)                  becomes what the default says, or a call of it as a function.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import libcst as cst
from libcst import matchers as m

from isthmus.kernel import Pack
from isthmus.kernel.host import ExtensionPoint

from . import removing
from .code import ByHand, Source
from .delete import change_of, check_unused, declared, folder_of, is_declared, said_elsewhere
from .named import Code
from .seam import Change
from .words import Ref


def delete_point(code: Code, pack: Pack, point: ExtensionPoint[..., Any]) -> Change:
    """Return the change that asks a question no more. Raises ByHand."""
    target, path, word = declared(code, pack, point.name)
    folder = folder_of(pack)
    tests = removing.remove_tests(code, target, lambda one: is_declared(code, one, folder))
    default = _Default(code, path, word)
    used: set[str] = set()
    asking = sorted({one.file for one in code.mentions(target) if not one.is_import and one.file != path})
    for file in asking:
        used |= _unask(code, file, target, default)
    check_unused(code, target, point.name)
    tests += _raise_no_more(code, used, folder)
    said = list(said_elsewhere(code, point.name, folder))
    removing.drop_imports(code, target)
    removing.sweep(code, used | removing.remove(code, path, {word}), [folder])
    return change_of(code, point.name, f"Delete {point.name}, which nobody answers", [folder], tests, said)


def _raise_no_more(code: Code, names: set[str], folder: Path) -> list[str]:
    """Take errors that nothing raises any more out of what capabilities say they raise; return the tests that went."""
    tests: list[str] = []
    for name in names:
        found = code.definition(name)
        left = removing.uses(code, *found) if found and found[0].is_relative_to(folder) else []
        raised = [one for one in left if not code.is_test(one.file)]
        if raised and all(one.is_decorator for one in raised):
            tests += removing.remove_tests(code, name, lambda one: is_declared(code, one, folder))
            for one in raised:
                removing.remove_elements(code, one.file, {one.text}, "raises")
    return tests


def _unask(code: Code, file: Path, target: str, default: _Default) -> set[str]:
    """Say in a file what the default says, and return what was named there and is not any more. Raises ByHand."""
    here = [one for one in code.mentions(target) if one.file == file and not one.is_import]
    functions = {one.within for one in here}
    before = code.used_by(file, functions)
    source = Source(file, code.module(file).name, code.texts[file])
    asked = _Unasking({one.text for one in here}, default, source)
    is_taken = source.function(default.word) is not None
    source.tree = source.tree.visit(asked)
    if asked.is_called and (is_taken or default.is_moved):
        where = f"{source.name} has a {default.word} of its own" if is_taken else f"two files ask {default.word}"
        raise ByHand(f"{where}, and its default is more than an expression", remedy="make it a function by hand")
    if asked.is_called:
        source.append(default.as_function(source))
    code.texts[file] = source.text()
    return before - code.used_by(file, functions)


class _Default:
    """What a point says where nobody answers. package: of its pack."""

    def __init__(self, code: Code, path: Path, word: str) -> None:
        self.word = word
        self.is_moved = False  # to a file that calls it
        self._api = Source(path, code.module(path).name, code.texts[path])
        self._package = self._api.name.rpartition(".api")[0]
        found = self._api.function(word)
        assert found is not None
        self._function = found
        self._defined = set(code.module(path).defined)
        body = list(cast(cst.IndentedBlock, found.body).body)
        self._body = body[1 if found.get_docstring() is not None else 0 :]
        self.parameters = [one.name.value for one in found.params.params]

    @property
    def expression(self) -> cst.BaseExpression | None:
        """Return what it says where that is one expression without variables of its own."""
        if len(self._body) != 1 or not m.matches(self._body[0], m.SimpleStatementLine([m.Return()])):
            return None
        said = cast(cst.Return, cast(cst.SimpleStatementLine, self._body[0]).body[0]).value
        has_own = said is None or m.findall(said, m.CompFor() | m.Lambda() | m.NamedExpr() | m.Await())
        return None if has_own else said

    def said(self, arguments: Mapping[str, cst.BaseExpression], source: Source) -> cst.BaseExpression | None:
        """Return what it says of arguments, as it is written in a file; None where that would say one twice."""
        found = self.expression
        if found is None:
            return None
        times = {name: len(m.findall(found, m.Name(name))) for name in arguments}
        if any(times[name] > 1 and not _is_simple(one) for name, one in arguments.items()):
            return None
        if any(not times[name] and m.findall(one, m.Await()) for name, one in arguments.items()):
            return None
        if isinstance(found, cst.Name) and found.value in arguments:
            return arguments[found.value]
        return cast(cst.BaseExpression, self._written(found, source, arguments))

    def as_function(self, source: Source) -> str:
        """Return it as a plain function of a file."""
        self.is_moved = True
        plain = self._function.with_changes(decorators=[], leading_lines=[], lines_after_decorators=[])
        return cst.Module([]).code_for_node(cast(cst.FunctionDef, self._written(plain, source, {})))

    def _written(self, node: cst.CSTNode, source: Source, arguments: Mapping[str, cst.BaseExpression]) -> cst.CSTNode:
        hidden: set[str] = set() if arguments else {*self.parameters, self.word}
        brought = dict(self._api._aliases())
        names: dict[str, cst.BaseExpression] = {name: _held(one) for name, one in arguments.items()}
        for one in {cast(cst.Name, found).value for found in m.findall(node, m.Name())} - hidden - set(names):
            if one in self._defined:
                names[one] = cst.parse_expression(source.reach(Ref(module=f"{self._package}.api", name=one)))
            elif one in brought:
                module, _, plain = brought[one].rpartition(".")
                source._imports.append((module, plain, one if one != plain else None))
        return cast(cst.CSTNode, node.visit(_Names(names)))


class _Names(cst.CSTTransformer):
    """Puts expressions in place of names, not of attributes and keywords that are called the same."""

    def __init__(self, names: Mapping[str, cst.BaseExpression]) -> None:
        super().__init__()
        self._names = names

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> Any:
        return self._names.get(updated_node.value, updated_node)

    def leave_Attribute(self, original_node: cst.Attribute, updated_node: cst.Attribute) -> Any:
        return updated_node.with_changes(attr=original_node.attr)

    def leave_Arg(self, original_node: cst.Arg, updated_node: cst.Arg) -> Any:
        return updated_node.with_changes(keyword=original_node.keyword)


class _Unasking(cst.CSTTransformer):
    """Says what the default says where a point is asked, there or where its answer was handed down to."""

    def __init__(self, texts: set[str], default: _Default, source: Source) -> None:
        super().__init__()
        self.is_called = False  # the default is called as a function of the file
        self._texts = texts
        self._default = default
        self._source = source
        self._handed: list[str] = []  # parameters of the functions around that held the answer
        self._quoted = 0  # f-strings around, in which Python 3.11 takes no other text

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        named = [one.name.value for one in _parameters(node) if one.default and self._is_point(one.default)]
        self._handed.append(named[0] if named else "")

    def leave_FunctionDef(self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef) -> Any:
        name = self._handed.pop()
        found = _without_verdict(updated_node) if not updated_node.deep_equals(original_node) else updated_node
        if not name:
            return found
        params = found.params
        kept = [one for one in params.params if one.name.value != name]
        only = [one for one in params.kwonly_params if one.name.value != name]
        star = params.star_arg if only else cst.MaybeSentinel.DEFAULT
        found = found.with_changes(
            params=params.with_changes(
                params=removing.closed(params.params, kept),
                kwonly_params=removing.closed(params.kwonly_params, only),
                star_arg=star,
            )
        )
        if m.findall(found.body, m.Name(name)):
            raise ByHand(
                f"{self._source.name}.{found.name.value} keeps {name}", remedy="let it call it, or do it by hand"
            )
        return found

    def visit_FormattedString(self, node: cst.FormattedString) -> None:
        self._quoted += 1

    def leave_FormattedString(self, original_node: cst.FormattedString, updated_node: Any) -> Any:
        self._quoted -= 1
        return updated_node

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> Any:
        kept = [one for one in updated_node.args if not self._hands_down(one)]
        if len(kept) < len(updated_node.args):
            updated_node = updated_node.with_changes(args=removing.closed(updated_node.args, kept))
        if not self._asks(original_node.func):
            return updated_node
        said = self._default.said(self._arguments(updated_node), self._source)
        if said is not None and not (self._quoted and m.findall(said, m.SimpleString() | m.FormattedString())):
            return said
        self.is_called = True
        return updated_node.with_changes(func=cst.Name(self._default.word))

    def leave_Await(self, original_node: cst.Await, updated_node: cst.Await) -> Any:
        is_said = isinstance(original_node.expression, cst.Call) and self._asks(original_node.expression.func)
        return updated_node.expression if is_said and not self.is_called else updated_node

    def leave_SimpleStatementLine(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> Any:
        return (
            cst.RemoveFromParent() if _says_itself(updated_node) and not _says_itself(original_node) else updated_node
        )

    def _arguments(self, call: cst.Call) -> dict[str, cst.BaseExpression]:
        if any(one.star for one in call.args):
            raise ByHand(f"{self._source.name} asks {self._default.word} with *", remedy="write the arguments out")
        plain = [one.value for one in call.args if one.keyword is None]
        named = {one.keyword.value: one.value for one in call.args if one.keyword is not None}
        return dict(zip(self._default.parameters, plain, strict=False)) | named

    def _asks(self, function: cst.CSTNode) -> bool:
        """Tell whether what is called is the answer: `ctx.answer(point)`, the point itself, or what was handed down."""
        if m.matches(function, m.Name()) and self._handed:
            return cast(cst.Name, function).value in [one for one in self._handed if one]
        return self._is_answer(function) or self._is_point(function)

    def _hands_down(self, argument: cst.Arg) -> bool:
        if argument.keyword is None:
            return False
        value = argument.value
        is_parameter = isinstance(value, cst.Name) and value.value in [one for one in self._handed if one]
        return self._is_answer(value) or self._is_point(value) or is_parameter

    def _is_answer(self, node: cst.CSTNode) -> bool:
        is_asked = m.matches(node, m.Call(func=m.Attribute(attr=m.Name("answer")), args=[m.Arg()]))
        return is_asked and self._is_point(cast(cst.Call, node).args[0].value)

    def _is_point(self, node: cst.CSTNode) -> bool:
        return isinstance(node, cst.Name | cst.Attribute) and _text(node) in self._texts


def _without_verdict(function: cst.FunctionDef) -> cst.FunctionDef:
    """Take out a refusal that cannot come any more: `verdict = ALLOW`, and `if not verdict.is_allowed:` behind it."""
    body = list(cast(cst.IndentedBlock, function.body).body)
    for line in body:
        allowed = m.Assign(targets=[m.AssignTarget(m.Name())], value=m.Name("ALLOW"))
        if not m.matches(line, m.SimpleStatementLine([allowed])):
            continue
        assign = cast(cst.Assign, cast(cst.SimpleStatementLine, line).body[0])
        name = cast(cst.Name, assign.targets[0].target).value
        refused = m.UnaryOperation(m.Not(), m.Attribute(m.Name(name), m.Name("is_allowed")))
        held = [one for one in body if m.matches(one, m.If(test=refused, orelse=None))]
        inside = sum(len(m.findall(one, m.Name(name))) for one in held)
        if held and len(m.findall(function, m.Name(name))) == inside + 1:
            body = [one for one in body if one is not line and one not in held]
    return function.with_changes(body=function.body.with_changes(body=body))


def _parameters(function: cst.FunctionDef) -> Sequence[cst.Param]:
    return (*function.params.params, *function.params.kwonly_params)


def _says_itself(line: cst.SimpleStatementLine) -> bool:
    """Tell whether a line gives a variable the value that it has."""
    one = line.body[0] if len(line.body) == 1 else None
    if not isinstance(one, cst.Assign) or len(one.targets) != 1 or not isinstance(one.value, cst.Name):
        return False
    return m.matches(one.targets[0].target, m.Name(one.value.value))


def _is_simple(node: cst.BaseExpression) -> bool:
    return isinstance(node, cst.Name | cst.Attribute | cst.Integer | cst.SimpleString)


def _held(node: cst.BaseExpression) -> cst.BaseExpression:
    """Return an expression in brackets, where it would read otherwise in another."""
    is_one = isinstance(node, cst.Name | cst.Attribute | cst.Call | cst.Subscript | cst.Integer | cst.SimpleString)
    is_one = is_one or isinstance(node, cst.Tuple | cst.List | cst.Dict) or bool(node.lpar)
    return node if is_one else node.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])


def _text(node: cst.CSTNode) -> str:
    return cst.Module([]).code_for_node(node)
