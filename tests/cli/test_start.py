"""Commands answer at once: what helps nobody to read a page of help is not imported for it."""

from __future__ import annotations

import functools
import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from isthmus.app.commands import written_commands
from isthmus.app.config import load_config
from isthmus.cli import main_app
from isthmus.manifest import Commands, brought
from tests import shipped

EVERY_HELP = """
import json, sys
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner
from isthmus.cli import main_app

def paths(command, path):
    yield path
    if isinstance(command, TyperGroup):
        for name in command.list_commands(None):
            yield from paths(command.get_command(None, name), [*path, name])

shown, reading = {}, []
def every():
    yield from [] if sys.argv[1:] else paths(get_command(main_app), [])
    yield from [[]] if sys.argv[1:] else [["data"], ["data", "ask"], ["data", "land"]]

for path in sorted(every(), key=lambda path: path[:1] == ["thin"]):
    if path != ["psql"]:  # whose words are its own
        found = CliRunner().invoke(main_app, [*path, "--help"])
        shown[" ".join(path)] = [found.exit_code, "usage" in found.output.lower()]
        if "pydantic" in sys.modules:
            reading.append(" ".join(path))
print(json.dumps({"shown": shown, "reading": reading, "modules": sorted(sys.modules)}))
"""
HEAVY = (
    *("argon2", "asyncpg", "babel.messages", "cedarpy", "cryptography", "duckdb", "httpx", "jinja2", "pandas"),
    *("psutil", "pyarrow", "sqlglot", "starlette", "uvicorn", "webauthn"),
)
OWN = ("isthmus.app.platform", "isthmus.console", "isthmus.data", "isthmus.gateway", "isthmus.store")
COMPANY = Path(__file__).parents[2] / "examples" / "acme"  # with a pack of its own


def test_no_page_of_help_imports_what_only_a_running_command_needs() -> None:
    said = helped(COMPANY.parents[1])
    assert {path: found for path, found in said["shown"].items() if found != [0, True]} == {}
    assert {"client list", "data ask", "demo", "deploy", "migrate", "security verify"} <= said["shown"].keys()
    assert [name for name in said["modules"] if name in (*HEAVY, *OWN)] == []
    assert said["reading"] == ["thin lift", "thin sink", "thin delete"], (
        "below a group with a number of its own, which pydantic reads"
    )


def test_a_pages_help_imports_of_packs_the_commands_and_the_contracts_that_they_name() -> None:
    loaded = helped(COMPANY.parents[1])["modules"]
    of_packs = {name.split(".", 3)[3].split(".")[0] for name in loaded if name.count(".") > 2 and ".packs." in name}
    assert of_packs <= {"api", "commands", "rules", "storage"}


def test_the_help_of_a_company_with_packs_of_its_own_imports_none_of_its_packs() -> None:
    said = helped(COMPANY, ("--help",))
    assert said["shown"] == {"": [0, True]}
    assert [name for name in said["modules"] if name in (*HEAVY, *OWN) or ".packs." in name] == []


@functools.cache
def helped(company: Path, only: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return which pages of help a process showed in a company's folder, and the modules that it has imported then."""
    environment = {**os.environ, "ISTHMUS_CONFIG": str(company / "isthmus.toml")}
    command = [sys.executable, "-c", EVERY_HELP, *only]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return json.loads(ended.stdout.splitlines()[-1])


def test_help_lists_the_groups_that_packs_bring_and_what_is_in_them() -> None:
    brings = {one.name for one in brought(shipped.PACKS, Commands)}
    assert brings == {one.name for one in written_commands(load_config())} >= {"ledger", "security"}
    said = CliRunner().invoke(main_app, ["--help"]).output
    assert all(name in said for name in brings)
    said = CliRunner().invoke(main_app, ["security", "--help"]).output
    assert all(name in said for name in ("verify", "export", "key", "heads", "may", "who-may", "what-may"))


def test_the_version_is_that_of_what_is_installed() -> None:
    assert CliRunner().invoke(main_app, ["--version"]).output.strip() == importlib.metadata.version("isthmus")
