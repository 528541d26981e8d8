"""What a change works on: the files of a pack, those of a front end, and what goes with a new extension point."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import libcst as cst
from libcst import matchers as m

from isthmus.kernel import errors
from isthmus.kernel.host import Answer
from isthmus.runtime.deploy.loading import MANIFEST

from .code import ByHand, Question, Source, add_point
from .words import Ref

BUDGETS = "thinness.json"
LINE = "120"  # characters, where a checkout says nothing: what `isthmus new` makes has such lines


@dataclass(frozen=True, slots=True)
class PackFiles:
    """The package of a pack or of flows."""

    package: str
    folder: Path

    @classmethod
    def of(cls, api: str) -> PackFiles:
        """Return those of the pack whose api this is."""
        package = api.rpartition(".api")[0]
        module = importlib.import_module(package)
        return cls(package, Path(str(module.__file__)).parent)

    def sources(self) -> list[Source]:
        """Return its files, ready to be changed."""
        return [
            Source(path, self._name(path), path.read_text())
            for path in sorted(self.folder.rglob("*.py"))
            if "migrations" not in path.parts
        ]

    def _name(self, path: Path) -> str:
        parts = path.relative_to(self.folder).with_suffix("").parts
        return ".".join([self.package, *(parts[:-1] if parts[-1:] == ("__init__",) else parts)])


def declare(files: Sequence[Source], package: str, question: Question) -> None:
    """Declare a question in the api of a pack: in the file that has most of them."""
    api = [one for one in files if one.name == f"{package}.api" or one.name.startswith(f"{package}.api.")]
    home = max(api, key=lambda one: one.tree.code.count("@extension_point("))
    add_point(home, question)
    door = next((one for one in api if one.path.name == "__init__.py" and one is not home), None)
    if door is not None:
        names = [cast(cst.ImportFrom, one) for one in m.findall(door.tree, m.ImportFrom())]
        held = next((one for one in names if door._absolute(one) == home.name), None)
        if held is None or isinstance(held.names, cst.ImportStar):
            raise ByHand(f"{door.name} does not list {home.name}", remedy="declare the point by hand")
        known, last = held.names[:-1], held.names[-1]
        comma = known[-1].comma if known else cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
        listed = [*known, last.with_changes(comma=comma), cst.ImportAlias(cst.Name(question.python), comma=last.comma)]
        door.replace(held, held.with_changes(names=listed))


def raised_budget(file: Path, pack: str) -> dict[Path, str]:
    """Return the file of budgets with one extension point more for a pack, where there is one."""
    if not file.exists():
        return {}
    budgets = json.loads(file.read_text())
    if pack not in budgets:
        return {}
    budgets[pack]["points"] += 1
    return {file: json.dumps(budgets, indent=2) + "\n"}


def own_budgets(text: str, locked: str, files: Iterable[Path]) -> str:
    """Return locked budgets with those of packs as they were that no file of the change belongs to."""
    before, now = json.loads(text), json.loads(locked)
    touched = {part for file in files for part in file.parts}
    return (
        json.dumps({name: now[name] if name in touched else before.get(name, now[name]) for name in now}, indent=2)
        + "\n"
    )


def changed(files: Iterable[Source], before: Mapping[Path, str]) -> dict[Path, str]:
    """Return the files that differ from what they were."""
    return {one.path: text for one in files if (text := one.text()) != before.get(one.path)}


def front_end_source(folder: Path, file: str) -> Source:
    """Return a file of a front end, ready to be changed."""
    path = folder / file
    return Source(path, f"{folder.parent.name}.{folder.name}.{path.stem}", path.read_text() if path.exists() else "")


def listed(folder: Path, answer: str) -> Source:
    """Return the manifest of a front end with an answer of its `answers` listed. Raises ByHand."""
    manifest = front_end_source(folder, MANIFEST)
    add_element(manifest, "answers", f"answers.{answer}")
    bring_beside(manifest, "answers")
    return manifest


def bring_beside(manifest: Source, module: str) -> None:
    """Import a module of the same folder, where it is not imported already."""
    if module not in [alias for alias, _ in manifest._aliases()]:
        manifest._imports.append((".", module, None))


def add_element(manifest: Source, keyword: str, text: str) -> None:
    """List something in a manifest, where it is not listed already. Raises ByHand."""
    calls = m.findall(manifest.tree, m.Call(func=m.Name("FrontEnd")))
    if not calls:
        raise ByHand(f"{manifest.path} makes no FrontEnd", remedy="list the answer by hand")
    call = cast(cst.Call, calls[0])
    item = cst.Element(cst.parse_expression(text))
    held = next((one for one in call.args if one.keyword and one.keyword.value == keyword), None)
    if held is None:
        argument = cst.Arg(cst.Tuple([item.with_changes(comma=cst.Comma())]), cst.Name(keyword), equal=_tight())
        manifest.replace(call, call.with_changes(args=_and(call.args, argument)))
        return
    elements = list(cast(cst.Tuple, held.value).elements)
    if any(cst.Module([]).code_for_node(one.value) == text for one in elements):
        return
    if elements:
        elements[-1] = elements[-1].with_changes(comma=cst.Comma(cst.SimpleWhitespace(""), _gap(elements)))
    manifest.replace(held.value, cast(cst.Tuple, held.value).with_changes(elements=[*elements, _ended(item)]))


def _and(arguments: Sequence[cst.Arg], one: cst.Arg) -> list[cst.Arg]:
    """Return arguments with one more, on a line of its own where they have a line each."""
    if len(arguments) < 2:
        return [*arguments, one]
    *first, last = arguments
    return [*first, last.with_changes(comma=arguments[0].comma), one.with_changes(comma=last.comma)]


def _tight() -> cst.AssignEqual:
    return cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))


def _gap(elements: Sequence[Any]) -> Any:
    """Return what stands between two elements, which is a new line where they have a line each."""
    inner = [one.comma.whitespace_after for one in elements[:-1] if isinstance(one.comma, cst.Comma)]
    return inner[-1] if inner else cst.SimpleWhitespace(" ")


def _ended(item: cst.Element) -> cst.Element:
    return item.with_changes(comma=cst.Comma())


def tidy(files: Mapping[Path, Path], folder: Path) -> None:
    """Order imports and lay out lines, as the checkout's settings say; what was done otherwise in a file stays so.

    files: each with the original that it was made from.
    """
    width = () if _is_set_up(folder) else ("--line-length", LINE)
    for one, original in files.items():
        if one.suffix != ".py":
            continue
        was = str(original) if original.exists() else ""
        if not was or not _ruff(folder, "check", "--select", "I", *width, was):
            _ruff(folder, "check", "--select", "I,F401", "--fix-only", *width, str(one))
        if not was or not _ruff(folder, "format", "--check", *width, was):
            _ruff(folder, "format", *width, str(one))


def _is_set_up(folder: Path) -> bool:
    settings = folder / "pyproject.toml"
    has_own = any((folder / name).exists() for name in ("ruff.toml", ".ruff.toml"))
    return has_own or (settings.exists() and "[tool.ruff" in settings.read_text())


def _ruff(folder: Path, *arguments: str) -> int:
    command = [sys.executable, "-m", "ruff", *arguments, "--quiet"]
    return subprocess.run(command, cwd=folder, check=False, capture_output=True).returncode


def unasked(package: str) -> list[Answer]:
    """Return the answers in a front end's loaded modules that wait for a question."""
    modules = [one for name, one in sys.modules.items() if name == package or name.startswith(f"{package}.")]
    found = [one for module in modules for one in vars(module).values() if isinstance(one, Answer) and one.at]
    return list(dict.fromkeys(found))


def bring(used: set[str], source: Source, own: Source) -> None:
    """Bring along what code names of its module: imports as they stand there, and constants. Raises ByHand."""
    functions = {one.name.value for one in source.tree.body if isinstance(one, cst.FunctionDef | cst.ClassDef)} & used
    if functions:
        raise ByHand(
            f"it calls {', '.join(sorted(functions))} of {source.name}",
            remedy="what is taken apart has to stand for itself: do it by hand",
        )
    used = with_constants(used, source)
    for statement in list(source.tree.body):
        if not isinstance(statement, cst.SimpleStatementLine):
            continue
        for one in statement.body:
            if isinstance(one, cst.ImportFrom) and not isinstance(one.names, cst.ImportStar):
                for name in one.names:
                    alias = str(name.asname.name.value if name.asname else name.name.value)  # pyright: ignore
                    plain = str(name.name.value)
                    if alias in used:
                        own._imports.append((source._absolute(one), plain, alias if alias != plain else None))
            elif isinstance(one, cst.Assign) and (name := _constant(one)) in used:
                _bring_constant(statement, name, source, own)


def with_constants(used: set[str], source: Source) -> set[str]:
    """Return names together with those that the constants among them are made of."""
    lines = [one for line in source.tree.body if isinstance(line, cst.SimpleStatementLine) for one in line.body]
    made = {_constant(one): one.value for one in lines if isinstance(one, cst.Assign)}
    for name in [one for one in made if one in used]:
        inner = {cast(cst.Name, one).value for one in m.findall(made[name], m.Name())}
        used = used | (with_constants(inner, source) if not inner <= used else set())
    return used


def forget(used: set[str], source: Source) -> None:
    """Take the constants among these names out of a module that names them no more."""
    for line in list(source.tree.body):
        for one in line.body if isinstance(line, cst.SimpleStatementLine) else ():
            name = _constant(one) if isinstance(one, cst.Assign) else ""
            if name in used and len(m.findall(source.tree, m.Name(name))) == 1:
                source.tree = cast(cst.Module, source.tree.deep_remove(line))


def _constant(line: cst.Assign) -> str:
    target = line.targets[0].target
    return target.value if isinstance(target, cst.Name) else ""


def _bring_constant(statement: cst.SimpleStatementLine, name: str, source: Source, own: Source) -> None:
    """Copy a constant, and take it out of a module that names it no more."""
    place = next((at for at, line in enumerate(own.tree.body) if not _is_import(line, at)), len(own.tree.body))
    body = list(own.tree.body)
    own.tree = own.tree.with_changes(body=[*body[:place], statement, *body[place:]])
    forget({name}, source)


def _is_import(line: cst.CSTNode, at: int) -> bool:
    if not isinstance(line, cst.SimpleStatementLine):
        return False
    return isinstance(line.body[0], cst.Import | cst.ImportFrom) or (at == 0 and isinstance(line.body[0], cst.Expr))


def unlisted(folder: Path, answer: str, product: Ref) -> Source:
    """Return the manifest of a front end that has an answer no more, and switches a product on. Raises ByHand."""
    manifest = front_end_source(folder, MANIFEST)
    named = m.findall(manifest.tree, m.Attribute(attr=m.Name(answer)))
    call = next((cast(cst.Call, one) for one in m.findall(manifest.tree, m.Call(func=m.Name("FrontEnd")))), None)
    held = next((one for one in call.args if one.keyword and one.keyword.value == "answers"), None) if call else None
    if call is None or held is None or len(named) != 1 or not isinstance(held.value, cst.Tuple):
        raise ByHand(f"{manifest.path} names {answer} {len(named)} times", remedy="put the product in by hand")
    elements = [one for one in held.value.elements if one.value is not named[0]]
    if elements:
        manifest.replace(held.value, held.value.with_changes(elements=_closed(elements)))
    else:
        manifest.replace(call, call.with_changes(args=[one for one in call.args if one is not held]))
    call = cast(cst.Call, m.findall(manifest.tree, m.Call(func=m.Name("FrontEnd")))[0])
    item = cst.Element(cst.parse_expression(manifest.reach(product)))
    switched = next((one for one in call.args if one.keyword and one.keyword.value == "products"), None)
    if switched is None:
        argument = cst.Arg(cst.Tuple(_closed([item])), cst.Name("products"), equal=_tight())
        manifest.replace(call, call.with_changes(args=_and(call.args, argument)))
    else:
        known = list(cast(cst.Tuple, switched.value).elements)
        manifest.replace(switched.value, switched.value.with_changes(elements=_closed([*known, item])))
    return manifest


def _closed(elements: Sequence[Any]) -> list[Any]:
    """Return the elements of a tuple with a comma between them, and behind the only one."""
    gap = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
    return [one.with_changes(comma=gap) for one in elements[:-1]] + [
        one.with_changes(comma=cst.Comma() if len(elements) == 1 else cst.MaybeSentinel.DEFAULT)
        for one in elements[-1:]
    ]


class NothingUnasked(errors.NotFound):
    """Every answer of the front end is asked for already."""

    slug = "governance.nothing-unasked"
