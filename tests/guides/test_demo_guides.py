"""The guides that work on the demo's data: sold once, then each guide is followed beside one server."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from .newcomer import QUESTIONS
from .walk import GUIDES, ROOT, environment, follow, free_port, read, serving

ALONE = ("data", "growth", "agents", "security", "replay", "thin", "compatibility")
# thin says what nobody does, and those behind it call
ON_THE_DEMO = (*ALONE, "events", "providers", "orders", "catalogue")
CLOSING = read(GUIDES / "closing.md")  # on baskets of a whole year
ON_THE_DEMO_IN_CHINESE = ("orders",)
FIRST = dict.fromkeys(line for name in ON_THE_DEMO for line in read(GUIDES / f"{name}.md").first.splitlines())
SETTINGS = "\n".join(line for line in FIRST if line.startswith("printf"))
REST = "\n".join(line for line in FIRST if not line.startswith("printf"))  # selling, and where it is
PARTS = ("isthmus.toml", "front_ends", "demo", "contracts", "thinness.json")
MAKE = """#!/bin/bash
# what `make demo` runs once the environment is there
[ "$1" = demo ] || exit 1
exec isthmus demo ${2#ARGS=}
"""

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("curl") is None, reason="the guides call with curl")]


@dataclass(frozen=True, slots=True)
class Sold:
    """A checkout in which the demo has sold, and a server over its data."""

    folder: Path
    port: str
    variables: Mapping[str, str]


@pytest.fixture(scope="module")
def sold() -> Iterator[Sold]:
    with selling(f"{SETTINGS}\n{REST}") as made:
        yield made


@contextmanager
def selling(first: str) -> Iterator[Sold]:
    """Sell in a checkout as a guide says to, and serve there."""
    folder, port = Path(tempfile.mkdtemp(prefix="isthmus-guides-")), free_port()
    folder.chmod(0o755)  # as a checkout is: the embedded PostgreSQL of root runs as somebody else
    for name in PARTS:
        whole = ROOT / name
        if whole.is_dir():
            shutil.copytree(whole, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(whole, folder / name)
    variables = environment(folder, port)
    (folder / "bin" / "make").write_text(MAKE)
    (folder / "bin" / "make").chmod(0o755)
    script = f"set -e\n{first}\necho; echo $ISTHMUS_DATA"
    ran = subprocess.run(["bash", "-c", script], cwd=folder, env=variables, check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    variables["ISTHMUS_DATA"] = ran.stdout.splitlines()[-1]
    with serving("isthmus serve", folder, variables):
        yield Sold(folder, port, variables)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("name", [*ON_THE_DEMO, *(f"zh/{name}" for name in ON_THE_DEMO_IN_CHINESE)])
def test_the_guide_on_the_demo_does_what_it_says(sold: Sold, name: str) -> None:
    folder = ROOT / "docs" / "zh" / "guides" if name.startswith("zh/") else GUIDES
    guide = read(folder / f"{name.removeprefix('zh/')}.md", sold.port)
    assert guide.steps
    assert len(REST.splitlines()) == 2, "begin as the other guides on the demo do"
    assert guide.serve in ("", "isthmus serve")
    follow(guide.steps, sold.folder, sold.variables)


def test_the_year_of_the_demo_is_closed_by_the_guide() -> None:
    with selling(CLOSING.first) as made:
        follow(read(GUIDES / "closing.md", made.port).steps, made.folder, made.variables)


@pytest.mark.parametrize("question", QUESTIONS)
def test_what_a_newcomer_asks_of_the_data_is_what_plain_sql_says(sold: Sold, question: str) -> None:
    asked, sql = QUESTIONS[question]
    if not (sold.folder / "landed").exists():
        said(sold, "isthmus data land && touch landed")
    found = json.loads(said(sold, f"isthmus data ask {asked} --json"))["rows"]
    wrapped = f"select json_agg(row_to_json(answer)) from ({sql}) answer"
    wanted = json.loads(said(sold, f"isthmus psql -Atc {shlex.quote(wrapped)}"))
    assert len(wanted) > 0
    assert sorted(str(list(row.values())) for row in found) == sorted(str(list(row.values())) for row in wanted)


def said(sold: Sold, command: str) -> str:
    """Return what a command prints on the demo's data."""
    ran = subprocess.run(
        ["bash", "-c", command], cwd=sold.folder, env=sold.variables, check=False, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_the_first_call_of_the_readme_is_answered(sold: Sold) -> None:
    for page in ("README.md", "docs/zh/README.md"):
        guide = read(ROOT / page, sold.port)
        (call,) = [text for text, _ in guide.steps]
        key = "KEY=$(isthmus client create fresh --name readme | grep -o 'isth_[A-Za-z0-9_-]*')"
        follow([(f"{key}\n{call}", ['"title":"Bananas'])], sold.folder, sold.variables)
