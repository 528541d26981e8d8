"""How the contract of a capability came to be: what was served when, what changed, and who called which version."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from isthmus.governance import served
from isthmus.governance.compat import Change, compare
from isthmus.governance.contracts import Contracts
from isthmus.store import Database

SERVED_MAX: Final = 20  # contracts that are looked at: each is some 100 kB of text, read once by a process

_CALLED: Final = """
    select version, front_end, count(*)::bigint as calls, max(recorded_at) as last_at from runtime.recorded_call
    where capability = $1 group by 1, 2 order by 2"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """A front end whose recorded calls were answered in a version, how many are kept, and the last of them."""

    front_end: str
    calls: int
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """A contract as it was served for a time; `changes` against the one before it. Consumers are of its version."""

    version: str
    since: datetime
    until: datetime
    is_first: bool
    is_deprecated: bool
    changes: tuple[Change, ...]
    new_errors: tuple[str, ...]
    lost_errors: tuple[str, ...]
    consumers: tuple[Consumer, ...]


class ContractHistory:
    """Reads what governance has kept of contracts that were served."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._read: dict[bytes, Contracts] = {}

    async def of(self, name: str) -> list[Edition]:
        """Return the editions of a capability's contract, the latest first; none where it was never served."""
        kept = await served.history(self._database, SERVED_MAX)
        for digest in {one.digest for one in kept} - self._read.keys():
            self._read[digest] = await served.of(self._database, digest)
        async with self._database.platform() as session:
            called = await session.fetch(_CALLED, name)
        by_version: dict[str, list[Consumer]] = {}
        for row in called:
            found = Consumer(front_end=row["front_end"], calls=row["calls"], last_at=row["last_at"])
            by_version.setdefault(row["version"], []).append(found)
        return await asyncio.to_thread(self._editions, name, kept, by_version)

    def _editions(self, name: str, kept: list[served.Served], consumers: dict[str, list[Consumer]]) -> list[Edition]:
        editions: list[Edition] = []
        before: Contracts | None = None
        for one in reversed(kept):
            now = _only(self._read[one.digest], name)
            contract = now.capabilities.get(name)
            if contract is None:
                continue
            was = set(before.capabilities[name].errors if before else contract.errors)
            changes = compare(before, now) if before else []
            if before is None or changes or before.capabilities[name] != contract:
                editions.append(
                    Edition(
                        version=contract.version,
                        since=one.first_at,
                        until=one.last_at,
                        is_first=before is None,
                        is_deprecated=contract.deprecated is not None,
                        changes=tuple(changes),
                        new_errors=tuple(sorted(set(contract.errors) - was)),
                        lost_errors=tuple(sorted(was - set(contract.errors))),
                        consumers=tuple(consumers.get(contract.version, ())),
                    )
                )
            else:
                editions[-1] = replace(editions[-1], until=max(editions[-1].until, one.last_at))
            before = now
        return editions[::-1]


def _only(contracts: Contracts, name: str) -> Contracts:
    """Return one capability of contracts, so that nothing else is compared."""
    found = contracts.capabilities.get(name)
    return Contracts(capabilities={name: found} if found else {}, points={}, events={}, schemas=contracts.schemas)
