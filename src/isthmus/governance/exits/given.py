"""What a pack that stands alone has from outside its transactions, made as the platform makes it of settings.

A TOML file has them as isthmus.toml does, for this pack alone: `[settings]`, and `[providers.NAME]` with
`use = "module:NAME"`. A secret that is named there is an environment variable.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from isthmus.kernel import Pack, Value, decode, encode, errors
from isthmus.manifest import Place, Resource, brought, checked_settings
from isthmus.manifest.providers import chosen
from isthmus.store import Database

FILE: Final = "SERVICE_SETTINGS"  # the environment variable that names it
FOLDER: Final = "SERVICE_DATA"  # the one that names the folder of what is kept in files


class Said(Value):
    """The settings of a pack that stands alone."""

    settings: dict[str, Any] = {}
    providers: dict[str, dict[str, Any]] = {}


NOTHING_SAID: Final = Said()


def own_resources(pack: Pack) -> list[Resource]:
    """Return what a pack can make where it stands alone."""
    return [one for one in brought([pack], Resource) if one.stands_alone]


def said_in(file: str) -> Said:
    """Return the settings of a file; none of it: those of a pack whose settings nobody has changed."""
    return decode(encode(tomllib.loads(Path(file).read_text(encoding="utf-8"))), Said) if file else NOTHING_SAID


def made(pack: Pack, database: Database, said: Said) -> dict[type, object]:
    """Return what implementations may take by `ctx.resource`. Raises BuildProblems with what does not fit."""
    data = Path(os.environ.get(FOLDER) or "service-data").absolute()
    found: dict[type, object] = {}
    problems: list[str] = []
    for one in own_resources(pack):
        given = said.settings if one.settings.__struct_fields__ else {}
        settings = checked_settings(one.settings, given, "[settings]", _secret)
        providers = chosen(one.providers, one.built_in, said.providers, problems, _secret) if one.providers else {}
        if problems:
            raise errors.BuildProblems(problems)
        named = {name: provider.made(name) for name, provider in providers.items()}
        place = Place(database=database, settings=settings, providers=named, data=data, resource=found.get)
        found[one.kind] = one.make(place)
    return found


def in_shadow(pack: Pack, resources: Mapping[type, object]) -> dict[type, object]:
    """Return resources with what calls take that are undone in place of those that have an effect of their own."""
    instead = {one.kind: one.in_shadow() for one in own_resources(pack) if one.in_shadow is not None}
    return {**resources, **instead}


def _secret(where: str, name: str) -> str:
    if not (found := os.environ.get(name)):
        raise errors.BuildProblems([f"{where} names the secret {name!r}, and there is none; set it in the environment"])
    return found
