"""What joining the platform would cost a venture, kept over time; and who answers each of its operations."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final, Literal

from isthmus.kernel import Effect, Meta, Value, capability
from isthmus.values import Moment

from .errors import NotAgreed

AGREED_MIN: Final = 30  # calls that both answered alike before the platform answers alone

Answerer = Literal["own", "shadow", "platform"]
Left = Literal["ended", "graduated"]
Operation = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]*\Z", max_length=80)]
Text = Annotated[str, Meta(max_length=400)]


class OperationEstimate(Value):
    """One operation: the capability that it maps to, or none, how far both are apart, and the hours that this takes.

    lacks: fields of the venture that have no counterpart, and fields that the capability needs and nobody gives.
    compared, agreed, low: recorded calls that the capability was asked too, those answered alike, and the bound above
    which agreement lies with 95 % confidence. differs: the first place where it was not.
    """

    operation: Operation
    capability: Text = ""
    fields: int = 0
    mapped: int = 0
    lacks: tuple[Text, ...] = ()
    calls: int = 0
    compared: int = 0
    agreed: int = 0
    low: float = 0.0
    differs: Text = ""
    is_left: bool = False
    hours: float = 0.0
    because: Text = ""


class NoteEstimate(Value):
    """Keep what joining was found to cost. distance: the share of fields without a counterpart; hours: of all of it."""

    operations: Annotated[tuple[OperationEstimate, ...], Meta(max_length=200)]
    distance: Annotated[float, Meta(ge=0, le=1)]
    compared: int
    agreed: int
    hours: Annotated[float, Meta(ge=0)]


class Estimate(NoteEstimate):
    """What joining was found to cost, and when."""

    at: Moment


class ListEstimates(Value):
    """Ask what joining was found to cost."""


class Estimates(Value):
    """What it was found to cost, the latest first."""

    items: tuple[Estimate, ...]


class OperationState(Value):
    """Who answers an operation, since when, and how answers compared since it was put in the shadow."""

    operation: Operation
    answered_by: Answerer = "own"
    since: Moment | None = None
    because: str = ""
    compared: int = 0
    agreed: int = 0
    differs: str = ""


class ListOperations(Value):
    """Ask who answers a venture's operations."""


class Operations(Value):
    """Those that were ever in the shadow; the venture answers all others."""

    items: tuple[OperationState, ...]


class SwitchOperation(Value):
    """Have an operation answered by the venture, by the venture with the platform in its shadow, or by the platform.

    is_accepted: what both answered differently is meant.
    """

    operation: Operation
    to: Answerer
    because: Annotated[str, Meta(min_length=1, max_length=240)]
    is_accepted: bool = False


class NoteCompared(Value):
    """Note calls of an operation in the shadow that both answered."""

    operation: Operation
    compared: Annotated[int, Meta(ge=1)]
    agreed: Annotated[int, Meta(ge=0)]
    differs: Text = ""


class NoteLeft(Value):
    """Note that a venture has left: it ended, or it is a front end like others."""

    by: Left
    on: date


class LeftNoted(Value):
    """How it left, and when; the first time counts."""

    by: Left
    on: date


@capability("venture.note-left", version="1.0", effect=Effect.WRITE, is_internal=True)
def note_left(ask: NoteLeft) -> LeftNoted:
    """Note how a venture left; its pages are not asked for any more."""
    ...


@capability("venture.note-estimate", version="1.0", effect=Effect.WRITE)
def note_estimate(ask: NoteEstimate) -> Estimate:
    """Keep what joining the platform was found to cost; what was found before stays."""
    ...


@capability("venture.list-estimates", version="1.0", effect=Effect.READ)
def list_estimates(ask: ListEstimates) -> Estimates:
    """Return what joining the platform was found to cost, the latest first."""
    ...


@capability("venture.switch-operation", version="1.0", effect=Effect.WRITE, raises=[NotAgreed])
def switch_operation(ask: SwitchOperation) -> OperationState:
    """Say who answers an operation of the venture from now on, and go back at any time.

    The platform answers alone only what it answered alike in the shadow, at least 30 times without a difference, or
    where a difference is accepted. Entering the shadow begins the count anew.
    """
    ...


@capability("venture.list-operations", version="1.0", effect=Effect.READ)
def list_operations(ask: ListOperations) -> Operations:
    """Return who answers each operation of the venture, and how answers compared."""
    ...


@capability("venture.note-compared", version="1.0", effect=Effect.WRITE)
def note_compared(ask: NoteCompared) -> OperationState:
    """Add calls that both answered to the count of an operation in the shadow; of others nothing is counted."""
    ...
