"""The audit log, as others may name it: entries, heads, proofs.

    command ─▶ pending (its own transaction) ─▶ sealed: a number in its front end's chain, a place in the tree over all
                                                   └─▶ head: size and root, signed, and published elsewhere

Every command leaves one entry, accepted or refused; reads leave none. Personal data is not in it: `Pii` marks become
the name of their kind. A change that cannot be written down is not made.
"""

from __future__ import annotations

from typing import Annotated, Any

from isthmus.kernel import Effect, Meta, Value, capability, errors
from isthmus.values import Moment, PageSize

DONE = "done"
CUT = "audit.cut"  # stands as the capability where entries went under a front end's retention

Text = Annotated[str, Meta(max_length=200)]
Hex = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z", description="a SHA-256")]


class Change(Value):
    """What a command caused: an event, with what it says."""

    event: str
    subject: str
    data: dict[str, Any] = {}
    left_out: str = ""  # SHA-256 of data that is too long for the log


class ChangedRow(Value):
    """A row that a command changed: the fields that differ, before and after; all that there was of one that went.

    What is personal, or secret, stands there as its kind; a value that is too long as its SHA-256.
    """

    table: str
    key: dict[str, Any] | None = None
    before: dict[str, Any]
    after: dict[str, Any] | None = None


class Record(Value):
    """What an entry says. The JSON of this is what is hashed."""

    call: str
    at: Moment
    front_end: str
    capability: str
    outcome: str  # `done`, or the slug of the error
    version: str = ""  # of the capability
    box: str = ""
    client: str = ""
    person: str = ""
    roles: tuple[str, ...] = ()
    via: str = ""
    trace: str = ""
    reason: str = ""  # why it was not permitted
    path: str = ""  # where in the ask the fault was
    ask: dict[str, Any] = {}
    changes: tuple[Change, ...] = ()
    rows: tuple[ChangedRow, ...] = ()  # that were there and are otherwise now, or gone
    rows_left_out: int = 0  # at least so many more
    answer: Any = None  # where no event says what changed
    left_out: str = ""  # SHA-256 of an ask or an answer that is too long for the log, or could not be read
    through: int = 0  # of a cut: the last number that went


class Entry(Value):
    """An entry of the log, at its places. `record` is None where it went under the front end's retention."""

    position: int
    number: int
    link: Hex
    record: Record | None


class EntryPage(Value):
    """Entries, and how to ask for the next."""

    items: tuple[Entry, ...]
    next_cursor: str | None


class ListEntries(Value):
    """Ask for entries, the latest first; what is left empty does not matter."""

    call: Text = ""
    capability: Text = ""
    client: Text = ""
    person: Text = ""
    outcome: Annotated[str, Meta(max_length=200, description="`done`, `refused` for all others, or a slug")] = ""
    since: Moment | None = None
    until: Moment | None = None
    without_client: Annotated[str, Meta(max_length=200, description="leave out what this client did")] = ""
    limit: PageSize = 50
    cursor: str | None = None


class Head(Value):
    """The tree over the first `size` entries of all front ends, signed with Ed25519."""

    size: int
    at: Moment
    root: Hex
    key: str  # the first 16 hex digits of the SHA-256 of the public key
    signature: str


class GetHead(Value):
    """Ask for the newest head."""


class ProveEntry(Value):
    """Ask for the proof that an entry of this front end is in the tree of the newest head."""

    number: Annotated[int, Meta(ge=1, le=2**62)]


class InclusionProof(Value):
    """Hashes that lead from an entry's leaf to the root of a head (RFC 9162, 2.1.3)."""

    entry: Entry
    leaf: Hex
    hashes: tuple[Hex, ...]
    head: Head


class ProveGrowth(Value):
    """Ask for the proof that the newest tree begins with an earlier one of this size."""

    size: Annotated[int, Meta(ge=1, le=2**62)]


class ConsistencyProof(Value):
    """Hashes that show that nothing of an earlier tree is changed in the newest (RFC 9162, 2.1.4)."""

    size: int
    hashes: tuple[Hex, ...]
    head: Head


class NotWrittenDown(errors.Unavailable):
    """A command was refused, and that could not be written down."""

    slug = "audit.not-written-down"

    def __init__(self, *, refused: str, because: str) -> None:
        super().__init__(
            f"the call was refused ({refused}), and the audit log does not take entries: {because}",
            remedy="see that the database has room and answers; nothing was changed",
            refused=refused,
        )


class NoSuchEntry(errors.NotFound):
    """The front end has no entry of this number that is sealed."""

    slug = "audit.no-such-entry"

    def __init__(self, *, number: int) -> None:
        super().__init__(
            f"there is no sealed entry {number} here",
            remedy="take a number that audit.list-entries gives; an entry is sealed within a second",
            path="$.number",
            number=number,
        )


class NoHeadYet(errors.NotFound):
    """No head covers this size yet."""

    slug = "audit.no-head-yet"

    def __init__(self, *, size: int) -> None:
        super().__init__(
            f"no head covers {size} entries", remedy="ask with the size of a head that you have been given", size=size
        )


class BadCursor(errors.BadAsk):
    """The cursor is none that a list of entries has given."""

    slug = "audit.bad-cursor"

    def __init__(self, *, cursor: str) -> None:
        super().__init__(
            f"{cursor!r} is no cursor of entries", remedy="send next_cursor of the page before", path="$.cursor"
        )


class NoKey(errors.Fault):
    """The key that signs heads cannot be read."""

    slug = "audit.no-key"

    def __init__(self, *, file: str, because: str) -> None:
        super().__init__(
            f"the signing key {file} cannot be read: {because}",
            remedy="put an Ed25519 key in PEM there, readable by the platform alone, or name another file in key",
        )


class NotSealedYet(errors.NotFound):
    """Nothing has been sealed so far, so there is no key and nothing to verify."""

    slug = "audit.not-sealed-yet"

    def __init__(self, *, pending: int) -> None:
        super().__init__(
            f"nothing has been sealed yet: there is no head and no key, and {pending} entries wait",
            remedy="start a server, which seals within a second: isthmus serve; then verify",
        )


@capability("audit.list-entries", version="1.0", effect=Effect.READ, raises=[BadCursor])
def list_entries(ask: ListEntries) -> EntryPage:
    """List what commands did at this front end, and what was refused, the latest first.

    An entry is listed when it is sealed, within a second of its command.
    """
    ...


@capability("audit.get-head", version="1.0", effect=Effect.READ, raises=[NoHeadYet])
def get_head(ask: GetHead) -> Head:
    """Return the newest signed head of the tree over all entries."""
    ...


@capability("audit.prove-entry", version="1.0", effect=Effect.READ, raises=[NoSuchEntry, NoHeadYet])
def prove_entry(ask: ProveEntry) -> InclusionProof:
    """Prove that an entry is in the tree of the newest head, to whoever has that head."""
    ...


@capability("audit.prove-growth", version="1.0", effect=Effect.READ, raises=[NoHeadYet])
def prove_growth(ask: ProveGrowth) -> ConsistencyProof:
    """Prove that the newest tree begins with all that an earlier one had."""
    ...
