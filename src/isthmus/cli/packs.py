"""The commands that packs bring: looked for where no command of the platform has the name, and listed in the help."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from .opening import session

if TYPE_CHECKING:
    from isthmus.manifest import Commands


class WithPacksCommands(TyperGroup):
    """The command line of a platform: its own commands, and those of the packs that are plugged in."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *sorted(found.name for found in _brought())]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        found = next((one for one in _brought() if one.name == cmd_name), None)
        return None if found is None else _made(found)


SHIPPED = "isthmus."  # packs that ship bring no commands, and the help is not to wait for their import


def _brought() -> list[Commands]:
    from isthmus.app.config import load_config

    config = load_config()
    if all(name.startswith(SHIPPED) for name in (*config.packs, *config.flows)):
        return []
    from isthmus.app.packs import plugging
    from isthmus.manifest import Commands, brought

    packs, _ = plugging(config)  # what is wrong with them is said by the command that needs them
    return brought(packs, Commands)


def _made(found: Commands) -> Any:
    module, _, function = found.at.partition(":")
    app: typer.Typer = getattr(importlib.import_module(module), function)(session)
    made = typer.main.get_group(app)
    made.name, made.help, made.short_help = found.name, found.help, found.help
    return made
