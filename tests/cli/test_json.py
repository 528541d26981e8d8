"""Every command that prints a table or findings says the same as JSON, for programs."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from typing import Any, cast

import click
import pytest
import typer

from isthmus.cli.data import commands as data_commands
from isthmus.cli.main import main_app

# What prints neither a table nor findings: why a program needs no JSON of it.
SENTENCES = {
    "serve": "it serves",
    "psql": "it opens another program",
    "demo": "it has options of its own: see demo/",
    "data": "it is a group: its commands are looked at by themselves",
    "promote": "one sentence about what it did",
    "rollback": "one sentence about what it did",
    "approve": "one sentence about what it did",
    "security new-signing-key": "it prints a key",
    "security add-signing-key": "one sentence about what it did",
    "security revoke-signing-key": "one sentence about what it did",
    "record show": "it prints JSON",
    "record export": "it writes lines of JSON",
    "record import": "one sentence about what it did",
    "client create": "it prints a key",
    "client revoke": "one sentence about what it did",
    "security share": "one sentence about what it did",
    "security end-share": "one sentence about what it did",
    "new platform": "it makes files",
    "new front-end": "it makes files",
    "new pack": "it makes files",
    "new product": "it makes files",
    "new provider": "it makes files",
    "dead-letters send-again": "one sentence about what it did",
    "grants give": "one sentence about what it did",
    "grants withdraw": "one sentence about what it did",
    "data contract": "it prints YAML of a standard",
    "data ossie": "it prints YAML of a standard",
    "data lineage": "it prints JSON of a standard",
    "data lock": "it writes a file, or says that it is up to date",
    "data rates": "one sentence about what it did",
    "data run": "one sentence about what it did",
    "ledger export": "it writes a journal",
    "closing close": "one sentence about what it did",
    "reconcile import": "one sentence about what it did",
    "thin delete": "it makes a branch",
    "thin lift": "it makes a branch",
    "client rotate": "it prints a key",
    "client trust": "it prints the client's id",
    "cost": "one sentence about the file that it wrote",
    "seam": "it makes files",
    "webhooks add": "it prints a secret",
    "webhooks rotate": "it prints a secret",
    "webhooks pause": "one sentence about what it did",
    "webhooks resume": "one sentence about what it did",
    "webhooks delete": "one sentence about what it did",
    "webhooks test": "one sentence about what it did",
    "webhooks send-again": "one sentence about what it did",
    "security first-admin": "it prints a link",
    "security invite": "it prints a link",
    "security sign-in-link": "it prints a link",
    "security sign-out": "one sentence about what it did",
    "security export": "it writes lines of JSON",
    "security rotate-account-keys": "one sentence about what it did",
    "security encrypt": "a sentence for each table about what it did",
    "security rotate-person-keys": "one sentence about what it did",
    "security key": "it prints a key",
    "security heads": "it prints JSON",
    "security export-person": "it writes a page, or JSON",
    "flags put": "one sentence about what it did",
    "flags kill": "one sentence about what it did",
    "flags delete": "one sentence about what it did",
    "flags refuse": "one sentence about what it did",
    "releases key": "it prints a key",
    "releases publish": "one sentence about what it did",
    "releases share": "one sentence about what it did",
    "releases pause": "one sentence about what it did",
    "releases resume": "one sentence about what it did",
    "releases roll-back": "one sentence about what it did",
    "releases minimum": "one sentence about what it did",
    "venture new": "it makes files",
    "venture take": "it makes files",
    "venture pull": "one sentence about what it did",
    "venture switch": "one sentence about what it did",
    "venture facade": "it serves",
    "venture graduate": "it says what is withdrawn by hand",
    "venture end": "it says what is withdrawn by hand",
}


def commands_of(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    context = typer.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None, (*path, name)
        if hasattr(found, "list_commands"):
            yield from commands_of(found, (*path, name))
        else:
            yield " ".join((*path, name)), found


EVERY = {
    **dict(commands_of(typer.main.get_command(main_app))),
    **dict(commands_of(typer.main.get_command(data_commands(*[cast(Any, None)] * 3)), ("data",))),
}


def has_json(command: click.Command) -> bool:
    return any("--json" in one.opts for one in command.params)


def test_every_command_that_prints_a_table_or_findings_says_it_as_json() -> None:
    assert {name for name, one in EVERY.items() if not has_json(one)} - SENTENCES.keys() == set()
    assert SENTENCES.keys() - EVERY.keys() == set(), "strike off what is gone"
    assert {name for name in SENTENCES if has_json(EVERY[name])} == set(), "strike off what has --json"


@pytest.mark.parametrize("name", sorted(SENTENCES))
def test_what_needs_no_json_prints_no_table(name: str) -> None:
    callback = inspect.unwrap(cast(Any, EVERY[name].callback))
    callback = inspect.getclosurevars(callback).nonlocals.get("callback", callback)  # typer wraps it
    assert [one for one in called_by(callback, set()) if one.split(".")[-1] == "Table"] == []


def called_by(function: Any, seen: set[str]) -> set[str]:
    """Return what a function calls, and what those call that stand in its module."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    called = {ast.unparse(one.func) for one in ast.walk(tree) if isinstance(one, ast.Call)} - seen
    beside = [vars(inspect.getmodule(function)).get(name) for name in called]
    seen |= called
    for one in beside:
        if inspect.isfunction(one) and one.__module__ == function.__module__:
            called_by(one, seen)
    return seen
