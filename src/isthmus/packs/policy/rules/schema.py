"""The schema of policies: what there is to call, and who calls where. It follows from what is plugged in."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from isthmus.kernel import Capability, Effect
from isthmus.manifest.actions import Action

ENTITIES = """
entity Role;
entity Relation in [Role];
entity FrontEnd;
entity Person in [Role, Relation];
entity Client in [Role] { name: String, front_end: FrontEnd };
entity Platform;
action "read", "write";
"""


def schema_of(
    capabilities: Iterable[Capability[Any, Any] | Action], within: Mapping[str, Collection[str]] | None = None
) -> str:
    """Return the schema in Cedar's own language: each capability is an action, in `read` or `write` and in `pack.*`.

    within: the kinds of parts that a capability is answered within, which are resources inside of a front end.
    """
    found = sorted(capabilities, key=lambda one: one.name)
    packs = sorted({one.pack for one in found})
    groups = [f"action {_quoted(f'{pack}.*')};" for pack in packs]
    inside = within or {}
    kinds = sorted({kind for some in inside.values() for kind in some})
    parts = [f"entity {entity_of(kind)} in [FrontEnd];" for kind in kinds]
    return "\n".join([ENTITIES, *parts, *groups, *(_action(one, inside.get(one.name, ())) for one in found)])


def entity_of(kind: str) -> str:
    """Return what policies call parts of a kind: `gift-card` is `GiftCard`."""
    return "".join(word.capitalize() for word in kind.split("-"))


def _action(one: Capability[Any, Any] | Action, kinds: Collection[str]) -> str:
    effect = "read" if one.effect is Effect.READ else "write"
    resources = ", ".join(["FrontEnd", *sorted(map(entity_of, kinds))])
    return (
        f'action {_quoted(one.name)} in [Action::"{effect}", Action::{_quoted(f"{one.pack}.*")}]\n'
        f"  appliesTo {{ principal: [Person, Client, Platform], resource: [{resources}], context: {{ via: String }} }};"
    )


def _quoted(name: str) -> str:
    return json.dumps(name)
