"""Readiness: whether this process can answer calls now."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from isthmus.kernel import errors
from isthmus.store import Database, MigrationSource

ROOM_MIN: Final = 64 << 20  # four segments of the database's log: below it, the next minute may find none
_WRITE: Final = "select pg_logical_emit_message(true, 'isthmus.ready', '')"  # a commit of its own, which no table keeps
_APPLIED: Final = "select pack, name from isthmus.migration"


class NotReady(errors.Unavailable):
    """The server cannot answer calls now."""

    slug = "gateway.not-ready"


class Readiness:
    """Looks whether the database answers, takes writes and has every migration, and whether the disk has room.

    data: the folder of this server's own files, which the embedded database's are among.
    """

    def __init__(self, database: Database, sources: Sequence[MigrationSource] = (), data: Path | None = None) -> None:
        self._database = database
        self._data = data
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
                await session.execute(_WRITE)
        except errors.IsthmusError as error:
            raise NotReady(
                "the database does not answer or takes no writes",
                remedy="start it, make room on its disk, or fix ISTHMUS_DATABASE_URL",
            ) from error
        if missing := sorted(self._expected - applied):
            raise NotReady(
                f"{len(missing)} migration(s) are not applied, first {'/'.join(missing[0])}",
                remedy="run `isthmus migrate`",
            )
        if self._data is not None and (free := await asyncio.to_thread(free_bytes, self._data)) < ROOM_MIN:
            raise NotReady(
                f"the disk of the data folder has {free >> 20} MB left, and {ROOM_MIN >> 20} MB are needed",
                remedy="make room, or give a larger disk",
            )


def free_bytes(folder: Path) -> int:
    """Return how much this process may still write where the folder is."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize
