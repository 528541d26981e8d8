"""Which things an ask names, and what is known of them: looked up only where policies speak of such things."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import cedarpy

from isthmus.kernel import Capability, decode
from isthmus.manifest.named import Named, names_in
from isthmus.sealing import Seals

from .. import api
from ..rules.schema import entity_of
from ..rules.things import Thing

if TYPE_CHECKING:
    from isthmus.kernel import ports
    from isthmus.store import Database


def spoken_of(text: str, named: Iterable[Named]) -> tuple[Named, ...]:
    """Return the kinds that policies speak of, by their names or by what is known of them."""
    said = cedarpy.policies_to_json_str(text)
    words = {one: (entity_of(one.kind), *one.attributes) for one in named}
    return tuple(one for one, some in words.items() if any(f'"{word}"' in said for word in some))


async def things_in(
    kinds: Sequence[Named], capability: Capability[Any, Any], front_end: str, ask: Any, database: Database | None,
    seals: Seals,
) -> list[Thing]:  # fmt: skip
    """Return what an ask names of some kinds. Raises BadAsk where it cannot be read."""
    read = decode(ask, capability.ask) if isinstance(ask, bytes) else ask
    names = {one: {*names_in(read, one.by)} for one in kinds}
    if database is None:
        return [Thing(one.kind, name) for one, some in names.items() for name in sorted(some)]
    session = database.read(front_end)
    try:
        for one in kinds:
            if found := one.found.get(capability):
                names[one] |= {*await found(session, front_end, read, seals)}
        return [thing for one, some in names.items() for thing in await known(session, one, front_end, some)]
    finally:
        await session.close()


async def thing(named: Iterable[Named], front_end: str, about: str, database: Database | None) -> list[Thing]:
    """Return what `member/019d…` means, by all its names. Raises BadAsk where there is no such kind."""
    kind, _, name = about.partition("/")
    by_kind = {one.kind: one for one in named}
    if (one := by_kind.get(kind)) is None or not name:
        raise api.NoSuchThing(about=about, kinds=", ".join(f"{one}/…" for one in sorted(by_kind)))
    if database is None:
        return [Thing(kind, name)]
    session = database.read(front_end)
    try:
        return await known(session, one, front_end, {name})
    finally:
        await session.close()


async def known(session: ports.Session, one: Named, front_end: str, names: set[str]) -> list[Thing]:
    """Return what is known of things, each by all of its names."""
    if not names:
        return []
    rows = await session.fetch(one.rows, front_end, sorted(names))
    said = {row["name"]: {name: row[name] for name in one.attributes if row[name] is not None} for row in rows}
    return [Thing(one.kind, name, said.get(name, {})) for name in sorted(names | said.keys())]
