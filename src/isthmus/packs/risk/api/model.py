"""What is judged and how it comes out, as others may name it."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from isthmus.kernel import Meta, Value
from isthmus.markings import Pii
from isthmus.values import Money

Kind = Literal["sign-in", "registration", "coupon", "order", "payment", "return", "payout"]
Outcome = Literal["accept", "challenge", "review", "reject"]
MarkKind = Literal["person", "member", "card", "address", "device", "network"]
SettledAs = Literal["release", "reject"]

KINDS: Final[tuple[Kind, ...]] = ("sign-in", "registration", "coupon", "order", "payment", "return", "payout")
MARKS: Final[tuple[MarkKind, ...]] = ("person", "member", "card", "address", "device", "network")
OUTCOMES: Final[tuple[Outcome, ...]] = ("accept", "challenge", "review", "reject")  # from mild to hard
MARKS_MAX: Final = 12
SCORE_MAX: Final = 1_000
PASSED: Final = "challenge-passed"  # the list of who has proved to be one

Code = Annotated[str, Meta(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*\Z", max_length=60)]
Reference = Annotated[str, Meta(min_length=1, max_length=128)]


class Mark(Value):
    """By what somebody is known again: an address of e-mail (person), a card's token, a postal address in one line."""

    kind: MarkKind
    value: Annotated[str, Pii("identifier"), Meta(min_length=1, max_length=500)]


class Known(Value):
    """What is known of one mark, counted over all front ends: how often the same came within a time, and rejections.

    A window ends now: what came exactly ten minutes ago is not in `m10` any more. This time counts.
    """

    m10: int = 0
    h1: int = 0
    d1: int = 0
    d7: int = 0
    d30: int = 0
    rejected: int = 0
    front_ends: int = 0


class Facts(Value):
    """All that a decision is made by. about: what whoever asks says of it."""

    kind: Kind
    hour: int
    amount: Money | None = None
    seen: dict[str, Known] = {}
    lists: dict[str, tuple[str, ...]] = {}
    about: dict[str, Any] = {}


class Reason(Value):
    """Why: a code, and how much it adds to the score. by: the rule or the answer that says so."""

    code: Code
    score: Annotated[int, Meta(ge=-SCORE_MAX, le=SCORE_MAX)] = 0
    outcome: Outcome | None = None
    by: str = ""
