"""Front ends as the settings have them: loaded from their folder, to answer where it is said; their own tables."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from isthmus.kernel import FrontEnd, Pack, errors
from isthmus.runtime.deploy.loading import Load, front_end_folders
from isthmus.runtime.isolation.isolate import load_isolated, points_of

from .config import Config
from .products import unnamed


def load_front_ends(config: Config, packs: Iterable[Pack]) -> list[FrontEnd]:
    """Return the front ends in the configured folder."""
    services = {config.front_ends / name for name, chosen in config.isolation.items() if chosen.mode == "http"}
    load = loads(config, packs)
    found = [load(folder) for folder in sorted({*front_end_folders(config.front_ends), *services})]
    return [*found, *the_group(config, packs)]


def the_group(config: Config, packs: Iterable[Pack]) -> list[FrontEnd]:
    """Return who owns what the group has, where the settings give it a code: it may call all, and answers nothing.

    It is an owner like any front end, so that its rows, its keys and its grants are like theirs.
    """
    if not config.group:
        return []
    uses = tuple(f"{pack.name}.*" for pack in packs if any(not one.is_internal for one in pack.capabilities().values()))
    doc = "The group itself: it owns what front ends share, and sells nothing."
    return [FrontEnd(code=config.group, name=config.group, owner="group", doc=doc, uses=uses)]


def loads(config: Config, packs: Iterable[Pack]) -> Load:
    """Return what loads a front end's folder, to answer where its settings say.

    That raises BuildProblems where the front end switches on a product that the settings do not name.
    """
    points = points_of(packs)

    def load(folder: Path) -> FrontEnd:
        front_end = load_isolated(folder, config.isolation_of(folder), points)
        if problems := list(unnamed(config, front_end)):
            raise errors.BuildProblems(problems)
        return front_end

    return load
