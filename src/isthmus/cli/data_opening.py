"""`isthmus data` over the platform of the settings: its lake, what is deployed, the database where one is needed."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from isthmus.kernel import FrontEnd, errors

from . import data
from .opening import Asked, look, standing
from .screen import say

if TYPE_CHECKING:
    from isthmus.data.lake.landing import Landing
    from isthmus.data.persons.one_id import Review
    from isthmus.data.platform import DataPlatform


def run(arguments: Sequence[str]) -> None:
    """Run one of the commands."""
    command = typer.main.get_command(data.commands(opened, _land, _resolve, _in_folder))
    command(list(arguments), prog_name="isthmus data")


@functools.cache
def _deployed() -> dict[str, FrontEnd]:
    from isthmus.app.platform import declared as declared_by

    try:
        release, _ = look(Asked(is_folder=False))
    except errors.Unavailable as gone:  # the lake can be asked without the business
        say(f"{gone.message}; what front ends declare is the folder's")
        return _in_folder()
    return declared_by(release)


def _in_folder() -> dict[str, FrontEnd]:
    from isthmus.app.config import load_config
    from isthmus.app.platform import declared as declared_by
    from isthmus.app.platform import written

    return declared_by(written(load_config()))


def opened() -> DataPlatform:
    """Return the data platform of the settings."""
    from isthmus.app.config import load_config
    from isthmus.app.packs import plugged
    from isthmus.data.platform import open_platform

    config = load_config()
    return open_platform(plugged(config), config.data / "lake", declared=_deployed, settings=config.lake)


async def _land(platform: DataPlatform) -> Landing:
    from isthmus.app.lake_sync import landed

    async with standing() as running:
        return await landed(platform, running.database)


async def _resolve(platform: DataPlatform, anew: bool) -> Review:
    from isthmus.app.lake_sync import one_id

    async with standing() as running:
        persons = one_id(running, platform)
        if persons is None:
            raise errors.NotFound("no pack here has persons", remedy="plug in one that brings Persons")
        if anew:
            await persons.run(datetime.now(UTC))
        return await persons.review()
