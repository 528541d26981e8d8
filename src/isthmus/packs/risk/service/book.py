"""What a process has in memory: the scenarios that run, and the key under which marks are kept."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from isthmus.kernel import Context, Value, encode, errors
from isthmus.manifest import Place
from isthmus.manifest.key_file import make_once
from isthmus.store import Database

from .. import api
from ..rules import judging
from ..storage import kept as storage
from ..storage import scenarios, scores

FRESH_S: Final = 2.0  # how late a server may hear of another version
STALE_S: Final = 10.0  # after so long without upkeep a call looks by itself
KEY_BYTES: Final = 32


class RiskSettings(Value):
    """`[settings.risk]`: key: 32 random bytes in a file, under which marks are kept; made where it is not set."""

    key: str = ""


class NoRiskKey(errors.Fault):
    """The key under which marks are kept cannot be used."""

    slug = "risk.no-risk-key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The scenarios of one front end that run."""

    live: api.Scenario | None = None
    shadows: tuple[api.Scenario, ...] = ()
    kinds: frozenset[str] = frozenset()  # what any of them looks at


@dataclass
class Book(api.Watching):
    """Scenarios that run, by front end. database: none in a shadow, where nothing is judged and nothing noted."""

    database: Database | None = None
    key_file: Path = Path()
    _running: Mapping[str, Running] = field(default_factory=dict[str, Running])
    _read_at: float | None = None
    _key: bytes = b""

    @property
    def is_kept(self) -> bool:
        """Whether anything is noted here of whom it sees."""
        return self.database is not None

    async def of(self, front_end: str) -> Running:
        """Return what runs at a front end: from memory, but the first time."""
        if self.database is not None and (self._read_at is None or time.monotonic() - self._read_at > STALE_S):
            await self.refresh()
        return self._running.get(front_end, _NOTHING)

    async def is_on(self, front_end: str, kind: str) -> bool:
        """Say whether something of this kind is judged at a front end."""
        return kind in (await self.of(front_end)).kinds

    async def refresh(self) -> None:
        """Read which scenarios run."""
        if self.database is None:
            return
        async with self.database.platform() as session:
            rows = await session.fetch(scenarios.RUNNING)
        found: dict[str, list[api.Scenario]] = {}
        for row in rows:
            found.setdefault(row["front_end"], []).append(scenarios.scenario(row))
        self._running = {code: _running(one) for code, one in found.items()}
        self._read_at = time.monotonic()

    async def prune(self) -> None:
        """Forget sightings that no window reaches, and scores that count no more."""
        if self.database is not None:
            async with self.database.platform() as session:
                await session.execute(storage.PRUNE)
                await session.execute(scores.PRUNE)

    async def keep_score(self, facts: Sequence[Any], said: api.Score) -> None:
        """Keep what a service said."""
        if self.database is not None:
            async with self.database.platform() as session:
                await session.execute(scores.KEEP, *facts, encode(said))

    def forget(self) -> None:
        """Read again before the next decision: something is about to change here."""
        self._read_at = None

    def key(self) -> bytes:
        """Return the key under which marks are kept. Raises NoRiskKey."""
        if not self._key:
            try:
                if not self.key_file.exists():
                    make_once(self.key_file, os.urandom(KEY_BYTES))
                self._key = self.key_file.read_bytes()
            except OSError as wrong:
                raise NoRiskKey(f"the key in {self.key_file} cannot be used: {wrong}", remedy="put it back") from wrong
        return self._key

    async def note_refused(self, row: Sequence[Any], *review: Any, is_rejected: bool) -> None:
        """Write a decision down whose call is refused, and of which nothing else is left but who looks at it."""
        if self.database is not None:
            async with self.database.platform() as session:
                await session.execute(storage.NOTE_REFUSED, *row, is_rejected, *review)


_NOTHING: Final = Running()


def _running(found: Sequence[api.Scenario]) -> Running:
    live = next((one for one in found if one.state == "live"), None)
    kinds = frozenset(kind for one in found for kind in judging.kinds(one.content))
    return Running(live=live, shadows=tuple(one for one in found if one.state == "shadow"), kinds=kinds)


def book_of(ctx: Context) -> Book:
    """Return what this process has in memory."""
    return cast(Book, ctx.resource(api.Watching, Book()))


def book_at(place: Place) -> Book:
    settings: RiskSettings = place.settings
    file = place.root / settings.key if settings.key else place.data / "risk" / "key"
    return Book(database=place.database, key_file=file)


def unseeing() -> Book:
    """Return what a call takes that is rolled back in the end: it judges nothing, and what is listed is nobody's."""
    return Book(_key=bytes(KEY_BYTES))
