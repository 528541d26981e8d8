"""Readiness: whether this process can answer calls now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from isthmus.kernel import errors
from isthmus.store import Database, MigrationSource

_APPLIED: Final = "select pack, name from isthmus.migration"


class NotReady(errors.Unavailable):
    """The server cannot answer calls now."""

    slug = "gateway.not-ready"


class Readiness:
    """Looks whether the database answers and has every migration that this code expects."""

    def __init__(self, database: Database, sources: Sequence[MigrationSource] = ()) -> None:
        self._database = database
        self._expected = {
            (source.pack, file.name)
            for source in sources
            for file in source.folder.iterdir()
            if file.name.endswith(".sql")
        }

    async def check(self) -> None:
        """Return where all is well; raise NotReady with what is missing."""
        try:
            async with self._database.platform() as session:
                applied = {(row["pack"], row["name"]) for row in await session.fetch(_APPLIED)}
        except errors.IsthmusError as error:
            raise NotReady("the database does not answer", remedy="start it, or mend ISTHMUS_DATABASE_URL") from error
        if missing := sorted(self._expected - applied):
            raise NotReady(
                f"{len(missing)} migration(s) are not applied, first {'/'.join(missing[0])}",
                remedy="run `isthmus migrate`",
            )
