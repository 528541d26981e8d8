"""Who may see what: default deny, rows that follow references, personal data masked, small cells hidden."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Final

import msgspec

from isthmus.kernel import Meta, Value
from isthmus.markings import AllOf, Filter, PersonalKind, Where

from ..errors import NotAnswered
from ..model.ask import leaves
from ..model.attributes import EVERYBODY
from ..model.expression import Consented, Rowwise, cells
from ..model.model import Model
from ..model.paths import JoinPath
from ..query.plan import Plan

EVERY_KIND: Final[tuple[PersonalKind, ...]] = (
    "name", "email", "phone", "address", "birth-date", "identifier", "free-text"
)  # fmt: skip
KEYS: Final = "front-end:"  # before a front end's code: the name of the policy that its keys ask under over HTTP
CELLS_MIN: Final = 5  # people behind a number that leaves so; the least that statistical offices commonly publish
ALL: Final = "*"  # stands for every entity in `opens`, where the policy means that


class Opened(Value):
    """What a policy opens of an entity: rows that pass the filter (all without one), fields that are not hidden.

    Rows that refer to a row that is not open are not open either.
    """

    rows: Filter | None = None
    hidden: tuple[str, ...] = ()


class Policy(Value):
    """What one kind of asker may see. Entities that it does not open are closed.

    `personal` are the kinds of personal data shown as they are; others leave as a keyed pseudonym, and cannot
    be filtered by. `cells_min` hides numbers that fewer people stand behind, and so many others that the hidden
    ones can't be found by subtraction; `person` is the entity counted for that, or rows where it is empty.
    `attributes` are the front ends whose own attributes it sees; `*` is all. `counted` are the entities whose rows
    numbers are made of, where not those of all that it opens: others are seen only from theirs.
    """

    name: str
    opens: dict[str, Opened]
    personal: tuple[PersonalKind, ...] = ()
    cells_min: Annotated[int, Meta(ge=0, le=1_000)] = 0
    person: str = ""
    attributes: tuple[str, ...] = ()
    counted: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """Return a hash of all that it says: what answers are cached and receipts compared by."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()[:16]


def owner(name: str = "owner") -> Policy:
    """Return the policy of somebody who may see everything, as the company's own reports do."""
    return Policy(name=name, opens={ALL: Opened()}, personal=EVERY_KIND, attributes=(EVERYBODY,))


def of_front_end(model: Model, code: str, *, shared: Sequence[str] = (), cells_min: int = 0) -> Policy:
    """Return the policy of one front end: its own rows of all that has a front end, and what the group shares.

    What has no front end and is not named in `shared` is closed.
    """
    own = {
        name: Opened(rows=Where(f"{name}.front_end", "=", code))
        for name, entity in model.entities.items()
        if "front_end" in entity.fields
    }
    return Policy(name=code, opens={name: Opened() for name in shared} | own, cells_min=cells_min, attributes=(code,))


def of_parts(model: Model, code: str, parts: str, rows: Mapping[str, tuple[str, Sequence[str]]]) -> Policy:
    """Return the policy of who is confined to parts of a front end: numbers of rows of those parts alone.

    rows: by entity, the field that says whose a row is, and the names of theirs. What such rows belong to, as a line to
    its order, is open as they see it from their own, and counted for nobody.
    """
    own = Where("front_end", "=", code)
    above = {reference.target for entity in rows for reference in model.entity(entity).references}
    opens = {one: Opened(rows=own) for one in above if "front_end" in model.entity(one).fields}
    opens |= {
        entity: Opened(rows=AllOf((own, Where(f"{entity}.{field}", "in", tuple(names)))))
        for entity, (field, names) in rows.items()
    }
    return Policy(name=f"{code} {parts}", opens=opens, attributes=(code,), counted=tuple(rows))


def of_keys(model: Model, code: str) -> Policy:
    """Return what a front end's keys see: its own rows, and those of the whole group; of people only numbers."""
    own = Where("front_end", "=", code)
    opens = {
        name: Opened(rows=own) if "front_end" in entity.fields else Opened() for name, entity in model.entities.items()
    }
    return Policy(name=f"{KEYS}{code}", opens=opens, cells_min=CELLS_MIN, attributes=(code,))


def sees_all(policy: Policy) -> bool:
    """Return whether a policy opens every row and every personal field: nothing has to be kept from its asker."""
    is_open = ALL in policy.opens and not any(one.rows or one.hidden for one in policy.opens.values())
    return is_open and set(EVERY_KIND) <= set(policy.personal)


def visible_rows(model: Model, policy: Policy) -> dict[str, Filter]:
    """Return which rows of which entities the asker sees, for those that are restricted."""
    every = policy.opens.get(ALL)
    found = {name: opened.rows for name, opened in policy.opens.items() if opened.rows is not None and name != ALL}
    if every is not None and every.rows is not None:
        found = dict.fromkeys(model.entities, every.rows) | found
    return found


def check(plan: Plan, policy: Policy) -> None:
    """Raise NotAnswered where an answer would show, or be filtered by, what the policy does not open."""
    if plan.having and policy.cells_min:
        raise NotAnswered(
            "numbers that few people stand behind are hidden, and a filter by a metric would pick people out",
            remedy="leave it out, or ask for the metric by groups",
        )
    for inner in plan.having.values():
        check(inner, policy)
    if policy.counted:
        _check_counted(plan, policy)
    for leg in plan.legs:
        _check_entity(leg.root, policy)
        for dimension in leg.dimensions:
            _check_reach(dimension, policy)
        for leaf in (leaf for one in plan.ask.where for leaf in leaves(one)):
            found = plan.names.of(leg.root, leaf.field, "a filter") if leaf.field != "time" else leg.time
            if found is not None:
                _check_reach(found, policy)
                _check_filter(found, policy)
    for cell in (cell for one in plan.metrics.values() for cell in cells(one)):
        if cell.field:
            _check_reach(plan.names.of(cell.root, cell.field, "a metric"), policy)
        if cell.goal is not None:
            _check_entity(cell.goal.entity, policy)
        for one in cell.filters:  # a metric's own filters are its definition: their fields need not be open
            if isinstance(one, Consented):
                _check_entity(one.entity, policy)
            for leaf in () if isinstance(one, Rowwise) or ALL in policy.opens else leaves(one):
                if leaf.field != "time":
                    _check_entity(plan.names.of(cell.root, leaf.field, "a filter").entity.name, policy)


def masks(plan: Plan, policy: Policy, secret: bytes) -> dict[str, Callable[[object], object]]:
    """Return what turns values of personal dimensions into pseudonyms, by column.

    The same value has the same pseudonym under the same secret, so groups stay apart and can be followed.
    """
    masked: dict[str, Callable[[object], object]] = {}
    for leg in plan.legs:
        for by, found in zip(plan.by, leg.dimensions, strict=True):
            if found.field.pii is not None and found.field.pii not in policy.personal:
                masked[by.asked] = _pseudonym(secret, found.name)
    return masked


def _pseudonym(secret: bytes, field: str) -> Callable[[object], object]:
    def turn(value: object) -> object:
        if value is None:
            return None
        return "masked:" + hmac.new(secret, f"{field}\0{value}".encode(), hashlib.sha256).hexdigest()[:16]

    return turn


def is_open(name: str, policy: Policy) -> bool:
    """Return whether a policy opens an entity, or some rows of it."""
    return name in policy.opens or ALL in policy.opens


def _check_counted(plan: Plan, policy: Policy) -> None:
    roots = {leg.root for leg in plan.legs} | {cell.root for one in plan.metrics.values() for cell in cells(one)}
    if beyond := sorted(roots - {*policy.counted}):
        raise NotAnswered(
            f"policy {policy.name!r} does not open {', '.join(beyond)} to be counted",
            remedy=f"ask for numbers of {', '.join(policy.counted)}",
        )


def _check_entity(name: str, policy: Policy) -> None:
    if not is_open(name, policy):
        raise NotAnswered(
            f"policy {policy.name!r} does not open {name}", remedy="ask for something else, or ask its owner to open it"
        )


def _check_reach(found: JoinPath, policy: Policy) -> None:
    for name in [step.end for step in found.path] + [found.entity.name]:
        _check_entity(name, policy)
    opened = policy.opens.get(found.entity.name) or policy.opens[ALL]
    if {found.field.name, found.field.name.partition(".")[0]} & set(opened.hidden):
        raise NotAnswered(
            f"policy {policy.name!r} hides {found.name}", remedy="leave it out, or ask its owner to open it"
        )


def _check_filter(found: JoinPath, policy: Policy) -> None:
    if found.field.pii is not None and found.field.pii not in policy.personal:
        raise NotAnswered(
            f"policy {policy.name!r} masks {found.name}, and filtering by it would show it",
            remedy="leave the filter out",
        )
