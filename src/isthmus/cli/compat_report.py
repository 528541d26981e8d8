"""A comparison of contracts for people: each break, whom it breaks and how much, who has still to leave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from isthmus.app.config import Config
    from isthmus.governance.compat import Change
    from isthmus.governance.consumers import Calls, Consumer, Users
    from isthmus.governance.contracts import Contracts
    from isthmus.governance.reads import Consumers
    from isthmus.kernel.host import Release


@dataclass(frozen=True, slots=True)
class Consumption:
    """Who uses what. calls, served, stands: where there is a database, what was counted, served, and is deployed."""

    users: Users
    calls: Calls | None = None
    served: Contracts | None = None
    stands: tuple[str, ...] = ()


def consumers(config: Config, release: Release, now: Contracts, calls: Calls | None) -> Consumers:
    """Return the code of everybody who may read what a capability answers."""
    from isthmus.governance import reads
    from isthmus.governance.thin.observe import files_of
    from isthmus.runtime.deploy.loading import front_end_folders, load_front_end

    folders = {load_front_end(one).code: one for one in front_end_folders(config.front_ends)}
    return reads.Consumers(
        release=release,
        contracts=now,
        codes={code: reads.code_of(folder) for code, folder in folders.items()},
        platform={name: reads.Code(tuple(files_of(pack)), config.root) for name, pack in release.packs.items()},
        calls=calls,
    )


def show(out: Console, changes: Sequence[Change], consumers: Sequence[Consumer], consumption: Consumption) -> None:
    """Print the changes, the breaks that nothing announces with what to do, and who still calls what is deprecated."""
    from isthmus.governance.compat import undeclared
    from isthmus.governance.consumers import said

    calls = consumption.calls
    table = Table("", "contract", "rule", "where", "was", "is", "breaks")
    for one in changes:
        mark = ("[yellow]declared" if one.is_declared else "[red]breaks") if one.is_breaking else "[green]fits"
        broken = said(one.kind, one.name, one.breaks, calls) if one.is_breaking else ""
        table.add_row(mark, one.name, one.rule, one.path, one.was, one.now, broken)
    out.print(table if changes else "no contract has changed")
    for one in undeclared(changes):
        out.print(f"[red]{one.name}[/red] {one.rule} {one.path}: {one.remedy}", soft_wrap=True)
    if consumers:
        left = Table("deprecated", "still called by", "calls", "of its calls", "goes on", "instead")
        for one in consumers:
            share = f"{one.share:.1%}"
            left.add_row(one.capability, one.front_end, f"{one.calls:,}", share, one.sunset, one.instead)
        out.print(left)
    if calls and (changes or consumers):
        out.print(
            f"Shares are of the calls that were counted over the last {calls.days} days; "
            "those of points follow from what recorded calls asked.",
            soft_wrap=True,
        )
    for sentence in consumption.stands if changes else ():
        out.print(sentence, markup=False, highlight=False, soft_wrap=True)
