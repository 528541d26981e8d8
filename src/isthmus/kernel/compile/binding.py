"""Bring capabilities and their implementations together, a pack's or a front end's own."""

from __future__ import annotations

import inspect
import operator
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..contract import Value, is_checked
from ..declare.capability import Capability, Effect
from ..declare.extension import Dimension
from ..declare.implementation import Implementation
from ..errors import near
from .plan import BoundCapability, Read


def bind(
    declared: Mapping[str, Capability[Any, Any]],
    implementations: Iterable[Implementation],
    dimensions: Mapping[str, Dimension],
    known: Mapping[str, Capability[Any, Any]],
) -> tuple[dict[str, BoundCapability], list[str]]:
    """Bring capabilities and implementations together, one to one; `known` are those that flows may use."""
    bound: dict[str, list[Implementation]] = defaultdict(list)
    for one in implementations:
        bound[one.capability.name].append(one)
    problems = [
        f"{one.source} implements {name!r}, which is not declared here{near(name, declared)}"
        for name in sorted(bound.keys() - declared.keys())
        for one in bound[name]
    ]
    offered: dict[str, BoundCapability] = {}
    for name, found in sorted(declared.items()):
        problems += _capability_problems(found, bound[name], known)
        for one in bound[name][:1]:
            dims = tuple(field for field in getattr(found.ask, "__struct_fields__", ()) if field in dimensions)
            offered[name] = BoundCapability(
                capability=found, implementation=one, dimensions=dims, read=_reader(dims), checked=is_checked(found.ask)
            )
    return offered, problems


def _capability_problems(
    found: Capability[Any, Any], bound: Sequence[Implementation], known: Mapping[str, Capability[Any, Any]]
) -> Iterator[str]:
    where = f"capability {found.name!r} ({found.source})"
    if not found.doc:
        yield f"{where} has no documentation; say what the caller gets"
    if not (isinstance(found.ask, type) and issubclass(found.ask, Value)):
        yield f"{where} asks with {found.ask!r}; make it a Value"
    if found.is_internal and hasattr(found.ask, "__isthmus_event__") and found.effect is not Effect.WRITE:
        yield f"{where} reacts to {found.ask.__name__} in its transaction; declare it with Effect.WRITE"
    if len(bound) != 1:
        places = ", ".join(sorted(one.source for one in bound)) or "nowhere"
        yield f"{where} is implemented {len(bound)} times ({places}); bind exactly one function with @implements"
    for one in bound:
        if not inspect.iscoroutinefunction(one.function):
            yield f"{where} is implemented by a plain function ({one.source}); write it with async def"
    for part in found.uses:
        if known.get(part.name) is not part:
            yield f"{where} uses {part.name!r}, which nobody offers{near(part.name, known)}"


def _reader(fields: Sequence[str]) -> Read | None:
    if not fields:
        return None
    read: Any = operator.attrgetter(*fields)
    return (lambda ask: (read(ask),)) if len(fields) == 1 else read  # attrgetter of one name gives no tuple
