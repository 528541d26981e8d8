"""The data platform of one company, put together: the model of its packs, the lake, the metrics, who may see what."""

from __future__ import annotations

import os
import secrets
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isthmus.kernel import FrontEnd, Pack, errors
from isthmus.kernel.capability import event_kind
from isthmus.markings import AnyMetric
from isthmus.store import Database, Outbox

from .attributes import Declared
from .kept import Kept
from .lake import Lake
from .landing import Lander
from .metrics import Metrics
from .model import Model, read_packs
from .policy import Policy, of_front_end, owner
from .receipt import Receipts


@dataclass(frozen=True, slots=True, kw_only=True)
class DataPlatform:
    """What `isthmus data …` and the gateway ask."""

    model: Model
    lake: Lake
    metrics: Metrics
    receipts: Receipts
    policies: Mapping[str, Policy]
    event_owners: Mapping[str, str]
    declared: Callable[[], Declared] = dict[str, FrontEnd]

    def lander(self, database: Database) -> Lander:
        """Return what brings a database's events and tables into the lake."""
        return Lander(self.lake, database.url, Outbox(database), self.event_owners)

    def policy(self, name: str) -> Policy:
        """Return a policy by its name: one that was given, or that of a front end. Raises NotFound."""
        if name in self.policies:
            return self.policies[name]
        known = [*self.policies, *self.metrics.attributed.front_ends()]
        if name not in known:
            raise errors.NotFound(
                f"there is no policy {name!r}{errors.near(name, known)}", remedy=f"the policies are {', '.join(known)}"
            )
        return of_front_end(self.model, name)


def open_platform(
    packs: Iterable[Pack],
    folder: Path,
    *,
    metrics: Sequence[AnyMetric] = (),
    policies: Iterable[Policy] = (),
    declared: Callable[[], Declared] = dict[str, FrontEnd],
    kept: Kept | None = None,
) -> DataPlatform:
    """Put the data platform together over a folder, which is made where it is missing.

    `metrics` are of nobody's pack. Without policies there is one, `owner`, that opens everything.
    `declared` returns all front ends of that moment, for their attributes and metrics; it is called when somebody asks
    for one.
    Raises BuildProblems with all that is wrong in the packs' markings and metrics.
    """
    packs = tuple(packs)
    model = read_packs(packs, metrics)
    contracts: dict[str, type[Any]] = {}
    owners: dict[str, str] = {}
    for pack in packs:
        for contract in pack.events().values():
            name = event_kind(contract).name
            contracts[name], owners[name] = contract, pack.owner
    lake = Lake(folder, model, contracts)
    receipts = Receipts(folder / "receipts", kept)
    return DataPlatform(
        model=model,
        lake=lake,
        metrics=Metrics(model, lake, receipts, secret=_secret(folder), declared=declared),
        receipts=receipts,
        policies={policy.name: policy for policy in (owner(), *policies)},
        event_owners=owners,
        declared=declared,
    )


def _secret(folder: Path) -> bytes:
    """Return the key of pseudonyms, made once for each lake; whoever has it can tell which pseudonym is whose."""
    place = folder / "pseudonym.key"
    folder.mkdir(parents=True, exist_ok=True)
    if not place.is_file():
        draft = folder / f"{uuid.uuid4().hex}.draft"
        draft.touch(mode=0o600)
        draft.write_bytes(secrets.token_bytes(32))
        with suppress(FileExistsError):  # another process was first: its key is the one
            os.link(draft, place)
        draft.unlink()
    return place.read_bytes()
