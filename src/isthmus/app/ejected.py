"""Packs that left the platform, with services in their places.

[ejected.NAME]             # isthmus.toml, as `isthmus adopt` writes it
url = "https://name.internal"
secret = "NAME_TOKEN"      # the environment variable that has its token
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from isthmus.governance.exits.held import flows_of, joins
from isthmus.governance.exits.remote import in_place
from isthmus.kernel import Pack, errors

from .config import Config


def with_services(packs: Sequence[Pack], config: Config) -> Sequence[Pack]:
    """Return the packs, each that the settings name as ejected with its service in its place."""
    return [
        in_place(pack, said["url"], said["secret"]) if (said := config.ejected.get(pack.name)) else pack
        for pack in packs
    ]


def service_problems(packs: Sequence[Pack], config: Config) -> Iterator[str]:
    """Yield what keeps a service from taking a pack's place, each with what to do."""
    known = {pack.name: pack for pack in packs}
    for name in config.ejected:
        if name not in known:
            yield f"[ejected.{name}] names no pack{errors.near(name, known)}; correct it, or take it out"
            continue
        for one in joins(known[name], flows_of(packs)):
            yield f"[ejected.{name}] {one.why}, which a service cannot be rolled back with; take the section out"
