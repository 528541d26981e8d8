"""The commands that packs bring: looked for where no command of the platform has the name, and listed in the help."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from .opening import running, session, standing

if TYPE_CHECKING:
    from isthmus.manifest import Commands

SHIPPED = "isthmus."
SHIPPED_GROUPS = {  # the help is not to wait for the packs' import
    "ledger": "The books of a front end.",
    "reconcile": "What providers and banks say, against what we believe.",
    "security": "Who may what, and what happened.",
}
OPENING = {"session": session, "database": standing, "platform": running}


class WithPacksCommands(TyperGroup):
    """The command line of a platform: its own commands, and those of the packs that are plugged in."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *sorted({*SHIPPED_GROUPS, *(found.name for found in _companys())})]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        if cmd_name in SHIPPED_GROUPS:
            return _Brought(name=cmd_name, help=SHIPPED_GROUPS[cmd_name], no_args_is_help=True)
        found = [one for one in _companys() if one.name == cmd_name]
        return _merged(found) if found else None


class _Brought(TyperGroup):
    """A group whose commands are looked for when it is used: those that the packs which are plugged in bring of it."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [name for one in self._groups() for name in one.list_commands(ctx)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        found = (one.get_command(ctx, cmd_name) for one in self._groups())
        return next((one for one in found if one is not None), None)

    def _groups(self) -> list[Any]:
        return [_made(one) for one in _all() if one.name == self.name]


def _companys() -> list[Commands]:
    """Return the commands of packs where a company has packs of its own."""
    from isthmus.app.config import load_config

    config = load_config()
    if all(name.startswith(SHIPPED) for name in (*config.packs, *config.flows)):
        return []
    return [one for one in _all() if one.name not in SHIPPED_GROUPS]


def _all() -> list[Commands]:
    from isthmus.app.config import load_config
    from isthmus.app.packs import plugging
    from isthmus.manifest import Commands, brought

    packs, _ = plugging(load_config())  # what is wrong with them is said by the command that needs them
    return brought(packs, Commands)


def _merged(found: list[Commands]) -> Any:
    """Return the commands of several packs as one group."""
    first, *others = [_made(one) for one in found]
    for other in others:
        first.commands.update(other.commands)
    return first


def _made(found: Commands) -> Any:
    module, _, function = found.at.partition(":")
    app: typer.Typer = getattr(importlib.import_module(module), function)(OPENING[found.over])
    if len(app.registered_commands) + len(app.registered_groups) < 2:
        app.callback()(lambda: None)  # else typer makes the only command of the group
    made = typer.main.get_group(app)
    made.name, made.help, made.short_help = found.name, found.help, found.help
    return made
