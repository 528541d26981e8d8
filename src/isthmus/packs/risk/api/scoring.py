"""Scores of services outside, as others may name them: what one is asked, and what stands in for it.

A service is asked before what it is about begins, with a deadline, and what it said is kept; nobody waits for one in a
transaction. Deciding takes what was said, or the score that the scenario declares for where nothing was.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Final, Protocol

from isthmus.kernel import Effect, Meta, Value, capability
from isthmus.manifest import Place
from isthmus.values import Money

from .deciding import Marks
from .model import SCORE_MAX, Code, Kind, MarkKind

REMOTE_MS_MAX: Final = 5_000


class Remote(Value):
    """Have a service score some kinds. otherwise: the score that counts where it has said nothing in time.

    deadline_ms: how long it is waited for when it is asked; valid_s: for how long what it said counts.
    """

    name: Annotated[str, Meta(min_length=1, max_length=60)]
    kinds: Annotated[tuple[Kind, ...], Meta(min_length=1)]
    otherwise: Annotated[int, Meta(ge=-SCORE_MAX, le=SCORE_MAX)]
    deadline_ms: Annotated[int, Meta(ge=10, le=REMOTE_MS_MAX)] = 500
    valid_s: Annotated[int, Meta(ge=10, le=86_400)] = 900


class ScoreAsk(Value):
    """What a service is asked. marks: keyed hashes by kind, so that it knows somebody again and not who they are."""

    front_end: str
    kind: Kind
    hour: int
    amount: Money | None
    marks: dict[MarkKind, str]
    about: dict[str, Any]


class Score(Value):
    """What a service says: how much it adds, and why."""

    score: Annotated[int, Meta(ge=-SCORE_MAX, le=SCORE_MAX)]
    reasons: Annotated[tuple[Code, ...], Meta(max_length=10)] = ()


class Scorer(Protocol):
    """Scores what is judged. One that raises, or does not answer in time, has not answered."""

    name: str

    async def score(self, *, key: str, ask: ScoreAsk) -> Score:
        """Return a score; the same key is the same ask."""
        ...


class Scorers:
    """The services that are connected, by name."""

    def __init__(self, services: Iterable[Scorer] = ()) -> None:
        self.by_name = {one.name: one for one in services}


class RequestScore(Value):
    """Have what is about to begin scored, by the marks that it will be judged by, or some of them."""

    kind: Kind
    marks: Annotated[Marks, Meta(min_length=1)]
    amount: Money | None = None
    about: dict[str, Any] = {}


class Requested(Value):
    """How many services were asked, and how many have answered in time."""

    asked: int
    answered: int


@capability("risk.request-score", version="1.0", effect=Effect.READ, deadline_ms=2 * REMOTE_MS_MAX)
def request_score(ask: RequestScore) -> Requested:
    """Ask the services that scenarios name for this kind, and keep what they say for `decide`; none: nobody is asked.

    Not within a transaction. What is not answered by its deadline has said nothing: the scenario says what counts then.
    """
    ...


def connected(place: Place) -> Scorers:
    """Connect the services that the settings chose."""
    return Scorers(place.providers.values())
