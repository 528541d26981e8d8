"""Ask the metrics: one definition, one number, in the one place where answers leave.

plan → policy → proofs → SQL → currencies → small cells hidden → masked → order and limit → receipt
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar, cast

from msgspec.structs import replace

from isthmus.data.model.columns import quoted, table_name
from isthmus.kernel import FrontEnd, errors
from isthmus.kernel.host import check
from isthmus.markings import AnyMetric

from ..arrow import pa
from ..errors import NotAnswered, StaleData
from ..lake import rates
from ..lake.reader import Reader, Snapshots, Table
from ..model.ask import ROWS, Ask, in_calendar, leaves
from ..model.attributes import Attributed, Declared
from ..model.calendars import PERIODS
from ..model.model import OWN, Model
from ..privacy import policy as policies
from ..privacy.asked import Asked, Book
from ..privacy.policy import Policy
from ..query import freshness
from ..query.money import Money
from ..query.plan import Plan, amounts, is_timeless, plan, settled
from ..query.proof import Proof, Proofs
from ..query.sql import Statement
from . import leaving
from .empty import why_empty
from .hiding import hide, written
from .receipt import Receipt, Receipts, Rerun, digest_of, receipt_id
from .shapes import counting_rows, moment, schema
from .usage import Usage

CACHED_MAX: Final = 256  # answers kept in memory
CACHED_ROWS_MAX: Final = 10_000  # larger answers are computed again
_BESIDE: Final = "{count} number(s) are hidden that would show few people beside what was asked before"
_LAST: Final = "{count} number(s) are hidden and come last: what is first is so of those that are shown"

Rows = list[dict[str, Any]]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Rows that have left, and the receipt for them; `numbers` are the columns that metrics are in."""

    columns: tuple[str, ...]
    rows: Rows
    numbers: tuple[str, ...]
    receipt: Receipt

    @property
    def table(self) -> Table:
        """Return the rows as a `pyarrow.Table`: `.to_pandas()`, Polars, IPC. It is made at each look."""
        return pa.Table.from_pylist(self.rows, schema=schema(self.numbers, self.rows, self.columns))


@dataclass(frozen=True, slots=True)
class _Left:
    """What may leave of one plan, snapshot and policy; kept for the next one who asks."""

    rows: Rows
    hidden_cells: int
    is_cut: bool
    proofs: tuple[Proof, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Ready:
    """A question planned, allowed and written: what is left to do is to prove and to read."""

    plan: Plan
    statement: Statement
    limits: Mapping[str, float]
    masks: Mapping[str, Callable[[object], object]]
    policy_version: str


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a receipt says beside the numbers: how new the rows are, what is too old, and who asked."""

    newest: dict[str, datetime | None]
    stale: tuple[str, ...]
    asker: str


class Metrics:
    """The metrics of a model over the snapshots of a lake, asked from Python, HTTP or the command line."""

    def __init__(
        self,
        model: Model,
        snapshots: Snapshots,
        receipts: Receipts,
        *,
        secret: bytes,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        declared: Callable[[], Declared] = dict[str, FrontEnd],
    ) -> None:
        """Take what front ends declare at any moment as attributes and metrics of their own, where there are any."""
        self.model = model
        self.attributed = Attributed(model, declared)
        self._snapshots = snapshots
        self._receipts = receipts
        self._asked = Asked(receipts.asked)
        self._secret = secret
        self._now = now
        self._proofs = Proofs(model)
        self._known: OrderedDict[tuple[object, ...], _Left] = OrderedDict()
        self._checked: OrderedDict[tuple[object, ...], tuple[tuple[Money, ...], ...]] = OrderedDict()
        self._plans: OrderedDict[tuple[object, ...], _Ready] = OrderedDict()
        self.usage = Usage(receipts)
        self._newest: dict[tuple[str, str], datetime | None] = {}

    def ask(self, ask: Ask, policy: Policy, *, asker: str = "", is_kept: bool = True) -> Answer:
        """Answer a question as far as a policy opens it, and keep the receipt in the name of the asker.

        `is_kept=False` is for checks: nobody will read their numbers, and they are no usage. Raises the errors of
        `errors.py`. An answer that relies on a broken key is refused, not inflated.
        """
        check(ask)
        return self._answered(ask, policy, self._snapshots.newest(), self._now(), asker=asker, is_kept=is_kept)

    def reader(self) -> Reader:
        """Return the newest snapshot."""
        return self._snapshots.newest()

    def over(self, model: Model) -> Metrics:
        """Return the metrics of another model over the same states."""
        return Metrics(model, self._snapshots, self._receipts, secret=self._secret, now=self._now)

    def plan(self, ask: Ask, policy: Policy | None = None) -> Plan:
        """Return how a question would be answered, to the owner where nobody is named, without asking it."""
        return plan(self._model_for(ask, policy or policies.owner()), ask, self._now())

    def rerun(self, id: str, policies: Mapping[str, Policy]) -> Rerun:
        """Ask a receipt's question again, of the same snapshot where it is kept, and compare."""
        receipt = self._receipts.get(id)
        reasons: list[str] = []
        policy = policies.get(receipt.policy)
        if policy is None:
            raise errors.NotFound(
                f"policy {receipt.policy!r} of receipt {id} is gone", remedy="restore it to ask again in its name"
            )
        try:
            digest = self._digest(receipt, policy, reasons)
        except errors.IsthmusError as refused:  # a metric or field that is gone, a key that is broken by now
            return Rerun(
                receipt=id, is_same=False, reasons=(*reasons, f"it has no answer any more: {refused}"), digest=""
            )
        is_same = digest == receipt.digest
        if not is_same and not reasons:
            reasons.append("model, policy and snapshot are the same: the data of this snapshot was changed by hand")
        return Rerun(receipt=id, is_same=is_same, reasons=tuple(reasons), digest=digest)

    def _digest(self, receipt: Receipt, policy: Policy, reasons: list[str]) -> str:
        """Return the hash of the answer that a receipt's question has now, and add why it may be another."""
        model = self._model_for(receipt.ask, policy)
        if receipt.model != model.version:
            reasons.append(f"the model was {receipt.model} and is {model.version}")
        if receipt.policy_version != policy.version:
            reasons.append(f"policy {policy.name!r} was {receipt.policy_version} and is {policy.version}")
        try:
            reader = self._snapshots.at(receipt.snapshot)
        except errors.NotFound as gone:
            reader = self._snapshots.newest()
            reasons.append(f"{gone.message}; asked of {reader.snapshot} instead")
        if reader.rewritten:
            reasons.append(f"snapshot {reader.snapshot} was {reader.rewritten}")
        ask = receipt.ask if receipt.ask.as_of else _changed(receipt.ask, as_of=receipt.asked_at)
        return self._answered(ask, policy, reader, receipt.asked_at, is_kept=False).receipt.digest

    def seen_by(self, policy: Policy, metrics: Sequence[str] = ()) -> Model:
        """Return the model with what front ends add, as somebody sees it; as it stands beside these metrics."""
        added = [name for name in metrics if name not in self.model.metrics and f"{OWN}." not in name]
        return self.attributed.seen_by(policy.attributes, added)

    def search(self, text: str = "", model: Model | None = None) -> list[AnyMetric]:
        """Return the metrics (of what somebody sees) in whose name, unit or description all words occur."""
        words = text.lower().split()
        return [
            metric
            for metric in (model or self.model).metrics.values()
            if all(word in f"{metric.name} {metric.unit} {metric.doc}".lower() for word in words)
        ]

    def _model_for(self, ask: Ask, policy: Policy) -> Model:
        """Return the model that a question is about: what front ends add is looked for only where it is named."""
        if ask.metrics == (ROWS,) and ROWS not in self.model.metrics:
            return counting_rows(self.seen_by(policy), ask)
        fields = [*ask.by, *(leaf.field for one in ask.where for leaf in leaves(one))]
        is_added = any(f"{OWN}." in name for name in fields) or not self.model.metrics.keys() >= set(ask.metrics)
        return self.seen_by(policy, ask.metrics) if is_added else self.model

    def _answered(
        self, ask: Ask, policy: Policy, reader: Reader, asked_at: datetime, *, asker: str = "", is_kept: bool = True
    ) -> Answer:
        ask = in_calendar(ask, self.model.calendar)
        ready = self._ready(ask, policy, reader, asked_at)
        planned, written = ready.plan, ready.statement
        if is_kept and policy.cells_min and ask.as_of is not None and not is_timeless(planned):
            raise NotAnswered(
                "a period up to one moment less that up to another shows what few did in between",
                remedy="leave `as_of` out, or ask for the metric that it is made of, by whole months",
            )
        if policy.cells_min and not _is_everybodys(planned):
            raise NotAnswered(
                "periods that are cut otherwise than everybody's would show, beside those, single days",
                remedy="leave `week_starts`, `year_starts`, weekdays and periods of your own out",
            )
        newest = {leg.root: self._newest_row(reader, leg.root) for leg in planned.legs}
        stale = freshness.stale(ready.limits, newest, reader.arrived, asked_at)
        if stale and ask.is_fresh:
            raise StaleData(stale)
        place = (written.sql, written.parameters, reader.snapshot, ready.policy_version, planned.model.version, ask)
        seen = _Seen(newest, stale, asker)
        left = self._known.get(place)
        if left is None and policy.cells_min:
            with self._asked.book(reader.snapshot, ready.policy_version) as book:
                self._read_again(book, policy, reader)
                left = self._left(ask, ready, policy, reader, asked_at, book if is_kept else book.draft())
                receipt = self._receipt(ask, ready, policy, reader, asked_at, left, seen)
                if is_kept:
                    self._receipts.keep(receipt)
                    book.note(receipt.id)
                    self._remember(place, left)
            return Answer(columns=written.columns, rows=left.rows, numbers=tuple(planned.metrics), receipt=receipt)
        if left is None:
            left = self._left(ask, ready, policy, reader, asked_at)
            self._remember(place, left)
        receipt = self._receipt(ask, ready, policy, reader, asked_at, left, seen)
        if is_kept:
            self._receipts.keep(receipt)
        return Answer(columns=written.columns, rows=left.rows, numbers=tuple(planned.metrics), receipt=receipt)

    def _ready(self, ask: Ask, policy: Policy, reader: Reader, asked_at: datetime) -> _Ready:
        """Return what is to be done for a question; the same one is planned, checked and written once."""
        version = policy.version
        model = self._model_for(ask, policy)
        place = (ask, version, model.version)
        known = self._checked.get(place)
        drafted = None
        if known is None:
            drafted = plan(model, ask, asked_at, person=_person(policy))
            policies.check(drafted, policy)
            known = amounts(drafted)
            self._keep(self._checked, place, known)
        one_currency = self._settled(reader, ask, known)
        ready = self._plans.get((*place, one_currency))
        if ready is None:
            drafted = drafted or plan(model, ask, asked_at, person=_person(policy))
            planned = settled(drafted, one_currency)
            limits = freshness.limits(model, planned)
            masks = policies.masks(planned, policy, self._secret)
            ready = _Ready(planned, written(planned, policy), limits, masks, version)
            if ask.as_of is not None or is_timeless(planned):  # else it is of this moment
                self._keep(self._plans, (*place, one_currency), ready)
        return ready

    def _read_again(self, book: Book, policy: Policy, reader: Reader) -> None:
        """Take into a book what other processes have shown meanwhile. Raises NotAnswered where that cannot be told."""
        for id in book.unread():
            try:
                receipt = self._receipts.get(id)
                ready = self._ready(receipt.ask, policy, reader, receipt.asked_at)
                rows = reader.rows(ready.statement.sql, ready.statement.parameters)
                hide(ready.plan, rows, policy, reader, receipt.asked_at, self._proofs, book)
            except errors.IsthmusError as gone:
                raise NotAnswered(
                    f"what was shown of this state of the lake before cannot be told any more: {gone}",
                    remedy="ask after the next landing",
                ) from gone

    def _left(
        self,
        ask: Ask,
        ready: _Ready,
        policy: Policy,
        reader: Reader,
        asked_at: datetime,
        book: Book | None = None,
    ) -> _Left:
        planned, written = ready.plan, ready.statement
        proofs = self._proofs.check(reader, written.relied, ask, shows_keys=policies.sees_all(policy))
        rates.check_rates(reader, written.lacking, written.parameters, ask.currency)
        rows = reader.rows(written.sql, written.parameters)
        leaving.check_currencies(planned, rows)
        small, beside = hide(planned, rows, policy, reader, asked_at, self._proofs, book) if book else (0, 0)
        for column, mask in ready.masks.items():
            for row in rows:
                row[column] = mask(row[column])
        rows = leaving.kept([{name: row[name] for name in written.columns} for row in rows], ask.having)
        if policy.cells_min or ask.having:
            rows = leaving.ordered(rows, ask.order, written.columns)
        is_cut = len(rows) > ask.limit
        hidden = _BESIDE.format(count=beside) if beside else _LAST.format(count=small)
        is_said = beside or (small and is_cut and ask.order)
        notes = (hidden,) if is_said else self._notes(ready, policy, reader, rows)
        return _Left(rows[: ask.limit], small + beside, is_cut, proofs, notes)

    def _notes(self, ready: _Ready, policy: Policy, reader: Reader, rows: Rows) -> tuple[str, ...]:
        """Return why an answer is empty; not to whom small numbers are hidden."""
        if policy.cells_min or any(row[name] for row in rows for name in ready.plan.metrics):
            return ()
        return why_empty(ready.plan, reader, policies.visible_rows(ready.plan.model, policy))

    def _settled(self, reader: Reader, ask: Ask, known: tuple[tuple[Money, ...], ...]) -> frozenset[Money]:
        """Return the amounts that, with all that they are added to, are in one currency in this snapshot."""
        found: set[Money] = set()
        for together in known:
            codes = {code for money in together for code in self._proofs.codes(reader, money)}
            if ask.currency or len(codes) <= 1:  # amounts of all are converted to one, or are in one
                found |= set(together)
        return frozenset(found)

    def _receipt(
        self,
        ask: Ask,
        ready: _Ready,
        policy: Policy,
        reader: Reader,
        asked_at: datetime,
        left: _Left,
        seen: _Seen,
    ) -> Receipt:
        planned, written = ready.plan, ready.statement
        times = [found for found in seen.newest.values() if found is not None]
        digest = digest_of(written.columns, left.rows)
        return Receipt(
            id=receipt_id(asked_at, written.sql, digest, ready.policy_version + reader.snapshot),
            asked_at=asked_at,
            ask=ask,
            model=planned.model.version,
            snapshot=reader.snapshot,
            policy=policy.name,
            asker=seen.asker,
            policy_version=ready.policy_version,
            sql=written.sql,
            parameters=tuple(map(str, written.parameters)),
            proofs=left.proofs,
            newest=seen.newest,
            stale=seen.stale,
            lag_s=(asked_at - min(times)).total_seconds() if times else None,
            rates=rates.sources(reader) if written.lacking else (),
            hidden_cells=left.hidden_cells,
            masked=tuple(ready.masks),
            non_additive={name: over for name, over in planned.non_additive.items() if over},
            rows=len(left.rows),
            is_cut=left.is_cut,
            digest=digest,
            notes=left.notes,
        )

    def _newest_row(self, reader: Reader, name: str) -> datetime | None:
        place = (reader.snapshot, name)
        if place not in self._newest:
            entity = self.model.entity(name)
            owner, _, field = entity.time.rpartition(".")
            found: object = None
            if owner == name:
                sql = f"select max({quoted(field)}) as newest from {table_name(entity.table)}"
                found = reader.rows(sql)[0]["newest"]
            self._newest[place] = moment(found)
        return self._newest[place]

    def _remember(self, place: tuple[object, ...], left: _Left) -> None:
        if len(left.rows) <= CACHED_ROWS_MAX:
            self._keep(self._known, place, left)

    def _keep(self, known: OrderedDict[tuple[object, ...], T], place: tuple[object, ...], value: T) -> None:
        known[place] = value
        while len(known) > CACHED_MAX:
            known.popitem(last=False)


def _is_everybodys(planned: Plan) -> bool:
    """Return whether a question's periods are those of everybody who does not say otherwise."""
    usual = in_calendar(Ask(), planned.model.calendar)
    is_usual = (planned.ask.week_starts, planned.ask.year_starts) == (usual.week_starts, usual.year_starts)
    return is_usual and all(by.grain is None or by.grain in PERIODS for by in planned.by)


def _person(policy: Policy) -> str | None:
    return policy.person if policy.cells_min else None


def _changed(ask: Ask, **fields: object) -> Ask:
    return replace(cast(Any, ask), **fields)
