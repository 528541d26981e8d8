"""What holds a pack to its platform: why it cannot stand alone, why nothing can stand in its place, and what to do."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from isthmus.kernel import Capability, Effect, FrontEnd, Pack, Value
from isthmus.language import mark
from isthmus.manifest import Devices, Idempotent, Resource, brought

from .given import own_resources
from .reach import reached

_WRITES: Final = re.compile(r"\b(insert\s+into|update|delete\s+from)\s+isthmus\.", re.IGNORECASE)
FLOWS_SHOWN: Final = 2
# What a context gives only where the platform runs, and what a service would have to do without.
_HELD: Final[Mapping[str, Callable[[str], str]]] = {
    "beside": lambda at: mark(f"{at} calls others as its caller could"),
    "compensate_with": lambda at: mark(f"{at} has steps undone"),
    "find": lambda at: mark(f"{at} looks at the answers themselves"),
}
_PART: Final = mark("keep it: it is a part of the platform, and not of the business")
_STEPS: Final = mark("keep it here, or take its steps out into a flow: who is asked outside has to be undone from here")
_OWN_ROWS: Final = mark("keep with each row what it needs to know later, and read that")
_TABLES: Final = mark("give the pack tables of its own, if it is to leave")


class Hold(Value):
    """One thing that holds a pack: why, with its place, and what to do next.

    in_place: the pack stands alone for all that, and nothing can be put in its place.
    """

    why: str
    next: str
    in_place: bool = False


def is_domain(pack: Pack) -> bool:
    """Say whether a pack has capabilities of its own: flows are made of others'."""
    return any(not one.uses for one in pack.capabilities().values())


def holds(pack: Pack) -> list[Hold]:
    """Return why a pack's code cannot run alone, each with its place; nothing where it can."""
    if not pack.service:
        return [Hold(why=mark(f"{pack.name} has no implementations of its own"), next=_PART)]
    found: list[Hold] = []
    if not pack.migrations and any(one.effect is Effect.WRITE for one in pack.capabilities().values()):
        why = mark(f"{pack.name} has no tables of its own, and keeps what it writes in the platform's")
        found.append(Hold(why=why, next=_TABLES))
    found += [
        Hold(why=mark(f"{one.capability.name} is implemented outside of its service"), next=_PART)
        for one in pack.implementations
    ]
    if brought([pack], Devices):
        found.append(
            Hold(why=mark(f"the platform looks at the rows of {pack.name} at each call of a device"), next=_PART)
        )
    own = pack.api.__name__.rpartition(".")[0]
    optional = {one.kind.__name__ for one in own_resources(pack)}
    for name, file in reached(pack).modules.items():
        if name.startswith(f"{own}."):
            tree = ast.parse(Path(file).read_text(encoding="utf-8"))
            found += _held_by(name, tree, optional)
            optional |= _optional(tree)
    found += [
        Hold(why=mark(f"the platform works with its {one.kind.__name__}, in its own process"), next=_PART)
        for one in brought([pack], Resource)
        if one.kind.__name__ not in optional
    ]
    return found


def joins(pack: Pack, flows: Iterable[Capability[Any, Any]]) -> list[Hold]:
    """Return which writes of a pack are part of these flows' transactions, and what of it goes in steps.

    No service could be rolled back with a flow, and none goes on by itself with steps whose caller is gone. Writes that
    the pack declares to be idempotent may stay when a flow is rolled back.
    """
    staying = {call for one in brought([pack], Idempotent) for call in one.calls}
    writing = [one for one in flows if one.uses and one.effect is Effect.WRITE]
    found: list[Hold] = []
    for name, one in sorted((one.name, one) for one in pack.capabilities().values()):
        if one.effect is Effect.WRITE and not one.uses and one not in staying and (users := _using(writing, one)):
            more = f" and {len(users) - FLOWS_SHOWN} more" if len(users) > FLOWS_SHOWN else ""
            where = ", ".join(users[:FLOWS_SHOWN])
            why = mark(f"{name} is part of the transaction of {where}{more}")
            found.append(Hold(why=why, next=_apart(users), in_place=True))
        if one.effect is Effect.SAGA and not one.uses:
            why = mark(f"{name} goes in steps, which the platform goes on with by itself where their caller is gone")
            found.append(Hold(why=why, next=_STEPS, in_place=True))
    return found


def first_of(reasons: Sequence[Hold]) -> str:
    """Return the first reason, and how many more there are."""
    first = reasons[0].why
    return mark(f"{first}, and {len(reasons) - 1} more") if len(reasons) > 1 else first


def _apart(flows: Sequence[str]) -> str:
    """Return what to do about a write that flows have in their transactions."""
    packs = sorted({one.partition(".")[0] for one in flows})
    return mark(f"make {flows[0]} go in steps (`Effect.SAGA`); or leave out {', '.join(packs)} where nobody needs it")


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


def _held_by(module: str, tree: ast.Module, own: Collection[str]) -> Iterator[Hold]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _WRITES.search(node.value):
            yield Hold(why=mark(f"{module}:{node.lineno} writes tables of the platform"), next=_TABLES)
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        where, name = f"{module}:{node.lineno}", node.func.attr
        if name == "resource" and len(node.args) == 1 and not node.keywords:
            kind = ast.unparse(node.args[0])
            if kind.rpartition(".")[2] in own:
                continue
            step = mark(f"have it use something of its own where nobody provides {kind}")
            yield Hold(why=mark(f"{where} needs {kind}, which the platform makes"), next=step)
        elif name in _HELD and ast.unparse(node.func.value).endswith(("ctx", "ctx.plan")):
            yield Hold(why=_HELD[name](where), next=_STEPS if name == "compensate_with" else _OWN_ROWS)
