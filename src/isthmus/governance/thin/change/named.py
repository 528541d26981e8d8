"""Who names what in the code of a checkout: each mention of a function, class or constant, wherever it is imported to.

Names are followed through imports and through the doors of packages. A variable of a function is no mention of what
the module calls the same; where it cannot be told, it counts as one, so that nothing is taken away that is used.
"""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

from .tree import git, top_of

LEFT_OUT: Final = frozenset({".venv", "node_modules", "__pycache__", ".isthmus", ".git", "site-packages"})


@dataclass(frozen=True, slots=True)
class Mention:
    """A place that names something. within: the function or class of the module around it; empty outside of any.

    text: how it is written there. is_import: it only brings the name in. is_decorator: it stands over what `within` is,
    as in `@implements(…)`.
    """

    file: Path
    line: int
    within: str
    text: str
    is_import: bool = False
    is_decorator: bool = False


@dataclass(frozen=True, slots=True)
class Module:
    """A file as it is now: its definitions, what its imports bring, and each name in it."""

    name: str
    tree: ast.Module
    defined: Mapping[str, ast.stmt]
    brought: Mapping[str, str]  # alias → what it stands for, such as `acme.packs.till.api`


@dataclass
class Code:
    """The Python files of a checkout while they are changed. texts: as they are now."""

    root: Path
    texts: dict[Path, str]
    before: Mapping[Path, str] = field(default_factory=dict[Path, str])
    _read: dict[Path, tuple[str, Module]] = field(default_factory=dict[Path, tuple[str, Module]])
    _all: dict[Path, tuple[Module, list[tuple[str, Mention]]]] = field(
        default_factory=dict[Path, tuple[Module, list[tuple[str, "Mention"]]]]
    )

    @classmethod
    def of(cls, root: Path) -> Code:
        """Read those of the checkout around a folder; of no checkout those below it."""
        top = (top_of(root) or root).resolve()
        texts = {path: path.read_text() for path in sorted(_files(top)) if path.is_file()}
        return cls(top, texts, dict(texts))

    @property
    def written(self) -> dict[Path, str]:
        """Return the files that differ from what they were."""
        return {path: text for path, text in self.texts.items() if self.before.get(path) != text}

    @property
    def gone(self) -> tuple[Path, ...]:
        return tuple(path for path in self.before if path not in self.texts)

    def module(self, path: Path) -> Module:
        """Return a file, read once as long as it stays as it is."""
        text = self.texts[path]
        held = self._read.get(path)
        if held is None or held[0] != text:
            held = self._read[path] = (text, _module(path, text))
        return held[1]

    @cached_property
    def _paths(self) -> dict[str, Path]:
        return {module_name(path): path for path in self.texts}

    def path_of(self, module: str) -> Path | None:
        """Return the file of a module of the checkout."""
        found = self._paths.get(module)
        return found if found in self.texts else None

    def home(self, name: str) -> str:
        """Return where a name is defined: `acme.packs.till.api.note` may be `acme.packs.till.api.notes.note`."""
        for _ in range(5):  # doors within doors
            parts = name.split(".")
            at = next((n for n in range(len(parts) - 1, 0, -1) if self.path_of(".".join(parts[:n]))), 0)
            path = self.path_of(".".join(parts[:at])) if at else None
            if path is None:
                return name
            module, first = self.module(path), parts[at]
            if first in module.defined or first not in module.brought:
                return name
            name = ".".join([module.brought[first], *parts[at + 1 :]])
        return name

    def mentions(self, target: str) -> list[Mention]:
        """Return each place that names what is defined as `module.name`."""
        word = target.rpartition(".")[2]
        found: list[Mention] = []
        for path, text in self.texts.items():
            if re.search(rf"\b{re.escape(word)}\b", text):
                said = ((self.home(name), mention) for name, mention in self._names(path))
                found += [one for name, one in said if name == target or name.startswith(f"{target}.")]
        return found

    def used_by(self, path: Path, names: set[str]) -> set[str]:
        """Return what definitions of a file name, each as where it is defined."""
        return {self.home(name) for name, _ in self.names(path, names)}

    def names(self, path: Path, definitions: set[str]) -> list[tuple[str, Mention]]:
        """Return each name in definitions of a file, as it is imported, with where it is."""
        return [(name, one) for name, one in self._names(path) if one.within in definitions and not one.is_import]

    def _names(self, path: Path) -> list[tuple[str, Mention]]:
        module = self.module(path)
        held = self._all.get(path)
        if held is None or held[0] is not module:
            held = self._all[path] = (module, list(_named(path, module)))
        return held[1]

    def definition(self, name: str) -> tuple[Path, str] | None:
        """Return the file and the word of what a name, or what it begins with, is defined as in the checkout."""
        parts = name.split(".")
        for at in range(len(parts) - 1, 0, -1):
            path = self.path_of(".".join(parts[:at]))
            if path is not None:
                return (path, parts[at]) if parts[at] in self.module(path).defined else None
        return None

    def is_test(self, path: Path) -> bool:
        """Tell whether a file is of tests."""
        parts = path.relative_to(self.root).parts
        return path.name.startswith("test_") or path.name == "conftest.py" or "tests" in parts

    def where(self, mention: Mention) -> str:
        """Return a mention as people read it."""
        return f"{mention.file.relative_to(self.root)}:{mention.line}"


def module_name(path: Path) -> str:
    """Return the name by which a file is imported: from the first folder on that is a package."""
    parts = [] if path.name == "__init__.py" else [path.stem]
    folder = path.parent
    while (folder / "__init__.py").exists():
        parts.insert(0, folder.name)
        folder = folder.parent
    return ".".join(parts)


def _files(top: Path) -> Iterator[Path]:
    try:
        listed = git(top, "ls-files", "--", "*.py").splitlines()
        yield from (top / one for one in listed)
    except (OSError, subprocess.CalledProcessError):
        yield from (one for one in top.rglob("*.py") if not LEFT_OUT & set(one.relative_to(top).parts))


def _module(path: Path, text: str) -> Module:
    name, tree = module_name(path), ast.parse(text)
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    defined: dict[str, ast.stmt] = {}
    for one in tree.body:
        for made in _made(one):
            defined[made] = one
    brought: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            base = absolute(node, package)
            brought |= {one.asname or one.name: f"{base}.{one.name}" for one in node.names}
        elif isinstance(node, ast.Import):
            brought |= {one.asname or one.name.partition(".")[0]: one.name if one.asname else one.name.partition(".")[0]
                        for one in node.names}  # fmt: skip
    return Module(name, tree, defined, brought)


def absolute(node: ast.ImportFrom, package: str) -> str:
    """Return the module that a line imports from."""
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    above = ".".join(parts[: len(parts) - node.level + 1])
    return f"{above}.{node.module}".strip(".") if node.module else above


def _made(statement: ast.stmt) -> list[str]:
    """Return the names that a statement of a module defines."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    targets = [statement.target] if isinstance(statement, ast.AnnAssign) else targets
    return [one.id for one in targets if isinstance(one, ast.Name)]


def _named(path: Path, module: Module) -> Iterator[tuple[str, Mention]]:
    """Yield each name in a file that comes from a module, with where it is."""
    for statement in module.tree.body:
        made = _made(statement)
        within = made[0] if made else ""
        decorators = [id(inner) for one in getattr(statement, "decorator_list", ()) for inner in ast.walk(one)]
        yield from _named_in(path, module, statement, within, frozenset(decorators))


def _named_in(
    path: Path, module: Module, statement: ast.stmt, within: str, decorators: frozenset[int]
) -> Iterator[tuple[str, Mention]]:
    own = _own_variables(statement)
    inner = {id(node.value) for node in ast.walk(statement) if isinstance(node, ast.Attribute)}
    package = module.name if path.name == "__init__.py" else module.name.rpartition(".")[0]
    for node in ast.walk(statement):
        if isinstance(node, ast.ImportFrom):
            for one in node.names:
                yield (
                    f"{absolute(node, package)}.{one.name}",
                    Mention(path, node.lineno, within, one.name, is_import=True),
                )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            module_said, colon, name = node.value.partition(":")
            if colon and name.isidentifier() and module_said.replace(".", "").isidentifier():
                yield f"{module_said}.{name}", Mention(path, node.lineno, within, node.value)
        elif isinstance(node, ast.Attribute | ast.Name) and id(node) not in inner:
            chain = _chain(node)
            if chain and chain[0] not in own and (base := _stands_for(chain[0], module)):
                text, over = ".".join(chain), id(node) in decorators
                said = Mention(path, node.lineno, within, text, is_decorator=over)
                yield ".".join([base, *chain[1:]]), said


def _stands_for(name: str, module: Module) -> str:
    if name in module.defined:
        return f"{module.name}.{name}"
    return module.brought.get(name, "")


def _own_variables(statement: ast.stmt) -> set[str]:
    """Return the parameters and variables of a function, which hide what the module calls the same."""
    if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        return set()
    found = {one.arg for node in ast.walk(statement) if isinstance(node, ast.arguments) for one in _all(node)}
    return found | {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def _all(node: ast.arguments) -> list[ast.arg]:
    return [*node.posonlyargs, *node.args, *node.kwonlyargs, *(one for one in (node.vararg, node.kwarg) if one)]


def _chain(node: ast.expr) -> list[str]:
    """Return `a.b.c` as its parts; nothing of what is called or indexed on the way."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute):
        above = _chain(node.value)
        return [*above, node.attr] if above else []
    return []
