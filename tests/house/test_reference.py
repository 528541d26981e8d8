"""The reference says what the code says, and the site is made of pages that are there."""

from __future__ import annotations

import re

import pytest

from docs import generate

from .tree import ROOT

GUIDES = ("first-front-end", "ship-alone", "attributes", "own-data-and-flows", "storefronts")  # of front-end teams
CHINESE = ["README.md", *(f"guides/{name}.md" for name in GUIDES)]
BLOCK = re.compile(r"^```(\w+ \w+|\w+)\n(.*?)^```$", re.M | re.S)


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return generate.pages()


def test_the_reference_is_what_the_code_says(made: dict[str, str]) -> None:
    kept = {path.name: path.read_text() for path in generate.FOLDER.glob("*.md")}
    stale = [name for name in made.keys() | kept.keys() if made.get(name) != kept.get(name)]
    assert stale == [], "run python -m docs.generate"


def test_every_setting_is_described_once_and_none_that_is_gone(made: dict[str, str]) -> None:
    described = set(re.findall(r"^\| `([\w.]+)` \|", made["settings.md"], re.M))
    assert described == {*generate.SETTINGS, *generate.ENVIRONMENT}


def test_every_page_of_the_site_is_there() -> None:
    named = re.findall(r"([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.M)
    assert len(named) > 20
    assert [name for name in named if not (ROOT / "docs" / name).is_file()] == []
    guides = {f"guides/{path.name}" for path in (ROOT / "docs" / "guides").glob("*.md")}
    assert guides - set(named) == set(), "name it in mkdocs.yml"


@pytest.mark.parametrize("page", CHINESE)
def test_a_chinese_page_has_the_commands_of_the_english_one(page: str) -> None:
    folder = ROOT if page == "README.md" else ROOT / "docs"
    english, chinese = (BLOCK.findall((place / page).read_text()) for place in (folder, ROOT / "docs" / "zh"))
    assert len(english) > 1
    assert [_commands(block) for block in chinese] == [_commands(block) for block in english]


def _commands(block: tuple[str, str]) -> tuple[str, list[str]]:
    """Return what is run, without the comments and texts, which are in the reader's language."""
    return block[0], [re.sub(r"\s+#.*|…[^…]*…", "", line) for line in block[1].splitlines()]
