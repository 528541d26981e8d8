"""The thinness budget: how much each pack may have. More of it retires as much in the same change, or is argued for.

Counted from the release and the code, so a budget needs no database: capabilities, extension points, options of asks,
tables, and decisions (branches, loops, handlers and the like) in the pack's files.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from isthmus.kernel import Pack, Value, errors
from isthmus.kernel.host import Release
from isthmus.store.migration_files import MigrationSource, read_files

from .history import decisions_in
from .observe import files_of, options_of

FILE: Final = "thinness.json"
_MADE: Final = re.compile(r"^\s*create\s+(?:unlogged\s+)?table\s+(?:if\s+not\s+exists\s+)?([\w.\"]+)", re.I | re.M)
_GONE: Final = re.compile(r"^\s*drop\s+table\s+(?:if\s+exists\s+)?([\w.\"]+)", re.I | re.M)


class Size(Value):
    """How much of each a pack has, or may have."""

    capabilities: int
    points: int
    options: int
    tables: int
    decisions: int


class Excess(Value):
    """A pack that has more of something than its budget says."""

    pack: str
    what: str
    has: int
    may: int

    def __str__(self) -> str:
        return (
            f"{self.pack} has {self.has} {self.what}, and its budget is {self.may}: retire {self.has - self.may}, or "
            f"raise it in {FILE} and say in the commit what this is worth"
        )


class NoBudget(errors.BadAsk):
    """The file of budgets cannot be read."""

    slug = "governance.no-budget"


def sizes(release: Release) -> dict[str, Size]:
    """Return how much each pack and each set of flows has."""
    return {name: _size(pack) for name, pack in sorted(release.packs.items())}


def read(file: Path) -> dict[str, Size]:
    """Read the budgets; a pack that has none may have nothing yet. Raises NoBudget."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, Size])
    except msgspec.MsgspecError as error:
        raise NoBudget(f"{file}: {error}", remedy="write it anew with `isthmus compat --lock`") from error


def exceeded(budgets: Mapping[str, Size], now: Mapping[str, Size]) -> list[Excess]:
    """Return where packs have more than they may. A pack without a budget is new, and gets one when it is locked."""
    return [
        Excess(pack=pack, what=what, has=has, may=may)
        for pack, size in now.items()
        if pack in budgets
        for what in size.__struct_fields__
        if (has := getattr(size, what)) > (may := getattr(budgets[pack], what))
    ]


def write(file: Path, budgets: Mapping[str, Size], now: Mapping[str, Size]) -> None:
    """Write what packs have now as their budgets; what was lower stays, so that locking never raises one."""

    def lowest(pack: str, size: Size) -> Size:
        before = budgets.get(pack, size)
        return Size(**{what: min(getattr(before, what), getattr(size, what)) for what in size.__struct_fields__})

    lowered = {pack: lowest(pack, size) for pack, size in now.items()}
    file.write_bytes(msgspec.json.format(msgspec.json.encode(lowered), indent=2) + b"\n")


def _size(pack: Pack) -> Size:
    capabilities = list(pack.capabilities().values())
    return Size(
        capabilities=len(capabilities),
        points=len(pack.extension_points()),
        options=sum(len(options_of(one.ask)) for one in capabilities),
        tables=len(_tables(pack)),
        decisions=sum(decisions_in(file.read_bytes()) for file in _files(pack)),
    )


def _files(pack: Pack) -> set[Path]:
    """Return all files of a pack, whether they are loaded or not; of one that is no package those of its functions."""
    package = sys.modules.get(pack.api.__name__.rpartition(".api")[0])
    if package is None or package.__file__ is None:
        return files_of(pack)
    return set(Path(package.__file__).parent.rglob("*.py"))


def _tables(pack: Pack) -> set[str]:
    found: set[str] = set()
    if pack.migrations:
        for migration in read_files([MigrationSource.of_pack(pack.name, pack.migrations)])[0]:
            found |= set(_MADE.findall(migration.sql))
            found -= set(_GONE.findall(migration.sql))
    return found
