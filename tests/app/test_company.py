"""A company's own platform, from the wheel alone: made, filled, tested and deployed; and the example that ships.

Nothing of this checkout is on the path: a wheel is built, laid out in a folder, and every command runs from there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.guides import walk

ROOT = Path(__file__).resolve().parents[2]
PARTS = (("pack", "loyalty"), ("product", "clubprice"), ("provider", "invoice"), ("front-end", "north"))
# Of providers beside payment's, with the name of one.
KINDS = {"secrets": "keyring", "notification": "courier", "tax": "revenue", "shipping": "parcels", "media": "shelf"}


class Installed:
    """The wheel in a folder of its own, and commands that see no other Isthmus."""

    def __init__(self, place: Path, server_url: str) -> None:
        self.place = place
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("ISTHMUS_", "PYTEST_"))},
            "PYTHONPATH": str(place),
            "ISTHMUS_TEST_DATABASE_URL": server_url,
        }

    def run(self, folder: Path, *command: str, **environment: str) -> str:
        """Run a module of Python in a folder and return what it said. Fails where the command does."""
        ran = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=folder,
            env={**self._environment, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, f"{' '.join(command)}:\n{ran.stdout[-4000:]}\n{ran.stderr[-4000:]}"
        return ran.stdout

    def isthmus(self, folder: Path, *arguments: str, **environment: str) -> str:
        return self.run(folder, "isthmus.cli", *arguments, **environment)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, server_url: str) -> Installed:
    folder = tmp_path_factory.mktemp("wheel")
    built = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    subprocess.run([*built, str(ROOT)], check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    shutil.unpack_archive(wheel, folder / "site", "zip")
    return Installed(folder / "site", server_url)


@pytest.fixture(scope="module")
def company(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the project of a new company with a part of each kind."""
    folder = tmp_path_factory.mktemp("company")
    installed.isthmus(folder, "new", "platform", "acme")
    for kind, name in PARTS:
        installed.isthmus(folder / "acme", "new", kind, name)
    for kind, name in KINDS.items():
        installed.isthmus(folder / "acme", "new", "provider", name, "--kind", kind)
    return folder / "acme"


def test_commands_run_from_the_wheel_and_from_nowhere_else(installed, company):
    (company / "where.py").write_text("import isthmus\n\nprint(isthmus.__file__)\n")
    assert Path(installed.run(company, "where").strip()).is_relative_to(installed.place)


def test_every_part_of_a_new_company_passes_its_test_as_it_was_made(installed, company):
    said = installed.run(company, "pytest", "-q", "-p", "no:cacheprovider")
    assert "failed" not in said
    for name in (
        "test_loyalty",
        "test_clubprice",
        "test_invoice",
        "test_platform",
        *(f"test_{name}" for name in KINDS.values()),
    ):
        assert (company / "tests" / f"{name}.py").is_file()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="the guide calls with curl")
def test_the_guide_makes_a_company_from_the_wheel_as_it_says(installed, empty_url, server_url, tmp_path):
    port = walk.free_port()
    guide = walk.read(ROOT / "docs" / "guides" / "company.md", port)
    variables = walk.environment(
        tmp_path,
        port,
        PYTHONPATH=str(installed.place),
        ISTHMUS_TEST_DATABASE_URL=server_url,
        ISTHMUS_DATABASE_URL=empty_url,
    )
    made = subprocess.run(
        ["bash", "-ec", guide.first], cwd=tmp_path, env=variables, check=False, capture_output=True, text=True
    )
    assert made.returncode == 0, made.stdout + made.stderr
    assert "clubprice.members_pay_less" in made.stdout
    with walk.serving(guide.serve.partition("#")[0], tmp_path / "acme", variables):
        walk.follow(guide.steps, tmp_path / "acme", variables)


def test_every_part_of_a_new_company_has_a_guide(company):
    for guide in (
        "acme/packs/loyalty/guide.md",
        "acme/products/clubprice.md",
        "acme/providers/invoice.md",
        *(f"acme/providers/{name}.md" for name in KINDS.values()),
        "front_ends/north/README.md",
    ):
        assert (company / guide).read_text().startswith("# "), guide


def test_a_part_that_is_there_is_not_made_again(installed, company):
    before = (company / "acme" / "packs" / "loyalty" / "api.py").read_bytes()
    with pytest.raises(AssertionError, match="already there"):
        installed.isthmus(company, "new", "pack", "loyalty")
    assert (company / "acme" / "packs" / "loyalty" / "api.py").read_bytes() == before


def test_outside_a_company_a_pack_is_refused_with_what_to_do(installed, tmp_path):
    with pytest.raises(AssertionError, match="isthmus new platform NAME"):
        installed.isthmus(tmp_path, "new", "pack", "loyalty")
    assert list(tmp_path.iterdir()) == []


async def test_the_example_company_is_tested_and_deployed_from_the_wheel(installed, tmp_path, empty_url):
    example = tmp_path / "acme"
    shutil.copytree(ROOT / "examples" / "acme", example, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    assert "failed" not in installed.run(example, "pytest", "-q", "-p", "no:cacheprovider")
    installed.isthmus(example, "migrate", ISTHMUS_DATABASE_URL=empty_url)
    said = installed.isthmus(example, "deploy", "front_ends/books", ISTHMUS_DATABASE_URL=empty_url)
    assert "books" in said
    assert "loyalty.no-card-is-over-full" in installed.isthmus(example, "doctor", ISTHMUS_DATABASE_URL=empty_url)
