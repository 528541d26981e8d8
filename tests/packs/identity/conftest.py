"""Staff on a fresh database, whose acts are written down, and a clock that tests turn forward."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher

from isthmus.kernel import Caller, Platform
from isthmus.manifest.actions import EVERYWHERE
from isthmus.manifest.vault import Vault
from isthmus.packs.audit.pack import PACK as AUDIT
from isthmus.packs.audit.service.journal import Journal
from isthmus.packs.identity import api
from isthmus.packs.identity.pack import PACK
from isthmus.packs.identity.service import entering, passwords
from isthmus.packs.identity.service.entering import Browser, Entered
from isthmus.packs.identity.service.staff import LINK, Staff
from isthmus.store import Database

CHEAP = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
CLI = Caller(front_end=EVERYWHERE, client="command line", via="cli")
PASSWORD = "correct horse battery staple"
DESK = Browser(address="192.0.2.7", agent="desk")


def as_person(name: str, *roles: str, front_end: str = EVERYWHERE) -> Caller:
    return Caller(front_end=front_end, person=name, roles=roles, client="console", via="console")


@dataclass(frozen=True, slots=True)
class Office:
    """Staff, and what tests do with them."""

    staff: Staff
    database: Database

    async def hire(self, name: str, *roles: str, browser: Browser = DESK) -> Entered:
        """Invite somebody, who sets a password and is signed in."""
        held = tuple(api.RoleAt(role=role) for role in roles)
        link = await self.staff.invite(name, f"{name}@example.org", held, CLI)
        return await entering.by_link(self.staff, secret_of(link), browser, password=PASSWORD)

    async def passes(self, seconds: float) -> None:
        """Let time pass: what is remembered lies so much further back."""
        async with self.database.platform() as session:
            for column in (
                "attempt set until = until -",
                "session set ends_at = ends_at -",
                "link set ends_at = ends_at -",
            ):
                await session.execute(f"update identity.{column} make_interval(secs => $1)", seconds)

    async def written(self) -> list[dict[str, Any]]:
        """Return what the journal has: action, outcome and person."""
        async with self.database.platform() as session:
            rows = await session.fetch(
                """select content::json ->> 'capability' as action, content::json ->> 'outcome' as outcome,
                          coalesce(content::json ->> 'person', '') as person, content
                   from audit.pending order by id"""
            )
        return [dict(row) for row in rows]


def secret_of(link: str) -> str:
    return link.removeprefix(LINK)


@pytest.fixture
async def office(
    make_platform: Callable[..., Awaitable[Platform]],
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Office]:
    """Give an office whose passwords cost a thousandth: `test_passwords_are_…` says what they cost elsewhere."""
    monkeypatch.setattr(passwords, "_hasher", lambda: CHEAP)
    await make_platform(AUDIT, PACK)
    async with await Database.open(database_url) as database:
        journal = Journal(database)
        yield Office(Staff(database, Vault(tmp_path / "key", api.NoKey), lambda: journal), database)
