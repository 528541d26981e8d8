"""Commands answer at once: what helps nobody to read a page of help is not imported for it."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys

from typer.testing import CliRunner

from isthmus.cli import main_app
from isthmus.cli.packs import SHIPPED_GROUPS
from isthmus.manifest import Commands, brought
from tests import shipped

EVERY_HELP = """
import json, sys
from typer.main import get_command
from typer.testing import CliRunner
from isthmus.cli import main_app

def paths(command, path):
    yield path
    for name, part in getattr(command, "commands", {}).items():
        yield from paths(part, [*path, name])

shown = {}
for path in [*paths(get_command(main_app), []), ["data"], ["data", "ask"], ["data", "land"]]:
    # demo's words are of the demo that is configured, psql's its own.
    if path not in (["demo"], ["psql"]):
        found = CliRunner().invoke(main_app, [*path, "--help"])
        shown[" ".join(path)] = [found.exit_code, "Usage" in found.output]
print(json.dumps({"shown": shown, "modules": sorted(sys.modules)}))
"""
HEAVY = ("asyncpg", "duckdb", "httpx", "jinja2", "pandas", "psutil", "pyarrow", "sqlglot", "starlette", "uvicorn")
OWN = ("isthmus.app.platform", "isthmus.console", "isthmus.data", "isthmus.gateway", "isthmus.packs", "isthmus.store")


def test_no_page_of_help_imports_what_only_a_running_command_needs() -> None:
    ended = subprocess.run([sys.executable, "-c", EVERY_HELP], capture_output=True, text=True, check=True)
    said = json.loads(ended.stdout.splitlines()[-1])
    assert {path: found for path, found in said["shown"].items() if found != [0, True]} == {}
    assert {"client list", "migrate", "deploy", "data ask"} <= said["shown"].keys()
    assert [name for name in said["modules"] if name in (*HEAVY, *OWN)] == []


def test_packs_that_ship_bring_commands_of_groups_only_that_the_help_knows_without_importing_them() -> None:
    assert {one.name for one in brought(shipped.PACKS, Commands)} == {*SHIPPED_GROUPS}
    said = CliRunner().invoke(main_app, ["security", "--help"]).output
    assert all(name in said for name in ("verify", "export", "key", "heads", "may", "who-may", "what-may"))


def test_the_version_is_that_of_what_is_installed() -> None:
    assert CliRunner().invoke(main_app, ["--version"]).output.strip() == importlib.metadata.version("isthmus")
