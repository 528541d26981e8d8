"""The commands that packs bring: looked for where no command of the platform has the name, and listed in the help."""

from __future__ import annotations

import importlib
from functools import cached_property
from typing import TYPE_CHECKING, Any

import typer

from .groups import Group
from .opening import running, session, standing

if TYPE_CHECKING:
    from isthmus.manifest import Commands

OPENING = {"session": session, "database": standing, "platform": running}


class WithPacksCommands(Group):
    """The command line of a platform: its own commands, and those of the packs that are plugged in."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *sorted(self._packs)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return super().get_command(ctx, cmd_name) or self._packs.get(cmd_name)

    @cached_property
    def _packs(self) -> dict[str, PacksGroup]:
        from isthmus.app.commands import written_commands
        from isthmus.app.config import load_config

        by_name: dict[str, list[Commands]] = {}
        for one in written_commands(load_config()):
            by_name.setdefault(one.name, []).append(one)
        return {name: PacksGroup(found) for name, found in by_name.items()}


class PacksGroup(Group):
    """A group of commands, of one pack or of several, whose modules are imported when it is used."""

    def __init__(self, brought: list[Commands]) -> None:
        super().__init__(name=brought[0].name, help=brought[0].help, no_args_is_help=True)
        self._brought = brought

    def list_commands(self, ctx: Any) -> list[str]:
        return [*self._commands]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return self._commands.get(cmd_name)

    @cached_property
    def _commands(self) -> dict[str, Any]:
        return {name: command for one in self._brought for name, command in _made(one).commands.items()}


def _made(found: Commands) -> Any:
    module, _, function = found.at.partition(":")
    app: typer.Typer = getattr(importlib.import_module(module), function)(OPENING[found.over])
    if len(app.registered_commands) + len(app.registered_groups) < 2:
        app.callback()(lambda: None)  # else typer makes the only command of the group
    return typer.main.get_group(app)
