"""What packs need from outside their transactions: made once a process, from settings that are checked at start."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, cast

from isthmus.kernel import Pack, Platform, Value, errors
from isthmus.manifest import Place, Resource, Secrets, WrongSettings, brought, checked_settings
from isthmus.manifest.providers import Chosen, Reveal, chosen
from isthmus.store import Database

from .config import Config

SECRETS: Final = "secrets"  # the seam that is the platform's own, since the settings of all others name secrets
ENVIRONMENT: Final = {"environment": "isthmus.app.secrets:ENVIRONMENT"}


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
    for resource, settings, providers in planned:  # one by one: a resource may be made of one before it
        made[resource.kind] = resource.make(
            Place(
                database=database,
                settings=settings,
                root=config.root,
                data=config.data,
                front_ends=config.front_ends,
                packs=packs,
                providers={name: one.made(name) for name, one in providers.items()},
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
    (keeper,) = _secrets_provider(config, []).values()
    provider = cast(Secrets, keeper.made(SECRETS))
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
            providers = _of_seam(one.providers, one.built_in, config, problems, reveal) if one.providers else {}
            planned.append((one, settings, providers))
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
    found = _of_seam(SECRETS, ENVIRONMENT, config, problems, _no_secret)
    if len(found) > 1:
        names = " and ".join(f"[providers.{SECRETS}.{name}]" for name in found)
        problems.append(f"{names} are both there, and secrets come from one; take all but one out")
    return found


def _no_secret(where: str, name: str) -> str:
    raise ValueError("who keeps the secrets cannot have one; say where it is, as a variable or a file")


def _of_seam(
    seam: str, built_in: Mapping[str, str], config: Config, problems: list[str], reveal: Reveal
) -> dict[str, Chosen]:
    return chosen(seam, built_in, config.providers.get(seam, {}), problems, reveal)
