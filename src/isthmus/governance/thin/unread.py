"""What the platform says and nobody hears: fields of answers that nobody reads, events that nobody takes.

Who reads a field is found as `isthmus compat --can-remove` finds it: a front end whose clients call from code that is
not here may read anything. Who takes an event is asked of code, of what carries events out, and of groups of readers;
who reads the feed without a group leaves no trace, and is told of by the contract.
"""

from __future__ import annotations

import ast
import inspect
import types
import typing
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Final, cast, get_args, get_origin, get_type_hints

import msgspec

from isthmus.kernel import Pack, Value
from isthmus.kernel.host import Release, event_kind
from isthmus.language import mark

from ..reads import OTHERS, TEMPLATES, Code, Consumers, Field, field_of, readers
from .age import Age
from .change.named import Code as Mentions
from .findings import ASKED_MIN, USED_MIN, Finding, short_path

DEPTH_MAX: Final = 6  # of types within types: an answer that is deeper holds itself

Place = tuple[type[Value], str]  # a type, and its field


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Types of events that somebody outside takes: `PACK.*` is a pack's, `*` all."""

    who: str
    types: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the platform said while it was observed. taken: what carries events out says.

    grouped: front ends that have groups of readers of their feed, or lend it: who reads there may take all.
    """

    sent: Mapping[tuple[str, str], int]  # (front end, type)
    taken: Sequence[Taken] = ()
    grouped: Collection[str] = ()


def unread_fields(consumers: Consumers, packs: Sequence[Pack], age: Age, today: date) -> Iterator[Finding]:
    """Find fields of answers that are called for, and of which nobody reads that field."""
    places: dict[Place, list[Field]] = defaultdict(list)
    for name, one in sorted(consumers.release.offered.items()):
        for kind, field, path in _walk(one.capability.answer, "$", 0):
            places[kind, field].append(field_of(consumers.contracts, f"{name}:{path}"))
    elsewhere = _otherwise_used(consumers, packs)
    own = {pack.name: _own_code(pack) for pack in packs}
    for (kind, field), wanted in places.items():
        pack = next((one for one in packs if kind.__module__.startswith(_package(one))), None)
        calls = _calls(consumers, {one.capability for one in wanted})
        wanted.sort(key=lambda one: (one.path.count("."), str(one)))
        if pack is None or kind in elsewhere or sum(calls.values()) < USED_MIN:
            continue
        if field == _tag(kind) or any(readers(one, consumers) for one in wanted):
            continue
        if field in own[pack.name] or (wanted[0].sunset and wanted[0].sunset >= today):
            continue
        file, line = place_of(kind, field)
        if age.is_young(file, field, kind.__name__):
            continue
        who, times = ", ".join(sorted(calls)), sum(calls.values())
        yield Finding(
            verdict="delete",
            what=mark(f"field {wanted[0]} is read by nobody"),
            where=f"{short_path(file)}:{line}",
            front_end="",
            evidence=mark(
                f"{times:,} calls of {who}; neither their code nor that of packs and flows takes {field!r} of "
                f"{kind.__name__}"
            ),
            next=mark("delete it: its last day has passed")
            if wanted[0].sunset
            else mark("announce its last day, and delete it after that"),
            pack=pack.name,
            kind="field",
            name=str(wanted[0]),
        )


def untaken_events(
    consumers: Consumers, packs: Sequence[Pack], mentions: Mentions, said: Said, age: Age, today: date
) -> Iterator[Finding]:
    """Find events that are sent, and that nobody takes; not those that are announced to end another day."""
    sent: dict[str, dict[str, int]] = defaultdict(dict)
    for (code, name), times in said.sent.items():
        sent[name][code] = times
    for pack in packs:
        for kind in pack.events().values():
            name, leaving = event_kind(kind).name, event_kind(kind).deprecated
            by = sent.get(name, {})
            if leaving and leaving.sunset >= today:
                continue
            if sum(by.values()) < ASKED_MIN or set(by) & set(said.grouped):
                continue
            if any(_carries(one, name) for one in said.taken):
                continue
            if any(_takes(mentions, kind)) or _is_named(mentions, consumers, name):
                continue
            file, line = place_of(kind)
            if age.is_young(file, f'"{name}"'):
                continue
            yield Finding(
                verdict="delete",
                what=mark(f"event {name} is taken by nobody"),
                where=f"{short_path(file)}:{line}",
                front_end="",
                evidence=mark(
                    f"sent {sum(by.values()):,} times for {', '.join(sorted(by))}; no code, subscription, webhook, "
                    "broker or group of readers takes it"
                ),
                next=mark("send it no more: its last day has passed")
                if leaving
                else mark("announce its last day, and send it no more after that"),
                pack=pack.name,
                kind="event",
                name=name,
            )


def declared(release: Release, wanted: Field) -> Place:
    """Return the type that declares a field, and what it is called there."""
    answer = release.offered[wanted.capability].capability.answer
    return next((kind, field) for kind, field, path in _walk(answer, "$", 0) if path == wanted.path)


def place_of(kind: type[Value], field: str = "") -> tuple[Path, int]:
    """Return the file and line of a type, or of a field of it."""
    file = Path(inspect.getsourcefile(kind) or "")
    lines, first = inspect.getsourcelines(kind)
    for node in ast.walk(ast.parse(inspect.cleandoc("\n" + "".join(lines)))) if field else ():
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == field:
            return file, first + node.lineno - 1
    return file, first


def _walk(kind: Any, path: str, depth: int) -> Iterator[tuple[type[Value], str, str]]:
    """Yield each field within a type: of which type it is, and by which path one comes to it."""
    for one in _structs(kind):
        if depth > DEPTH_MAX:
            return
        hints = _hints(one)
        for field in msgspec.structs.fields(cast("type[msgspec.Struct]", one)):
            here = f"{path}.{field.encode_name}"
            yield one, field.name, here
            yield from _walk(hints[field.name], here, depth + 1)


def _structs(hint: Any) -> Iterator[type[Value]]:
    if isinstance(hint, type) and issubclass(hint, Value) and get_origin(hint) is None:
        yield hint
    elif get_origin(hint) is typing.Annotated:
        yield from _structs(get_args(hint)[0])
    elif get_origin(hint) in (typing.Union, types.UnionType, tuple, list, dict, frozenset, set) or get_args(hint):
        for part in get_args(hint):
            yield from _structs(part)


@cache
def _hints(kind: type[Value]) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _within(kind: Any) -> set[type[Value]]:
    return {one for one, _, _ in _walk(kind, "$", 0)}


def _otherwise_used(consumers: Consumers, packs: Sequence[Pack]) -> set[type[Value]]:
    """Return types that are more than answers: of asks, questions, events, entities. Others may read those."""
    found: set[type[Value]] = set()
    for one in consumers.release.offered.values():
        found |= _within(one.capability.ask)
    for point in consumers.release.points.values():
        for hint in get_type_hints(point.default).values():
            found |= _within(hint)
    for pack in packs:
        for kind in (*pack.events().values(), *pack.entities):
            found |= _within(kind)
    return found


def _calls(consumers: Consumers, capabilities: set[str]) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for (code, name), times in consumers.calls.counted.items() if consumers.calls else ():
        if name in capabilities and times:
            found[code] += times
    return found


def _own_code(pack: Pack) -> frozenset[str]:
    """Return names that a pack's own code takes of something; not where a field is made of what is called the same."""
    folder = Path(pack.api.__file__ or ".").parent if getattr(pack.api, "__file__", None) else None
    if folder is None:
        return frozenset()
    folder = folder.parent if Path(pack.api.__file__ or "").name == "__init__.py" else folder
    found: set[str] = set()
    for file in folder.rglob("*.py"):
        tree = ast.parse(file.read_text())
        made = {id(one.value) for one in ast.walk(tree) if isinstance(one, ast.keyword)
                and isinstance(one.value, ast.Attribute) and one.arg == one.value.attr}  # fmt: skip
        read = (one for one in ast.walk(tree) if isinstance(one, ast.Attribute) and isinstance(one.ctx, ast.Load))
        found |= {one.attr for one in read if id(one) not in made}
    others = tuple(one for one in folder.rglob("*") if one.suffix in (*TEMPLATES, *OTHERS))
    return frozenset(found | Code(others, folder).taken)


def _carries(one: Taken, name: str) -> bool:
    return any(kind in ("*", name) or (kind.endswith(".*") and name.startswith(kind[:-1])) for kind in one.types)


def _takes(mentions: Mentions, kind: type[Value]) -> Iterator[str]:
    """Yield where code names an event and does not send it: a subscription, a timer, what a flow reacts to."""
    for one in mentions.mentions(f"{kind.__module__}.{kind.__name__}"):
        if one.is_import or mentions.is_test(one.file):
            continue
        module = mentions.module(one.file)
        calls = [node.func for node in ast.walk(module.tree) if isinstance(node, ast.Call)]
        if not any(ast.unparse(made) == one.text and made.lineno == one.line for made in calls):
            yield mentions.where(one)


def _is_named(mentions: Mentions, consumers: Consumers, name: str) -> bool:
    """Tell whether other code says an event's name: another language, a list of types, a manifest."""
    said = [path for path, text in mentions.texts.items() if f'"{name}"' in text and not mentions.is_test(path)]
    if len(said) > 1:  # where it is declared is one
        return True
    return any(name in code.names for code in consumers.codes.values())


def _tag(kind: type[Value]) -> str | None:
    config = getattr(kind, "__struct_config__", None)
    return getattr(config, "tag_field", None)


def _package(pack: Pack) -> str:
    return pack.api.__name__.rpartition(".api")[0] + "."
