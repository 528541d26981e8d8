"""What packs need from outside their transactions: made once a process, from settings that are checked at start."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from isthmus.kernel import Pack, Platform, Value, errors
from isthmus.manifest import Place, ProviderType, Resource, Secrets, WrongSettings, brought, checked_settings
from isthmus.store import Database

from .config import Config

USE: Final = "use"  # the key of a provider's table that names its type
SECRETS: Final = "secrets"  # the seam that is the platform's own, since the settings of all others name secrets
ENVIRONMENT: Final = {"environment": "isthmus.app.secrets:ENVIRONMENT"}

Reveal = Callable[[str, str], str]  # where a secret is named, and its name, to its value


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A provider that the settings chose: its type, with its settings in their shape."""

    type: ProviderType
    settings: Value


def resources(
    packs: Iterable[Pack], config: Config, database: Database, *, is_beside: bool = False
) -> dict[type, object]:  # fmt: skip
    """Return what calls may take by `ctx.resource`. Raises BuildProblems with every setting that does not fit.

    is_beside: a server started this process beside itself.
    """
    packs, named = tuple(packs), dict[str, str]()

    def note(where: str, name: str) -> str:
        named.setdefault(name, where)
        return ""

    packs = tuple(packs)
    _, problems = _planned(packs, config, note)
    if problems:
        raise errors.BuildProblems(problems)
    values = secret_values(config, named)
    planned, _ = _planned(packs, config, lambda _, name: values[name])
    made: dict[type, object] = {}
    for resource, settings, chosen in planned:  # one by one: a resource may be made of one before it
        made[resource.kind] = resource.make(
            Place(
                database=database,
                settings=settings,
                root=config.root,
                data=config.data,
                front_ends=config.front_ends,
                packs=packs,
                providers={name: one.type.make(name, one.settings) for name, one in chosen.items()},
                resource=made.get,
                is_beside=is_beside,
            )
        )
    return made


def setting_problems(packs: Iterable[Pack], config: Config) -> list[str]:
    """Return everything that is wrong with the settings of packs and providers; no secret is read for it."""
    return _planned(packs, config, lambda _, __: "")[1]


def secret_values(config: Config, named: Mapping[str, str]) -> Mapping[str, str]:
    """Return the values of secrets, given where each is named. Raises BuildProblems with all that are not there."""
    if not named:
        return {}
    (chosen,) = _secrets_provider(config, []).values()
    provider = cast(Secrets, chosen.type.make(SECRETS, chosen.settings))
    values = provider.read(tuple(named))
    missing = [name for name in named if not values.get(name)]
    if missing:
        raise errors.BuildProblems(
            [f"{named[name]} names the secret {name!r}, and there is none; {provider.place(name)}" for name in missing]
        )
    return values


def shadow_resources(platform: Platform) -> dict[type, object]:
    """Return what a version in the shadow may take: what would have an effect of its own is replaced."""
    found = brought(platform.release.packs.values(), Resource)
    instead = {one.kind: one.in_shadow() for one in found if one.in_shadow is not None}
    return {**platform.resources, **instead}


Plan = tuple[Resource, Value, dict[str, Chosen]]


def _planned(packs: Iterable[Pack], config: Config, reveal: Reveal) -> tuple[list[Plan], list[str]]:
    packs = tuple(packs)
    problems = [*_unknown(packs, config)]
    _secrets_provider(config, problems)
    planned: list[Plan] = []
    for pack in packs:
        for one in brought([pack], Resource):
            try:
                section = pack.name if one.settings.__struct_fields__ else ""  # it is another resource's, then
                given = config.settings.get(section, {})
                settings = checked_settings(one.settings, given, f"[settings.{pack.name}]", reveal)
            except WrongSettings as wrong:
                problems.append(str(wrong))
                continue
            chosen = _chosen(one.providers, one.built_in, config, problems, reveal) if one.providers else {}
            planned.append((one, settings, chosen))
    return planned, problems


def _unknown(packs: Iterable[Pack], config: Config) -> Iterator[str]:
    """Yield sections that nothing reads."""
    found = [(pack.name, one) for pack in packs for one in brought([pack], Resource)]
    seams = {SECRETS, *(one.providers for _, one in found if one.providers)}
    for seam in config.providers:
        if seam not in seams:
            known = ", ".join(sorted(seams)) or "none"
            yield f"[providers.{seam}] is of nobody{errors.near(seam, seams)}; the packs here ask for: {known}"
    having = {name for name, one in found if one.settings.__struct_fields__}
    for name in config.settings:
        if name not in having:
            yield f"[settings.{name}] is of no pack that has settings{errors.near(name, having)}; take it out"


def _secrets_provider(config: Config, problems: list[str]) -> dict[str, Chosen]:
    """Return who keeps the secrets: the one that the settings choose, or the environment."""
    found = _chosen(SECRETS, ENVIRONMENT, config, problems, _no_secret)
    if len(found) > 1:
        names = " and ".join(f"[providers.{SECRETS}.{name}]" for name in found)
        problems.append(f"{names} are both there, and secrets come from one; take all but one out")
    return found


def _no_secret(where: str, name: str) -> str:
    raise ValueError("who keeps the secrets cannot have one; say where it is, as a variable or a file")


def _chosen(
    seam: str, built_in: Mapping[str, str], config: Config, problems: list[str], reveal: Reveal
) -> dict[str, Chosen]:
    """Return the providers of a seam: those of the settings, or those that are built in."""
    default: Mapping[str, Mapping[str, Any]] = {name: {USE: at} for name, at in built_in.items()}
    found: dict[str, Chosen] = {}
    for name, given in (config.providers.get(seam) or default).items():
        where = f"[providers.{seam}.{name}]"
        type_ = _provider_type(where, given, problems)
        if type_ is None:
            continue
        try:
            own = {key: value for key, value in given.items() if key != USE}
            found[name] = Chosen(type=type_, settings=checked_settings(type_.settings, own, where, reveal))
        except WrongSettings as wrong:
            problems.append(str(wrong))
    return found


def _provider_type(where: str, given: Any, problems: list[str]) -> ProviderType | None:
    said = cast("dict[str, object]", given) if isinstance(given, dict) else {}
    named = said.get(USE, "")
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
