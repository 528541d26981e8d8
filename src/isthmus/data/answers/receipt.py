"""Receipts: what an answer was computed from, so that anybody can get the same number again, or the reason why not."""

from __future__ import annotations

import hashlib
import heapq
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec

from isthmus.kernel import Value, encode, errors
from isthmus.markings import AllOf, AnyOf, Filter, Has, Not, Scalar, Where

from ..lake.pseudonyms import MASKED, pseudonym
from ..lake.retention import Kept, Pruned, ReceiptPruned
from ..model.ask import Ask
from ..query.proof import Proof

PAGE: Final = 50  # receipts on a page
PRUNED_MAX: Final = 5_000  # receipts that go in one landing, a second or so; the rest goes with the next
FLOAT_DIGITS: Final = 10  # sums of floats differ in the last places with the order of adding; nothing else may


class Receipt(Value):
    """What an answer was computed from. It holds no rows, so that nothing personal outlives its erasure."""

    id: str
    asked_at: datetime
    ask: Ask
    model: str
    snapshot: str
    policy: str
    policy_version: str
    sql: str
    parameters: tuple[str, ...]
    proofs: tuple[Proof, ...]
    newest: dict[str, datetime | None]  # by entity: the time of its newest row
    lag_s: float | None  # how old the newest row is, of the entity that is furthest behind
    hidden_cells: int
    masked: tuple[str, ...]
    non_additive: dict[str, tuple[str, ...]]
    rows: int
    is_cut: bool  # there are more rows than the asker's limit
    digest: str
    stale: tuple[str, ...] = ()  # what is older than it may be, a sentence each
    asker: str = ""  # a person or client where it is known; else the policy says what kind
    notes: tuple[str, ...] = ()  # what explains an empty answer, a sentence each
    rates: tuple[str, ...] = ()  # files that amounts were converted by, each with a hash; they are in the snapshot


class _Asked(msgspec.Struct, frozen=True):
    metrics: tuple[str, ...]


class Heading(msgspec.Struct, frozen=True):
    """Who asked for what and when: the part of a receipt that usage is counted by; the rest is not decoded."""

    asked_at: datetime
    ask: _Asked
    policy: str
    asker: str = ""


class Rerun(Value):
    """A receipt's question asked again: whether the same rows came, and every reason why they need not."""

    receipt: str
    is_same: bool
    reasons: tuple[str, ...]
    digest: str


class Receipts:
    """Receipts in a folder, one small file each, so that any number of processes may keep them."""

    def __init__(self, folder: Path, kept: Kept | None = None) -> None:
        self._folder = folder
        self._kept = kept or Kept()
        self._noted: set[tuple[date, str]] = set()
        self.pruned = Pruned(folder / "pruned")
        self.asked = folder / "asked"  # the books of what was shown to whom small numbers are hidden

    def keep(self, receipt: Receipt) -> None:
        """Write a receipt down with one call of the system, which no reader sees half of; the same one is kept once."""
        place = f"{self._folder}/{receipt.id}.json"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        try:
            descriptor = os.open(place, flags, 0o644)
        except FileExistsError:
            return
        except FileNotFoundError:
            self._folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(place, flags, 0o644)
        try:
            os.write(descriptor, encode(receipt))
        finally:
            os.close(descriptor)
        self._note(receipt.snapshot, receipt.asked_at)

    def snapshots(self) -> set[str]:
        """Return the names of the states of data that receipts were computed from."""
        folder = self._folder / "snapshots"
        if not folder.is_dir():  # receipts of before these were noted
            folder.mkdir(parents=True, exist_ok=True)
            for receipt in self.all(self.ids()):
                self._note(receipt.snapshot, receipt.asked_at)
        return {name for place in folder.glob("*.txt") for name in place.read_text().splitlines()}

    def forget_snapshots(self, before: date) -> None:
        """Forget the names of states that receipts were computed from before a day; those states are gone."""
        for place in (self._folder / "snapshots").glob("*.txt"):
            if place.stem < str(before):
                place.unlink(missing_ok=True)

    def _note(self, snapshot: str, asked_at: datetime) -> None:
        """Write down that a state has receipts: one line for each process and day."""
        day = asked_at.astimezone(UTC).date()
        if (day, snapshot) in self._noted:
            return
        folder = self._folder / "snapshots"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{day}.txt").open("a") as file:
            file.write(f"{snapshot}\n")
        self._noted = {one for one in self._noted if one[0] == day} | {(day, snapshot)}

    def get(self, id: str) -> Receipt:
        """Return a receipt. Raises ReceiptPruned, or NotFound where there never was one."""
        return msgspec.json.decode(self._place(id).read_bytes(), type=Receipt)

    def all(self, ids: Iterable[str]) -> Iterator[Receipt]:
        """Yield receipts, but for those that are pruned meanwhile."""
        for id in ids:
            with suppress(errors.NotFound):
                yield self.get(id)

    def heading(self, id: str) -> Heading:
        """Return what a receipt says of its asker. Raises NotFound."""
        return msgspec.json.decode(self._place(id).read_bytes(), type=Heading)

    def ids(self) -> set[str]:
        """Return the ids of all receipts."""
        return {path.stem for path in self._folder.glob("*.json")}

    def newest(self, count: int, since: datetime) -> list[str]:
        """Return the ids of at most so many receipts that were kept since a moment, the newest first."""
        first = since.timestamp()
        return [id for kept, id in heapq.nlargest(count, self._dated()) if kept >= first]

    def rewrite(self, erased: Mapping[tuple[str, str], str], secret: bytes) -> int:
        """Put what stands for erased values in place of them in filters; return how many receipts had one.

        The data that they were asked of has the same in their place, so they give the same number again. `secret` is
        the key of the lake's pseudonyms: of a value that only history had, nothing else is known any more.
        """
        return sum(self._is_rewritten(self._folder / f"{id}.json", erased, secret) for id in self.ids() if erased)

    def _is_rewritten(self, place: Path, erased: Mapping[tuple[str, str], str], secret: bytes) -> bool:
        try:
            found, kept = place.read_bytes(), place.stat().st_mtime
        except FileNotFoundError:  # pruned meanwhile
            return False
        if b'"where":[]' in found:
            return False
        receipt = msgspec.json.decode(found, type=Receipt)
        after = _without(receipt, erased, secret)
        if after == receipt:
            return False
        draft = place.with_suffix(".draft")
        draft.write_bytes(encode(after))
        os.utime(draft, (kept, kept))  # how old a receipt is says its file
        draft.replace(place)
        return True

    def page(self, number: int) -> list[Receipt]:
        """Return one page of receipts, the newest first; the first page is number 1."""
        found = heapq.nlargest(number * PAGE, self._dated())[(number - 1) * PAGE :]
        return list(self.all(id for _, id in found))

    def prune(self, now: datetime) -> int:
        """Let the oldest go that are too many or too old, at most a batch of them; return how many.

        Of each it stays known that it was there and when it went, and what it says of usage.
        """
        first = now.timestamp() - self._kept.days * 86_400
        dated = sorted(self._dated())
        too_many = max(0, len(dated) - self._kept.count)
        going = [id for at, (kept, id) in enumerate(dated) if at < too_many or kept < first][:PRUNED_MAX]
        if not going:
            return 0
        headings = dict(self._headings(going))
        self.pruned.add(headings, now)
        gone = [heading for id, heading in headings.items() if self._is_removed(id)]
        askers = [(one.policy, one.asker or one.policy, one) for one in gone]
        self.pruned.count((policy, name, who, one.asked_at) for policy, who, one in askers for name in one.ask.metrics)
        return len(gone)

    def _headings(self, ids: Iterable[str]) -> Iterator[tuple[str, Heading]]:
        for id in ids:
            with suppress(errors.NotFound):  # another process prunes too
                yield id, self.heading(id)

    def _is_removed(self, id: str) -> bool:
        """Remove a receipt; another process may have been first, and counts it then."""
        try:
            (self._folder / f"{id}.json").unlink()
        except FileNotFoundError:
            return False
        return True

    def _dated(self) -> Iterator[tuple[float, str]]:
        """Yield when each receipt was kept, in seconds, and its id."""
        with suppress(FileNotFoundError), os.scandir(self._folder) as files:
            for file in files:
                if file.name.endswith(".json"):
                    with suppress(FileNotFoundError):  # pruned meanwhile
                        yield file.stat().st_mtime, file.name[:-5]

    def _place(self, id: str) -> Path:
        place = self._folder / f"{id}.json"
        is_id = re.fullmatch(r"[0-9a-f]{16}", id) is not None
        if is_id and not place.is_file() and (day := self.pruned.day_of(id)):
            raise ReceiptPruned(id, day, self._kept)
        if not is_id or not place.is_file():
            raise errors.NotFound(
                f"there is no receipt {id!r}", remedy="an answer shows the id of its receipt; it has 16 hex digits"
            )
        return place


def _without(receipt: Receipt, erased: Mapping[tuple[str, str], str], secret: bytes) -> Receipt:
    """Return a receipt whose filters name no erased value."""
    fields = {field for field, _ in erased}
    gone: dict[str, str] = {}

    def value_of(named: str, value: Scalar) -> Scalar:
        for field in fields if isinstance(value, str) else ():
            if field == named or ("." not in named and field.endswith(f".{named}")):
                was = str(value)
                now = erased.get((field, was)) or erased.get((field, pseudonym(MASKED, secret, field, was)))
                if now is not None:
                    return gone.setdefault(was, now)
        return value

    def turned(where: Filter) -> Filter:
        match where:
            case Where(field=field, op=op, value=value):
                named = field.rpartition(">")[2]
                if isinstance(value, tuple):
                    return Where(field, op, tuple(value_of(named, one) for one in value))
                return where if value is None else Where(field, op, value_of(named, value))
            case Has():
                return where
            case Not(of=inner):
                return Not(turned(inner))
            case AllOf(parts=parts):
                return AllOf(tuple(map(turned, parts)))
            case AnyOf(parts=parts):
                return AnyOf(tuple(map(turned, parts)))

    ask = receipt.ask.replace(where=tuple(map(turned, receipt.ask.where)))
    parameters = tuple(gone.get(one, one) for one in receipt.parameters)
    return receipt.replace(ask=ask, parameters=parameters)


def digest_of(columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> str:
    """Return a hash of rows in their order; floats count with ten digits."""
    plain = [[_plain(row[name]) for name in columns] for row in rows]
    return hashlib.sha256(msgspec.json.encode([list(columns), plain])).hexdigest()[:32]


def receipt_id(asked_at: datetime, sql: str, digest: str, salt: str) -> str:
    """Return the id of a receipt; two answers at one moment differ in it unless they are the same."""
    return hashlib.sha256("\0".join([asked_at.isoformat(), sql, digest, salt]).encode()).hexdigest()[:16]


def _plain(value: object) -> object:
    if isinstance(value, float):
        return f"{value:.{FLOAT_DIGITS}g}"
    if isinstance(value, Decimal):
        return str(value.normalize())
    return value if value is None or isinstance(value, bool | int | str) else str(value)
