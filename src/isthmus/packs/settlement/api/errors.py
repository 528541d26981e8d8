"""What settlement refuses, and what to do about it. Named through `settlement.api`."""

from __future__ import annotations

from isthmus.kernel import errors


class BadCursor(errors.BadAsk):
    """The cursor is not one that this list gave."""

    slug = "settlement.bad-cursor"

    def __init__(self) -> None:
        super().__init__(
            "the cursor is not one of this list", remedy="send next_cursor as it was given", path="$.cursor"
        )


class WrongIban(errors.BadAsk):
    """The account number cannot be: its check digits are wrong."""

    slug = "settlement.wrong-iban"

    def __init__(self, *, iban: str) -> None:
        super().__init__(
            f"{iban!r} is no IBAN: its check digits are wrong",
            remedy="write it as the bank does; spaces do not matter",
            path="$.iban",
        )


class UnknownSettlement(errors.NotFound):
    """No settlement has this id."""

    slug = "settlement.unknown-settlement"

    def __init__(self, *, settlement_id: str) -> None:
        super().__init__(
            f"there is no settlement {settlement_id}",
            remedy="find it with settlement.list-settlements",
            path="$.settlement_id",
        )


class UnknownFile(errors.NotFound):
    """No payout file has this id."""

    slug = "settlement.unknown-file"

    def __init__(self, *, file_id: str) -> None:
        super().__init__(
            f"there is no payout file {file_id}",
            remedy="a settlement that was sent names its file, see settlement.get-settlement",
            path="$.file_id",
        )


class WrongState(errors.Conflict):
    """The settlement is not where this can be done."""

    slug = "settlement.wrong-state"

    def __init__(self, *, settlement_id: str, state: str, wanted: str) -> None:
        super().__init__(
            f"settlement {settlement_id} is {state}, so it cannot be {wanted}",
            remedy="look at it with settlement.get-settlement; what was sent comes back only from the bank",
            path="$.settlement_id",
            state=state,
        )


class AlreadyCarried(errors.Conflict):
    """What the settlement left is in the next one already."""

    slug = "settlement.already-carried"

    def __init__(self, *, settlement_id: str, carried_to: str) -> None:
        super().__init__(
            f"what settlement {settlement_id} left is in {carried_to}",
            remedy="cancel that one first",
            path="$.settlement_id",
            carried_to=carried_to,
        )


class SameEyes(errors.RuleBroken):
    """Whoever drew a settlement up does not approve it."""

    slug = "settlement.same-eyes"

    def __init__(self, *, who: str) -> None:
        super().__init__(
            f"{who!r} drew this settlement up, and another one must approve it",
            remedy="let somebody else approve it, who is signed in under a name of their own",
            path="$.settlement_id",
        )


class PayoutRefused(errors.RuleBroken):
    """Somebody who looks at payouts before they count does not let this one through. Who looks says why."""

    slug = "settlement.payout-refused"


class NoBankAccount(errors.RuleBroken):
    """It is not known where money is paid from, or to."""

    slug = "settlement.no-bank-account"

    def __init__(self, *, whose: str, remedy: str) -> None:
        super().__init__(f"no bank account is known of {whose}", remedy=remedy, path="$")


class NothingToPay(errors.RuleBroken):
    """No approved settlement has a payout in this currency."""

    slug = "settlement.nothing-to-pay"

    def __init__(self, *, currency: str) -> None:
        super().__init__(
            f"no settlement in {currency} is approved and not sent",
            remedy="draw settlements up with settlement.draw-up, and have them approved",
            path="$.currency",
        )
