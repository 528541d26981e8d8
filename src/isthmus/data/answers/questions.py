"""Questions that are kept under a name: asked again, written to a file, once a day where they say so.

exports/NAME.csv               what a question said last (of a front end's own: exports/CODE/NAME.csv)
exports/ran/NAME.json          when that was, with which receipt, or why it was refused
exports/questions/NAME.json    questions that people keep with `isthmus data ask … --save NAME`
"""

from __future__ import annotations

import csv
import fcntl
import io
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from isthmus.kernel import Value, decode, encode, errors
from isthmus.markings import Question

from ..arrow import pq
from ..model.brought import Owned, asked
from ..privacy.policy import Policy, owner
from .metrics import Answer, Metrics

SCHEDULER: Final = "schedule"  # who asks, in receipts and in what is said of usage


class Ran(Value):
    """How a question was asked last: its file and receipt, or why there is none."""

    at: datetime
    file: str = ""
    rows: int = 0
    receipt: str = ""
    refused: str = ""


class Questions:
    """The questions of a platform, and the folder that their answers are written to."""

    def __init__(
        self,
        folder: Path,
        metrics: Metrics,
        declared: Callable[[], Sequence[Owned[Question]]],
        policy: Callable[[str], Policy],
    ) -> None:
        """Take what packs and front ends declare, and what a front end may see."""
        self.folder = folder
        self._metrics = metrics
        self._declared = declared
        self._policy = policy

    def all(self) -> list[Owned[Question]]:
        """Return all questions by name: those that are declared, and those that people kept."""
        kept = [
            Owned(question, question.owner)
            for place in sorted((self.folder / "questions").glob("*.json"))
            for question in [msgspec.json.decode(place.read_bytes(), type=Question)]
        ]
        return sorted([*self._declared(), *kept], key=lambda one: one.value.name)

    def get(self, name: str) -> Owned[Question]:
        """Return a question. Raises NotFound with the names that are like it."""
        found = {one.value.name: one for one in self.all()}
        if name not in found:
            raise errors.NotFound(
                f"there is no question {name!r}{errors.near(name, found)}",
                remedy="`isthmus data questions` lists them; `isthmus data ask … --save NAME` keeps one",
            )
        return found[name]

    def save(self, question: Question) -> None:
        """Keep a question. Raises BadAsk for a name that cannot be, and Conflict where somebody declares it."""
        try:
            question = msgspec.convert(msgspec.to_builtins(question), Question)
        except msgspec.ValidationError as wrong:
            raise errors.BadAsk(
                f"{question.name!r} cannot be kept: {wrong}",
                remedy="names have small letters, digits, dots and hyphens; times are written as 06:00",
            ) from None
        if any(one.value.name == question.name for one in self._declared()):
            raise errors.Conflict(f"{question.name!r} is declared in code", remedy="choose another name")
        self._metrics.plan(asked(question))
        _write(self.folder / "questions" / f"{question.name}.json", encode(question))

    def forget(self, name: str) -> None:
        """Keep a question no longer. Raises NotFound, and Conflict where it is declared in code."""
        self.get(name)
        place = self.folder / "questions" / f"{name}.json"
        if not place.is_file():
            raise errors.Conflict(f"{name!r} is declared in code", remedy="take it out where it is declared")
        place.unlink()

    def ran(self, name: str) -> Ran | None:
        """Return how a question was asked last."""
        place = self.folder / "ran" / f"{name}.json"
        return decode(place.read_bytes(), Ran) if place.is_file() else None

    def run(self, name: str, now: datetime, asker: str = SCHEDULER) -> Ran:
        """Ask a question, write its answer to its file, and return how it went. Raises why it is refused."""
        found = self.get(name)
        try:
            policy = self._policy(found.front_end) if found.front_end else owner()
            answer = self._metrics.ask(asked(found.value), policy, asker=asker)
        except errors.IsthmusError as refused:
            self._note(name, Ran(at=now, refused=f"{refused.message}; {refused.remedy}"))
            raise
        place = self.folder / found.front_end / f"{name}.{found.value.form}"
        _write(place, _csv(answer) if found.value.form == "csv" else _parquet(answer))
        return self._note(name, Ran(at=now, file=str(place), rows=len(answer.rows), receipt=answer.receipt.id))

    def run_due(self, now: datetime) -> list[str]:
        """Ask all questions whose time of the day has come since they were asked last; return those refused, with why.

        Of several processes one asks: the others find that it was done.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        refused: list[str] = []
        with (self.folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return []
            for one in self.all():
                if not self._is_due(one.value, now):
                    continue
                try:
                    self.run(one.value.name, now)
                except errors.IsthmusError as wrong:
                    refused.append(f"{one.value.name}: {wrong}")
        return refused

    def _is_due(self, question: Question, now: datetime) -> bool:
        """Return whether the latest time of the day that it names has come, and it was not asked since."""
        if not question.daily:
            return False
        local = now.astimezone(ZoneInfo(question.timezone))
        at = datetime.combine(local.date(), time.fromisoformat(question.daily), local.tzinfo)
        latest = at if at <= local else datetime.combine(local.date() - timedelta(days=1), at.timetz())
        ran = self.ran(question.name)
        return ran is None or ran.at < latest.astimezone(UTC)

    def _note(self, name: str, ran: Ran) -> Ran:
        _write(self.folder / "ran" / f"{name}.json", encode(ran))
        return ran


def _csv(answer: Answer) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(answer.columns)
    writer.writerows([row[name] for name in answer.columns] for row in answer.rows)
    return text.getvalue().encode()


def _parquet(answer: Answer) -> bytes:
    sink = io.BytesIO()
    pq.write_table(answer.table, sink)
    return sink.getvalue()


def _write(place: Path, data: bytes) -> None:
    """Write a file that no reader sees half of."""
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = place.with_name(f"{uuid.uuid4().hex}.draft")
    draft.write_bytes(data)
    draft.replace(place)
