"""How long receipts are kept, and what is left of those that are not: that they were there, and when they went.

receipts/ID.json                 a receipt
receipts/pruned/2026-11-23.ids   the ids that went on a day, eight bytes each
receipts/pruned/usage.json       how often they said that a metric was asked for
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

import msgspec

from isthmus.kernel import Meta, Value, encode, errors

KEPT_DAYS: Final = 400  # this month can still be laid beside the same month of last year
KEPT_COUNT: Final = 100_000  # some 400 MB of small files
KEPT_SNAPSHOT_DAYS: Final = 90  # a quarter's figures can be laid open; each day costs what changed in it
PRUNED_IDS_DAYS: Final = 3_650  # so long a pruned id is known as one; a million of them are 8 MB
ID_BYTES: Final = 8


class Kept(Value):
    """How many receipts are kept, and for how many days: whatever is reached first, the oldest go."""

    days: Annotated[int, Meta(ge=1)] = KEPT_DAYS
    count: Annotated[int, Meta(ge=1)] = KEPT_COUNT


class KeptSnapshots(Value):
    """For how many days a state of the lake is kept that receipts name: so long they give the same number again."""

    days: Annotated[int, Meta(ge=1)] = KEPT_SNAPSHOT_DAYS


class ReceiptPruned(errors.NotFound):
    """The receipt was kept for as long as receipts are, and is no more."""

    slug = "data.receipt-pruned"

    def __init__(self, id: str, day: date, kept: Kept) -> None:
        super().__init__(
            f"receipt {id} was pruned on {day}: receipts are kept for {kept.days} days, and at most {kept.count:,}",
            remedy="ask its question again; to keep receipts for longer, set `days` and `count` of [receipts]",
            id=id,
        )


class Tally(Value):
    """How often metrics were asked for by receipts that are gone: policy, metric, asker, count, and when last."""

    rows: tuple[tuple[str, str, str, int, datetime], ...] = ()


class Pruned:
    """What is left of receipts that went."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def day_of(self, id: str) -> date | None:
        """Return the day on which a receipt was pruned; None where it was not."""
        wanted = bytes.fromhex(id)
        for place in sorted(self._folder.glob("*.ids"), reverse=True):
            if wanted in _ids(place.read_bytes()):
                return date.fromisoformat(place.stem)
        return None

    def tally(self) -> Tally:
        place = self._folder / "usage.json"
        return msgspec.json.decode(place.read_bytes(), type=Tally) if place.is_file() else Tally()

    def add(self, ids: Iterable[str], now: datetime) -> None:
        """Write down that receipts go, before they do: killed between the two, they are still there."""
        self._folder.mkdir(parents=True, exist_ok=True)
        today = now.astimezone(UTC).date()
        with (self._folder / f"{today}.ids").open("ab") as file:
            file.write(b"".join(bytes.fromhex(id) for id in ids))
            file.flush()
            os.fsync(file.fileno())
        oldest = str(today - timedelta(days=PRUNED_IDS_DAYS))
        for place in self._folder.glob("*.ids"):
            if place.stem < oldest:
                place.unlink(missing_ok=True)

    def count(self, counted: Iterable[tuple[str, str, str, datetime]]) -> None:
        """Add what receipts that went say of usage: policy, metric, asker, and when."""
        known = {row[:3]: row[3:] for row in self.tally().rows}
        for policy, metric, asker, at in counted:
            count, last = known.get((policy, metric, asker), (0, at))
            known[policy, metric, asker] = (count + 1, max(last, at))
        draft = self._folder / f"{uuid.uuid4().hex}.draft"
        draft.write_bytes(encode(Tally(rows=tuple((*place, *found) for place, found in sorted(known.items())))))
        draft.replace(self._folder / "usage.json")


def _ids(data: bytes) -> Iterator[bytes]:
    return (data[at : at + ID_BYTES] for at in range(0, len(data), ID_BYTES))
