"""Let what one front end alone uses become its own answer: the branch becomes a question, and its body the answer.

    if any(line.sku == "wine" for line in ask.lines):        minor = ctx.answer(api.adjust_minor)(minor, ask)
        minor += 25                                    →

with `adjust_minor` returning `minor` as it came, unless the front end says otherwise, as the branch did.
"""

from __future__ import annotations

import builtins
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import libcst as cst
from libcst import matchers as m
from libcst.metadata import MetadataWrapper, ParentNodeProvider, PositionProvider

from isthmus.kernel import Pack

from . import parts
from .code import ByHand, Question, Source, asking, hand_down, parameters_of, statements
from .seam import Change, default_test
from .seen import Example, Seen
from .words import NotSayable, Ref, Words, of_annotation

IDENTITY: Final = m.Attribute(attr=m.Name("front_end"))  # `ctx.front_end == …`: whose answer it is says that


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A branch of the platform that one front end alone takes. first, last: lines of its body."""

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

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}:{self.first}:{self.last}"


def branch_at(file: Path, line: int) -> Branch:
    """Return the branch at a line. Raises ByHand for one that is more than an `if` that changes one variable."""
    wrapper = MetadataWrapper(cst.parse_module(file.read_text()))
    positions, parents = wrapper.resolve(PositionProvider), wrapper.resolve(ParentNodeProvider)
    found = [one for one in m.findall(wrapper.module, m.If()) if positions[one].start.line == line]
    if not found:
        raise ByHand(f"there is no `if` at {file}:{line}", remedy="lift it by hand: docs/guides/thin.md")
    node = cast(cst.If, found[0])
    function = _function_of(node, parents)
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
    known = _of_module(wrapper.module) - set(parameters_of(function))
    reads = [name for name in dict.fromkeys(_names(taken)) if name not in known]
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
    )


def lift(branch: Branch, seen: Seen, code: str, folder: Path, pack: Pack, root: Path, named: str = "") -> Change:
    """Return the change that makes a branch the answer of a front end. Raises ByHand, NotSayable."""
    if "ctx" in branch.reads:
        raise ByHand(f"the branch at {branch.file}:{branch.line} uses the context", remedy="lift it by hand")
    files = parts.PackFiles.of(pack.api.__name__)
    sources = files.sources()
    before = {one.path: one.text() for one in sources}
    source = next(one for one in sources if one.path == branch.file.resolve())
    question = _question(branch, seen, source, pack.name, named)
    parts.declare(sources, files.package, question)
    _asked(branch, source, question, files.package)
    hand_down(sources, branch.function, question, files.package)
    own = _answered(branch, source, folder, question, files.package)
    platform = parts.changed(sources, before) | parts.raised_budget(root / parts.BUDGETS, pack.name)
    platform |= default_test(root, question, files.package)
    tests = _own_test(seen.examples.get(code, ()), folder, question, _answer_name(branch))
    return Change(
        name=question.name,
        title=f"Let {code} answer {question.name}",
        platform=platform,
        front_end={**own, **tests},
        folders=(files.folder, folder),
    )


def _question(branch: Branch, seen: Seen, source: Source, pack: str, named: str) -> Question:
    name = named or f"{pack}.adjust-{branch.value.replace('_', '-')}"
    if name.partition(".")[0] != pack:
        raise ByHand(f"{name!r} is no question of {pack}, which has the branch", remedy=f"name it {pack}.…")
    kinds = {one: _type_of(one, branch, seen, source) for one in branch.reads}
    what = branch.value.replace("_", " ")
    where = branch.function.replace("_", " ")
    return Question(
        name=name,
        parameters=kinds,
        returns=kinds[branch.value],
        doc=f"Replace the {what} of `{where}`. Default: it stays as it is.",
    )


def _type_of(name: str, branch: Branch, seen: Seen, source: Source) -> Words:
    """Return the type of a variable: as its function writes it, else as recorded calls showed it."""
    function = cast(cst.FunctionDef, source.function(branch.function))
    written = next((one.annotation for one in function.params.params if one.name.value == name), None)
    if written is not None:
        names = cast("Mapping[str, Any]", vars(importlib.import_module(source.name)))
        return of_annotation(source.tree.code_for_node(written.annotation), names)
    if name not in seen.types:
        raise NotSayable(f"nothing recorded shows the type of {name!r}", remedy="record more calls, or lift it by hand")
    return seen.types[name]


def _asked(branch: Branch, source: Source, question: Question, package: str) -> None:
    """Put the question in place of the branch."""
    function = cast(cst.FunctionDef, source.function(branch.function))
    wrapper = MetadataWrapper(source.tree, unsafe_skip_copy=True)
    held = wrapper.resolve(PositionProvider)
    at = [one for one in m.findall(function, m.If()) if _text(cast(cst.If, one).body) == _body(branch)]
    near = min(at, key=lambda one: abs(held[one].start.line - branch.line))
    asks = asking(source, function, question, package)
    line = statements(f"{branch.value} = {asks}({', '.join(question.parameters)})\n")[0]
    source.replace(near, line)


def _answered(branch: Branch, source: Source, folder: Path, question: Question, package: str) -> dict[Path, str]:
    """Write the answer at the end of the front end's answers, and list it."""
    own = parts.front_end_source(folder, "answers.py")
    asked = own.reach(Ref(module=f"{package}.api", name=question.python))
    said = ", ".join(f"{name}: {own.say(kind)}" for name, kind in question.parameters.items())
    inner = _returning(branch)
    if branch.condition is not None:
        inner = f"if {_text(branch.condition)}:\n{_indented(inner)}"
    doc = branch.comment or f"Change the {branch.value.replace('_', ' ')} as the platform did for this front end alone."
    name = _answer_name(branch)
    used = set(_names([one for one in (branch.condition, *branch.body) if one is not None])) - set(branch.reads)
    parts.bring(used, source, own)
    returned = "" if inner.startswith("return ") else f"return {branch.value}\n"
    own.append(
        f"@{own.need('isthmus.kernel', 'answers')}({asked})\n"
        f"def {name}({said}) -> {own.say(question.returns)}:\n"
        + _indented(f'"""{doc}"""\n{inner.rstrip()}\n{returned}')
    )
    manifest = parts.listed(folder, name)
    return {own.path: own.text(), manifest.path: manifest.text()}


def _returning(branch: Branch) -> str:
    """Return the body as an answer has it: where it gives the variable a value at once, that value is returned."""
    line = branch.body[0]
    if len(branch.body) == 1 and isinstance(line, cst.SimpleStatementLine) and isinstance(line.body[0], cst.Assign):
        return f"return {_text(line.body[0].value)}\n"
    return "".join(_text(one) for one in branch.body)


def _own_test(examples: tuple[Example, ...], folder: Path, question: Question, answer: str) -> dict[Path, str]:
    """Return a test of the answer on what recorded calls had there; none where they had nothing that can be written."""
    usable = [one for one in examples if set(question.parameters) <= set(one.before) and question.value in one.after]
    if not usable:
        return {}
    path = folder / f"test_{answer}.py"
    test = Source(path, "", f'"""{answer}, on values that recorded calls had when the platform decided it."""\n')
    home = test.reach(Ref(module=f"{folder.parent.name}.{folder.name}.answers", name=answer))
    lines = [f"def test_{answer}_decides_as_the_platform_did() -> None:"]
    for one in usable:
        given = ", ".join(test.say(one.before[name]) for name in question.parameters)
        lines.append(f"    assert {home}({given}) == {test.say(one.after[question.value])}")
    test.append("\n".join(lines) + "\n")
    return {path: test.text()}


def _answer_name(branch: Branch) -> str:
    return f"own_{branch.value}"


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
    return {one.value if isinstance(one, cst.Name) else _text(one) for one in single}


def _targets(target: cst.CSTNode) -> list[cst.CSTNode]:
    return [one.value for one in target.elements] if isinstance(target, cst.Tuple | cst.List) else [target]


def _names(nodes: list[Any]) -> list[str]:
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


def _body(branch: Branch) -> str:
    return "".join(_text(one) for one in branch.body).strip()


def _text(node: Any) -> str:
    if isinstance(node, cst.IndentedBlock):
        return "".join(_text(one) for one in node.body).strip()
    return cst.Module([]).code_for_node(node)


def _indented(text: str) -> str:
    return "".join(f"    {line}" if line.strip() else line for line in text.splitlines(keepends=True))
