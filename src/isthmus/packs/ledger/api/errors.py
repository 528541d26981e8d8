"""What the books refuse, and what to do about it. Named through `ledger.api`."""

from __future__ import annotations

from datetime import date

from isthmus.kernel import errors
from isthmus.values import Money


class Unbalanced(errors.BadAsk):
    """The legs of an entry do not add up to zero."""

    slug = "ledger.unbalanced"

    def __init__(self, *, difference: Money, path: str) -> None:
        super().__init__(
            f"the legs add up to {difference}, not to zero",
            remedy="book what is missing on the account that it belongs to; a debit is positive, a credit negative",
            path=path,
            difference=str(difference),
        )


class WrongLeg(errors.BadAsk):
    """A leg that moves nothing, or an account or owner that cannot be."""

    slug = "ledger.wrong-leg"

    def __init__(self, *, reason: str, path: str) -> None:
        super().__init__(
            reason,
            remedy="name an account such as assets:clearing, an owner such as seller/17 or none, and an amount",
            path=path,
        )


class ReferenceUsed(errors.Conflict):
    """The reference belongs to an entry with another content."""

    slug = "ledger.reference-used"

    def __init__(self, *, reference: str) -> None:
        super().__init__(
            f"{reference!r} has been booked with another content",
            remedy="read it with ledger.get-entry; reverse it and book under a new reference if it is wrong",
            path="$.entries",
            reference=reference,
        )


class BoundExceeded(errors.RuleBroken):
    """An account would pass its limit; nothing is booked."""

    slug = "ledger.bound-exceeded"

    def __init__(self, *, what: str) -> None:
        super().__init__(
            what,
            remedy="book less, bring the balance up first, or change the limit with ledger.set-limits",
            path="$.entries",
        )


class PeriodClosed(errors.RuleBroken):
    """The day is closed."""

    slug = "ledger.period-closed"

    def __init__(self, *, through: str) -> None:
        super().__init__(
            f"the books are closed through {through}",
            remedy="leave out value_date, or send when_closed='next-open-day', to book on the first open day; "
            "or open the days again with ledger.reopen-period",
            path="$.entries",
            closed_through=through,
        )


class UnknownEntry(errors.NotFound):
    """No entry has this reference."""

    slug = "ledger.unknown-entry"

    def __init__(self, *, reference: str, path: str = "$.reference") -> None:
        super().__init__(
            f"nothing was booked under {reference!r}", remedy="find it with ledger.list-entries", path=path
        )


class UnknownAccount(errors.NotFound):
    """No such account was opened."""

    slug = "ledger.unknown-account"

    def __init__(self, *, account: str) -> None:
        super().__init__(
            f"there is no account {account}",
            remedy="see the accounts with ledger.list-accounts",
            path="$.account",
        )


class AccountHasLegs(errors.Conflict):
    """An account that has been booked on without a limit gets none any more."""

    slug = "ledger.account-has-legs"

    def __init__(self, *, account: str) -> None:
        super().__init__(
            f"{account} has been booked on without a limit",
            remedy="open another account with the limit, and book what stands there over to it",
            path="$.account",
        )


class WrongLimits(errors.RuleBroken):
    """The limits are in no order, or the balance is outside of them."""

    slug = "ledger.wrong-limits"

    def __init__(self, *, reason: str) -> None:
        super().__init__(reason, remedy="choose limits that hold the balance as it is", path="$.least")


class AlreadyEnded(errors.Conflict):
    """A pending entry has ended in another way, or the entry was never pending."""

    slug = "ledger.already-ended"

    def __init__(self, *, reference: str, state: str, wanted: str) -> None:
        super().__init__(
            f"{reference!r} is {state}, so it cannot be {wanted}",
            remedy="book a new entry; a posted one is undone with ledger.reverse",
            path="$.reference",
            state=state,
        )


class NotReversible(errors.Conflict):
    """Only what is posted can be reversed."""

    slug = "ledger.not-reversible"

    def __init__(self, *, reference: str, state: str) -> None:
        super().__init__(
            f"{reference!r} is {state}, so there is nothing to reverse",
            remedy="void what is pending with ledger.void-pending",
            path="$.reverses",
            state=state,
        )


class AlreadyReversed(errors.Conflict):
    """An entry is reversed once."""

    slug = "ledger.already-reversed"

    def __init__(self, *, reference: str) -> None:
        super().__init__(
            f"what {reference!r} is to reverse has been reversed",
            remedy="find the entry that did with ledger.list-entries; reverse that one to undo it",
            path="$.reverses",
        )


class WrongExchange(errors.BadAsk):
    """The rate or the amounts make no exchange."""

    slug = "ledger.wrong-exchange"

    def __init__(self, *, reason: str, path: str) -> None:
        super().__init__(
            reason,
            remedy='send a positive amount, two currencies and a rate such as "1.0845", or "1/1.0845" for its inverse',
            path=path,
        )


class BadCursor(errors.BadAsk):
    """The cursor is not one that this list gave."""

    slug = "ledger.bad-cursor"

    def __init__(self) -> None:
        super().__init__(
            "the cursor is not one of this list", remedy="send next_cursor as it was given", path="$.cursor"
        )


class NothingToReopen(errors.Conflict):
    """The days are open already."""

    slug = "ledger.nothing-to-reopen"

    def __init__(self, *, after: date | None, through: date | None) -> None:
        super().__init__(
            f"the books are closed through {through or 'no day'}, so nothing after {after or 'then'} is closed",
            remedy="see with ledger.get-period what is closed",
            path="$.closed_through",
        )
