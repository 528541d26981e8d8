"""Instrumented copies of functions: which arms of their decisions a call takes, and for which front end.

A file's source is compiled once more with a probe at each decision, and the code of its functions is put in place for
as long as is observed. Nothing else changes, and a server that serves is never observed, so this costs it nothing.
"""

from __future__ import annotations

import ast
import gc
from collections import Counter
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, Final, Literal

NAME: Final = "__isthmus_probes__"
TEXT_MAX: Final = 80  # of a condition, as it is shown

Kind = Literal["function", "condition", "body"]
Arm = tuple[int, bool]  # a site, and whether its condition held


@dataclass(frozen=True, slots=True)
class Site:
    """A place that is observed: where a function begins, a condition (two arms), or a body that may be entered."""

    file: Path
    line: int
    function: str
    kind: Kind
    text: str
    refuses: frozenset[bool] = frozenset()  # arms that only raise: a wrong ask says nothing of whose logic it is
    idle: frozenset[bool] = frozenset()  # arms that do nothing: what is asked about is not there


@dataclass(slots=True)
class Probes:
    """What was taken so far: by front end, how often each arm of each site."""

    sites: list[Site] = field(default_factory=list[Site])
    taken: dict[str, Counter[Arm]] = field(default_factory=dict[str, Counter[Arm]])
    absent: set[Arm] = field(default_factory=set[Arm])  # arms that were taken since what is asked about is not there
    front_end: str = ""  # on whose behalf what runs now runs

    def condition(self, site: int, value: object) -> bool:
        """Count an arm of a condition, and return which it is."""
        arm = bool(value)
        self._counted()[site, arm] += 1
        return arm

    def present(self, site: int, value: object, is_denied: bool) -> bool:
        """Count an arm of a condition that is one value: where that is nothing (None, empty), no fact is asked for."""
        if not value and not isinstance(value, bool):
            self.absent.add((site, is_denied))
        return self.condition(site, bool(value) is not is_denied)

    def entered(self, site: int, value: Any = None) -> Any:
        """Count that a function, a body or an operand was reached, and return the value."""
        self._counted()[site, True] += 1
        return value

    def calls_of(self, function: int) -> dict[str, int]:
        """Return how often each front end's calls began a function."""
        return {code: count for code, arms in self.taken.items() if (count := arms[function, True])}

    def _counted(self) -> Counter[Arm]:
        return self.taken.setdefault(self.front_end, Counter())


def untried(probes: Probes, front_end: str, file: Path, function: str) -> list[str]:
    """Return the decisions of a function that a front end's calls never came by one way or the other."""
    taken = probes.taken.get(front_end, Counter[Arm]())
    found: list[str] = []
    for number, site in enumerate(probes.sites):
        if (site.file, site.function) == (file, function) and site.kind != "function":
            arms = {True, False} if site.kind == "condition" else {True}
            found += [site.text] * any(not taken[number, arm] for arm in arms - site.refuses)
    return found


@contextmanager
def observing(files: Iterable[Path], probes: Probes) -> Generator[None]:
    """Observe the functions of these files that are loaded, until the block ends."""
    copies = {file: _instrumented(file, probes) for file in files}
    swapped: list[tuple[FunctionType, CodeType]] = []
    for function in _functions():
        code = function.__code__
        copy = copies.get(Path(code.co_filename), {}).get((code.co_qualname, code.co_firstlineno))
        if copy is not None and copy.co_freevars == code.co_freevars:
            function.__globals__[NAME] = probes
            swapped.append((function, code))
            function.__code__ = copy
    try:
        yield
    finally:
        for function, code in swapped:
            function.__code__ = code
            function.__globals__.pop(NAME, None)


def _functions() -> list[FunctionType]:
    """Return every function that there is; what is frozen is listed only while it is not."""
    is_frozen = gc.get_freeze_count() > 0
    if is_frozen:
        gc.unfreeze()
    try:
        return [one for one in gc.get_objects() if isinstance(one, FunctionType)]
    finally:
        if is_frozen:
            gc.freeze()


def _instrumented(file: Path, probes: Probes) -> dict[tuple[str, int], CodeType]:
    """Return the code of a file's functions with probes in it, by qualified name and first line."""
    tree = _Instrumenting(file, probes).visit(ast.parse(file.read_text(), str(file)))
    whole = compile(ast.fix_missing_locations(tree), str(file), "exec", dont_inherit=True)
    found: dict[tuple[str, int], list[CodeType]] = {}
    waiting = [whole]
    while waiting:
        inner = [one for one in waiting.pop().co_consts if isinstance(one, CodeType)]
        for one in inner:
            found.setdefault((one.co_qualname, one.co_firstlineno), []).append(one)
        waiting += inner
    return {key: codes[0] for key, codes in found.items() if len(codes) == 1}  # two lambdas of a line are one key


class _Instrumenting(ast.NodeTransformer):
    def __init__(self, file: Path, probes: Probes) -> None:
        self._file = file
        self._probes = probes
        self._within: list[str] = []

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, ast.ExceptHandler):
            return self._body(node, f"except {ast.unparse(node.type) if node.type else ''}", node)
        return super().visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._inside(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._function(node)

    def visit_If(self, node: ast.If) -> ast.AST:
        idle = frozenset([True] * _leaves(node.body) + [False] * (not node.orelse))
        return self._condition(node, frozenset([True] * _raises(node.body) + [False] * _raises(node.orelse)), idle)

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        return self._condition(node)

    def visit_While(self, node: ast.While) -> ast.AST:
        return self._condition(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        text = ast.unparse(node)
        self.generic_visit(node)
        if self._within:
            node.values[-1] = self._probe("entered", "body", node, text, node.values[-1])
        return node

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        texts = [ast.unparse(one) for one in node.ifs]
        self.generic_visit(node)
        if self._within:
            node.ifs = [
                self._probe("condition", "condition", one, f"if {text}", one, idle=frozenset([False]))
                for one, text in zip(node.ifs, texts, strict=True)
            ]
        return node

    def visit_For(self, node: ast.For) -> ast.AST:
        return self._body(node, f"for {ast.unparse(node.target)} in {ast.unparse(node.iter)}")

    def visit_AsyncFor(self, node: ast.AsyncFor) -> ast.AST:
        return self._body(node, f"async for {ast.unparse(node.target)} in {ast.unparse(node.iter)}")

    def visit_match_case(self, node: ast.match_case) -> ast.AST:
        return self._body(node, f"case {ast.unparse(node.pattern)}", node.body[0])

    def _inside(self, node: Any) -> Any:
        self._within.append(node.name)
        self.generic_visit(node)
        self._within.pop()
        return node

    def _function(self, node: Any) -> ast.AST:
        begin = 1 if ast.get_docstring(node) is not None and len(node.body) > 1 else 0
        first = node.body[begin]
        self._inside(node)
        self._within.append(node.name)
        probe = ast.Expr(self._probe("entered", "function", node, f"def {node.name}"))
        self._within.pop()
        node.body.insert(begin, ast.copy_location(probe, first))
        return node

    def _condition(
        self, node: Any, refuses: frozenset[bool] = frozenset(), idle: frozenset[bool] = frozenset()
    ) -> ast.AST:
        text = f"{'while' if isinstance(node, ast.While) else 'if'} {ast.unparse(node.test)}"
        self.generic_visit(node)
        if self._within:
            test: ast.expr = node.test
            is_denied = isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
            value = test.operand if isinstance(test, ast.UnaryOp) and is_denied else test
            if isinstance(value, ast.Name | ast.Attribute):
                node.test = self._probe("present", "condition", test, text, value, refuses, idle)
                node.test.args.append(ast.copy_location(ast.Constant(is_denied), test))
            else:
                node.test = self._probe("condition", "condition", test, text, test, refuses, idle)
        return node

    def _body(self, node: Any, text: str, placed: Any = None) -> ast.AST:
        refuses = frozenset([True] * _raises(node.body))
        first = node.body[0]
        self.generic_visit(node)
        if self._within:
            probe = ast.Expr(self._probe("entered", "body", placed or node, text, None, refuses))
            node.body.insert(0, ast.copy_location(probe, first))
        return node

    def _probe(
        self,
        method: str,
        kind: Kind,
        node: Any,
        text: str,
        value: ast.expr | None = None,
        refuses: frozenset[bool] = frozenset(),
        idle: frozenset[bool] = frozenset(),
    ) -> ast.Call:
        shown = text if len(text) <= TEXT_MAX else f"{text[: TEXT_MAX - 1]}…"
        number = len(self._probes.sites)
        self._probes.sites.append(Site(self._file, node.lineno, ".".join(self._within), kind, shown, refuses, idle))
        called = ast.Attribute(ast.Name(NAME, ast.Load()), method, ast.Load())
        arguments: list[ast.expr] = [ast.Constant(number), *([] if value is None else [value])]
        return ast.copy_location(ast.Call(called, arguments, []), value or node)


def _raises(body: list[ast.stmt]) -> bool:
    """Tell whether statements end in an error."""
    return bool(body) and isinstance(body[-1], ast.Raise)


def _leaves(body: list[ast.stmt]) -> bool:
    """Tell whether statements only leave: they return what is there already, or go on with the next."""
    (last,) = body if len(body) == 1 else (None,)
    if isinstance(last, ast.Return):
        return not any(isinstance(one, ast.Call | ast.BinOp) for one in ast.walk(last))
    return isinstance(last, ast.Continue | ast.Pass)
