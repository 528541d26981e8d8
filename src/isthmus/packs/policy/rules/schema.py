"""The schema of policies: what there is to call, and who calls where. It follows from what is plugged in."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from isthmus.kernel import Capability, Effect
from isthmus.manifest.actions import Action
from isthmus.manifest.named import Named

ENTITIES = """
entity Role;
entity Relation in [Role];
entity FrontEnd;
entity Person in [Role, Relation];
entity Client in [Role, Relation] { name: String, front_end: FrontEnd };
entity Platform;
action "read", "write";
"""


def schema_of(
    capabilities: Iterable[Capability[Any, Any] | Action],
    within: Mapping[str, Collection[str]] | None = None,
    named: Collection[Named] = (),
) -> str:
    """Return the schema in Cedar's own language: each capability is an action, in `read` or `write` and in `pack.*`.

    within: the kinds of parts that a capability is answered within, which are resources inside of a front end, as are
    those that its asks name.
    """
    found = sorted(capabilities, key=lambda one: one.name)
    packs = sorted({one.pack for one in found})
    groups = [f"action {_quoted(f'{pack}.*')};" for pack in packs]
    inside = within or {}
    known = {one.kind: _attributes(one) for one in named}
    kinds = sorted({kind for some in inside.values() for kind in some} | known.keys())
    parts = [f"entity {entity_of(kind)} in [FrontEnd]{known.get(kind, '')};" for kind in kinds]
    about = {one.name: {*inside.get(one.name, ()), *kinds_named(one, named)} for one in found}
    return "\n".join([ENTITIES, *parts, *groups, *(_action(one, about[one.name]) for one in found)])


def kinds_named(capability: Capability[Any, Any] | Action, named: Iterable[Named]) -> tuple[str, ...]:
    """Return the kinds of things that asks of a capability can name."""
    return tuple(one.kind for one in named if isinstance(capability, Capability) and one.is_in(capability))


def entity_of(kind: str) -> str:
    """Return what policies call parts of a kind: `gift-card` is `GiftCard`."""
    return "".join(word.capitalize() for word in kind.split("-"))


def _attributes(one: Named) -> str:
    said = ", ".join(f"{name}: {kind}" for name, kind in one.attributes.items())
    return f" {{ {said} }}" if said else ""


def _action(one: Capability[Any, Any] | Action, kinds: Collection[str]) -> str:
    effect = "read" if one.effect is Effect.READ else "write"
    resources = ", ".join(["FrontEnd", *sorted(map(entity_of, kinds))])
    return (
        f'action {_quoted(one.name)} in [Action::"{effect}", Action::{_quoted(f"{one.pack}.*")}]\n'
        f"  appliesTo {{ principal: [Person, Client, Platform], resource: [{resources}], context: {{ via: String }} }};"
    )


def _quoted(name: str) -> str:
    return json.dumps(name)
