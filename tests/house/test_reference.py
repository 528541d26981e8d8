"""The reference says what the code says, and the site is made of pages that are there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from docs import generate, site

from .tree import ROOT

_TESTS = re.compile(r"def (test_[a-z0-9_]+)\(")
_NAMED = re.compile(r"`(test_[a-z0-9_]+)`")

GUIDES = (
    "first-front-end",
    "ship-alone",
    "attributes",
    "own-data-and-flows",
    "storefronts",
    "sharing",
)  # of front-end teams
CHINESE = ["README.md", *(f"guides/{name}.md" for name in (*GUIDES, "orders"))]
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
    english, chinese = (BLOCK.findall((place / page).read_text()) for place in (_home(page), ROOT / "docs" / "zh"))
    assert len(english) > 1
    assert [_commands(block) for block in chinese] == [_commands(block) for block in english]


def _home(page: str) -> Path:
    return ROOT if page == "README.md" else ROOT / "docs"


def _commands(block: tuple[str, str]) -> tuple[str, list[str]]:
    """Return what is run, without the comments and texts, which are in the reader's language."""
    return block[0], [re.sub(r"\s+#.*|…[^…]*…", "", line) for line in block[1].splitlines()]


def _headings(text: str) -> list[int]:
    """Return the levels of a page's headings, without what stands in code."""
    return [len(marks) for marks in re.findall(r"^(#+) ", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S), re.M)]


@pytest.mark.parametrize("page", CHINESE)
def test_a_chinese_page_has_the_parts_of_the_english_one(page: str) -> None:
    english, chinese = ((place / page).read_text() for place in (_home(page), ROOT / "docs" / "zh"))
    assert _headings(chinese) == _headings(english), f"docs/zh/{page} is older than the English page"
    assert chinese.count("\n|---") >= english.count("\n|---"), f"docs/zh/{page} lacks a table"


def test_every_guide_for_front_end_teams_is_in_chinese() -> None:
    (row,) = [
        line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("| on a front-end team")
    ]
    assert sorted(re.findall(r"guides/([\w-]+)\.md", row)) == sorted(GUIDES)


@pytest.mark.parametrize("page", ["README.md", "docs/zh/README.md"])
def test_the_first_page_leads_to_every_guide(page: str) -> None:
    guides = {path.name for path in (ROOT / "docs" / "guides").glob("*.md")}
    assert guides - set(re.findall(r"guides/([\w-]+\.md)", (ROOT / page).read_text())) == set()


@dataclass
class Page:
    """A page as MkDocs has it, as far as the switch of languages looks at it."""

    src_uri: str

    @property
    def file(self) -> Page:
        return self

    @property
    def url(self) -> str:
        return self.src_uri.removesuffix("index.md").removesuffix("README.md").replace(".md", "/")


@pytest.mark.parametrize(
    ("here", "english", "chinese"),
    [
        ("guides/ship-alone.md", "guides/ship-alone/", "zh/guides/ship-alone/"),
        ("zh/guides/ship-alone.md", "guides/ship-alone/", "zh/guides/ship-alone/"),
        ("index.md", "", "zh/"),
        ("zh/README.md", "", "zh/"),
        ("guides/thin.md", "guides/thin/", "zh/"),  # no translation: the first page
    ],
)
def test_the_switch_of_languages_leads_to_the_pages_translation(here: str, english: str, chinese: str) -> None:
    named = re.findall(r"([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.M)
    config = SimpleNamespace(theme={}, extra={})
    site.on_page_context({}, Page(here), config, SimpleNamespace(pages=[Page(name) for name in named]))
    assert {one["lang"]: one["link"] for one in config.extra["alternate"]} == {"en": english, "zh": chinese}
    assert config.theme["language"] == ("zh" if here.startswith("zh/") else "en")


SITE = sorted((ROOT / "docs").rglob("*.md"))


@pytest.mark.parametrize("page", SITE, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_block_of_a_page_is_one_on_the_site_too(page: Path) -> None:
    fences = re.findall(r"^\s*```.*$", site.on_page_markdown(page.read_text()), re.M)
    assert [one for one in fences if not re.fullmatch(r"\s*```\w*", one)] == []
    assert len(fences) % 2 == 0
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
    assert re.findall(r"^[^|#\n].*\n\|.*\|$", prose, re.M) == [], "a table begins after an empty line"


def test_each_test_that_a_decision_names_is_there() -> None:
    known = {name for file in (ROOT / "tests").rglob("test_*.py") for name in _TESTS.findall(file.read_text())}
    named = {
        (page.name, name)
        for page in (ROOT / "docs" / "decisions").glob("*.md")
        for name in _NAMED.findall(page.read_text())
    }
    assert {one for one in named if one[1] not in known} == set()
