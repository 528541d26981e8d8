"""Branches of the platform's code that can be taken apart by rule: which value they change, for whom, from what.

if any(line.sku == "wine" for line in ask.lines):        width = 40 if ask.subject == "poster" else 20
    minor += 25                                          (and as `if` and `else`, or as two returns)
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import libcst as cst
from libcst import matchers as m
from libcst.metadata import MetadataWrapper, ParentNodeProvider, PositionProvider

from isthmus.kernel import encode

from .code import ByHand, parameters_of, statements
from .seen import Place

IDENTITY: Final = m.Attribute(attr=m.Name("front_end"))  # `ctx.front_end == …`: whose answer it is says that
TURNED: Final[Mapping[type[cst.BaseCompOp], type[cst.BaseCompOp]]] = {
    cst.Equal: cst.NotEqual,
    cst.NotEqual: cst.Equal,
    cst.In: cst.NotIn,
    cst.NotIn: cst.In,
    cst.Is: cst.IsNot,
    cst.IsNot: cst.Is,
    cst.LessThan: cst.GreaterThanEqual,
    cst.GreaterThanEqual: cst.LessThan,
    cst.GreaterThan: cst.LessThanEqual,
    cst.LessThanEqual: cst.GreaterThan,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A branch of the platform that one front end alone takes. first, last: lines of its body.

    otherwise: what the value is for others, where the branch says so; else it stays as it came. is_returned: the
    function returns the value, which is called as the function is.
    """

    file: Path
    line: int
    first: int
    last: int
    function: str
    value: str  # the one variable that it changes
    reads: tuple[str, ...]  # variables that it reads, the value first
    condition: cst.BaseExpression | None  # None: it asks for the front end by name
    body: tuple[cst.BaseStatement, ...]
    comment: str
    whole: str  # as it is written
    otherwise: cst.BaseExpression | None = None
    is_returned: bool = False
    is_within: bool = False  # it is the `else` or `elif` of another

    @property
    def place(self) -> str:
        """Return where to look while calls run, as it goes on a command line."""
        asked = "" if self.otherwise is None or self.condition is None else text_of(self.condition)
        found = Place(
            file=str(self.file),
            line=self.line,
            first=self.first,
            last=self.last,
            value=self.value,
            condition=asked,
            otherwise=text_of(self.otherwise) if self.otherwise is not None else "",
        )
        return encode(found).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice:
    """A value that is one thing or another: in which statements, of what, and what is written there."""

    nodes: tuple[Any, ...]
    test: cst.BaseExpression
    value: str
    then: cst.BaseExpression
    otherwise: cst.BaseExpression
    is_returned: bool


def branch_at(file: Path, line: int, *, holds: bool = True) -> Branch:
    """Return the branch at a line that is taken where its condition holds, or does not. Raises ByHand."""
    wrapper = MetadataWrapper(cst.parse_module(file.read_text()))
    positions, parents = wrapper.resolve(PositionProvider), wrapper.resolve(ParentNodeProvider)
    known = [one for one in m.findall(wrapper.module, m.If()) if positions[one].start.line == line]
    at = [
        one for one in m.findall(wrapper.module, m.IfExp()) if positions[cast(cst.IfExp, one).test].start.line == line
    ]
    if not known and len(at) != 1:
        raise ByHand(f"there is no `if` at {file}:{line}", remedy="lift it by hand: docs/guides/thin.md")
    node = cast(Any, known[0] if known else at[0])
    function = _function_of(node, parents)
    choice = _choice(node, parents, function)
    if choice is None and not isinstance(node, cst.If):
        raise ByHand(f"the `if` at {file}:{line} is within something else", remedy="give it a variable, and lift that")
    of_module = _of_module(wrapper.module) - set(parameters_of(function))
    if choice is not None:
        return _chosen(choice, holds, file, line, function.name.value, of_module, positions, parents)
    if not holds:
        raise ByHand(f"the branch at {file}:{line} is what others take", remedy="turn it round, and lift that")
    if node.orelse is not None or m.findall(node.body, m.Return() | m.Await() | m.Raise() | m.Yield()):
        raise ByHand(f"the branch at {file}:{line} does more than change a value", remedy="lift it by hand")
    body = cast("tuple[cst.BaseStatement, ...]", node.body.body)
    changed = _changed(node.body)
    if len(changed) != 1 or not next(iter(changed)).isidentifier():
        what = ", ".join(sorted(changed)) or "no variable"
        raise ByHand(f"the branch at {file}:{line} changes {what}", remedy="make it change one, and lift that")
    (value,) = changed
    condition = None if m.findall(node.test, IDENTITY) else node.test
    taken = [one for one in (condition, node.body) if one is not None]
    reads = [name for name in dict.fromkeys(names(taken)) if name not in of_module]
    spans = [positions[one] for one in body]
    return Branch(
        file=file,
        line=line,
        first=spans[0].start.line,
        last=spans[-1].end.line,
        function=function.name.value,
        value=value,
        reads=(value, *(one for one in reads if one != value)),
        condition=condition,
        body=body,
        comment=_comment(node),
        whole=text_of(node).strip(),
        is_within=isinstance(parents[node], cst.If),
    )


def _choice(node: Any, parents: Mapping[cst.CSTNode, Any], function: cst.FunctionDef) -> _Choice | None:
    """Return the two values of a conditional expression that is all of a statement, or of two statements alike."""
    if isinstance(node, cst.IfExp):
        line = parents[node]
        if not isinstance(line, cst.Assign | cst.AnnAssign | cst.Return) or line.value is not node:
            return None
        return _made((parents[line],), node.test, (line, line), (node.body, node.orelse), function)
    then = _only(node.body)
    if isinstance(node.orelse, cst.Else):
        other, nodes = _only(node.orelse.body), (node,)
    elif node.orelse is None and isinstance(then, cst.Return):
        around = list(parents[node].body) if not isinstance(parents[node], cst.If) else []
        behind = around[around.index(node) + 1 :] if node in around else []
        last: Any = behind[0].body[0] if behind and isinstance(behind[0], cst.SimpleStatementLine) else None
        other, nodes = last, (node, *behind[:1])
    else:
        return None
    if then is None or other is None or type(then) is not type(other):
        return None
    return _made(nodes, node.test, (then, other), (then.value, other.value), function)


def _made(
    nodes: tuple[Any, ...], test: Any, lines: tuple[Any, Any], values: tuple[Any, Any], function: cst.FunctionDef
) -> _Choice | None:
    """Return a choice between two values of one variable, or of what is returned; None where it is none."""
    value, same = (_given(one, function) for one in lines)
    if not value or value != same or None in values:
        return None
    is_returned = isinstance(lines[0], cst.Return)
    return _Choice(nodes=nodes, test=test, value=value, then=values[0], otherwise=values[1], is_returned=is_returned)


def _only(body: Any) -> Any:
    """Return the statement of a body that has one; None where it has more, or is none that gives a value."""
    lines = list(body.body)
    small = lines[0].body if len(lines) == 1 and isinstance(lines[0], cst.SimpleStatementLine) else ()
    return small[0] if len(small) == 1 and isinstance(small[0], cst.Assign | cst.Return) else None


def _given(line: Any, function: cst.FunctionDef) -> str:
    """Return the variable that a statement gives its value to; of what is returned, the function's name."""
    if isinstance(line, cst.Return):
        return function.name.value if function.returns is not None else ""
    targets = [one.target for one in line.targets] if isinstance(line, cst.Assign) else [line.target]
    return targets[0].value if len(targets) == 1 and isinstance(targets[0], cst.Name) else ""


def _chosen(
    choice: _Choice,
    holds: bool,
    file: Path,
    line: int,
    function: str,
    of_module: set[str],
    positions: Mapping[cst.CSTNode, Any],
    parents: Mapping[cst.CSTNode, Any],
) -> Branch:
    """Return a choice as the branch that one front end takes. Raises ByHand."""
    own, otherwise = (choice.then, choice.otherwise) if holds else (choice.otherwise, choice.then)
    if m.findall(own, m.Await() | m.Yield()) or m.findall(otherwise, m.Await() | m.Yield()):
        raise ByHand(f"the branch at {file}:{line} does more than choose a value", remedy="lift it by hand")
    condition = None if m.findall(choice.test, IDENTITY) else choice.test if holds else turned_round(choice.test)
    taken = [one for one in (condition, own) if one is not None]
    reads = [name for name in dict.fromkeys(names(taken)) if name not in of_module]
    if choice.value in reads and text_of(otherwise) != choice.value:
        raise ByHand(f"the branch at {file}:{line} reads {choice.value} as it was", remedy="give that another name")
    nodes = choice.nodes
    return Branch(
        file=file,
        line=line,
        first=positions[nodes[0]].start.line,
        last=positions[nodes[-1]].end.line,
        function=function,
        value=choice.value,
        reads=(choice.value, *(one for one in reads if one != choice.value)),
        condition=condition,
        body=tuple(statements(f"{choice.value} = {text_of(own)}\n")),
        comment=_comment(nodes[0]) if isinstance(nodes[0], cst.If) else "",
        whole="".join(text_of(one) for one in nodes).strip(),
        otherwise=otherwise,
        is_returned=choice.is_returned,
        is_within=isinstance(parents[nodes[0]], cst.If),
    )


def turned_round(test: cst.BaseExpression) -> cst.BaseExpression:
    """Return a condition that holds where this one does not, as a person writes it."""
    if isinstance(test, cst.UnaryOperation) and isinstance(test.operator, cst.Not):
        return test.expression
    if isinstance(test, cst.Comparison) and len(test.comparisons) == 1:
        (one,) = test.comparisons
        other = TURNED.get(type(one.operator))
        if other is not None:
            return test.with_changes(comparisons=[one.with_changes(operator=other())])
    said = text_of(test)
    is_plain = isinstance(test, cst.Name | cst.Attribute | cst.Call | cst.Subscript)
    return cst.parse_expression(f"not {said}" if is_plain else f"not ({said})")


def _function_of(node: cst.CSTNode, parents: Mapping[cst.CSTNode, Any]) -> cst.FunctionDef:
    above = parents[node]
    while not isinstance(above, cst.FunctionDef):
        if isinstance(above, cst.Module):
            raise ByHand("the branch is in no function", remedy="lift it by hand")
        above = parents[above]
    return above


def _changed(body: cst.CSTNode) -> set[str]:
    """Return what statements give a value to: variables, and anything else as it is written."""
    targets = [cast(cst.AssignTarget, one).target for one in m.findall(body, m.AssignTarget())]
    targets += [cast(Any, one).target for one in m.findall(body, m.AugAssign() | m.AnnAssign())]
    single = [one for target in targets for one in _targets(target)]
    return {one.value if isinstance(one, cst.Name) else text_of(one) for one in single}


def _targets(target: cst.CSTNode) -> list[cst.CSTNode]:
    return [one.value for one in target.elements] if isinstance(target, cst.Tuple | cst.List) else [target]


def names(nodes: list[Any]) -> list[str]:
    found: list[str] = []
    for node in nodes:
        bound = {cast(Any, one).target.value for one in m.findall(node, m.CompFor(target=m.Name()))}
        attributes = {id(cast(cst.Attribute, one).attr) for one in m.findall(node, m.Attribute())}
        keywords = {id(cast(cst.Arg, one).keyword) for one in m.findall(node, m.Arg()) if cast(cst.Arg, one).keyword}
        for one in m.findall(node, m.Name()):
            name = cast(cst.Name, one).value
            if id(one) not in attributes | keywords and name not in bound and not hasattr(builtins, name):
                found.append(name)
    return found


def _of_module(module: cst.Module) -> set[str]:
    """Return the names that a module has of its own: imports, functions, classes, constants."""
    found: set[str] = set()
    for one in module.body:
        if isinstance(one, cst.FunctionDef | cst.ClassDef):
            found.add(one.name.value)
            continue
        found |= {cast(cst.Name, name).value for name in m.findall(one, m.Name())}
    return found


def _comment(node: cst.If) -> str:
    """Return what a person wrote beside the branch, as the first sentence of the answer."""
    trailing = node.body.header.comment if isinstance(node.body, cst.IndentedBlock) else None
    above = [one.comment for one in node.leading_lines if one.comment]
    comment = trailing or (above[-1] if above else None)
    text = comment.value.lstrip("# ").strip() if comment else ""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""


def text_of(node: Any) -> str:
    if isinstance(node, cst.IndentedBlock):
        return "".join(text_of(one) for one in node.body).strip()
    return cst.Module([]).code_for_node(node)
