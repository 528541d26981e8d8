"""What is taken out of code: definitions with all that only they named, elements of lists, imports, and tests."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, cast

import libcst as cst
from libcst import matchers as m

from .code import ByHand
from .named import Code, Mention

TESTS_MAX: Final = 12  # that go along; where more begin with something, a person looks


def remove(code: Code, path: Path, names: set[str]) -> set[str]:
    """Take definitions out of a file, and return what they named."""
    used = code.used_by(path, names)
    tree = cst.parse_module(code.texts[path])
    code.texts[path] = tree.with_changes(body=[one for one in tree.body if not defines(one, names)]).code
    return used


def sweep(code: Code, names: set[str], scope: Sequence[Path]) -> None:
    """Take out what is named nowhere any more, of names that were used by what is gone, and what only that named.

    scope: folders and files that may change. What a decorator registers is there for others, and stays.
    """
    waiting = set(names)
    while waiting:
        found = code.definition(waiting.pop())
        if found is None or not any(found[0].is_relative_to(one) for one in scope):
            continue
        path, word = found
        if getattr(code.module(path).defined[word], "decorator_list", None) or uses(code, path, word):
            continue
        name = f"{code.module(path).name}.{word}"
        waiting |= remove(code, path, {word})
        drop_imports(code, name)


def uses(code: Code, path: Path, word: str) -> list[Mention]:
    """Return what names a definition from outside of it; an import alone is no use."""
    found = code.mentions(f"{code.module(path).name}.{word}")
    return [one for one in found if not one.is_import and (one.file, one.within) != (path, word)]


def drop_imports(code: Code, name: str) -> None:
    """Take out the imports of a name, doors included."""
    for one in code.mentions(name):
        if one.is_import:
            _without_imports(code, one.file, {one.text})


def drop_unused_imports(code: Code) -> None:
    """Take out of each changed file the imports that were used in it, or are new, and are not used now."""
    for path in [one for one in code.written if one in code.before and one.suffix == ".py"]:
        was, now = _loaded(code.before[path]), _loaded(code.texts[path])
        brought = code.module(path).brought
        if gone := {one for one in brought if one not in now and (one in was or one not in code.before[path])}:
            _without_imports(code, path, gone, is_alias=True)


def remove_elements(code: Code, path: Path, texts: set[str], keyword: str = "") -> bool:
    """Take elements out of tuples and lists, with arguments and entries that are empty then. Tell whether it did."""
    tree = cst.parse_module(code.texts[path])
    changed = tree.visit(_Elements(texts, keyword))
    code.texts[path] = changed.code
    return not tree.deep_equals(changed)


def remove_key(code: Code, path: Path, keyword: str, key: str) -> bool:
    """Take an entry out of a dict that is given by keyword, with the argument when it is empty. Tell whether it did."""
    tree = cst.parse_module(code.texts[path])
    changed = tree.visit(_Elements(set(), keyword, key))
    code.texts[path] = changed.code
    return not tree.deep_equals(changed)


def remove_tests(code: Code, target: str, keeping: Callable[[str], bool] = lambda name: False) -> list[str]:
    """Take out the tests that name something, with helpers that only they use, and return their names.

    keeping: tells of a name whether some test has to be left that names it. Raises ByHand.
    """
    gone: dict[Path, set[str]] = {}
    for one in code.mentions(target):
        if code.is_test(one.file) and not one.is_import:
            if not one.within:
                raise ByHand(f"{code.where(one)} names it for all tests there", remedy="take that out first")
            gone.setdefault(one.file, set()).add(one.within)
    for path, names in gone.items():
        for name in names:  # a front end of tests answers without it
            remove_elements(code, path, {name}, "answers")
        gone[path] = _with_users(code, path, names)
    tests = sorted(name for names in gone.values() for name in names if name.startswith("test_"))
    if len(tests) > TESTS_MAX:
        raise ByHand(f"{len(tests)} tests name it, such as {tests[0]}", remedy="let them do without it first")
    used = {name: path for path, names in gone.items() for name in code.used_by(path, names) if keeping(name)}
    swept: set[str] = set()
    for path, names in gone.items():
        swept |= remove(code, path, names)
    for name, path in sorted(used.items()):
        if name != target and not any(code.is_test(one.file) and not one.is_import for one in code.mentions(name)):
            where = path.relative_to(code.root)
            raise ByHand(
                f"{name} would have no test left: those in {where} name it together with {target}",
                remedy="write a test of it alone first",
            )
    sweep(code, swept, list(gone))
    for path in gone:
        if not any(one.startswith("test_") for one in code.module(path).defined):
            del code.texts[path]
    return tests


def _with_users(code: Code, path: Path, names: set[str]) -> set[str]:
    """Return definitions of a test file together with those that use them, as fixtures and helpers are used."""
    found, waiting = set(names), list(names)
    while waiting:
        name = waiting.pop()
        own = {one.within for one in uses(code, path, name) if one.file == path}
        asked = {word for word, made in code.module(path).defined.items() if name in _parameters(made)}
        others = [one for one in uses(code, path, name) if one.file != path]
        if others or "" in own:
            raise ByHand(f"{path.relative_to(code.root)}:{name} is used elsewhere", remedy="take that out first")
        waiting += (own | asked) - found
        found |= own | asked
    return found


def _parameters(made: ast.stmt) -> set[str]:
    is_function = isinstance(made, ast.FunctionDef | ast.AsyncFunctionDef)
    return {one.arg for one in (*made.args.args, *made.args.kwonlyargs)} if is_function else set()


def defines(statement: cst.CSTNode, names: set[str]) -> bool:
    if isinstance(statement, cst.FunctionDef | cst.ClassDef):
        return statement.name.value in names
    if not isinstance(statement, cst.SimpleStatementLine) or len(statement.body) != 1:
        return False
    (line,) = statement.body
    targets = [one.target for one in line.targets] if isinstance(line, cst.Assign) else []
    targets = [line.target] if isinstance(line, cst.AnnAssign) else targets
    return len(targets) == 1 and isinstance(targets[0], cst.Name) and targets[0].value in names


def _loaded(text: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}


def _without_imports(code: Code, path: Path, names: set[str], *, is_alias: bool = False) -> None:
    tree = cst.parse_module(code.texts[path])
    found = tree.visit(_Imports(names, is_alias))
    code.texts[path] = _spaced(tree, found).code


def _spaced(was: cst.Module, now: cst.Module) -> cst.Module:
    """Return a module with the line below its docstring, which went with the import that stood there."""
    if was.get_docstring() is None or len(was.body) < 2 or len(now.body) < 2:
        return now
    above: Any = was.body[1]
    first: Any = now.body[1]
    if not above.leading_lines or first.leading_lines:
        return now
    blank = [one for one in above.leading_lines if one.comment is None]
    return now.with_changes(body=[now.body[0], first.with_changes(leading_lines=blank), *now.body[2:]])


class _Imports(cst.CSTTransformer):
    def __init__(self, names: set[str], is_alias: bool) -> None:
        super().__init__()
        self._names = names
        self._is_alias = is_alias

    def leave_ImportFrom(self, original_node: cst.ImportFrom, updated_node: cst.ImportFrom) -> Any:
        if isinstance(updated_node.names, cst.ImportStar):
            return updated_node
        kept = [one for one in updated_node.names if self._said(one) not in self._names]
        if not kept:
            return cst.RemoveFromParent()
        return updated_node.with_changes(names=closed(updated_node.names, kept))

    def leave_Import(self, original_node: cst.Import, updated_node: cst.Import) -> Any:
        kept = [one for one in updated_node.names if self._said(one) not in self._names]
        return updated_node.with_changes(names=closed(updated_node.names, kept)) if kept else cst.RemoveFromParent()

    def leave_If(self, original_node: cst.If, updated_node: cst.If) -> Any:
        return updated_node if updated_node.body.body else cst.RemoveFromParent()

    def _said(self, one: cst.ImportAlias) -> str:
        plain = cst.Module([]).code_for_node(one.name)
        return cast(cst.Name, one.asname.name).value if self._is_alias and one.asname else plain


class _Elements(cst.CSTTransformer):
    """Takes out elements that are written so, and the entry of a dict with a key, of arguments with this keyword."""

    def __init__(self, texts: set[str], keyword: str, key: str = "") -> None:
        super().__init__()
        self._texts = texts
        self._keyword = keyword
        self._key = key
        self._inside = 0  # of arguments with the keyword

    def visit_Arg(self, node: cst.Arg) -> None:
        self._inside += self._is_named(node)

    def leave_Tuple(self, original_node: cst.Tuple, updated_node: cst.Tuple) -> Any:
        return self._fewer(updated_node)

    def leave_List(self, original_node: cst.List, updated_node: cst.List) -> Any:
        return self._fewer(updated_node)

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> Any:
        pairs = zip(original_node.args, updated_node.args, strict=True)
        kept = [now for was, now in pairs if not (_is_empty(now.value) and not _is_empty(was.value))]
        return updated_node.with_changes(args=closed(updated_node.args, kept))

    def leave_Arg(self, original_node: cst.Arg, updated_node: cst.Arg) -> Any:
        is_named = self._is_named(original_node)
        self._inside -= is_named
        if is_named and self._key and isinstance(updated_node.value, cst.Dict):
            held = updated_node.value
            kept = [one for one in held.elements if not m.matches(one, self._entry())]
            return updated_node.with_changes(value=held.with_changes(elements=closed(held.elements, kept)))
        return updated_node

    def leave_Dict(self, original_node: cst.Dict, updated_node: cst.Dict) -> Any:
        """Leave out entries whose tuple had elements in an order, and has one or none now."""
        pairs = zip(original_node.elements, updated_node.elements, strict=True)
        kept = [now for was, now in pairs if was.deep_equals(now) or not _is_short(now)]
        return updated_node.with_changes(elements=closed(updated_node.elements, kept))

    def _fewer(self, node: Any) -> Any:
        if self._keyword and not self._inside:
            return node
        kept = [one for one in node.elements if _text(one.value) not in self._texts]
        return node if len(kept) == len(node.elements) else node.with_changes(elements=closed(node.elements, kept))

    def _is_named(self, argument: cst.Arg) -> bool:
        return bool(self._keyword) and argument.keyword is not None and argument.keyword.value == self._keyword

    def _entry(self) -> m.DictElement:
        return m.DictElement(key=m.SimpleString(value=m.MatchIfTrue(lambda said: ast.literal_eval(said) == self._key)))


def closed(before: Sequence[Any], kept: Iterable[Any]) -> list[Any]:
    """Return elements so that what stands behind the last one is what stood behind the last one before."""
    found = list(kept)
    if found and len(found) < len(before):
        found[-1] = found[-1].with_changes(comma=before[-1].comma)
    return found


def _is_empty(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.Tuple | cst.List | cst.Dict) and not node.elements


def _is_short(entry: Any) -> bool:
    return isinstance(entry.value, cst.Tuple | cst.List) and len(entry.value.elements) < 2


def _text(node: cst.CSTNode) -> str:
    return cst.Module([]).code_for_node(node)
