"""Let a setting that one front end alone has become its answer to a question of whoever reads it.

    size = ctx.plan.settings.get("till.receipt", "short")        size = ctx.answer(api.receipt)()
                                                            →
with `receipt` returning "short", unless the front end says otherwise, as its setting did.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import libcst as cst
from libcst import matchers as m

from isthmus.kernel import FrontEnd, Pack
from isthmus.runtime.deploy.loading import MANIFEST

from . import parts, removing
from .code import CONTEXT, ByHand, Question, Source
from .delete import folder_of, tests_of
from .named import Code, Module
from .seam import POINTS_MAX, Change
from .words import Ref, Words, of_value

READ: Final = f"{CONTEXT}.plan.settings.get"  # how implementations read a setting


@dataclass(frozen=True, slots=True)
class Read:
    """A place that reads a setting. key, default: as it writes them; an empty default is none."""

    file: Path
    line: int
    key: str
    default: str


def lift_setting(
    code: Code, key: str, front_end: FrontEnd, folder: Path, packs: Mapping[str, Pack], root: Path, named: str = ""
) -> Change:
    """Return the change that makes a front end's setting its answer. Raises ByHand."""
    if any(key in child.settings for child in front_end.children):
        raise ByHand(f"a part of {front_end.code} has a {key!r} of its own", remedy="lift it by hand")
    found = [(pack, one) for pack in packs.values() for one in reads_of(code, pack, key)]
    owners = {pack.name for pack, _ in found}
    if len(owners) != 1:
        who = ", ".join(sorted(owners)) or "no pack that is changed here"
        raise ByHand(f"{key!r} is read by {who}", remedy=f"let one pack read it, as {READ}(…), or lift it by hand")
    pack, reads = found[0][0], [one for _, one in found]
    if len({one.default for one in reads}) > 1:
        said = " and ".join(sorted({one.default or "nothing" for one in reads}))
        raise ByHand(f"{key!r} is read with {said} for who has none", remedy="let all readers take one default")
    check_all(code, key, reads, [folder])
    if len(pack.extension_points()) >= POINTS_MAX:
        raise ByHand(
            f"{pack.name} has {len(pack.extension_points())} extension points", remedy="retire one, or do it by hand"
        )
    question, default = _question(code, pack, key, reads, named)
    package, used = _asked(code, pack, reads, question)
    removing.sweep(code, used, [folder_of(pack)])
    value = of_value(front_end.settings[key])
    tests = _own(code, folder, question, package, key, value)
    removing.drop_unused_imports(code)
    beside = root / "tests" / "packs" / package.rpartition(".")[2]
    path = (beside if beside.is_dir() else root / "tests") / f"test_{question.python}.py"
    test = Source(path, "", f'"""{question.name}: where nobody answers, it is as it was."""\n')
    asked = test.reach(Ref(module=f"{package}.api", name=question.python))
    test.append(
        f"def test_what_is_said_where_nobody_answers() -> None:\n    assert {asked}() {_equal(test.say(default))}\n"
    )
    budget = parts.raised_budget(root / parts.BUDGETS, pack.name)
    return Change(
        name=question.name,
        title=f"Let {front_end.code} answer {question.name}",
        platform={**code.written, path: test.text(), **budget},
        front_end=tests,
        folders=(folder_of(pack), folder),
        gone=code.gone,
        tests=(*tests_of(code, [folder_of(pack), folder]), path, *tests),
    )


def reads_of(code: Code, pack: Pack, key: str) -> Iterator[Read]:
    """Yield where the code of a pack reads a setting by its key; what the platform makes at its start has none."""
    if getattr(pack.api, "__file__", None) is None:
        return
    folder = folder_of(pack)
    for path in code.texts:
        if not path.is_relative_to(folder) or "settings" not in code.texts[path]:
            continue
        module = code.module(path)
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.Call) or ast.unparse(node.func) != READ or not node.args:
                continue
            if _said(code, module, node.args[0]) == key:
                default = ast.unparse(node.args[1]) if len(node.args) > 1 else ""
                yield Read(path, node.lineno, ast.unparse(node.args[0]), default)


def _said(code: Code, module: Module, node: ast.expr) -> object:
    """Return the text that an expression is: one that is written there, or a constant of some module."""
    if isinstance(node, ast.Constant):
        return node.value
    first, *rest = ast.unparse(node).split(".")
    base = f"{module.name}.{first}" if first in module.defined else module.brought.get(first, "")
    found = code.definition(code.home(".".join([base, *rest]))) if base else None
    statement = code.module(found[0]).defined[found[1]] if found else None
    value = statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) else None
    return value.value if isinstance(value, ast.Constant) else None


def check_all(code: Code, key: str, reads: list[Read], folders: Sequence[Path]) -> None:
    """Raise ByHand where something else than these reads and the manifests of front ends names the key."""
    lines = {(one.file, one.line) for one in reads}
    manifests = {(one / MANIFEST).resolve() for one in folders}
    for path, text in code.texts.items():
        if key not in text or path in manifests:
            continue
        module = code.module(path)
        constants = {id(one.value) for one in module.defined.values() if isinstance(one, ast.Assign | ast.AnnAssign)}
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.Constant) or node.value != key or id(node) in constants:
                continue
            if (path, node.lineno) not in lines:
                raise ByHand(
                    f"{path.relative_to(code.root)}:{node.lineno} names {key!r}", remedy="let that do without it first"
                )
        _check_constants(code, module, path, key, reads)


def _check_constants(code: Code, module: Module, path: Path, key: str, reads: list[Read]) -> None:
    lines = {(one.file, one.line) for one in reads}
    for word, made in module.defined.items():
        value = made.value if isinstance(made, ast.Assign | ast.AnnAssign) else None
        if isinstance(value, ast.Constant) and value.value == key:
            for one in removing.uses(code, path, word):
                if (one.file, one.line) not in lines:
                    raise ByHand(f"{code.where(one)} names {word}", remedy="let that do without the setting first")


def _question(code: Code, pack: Pack, key: str, reads: list[Read], named: str) -> tuple[Question, Words]:
    """Return the question, and what it says where nobody answers. Raises ByHand."""
    last = key.rpartition(".")[2].replace("_", "-")
    name = named or f"{pack.name}.{last}"
    if name.partition(".")[0] != pack.name:
        raise ByHand(
            f"{name!r} is no question of {pack.name}, which reads the setting", remedy=f"name it {pack.name}.…"
        )
    python = name.partition(".")[2].replace("-", "_")
    if not python.isidentifier() or hasattr(pack.api, python):
        raise ByHand(f"{pack.name} has a {python} already", remedy=f"name it otherwise: --as {pack.name}.…")
    text = reads[0].default
    module = code.module(reads[0].file)
    value = _said(code, module, ast.parse(text, mode="eval").body) if text else None
    if text and value is None:
        raise ByHand(f"{text} is no plain text that stands for who has no {key!r}", remedy="lift it by hand")
    default = of_value(value)
    kind = Words(text="str" if text else "str | None")
    what = last.replace("-", " ")
    doc = f"Say the {what}. Default: {repr(value) if text else 'nothing'}.".replace("'", "`")
    return Question(name=name, parameters={}, returns=kind, doc=doc, default=default), default


def _asked(code: Code, pack: Pack, reads: list[Read], question: Question) -> tuple[str, set[str]]:
    """Declare the question and ask it where the setting was read; return the package, and what was named there."""
    files = parts.PackFiles.of(pack.api.__name__)
    sources = files.sources()
    before = {one.path.resolve(): one.text() for one in sources}
    used: set[str] = set()
    for source in sources:
        here = [one for one in reads if one.file == source.path.resolve()]
        for one in here:
            used |= named_around(code, one)
            _ask(source, one, question, files.package)
    parts.declare(sources, files.package, question)
    for source in sources:
        if (text := source.text()) != before[source.path.resolve()]:
            code.texts[source.path.resolve()] = text
    return files.package, used


def named_around(code: Code, read: Read) -> set[str]:
    """Return what the function names in which a setting is read."""
    functions = {node.name for node in code.module(read.file).tree.body
                 if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)
                 and node.lineno <= read.line <= (node.end_lineno or 0)}  # fmt: skip
    return code.used_by(read.file, functions)


def _ask(source: Source, read: Read, question: Question, package: str) -> None:
    asked = f"{CONTEXT}.answer({source.reach(Ref(module=f'{package}.api', name=question.python))})()"
    put(source, read, asked)


def put(source: Source, read: Read, asked: str) -> None:
    """Write an expression where a setting was read."""
    for node in m.findall(source.tree, m.Call(func=m.Attribute(attr=m.Name("get")))):
        call = cast(cst.Call, node)
        text = cst.Module([]).code_for_node(call)
        if ast.unparse(ast.parse(text, mode="eval")).startswith(f"{READ}({read.key}"):
            source.replace(call, cast(Any, cst.parse_expression(asked)))


def _own(code: Code, folder: Path, question: Question, package: str, key: str, value: Words) -> dict[Path, str]:
    """Write the front end's answer, list it, and take the setting out of the manifest; return its test."""
    own = parts.front_end_source(folder, "answers.py")
    name = f"own_{question.python}"
    asked = own.reach(Ref(module=f"{package}.api", name=question.python))
    what = question.python.replace("_", " ")
    own.append(
        f"@{own.need('isthmus.kernel', 'answers')}({asked})\n"
        f"def {name}() -> str:\n"
        f'    """Say the {what}, as the setting {key} did."""\n'
        f"    return {own.say(value)}\n"
    )
    manifest = parts.listed(folder, name)
    code.texts[own.path.resolve()] = own.text()
    code.texts[manifest.path.resolve()] = manifest.text()
    if not removing.remove_key(code, manifest.path.resolve(), "settings", key):
        raise ByHand(f"{manifest.path} does not write {key!r} in its settings", remedy="lift it where it is written")
    path = folder / f"test_{name}.py"
    test = Source(path, "", f'"""{name}, which was a setting."""\n')
    home = test.reach(Ref(module=f"{folder.parent.name}.{folder.name}.answers", name=name))
    test.append(
        f"def test_{name}_says_what_the_setting_did() -> None:\n    assert {home}() {_equal(test.say(value))}\n"
    )
    return {path: test.text()}


def _equal(said: str) -> str:
    return f"is {said}" if said in ("None", "True", "False") else f"== {said}"
