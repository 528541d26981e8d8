"""Every error that Isthmus raises on purpose.

    IsthmusError             slug, message, remedy, path, facts
    ├── Refusal              the asker can do something about it
    │   ├── BadAsk           the ask does not fit its contract
    │   ├── NotAuthenticated nobody known is asking
    │   ├── NotPermitted     the front end or client may not do this
    │   ├── NotFound         what the ask names is not there
    │   ├── Conflict         the world is in another state than the ask assumes
    │   ├── RuleBroken       understood, and a rule of the business says no
    │   └── TooMany          a limit on number or rate is reached
    ├── Trouble              nothing wrong with the ask; the same ask may succeed later
    │   ├── Unavailable      a part that the answer needs does not respond
    │   │   └── Undone       the store undid its transaction for another one's sake, twice
    │   └── DeadlineExceeded the time given for the call is over
    └── Fault                a defect in code: an answer that raised, an undeclared error
BuildProblems                all that is wrong with a set of packs and front ends, at once

A message states the fact with its values, the remedy says what to do next, and the path
(`$.lines[0].sku`) says where in the ask.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from typing import ClassVar

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class IsthmusError(Exception):
    """What all deliberate errors share."""

    slug: ClassVar[str] = "isthmus.error"  # a pack's own are `pack.name-of-the-class`, and say so; the kernel's follow

    def __init_subclass__(cls) -> None:
        if "slug" not in vars(cls):
            cls.slug = _CAMEL.sub("-", cls.__name__).lower()

    def __init__(self, message: str, *, remedy: str, path: str | None = None, **facts: object) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.path = path
        self.facts = facts

    def __str__(self) -> str:
        return f"{self.message}{f' at {self.path}' if self.path else ''}; {self.remedy}"


class Refusal(IsthmusError):
    """The asker can do something about it; nothing was changed."""

    slug = "refused"


class BadAsk(Refusal):
    """The ask does not fit its contract."""


class NotAuthenticated(Refusal):
    """No known client is asking."""


class NotPermitted(Refusal):
    """The front end, or its client, may not do this."""


class NotFound(Refusal):
    """What the ask names is not there."""


class Conflict(Refusal):
    """The world is in another state than the ask assumes."""


class RuleBroken(Refusal):
    """The ask was understood, and a rule of the business says no."""


class TooMany(Refusal):
    """A limit on number or rate is reached."""


class Trouble(IsthmusError):
    """Nothing is wrong with the ask; the same ask may succeed later."""


class Unavailable(Trouble):
    """A part that the answer needs does not respond."""


class Undone(Unavailable):
    """The store undid a whole transaction for another one's sake, also when it was run a second time."""


class DeadlineExceeded(Trouble):
    """The time given for the call is over; what the call had begun is undone."""


class Fault(IsthmusError):
    """A defect in code, reported with the place to look at."""


class AnswerFailed(Fault):
    """A front end's answer to an extension point raised, and the point has no fallback."""


class UnknownCapability(NotFound):
    """No capability of this name is offered."""


class UnknownDimensionValue(BadAsk):
    """A dimension of the ask has a value outside its closed set."""


class KeyReused(Conflict):
    """The idempotency key already belongs to another ask."""

    slug = "idempotency-key-reused"


class RulesNotKept(Conflict):
    """The rules that something was sold under are not at hand, so nobody can be treated by them."""

    slug = "rules-not-kept"


class AlreadyAnswered(Exception):
    """The store's word to the pipeline: this key and ask have been answered, with these bytes."""

    def __init__(self, answer: bytes) -> None:
        super().__init__("already answered")
        self.answer = answer


class BuildProblems(Exception):
    """Everything that keeps a set of packs and front ends from running, in one report."""

    def __init__(self, problems: Sequence[str]) -> None:
        listing = "\n".join(f"  {number}. {problem}" for number, problem in enumerate(problems, 1))
        super().__init__(f"{len(problems)} problem(s) to solve before this can run:\n{listing}")
        self.problems = tuple(problems)


def near(wrong: str, known: Iterable[str]) -> str:
    """Return a hint ` (did you mean 'x'?)` for a misspelt name, or nothing where none is near."""
    # one letter is much of a short word, and long names have much in common
    found = difflib.get_close_matches(wrong, list(known), n=1, cutoff=0.6 if len(wrong) < 8 else 0.7)
    return f" (did you mean {found[0]!r}?)" if found else ""


def kebab(name: str) -> str:
    """Turn a Python name (`price_line`, `PriceLine`) into its form on the wire (`price-line`)."""
    return _CAMEL.sub("-", name).replace("_", "-").lower()
