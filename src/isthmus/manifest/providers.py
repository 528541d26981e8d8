"""Providers as settings choose them: `use = "module:NAME"`, and what its type takes."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from isthmus.kernel import Value

from . import ProviderType, WrongSettings, checked_settings

USE: Final = "use"  # the key of a provider's table that names its type

Reveal = Callable[[str, str], str]  # where a secret is named, and its name, to its value


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A provider that the settings chose: its type, with its settings in their shape."""

    type: ProviderType
    settings: Value

    def made(self, name: str) -> Any:
        """Return the provider, under the name that the settings give it."""
        return self.type.make(name, self.settings)


def chosen(
    seam: str, built_in: Mapping[str, str], given: Mapping[str, Any], problems: list[str], reveal: Reveal
) -> dict[str, Chosen]:
    """Return the providers of a seam: those that are given, or those that are built in; what is wrong is noted."""
    default: Mapping[str, Mapping[str, Any]] = {name: {USE: at} for name, at in built_in.items()}
    found: dict[str, Chosen] = {}
    for name, said in (given or default).items():
        where = f"[providers.{seam}.{name}]"
        type_ = _provider_type(where, said, problems)
        if type_ is None:
            continue
        try:
            own = {key: value for key, value in said.items() if key != USE}
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
