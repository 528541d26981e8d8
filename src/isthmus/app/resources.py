"""What packs need from outside their transactions: made once a process, from settings that are checked at start."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from isthmus.kernel import Pack, Platform, Value, errors
from isthmus.manifest import Place, ProviderType, Resource, WrongSettings, brought, checked_settings
from isthmus.store import Database

from .config import Config

USE: Final = "use"  # the key of a provider's table that names its type


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A provider that the settings chose: its type, with its settings in their shape."""

    type: ProviderType
    settings: Value


def resources(packs: Iterable[Pack], config: Config, database: Database) -> dict[type, object]:
    """Return what calls may take by `ctx.resource`. Raises BuildProblems with every setting that does not fit."""
    planned, problems = _planned(packs, config)
    if problems:
        raise errors.BuildProblems(problems)
    return {
        resource.kind: resource.make(
            Place(
                database=database,
                settings=settings,
                root=config.root,
                data=config.data,
                providers={name: one.type.make(name, one.settings) for name, one in chosen.items()},
            )
        )
        for resource, settings, chosen in planned
    }


def setting_problems(packs: Iterable[Pack], config: Config) -> list[str]:
    """Return everything that is wrong with the settings of packs and providers."""
    return _planned(packs, config)[1]


def shadow_resources(platform: Platform) -> dict[type, object]:
    """Return what a version in the shadow may take: what would have an effect of its own is replaced."""
    found = brought(platform.release.packs.values(), Resource)
    instead = {one.kind: one.in_shadow() for one in found if one.in_shadow is not None}
    return {**platform.resources, **instead}


Plan = tuple[Resource, Value, dict[str, Chosen]]


def _planned(packs: Iterable[Pack], config: Config) -> tuple[list[Plan], list[str]]:
    packs = tuple(packs)
    problems = [*_unknown(packs, config)]
    planned: list[Plan] = []
    for pack in packs:
        for one in brought([pack], Resource):
            try:
                settings = checked_settings(one.settings, config.settings.get(pack.name, {}), f"[settings.{pack.name}]")
            except WrongSettings as wrong:
                problems.append(str(wrong))
                continue
            planned.append((one, settings, _chosen(one, config, problems)))
    return planned, problems


def _unknown(packs: Iterable[Pack], config: Config) -> Iterator[str]:
    """Yield sections that nothing reads."""
    found = [(pack.name, one) for pack in packs for one in brought([pack], Resource)]
    seams = {one.providers for _, one in found if one.providers}
    for seam in config.providers:
        if seam not in seams:
            known = ", ".join(sorted(seams)) or "none"
            yield f"[providers.{seam}] is of nobody{errors.near(seam, seams)}; the packs here ask for: {known}"
    having = {name for name, one in found if one.settings.__struct_fields__}
    for name in config.settings:
        if name not in having:
            yield f"[settings.{name}] is of no pack that has settings{errors.near(name, having)}; take it out"


def _chosen(resource: Resource, config: Config, problems: list[str]) -> dict[str, Chosen]:
    """Return the providers of a resource's seam: those of the settings, or those that are built in."""
    if not resource.providers:
        return {}
    built_in: Mapping[str, Mapping[str, Any]] = {name: {USE: at} for name, at in resource.built_in.items()}
    found: dict[str, Chosen] = {}
    for name, given in (config.providers.get(resource.providers) or built_in).items():
        where = f"[providers.{resource.providers}.{name}]"
        type_ = _provider_type(where, given, problems)
        if type_ is None:
            continue
        try:
            own = {key: value for key, value in given.items() if key != USE}
            found[name] = Chosen(type=type_, settings=checked_settings(type_.settings, own, where))
        except WrongSettings as wrong:
            problems.append(str(wrong))
    return found


def _provider_type(where: str, given: Any, problems: list[str]) -> ProviderType | None:
    named = given.get(USE, "") if isinstance(given, dict) else ""
    module, _, name = str(named).partition(":")
    if not (module and name):
        problems.append(f'{where} names no provider; write use = "module:NAME"')
        return None
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as wrong:
        problems.append(f"{where} uses {named!r}, which cannot be imported: {wrong}; install it, or correct the name")
        return None
    if not isinstance(found, ProviderType):
        problems.append(f"{where} uses {named!r}, which is no ProviderType of isthmus.manifest; name one")
        return None
    return found
