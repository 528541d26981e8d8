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


COMMAND = re.compile(r"`(isthmus [a-z][^`\n]*)`|^(?:\$ )?(isthmus [a-z][^\n|>#;&)(]*)", re.M)
OPTION = re.compile(r"(?<= )(--[a-z][a-z-]*)")
PARTS = re.split(r"^## ", (ROOT / "docs" / "reference" / "cli.md").read_text(), flags=re.M)
COMMANDS = {
    part.partition("`\n")[0].strip("`"): set(re.findall(r"(?<=[` ])(--[a-z][a-z-]*)", part)) | {"--help"}
    for part in PARTS[1:]
}
WITH_OTHERS = {"isthmus psql", "isthmus demo"}  # what follows is for psql, and for the company's own demo


def no_commands(page: str) -> Iterator[str]:
    """Yield the commands of a page that are none, and those with an option that the reference has not."""
    for shown in {one or other for one, other in COMMAND.findall(page)}:
        words = shown.split()
        names = (" ".join(words[:length]) for length in (4, 3, 2))
        found = next((name for name in names if name in COMMANDS), None)
        is_group = any(name.startswith(f"{' '.join(words[:2])} ") for name in COMMANDS)
        if (found is None and not (is_group and len(words) == 2)) or (
            found is not None and found not in WITH_OTHERS and set(OPTION.findall(shown)) - COMMANDS[found]
        ):
            yield shown


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_command_that_a_page_names_is_one_and_has_the_options(page: Path) -> None:
    assert list(no_commands(page.read_text())) == []


def test_a_command_that_is_none_is_found() -> None:
    assert list(no_commands("`isthmus deploy DIR --shadow 5`, `isthmus data`, `isthmus data ask x --by y`")) == []
    assert list(no_commands("`isthmus deploy DIR --shade 5`")) == ["isthmus deploy DIR --shade 5"]
    assert list(no_commands("`isthmus data aks x`")) == ["isthmus data aks x"]
