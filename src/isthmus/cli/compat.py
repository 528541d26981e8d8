"""The command that compares contracts with those locked or served."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from . import compat_report
from .compat_report import Consumption
from .opening import has_database, on, standing
from .screen import JSON, as_json, out, stop

if TYPE_CHECKING:
    from isthmus.app.platform import Running


CONTRACTS = "contracts"  # a file a pack: what was agreed last; CI compares the working tree with it


def add_to(main: typer.Typer) -> None:
    """Add the command to the command line."""

    @main.command()
    def compat(
        served: Annotated[bool, typer.Option(help="Compare with what the database was served with last.")] = False,
        lock: Annotated[
            bool, typer.Option(help=f"Write them as they are now into {CONTRACTS}/, a file a pack.")
        ] = False,
        can_remove: Annotated[
            str, typer.Option(metavar="FIELD", help="Say who reads a field, such as PACK.CAPABILITY:$.lines[*].sku.")
        ] = "",
        json: JSON = False,
    ) -> None:
        """Compare contracts with those locked or served; name each breaking change, its rule, and whom it breaks.

        Where there is a database, also which share of their calls, and who still calls what is deprecated.
        A pack that has more than its budget in thinness.json says fails too.
        """
        from isthmus.app.config import load_config
        from isthmus.app.platform import written
        from isthmus.governance import contracts, reads
        from isthmus.governance.compat import compare, undeclared
        from isthmus.governance.consumers import last_consumers, users_of
        from isthmus.governance.thin import budget

        config = load_config()
        release = written(config)
        kept, budgets = config.root / CONTRACTS, config.root / budget.FILE
        now = contracts.contracts_of(release)
        if lock:
            out.print(f"wrote {len(contracts.write_folder(now, kept))} files into {kept}")
            budget.write(budgets, budget.read(budgets) if budgets.exists() else {}, budget.sizes(release))
            return
        if not served and not can_remove and not kept.exists():
            stop(f"there is no {kept}; write it with `isthmus compat --lock`, or compare with --served")
        is_counted = served or has_database(config)
        consumption = on(standing, _consumption) if is_counted else Consumption(users_of(release))
        consumers = compat_report.consumers(config, release, now, consumption.calls)
        if can_remove:
            wanted = reads.field_of(now, can_remove)
            found = reads.readers(wanted, consumers)
            sentence = reads.said(wanted, found, consumption.calls)
            if json:
                as_json({"field": str(wanted), "can_go": not found, "readers": found, "says": sentence})
            else:
                out.print(sentence, soft_wrap=True, highlight=False, markup=False)
            raise typer.Exit(1 if found else 0)
        before = consumption.served if served else contracts.read_folder(kept)
        if before is None:
            stop("nothing was served from this database yet; start it once with `isthmus serve`")
        today = datetime.now(UTC).date()
        changes = compare(before, now, consumption.users, today, lambda one: reads.who(one, consumers))
        left = last_consumers(now, consumption.calls) if consumption.calls else []
        too_much = budget.exceeded(budget.read(budgets), budget.sizes(release)) if budgets.exists() else []
        if json:
            as_json({"changes": changes, "still_called": left, "over_budget": too_much})
        else:
            compat_report.show(out, changes, left, consumption)
            for excess in too_much:
                out.print(f"over budget: {excess}", highlight=False, soft_wrap=True)
        raise typer.Exit(1 if undeclared(changes) or too_much else 0)


async def _consumption(running: Running) -> Consumption:
    from isthmus.app.platform import deploy_context
    from isthmus.governance.consumers import Calls, users_of
    from isthmus.governance.served import last_served
    from isthmus.governance.traffic import BY_HOUR as COUNTED
    from isthmus.runtime.deploy.report import as_deployed
    from isthmus.runtime.replay.recorded import asked_shares

    release, said = await as_deployed(deploy_context(running))
    tallies = await running.traffic.of(over=COUNTED)
    calls = Calls(
        days=COUNTED.days,
        counted={key: tally.calls for key, tally in tallies.items()},
        asked=await asked_shares(running.database),
    )
    return Consumption(users_of(release, calls), calls, await last_served(running.database), said)
