"""What the pages name is there: modules, what they have, and what a context can do."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from isthmus.kernel import Context

from .tree import ROOT

PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "docs").glob("*/*.md")])
PAGES = [one for one in [*PAGES, *sorted((ROOT / "docs").glob("zh/guides/*.md"))] if one.parent.name != "decisions"]
CODE = re.compile(r"^```python[^\n]*\n(.*?)^```$|<<'EOF'\n(\"\"\"|from |import )(.*?)^EOF$", re.M | re.S)
OF_A_CONTEXT = {name for name in dir(Context) if not name.startswith("_")} | set(Context.__annotations__)


def blocks(page: str) -> Iterator[ast.Module]:
    for shown, begins, written in CODE.findall(page):
        yield ast.parse(shown or begins + written)


def modules(tree: ast.AST) -> Iterator[tuple[str, str, str]]:
    """Yield what is imported of Isthmus: module, name, the name that it has here."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "isthmus":
            yield from ((node.module or "", one.name, one.asname or one.name) for one in node.names)


def imported(module: str, name: str) -> object:
    """Return what an import gives. Raises ImportError and AttributeError."""
    try:
        return importlib.import_module(f"{module}.{name}")
    except ModuleNotFoundError:
        return getattr(importlib.import_module(module), name)


def missing(page: str) -> Iterator[str]:
    """Yield what a page names and is not there."""
    yield from (f"ctx.{name}" for name in set(re.findall(r"\bctx\.(\w+)", page)) - OF_A_CONTEXT)
    known: dict[str, object] = {}
    for tree in blocks(page):
        for module, name, here in modules(tree):
            try:
                known[here] = imported(module, name)
            except (ImportError, AttributeError):
                yield f"{module}.{name}"
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                of = known.get(node.value.id)
                if isinstance(of, ModuleType) and not hasattr(of, node.attr):
                    yield f"{of.__name__}.{node.attr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_names_is_there(page: Path) -> None:
    assert list(missing(page.read_text())) == []


def test_a_page_that_names_what_is_gone_is_found() -> None:
    code = "from isthmus.packs.pricing import api as pricing\nfrom isthmus.kernel import gone\npricing.gone\n"
    page = f"```python\n{code}```\n"
    assert sorted(missing(page + "`ctx.gone`")) == ["ctx.gone", "isthmus.kernel.gone", "isthmus.packs.pricing.api.gone"]
