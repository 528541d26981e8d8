"""What holds a pack to its platform: why it cannot stand alone, and why nothing can stand in its place."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from isthmus.kernel import Capability, Effect, FrontEnd, Pack
from isthmus.manifest import Resource, brought

from .reach import reached

_WRITES: Final = re.compile(r"\b(insert\s+into|update|delete\s+from)\s+isthmus\.", re.IGNORECASE)
FLOWS_SHOWN: Final = 2
# What a context gives only where the platform runs, and what a service would have to do without.
_HELD: Final = {
    "as_of": "asks the rules that something was sold under, which the platform keeps",
    "beside": "calls others as its caller could",
    "compensate_with": "has steps undone",
    "find": "looks at the answers themselves",
}


def holds(pack: Pack) -> list[str]:
    """Return why a pack's code cannot run alone, each with its place; nothing where it can."""
    if not pack.service:
        return [f"{pack.name} has no implementations of its own"]
    found = [
        f"{one.name} goes in steps and asks the outside world"
        for one in sorted(pack.capabilities().values(), key=lambda one: one.name)
        if one.effect is Effect.SAGA
    ]
    if not pack.migrations and any(one.effect is Effect.WRITE for one in pack.capabilities().values()):
        found.append(f"{pack.name} has no tables of its own, and keeps what it writes in the platform's")
    found += [f"{one.capability.name} is implemented outside of its service" for one in pack.implementations]
    own = pack.api.__name__.rpartition(".")[0]
    optional = set[str]()
    for name, file in reached(pack).modules.items():
        if name.startswith(f"{own}."):
            tree = ast.parse(Path(file).read_text(encoding="utf-8"))
            found += _held_by(name, tree)
            optional |= _optional(tree)
    found += [
        f"the platform works with its {one.kind.__name__}, in its own process"
        for one in brought([pack], Resource)
        if one.kind.__name__ not in optional
    ]
    return found


def joins(pack: Pack, flows: Iterable[Capability[Any, Any]]) -> list[str]:
    """Return which writes of a pack are part of these flows' transactions: no service could be rolled back with one."""
    writing = [one for one in flows if one.uses and one.effect is Effect.WRITE]
    found: list[str] = []
    for name, one in sorted((one.name, one) for one in pack.capabilities().values()):
        if one.effect is Effect.WRITE and not one.uses and (users := _using(writing, one)):
            more = f" and {len(users) - FLOWS_SHOWN} more" if len(users) > FLOWS_SHOWN else ""
            found.append(f"{name} is part of the transaction of {', '.join(users[:FLOWS_SHOWN])}{more}")
    return found


def flows_of(packs: Iterable[Pack], front_ends: Iterable[FrontEnd] = ()) -> list[Capability[Any, Any]]:
    """Return what packs and front ends declare that is made of others' capabilities."""
    shared = (one for pack in packs for one in pack.capabilities().values())
    own = (one for front_end in front_ends for one in front_end.capabilities)
    return [one for one in (*shared, *own) if one.uses]


def _using(flows: Iterable[Capability[Any, Any]], one: Capability[Any, Any]) -> list[str]:
    return sorted(flow.name for flow in flows if one in flow.uses)


def _optional(tree: ast.Module) -> set[str]:
    """Return what an implementation has something in place of, where nobody provides it."""
    asked = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute))
    return {
        ast.unparse(node.args[0]).rpartition(".")[2]
        for node in asked
        if ast.unparse(node.func).endswith(".resource") and len(node.args) + len(node.keywords) == 2
    }


def _held_by(module: str, tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _WRITES.search(node.value):
            yield f"{module}:{node.lineno} writes tables of the platform"
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        where, name = f"{module}:{node.lineno}", node.func.attr
        if name == "resource" and len(node.args) == 1 and not node.keywords:
            yield f"{where} needs {ast.unparse(node.args[0])}, which the platform makes"
        elif name in _HELD and ast.unparse(node.func.value).endswith(("ctx", "ctx.plan")):
            yield f"{where} {_HELD[name]}"
        elif name == "get" and ast.unparse(node.func.value).endswith("plan.attributes"):
            yield f"{where} looks at the types of a front end's attributes"
