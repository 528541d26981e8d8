"""The schema of policies: what there is to call, and who calls where. It follows from what is plugged in."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from isthmus.kernel import Capability, Effect
from isthmus.manifest.actions import Action

ENTITIES = """
entity Role;
entity FrontEnd;
entity Person in [Role];
entity Client in [Role] { name: String, front_end: FrontEnd };
entity Platform;
action "read", "write";
"""


def schema_of(capabilities: Iterable[Capability[Any, Any] | Action]) -> str:
    """Return the schema in Cedar's own language: each capability is an action, in `read` or `write` and in `pack.*`."""
    found = sorted(capabilities, key=lambda one: one.name)
    packs = sorted({one.pack for one in found})
    groups = [f"action {_quoted(f'{pack}.*')};" for pack in packs]
    return "\n".join([ENTITIES, *groups, *map(_action, found)])


def _action(one: Capability[Any, Any] | Action) -> str:
    effect = "read" if one.effect is Effect.READ else "write"
    return (
        f'action {_quoted(one.name)} in [Action::"{effect}", Action::{_quoted(f"{one.pack}.*")}]\n'
        "  appliesTo { principal: [Person, Client, Platform], resource: [FrontEnd], context: { via: String } };"
    )


def _quoted(name: str) -> str:
    return json.dumps(name)
