"""Write docs/reference from the code: `python -m docs.generate`; with `--check`, say what is out of date instead.

Each page is a function from what is declared to Markdown, so that a page cannot say what the code does not.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import pkgutil
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, cast

import click
import msgspec
import typer

import isthmus
from isthmus import manifest, markings
from isthmus.app import config, packs
from isthmus.gateway.wire.problem import status_of, title_of
from isthmus.kernel import Context, FrontEnd, Pack, Product, errors, ports

FOLDER: Final = Path(__file__).parent / "reference"
SOURCES: Final = Path(isthmus.__file__).parent
MADE: Final = "<!-- Made by `python -m docs.generate`: change the code instead. -->\n\n"

SETTINGS: Final = {
    "platform.front_ends": "the folder whose folders are front ends",
    "platform.data": "where the embedded PostgreSQL, the lake and unpacked versions live (`ISTHMUS_DATA`)",
    "platform.group": "the code under which the group owns what front ends share; nothing: there is no such owner",
    "platform.packs": "the packs that the platform is made of: `module:NAME`, or a package for all below it",
    "platform.flows": "the flows, named in the same way",
    "platform.products": "the products that front ends may switch on, named in the same way; without it, all",
    "platform.leave_out": "of those, what is not wanted, by name",
    "server.host": "the address to listen at",
    "server.port": "the port to listen at (`ISTHMUS_PORT`)",
    "server.connections_per_address": "how many connections one address may hold open at each server process (1,024); "
    "behind a proxy all come from the proxy's",
    "server.address": "this platform as clients reach it, issuer of tokens; where it listens, if not set",
    "server.token_key": "file with the key that signs tokens, EC (P-256) in PEM; made in the data if not set",
    "server.cors": "origins whose pages may call: `[\"https://shop.example\"]`",
    "otel.endpoint": "the collector that spans of calls are sent to, by OTLP over HTTP (extra `isthmus[otel]`)",
    "otel.share": "which share of calls is sampled (0.01), where whoever calls has not decided",
    "limits.key_per_minute": "calls a minute of each key, at all servers together; none: not limited so",
    "limits.address_per_minute": "requests a minute of each address, at all servers together",
    "limits.person_per_minute": "requests a minute of each person at the console, at all servers together",
    "log.format": "`text`, or `json`: a line with time, level, call id, front end and client, without personal data",
    "log.level": "`debug`, `info`, `warning` or `error`",
    "demo.entry": "`module:function` that `isthmus demo` calls",
    "record.share": "which share of calls is recorded, from 0 to 1",
    "record.shares": "the same for one front end, by its code",
    "record.kept": "how many recorded calls are kept",
    "record.most_per_s": "how many calls of a capability of a front end in a second at most, by `share`; 0: no bound",
    "record.kept_mb": "how many megabytes of them",
    "record.kept_days": "for how many days",
    "exits.days": "after how many days a server exercises the exit of a pack again; 0: never by itself",
    "cost.month": "what all of it costs a month: `1200 EUR`",
    "cost.team_day": "what a day of a front end's team costs, by which waiting for the platform is weighed: `600 EUR`",
    "cost.processor": "the processor's part of the month (0.5); the three parts come to 1",
    "cost.database": "the database's part (0.3)",
    "cost.storage": "the storage's part (0.2)",
    "cost.lines_per_day": "lines of code that a team brings to production a day (25), to weigh building alone",
    "cost.upkeep": "what upkeep costs a year, of what something cost to build (0.2)",
    "cost.years": "after how many years something is built anew (3)",
    "cost.rented_month": "what a shop system for rent costs a front end a month (2300): `2300 EUR`",
    "cost.rented_order": "what it costs an order (0): `0.05 EUR`",
    "levels.default": "percent of calls that are to be answered (99.9): what the page *Service levels* measures by",
    "levels.CODE": "the same for one front end",
    "receipts.days": "for how many days receipts of answers are kept",
    "receipts.count": "how many of them",
    "snapshots.days": "for how many days snapshots of the lake are kept",
    "front_ends.CODE.isolation": "`inline`, `process` or `http`",
    "front_ends.CODE.budget_ms": "of one answer, inline",
    "front_ends.CODE.deadline_ms": "of one ask to a worker; of all asks of one call to a service",
    "front_ends.CODE.memory_mb": "of a worker, beyond what Python takes",
    "front_ends.CODE.url": "of the service that answers",
    "adopted.NAME.document": "the OpenAPI document of a service that is a pack here",
    "adopted.NAME.url": "where the service is",
    "adopted.NAME.secret": "its credential, `{ secret = \"NAME\" }`, or the environment variable that has it",
    "adopted.NAME.leave_out": "operations that are no capabilities here",
    "adopted.NAME.forgets": "the operation that erases a person there, or `{ because = \"…\" }`",
    "adopted.NAME.exports": "the operation that answers what it keeps of somebody, and the field that takes an id",
    "ejected.NAME.url": "where the service is that stands in the place of a pack",
    "ejected.NAME.secret": "the environment variable that has its token",
}  # fmt: skip
ENVIRONMENT: Final = {
    "ISTHMUS_DATABASE_URL": "PostgreSQL to use; without it the embedded one starts",
    "ISTHMUS_DATABASE_URL_FILE": "a file that has it: what a secret is mounted as",
    "ISTHMUS_HOST": "replaces `server.host`",
    "ISTHMUS_LOG_FORMAT": "replaces `log.format`",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "replaces `otel.endpoint`",
    "ISTHMUS_LOG_LEVEL": "replaces `log.level`",
    "ISTHMUS_CONFIG": "the settings file, where it is not `isthmus.toml` here",
    "ISTHMUS_DATA": "replaces `platform.data`",
    "ISTHMUS_PORT": "replaces `server.port`",
    config.TOKEN_VARIABLE: "the token that opens the console; made anew at each start where it is not set",
    "ISTHMUS_KEY": "the key with which `isthmus deploy --to` deploys",
}


def pages() -> dict[str, str]:
    """Return every page of the reference, by file name."""
    made: dict[str, Callable[[], str]] = {
        "context.md": context,
        "manifests.md": manifests,
        "settings.md": settings,
        "cli.md": commands,
        "errors.md": problems,
        "metrics.md": metrics,
        "files.md": files,
        "questions.md": questions,
    }
    return {name: MADE + make().strip() + "\n" for name, make in made.items()}


def context() -> str:
    """Return what an implementation may call: `ctx`, and the session in it."""
    return "\n\n".join([
        "# ctx and the session",
        "An implementation is given its ask and a `Context`, called `ctx`. What is not here is not there: time, ids "
        "and randomness come from it, so that a call can be replayed.",
        "```python\n@implements(api.note)\nasync def note(ask: api.Note, ctx: Context) -> api.Noted:\n"
        "    seen = await ctx.session.fetch_value(\"select count(*) from note where sku = $1\", ask.sku)\n"
        "    product = await ctx.call(catalog.get_product, catalog.GetProduct(sku=ask.sku))\n"
        "    return api.Noted(seen=seen, title=product.title, at=ctx.now)\n```",
        "## ctx",
        *_members(Context, "ctx"),
        "## ctx.session",
        _doc(ports.Session),
        *_members(ports.Session, "ctx.session", without={"own", "close"}),
    ])  # fmt: skip


def manifests() -> str:
    """Return the fields of what is declared, and what a pack may bring."""
    kinds = sorted(packs.KINDS, key=lambda kind: kind.__name__)
    return "\n\n".join([
        "# Manifests",
        "What a front end, a product and a pack say of themselves. All are imported from `isthmus.kernel`.",
        *(part for kind in (FrontEnd, Product, Pack) for part in _fields_of(kind)),
        "## What `Pack(brings=…)` may hold",
        "From `isthmus.manifest`, and `Segment` from `isthmus.markings`.",
        *(part for kind in kinds for part in _fields_of(kind, "###")),
        *_fields_of(manifest.ProviderType, "###"),
    ])  # fmt: skip


def settings() -> str:
    """Return the settings of isthmus.toml, and of the environment. Raises KeyError for one without a word."""
    known = [f"{section}.{key}" for section, keys in config._KNOWN.items() for key in sorted(keys)]
    known += [f"front_ends.CODE.{key}" for key in sorted(config._PER_FRONT_END)]
    known += ["levels.default", "levels.CODE"]
    known += [f"adopted.NAME.{key}" for key in sorted(config.ADOPTED)]
    known += [f"ejected.NAME.{key}" for key in sorted(config.EJECTED)]
    return "\n\n".join([
        "# Settings",
        "One file, `isthmus.toml`, read from the current folder or from where `ISTHMUS_CONFIG` says. Every setting "
        "may be left out. `[settings.PACK]` and `[providers.SEAM.NAME]` have the shape that the pack or "
        "provider declares; `[fresh_hours]` says by entity after how many hours its data is too old.",
        _table(("setting", "what it says"), ((f"`{name}`", SETTINGS[name]) for name in known)),
        "## Environment",
        _table(("variable", "what it says"), ((f"`{name}`", said) for name, said in ENVIRONMENT.items())),
    ])  # fmt: skip


def commands() -> str:
    """Return every command with its arguments and options, those of packs too."""
    from isthmus.cli.data import commands as data_commands
    from isthmus.cli.main import main_app

    parts = ["# Commands", "`isthmus COMMAND --help` says the same."]
    parts += _command("isthmus", typer.main.get_command(main_app))
    parts += _command("isthmus data", typer.main.get_command(data_commands(*[cast(Any, None)] * 3)))
    plugged = packs.plugged(config.Config(root=Path(), data=Path(), front_ends=Path()))
    brought = (one for pack in plugged for one in pack.brings if isinstance(one, manifest.Commands))
    for one in sorted(brought, key=lambda one: (one.name, one.at)):
        module, _, made = one.at.partition(":")
        group = typer.main.get_group(getattr(importlib.import_module(module), made)(None))
        parts += _command(f"isthmus {one.name}", group)
    return "\n\n".join(parts)


def problems() -> str:
    """Return every error by its slug: its status, what it means, and what to do about it."""
    for found in pkgutil.walk_packages(isthmus.__path__, "isthmus."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    remedies = _remedies()
    kinds = {kind.slug: kind for kind in _below(errors.IsthmusError) if kind.__module__.startswith("isthmus.")}
    rows = (
        (
            f"`{slug}`",
            str(status_of(kind)),
            title_of(kind),
            _what_to_do(kind, remedies),
        )
        for slug, kind in sorted(kinds.items())
    )
    return "\n\n".join([
        "# Errors by slug",
        "The `slug` of a problem document, with its HTTP status and what to do; `…` stands for a value. Over HTTP:",
        '```sh\ncurl -s http://127.0.0.1:8080/problems/catalog.unknown-sku\n```',
        "In Python each is a class with `slug`, `message`, `remedy`, `path` and `facts`:",
        "```python\ntry:\n    await platform.call(catalog.get_product, ask, caller)\n"
        "except catalog.UnknownSku as error:\n    print(error.slug, error.remedy)\n```",
        _table(("slug", "status", "what happened", "what to do"), rows),
    ])  # fmt: skip


def questions() -> str:
    """Return every extension point: what a front end may decide, and where its default stands."""
    plugged = packs.plugged(config.Config(root=Path(), data=Path(), front_ends=Path()))
    points = sorted((one for pack in plugged for one in pack.extension_points().values()), key=lambda one: one.name)
    rows = (
        (
            f"`{one.name}`",
            one.doc.partition("\n\n")[0],
            ", ".join(f"`{name}`" for name in one.parameters),
            one.combine.name.replace("_", " "),
            ", ".join(f"`{each.name}`" for each in one.dimensions),
            f"`{_below_sources(one.source)}`",
        )
        for one in points
    )
    return "\n\n".join([
        "# What a front end may decide",
        "Every question that packs and flows ask the front end they run for: an extension point. Its file has the "
        "default, which is the answer where a front end gives none; `isthmus explain CODE POINT` says who "
        "answers it there. A front end answers in its `answers.py`, a product for all that switch it on.",
        _table(("question", "what it decides", "asked with", "several answers", "may differ by", "default"), rows),
    ])  # fmt: skip


def _below_sources(source: str) -> str:
    """Return where something is declared, without the line, which moves."""
    path = Path(source.rpartition(":")[0])
    return str(path.relative_to(SOURCES.parent)) if path.is_absolute() else str(path)


def files() -> str:
    """Return every Python file of the platform with the first sentence that it says of itself, folder by folder."""
    parts = [
        "# Every Python file in a sentence",
        "Each is the first sentence of the file. Beside them lie `migrations/`, templates of pages (`pages/*.html`), "
        "and `locale/`. To find where something is, search this page for its words; where a change goes is in "
        "[How it is built](../ARCHITECTURE.md#where-a-change-goes).",
        "## What each pack owns",
        _table(("pack", "what it owns"), _owners("packs")),
        "## What each flow does",
        "A flow calls several packs, and packs see no flow.",
        _table(("flow", "what it does"), _owners("flows")),
    ]
    below = defaultdict[Path, list[Path]](list)
    for path in sorted(SOURCES.rglob("*.py")):
        below[path.parent].append(path)
    for folder, found in sorted(below.items()):
        said = {path.name: _first_sentence(path) for path in found}
        rows = ((f"`{name}`", text) for name, text in said.items() if name != "__init__.py")
        title = "/".join(("isthmus", *folder.relative_to(SOURCES).parts))
        parts += [f"## {title}", said.get("__init__.py", ""), _table(("file", "what it knows"), rows)]
    return "\n\n".join(part for part in parts if part.count("\n") != 1)


def _owners(kind: str) -> Iterator[tuple[str, str]]:
    for path in sorted((SOURCES / kind).glob("*/__init__.py")):
        paragraph = (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n\n")[0]
        yield f"`{path.parent.name}`", paragraph


def _first_sentence(path: Path) -> str:
    paragraph = (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n\n")[0]
    return re.split(r"(?<=[.!?])\s", " ".join(paragraph.split()), maxsplit=1)[0].rstrip(":")


def _what_to_do(kind: type[errors.IsthmusError], remedies: dict[str, list[str]]) -> str:
    said = list(dict.fromkeys(remedies[kind.__name__]))
    if kind.__module__ == errors.__name__ and len(said) > 3:
        return "what the problem's `remedy` says: it depends on where it happens"
    return "; or ".join(said[:3]) or "what the problem's `remedy` says"


def metrics() -> str:
    """Return every metric that the shipped packs bring."""
    rows = [
        (f"`{one.name}`", msgspec.structs.asdict(one).get("unit", "") or "", one.__struct_config__.tag, one.doc)
        for pack in packs.plugged(config.Config(root=Path(), data=Path(), front_ends=Path()))
        for one in pack.metrics
        if isinstance(one, markings.Metric)
    ]
    return "\n\n".join([
        "# Metrics",
        "What the packs count. On the command line, and over HTTP with a key that has the scope `data.ask`:",
        "```sh\nisthmus data ask order.net-sales --by time:week\n"
        "curl -s http://127.0.0.1:8080/data/ask -H \"Authorization: Bearer $KEY\" \\\n"
        "  -H 'Content-Type: application/json' \\\n"
        "  -d '{\"metrics\": [\"order.net-sales\"], \"by\": [\"time:week\"]}'\n```",
        _table(("metric", "unit", "kind", "what it is"), sorted(rows)),
    ])  # fmt: skip


def _members(kind: type, prefix: str, without: Iterable[str] = ()) -> Iterator[str]:
    for name, member in vars(kind).items():
        if name.startswith("_") or name in without:
            continue
        if isinstance(member, property):
            yield f"### `{prefix}.{name}`\n\n{_doc(member.fget)}".strip()
        elif inspect.isfunction(member):
            signature = str(inspect.signature(member)).replace("(self, ", "(").replace("(self)", "()")
            waits = "await " if inspect.iscoroutinefunction(member) else ""
            yield f"### `{waits}{prefix}.{name}{_plain(signature)}`\n\n{_doc(member)}".strip()
        elif name == "answer":
            yield "### `ctx.answer(point)(…)`\n\nAsk the front end's answer to an extension point."


def _plain(signature: str) -> str:
    return re.sub(r"'", "", signature)


def _doc(thing: Any) -> str:
    return inspect.cleandoc(thing.__doc__ or "")


def _fields_of(kind: type, level: str = "##") -> Iterator[str]:
    yield f"{level} {kind.__name__}"
    yield _doc(kind)
    if dataclasses.is_dataclass(kind):
        given = ((one.name, one.type, _is_required(one)) for one in dataclasses.fields(kind))
    else:
        given = ((one.name, one.type, one.required) for one in msgspec.structs.fields(kind))
    rows = ((f"`{name}`", f"`{_type(type_)}`", "yes" if needed else "") for name, type_, needed in given)
    yield _table(("field", "type", "required"), rows)


def _is_required(one: dataclasses.Field[Any]) -> bool:
    return one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING


def _type(kind: Any) -> str:
    return (kind if isinstance(kind, str) else getattr(kind, "__name__", str(kind))).replace("|", "or")


def _command(name: str, command: click.Command) -> Iterator[str]:
    if isinstance(command, click.Group) or hasattr(command, "commands"):
        for word, inner in sorted(command.commands.items()):  # type: ignore[attr-defined]
            if (name, word) != ("isthmus", "data"):
                yield from _command(f"{name} {word}", inner)
        if not getattr(command, "invoke_without_command", False):
            return
    yield f"## `{name}`"
    yield _markdown(command.help or "")
    rows = (
        (f"`{' '.join(one.opts) if one.param_type_name == 'option' else (one.metavar or one.name or '')}`",
         _markdown(getattr(one, "help", None) or ""), "yes" if one.required else "")
        for one in command.params
        if one.name != "help"
    )  # fmt: skip
    listed = list(rows)
    if listed:
        yield _table(("argument or option", "what it says", "required"), listed)


def _markdown(text: str) -> str:
    return re.sub(r"\[/?[a-z ]+\]", "", inspect.cleandoc(text)).replace("\b", "").strip()


def _below(kind: type[errors.IsthmusError]) -> Iterator[type[errors.IsthmusError]]:
    for inner in kind.__subclasses__():
        yield inner
        yield from _below(inner)


def _remedies() -> dict[str, list[str]]:
    """Return what is said to do about each error, by the name of its class, as the sources have it."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(SOURCES.rglob("*.py")):
        tree = ast.parse(path.read_text())
        for kind in (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)):
            for call in (node for node in ast.walk(kind) if isinstance(node, ast.Call)):
                if isinstance(call.func, ast.Attribute) and call.func.attr == "__init__":
                    found[kind.name] += _said(call)
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            if name[:1].isupper():
                found[name] += _said(call)
    return found


def _said(call: ast.Call) -> Iterator[str]:
    for word in call.keywords:
        if word.arg == "remedy" and isinstance(word.value, (ast.Constant, ast.JoinedStr)):
            parts = word.value.values if isinstance(word.value, ast.JoinedStr) else [word.value]
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in parts)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(
        "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in line) + " |" for line in lines
    )


def main() -> int:
    """Write the pages, or with `--check` name those that are not as the code has them."""
    made = pages()
    stale = [
        name for name, text in made.items() if not (FOLDER / name).is_file() or (FOLDER / name).read_text() != text
    ]
    if "--check" in sys.argv[1:]:
        print("\n".join(f"{name} is out of date: run python -m docs.generate" for name in stale))
        return bool(stale)
    FOLDER.mkdir(exist_ok=True)
    for name in stale:
        (FOLDER / name).write_text(made[name])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
