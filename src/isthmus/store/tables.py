"""How a database stands to the code: what it has, what it lacks, and what it has that the code does not know.

| the tables are                     | `serve`                                        | other commands       |
|------------------------------------|------------------------------------------------|----------------------|
| as the code says                   | serves                                         | work                 |
| not there (an empty database)      | makes them                                     | NoTables             |
| older                              | brings its own embedded database up to date;   | TablesOlder          |
|                                    | of one that was configured says TablesOlder    |                      |
| newer, and expanded only           | serves, and logs it                            | work                 |
| newer, and contracted              | TablesNewer                                    | TablesNewer          |

`isthmus migrate` changes any, since it was asked to; the demo that the settings name has a database of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from isthmus.kernel import errors

from .migration_files import Migration

NAMED_MAX: Final = 3  # files in a sentence


class NoTables(errors.Unavailable):
    """The database has no tables of Isthmus yet, and the command makes none."""

    slug = "store.no-tables"


class TablesOlder(errors.Unavailable):
    """The database lacks what this code expects, and nobody asked to change it."""

    slug = "store.tables-older"


class TablesNewer(errors.Unavailable):
    """A later release has changed the tables in a way that this code cannot work with."""

    slug = "store.tables-newer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """What a database has. pending: files to apply, in order. newer: files of a later release, and if each contracts.

    is_empty: it has no table of anybody's.
    """

    applied: int
    pending: tuple[Migration, ...]
    newer: Mapping[str, str | None]
    is_empty: bool


def no_tables() -> NoTables:
    """Return the error for a database that nobody has begun to use."""
    return NoTables(
        "the database has no tables of Isthmus yet",
        remedy="make them with `isthmus migrate`, or start `isthmus serve` on an empty database",
    )


def older(tables: Tables) -> errors.IsthmusError:
    """Return the error for a database that lacks files."""
    if not tables.applied:
        return no_tables()
    names = [str(file) for file in tables.pending]
    return TablesOlder(
        f"the tables are older than this code: {len(names)} migration(s) are not applied, {_first(names)}",
        remedy="see what they do with `isthmus migrate --plan`, then run `isthmus migrate`",
        pending=names,
    )


def newer(tables: Tables) -> errors.IsthmusError:
    """Return the error for a database that a later release has changed."""
    names = [name for name, contracts in tables.newer.items() if contracts != "false"]
    return TablesNewer(
        f"the tables are newer than this code: {len(names)} applied migration(s) have no file here and take away what "
        f"this code may need, {_first(names)}",
        remedy="run the release that applied them or a later one, or restore a backup from before them",
        newer=names,
    )


def _first(names: list[str]) -> str:
    more = f" and {len(names) - NAMED_MAX} more" if len(names) > NAMED_MAX else ""
    return f"first {', '.join(names[:NAMED_MAX])}{more}"
