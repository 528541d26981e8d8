"""The running platform: packs, front ends and database brought together, in order, from the settings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Final, TypeVar, cast

from isthmus.console.client import CLIENT as CONSOLE
from isthmus.governance import served as served_contracts
from isthmus.governance.counters import Counters
from isthmus.governance.traffic import Traffic
from isthmus.kernel import FrontEnd, Outcome, Pack, Platform, Registry, Value, errors, ports
from isthmus.kernel.host import Release, compile_front_ends
from isthmus.manifest import Secret
from isthmus.manifest.seen import ViewsByPurpose
from isthmus.manifest.signers import Signers
from isthmus.runtime.adopt.adopt import Adoption, adopted_pack
from isthmus.runtime.adopt.forgetting import exported_by, forgets_problems
from isthmus.runtime.deploy import rules
from isthmus.runtime.deploy.context import DeployContext
from isthmus.runtime.deploy.declared import problems_of as own_problems
from isthmus.runtime.deploy.follower import Follower
from isthmus.runtime.deploy.guardrails import RolloutMonitor
from isthmus.runtime.deploy.loading import Load, front_end_folders
from isthmus.runtime.isolation.sandbox import hide_this_process
from isthmus.runtime.isolation.waiting import IsolatingPlatform
from isthmus.runtime.replay.answers import replay_answers
from isthmus.runtime.replay.record import Recorder, Recording
from isthmus.screens import Gaps
from isthmus.store import Database, MigrationSource

from . import tables
from .config import OF_PERSONS, Config
from .front_ends import load_front_ends, loads, the_group
from .packs import plugging
from .resources import resources, secret_values

T = TypeVar("T")

HOUSEKEEPING = "platform"  # the client that the platform's own work is done by
NO_SECRETS: Final[Mapping[str, str]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A running platform, with what it stands on. packs: what is plugged in; what is adopted is in the release too.

    written: the release of what the front ends' folder held at the start, where it was read.
    """

    config: Config
    packs: tuple[Pack, ...]
    platform: Platform
    database: Database
    traffic: Traffic
    follower: Follower
    recorder: Recorder
    written: Release | None = None

    def resource(self, kind: type[T]) -> T:
        """Return what a pack makes of this kind. Raises Fault where none does."""
        if (found := self.platform.resources.get(kind)) is None:
            raise errors.Fault(f"no pack makes a {kind.__name__}", remedy="plug in the one that does: [platform] packs")
        return cast(T, found)


def build(packs: Iterable[Pack], front_ends: Iterable[FrontEnd]) -> Release:
    """Check packs, flows and front ends together. Raises BuildProblems with everything that is wrong."""
    release = Registry().add(*packs, *front_ends).freeze()
    lines, known = release.lines.values(), release.packs.values()
    if problems := [wrong for line in lines for wrong in own_problems(line.front_end, known)]:
        raise errors.BuildProblems(problems)
    return release


def composed(
    config: Config, front_ends: Sequence[FrontEnd] | None = None, *, secrets: Mapping[str, str] = NO_SECRETS
) -> tuple[tuple[Pack, ...], Release]:
    """Return what the settings plug in, and the release of it with these front ends, or with those of the folder.

    secrets: the values of those that adopted services are called with; without them they can only be looked at.
    Raises BuildProblems with what is wrong with settings, packs and front ends, all of it at once.
    """
    packs, problems = plugging(config)
    try:
        found = load_front_ends(config, packs) if front_ends is None else front_ends
        release = build([*packs, *adopted_packs(config, secrets)], found)
    except errors.BuildProblems as more:
        raise errors.BuildProblems([*problems, *more.problems]) from None
    if problems:
        raise errors.BuildProblems(problems)
    return packs, release


def written(config: Config) -> Release:
    """Return the release of what the settings name and the front ends' folder holds, whatever is deployed."""
    return composed(config)[1]


def adopted_packs(config: Config, secrets: Mapping[str, str] = NO_SECRETS) -> list[Pack]:
    """Return the packs of the existing services that the settings name."""
    named = config.adopted_secrets
    packs = [
        adopted_pack(
            Adoption(
                name=name,
                document=config.root / said["document"],
                url=said["url"],
                secret=Secret(named[name], secrets.get(named[name], "")) if name in named else said.get("secret", ""),
                leave_out=tuple(said.get("leave_out", ())),
            )
        )
        for name, said in config.adopted.items()
    ]
    said = [(setting, config.adopted[pack.name].get(setting), pack) for pack in packs for setting in OF_PERSONS]
    if problems := [wrong for setting, one, pack in said if one for wrong in forgets_problems(one, pack, setting)]:
        raise errors.BuildProblems(problems)
    exports = {pack.name: exported_by(one, pack) for setting, one, pack in said if one and setting == "exports"}
    return [replace(pack, brings=(*pack.brings, *exports.get(pack.name, ()))) for pack in packs]


def migration_sources(packs: Iterable[Pack]) -> list[MigrationSource]:
    """Return every migration of packs, flows and gateway, in the order in which they are applied."""
    theirs = [MigrationSource.of_pack(pack.name, pack.migrations) for pack in packs if pack.migrations]
    own = [MigrationSource.of_pack(name, f"isthmus.{name}:migrations") for name in ("gateway", "runtime", "console")]
    return [*theirs, served_contracts.MIGRATIONS, *own]


def deploy_context(running: Running) -> DeployContext:
    """Return the deploy context: a release of every front end in the folder that compiles; broken ones are skipped."""
    load = loads(running.config, running.packs)
    return DeployContext(
        database=running.database,
        release=running.written or _of_folder(running, load),
        cache=running.config.versions,
        replay=replay_answers,
        load=load,
        hidden=running.config.hidden,
        journal=running.platform.journal,
        signers=cast("Signers | None", running.platform.resources.get(Signers)),
        guard=running.platform.guard,
    )


def _of_folder(running: Running, load: Load) -> Release:
    own = the_group(running.config, running.packs)
    release = build([*running.packs, *adopted_packs(running.config)], own)
    for folder in front_end_folders(running.config.front_ends):
        with suppress(errors.IsthmusError):
            lines, problems = compile_front_ends(release, [load(folder)])
            release = release if problems else release.replacing(*lines)
    return release


@asynccontextmanager
async def running(
    config: Config,
    front_ends: Sequence[FrontEnd] | None = None,
    *,
    allowed: tables.Allowed = "check",
    is_beside: bool = False,
) -> AsyncGenerator[Running]:
    """Start everything, the embedded PostgreSQL included where no database is configured, and stop it in the end.

    What is deployed takes the place of what the folder holds, unless front_ends says what is to run. allowed: what may
    be done to the database's tables. is_beside: a server started this process beside itself.
    """
    hide_this_process()  # it has the database's address and the secrets of services
    tables.check_database(config, allowed)
    credentials = {secret: f"[adopted.{name}]" for name, secret in config.adopted_secrets.items()}
    packs, release = composed(config, front_ends, secrets=secret_values(config, credentials))
    async with tables.database_of(config) as url:
        folders = tables.of_folders(config, loads(config, packs)) if front_ends is None else []
        await tables.bring(url, config, [*migration_sources(packs), *folders], allowed)
        async with await Database.open(url) as database:
            figures = Counters(unseen=[CONSOLE, HOUSEKEEPING])  # looking at it is not traffic
            watch = RolloutMonitor()

            def own(code: str) -> Mapping[str, type[Value]]:
                return platform.release.line(code).front_end.attributes

            recorder = Recorder(database, release.points, Recording.of(config.record), own=own)

            def observe(outcome: Outcome) -> None:
                figures.see(outcome)
                watch.see(outcome)

            gaps = Gaps()
            made = {
                **resources(packs, config, database, is_beside=is_beside),
                Gaps: gaps,
                ports.Views: ViewsByPurpose(),
            }
            platform = IsolatingPlatform(release, database, resources=made, recorder=recorder, observe=observe)
            follower = Follower(platform, database, config.versions, watch, loads(config, packs))
            platform.resources[ports.KeptRules] = follower
            if front_ends is None:
                folders = front_end_folders(config.front_ends)
                await rules.keep_folders(database, release, folders, loads(config, packs))
                await follower.catch_up()
            traffic = Traffic(database, figures, gaps=gaps)
            recording = asyncio.create_task(recorder.run())
            try:
                yield Running(
                    config=config,
                    packs=packs,
                    platform=platform,
                    database=database,
                    traffic=traffic,
                    follower=follower,
                    recorder=recorder,
                    written=release if front_ends is None else None,
                )
            finally:
                recording.cancel()
                await recorder.flush()
                await traffic.keep()


def declared(release: Release) -> dict[str, FrontEnd]:
    """Return what each front end of a release declares as its own."""
    return {code: line.front_end for code, line in release.lines.items()}
