"""What providers and banks say of our money, against what we believe. Named by others through this module.

    expect ──────────▶ expected ─┐
                                 ├─ matched by reference, then by amount within days ──▶ differences ──resolve──▶ booked
    import-file ─────▶ lines ────┘

An expected amount has a key that the provider's file names it by. Files are read in four forms; each line is matched
with what is expected, several lines to one where they name it. What differs is a difference of a kind, in a queue:

    missing-here    the file has it, and we do not         duplicate   the file has it twice
    missing-there   we have it, and no file does           currency    it is in another currency
    amount, fee     the file says another                  late        on another day than it may be
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from isthmus.kernel import Effect, Meta, Value, capability, errors, event
from isthmus.values import Code, Moment, Money, PageSize

CONTENT_MAX = 512 * 1024 * 1024  # about two million lines; over HTTP an ask has a mebibyte
IMPORT_LIMIT_MS = 600_000
Form = Literal["csv", "stripe", "camt.053", "mt940"]
DifferenceKind = Literal["missing-here", "missing-there", "amount", "fee", "currency", "duplicate", "late"]


class ExpectedAmount(Value):
    """What a provider is to say: taken is positive, given back negative. A key counts once."""

    provider: Code
    key: Annotated[str, Meta(min_length=1, max_length=200)]
    kind: Code
    amount: Money
    reference: Annotated[str, Meta(max_length=200)] = ""
    fee: Money | None = None  # what it is to keep, where that is known
    day: date | None = None  # that of the call where it is left out


class Expect(Value):
    """Note what providers are to say."""

    items: Annotated[tuple[ExpectedAmount, ...], Meta(min_length=1, max_length=10_000)]


class Noted(Value):
    """How many were asked for; those that are known stay as they are."""

    items: int


class ImportFile(Value):
    """Take a file of a provider in, and match it.

    csv: columns reference, kind, date, currency, amount, fee; a line of the kind `payout`, with an amount below zero,
    is money on its way to the bank. stripe: its itemised balance report. camt.053 and mt940: what banks write of an
    account. days: how far two days of one amount may be apart.
    """

    provider: Code
    name: Annotated[str, Meta(min_length=1, max_length=200)]
    form: Form
    content: Annotated[str, Meta(max_length=CONTENT_MAX)]
    days: Annotated[int, Meta(ge=0, le=60)] = 3


class ImportedFile(Value):
    """A file that was taken in. matched: lines that have something expected behind them."""

    file_id: UUID
    provider: str
    name: str
    lines: int
    matched: int
    first_day: date | None
    last_day: date | None
    imported_at: Moment
    imported_by: str


class ListFiles(Value):
    """List files, the latest first."""

    limit: PageSize = 50


class Files(Value):
    """Files that were taken in."""

    items: tuple[ImportedFile, ...]


class Difference(Value):
    """Where a file and we differ. amount: how much more the file has than we believe; of `fee`, what was kept more.

    day: that of the file's line, or of what no file has.
    """

    difference_id: int
    provider: str
    kind: DifferenceKind
    reference: str
    amount: Money
    file_id: UUID | None
    line: int | None
    opened_at: Moment
    age_days: int
    owner: str
    resolved_at: Moment | None
    resolved_by: str
    account: str
    note: str
    day: date | None = None


class ListDifferences(Value):
    """List differences, the oldest first: those that are open, or all."""

    kind: DifferenceKind | None = None
    provider: Code | None = None
    owner: str | None = None
    is_open: bool = True
    limit: PageSize = 50
    cursor: int | None = None


class Differences(Value):
    """Some differences, and how to go on."""

    items: tuple[Difference, ...]
    next_cursor: int | None


class Assign(Value):
    """Say who sees to a difference; nobody where it is empty."""

    difference_id: int
    owner: Annotated[str, Meta(max_length=120)]


class Resolve(Value):
    """Resolve a difference. account: what it is booked on, such as expenses:payment-fees; empty where nothing is."""

    difference_id: int
    note: Annotated[str, Meta(min_length=1, max_length=240)]
    account: Annotated[
        str, Meta(pattern=r"^((assets|liabilities|income|expenses|equity)(:[a-z0-9][a-z0-9-]*)+)?\Z", max_length=160)
    ] = ""


@event("reconciliation.difference-resolved", version="1.0", subject="difference_id")
class DifferenceResolved(Value):
    """A difference was resolved by booking it: the provider has so much more of ours than we believed, or less."""

    difference_id: int
    provider: str
    reference: str
    amount: Money
    account: str
    note: str
    day: date | None = None  # that the difference is of


@event("reconciliation.payout-reported", version="1.0", subject="reference")
class PayoutReported(Value):
    """A provider says that it paid out to the bank; amount: what left it."""

    provider: str
    reference: str
    amount: Money
    day: date


@event("reconciliation.fees-reported", version="1.0", subject="file_id")
class FeesReported(Value):
    """A file says what its provider kept of lines whose fee nobody knew before, by currency."""

    file_id: UUID
    provider: str
    fees: tuple[Money, ...]
    day: date


class UnreadableFile(errors.BadAsk):
    """The file is not in the form that it is said to be in."""

    slug = "reconciliation.unreadable-file"

    def __init__(self, *, reason: str) -> None:
        super().__init__(
            reason,
            remedy="send the file as the provider wrote it, and say its form; a reader follows where columns changed",
            path="$.content",
        )


class FileKnown(errors.Conflict):
    """The same file was taken in before."""

    slug = "reconciliation.file-known"

    def __init__(self, *, name: str, file_id: str) -> None:
        super().__init__(
            f"this file was taken in before, as {name!r}",
            remedy="see it with reconciliation.list-files; nothing of it counts twice",
            path="$.content",
            file_id=file_id,
        )


class UnknownDifference(errors.NotFound):
    """No difference has this number."""

    slug = "reconciliation.unknown-difference"

    def __init__(self, *, difference_id: int) -> None:
        super().__init__(
            f"there is no difference {difference_id}",
            remedy="find it with reconciliation.list-differences",
            path="$.difference_id",
        )


class AlreadyResolved(errors.Conflict):
    """The difference was resolved."""

    slug = "reconciliation.already-resolved"

    def __init__(self, *, difference_id: int, by: str) -> None:
        super().__init__(
            f"difference {difference_id} was resolved by {by}",
            remedy="reverse its entry in the books if it was wrong",
            path="$.difference_id",
        )


class NothingToBook(errors.RuleBroken):
    """A difference that moves no money, or money of another currency than was believed, is not booked so."""

    slug = "reconciliation.nothing-to-book"

    def __init__(self, *, difference_id: int, kind: str) -> None:
        super().__init__(
            f"difference {difference_id} is of the kind {kind!r}, which is not booked on one account",
            remedy="resolve it without an account, and book what it needs with ledger.exchange or ledger.post",
            path="$.account",
        )


@capability("reconciliation.expect", version="1.0", effect=Effect.WRITE)
def expect(ask: Expect) -> Noted:
    """Note what providers are to say in their files."""
    ...


@capability(
    "reconciliation.import-file",
    version="1.0",
    effect=Effect.WRITE,
    raises=[UnreadableFile, FileKnown],
    deadline_ms=IMPORT_LIMIT_MS,
)
def import_file(ask: ImportFile) -> ImportedFile:
    """Take a file in and match it, all of it or nothing. The same content a second time is refused."""
    ...


@capability("reconciliation.list-files", version="1.0", effect=Effect.READ)
def list_files(ask: ListFiles) -> Files:
    """List the files that were taken in, the latest first."""
    ...


@capability("reconciliation.list-differences", version="1.0", effect=Effect.READ)
def list_differences(ask: ListDifferences) -> Differences:
    """List where files and we differ, the oldest first."""
    ...


@capability("reconciliation.assign", version="1.0", effect=Effect.WRITE, raises=[UnknownDifference, AlreadyResolved])
def assign(ask: Assign) -> Difference:
    """Say who sees to a difference."""
    ...


@capability(
    "reconciliation.resolve",
    version="1.0",
    effect=Effect.WRITE,
    raises=[UnknownDifference, AlreadyResolved, NothingToBook],
)
def resolve(ask: Resolve) -> Difference:
    """Resolve a difference with a note, and have it booked where an account is named."""
    ...
