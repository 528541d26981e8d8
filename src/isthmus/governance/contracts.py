"""The contracts of a release as plain values: what they were can be kept, and compared with what they are."""

from __future__ import annotations

import itertools
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

import msgspec

from isthmus.kernel import Capability, Pass, Value, decode
from isthmus.kernel.host import ExtensionPoint, Release, event_kind, json_schema
from isthmus.outside import decode_file

Schema = dict[str, Any]
UNSAID = ("title", "description", "examples", "default")  # what does not decide whether a value fits
DEPTH_MAX = 12  # a contract that contains itself is compared so deep


class CapabilityContract(Value):
    """What a client relies on. `deprecated`: since when, until when, and what to use instead."""

    version: str
    effect: str
    ask: Schema
    answer: Schema
    errors: tuple[str, ...]
    is_internal: bool = False
    deprecated: tuple[str, str, str] | None = None


class PointContract(Value):
    """What a front end's answer relies on."""

    combine: str
    stages: tuple[str, ...]
    is_async: bool
    order: tuple[str, ...]  # of the parameters
    parameters: dict[str, Schema]
    answer: Schema
    dimensions: dict[str, tuple[str, ...]]


class EventContract(Value):
    """What a subscriber relies on. `deprecated`: since when, until when, and what to take instead."""

    version: str
    data: Schema
    deprecated: tuple[str, str, str] | msgspec.UnsetType = msgspec.UNSET  # most events say nothing of it


class Contracts(Value):
    """All contracts of a release, by name; `schemas` are the types that they refer to."""

    capabilities: dict[str, CapabilityContract]
    points: dict[str, PointContract]
    events: dict[str, EventContract]
    schemas: dict[str, Schema]


def contracts_of(release: Release) -> Contracts:
    """Return the contracts that a release offers: of its packs and flows, not of front ends' own capabilities."""
    capabilities = [one.capability for _, one in sorted(release.offered.items())]
    points = [point for _, point in sorted(release.points.items())]
    events = sorted(
        (kind for pack in release.packs.values() for kind in pack.events().values()),
        key=lambda kind: event_kind(kind).name,
    )
    hints = [_hints(point) for point in points]
    kinds = [kind for one in capabilities for kind in (one.ask, one.answer)]
    kinds += [kind for found in hints for kind in found.values()]
    said, schemas = _schemas([*kinds, *events])
    return Contracts(
        capabilities={one.name: _capability(one, next(said), next(said)) for one in capabilities},
        points={
            point.name: _point(point, {name: next(said) for name in found})
            for point, found in zip(points, hints, strict=True)
        },
        events={event_kind(kind).name: _event(kind, next(said)) for kind in events},
        schemas=schemas,
    )


def expanded(contracts: Contracts) -> Contracts:
    """Return contracts with every reference followed, so that two can be compared part by part."""
    plain: Schema = msgspec.to_builtins(contracts)
    schemas = plain.pop("schemas")
    return msgspec.convert({**_followed(plain, schemas, 0), "schemas": {}}, Contracts)


SHARED = "shared"  # the file of types that contracts of several packs refer to


def by_pack(contracts: Contracts) -> dict[str, Contracts]:
    """Return the contracts of each pack with the types that it alone refers to; the other types under `shared`."""
    packs = sorted({name.partition(".")[0] for group in _groups(contracts) for name in group})
    parts = {pack: _of_pack(contracts, pack) for pack in packs}
    referred = {pack: types_of(msgspec.to_builtins(part), contracts.schemas) for pack, part in parts.items()}
    owner = {name: [pack for pack in packs if name in referred[pack]] for name in contracts.schemas}
    homes = {name: found[0] if len(found) == 1 else SHARED for name, found in owner.items()}
    parts[SHARED] = Contracts(capabilities={}, points={}, events={}, schemas={})
    return {
        pack: Contracts(
            capabilities=part.capabilities,
            points=part.points,
            events=part.events,
            schemas={name: one for name, one in contracts.schemas.items() if homes[name] == pack},
        )
        for pack, part in parts.items()
    }


def joined(parts: Iterable[Contracts]) -> Contracts:
    """Return the contracts of several files as one."""
    found = Contracts(capabilities={}, points={}, events={}, schemas={})
    for part in parts:
        found = Contracts(
            capabilities=found.capabilities | part.capabilities,
            points=found.points | part.points,
            events=found.events | part.events,
            schemas=found.schemas | part.schemas,
        )
    return found


def write_folder(contracts: Contracts, folder: Path) -> list[Path]:
    """Write one file a pack, so that a change names its team; remove the files of packs that are gone."""
    folder.mkdir(exist_ok=True)
    kept = {folder / f"{pack}.json": written(part) for pack, part in by_pack(contracts).items()}
    for stale in set(folder.glob("*.json")) - kept.keys():
        stale.unlink()
    for path, text in kept.items():
        path.write_bytes(text)
    return sorted(kept)


def read_folder(folder: Path) -> Contracts:
    """Read the contracts that `write_folder` wrote. Raises BadAsk for a file that is none."""
    return joined(decode_file(path, Contracts) for path in sorted(folder.glob("*.json")))


def written(contracts: Contracts) -> bytes:
    """Return contracts as text that a person can review: the same contracts give the same bytes."""
    return msgspec.json.format(msgspec.json.encode(contracts, order="deterministic"), indent=1) + b"\n"


def read(text: bytes) -> Contracts:
    """Read contracts that were written. Raises BadAsk where this is none."""
    return decode(text, Contracts)


def _groups(contracts: Contracts) -> tuple[Mapping[str, Value], ...]:
    return contracts.capabilities, contracts.points, contracts.events


def _of_pack(contracts: Contracts, pack: str) -> Contracts:
    capabilities, points, events = (
        {name: one for name, one in group.items() if name.partition(".")[0] == pack} for group in _groups(contracts)
    )
    return Contracts(
        capabilities=cast("dict[str, CapabilityContract]", capabilities),
        points=cast("dict[str, PointContract]", points),
        events=cast("dict[str, EventContract]", events),
        schemas={},
    )


def types_of(part: Any, schemas: Mapping[str, Schema]) -> set[str]:
    """Return the names of all types that a part of contracts refers to, through others too."""
    return _referred(part, schemas, set())


def _referred(part: Any, schemas: Mapping[str, Schema], found: set[str]) -> set[str]:
    """Return the names of all types that a part refers to, through others too."""
    if isinstance(part, list | tuple):
        for one in cast("list[Any]", part):
            _referred(one, schemas, found)
    elif isinstance(part, dict):
        values = cast(Schema, part)
        name = values.get("$ref")
        if isinstance(name, str) and name not in found:
            found.add(name)
            _referred(schemas[name], schemas, found)
        for one in values.values():
            _referred(one, schemas, found)
    return found


def _event(kind: type[Value], data: Schema) -> EventContract:
    declared = event_kind(kind)
    gone = declared.deprecated
    return EventContract(
        version=declared.version,
        data=data,
        deprecated=(gone.since.isoformat(), gone.sunset.isoformat(), gone.instead) if gone else msgspec.UNSET,
    )


def _capability(capability: Capability[Any, Any], ask: Schema, answer: Schema) -> CapabilityContract:
    gone = capability.deprecated
    return CapabilityContract(
        version=capability.version,
        effect=capability.effect.value,
        ask=ask,
        answer=answer,
        errors=tuple(sorted(error.slug for error in capability.raises)),
        is_internal=capability.is_internal,
        deprecated=(gone.since.isoformat(), gone.sunset.isoformat(), gone.instead) if gone else None,
    )


def _hints(point: ExtensionPoint[..., Any]) -> dict[str, Any]:
    """Return the types of a point's parameters in their order, and of its answer under `return`."""
    hints = get_type_hints(point.default, include_extras=True)
    return {**{name: hints[name] for name in point.parameters}, "return": _without_pass(hints["return"])}


def _point(point: ExtensionPoint[..., Any], said: dict[str, Schema]) -> PointContract:
    answer = said.pop("return")
    return PointContract(
        combine=point.combine.name,
        stages=point.combine.stages,
        is_async=point.is_async,
        order=point.parameters,
        parameters=said,
        answer=answer,
        dimensions={one.name: one.values for one in point.dimensions},
    )


def _without_pass(kind: Any) -> Any:
    """Take "no opinion" out of an annotation, wherever it stands: it is the kernel's and part of no contract."""
    if get_origin(kind) in (types.UnionType, Union):
        parts = [_without_pass(part) for part in get_args(kind) if part is not Pass]
        return Union[tuple(parts)]  # noqa: UP007 - made at run time
    if arguments := get_args(kind):
        try:
            return get_origin(kind)[tuple(_without_pass(one) for one in arguments)]  # pyright: ignore[reportOptionalSubscript]
        except TypeError:
            return kind
    return kind


def _schemas(kinds: Sequence[Any]) -> tuple[Iterator[Schema], dict[str, Schema]]:
    """Return what fits each type, in their order, and the schemas that they refer to.

    All are made in one go, since types of one name in two packs are told apart then only; which of them JSON cannot say
    is looked for only where there is such a one.
    """
    fits = [True] * len(kinds)
    try:
        made, components = json_schema(tuple(kinds), "{name}")
    except TypeError:
        fits = [_is_sayable(kind) for kind in kinds]
        made, components = json_schema(tuple(itertools.compress(kinds, fits)), "{name}")
    found = iter(made)
    said = [
        cast(Schema, _said(next(found))) if is_sayable else {"python": str(kind)}
        for kind, is_sayable in zip(kinds, fits, strict=True)
    ]
    return iter(said), {name: _said(one) for name, one in components.items()}


def _is_sayable(kind: Any) -> bool:
    try:
        json_schema((kind,), "{name}")
    except TypeError:
        return False
    return True


def _said(part: Any) -> Any:
    """Leave out what does not decide whether a value fits."""
    if isinstance(part, list):
        return [_said(one) for one in cast("list[Any]", part)]
    if not isinstance(part, dict):
        return part
    found = cast(Schema, part)
    fields: Schema = {name: _said(one) for name, one in found.get("properties", {}).items()}
    rest = {name: _said(one) for name, one in found.items() if name not in (*UNSAID, "properties")}
    return {**rest, "properties": fields} if fields else rest


def _followed(part: Any, schemas: Mapping[str, Any], depth: int) -> Any:
    if isinstance(part, list):
        return [_followed(one, schemas, depth) for one in cast("list[Any]", part)]
    if not isinstance(part, dict):
        return part
    found = cast(Schema, part)
    name = found.get("$ref")
    if isinstance(name, str):
        return {"ref": name} if depth >= DEPTH_MAX else _followed(schemas[name], schemas, depth + 1)
    return {name: _followed(one, schemas, depth) for name, one in found.items()}
