"""The data platform of one company, put together: the model of its packs, the lake, the metrics, who may see what."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import msgspec

from isthmus.kernel import FrontEnd, Meta, Pack, Value, errors
from isthmus.kernel.host import event_kind
from isthmus.markings import AnyMetric
from isthmus.store import Database, Outbox

from .answers.metrics import Metrics
from .answers.receipt import Receipts
from .lake.erasure import Erasure, erase
from .lake.lake import Lake
from .lake.landing import Lander
from .lake.retention import Kept, KeptSnapshots
from .model.attributes import Declared
from .model.model import Model, read_packs
from .privacy.policy import KEYS, Policy, of_front_end, of_keys, owner


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
    kept: KeptSnapshots = field(default_factory=KeptSnapshots)

    def prune(self, now: datetime) -> int:
        """Let receipts go that are too many or too old, and states that no receipt needs; return how many receipts."""
        pruned = self.receipts.prune(now)
        days = self.kept.days
        self.receipts.forget_snapshots((now - timedelta(days=days + 1)).date())
        self.lake.retain(self.receipts.snapshots(), days)
        return pruned

    def erase(self, entity: str, key: Mapping[str, object], now: datetime, *, is_person: bool = True) -> Erasure:
        """Erase who one row of an entity is, or whose, from the lake and from what receipts keep of questions."""
        return erase(self.lake, entity, key, now, self.receipts, is_person=is_person)

    def lander(self, database: Database) -> Lander:
        """Return what brings a database's events and tables into the lake."""
        return Lander(self.lake, database.url, Outbox(database), self.event_owners)

    def policy(self, name: str) -> Policy:
        """Return a policy by its name: one that was given, a front end's, or that of its keys. Raises NotFound."""
        if name in self.policies:
            return self.policies[name]
        code = name.removeprefix(KEYS)
        known = [*self.policies, *self.metrics.attributed.front_ends()]
        if code not in known[len(self.policies) :]:
            raise errors.NotFound(
                f"there is no policy {name!r}{errors.near(code, known)}",
                remedy=f"the policies are {', '.join(known)}, and {KEYS}<code> as a front end's keys see it",
            )
        return of_front_end(self.model, code) if code == name else of_keys(self.model, code)


class Settings(Value):
    """What a company says of its lake: how long receipts and states are kept, when an entity is too old.

    An entity that is not named keeps the limit that its pack ships; nought takes it away.
    """

    receipts: Kept = Kept()
    snapshots: KeptSnapshots = KeptSnapshots()
    fresh_hours: dict[str, Annotated[float, Meta(ge=0)]] = {}


def open_platform(
    packs: Iterable[Pack],
    folder: Path,
    *,
    metrics: Sequence[AnyMetric] = (),
    policies: Iterable[Policy] = (),
    declared: Callable[[], Declared] = dict[str, FrontEnd],
    settings: Mapping[str, Any] = {},
) -> DataPlatform:
    """Put the data platform together over a folder, which is made where it is missing.

    `metrics` are of nobody's pack. Without policies there is one, `owner`, that opens everything.
    `declared` returns all front ends of that moment, for their attributes and metrics; it is called when somebody asks
    for one.
    `settings` are those of `Settings`, as a file says them.
    Raises BuildProblems with all that is wrong in the packs' markings and metrics, and BadAsk for a wrong setting.
    """
    packs = tuple(packs)
    chosen = _settings(settings)
    model = _with_limits(read_packs(packs, metrics), chosen.fresh_hours)
    contracts: dict[str, type[Any]] = {}
    owners: dict[str, str] = {}
    for pack in packs:
        for contract in pack.events().values():
            name = event_kind(contract).name
            contracts[name], owners[name] = contract, pack.owner
    lake = Lake(folder, model, contracts, declared)
    receipts = Receipts(folder / "receipts", chosen.receipts)
    return DataPlatform(
        model=model,
        lake=lake,
        metrics=Metrics(model, lake, receipts, secret=lake.secret, declared=declared),
        receipts=receipts,
        policies={policy.name: policy for policy in (owner(), *policies)},
        event_owners=owners,
        declared=declared,
        kept=chosen.snapshots,
    )


def _settings(found: Mapping[str, Any]) -> Settings:
    try:
        return msgspec.convert(found, Settings)
    except msgspec.ValidationError as wrong:
        raise errors.BadAsk(
            f"settings of the lake: {wrong}",
            remedy="give numbers: [receipts] days, count; [snapshots] days; [fresh_hours] by entity",
        ) from None


def _with_limits(model: Model, fresh_hours: Mapping[str, float]) -> Model:
    """Return the model with a company's own limits in place of those that packs ship. Raises UnknownName, BadAsk."""
    own = {name: dataclasses.replace(model.entity(name), fresh_hours=hours) for name, hours in fresh_hours.items()}
    for name, entity in own.items():
        if entity.fresh_hours and entity.time.rpartition(".")[0] != name:
            raise errors.BadAsk(
                f"[fresh_hours] names {name!r}, whose rows have no time of their own",
                remedy=f"name the entity that dates them: {entity.time or 'none does'}",
            )
    return dataclasses.replace(model, entities={**model.entities, **own})
