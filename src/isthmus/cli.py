"""The command line: every command says what it did, and what to do where it could not."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import importlib
import importlib.util
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Never

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from isthmus import app as composition
from isthmus.config import FILE, Config, load_config
from isthmus.console.traffic import KEPT as COUNTED
from isthmus.governance import compat_report, contracts, look_commands
from isthmus.governance import doctor as doctors
from isthmus.governance.compat import compare, undeclared
from isthmus.governance.compat_report import Consumption
from isthmus.governance.consumers import Calls, last_consumers, users_of
from isthmus.governance.contracts import read
from isthmus.governance.look_commands import Asked
from isthmus.governance.served import last_served
from isthmus.kernel import FrontEnd, errors, ports
from isthmus.kernel.compile.release import Release
from isthmus.runtime import deploy_commands, own_commands, record_commands, shadow_commands, tables, tables_commands
from isthmus.runtime.adopt.adopt import adopted_pack, adoption_of, left_out, read_document
from isthmus.runtime.deploy import scaffold
from isthmus.runtime.deploy.deploy import Ground
from isthmus.runtime.deploy.report import as_deployed
from isthmus.runtime.replay.recorded import asked_shares
from isthmus.store import MigrationSource, embedded

out = Console()
CONTRACTS = "contracts.json"  # what was agreed last; CI compares the working tree with it
problems = Console(stderr=True)

main_app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Isthmus: a thin middle platform. Shared capabilities below, front ends that ship their own logic above.",
)
client_app = typer.Typer(no_args_is_help=True, help="API keys: who may call, for which front end.")
new_app = typer.Typer(no_args_is_help=True, help="Make a new part of your own.")
main_app.add_typer(client_app, name="client")
main_app.add_typer(new_app, name="new")


def _say(sentence: str) -> None:
    problems.print(sentence, markup=False, highlight=False, soft_wrap=True)


@asynccontextmanager
async def _deploy_ground() -> AsyncGenerator[Ground]:
    async with composition.running(load_config(), front_ends=[]) as running:
        yield dataclasses.replace(composition.deploy_ground(running), say=_say)


@asynccontextmanager
async def _replay_stage() -> AsyncGenerator[record_commands.Stage]:
    async with composition.running(load_config(), front_ends=[]) as running:
        yield record_commands.Stage(ground=composition.deploy_ground(running), running=running)


@asynccontextmanager
async def _shadow_ground() -> AsyncGenerator[tuple[Ground, Mapping[type, object]]]:
    async with composition.running(load_config(), front_ends=[]) as running:
        yield composition.deploy_ground(running), composition.shadow_resources(running.platform)


def _look(asked: Asked) -> tuple[Release, tuple[str, ...]]:
    config = load_config()
    if not asked.is_folder and _has_database(config):
        return asyncio.run(_deployed(asked))
    return _release(), (f"of the folder {config.front_ends}, whatever is deployed",)


def _has_database(config: Config) -> bool:
    return bool(config.database_url) or embedded.is_made(config.data)


async def _deployed(asked: Asked) -> tuple[Release, tuple[str, ...]]:
    async with _deploy_ground() as ground:
        return await as_deployed(ground, asked.front_end, asked.version)


deploy_commands.add_to(main_app, _deploy_ground)
look_commands.add_to(main_app, _look)
record_commands.add_to(main_app, _replay_stage)
shadow_commands.add_to(main_app, _deploy_ground, _shadow_ground, deploy_commands.person)


@asynccontextmanager
async def _platform_session() -> AsyncGenerator[ports.Session]:
    async with composition.running(load_config(), front_ends=[]) as running, running.database.platform() as session:
        yield session


main_app.add_typer(own_commands.commands(_platform_session), name="dead-letters")


def _migrations() -> tuple[Config, list[MigrationSource]]:
    config = load_config()
    return config, [*composition.migration_sources(), *tables.of_folders(config, composition.loads(config))]


tables_commands.add_to(main_app, _migrations)

if importlib.util.find_spec("duckdb") is not None:  # the extra `data`; without it, the rest of the platform works

    @main_app.command(
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
    )
    def data(context: typer.Context) -> None:
        """The data platform: one model, one number, proved (see `isthmus data --help`)."""
        from isthmus.data import commands  # here: a server that starts needs none of it, and it takes half a second
        from isthmus.data.lake.landing import Landing
        from isthmus.data.persons.one_id import Review
        from isthmus.data.platform import DataPlatform, open_platform
        from isthmus.dual import landed

        @functools.cache
        def declared() -> dict[str, FrontEnd]:
            try:
                release, _ = _look(Asked(is_folder=False))
            except errors.Unavailable as gone:  # the lake can be asked without the business
                problems.print(f"{gone.message}; what front ends declare is the folder's", markup=False)
                release = _release()
            return composition.declared(release)

        def open_data() -> DataPlatform:
            packs = (*composition.PACKS, *composition.FLOWS)
            config = load_config()
            return open_platform(packs, config.data / "lake", declared=declared, settings=config.lake)

        async def land(platform: DataPlatform) -> Landing:
            async with composition.running(load_config(), front_ends=[]) as running:
                return await landed(platform, running.database)

        async def resolve(platform: DataPlatform, anew: bool) -> Review:
            async with composition.running(load_config(), front_ends=[]) as running:
                one_id = composition.one_id(running, platform)
                if anew:
                    await one_id.run(datetime.now(UTC))
                return await one_id.review()

        def written() -> dict[str, FrontEnd]:
            return composition.declared(_release())

        command = typer.main.get_command(commands.commands(open_data, land, resolve, written))
        command(context.args, prog_name="isthmus data")


def main() -> None:
    """Run a command; deliberate errors become one readable sentence and exit code 2."""
    try:
        main_app()
    except (errors.IsthmusError, errors.BuildProblems) as error:
        _stop(str(error))


@main_app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Server processes.")] = 1,
) -> None:
    """Serve the API of every front end until interrupted."""
    from isthmus.gateway import server

    config = load_config()
    server.run("isthmus.app:asgi", host=host or config.host, port=port or config.port, workers=workers)


@main_app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def demo(context: typer.Context) -> None:
    """Load real data, sell a year of real baskets, check every total, keep serving (see `isthmus demo --help`)."""
    config = load_config()
    if config.demo_entry is None:
        _stop("no demo is configured here; run this where isthmus.toml has [demo] entry = 'module:function'")
    module, _, function = config.demo_entry.partition(":")
    sys.path.insert(0, str(config.root))
    entry: Callable[[Config, list[str]], int] = getattr(importlib.import_module(module), function)
    raise typer.Exit(entry(config, context.args))


@main_app.command()
def doctor(
    rows: Annotated[int, typer.Option(min=1, max=1000, help="Rows to show of each broken condition.")] = 5,
) -> None:
    """Check the conditions that always hold, over the whole database; name each, and any row that breaks it."""

    async def examine() -> list[doctors.Finding]:
        async with (
            composition.running(load_config(), front_ends=[]) as running,
            running.database.platform() as session,
        ):
            return await doctors.examine(session, running.platform.release.packs.values(), rows)

    findings = asyncio.run(examine())
    table = Table("condition", "what always holds", "finding", title="isthmus doctor")
    for found in findings:
        table.add_row(
            found.name, found.sentence, "[green]holds" if found.holds else f"[red]broken: {found.broken} rows"
        )
    out.print(table)
    broken = [found for found in findings if not found.holds]
    for found in broken:
        out.print(f"[red]{found.name}[/red]: {found.sentence}")
        for row in found.rows:
            out.print(f"  {row}")
    raise typer.Exit(1 if broken else 0)


@main_app.command()
def compat(
    served: Annotated[bool, typer.Option(help="Compare with what the database was last served with.")] = False,
    lock: Annotated[bool, typer.Option(help=f"Write the contracts as they are now into {CONTRACTS}.")] = False,
) -> None:
    """Compare contracts with those locked or served; name each breaking change, its rule, and whom it breaks.

    Where there is a database, also which share of their calls, and who still calls what is deprecated.
    """
    config = load_config()
    kept = config.root / CONTRACTS
    now = contracts.contracts_of(_release())
    if lock:
        kept.write_bytes(contracts.written(now))
        out.print(f"wrote {kept}")
        return
    if not served and not kept.exists():
        _stop(f"there is no {kept}; write it with `isthmus compat --lock`, or compare with --served")
    has_database = served or _has_database(config)
    consumption = asyncio.run(_consumption()) if has_database else Consumption(users_of(_release()))
    before = consumption.served if served else read(kept.read_bytes())
    if before is None:
        _stop("nothing was served from this database yet; start it once with `isthmus serve`")
    changes = compare(before, now, consumption.users, datetime.now(UTC).date())
    compat_report.show(out, changes, last_consumers(now, consumption.calls) if consumption.calls else [], consumption)
    raise typer.Exit(1 if undeclared(changes) else 0)


async def _consumption() -> Consumption:
    async with composition.running(load_config(), front_ends=[]) as running:
        release, said = await as_deployed(composition.deploy_ground(running))
        tallies = await running.traffic.of(over=COUNTED)
        calls = Calls(
            days=COUNTED.days,
            counted={key: tally.calls for key, tally in tallies.items()},
            asked=await asked_shares(running.database),
        )
        return Consumption(users_of(release, calls), calls, await last_served(running.database), said)


@main_app.command()
def adopt(
    document: Annotated[Path, typer.Argument(help="OpenAPI 3 document of the service, JSON or YAML.")],
    name: Annotated[str, typer.Option(help="What its pack is to be called; else the document's title.")] = "",
    url: Annotated[str, typer.Option(help="Where the service is; else the document's first server.")] = "",
    secret: Annotated[str, typer.Option(help="Environment variable with its credential.")] = "",
) -> None:
    """Make a pack of an existing HTTP service: each operation of its document becomes a capability."""
    config = load_config()
    adoption = adoption_of(document, name=name, url=url, secret=secret)
    name, pack = adoption.name, adopted_pack(adoption)
    if name in config.adopted:
        _stop(f"{name!r} is adopted already; change [adopted.{name}] in isthmus.toml")
    composition.build([], [*composition.adopted_packs(config), pack])
    kept = config.root / "adopted" / f"{name}.json"
    kept.parent.mkdir(exist_ok=True)
    kept.write_bytes(msgspec.json.format(msgspec.json.encode(read_document(document))) + b"\n")
    lines = ["", f"[adopted.{name}]", f'document = "adopted/{name}.json"', f'url = "{adoption.url}"']
    lines += [f'secret = "{secret}"'] if secret else []
    with (config.root / FILE).open("a") as settings:
        settings.write("\n".join(lines) + "\n")
    table = Table("capability", "effect", "what it gives", title=f"adopted {name}")
    for found in sorted(pack.capabilities().values(), key=lambda one: one.name):
        table.add_row(found.name, found.effect.value, _first(found.doc))
    out.print(table)
    for one in left_out(read_document(document)):
        out.print(f"left out: {one}, which is neither JSON nor a form", markup=False)
    out.print(f"kept {kept.relative_to(config.root)} and added [adopted.{name}] to {FILE}", markup=False)
    out.print(f"next: add '{name}.*' to uses=(...) of a front end, then call it as any other capability", markup=False)


@new_app.command("front-end")
def new_front_end(
    name: Annotated[str, typer.Argument(help="Code of the front end: lower-case letters and digits.")],
    owner: Annotated[str, typer.Option(help="Team that owns it.")] = "your-team",
) -> None:
    """Make a front end's folder with a manifest, one answer, a test and a README; it runs at once."""
    config = load_config()
    folder = scaffold.front_end(config.front_ends, name, owner)
    out.print(f"made [bold]{folder}[/bold]; next:")
    out.print(f"  pytest {folder}")
    out.print("  isthmus serve")
    out.print(f"  isthmus client create {name}     # a key to call with, in another terminal")


@client_app.command("create")
def create_client(
    front_end: Annotated[str, typer.Argument(help="Front end that the key speaks for.")],
    name: Annotated[str, typer.Option(help="Who will hold the key.")] = "default",
    scope: Annotated[list[str] | None, typer.Option(help="Limit to capabilities, e.g. 'catalog.*'.")] = None,
) -> None:
    """Make an API key and print it once; only its hash is kept."""
    from isthmus.gateway import auth

    _release().line(front_end)

    async def create(running: composition.Running) -> str:
        return await auth.create_client(running.database, front_end, name, tuple(scope) if scope else None)

    out.print(_with_platform(create), soft_wrap=True)


@client_app.command("list")
def list_clients() -> None:
    """List clients, without their keys."""
    from isthmus.gateway import auth

    table = Table("front end", "client", "scopes", "created", "revoked")
    for one in _with_platform(lambda running: auth.list_clients(running.database)):
        scopes = ", ".join(one.scopes) if one.scopes else "all"
        table.add_row(
            one.front_end, one.name, scopes, f"{one.created_at:%Y-%m-%d %H:%M}", "yes" if one.revoked_at else ""
        )
    out.print(table)


@client_app.command("revoke")
def revoke_client(front_end: str, name: str) -> None:
    """Revoke every key of a client; it stops working within seconds."""
    from isthmus.gateway import auth

    count = _with_platform(lambda running: auth.revoke_client(running.database, front_end, name))
    out.print(f"revoked {count} key(s) of {name!r}")


def _with_platform(work: Callable[[composition.Running], Coroutine[Any, Any, Any]]) -> Any:
    async def run() -> Any:
        async with composition.running(load_config()) as running:
            return await work(running)

    return asyncio.run(run())


def _release() -> Release:
    config = load_config()
    return composition.build(composition.load_front_ends(config), composition.adopted_packs(config))


def _first(doc: str) -> str:
    return doc.splitlines()[0] if doc else ""


def _stop(sentence: str) -> Never:
    problems.print(f"[red]isthmus:[/red] {escape(sentence)}", soft_wrap=True, highlight=False)
    raise SystemExit(2)


if __name__ == "__main__":
    main()
