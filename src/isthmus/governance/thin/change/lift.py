"""Let what one front end alone uses become its own answer: the branch becomes a question, and its body the answer.

    if any(line.sku == "wine" for line in ask.lines):        minor = ctx.answer(api.adjust_minor)(minor, ask)
        minor += 25                                    →

with `adjust_minor` returning `minor` as it came, unless the front end says otherwise, as the branch did.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import libcst as cst
from libcst import matchers as m
from libcst.metadata import MetadataWrapper, PositionProvider

from isthmus.kernel import Pack

from . import parts
from .branches import Branch, names, text_of
from .code import CONTEXT, ByHand, Question, Source, asking, hand_down, statements
from .seam import Change, default_test
from .seen import Example, Seen
from .words import NotSayable, Ref, Words, of_annotation


def lift(branch: Branch, seen: Seen, code: str, folder: Path, pack: Pack, root: Path, named: str = "") -> Change:
    """Return the change that makes a branch the answer of a front end. Raises ByHand, NotSayable."""
    if CONTEXT in branch.reads:
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
        doc=f"Replace what `{where}` says. Default: it stays as it is."
        if branch.is_returned
        else f"Replace the {what} of `{where}`. Default: it stays as it is.",
    )


def _type_of(name: str, branch: Branch, seen: Seen, source: Source) -> Words:
    """Return the type of a variable: as its function writes it, else as recorded calls showed it."""
    function = cast(cst.FunctionDef, source.function(branch.function))
    written = next((one.annotation for one in function.params.params if one.name.value == name), None)
    if branch.is_returned and name == branch.value:
        written = function.returns
    if written is not None:
        known = cast("Mapping[str, Any]", vars(importlib.import_module(source.name)))
        return of_annotation(source.tree.code_for_node(written.annotation), known)
    if name not in seen.types:
        raise NotSayable(f"nothing recorded shows the type of {name!r}", remedy="record more calls, or lift it by hand")
    return seen.types[name]


def _asked(branch: Branch, source: Source, question: Question, package: str) -> None:
    """Put the question in place of the branch."""
    function = cast(cst.FunctionDef, source.function(branch.function))
    held = MetadataWrapper(source.tree, unsafe_skip_copy=True).resolve(PositionProvider)
    first = _first(branch)
    at = [cast(Any, one) for one in m.findall(function, m.If() | m.SimpleStatementLine()) if _is(one, first)]
    near = min(at, key=lambda one: abs(held[one].start.line - branch.line))
    asks = asking(source, function, question, package)
    others = text_of(branch.otherwise) if branch.otherwise is not None else branch.value
    given = ", ".join([others, *list(question.parameters)[1:]])
    (line,) = statements(f"{'return' if branch.is_returned else f'{branch.value} ='} {asks}({given})\n")
    if branch.is_within:
        line = cst.Else(cst.IndentedBlock([line]))
    behind = _behind(function, near) if _is_of_two(branch) else None
    source.replace(near, line.with_changes(leading_lines=_spaces(near)))
    if behind is not None:
        source.tree = cast(cst.Module, source.tree.deep_remove(behind))


def _first(branch: Branch) -> str:
    """Return the first statement of a branch, as it is written."""
    body = cst.parse_module(f"{branch.whole}\n").body
    return text_of(body[0]).strip() if not branch.is_within else branch.whole


def _is(node: Any, text: str) -> bool:
    return text_of(node.with_changes(leading_lines=[])).strip() == text


def _is_of_two(branch: Branch) -> bool:
    """Tell whether a branch is an `if` that returns, and the return behind it."""
    return not branch.is_within and len(cst.parse_module(f"{branch.whole}\n").body) > 1


def _behind(function: cst.FunctionDef, node: Any) -> Any:
    blocks = [cast(cst.IndentedBlock, one) for one in m.findall(function, m.IndentedBlock())]
    body = next(list(one.body) for one in blocks if node in one.body)
    return body[body.index(node) + 1]


def _spaces(node: Any) -> list[Any]:
    """Return the blank lines above a statement; what is said there of the branch goes with it."""
    return [one for one in node.leading_lines if one.comment is None]


def _answered(branch: Branch, source: Source, folder: Path, question: Question, package: str) -> dict[Path, str]:
    """Write the answer at the end of the front end's answers, and list it."""
    own = parts.front_end_source(folder, "answers.py")
    asked = own.reach(Ref(module=f"{package}.api", name=question.python))
    said = ", ".join(f"{name}: {own.say(kind)}" for name, kind in question.parameters.items())
    inner = _returning(branch)
    if branch.condition is not None:
        inner = f"if {text_of(branch.condition)}:\n{_indented(inner)}"
    doc = branch.comment or f"Change the {branch.value.replace('_', ' ')} as the platform did for this front end alone."
    name = _answer_name(branch)
    used = set(names([one for one in (branch.condition, *branch.body) if one is not None])) - set(branch.reads)
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
        return f"return {text_of(line.body[0].value)}\n"
    return "".join(text_of(one) for one in branch.body)


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


def _indented(text: str) -> str:
    return "".join(f"    {line}" if line.strip() else line for line in text.splitlines(keepends=True))
