"""Edits of Python source that keep what a person wrote: imports, a question and its default, the place that asks it."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import libcst as cst
from libcst import matchers as m
from libcst.codemod import CodemodContext
from libcst.codemod.visitors import AddImportsVisitor

from isthmus.kernel import errors

from .words import Ref, Words

CONTEXT = "ctx"  # how implementations call what they are given


class ByHand(errors.RuleBroken):
    """A change that is not one of those that can be made by rule."""

    slug = "governance.by-hand"


class Source:
    """A file while it is changed. name: of its module, such as `acme.packs.till.rules`."""

    def __init__(self, path: Path, name: str, text: str) -> None:
        self.path = path
        self.name = name
        self.tree = cst.parse_module(text)
        self._imports: list[tuple[str, str, str | None]] = []

    @property
    def package(self) -> str:
        return self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0]

    def text(self) -> str:
        """Return the source with what it needs imported."""
        context = CodemodContext(full_module_name=self.name)
        for module, name, alias in dict.fromkeys(self._imports):
            AddImportsVisitor.add_needed_import(context, module, name, alias)
        return AddImportsVisitor(context).transform_module(self.tree).code

    def say(self, words: Words) -> str:
        """Return words as they are written in this file; what they need is imported."""
        used = {int(one) for one in re.findall(r"(?<!\{)\{(\d+)\}", words.text)}
        names = [self.reach(one) if at in used else "" for at, one in enumerate(words.refs)]
        return words.text.format(*names)

    def reach(self, ref: Ref) -> str:
        """Return how a name is written in this file: plain, or behind the alias of the door that has it."""
        if ref.module == self.name:
            return ref.name
        if self.name.startswith(f"{ref.module}."):  # a door that this file is a part of, so not made yet
            home = _home(ref)
            if home != self.name:
                self._imports.append((f".{home.rpartition('.')[2]}", ref.name, None))
            return ref.name
        package, _, last = ref.module.rpartition(".")
        if last != "api":
            self._imports.append((ref.module, ref.name, None))
            return ref.name
        return f"{self.door(package)}.{ref.name}"

    def door(self, package: str) -> str:
        """Return how this file calls the api of a pack; it is imported as others do."""
        for alias, module in self._aliases():
            if module == f"{package}.api":
                return alias
        if self.name.startswith(f"{package}."):
            depth = self.package.removeprefix(package).count(".") + 1
            self._imports.append(("." * depth, "api", None))
            return "api"
        alias = package.rpartition(".")[2]
        self._imports.append((package, "api", alias))
        return alias

    def need(self, module: str, name: str) -> str:
        """Import a name."""
        self._imports.append((module, name, None))
        return name

    def function(self, name: str) -> cst.FunctionDef | None:
        """Return a function of the module."""
        found = (one for one in self.tree.body if isinstance(one, cst.FunctionDef) and one.name.value == name)
        return next(found, None)

    def replace(self, old: cst.CSTNode, new: Any) -> None:
        self.tree = cast(cst.Module, self.tree.deep_replace(old, new))

    def append(self, code: str, after: cst.CSTNode | None = None) -> None:
        """Add statements behind one, or at the end."""
        added = [one.with_changes(leading_lines=_two_lines()) for one in statements(code)]
        body = list(self.tree.body)
        place = body.index(cast(Any, after)) + 1 if after is not None else len(body)
        self.tree = self.tree.with_changes(body=[*body[:place], *added, *body[place:]])

    def _aliases(self) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        for node in m.findall(self.tree, m.ImportFrom()):
            line = cast(cst.ImportFrom, node)
            if isinstance(line.names, cst.ImportStar):
                continue
            base = self._absolute(line)
            for one in line.names:
                alias = cast("cst.Name", one.asname.name if one.asname else one.name)
                found.append((alias.value, f"{base}.{one.name.value}"))
        return found

    def _absolute(self, line: cst.ImportFrom) -> str:
        module = self.tree.code_for_node(line.module) if line.module else ""
        if not line.relative:
            return module
        parts = self.package.split(".")
        above = ".".join(parts[: len(parts) - len(line.relative) + 1])
        return f"{above}.{module}".rstrip(".")


def _home(ref: Ref) -> str:
    """Return the module of a door's package that defines a name."""
    found = getattr(sys.modules.get(ref.module), ref.name, None)
    return str(getattr(found, "__module__", ref.module))


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """An extension point to be: its parameters with their types, the first of which it may replace.

    default: what it says where nobody answers, where that is not the first parameter.
    """

    name: str
    parameters: Mapping[str, Words]
    returns: Words
    doc: str
    default: Words | None = None

    @property
    def python(self) -> str:
        return self.name.partition(".")[2].replace("-", "_")

    @property
    def value(self) -> str:
        return next(iter(self.parameters))


def add_point(api: Source, question: Question) -> None:
    """Declare a question behind the others of an api, with what is today as its default."""
    said = ", ".join(f"{name}: {api.say(kind)}" for name, kind in question.parameters.items())
    returns = api.say(question.returns)
    api.need("isthmus.kernel", "combine")
    api.need("isthmus.kernel", "extension_point")
    points = [one for one in api.tree.body if isinstance(one, cst.FunctionDef) and _is_point(one)]
    api.append(
        f'@extension_point("{question.name}", combine=combine.first_answer)\n'
        f"def {question.python}({said}) -> {returns}:\n"
        f'    """{question.doc}"""\n'
        f"    return {api.say(question.default) if question.default else question.value}\n",
        after=points[-1] if points else None,
    )


def ask_at(files: Sequence[Source], function: str, question: Question, package: str) -> None:
    """Ask a question about a value of a function: a local variable, a parameter, or what it returns by that name.

    Where the function has no context, the answer is handed down to it by whoever calls it and has one. Raises ByHand.
    """
    source, found = _only(files, function)
    asks = asking(source, found, question, package)
    arguments = ", ".join(question.parameters)
    value = question.value
    body = list(cast(cst.IndentedBlock, found.body).body)
    assigned = [at for at, one in enumerate(body) if _assigns(one, value)]
    returned = [one for one in m.findall(found.body, m.Arg(keyword=m.Name(value))) if _is_returned(found, one)]
    if assigned:
        behind = body[assigned[-1] + 1 :]
        is_last = bool(behind) and m.matches(behind[0], m.SimpleStatementLine([m.Return(value=m.Name(value))]))
        line = statements(f"{'return' if is_last else f'{value} ='} {asks}({arguments})\n")
        source.replace(found, with_body(found, [*body[: assigned[-1] + 1], *line, *behind[is_last:]]))
    elif returned:
        held = source.tree.code_for_node(cast(cst.Arg, returned[0]).value)
        rest = "".join(f", {name}" for name in question.parameters if name != value)
        asked = cst.parse_expression(f"{asks}({held}{rest})")
        source.replace(returned[0], cast(cst.Arg, returned[0]).with_changes(value=asked))
    elif value in parameters_of(found):
        begin = 1 if found.get_docstring() is not None else 0
        line = statements(f"{value} = {asks}({arguments})\n")
        source.replace(found, with_body(found, [*body[:begin], *line, *body[begin:]]))
    else:
        raise ByHand(
            f"{source.name}.{function} has no value {value!r}",
            remedy="call the first parameter of the answer as the function calls the value that it may replace",
        )
    hand_down(files, function, question, package)


def hand_down(files: Sequence[Source], function: str, question: Question, package: str, depth: int = 0) -> None:
    """Give a function that has no context the answer as a parameter, and let its callers give it."""
    source, found = _only(files, function)
    if CONTEXT in parameters_of(found):
        return
    if depth > 3:
        raise ByHand(f"nobody who calls {function} has a context", remedy="ask it where there is one")
    name = question.python
    kinds = ", ".join(source.say(kind) for kind in question.parameters.values())
    default = source.reach(Ref(module=f"{package}.api", name=name))
    kind = f"{source.need('collections.abc', 'Callable')}[[{kinds}], {source.say(question.returns)}]"
    annotation = cst.Annotation(cst.parse_expression(kind))
    parameter = cst.Param(cst.Name(name), annotation, equal=_spaced(), default=cst.parse_expression(default))
    parameters = found.params.with_changes(params=[*found.params.params, parameter])
    if found.params.kwonly_params:
        parameters = found.params.with_changes(kwonly_params=[*found.params.kwonly_params, parameter])
    source.replace(found, found.with_changes(params=parameters))
    for caller in files:
        _give(files, caller, function, source, question, package, depth)


def _give(
    files: Sequence[Source], caller: Source, function: str, source: Source, question: Question, package: str, depth: int
) -> None:
    """Let the callers of a file give the answer: those that have a context ask, others hand down what they get."""
    for one in [one for one in caller.tree.body if isinstance(one, cst.FunctionDef)]:
        calls = m.findall(one, _called(function, caller, source))
        if not calls or (caller is source and one.name.value == function):
            continue
        has_context = CONTEXT in parameters_of(one)
        given = f"{CONTEXT}.answer({caller.reach(Ref(module=f'{package}.api', name=question.python))})"
        given = given if has_context else question.python
        argument = cst.Arg(cst.parse_expression(given), cst.Name(question.python), equal=_tight())
        changed = one
        for call in calls:
            made = cast(cst.Call, call)
            changed = cast(cst.FunctionDef, changed.deep_replace(call, made.with_changes(args=[*made.args, argument])))
        caller.replace(one, changed)
        if not has_context:
            hand_down(files, one.name.value, question, package, depth + 1)


def asking(source: Source, found: cst.FunctionDef, question: Question, package: str) -> str:
    if CONTEXT in parameters_of(found):
        return f"{CONTEXT}.answer({source.reach(Ref(module=f'{package}.api', name=question.python))})"
    return question.python


def _only(files: Sequence[Source], function: str) -> tuple[Source, cst.FunctionDef]:
    found = [(one, made) for one in files if (made := one.function(function)) is not None]
    bodies = [(one, made) for one, made in found if not _is_declared(made)]
    if len(bodies) != 1:
        where = ", ".join(one.name for one, _ in found) or "no module of the pack"
        raise ByHand(f"{function!r} is in {where}", remedy="name a function that the pack has once")
    return bodies[0]


def _called(function: str, caller: Source, source: Source) -> m.Call:
    if caller is source:
        return m.Call(func=m.Name(function))
    module = source.name.rpartition(".")[2]
    return m.Call(func=m.Attribute(m.Name(module), m.Name(function)) | m.Name(function))


def _is_declared(function: cst.FunctionDef) -> bool:
    """Tell whether a function is a declaration: a capability or a point."""
    names = [cst.Module([]).code_for_node(one.decorator) for one in function.decorators]
    return any(name.startswith(("capability(", "extension_point(", "flow(")) for name in names)


def _is_point(function: cst.FunctionDef) -> bool:
    return any(m.matches(one.decorator, m.Call(func=m.Name("extension_point"))) for one in function.decorators)


def parameters_of(function: cst.FunctionDef) -> list[str]:
    return [one.name.value for one in (*function.params.params, *function.params.kwonly_params)]


def _assigns(statement: cst.CSTNode, name: str) -> bool:
    target = m.AssignTarget(target=m.Name(name))
    return bool(m.findall(statement, target | m.AugAssign(target=m.Name(name)) | m.AnnAssign(target=m.Name(name))))


def _is_returned(function: cst.FunctionDef, argument: cst.CSTNode) -> bool:
    returns = m.findall(function.body, m.Return(value=m.Call()))
    return any(argument in cast(cst.Call, cast(cst.Return, one).value).args for one in returns)


def with_body(function: cst.FunctionDef, body: Sequence[Any]) -> cst.FunctionDef:
    return function.with_changes(body=function.body.with_changes(body=list(body)))


def statements(code: str) -> list[Any]:
    return list(cst.parse_module(code).body)


def _two_lines() -> list[cst.EmptyLine]:
    return [cst.EmptyLine(indent=False), cst.EmptyLine(indent=False)]


def _spaced() -> cst.AssignEqual:
    return cst.AssignEqual(cst.SimpleWhitespace(" "), cst.SimpleWhitespace(" "))


def _tight() -> cst.AssignEqual:
    return cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
