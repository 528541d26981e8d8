"""Flags are put, approved, killed and deleted; each change is kept."""

from __future__ import annotations

import enum
from typing import Annotated

from isthmus.kernel import Effect, Meta, Value, capability, event
from isthmus.values import Moment, PageSize

from .definition import Flag, FlagKey
from .errors import ChangeClosed, FlagChanged, NeedsAnother, TooManyFlags, UnknownChange, UnknownFlag, UnknownSegment
from .errors import WrongFlag as WrongFlag

Note = Annotated[str, Meta(max_length=500)]
Number = Annotated[int, Meta(ge=1, le=2**62)]


class ChangeState(enum.StrEnum):
    WAITING = "waiting"
    APPLIED = "applied"
    REFUSED = "refused"


class PutFlag(Value):
    """Make a flag, or have it as this from now on. expected_version: of the flag that was looked at; 0: there is none.

    note: why, for whoever approves it and for the history.
    """

    flag: Flag
    note: Note = ""
    expected_version: Annotated[int, Meta(ge=0)] | None = None


class FlagNamed(Value):
    """Name a flag; note: why, where it is changed."""

    key: FlagKey
    note: Note = ""


class FlagChange(Value):
    """One change of a flag. flag: as it is from then on; nothing: deleted. version: of the front end's flags with it.

    what: what was done. decided_by: who approved or refused it, where that was somebody else's part.
    """

    number: int
    key: str
    what: str
    flag: Flag | None
    note: str
    state: ChangeState
    author: str
    made_at: Moment
    decided_by: str
    decided_at: Moment | None
    version: int | None


class FlagState(Value):
    """A flag as it is. version: of the front end's flags when it was changed last. waiting: changes to be approved."""

    flag: Flag
    version: int
    changed_at: Moment
    author: str
    waiting: int


class ListFlags(Value):
    """List flags by their keys."""


class Flags(Value):
    """All flags of a front end. version: that of all together. has_four_eyes: changes wait for another person."""

    items: tuple[FlagState, ...]
    version: int
    has_four_eyes: bool


class ListFlagChanges(Value):
    """List changes, the newest first; of one flag, or in one state, where that is said."""

    key: FlagKey | None = None
    state: ChangeState | None = None
    limit: PageSize = 50
    before: Number | None = None


class FlagChanges(Value):
    """Changes; `next_before` goes on with those before."""

    items: tuple[FlagChange, ...]
    next_before: int | None = None


class DecideChange(Value):
    """Decide a change that waits. note: why."""

    number: Number
    note: Note = ""


class ApplyDue(Value):
    """Take the steps whose time has come."""


class TakenSteps(Value):
    """The flags that have taken a step."""

    keys: tuple[str, ...]


@event("flags.flag-applied", version="1.0", subject="key")
class FlagApplied(Value):
    """A change of a flag holds. what: put, killed, deleted, or a step of its schedule."""

    key: str
    what: str
    version: int
    number: int
    author: str
    approved_by: str


@capability(
    "flags.put-flag", version="1.0", effect=Effect.WRITE, raises=[WrongFlag, UnknownSegment, FlagChanged, TooManyFlags]
)
def put_flag(ask: PutFlag) -> FlagChange:
    """Make or change a flag: at once, or when another person approves it, where the front end has four eyes.

    A front end asks for those by its setting `flags.four-eyes = "yes"`. Everything is checked now: rules, values,
    prerequisites and segments.
    """
    ...


@capability(
    "flags.approve-change", version="1.0", effect=Effect.WRITE,
    raises=[UnknownChange, ChangeClosed, NeedsAnother, FlagChanged, WrongFlag, TooManyFlags],
)  # fmt: skip
def approve_change(ask: DecideChange) -> FlagChange:
    """Have a change that waits hold from now on. Another person than made it does this, signed in as themselves."""
    ...


@capability("flags.refuse-change", version="1.0", effect=Effect.WRITE, raises=[UnknownChange, ChangeClosed])
def refuse_change(ask: DecideChange) -> FlagChange:
    """Close a change that waits without applying it; whoever made it may, too."""
    ...


@capability("flags.kill-flag", version="1.0", effect=Effect.WRITE, raises=[UnknownFlag])
def kill_flag(ask: FlagNamed) -> FlagChange:
    """Switch a flag off at once, for everybody: callers get their own defaults. Needs no second person.

    Its schedule goes with it, so that no step switches it on again. Putting it back is a change like any other.
    """
    ...


@capability("flags.delete-flag", version="1.0", effect=Effect.WRITE, raises=[UnknownFlag, WrongFlag])
def delete_flag(ask: FlagNamed) -> FlagChange:
    """Delete a flag: who asks gets FLAG_NOT_FOUND and takes its own default. What requires it must go first."""
    ...


@capability("flags.list-flags", version="1.0", effect=Effect.READ)
def list_flags(ask: ListFlags) -> Flags:
    """List all flags of the front end, with the version of all together."""
    ...


@capability("flags.get-flag", version="1.0", effect=Effect.READ, raises=[UnknownFlag])
def get_flag(ask: FlagNamed) -> FlagState:
    """Show a flag as it is."""
    ...


@capability("flags.list-changes", version="1.0", effect=Effect.READ)
def list_changes(ask: ListFlagChanges) -> FlagChanges:
    """List changes with author, reason and who approved them; those of deleted flags stay."""
    ...


@capability("flags.apply-due", version="1.0", effect=Effect.WRITE)
def apply_due(ask: ApplyDue) -> TakenSteps:
    """Take the steps of schedules whose time has come by the database's clock. A job calls it."""
    ...
