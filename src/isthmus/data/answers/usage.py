"""Who asks for which metric, how often, and when last: read from the receipts, so that nothing is counted twice.

What receipts said that are pruned by now is in their tally.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import datetime

from isthmus.kernel import Value, errors

from .receipt import Receipts


class Used(Value):
    """What became of one metric: how often it was answered, when last, and how often for whom."""

    asked: int = 0
    last: datetime | None = None
    askers: dict[str, int] = {}


class Usage:
    """Counts receipts by metric and asker. A receipt never changes, so each is read once."""

    def __init__(self, receipts: Receipts) -> None:
        self._receipts = receipts
        self._seen: set[str] = set()
        self._counts: dict[tuple[str, str, str], tuple[int, datetime]] | None = None  # by policy, metric, asker
        self._lock = threading.Lock()

    def of(self, metrics: Iterable[str], policy: str = "") -> dict[str, Used]:
        """Return the usage of metrics: of all askers, or of those who asked under one policy.

        A metric that nobody asked for is there with zero: it may be one to delete.
        """
        with self._lock:
            counts = list(self._read().items())
        found = {name: Used() for name in metrics}
        for (under, metric, asker), (count, last) in sorted(counts):
            if metric in found and policy in ("", under):
                used = found[metric]
                found[metric] = Used(
                    asked=used.asked + count,
                    last=max(used.last or last, last),
                    askers={**used.askers, asker: used.askers.get(asker, 0) + count},
                )
        return found

    def _read(self) -> dict[tuple[str, str, str], tuple[int, datetime]]:
        if self._counts is None:  # once: what goes later has been counted by then
            tally = self._receipts.pruned.tally()
            self._counts = {(policy, metric, asker): (count, last) for policy, metric, asker, count, last in tally.rows}
        new = self._receipts.ids() - self._seen
        for id in new:
            try:
                receipt = self._receipts.heading(id)
            except errors.NotFound:  # pruned meanwhile
                continue
            for metric in receipt.ask.metrics:
                place = (receipt.policy, metric, receipt.asker or receipt.policy)
                count, last = self._counts.get(place, (0, receipt.asked_at))
                self._counts[place] = (count + 1, max(last, receipt.asked_at))
        self._seen |= new
        return self._counts
