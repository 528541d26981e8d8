"""The data platform of one company, put together: the model of its packs, the lake, the metrics, who may see what."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from isthmus.kernel import FrontEnd, Meta, Pack, Value, errors
from isthmus.kernel.host import event_kind
from isthmus.markings import AnyMetric, Question, Term
from isthmus.store import Database, Outbox

from .answers.catalogue import Entry, find
from .answers.metrics import Metrics
from .answers.questions import Questions
from .answers.receipt import Receipts
from .lake.erasure import Erasure, erase
from .lake.lake import Lake
from .lake.landing import Lander
from .lake.retention import Kept, KeptSnapshots
from .model.ask import GRAINS
from .model.attributes import Declared
from .model.brought import Owned, T, brought
from .model.calendars import WEEKDAYS, Calendar, Weekday
from .model.model import Model, read_packs
from .privacy.asked import Asked
from .privacy.policy import KEYS, Policy, of_front_end, of_keys, owner

PERIODS_OWN_MAX: Final = 400  # periods of one calendar: thirty years of months


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
    packs: tuple[Pack, ...] = ()

    def brought(self, kind: type[T]) -> list[Owned[T]]:
        """Return what packs and front ends bring of a kind: segments, rules, terms or questions."""
        return brought(self.packs, self.declared(), kind)

    @property
    def questions(self) -> Questions:
        """Return the questions that are kept, and where their answers are written to."""
        return Questions(self.lake.folder.parent / "exports", self.metrics, lambda: self.brought(Question), self.policy)

    def find(self, words: str, policy: Policy) -> list[Entry]:
        """Return what the catalogue has of some words, as somebody sees it."""
        return find(self.metrics.seen_by(policy), words, self.brought(Term), self.questions.all())

    def prune(self, now: datetime) -> int:
        """Let receipts go that are too many or too old, and states that no receipt needs; return how many receipts."""
        pruned = self.receipts.prune(now)
        days = self.kept.days
        self.receipts.forget_snapshots((now - timedelta(days=days + 1)).date())
        self.lake.retain(self.receipts.snapshots(), days)
        Asked(self.receipts.asked).forget(days)
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


class Beginnings(Value):
    """When weeks and years begin in a company, where a question does not say."""

    week_starts: Weekday = "monday"
    year_starts: Annotated[int, Meta(ge=1, le=12)] = 1


CalendarName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,30}\Z")]


class Settings(Value):
    """What a company says of its lake: how long receipts and states are kept, when an entity is too old.

    An entity that is not named keeps the limit that its pack ships; zero takes it away. `calendars` have periods of a
    company's own by name: the first day of each, and what it is called.
    """

    receipts: Kept = Kept()
    snapshots: KeptSnapshots = KeptSnapshots()
    fresh_hours: dict[str, Annotated[float, Meta(ge=0)]] = {}
    calendar: Beginnings = Beginnings()
    calendars: dict[CalendarName, Annotated[dict[date, str], Meta(min_length=1, max_length=PERIODS_OWN_MAX)]] = {}


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
    model = _with_calendars(_with_limits(read_packs(packs, metrics), chosen.fresh_hours), chosen)
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
        packs=packs,
    )


def _settings(found: Mapping[str, Any]) -> Settings:
    try:
        return msgspec.convert(found, Settings)
    except msgspec.ValidationError as wrong:
        raise errors.BadAsk(
            f"settings of the lake: {wrong}",
            remedy="[receipts] days, count; [snapshots] days; [fresh_hours] by entity; [calendar] week_starts, "
            'year_starts; [calendars.NAME] "2026-02-01" = "P1"',
        ) from None


def _with_calendars(model: Model, chosen: Settings) -> Model:
    """Return the model with when weeks and years begin, and periods of a company's own. Raises BadAsk."""
    if taken := [name for name in chosen.calendars if name in GRAINS]:
        raise errors.BadAsk(f"[calendars] names {taken[0]!r}, which is a grain already", remedy="call it otherwise")
    own = {name: tuple(sorted(periods.items())) for name, periods in chosen.calendars.items()}
    weeks, years = WEEKDAYS.index(chosen.calendar.week_starts), chosen.calendar.year_starts - 1
    usual = Calendar(weeks, years, own)
    if usual == Calendar():
        return model
    said = f"{model.version} {weeks} {years} {sorted(own.items())}"
    return dataclasses.replace(model, calendar=usual, version=hashlib.sha256(said.encode()).hexdigest()[:16])


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
