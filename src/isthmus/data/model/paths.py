"""Ways from one entity to another: up along references (many to one), or down against them (one to many).

    order_id>customer_id>customers.region      up, up: every item has at most one region
    ~items.order_id>items.cat                  down: an order has many categories

A name without steps is looked for: only up first, and only where nothing is found, down and then up. Where more
than one way is found the asker must say which, since they mean different things (the buyer's region, the receiver's).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Final

from ..errors import AmbiguousPath, NoPath, NotADimension, UnknownName
from .columns import quoted
from .model import Entity, Field, Model, Reference

_settle = object.__setattr__  # in a frozen value, once, when it is made: questions read it again and again

THEN: Final = "@then"  # behind a field: as it was at the time of the row
STEPS_MAX: Final = 6  # a longer chain is hardly what anybody means; it bounds the search
KNOWN_MAX: Final = 10_000  # names of a model that are remembered: with their steps they can be written without end


@dataclass(frozen=True, slots=True)
class Step:
    """One reference, followed as declared (up), or against its direction (down).

    matched: the columns of the row it leads to and of the row it leads from that are alike, as SQL reads them.
    """

    reference: Reference
    is_up: bool
    origin: str = dataclasses.field(init=False, compare=False, repr=False)
    end: str = dataclasses.field(init=False, compare=False, repr=False)
    matched: tuple[tuple[str, str], ...] = dataclasses.field(init=False, compare=False, repr=False)
    _hash: int = dataclasses.field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        pairs = (pair if self.is_up else pair[::-1] for pair in self.reference.pairs)
        _settle(self, "matched", tuple((quoted(there), quoted(own)) for own, there in pairs))
        _settle(self, "_hash", hash((self.reference, self.is_up)))
        ends = (self.reference.source, self.reference.target)
        _settle(self, "origin", ends[not self.is_up])
        _settle(self, "end", ends[self.is_up])

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        return self.reference.name if self.is_up else f"~{self.reference.source}.{self.reference.name}"


Path = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class JoinPath:
    """A field and the way to it. `is_many` where one row of the origin can have several values.

    way_down: the steps up to the first one down, to the rows that there may be several of. place: what two ways to the
    same field have alike.
    """

    path: Path
    entity: Entity
    field: Field
    is_then: bool = False  # as it was at the time of the row, not as it is now

    name: str = dataclasses.field(init=False, compare=False, repr=False)
    is_many: bool = dataclasses.field(init=False, compare=False, repr=False)
    way_down: Path = dataclasses.field(init=False, compare=False, repr=False)
    place: tuple[Path, str, bool] = dataclasses.field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        first = next((at for at, step in enumerate(self.path) if not step.is_up), None)
        _settle(self, "name", f"{self.entity.name}.{self.field.name}")
        _settle(self, "is_many", first is not None)
        _settle(self, "way_down", () if first is None else self.path[: first + 1])
        _settle(self, "place", (self.path, self.name, self.is_then))


@dataclass(frozen=True, slots=True)
class Names:
    """Every name of a model, found once: all that plans, checks, proves and writes a question asks here."""

    model: Model

    def of(self, root: str, name: str, reason: str) -> JoinPath:
        """Return the way from an entity to a field; a name without an entity is the root's own.

        Raises AmbiguousPath, NoPath and UnknownName, with `reason` as what asked for it.
        """
        found: JoinPath | None = self.model.known.get((root, name))
        if found is None:
            full = name if "." in name else f"{root}.{name}"
            found = self._own(root, name) or join_path(self.model, root, full, reason)
            self.remember(root, name, found)
        return found

    def remember(self, root: str, name: str, found: object) -> None:
        """Keep what a name means for the next question; a model that is declared anew begins with nothing."""
        if len(self.model.known) >= KNOWN_MAX:
            self.model.known.clear()
        self.model.known[root, name] = found

    def _own(self, root: str, name: str) -> JoinPath | None:
        """Return a column of the entity's own, which most names are."""
        entity = self.model.entities.get(root)
        own = entity and entity.fields.get(name.removeprefix(f"{root}."))
        return JoinPath((), entity, own) if entity and own else None


def join_path(model: Model, origin: str, name: str, metric: str) -> JoinPath:
    """Return the one way from an entity to a field, written with its steps or without.

    With `@then` at its end it is the field as it was at the time of the row. Raises AmbiguousPath with all ways where
    there are several, NoPath where there is none, UnknownName, NotADimension where there is no such past.
    """
    if name.endswith(THEN):
        found = join_path(model, origin, name.removesuffix(THEN), metric)
        _check_then(found, origin)
        return replace(found, is_then=True)
    *steps, last = name.split(">")
    entity, field = model.split(last)
    if steps:
        path = _followed(model, origin, steps)
        end = path[-1].end if path else origin
        if end != entity.name:
            raise NoPath(origin, name, metric)
        return JoinPath(path, entity, field)
    if entity.name == origin:
        return JoinPath((), entity, field)
    found = ways_up(model, origin, entity.name) or ways_down(model, origin, entity.name)
    if len(found) > 1:
        raise AmbiguousPath(origin, last, [written(path, last) for path in found])
    if not found:
        across = [written(path, last) for path in _ways_across(model, origin, entity.name)]
        raise NoPath(origin, last, metric, across)
    return JoinPath(found[0], entity, field)


def _check_then(found: JoinPath, origin: str) -> None:
    """Raise NotADimension where the past of a field is not kept, or not one value of it."""
    reason, remedy = "", f"leave {THEN} out"
    if found.is_many:
        reason = f"a row of {origin} has several {found.entity.name}, each with a past of its own"
    elif not found.path:
        reason = f"it is the row's own, and what {origin} was at its own time is not kept"
    elif found.field.pii is not None:
        reason = "it is personal, and the past of what is personal is not kept"
    elif found.entity.table.startswith(("events.", "lake.")):
        reason = f"{found.entity.name} does not change"
    if reason:
        raise NotADimension(f"{found.name}{THEN} cannot be asked for: {reason}", remedy=remedy)


def written(path: Path, field: str) -> str:
    """Return a path as an asker writes it."""
    return ">".join([*map(str, path), field])


def ways_up(model: Model, origin: str, target: str) -> list[Path]:
    """Return every chain of references from an entity to another, shortest first."""
    return sorted(_climb(model, origin, target, (), frozenset([origin])), key=len)


def ways_down(model: Model, origin: str, target: str) -> list[Path]:
    """Return every chain that first goes down to rows that refer to this one, and then perhaps up from there."""
    return sorted(_descend(model, origin, target, (), frozenset([origin])), key=len)


def _climb(model: Model, at: str, target: str, so_far: Path, seen: frozenset[str]) -> Iterator[Path]:
    if len(so_far) == STEPS_MAX:
        return
    for reference in model.entities[at].references:
        path = (*so_far, Step(reference, is_up=True))
        if reference.target == target:
            yield path
        elif reference.target not in seen:
            yield from _climb(model, reference.target, target, path, seen | {reference.target})


def _descend(model: Model, at: str, target: str, so_far: Path, seen: frozenset[str]) -> Iterator[Path]:
    if len(so_far) == STEPS_MAX:
        return
    for reference in model.references_to(at):
        if reference.source in seen:
            continue
        path = (*so_far, Step(reference, is_up=False))
        if reference.source == target:
            yield path
            continue
        seen_here = seen | {reference.source}
        ups = list(_climb(model, reference.source, target, path, seen_here))
        yield from (way for way in ups if not any(step.end in seen for step in way[len(path) :]))
        yield from _descend(model, reference.source, target, path, seen_here)


def _ways_across(model: Model, origin: str, target: str) -> list[Path]:
    """Return ways through an entity that both refer to: many to many, so only on the asker's word."""
    return [
        (*up, *down)
        for shared in model.entities
        for up in ways_up(model, origin, shared)
        for down in ways_down(model, shared, target)
        if all(not step.is_up for step in down)
    ][:STEPS_MAX]


def _followed(model: Model, origin: str, steps: list[str]) -> Path:
    path: list[Step] = []
    at = origin
    for text in steps:
        step = _step(model, at, text)
        path.append(step)
        at = step.end
    return tuple(path)


def _step(model: Model, at: str, text: str) -> Step:
    if text.startswith("~"):
        downs = {f"~{ref.source}.{ref.name}": ref for ref in model.references_to(at)}
        if text not in downs:
            raise UnknownName(f"reference to {at}", text, downs)
        return Step(downs[text], is_up=False)
    ups = {ref.name: ref for ref in model.entities[at].references}
    if text not in ups:
        raise UnknownName(f"reference of {at}", text, ups)
    return Step(ups[text], is_up=True)


def following(model: Model, restricted: Collection[str]) -> list[tuple[Entity, ...]]:
    """Return the restricted entities and all that refer to them, each after what it refers to.

    Entities that refer to one another in a cycle stand together: none of them is before the others.
    """
    above = {name: _above(model, name) for name in model.entities} if restricted else {}
    rings: dict[frozenset[str], None] = {}
    for name, reached in above.items():
        if name in restricted or not reached.isdisjoint(restricted):
            rings[frozenset([name, *(other for other in reached if name in above[other])])] = None
    ordered = sorted(rings, key=lambda ring: len(frozenset[str]().union(ring, *(above[name] for name in ring))))
    return [tuple(model.entities[name] for name in sorted(ring)) for ring in ordered]


def _above(model: Model, name: str) -> frozenset[str]:
    """Return all entities that an entity refers to, directly or through others."""
    found: set[str] = set()
    todo = [name]
    while todo:
        targets = {reference.target for reference in model.entities[todo.pop()].references} - found
        found |= targets
        todo += targets
    return frozenset(found)
