"""Gift cards and store credit, as others may name them: a means of payment that is kept here, beside providers' means.

A programme is its owner's, who lets others give cards out and take them by a grant of `payment.credit_programme`. A
card is known by its code, which is told once and kept nowhere. What it pays is held until the rest is paid, and taken
with it; what is not taken comes back to it, and so does what is refunded. Nobody outside is asked, so each step is done
in the transaction that begins it. What is left on a card is owed by the owner of its programme: `payment.credit-moved`
says it to the books of the front end where it moved, and to those of the owner.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal
from uuid import UUID

from isthmus.kernel import Effect, Meta, Value, capability, errors, event
from isthmus.markings import Pii
from isthmus.values import Code, CurrencyCode, Moment, Money, PageSize

from .errors import AmountExceeded, IllegalStep, StepUnderWay, UnknownPayment, WrongAmount
from .model import Payment
from .parts import CREDITS_MAX, Reference

CREDIT: Final = "credit"  # the provider and the method of what is paid with credit
PURCHASE: Final = "credit/"  # what the payment for a card is called, before whose it is and its id
RETURNED_DAYS: Final = 90  # what comes back to a card is good for at least so long
SETTLED_MAX: Final = 500  # cards and moves in one transaction

CreditKind = Literal["sold", "given", "held", "released", "redeemed", "returned", "taken-back", "expired"]
CreditCode = Annotated[str, Pii("identifier"), Meta(min_length=1, max_length=40)]


class CreditProgramme(Value):
    """What cards of a kind have in common."""

    code: Code
    currency: CurrencyCode
    name: Annotated[str, Meta(max_length=120)] = ""
    valid_days: Annotated[int, Meta(ge=1, le=36_500)] | None = None  # None: they never expire


class PutCreditProgramme(CreditProgramme):
    """Make a programme of gift cards or store credit, or change it. Cards that were given out keep their day."""


class CreditProgrammePut(Value):
    """The programme that stands now."""

    code: Code


class SellCredit(Value):
    """Sell a card: it has its amount once that is paid."""

    programme: Code
    amount: Money
    owner: Code | None = None  # None: this front end's own programme
    received_as: Code | None = None  # how it was paid on the spot; None: payment is still to come


class GiveCredit(Value):
    """Give credit that nobody pays for, such as for goodwill."""

    programme: Code
    amount: Money
    reference: Reference  # what it is given for
    owner: Code | None = None


class IssuedCredit(Value):
    """A card with its code, which is told this once."""

    credit_id: UUID
    code: CreditCode
    balance: Money
    expires_at: Moment | None
    payment_id: UUID | None = None  # what it is to be paid with, or was


class GetCredit(Value):
    """Ask what is left on a card, by its code."""

    code: CreditCode


class Credit(Value):
    """A card, and what is left on it."""

    credit_id: UUID
    owner: str
    programme: str
    last_letters: str
    balance: Money
    expires_at: Moment | None


class ListCredit(Value):
    """Ask for cards, the latest first: of one's own programmes, and those that one gave out.

    last_letters: of the code, which nobody keeps.
    """

    last_letters: Annotated[str, Meta(pattern=r"^[A-Za-z0-9]{0,4}\Z")] = ""
    limit: PageSize = 50


class CardOnList(Credit):
    """A card with who gave it out, and when."""

    issuer: str
    issued_at: Moment


class CardsOnList(Value):
    """Cards, the latest first; where there are more, letters narrow them."""

    items: tuple[CardOnList, ...]


class ListCreditProgrammes(Value):
    """Ask which programmes the front end may give cards of."""


class UsableProgramme(Value):
    """A programme, and whose it is."""

    owner: str
    code: Code
    name: str
    currency: CurrencyCode


class CreditProgrammes(Value):
    """Programmes by their owners and codes."""

    items: tuple[UsableProgramme, ...]


class ListCreditMoves(Value):
    """Ask what moved on a card: here, and for its owner everywhere."""

    credit_id: UUID
    limit: PageSize = 50


class CreditMove(Value):
    """What came onto a card, or left it."""

    kind: CreditKind
    amount: Money
    front_end: str
    reference: str
    at: Moment


class CreditMoves(Value):
    """What moved on a card, the latest first."""

    items: tuple[CreditMove, ...]


class PayWithCredit(Value):
    """Hold what a card has for what is open of something: of the balance first, then of what is due at once."""

    reference: Reference
    code: CreditCode
    at_most: Money | None = None


class LetGoOfCredit(Value):
    """Give back to their cards what they hold for something that is not paid yet."""

    reference: Reference


class SettleCredit(Value):
    """Let cards expire, and take notice of what others did with cards of one's programmes."""

    limit: Annotated[int, Meta(ge=1, le=SETTLED_MAX)] = SETTLED_MAX


class CreditSettled(Value):
    """How many cards expired, and how many moves were taken notice of."""

    expired: int
    noted: int


@event("payment.credit-moved", version="1.0", subject="credit_id")
class CreditMoved(Value):
    """More or less is owed on a card. amount: by how much more. front_end: where it happened."""

    credit_id: UUID
    owner: str
    front_end: str
    kind: CreditKind
    amount: Money
    reference: str


class UnknownCreditProgramme(errors.NotFound):
    """There is no such programme that this front end owns or may use."""

    slug = "payment.unknown-credit-programme"

    def __init__(self, *, programme: str) -> None:
        super().__init__(
            f"there is no programme {programme!r} of credit that you own or may use",
            remedy="make one with payment.put-credit-programme, or ask its owner for a grant",
            path="$.programme",
        )


class OtherCurrency(errors.Conflict):
    """The programme has cards in another currency."""

    slug = "payment.other-currency"

    def __init__(self, *, programme: str, currency: str) -> None:
        super().__init__(
            f"the programme {programme!r} is in another currency than {currency}",
            remedy="make another programme for it",
            path="$.currency",
        )


class UnknownCredit(errors.NotFound):
    """No card with this code can be used here."""

    slug = "payment.unknown-credit"

    def __init__(self, *, path: str = "$.code") -> None:
        super().__init__("no card with this code can be used here", remedy="read the code again", path=path)


class NothingOnCard(errors.RuleBroken):
    """There is nothing on the card that it could pay with."""

    slug = "payment.nothing-on-card"

    def __init__(self, *, last_letters: str, why: str) -> None:
        super().__init__(
            f"the card that ends in {last_letters} pays nothing: {why}",
            remedy="pay in another way, or with another card",
            path="$.code",
        )


class TooManyCards(errors.RuleBroken):
    """So many cards pay for this already."""

    slug = "payment.too-many-cards"

    def __init__(self) -> None:
        super().__init__(
            f"{CREDITS_MAX} cards were used for this already",
            remedy="pay the rest in another way",
            path="$.code",
        )


class CardIsUsed(errors.RuleBroken):
    """What a card was bought with cannot be given back: it has been used."""

    slug = "payment.card-is-used"

    def __init__(self, *, wanted: Money, left: Money) -> None:
        super().__init__(
            f"{wanted} are to be given back, and {left} are left on the card",
            remedy="give back no more than is left on it",
            path="$.amount",
        )


@capability("payment.put-credit-programme", version="1.0", effect=Effect.WRITE, raises=[OtherCurrency])
def put_credit_programme(ask: PutCreditProgramme) -> CreditProgrammePut:
    """Make a programme of gift cards or store credit of one's own, or change its name and its cards' days."""
    ...


@capability("payment.sell-credit", version="1.0", effect=Effect.WRITE, raises=[UnknownCreditProgramme, WrongAmount])
def sell_credit(ask: SellCredit) -> IssuedCredit:
    """Make a card, and the payment that buys it. It has its amount once that is captured.

    What the payment gives back later is taken off the card, as far as it is still there.
    """
    ...


@capability("payment.give-credit", version="1.0", effect=Effect.WRITE, raises=[UnknownCreditProgramme, WrongAmount])
def give_credit(ask: GiveCredit) -> IssuedCredit:
    """Make a card that nobody pays for: store credit, for goodwill or instead of money."""
    ...


@capability("payment.get-credit", version="1.0", effect=Effect.READ, raises=[UnknownCredit])
def get_credit(ask: GetCredit) -> Credit:
    """Return what is left on a card; what is held for orders that are not paid yet is not."""
    ...


@capability("payment.list-credit", version="1.0", effect=Effect.READ)
def list_credit(ask: ListCredit) -> CardsOnList:
    """List cards of one's own programmes and those that one gave out, such as all whose code ends in some letters."""
    ...


@capability("payment.list-credit-programmes", version="1.0", effect=Effect.READ)
def list_credit_programmes(ask: ListCreditProgrammes) -> CreditProgrammes:
    """List the programmes that the front end may give cards of: its own, and those that it was granted."""
    ...


@capability("payment.list-credit-moves", version="1.0", effect=Effect.READ)
def list_credit_moves(ask: ListCreditMoves) -> CreditMoves:
    """List what moved on a card: here, and for the owner of its programme everywhere."""
    ...


@capability(
    "payment.pay-with-credit",
    version="1.0",
    effect=Effect.WRITE,
    raises=[UnknownCredit, NothingOnCard, TooManyCards, IllegalStep, StepUnderWay, AmountExceeded, UnknownPayment],
    is_internal=True,
)
def pay_with_credit(ask: PayWithCredit) -> Payment:
    """Hold what a card has, and expect so much less of the payments that nobody has begun."""
    ...


@capability(
    "payment.let-go-of-credit",
    version="1.0",
    effect=Effect.WRITE,
    raises=[IllegalStep, StepUnderWay, UnknownPayment],
    is_internal=True,
)
def let_go_of_credit(ask: LetGoOfCredit) -> Payment:
    """Give back to cards what they hold, and expect it of the first payment again, which nobody has begun."""
    ...


@capability("payment.settle-credit", version="1.0", effect=Effect.WRITE)
def settle_credit(ask: SettleCredit) -> CreditSettled:
    """Let cards of one's own programmes expire, and tell what other front ends did with them, for the books."""
    ...
