"""Who reads a field of an answer: found in the code of front ends, flows and other packs, with the place.

A consumer reads a field where its code asks for the capability, or answers a point whose question holds the field's
type, and takes something of that name: an attribute, a key, a name in a template, a word in another language. Names may
meet by accident, so this errs on the side of a reader that is none. A front end that calls the capability from code
that is not here may read anything.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import jinja2
import jinja2.nodes

from isthmus.kernel import Value, errors
from isthmus.kernel.host import CompiledFrontEnd, Release

from .consumers import Calls
from .contracts import Contracts, Schema, types_of

TEMPLATES: Final = (".html", ".jinja", ".j2", ".xml")
OTHERS: Final = (".js", ".mjs", ".ts", ".tsx", ".jsx", ".vue", ".svelte", ".dart", ".kt", ".swift", ".go", ".java")
SIZE_MAX: Final = 1_000_000  # bytes of a file; a larger one was generated
SUNSET: Final = "x-sunset"  # beside `deprecated`, which is JSON Schema's, as the tools for OpenAPI write it
_STEP: Final = re.compile(r"\.([A-Za-z_]\w*)")


class Reader(Value):
    """Who reads a field. where: file and line; empty where it is called from code that is not here."""

    who: str
    where: str
    calls: int | None = None  # of the capability, counted; None: nothing is
    share: float | None = None  # of all its calls


class NoSuchField(errors.NotFound):
    """No capability has this field in its answer."""

    slug = "governance.no-such-field"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a capability's answer, and the types on the way to it, the one that has it included."""

    capability: str
    path: str
    name: str
    owners: frozenset[str]
    schema: Schema

    def __str__(self) -> str:
        return f"{self.capability}:{self.path}"

    @property
    def sunset(self) -> date | None:
        """The last day of it, where its contract announces one."""
        said = self.schema.get(SUNSET)
        return date.fromisoformat(said) if said and self.schema.get("deprecated") else None


@dataclass(frozen=True)
class Code:
    """The code of one consumer: which capabilities and types it names, and where it takes what names."""

    files: tuple[Path, ...]
    root: Path

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset(name for file in self._parsed for name in file.names)

    @property
    def taken(self) -> frozenset[str]:
        """Return all names that it takes of something."""
        return frozenset(name for file in self._parsed for name in file.taken)

    def places(self, name: str) -> list[str]:
        return [f"{_short(one.file, self.root)}:{one.taken[name]}" for one in self._parsed if name in one.taken]

    @cached_property
    def _parsed(self) -> list[_File]:
        return [_parse(file) for file in sorted(self.files)]


@dataclass(slots=True)
class _File:
    """names: words and strings, for what is asked for. taken: attributes and keys, each with its first line."""

    file: Path
    names: set[str] = field(default_factory=set[str])
    taken: dict[str, int] = field(default_factory=dict[str, int])


def field_of(contracts: Contracts, named: str) -> Field:
    """Return the field that is named like `PACK.CAPABILITY:$.total`. Raises NoSuchField with what comes near."""
    name, _, path = named.partition(":")
    if name not in contracts.capabilities:
        raise NoSuchField(
            f"no capability is called {name!r}{errors.near(name, contracts.capabilities)}",
            remedy="list them with `isthmus catalogue`",
        )
    steps = _STEP.findall(path)
    schemas, owners = _objects(contracts.capabilities[name].answer, contracts.schemas)
    if not path.startswith("$.") or not steps:
        example = next((one for schema in schemas for one in schema["properties"]), "field")
        raise NoSuchField(f"{path!r} is no path of a field", remedy=f"name one such as {name}:$.{example}")
    found: Schema = {}
    for at, step in enumerate(steps):
        known = {one: inner for schema in schemas for one, inner in schema["properties"].items()}
        if step not in known:
            raise NoSuchField(
                f"the answer of {name} has no field {'.'.join(['$', *steps[: at + 1]])}{errors.near(step, known)}",
                remedy=f"name one of: {', '.join(sorted(known))}" if known else "name a field above it",
            )
        found = known[step]
        if at + 1 < len(steps):
            schemas, more = _objects(found, contracts.schemas)
            owners |= more
    return Field(name, path, steps[-1], frozenset(owners), found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumers:
    """The code of front ends, and of packs and flows; and what front ends called, where there is a database."""

    release: Release
    contracts: Contracts
    codes: Mapping[str, Code]
    platform: Mapping[str, Code]
    calls: Calls | None = None


def readers(wanted: Field, consumers: Consumers) -> list[Reader]:
    """Return who reads a field, those first whose calls it is the largest part of."""
    calls = consumers.calls
    found: list[Reader] = []
    for who, line in consumers.release.lines.items():
        code = consumers.codes.get(who)
        count = calls.counted.get((who, wanted.capability), 0) if calls else None
        share = calls.share("capability", wanted.capability, who) if calls else None
        asks = code is not None and _asks(code, wanted)
        places = code.places(wanted.name) if code and (asks or _is_asked(line, wanted, consumers.contracts)) else []
        if places:
            found.append(Reader(who=who, where=places[0], calls=count, share=share))
        elif count and not asks:
            found.append(Reader(who=who, where="", calls=count, share=share))
    own = wanted.capability.partition(".")[0]
    for who, code in consumers.platform.items():
        if who != own and _asks(code, wanted) and (places := code.places(wanted.name)):
            found.append(Reader(who=f"the platform's {who}", where=places[0]))
    return sorted(found, key=lambda one: (-(one.share or 0.0), one.who))


def who(wanted: Field, consumers: Consumers) -> list[str]:
    """Return the names of who reads a field."""
    return [one.who for one in readers(wanted, consumers)]


def said(wanted: Field, found: Sequence[Reader], calls: Calls | None) -> str:
    """Return in one line whether a field can go."""
    if not found:
        when = f"announced until {wanted.sunset}" if wanted.sunset else "announce it with a Sunset first"
        return f"{wanted} can go: nobody reads it{_over(wanted, calls)}; {when}"
    return f"{wanted} must stay: {', '.join(_reader(one) for one in found)}"


def code_of(folder: Path) -> Code:
    """Return the code of a front end: its folder, and the packages beside the platform that it imports."""
    own = [one for one in folder.rglob("*") if one.is_file() and not _is_hidden(one.relative_to(folder))]
    return Code(tuple([one for one in own if not one.name.startswith("test_")] + _imported(own)), folder.parent)


def _reader(one: Reader) -> str:
    where = f"reads it in {one.where}" if one.where else "calls it from code that is not here"
    if one.calls is None or one.share is None:
        return f"{one.who} {where}"
    return f"{one.who} {where} ({one.share:.1%} of its calls, {one.calls:,})"


def _over(wanted: Field, calls: Calls | None) -> str:
    if calls is None:
        return " in the code that is here; nothing is counted without a database"
    counted = {code: count for (code, name), count in calls.counted.items() if name == wanted.capability and count}
    return f", in {sum(counted.values()):,} calls of {len(counted)} front ends over {calls.days} days"


def _objects(schema: Schema, schemas: Mapping[str, Schema]) -> tuple[list[Schema], set[str]]:
    """Return the objects that a value may be or hold, and the names of their types."""
    name = schema.get("$ref")
    if isinstance(name, str):
        found, owners = _objects(schemas[name], schemas)
        return found, {name, *owners}
    if "properties" in schema:
        return [schema], set()
    inner = [*schema.get("anyOf", ()), *schema.get("prefixItems", ())]
    inner += [one for key in ("items", "additionalProperties") if isinstance(one := schema.get(key), dict)]
    parts = [_objects(one, schemas) for one in inner]
    return [one for part, _ in parts for one in part], {name for _, names in parts for name in names}


def _asks(code: Code, wanted: Field) -> bool:
    """Tell whether code names a capability: as the wire does, or its pack and its function."""
    pack, _, name = wanted.capability.replace("-", "_").partition(".")
    return wanted.capability in code.names or {pack, name} <= code.names


def _is_asked(line: CompiledFrontEnd, wanted: Field, contracts: Contracts) -> bool:
    """Tell whether a front end answers a point whose question holds the type that the field is of."""
    for point in {
        answer.point.name for node in line.nodes for one in node.candidates.values() for answer in one.answers
    }:
        asked = contracts.points[point].parameters if point in contracts.points else {}
        if wanted.owners & types_of(asked, contracts.schemas):
            return True
    return False


def _is_hidden(inside: Path) -> bool:
    return any(part.startswith(".") or part in ("__pycache__", "node_modules") for part in inside.parts)


def _imported(files: Iterable[Path]) -> list[Path]:
    """Return the files of packages that these import and that are neither Python's, nor the platform's, nor known."""
    found: dict[str, list[Path]] = {}
    for file in files:
        for name in _imports(file) if file.suffix == ".py" else ():
            if name in found or name in sys.stdlib_module_names or name == "isthmus":
                continue
            spec = find_spec(name)
            folder = Path(spec.origin).parent if spec and spec.submodule_search_locations and spec.origin else None
            inside = [one for one in folder.rglob("*") if one.is_file()] if folder else []
            found[name] = inside if any(_speaks(one) for one in inside) else []
    return [one for inside in found.values() for one in inside]


def _imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module.partition(".")[0]


def _speaks(file: Path) -> bool:
    """Tell whether a package's file speaks to the platform: it names the route, which is `/v1/` and a capability."""
    return file.suffix == ".py" and b"/v1/" in file.read_bytes() and b"Idempotency-Key" in file.read_bytes()


def _parse(file: Path) -> _File:
    found = _File(file)
    if file.stat().st_size > SIZE_MAX:
        return found
    if file.suffix == ".py":
        _parse_python(file.read_text(), found)
    elif file.suffix in TEMPLATES:
        _parse_template(file.read_text(errors="replace"), found)
    elif file.suffix in OTHERS:
        _parse_words(file.read_text(errors="replace"), found)
    return found


def _parse_python(text: str, found: _File) -> None:
    """Read a file of Python: one that does not know the platform's types has answers as dictionaries."""
    tree = ast.parse(text)
    is_typed = any(isinstance(one, ast.ImportFrom) and _brings_types(one) for one in ast.walk(tree))
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=module):
                found.names.update([alias.name for alias in node.names], (module or "").split("."))
            case ast.Attribute(attr=name, ctx=ast.Load()):
                found.names.add(name)
                if is_typed:
                    found.taken.setdefault(name, node.lineno)
            case ast.Subscript(slice=ast.Constant(value=str(name)), ctx=ast.Load()):
                found.taken.setdefault(name, node.lineno)
            case ast.Call(func=ast.Attribute(attr="get" | "pop"), args=[ast.Constant(value=str(name)), *_]):
                found.taken.setdefault(name, node.lineno)
            case ast.MatchMapping():
                keys = [one.value for one in node.keys if isinstance(one, ast.Constant)]
                for key in keys:
                    found.taken.setdefault(str(key), node.lineno)
            case ast.MatchClass():
                for name in node.kwd_attrs:
                    found.taken.setdefault(name, node.lineno)
            case ast.Constant(value=str(text)):
                found.names.add(text)
            case ast.Name(id=name):
                found.names.add(name)
            case _:
                pass


def _brings_types(line: ast.ImportFrom) -> bool:
    """Tell whether an import brings types of the platform, or of a company's own pack: its `api`, or of that."""
    module = line.module or ""
    return module.startswith("isthmus.") or "api" in (*module.split("."), *(one.name for one in line.names))


def _parse_template(text: str, found: _File) -> None:
    try:
        tree = jinja2.Environment(extensions=["jinja2.ext.i18n"]).parse(text)
    except jinja2.TemplateError:
        _parse_words(text, found)
        return
    for node in tree.find_all((jinja2.nodes.Getattr, jinja2.nodes.Getitem)):
        if isinstance(node, jinja2.nodes.Getattr):
            found.taken.setdefault(node.attr, node.lineno)
        elif isinstance(node, jinja2.nodes.Getitem) and isinstance(node.arg, jinja2.nodes.Const):
            found.taken.setdefault(str(node.arg.value), node.lineno)


def _parse_words(text: str, found: _File) -> None:
    for number, line in enumerate(text.splitlines(), 1):
        found.names.update(re.findall(r"[\w.-]+", line))
        for word in re.findall(r"\w+", line):
            found.taken.setdefault(word, number)


def _short(file: Path, root: Path) -> str:
    parts = file.parts
    if file.is_relative_to(root):
        return str(file.relative_to(root))
    start = max((at + 1 for at, part in enumerate(parts) if part in ("src", "site-packages")), default=len(parts) - 3)
    return "/".join(parts[max(0, start) :])
