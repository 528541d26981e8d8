"""What is plugged in: the packs and flows that the settings name, checked together.

isthmus.toml: [platform] packs, flows, leave_out → modules → manifests → what is missing, all of it at once
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import pkgutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from types import ModuleType

from isthmus import manifest
from isthmus.kernel import Pack, errors
from isthmus.manifest.at import at_problems
from isthmus.manifest.demo import demo_problems
from isthmus.manifest.figures import figure_problems
from isthmus.manifest.guides import guide_problems
from isthmus.markings import Question, Rule, Segment, Term

from .broken import Broken, not_imported
from .commands import MANIFEST, unwritten
from .config import Config
from .ejected import service_problems, with_services
from .forgetting import forgetting, personal_problems
from .products import product_problems
from .resources import setting_problems

KINDS = (*manifest.KINDS, Segment, Rule, Term, Question)  # what a surface reads of a manifest


def plugged(config: Config) -> tuple[Pack, ...]:
    """Return the packs and flows of a platform, as its settings name them.

    Every process reads them here. Raises BuildProblems with everything that is missing or wrong, each with the line to
    write.
    """
    packs, problems = plugging(config)
    if problems:
        raise errors.BuildProblems(problems)
    return packs


def plugging(config: Config) -> tuple[tuple[Pack, ...], list[str]]:
    """Return the packs and flows that fit together, and what is wrong with the others and with the settings of all.

    Raises BuildProblems where one cannot be imported, with that alone: what else is missing follows from it.
    """
    if (root := str(config.root)) not in sys.path:
        sys.path.append(root)  # a company's own packs lie beside its settings
    problems: list[str] = []
    broken: list[Broken] = []
    named = [one for name in (*config.packs, *config.flows) for one in _found(name, broken, problems)]
    known = {pack.name: pack for pack in named}
    if halting := [one for one in broken if one.name not in config.leave_out]:
        raise errors.BuildProblems(list(not_imported(halting, known.values(), config.leave_out)))
    problems += [
        f"leave_out names {name!r}, which is not among the packs and flows{errors.near(name, known)}"
        for name in config.leave_out
        if name not in {*known, *(one.name for one in broken)}
    ]
    kept = tuple(pack for pack in known.values() if pack.name not in config.leave_out)
    problems += [wrong for pack in kept for wrong in manifest.check_kinds(pack, KINDS)]
    problems += service_problems(kept, config)
    kept = tuple(with_services(kept, config))
    checks = (manifest.job_problems, figure_problems, demo_problems, guide_problems, at_problems)
    problems += [wrong for check in checks for pack in kept for wrong in check(pack)]
    problems += unwritten(manifest.brought(kept, manifest.Commands), config)
    without = _lacking(kept)
    problems += _missing(without, config.leave_out)
    problems += setting_problems(kept, config)
    problems += product_problems(config)
    problems += personal_problems(kept)
    whole = tuple(pack for pack in kept if pack.name not in without)
    return (*whole, *forgetting(whole)), problems


def _found(name: str, broken: list[Broken], problems: list[str]) -> Iterable[Pack]:
    """Return the packs that one entry of the settings stands for; one that cannot be imported is told apart."""
    place, _, value = name.partition(":")
    try:
        module = _imported(place, broken)
        if module is None:
            return []
        found = [getattr(module, value)] if value else list(_below(module, broken))
    except (ImportError, AttributeError) as wrong:
        problems.append(f"{name!r} cannot be plugged in: {wrong}; install it, or correct the name in [platform]")
        return []
    packs = [one for one in found if isinstance(one, Pack)]
    is_package = not value and hasattr(module, "__path__")  # it may be empty: a new company has no pack of its own yet
    if len(packs) < len(found) or (not packs and not is_package):
        problems.append(f"{name!r} holds no pack; name a manifest as module:NAME, or a package with packs below it")
    return packs


def _below(package: ModuleType, broken: list[Broken]) -> Iterator[Pack]:
    """Yield the manifests of a package: its own where it is a pack, and those of the packs below it."""
    if not hasattr(package, "__path__"):
        yield from _manifests(package)
        return
    place = f"{package.__name__}.{MANIFEST}"
    if importlib.util.find_spec(place) is not None:
        own = _imported(place, broken)
        if own is None:  # what lies below it is part of it
            return
        yield from _manifests(own)
    for one in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        if one.ispkg and (below := _imported(one.name, broken)):
            yield from _below(below, broken)


def _imported(place: str, broken: list[Broken]) -> ModuleType | None:
    """Return a module; None where it is there and cannot be imported. Raises ImportError where it is not there."""
    try:
        return importlib.import_module(place)
    except Exception as wrong:  # whatever a pack's own code raises, the others are not to blame
        if isinstance(wrong, ModuleNotFoundError) and place.startswith(wrong.name or "?"):
            raise
        broken.append(Broken(place, wrong))
        return None


def _manifests(module: ModuleType) -> Iterator[Pack]:
    yield from dict.fromkeys(found for found in vars(module).values() if isinstance(found, Pack))


def _missing(lacks: Mapping[str, Mapping[str, set[str]]], left_out: Sequence[str]) -> Iterator[str]:
    """Say which flows lack a pack that they use, and the lines of the settings that put it right."""
    without = [*left_out, *sorted(lacks)]
    for flow, uses in sorted(lacks.items()):
        for pack, used in sorted(uses.items()):
            back = f"take {pack!r} out of leave_out" if pack in left_out else f"name the pack of {pack!r} in packs"
            line = f"leave_out = {json.dumps(without)}"
            yield f"{flow!r} uses {', '.join(sorted(used))}, and {pack!r} is not plugged in; {back}, or write {line}"


def _lacking(packs: Sequence[Pack]) -> Mapping[str, Mapping[str, set[str]]]:
    return lacking(
        {pack.name: {one.name for one in pack.capabilities().values()} for pack in packs},
        {pack.name: {part.name for one in pack.capabilities().values() for part in one.uses} for pack in packs},
    )


def lacking(offers: Mapping[str, Set[str]], uses: Mapping[str, Set[str]]) -> dict[str, dict[str, set[str]]]:
    """Return which packs and flows cannot run, and what each uses that nobody offers, by the pack that would.

    offers, uses: names of capabilities, by the pack or flow. What stands upon one that cannot run cannot either.
    """
    found: dict[str, dict[str, set[str]]] = {}
    while True:
        left = [name for name in uses if name not in found]
        offered = {capability for name in left for capability in offers[name]}
        gone = next((name for name in left if not uses[name] <= offered), None)
        if gone is None:
            return found
        by_pack = found.setdefault(gone, {})
        for capability in uses[gone] - offered:
            by_pack.setdefault(capability.partition(".")[0], set()).add(capability)
