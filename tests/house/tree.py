"""The repository as the house tests read it; everything is discovered, so that a new pack needs no entry here."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from isthmus.kernel import Pack

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src" / "isthmus"

Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources(folder: Path) -> list[Path]:
    """Return the Python files below a folder."""
    return sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def where(path: Path, line: int = 0) -> str:
    return f"{path.relative_to(ROOT)}:{line}" if line else str(path.relative_to(ROOT))


def module_name(path: Path) -> str:
    """Return a file's name as it is imported."""
    return ".".join(path.relative_to(SRC.parent).with_suffix("").parts).removesuffix(".__init__")


def functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(parsed(path)):
        if isinstance(node, Function):
            yield node


def imports(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield every module that is imported absolutely, `from a import b` as `a.b` too, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((name.name, node.lineno) for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield from ((f"{node.module}.{name.name}", node.lineno) for name in node.names)


def resolved_imports(path: Path) -> Iterator[tuple[str, int]]:
    """Yield every module that a file under `src/` imports, relative imports by their full name, with its line."""
    package = path.relative_to(SRC.parent).parts[:-1]
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ImportFrom) and node.level:
            above = package[: len(package) - node.level + 1]
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((f"{module}.{name.name}", node.lineno) for name in node.names)
    yield from imports(parsed(path))


def texts(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield every string in the code, parts of f-strings included, without docstrings."""
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    docs = {
        id(node.body[0].value)  # pyright: ignore[reportAttributeAccessIssue]
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)  # pyright: ignore[reportAttributeAccessIssue]
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value, node.lineno


def tracked() -> list[Path]:
    """Return the files that belong to the repository."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


@cache
def packs() -> tuple[Pack, ...]:
    """Return every pack and set of flows that has a manifest."""
    found: list[Pack] = []
    for manifest in sorted([*SRC.glob("packs/*/pack.py"), *SRC.glob("flows/*/pack.py")]):
        module = importlib.import_module(".".join(manifest.relative_to(SRC.parent).with_suffix("").parts))
        found += [value for value in vars(module).values() if isinstance(value, Pack)]
    return tuple({pack.name: pack for pack in found}.values())


def words(name: str) -> list[str]:
    """Split a Python name into its words."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]
