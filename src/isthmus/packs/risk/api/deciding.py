"""Deciding, as others may name it."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

from isthmus.kernel import Effect, Meta, Value, capability, combine, errors, extension_point
from isthmus.values import Moment, Money, PageSize

from .model import MARKS_MAX, Facts, Kind, Mark, Outcome, Reason, Reference

Marks = Annotated[tuple[Mark, ...], Meta(max_length=MARKS_MAX)]


class Decide(Value):
    """Ask whether something may go on. reference: what it is, such as an order's group; decided once for each.

    is_undone: whoever asks undoes this call where it is rejected or challenged; then it is written down beside it.
    comes_again: it is undone in review too, and asked again: once somebody has released it, it goes on for a day.
    Without a reference it is known again by its first mark.
    """

    kind: Kind
    reference: Reference | None = None
    marks: Marks = ()
    amount: Money | None = None
    about: dict[str, Any] = {}
    member_id: UUID | None = None
    is_undone: bool = False
    comes_again: bool = False


class Decision(Value):
    """How it came out. is_watched: False where no scenario judges this kind here, and nothing was looked at."""

    outcome: Outcome
    score: int = 0
    reasons: tuple[str, ...] = ()
    decision_id: UUID | None = None
    deadline: Moment | None = None  # of a review
    is_watched: bool = False


class PassChallenge(Value):
    """Say that somebody has proved to be who they are: what challenges them does so no more for a while."""

    marks: Marks
    minutes: Annotated[int, Meta(ge=1, le=60)] = 15


class PutListed(Value):
    """Put a mark on a list that rules look at."""

    list: Annotated[str, Meta(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*\Z", max_length=60)]
    mark: Mark
    why: Annotated[str, Meta(min_length=1, max_length=240)]
    until: Moment | None = None


class TakeOffList(Value):
    """Take a mark off a list."""

    list: Annotated[str, Meta(max_length=60)]
    mark: Mark


class Listed(Value):
    """How many entries were written or removed."""

    entries: int


class Label(Value):
    """Say what something turned out to be: back-tests count by it."""

    kind: Kind
    reference: Reference
    label: Literal["fraud", "honest"]


class Labelled(Value):
    """How many decisions were labelled."""

    decisions: int


class GetDecision(Value):
    """Ask for a decision with all that it was made by."""

    decision_id: UUID


class ListDecisions(Value):
    """List decisions, the newest first."""

    outcome: Outcome | None = None
    limit: PageSize = 50


class KeptDecision(Value):
    """A decision, with all that it was made by. shadows: what other versions say of it."""

    decision_id: UUID
    at: Moment
    kind: Kind
    reference: str
    version: int
    facts: Facts
    score: int
    outcome: Outcome
    reasons: tuple[Reason, ...]
    shadows: dict[str, Outcome]
    label: str | None


class KeptDecisions(Value):
    """Decisions."""

    items: tuple[KeptDecision, ...]


class Replayed(Value):
    """What a decision comes to when it is made again, by the facts and rules of then."""

    outcome: Outcome
    score: int
    reasons: tuple[str, ...]
    is_same: bool


class UnknownDecision(errors.NotFound):
    """Nothing was decided under this id."""

    slug = "risk.unknown-decision"

    def __init__(self, *, decision_id: UUID) -> None:
        super().__init__(f"no decision {decision_id}", remedy="list them: risk.list-decisions", path="$.decision_id")


class NothingNamed(errors.BadAsk):
    """Neither a reference nor a mark says what is to be decided."""

    slug = "risk.nothing-named"

    def __init__(self) -> None:
        super().__init__(
            "neither a reference nor a mark says what is to be decided",
            remedy="send a reference, or a mark by which somebody who comes again is known",
            path="$.reference",
        )


@capability("risk.decide", version="1.0", effect=Effect.WRITE, raises=[NothingNamed])
def decide(ask: Decide) -> Decision:
    """Say whether something is accepted, challenged, reviewed or rejected, with a score and reason codes.

    Counts are those of the transaction, in one round trip; none where no scenario judges this kind. What is
    decided for a reference stays so when it is asked again. A review waits for a person until its deadline.
    """
    ...


@extension_point("risk.judge", combine=combine.collect(key=lambda reason: reason.code), until=date(2027, 6, 30))
def judge(facts: Facts) -> tuple[Reason, ...]:
    """Add reasons of a front end's own to those of the rules. Default: none."""
    return ()


@capability("risk.pass-challenge", version="1.0", effect=Effect.WRITE)
def pass_challenge(ask: PassChallenge) -> Listed:
    """Note that somebody proved to be who they are."""
    ...


@capability("risk.put-listed", version="1.0", effect=Effect.WRITE)
def put_listed(ask: PutListed) -> Listed:
    """Put a mark on a list of this front end, kept as a keyed hash."""
    ...


@capability("risk.take-off-list", version="1.0", effect=Effect.WRITE)
def take_off_list(ask: TakeOffList) -> Listed:
    """Take a mark off a list."""
    ...


@capability("risk.label", version="1.0", effect=Effect.WRITE)
def label(ask: Label) -> Labelled:
    """Say what something turned out to be, as a chargeback or a person's look shows."""
    ...


@capability("risk.get-decision", version="1.0", effect=Effect.READ, raises=[UnknownDecision])
def get_decision(ask: GetDecision) -> KeptDecision:
    """Return a decision with all that it was made by."""
    ...


@capability("risk.list-decisions", version="1.0", effect=Effect.READ)
def list_decisions(ask: ListDecisions) -> KeptDecisions:
    """List decisions, the newest first."""
    ...


@capability("risk.replay-decision", version="1.0", effect=Effect.READ, raises=[UnknownDecision])
def replay_decision(ask: GetDecision) -> Replayed:
    """Make a decision again from what was recorded, by the version that made it."""
    ...
