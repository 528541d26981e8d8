"""Compare contracts: which change breaks whom, by which rule.

A capability's ask must go on accepting what it accepted, and its answer must go on being what it was. For whoever
answers an extension point it is the other way round: what is asked must be as it was, and every answer that was right
must be. Fields that come on top of an answer break nobody: a client reads past what it does not know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, cast

from isthmus.kernel import Value

from .consumers import Kind, Users
from .contracts import CapabilityContract, Contracts, EventContract, PointContract, Schema, expanded
from .reads import Field, field_of

Reason = tuple[str, str, str, str]  # rule, path, what was, what is

LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems")
UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")


class Change(Value):
    """One change of a contract. `breaks` names the front ends that use it; `is_declared`: its version says so."""

    kind: Kind
    name: str
    rule: str
    path: str
    was: str
    now: str
    is_breaking: bool
    is_declared: bool = False
    breaks: tuple[str, ...] = ()
    remedy: str = ""


def compare(
    old: Contracts,
    new: Contracts,
    users: Users = lambda kind, name: (),
    today: date = date.min,
    reads: Callable[[Field], Sequence[str]] | None = None,
) -> list[Change]:
    """Return every change, breaking ones first, with the front ends that use what changed.

    A break is declared where the version's first number has risen, or where what is gone had been deprecated and
    either nobody uses it any more or its last day has passed. reads: who reads a field of an answer; without it,
    whoever may call the capability.
    """
    plain = old
    old, new = expanded(old), expanded(new)

    def announced(name: str, rule: str, path: str) -> tuple[Sequence[str], bool] | None:
        if reads is None or not rule.startswith("answer-") or "." not in path:
            return None
        wanted = field_of(plain, f"{name}:{path}")
        who = reads(wanted)
        return who, wanted.sunset is not None and (not who or wanted.sunset < today)

    found = [
        *_capabilities(old, new, users, today, announced),
        *_points(old, new, users),
        *_events(old, new, users, today),
    ]
    return sorted(found, key=lambda one: (not one.is_breaking, one.kind, one.name, one.rule, one.path))


def undeclared(changes: Sequence[Change]) -> list[Change]:
    """Return the breaks that no version and no deprecation announces."""
    return [one for one in changes if one.is_breaking and not one.is_declared]


Announced = Callable[[str, str, str], tuple[Sequence[str], bool] | None]  # who reads a field, and whether it may go


def _capabilities(old: Contracts, new: Contracts, users: Users, today: date, announced: Announced) -> Iterator[Change]:
    for name, was in old.capabilities.items():
        breaks = tuple(users("capability", name))
        now = new.capabilities.get(name)
        if now is None:
            yield Change(
                kind="capability",
                name=name,
                rule="capability-removed",
                path="",
                was=was.version,
                now="",
                is_breaking=not was.is_internal,
                is_declared=was.deprecated is not None
                and (not breaks or date.fromisoformat(was.deprecated[1]) < today),
                breaks=breaks,
                remedy="deprecate it first (deprecated=...), and remove it when no front end uses it any more",
            )
            continue
        is_declared = was.is_internal or _major(now.version) > _major(was.version)
        for rule, path, before, after in _capability_reasons(was, now):
            read = announced(name, rule, path)
            yield Change(
                kind="capability",
                name=name,
                rule=rule,
                path=path,
                was=before,
                now=after,
                is_breaking=not was.is_internal,
                is_declared=is_declared or (read is not None and read[1]),
                breaks=breaks if read is None else tuple(read[0]),
                remedy=_remedy(name, was.version, read),
            )
    yield from _added("capability", old.capabilities, new.capabilities)


def _remedy(name: str, version: str, read: tuple[Sequence[str], bool] | None) -> str:
    if read is not None and not read[0]:
        return (
            "nobody reads it: announce it (`deprecated` and `x-sunset` in its Meta), lock that, and take it away then"
        )
    return f"offer the new contract beside it as {name}-v{_major(version) + 1}, and deprecate this one"


def _capability_reasons(was: CapabilityContract, now: CapabilityContract) -> Iterator[Reason]:
    if was.effect != now.effect:
        yield "effect-changed", "", was.effect, now.effect
    for rule, path, before, after in _misfits(was.ask, now.ask, "$", is_strict=True):
        yield f"ask-{rule}", path, before, after
    for rule, path, before, after in _misfits(now.answer, was.answer, "$", is_strict=False):
        yield f"answer-{rule}", path, after, before


def _points(old: Contracts, new: Contracts, users: Users) -> Iterator[Change]:
    for name, was in old.points.items():
        breaks = tuple(users("point", name))
        now = new.points.get(name)
        reasons = [("point-removed", "", was.combine, "")] if now is None else [*_point_reasons(was, now)]
        for rule, path, before, after in reasons:
            yield Change(
                kind="point",
                name=name,
                rule=rule,
                path=path,
                was=before,
                now=after,
                is_breaking=True,
                is_declared=now is None and not breaks,
                breaks=breaks,
                remedy="ask the new question as a point of its own, and remove this one when nobody answers it",
            )
    yield from _added("point", old.points, new.points)


def _point_reasons(was: PointContract, now: PointContract) -> Iterator[Reason]:
    if was.combine != now.combine or was.stages != now.stages:
        yield "combine-changed", "", f"{was.combine} {was.stages}".strip(), f"{now.combine} {now.stages}".strip()
    if was.is_async != now.is_async:
        yield "colour-changed", "", "async def" if was.is_async else "def", "async def" if now.is_async else "def"
    if was.order != now.order:
        yield "parameters-changed", "", ", ".join(was.order), ", ".join(now.order)
    for name in sorted(was.parameters.keys() & now.parameters.keys()):
        for rule, path, before, after in _misfits(now.parameters[name], was.parameters[name], name, is_strict=False):
            yield f"question-{rule}", path, after, before
    for rule, path, before, after in _misfits(was.answer, now.answer, "answer", is_strict=True):
        yield f"answer-{rule}", path, before, after
    for name, values in was.dimensions.items():
        if lost := set(values) - set(now.dimensions.get(name, ())):
            yield "dimension-narrowed", name, ", ".join(sorted(lost)), ""


def _events(old: Contracts, new: Contracts, users: Users, today: date) -> Iterator[Change]:
    for name, was in old.events.items():
        now: EventContract | None = new.events.get(name)
        breaks = tuple(users("event", name))
        until = date.fromisoformat(was.deprecated[1]) if isinstance(was.deprecated, tuple) else None
        is_leaving = until is not None and (not breaks or until < today)
        reasons = [("event-removed", "", was.version, "")]
        if now is not None:
            reasons = [
                (f"event-{rule}", path, after, before)
                for rule, path, before, after in _misfits(now.data, was.data, "$", is_strict=False)
            ]
        for rule, path, before, after in reasons:
            yield Change(
                kind="event",
                name=name,
                rule=rule,
                path=path,
                was=before,
                now=after,
                is_breaking=True,
                is_declared=is_leaving if now is None else _major(now.version) > _major(was.version),
                breaks=breaks,
                remedy="deprecate it first (deprecated=...), and send it no more when nobody takes it"
                if now is None
                else "send the new shape as an event of its own beside this one",
            )
    yield from _added("event", old.events, new.events)


def _added(kind: Kind, old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[Change]:
    for name in new.keys() - old.keys():
        yield Change(kind=kind, name=name, rule="added", path="", was="", now=name, is_breaking=False)


def _misfits(given: Schema, wanted: Schema, path: str, *, is_strict: bool) -> Iterator[Reason]:
    """Say why a value that fits `given` may not fit `wanted`. is_strict: fields that are not known do not fit."""
    if given == wanted:
        return
    alternatives = _alternatives(wanted)
    for one in _alternatives(given):
        if any(not [*_plain_misfits(one, other, path, is_strict=is_strict)] for other in alternatives):
            continue
        same = [other for other in alternatives if other.get("type") == one.get("type")]
        if not same:
            yield "type-changed", path, _shown(given), _shown(wanted)
        else:
            yield from _plain_misfits(one, same[0], path, is_strict=is_strict)


def _alternatives(schema: Schema) -> list[Schema]:
    return cast("list[Schema]", schema["anyOf"]) if "anyOf" in schema else [schema]


def _plain_misfits(given: Schema, wanted: Schema, path: str, *, is_strict: bool) -> Iterator[Reason]:
    if not wanted or given == wanted:
        return
    if given.get("type") != wanted.get("type") or given.get("python") != wanted.get("python"):
        yield "type-changed", path, _shown(given), _shown(wanted)
        return
    allowed, said = _values(wanted), _values(given)
    if allowed is not None and (said is None or said - allowed):
        lost = sorted(said - allowed) if said else ["any other"]
        yield "values-narrowed", path, ", ".join(lost), ", ".join(sorted(allowed))
    yield from _bounds(given, wanted, path)
    if "properties" in given or "properties" in wanted:
        yield from _fields(given, wanted, path, is_strict=is_strict)
    if isinstance(given.get("items"), dict) and isinstance(wanted.get("items"), dict):
        yield from _misfits(given["items"], wanted["items"], f"{path}[*]", is_strict=is_strict)
    if isinstance(given.get("additionalProperties"), dict) and isinstance(wanted.get("additionalProperties"), dict):
        more = (given["additionalProperties"], wanted["additionalProperties"])
        yield from _misfits(*more, f"{path}.*", is_strict=is_strict)
    firsts = zip(given.get("prefixItems", ()), wanted.get("prefixItems", ()), strict=False)
    for at, (one, other) in enumerate(firsts):
        yield from _misfits(one, other, f"{path}[{at}]", is_strict=is_strict)


def _values(schema: Schema) -> set[str] | None:
    found = schema.get("enum", [schema["const"]] if "const" in schema else None)
    return None if found is None else {str(one) for one in found}


def _bounds(given: Schema, wanted: Schema, path: str) -> Iterator[Reason]:
    for name in LOWER:
        if name in wanted and given.get(name, float("-inf")) < wanted[name]:
            yield "bound-narrowed", path, f"{name} {given.get(name, 'none')}", f"{name} {wanted[name]}"
    for name in UPPER:
        if name in wanted and given.get(name, float("inf")) > wanted[name]:
            yield "bound-narrowed", path, f"{name} {given.get(name, 'none')}", f"{name} {wanted[name]}"
    for name in ("pattern", "format", "multipleOf"):
        if name in wanted and given.get(name) != wanted[name]:
            yield "bound-narrowed", path, f"{name} {given.get(name, 'none')}", f"{name} {wanted[name]}"


def _fields(given: Schema, wanted: Schema, path: str, *, is_strict: bool) -> Iterator[Reason]:
    has: Mapping[str, Schema] = given.get("properties", {})
    wants: Mapping[str, Schema] = wanted.get("properties", {})
    for name in has:
        if name in wants:
            yield from _misfits(has[name], wants[name], f"{path}.{name}", is_strict=is_strict)
        elif is_strict:
            yield "field-removed", f"{path}.{name}", _shown(has[name]), ""
    needed: set[str] = set(wanted.get("required", ())) if is_strict else set(wants)  # every field of an answer is sent
    sent: set[str] = set(given.get("required", ())) if is_strict else set(has)
    for name in sorted(needed - sent):
        rule = "field-required" if is_strict else "field-removed"
        yield rule, f"{path}.{name}", _shown(has[name]) if name in has else "", _shown(wants[name])


def _shown(schema: Schema) -> str:
    if "anyOf" in schema:
        return " or ".join(_shown(one) for one in cast("list[Schema]", schema["anyOf"]))
    found: Any = schema.get("type", schema.get("python", "anything"))
    return f"{found} of {', '.join(sorted(allowed))}" if (allowed := _values(schema)) else str(found)


def _major(version: str) -> int:
    return int(version.partition(".")[0])
