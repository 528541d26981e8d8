"""On which rung something stands, and what is missing for the next one; pure.

independent → sandbox → incubating → shared → core. A rung is held where all that it and those below it ask was so in
the window of 28 days that ends now, or in the one before: who fails one window is warned, who fails two goes down.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final, Literal

from isthmus.kernel import Value

Rung = Literal["independent", "sandbox", "incubating", "shared", "core"]
RUNGS: Final[tuple[Rung, ...]] = ("independent", "sandbox", "incubating", "shared", "core")
WINDOW: Final = timedelta(days=28)
IDLE_DAYS: Final = 90  # without a call: whoever owns it should say whether it goes
AUDIT_DAYS: Final = 365


class Seen(Value):
    """What was seen of a pack in one window; None: nobody could see it.

    front_ends: that called in the window and had begun before it. teams: their owners, each once. effective: how many
    front ends it serves, weighed by calls (1 / Σ share²). well: the share of calls that did not fail by the platform's
    fault. steady_days: since a contract of it was broken, or was first served. alone: findings of its logic that one
    front end alone takes. of_all: front_ends of all that called anything.
    """

    front_ends: int
    teams: int
    effective: float
    well: float | None
    recorded: int
    steady_days: int | None
    alone: int | None
    of_all: float | None
    audited_days: int | None


class Criterion(Value):
    """One thing that a rung asks for: how much is needed, and what was seen in this window and in the one before.

    is_limit: it may be at most `needed`, not at least. A number that nobody could see does not count as met.
    """

    rung: Rung
    name: str
    needed: float
    seen: float | None
    before: float | None
    is_limit: bool = False
    is_share: bool = False

    @property
    def holds(self) -> bool:
        """Return whether it is so now."""
        return self._fits(self.seen)

    @property
    def held(self) -> bool:
        """Return whether it was so in the window before."""
        return self._fits(self.before)

    def _fits(self, seen: float | None) -> bool:
        return seen is not None and (seen <= self.needed if self.is_limit else seen >= self.needed)


class Standing(Value):
    """Where something stands. `next`: the rung above, nothing at the top; criteria: of its own rung and of the next.

    notice: what somebody has to do now; falls: it did not hold its rung in this window, and goes down with another.
    """

    code: str
    kind: str
    owner: str
    rung: Rung
    next: Rung | None
    criteria: tuple[Criterion, ...]
    falls: bool = False
    notice: str = ""

    @property
    def missing(self) -> tuple[Criterion, ...]:
        """Return what the next rung asks for and does not see."""
        return tuple(one for one in self.criteria if one.rung == self.next and not one.holds)


Number = Callable[[Seen], float | None]
# rung, name, needed, number, whether it is a limit from above
_ASKED: Final[tuple[tuple[Rung, str, float, Number, bool], ...]] = (
    ("incubating", "front-ends", 2, lambda seen: seen.front_ends, False),
    ("incubating", "well", 0.995, lambda seen: seen.well, False),
    ("incubating", "recorded", 10_000, lambda seen: seen.recorded, False),
    ("incubating", "steady", 30, lambda seen: seen.steady_days, False),
    ("shared", "teams", 3, lambda seen: seen.teams, False),
    ("shared", "effective", 2, lambda seen: seen.effective, False),
    ("shared", "steady", 90, lambda seen: seen.steady_days, False),
    ("shared", "alone", 0, lambda seen: seen.alone, True),
    ("core", "of-all", 0.5, lambda seen: seen.of_all, False),
    ("core", "well", 0.9995, lambda seen: seen.well, False),
    ("core", "audited", AUDIT_DAYS, lambda seen: seen.audited_days, True),
)
_SHARES: Final = ("well", "of-all")


def standing(code: str, owner: str, now: Seen, before: Seen | None, idle_days: int) -> Standing:
    """Return on which rung a pack stands. before: the window before this; None where nothing was counted yet.

    idle_days: since anybody called it; where nobody has, since calls are counted.
    """
    criteria = tuple(
        Criterion(
            rung=rung, name=name, needed=needed, seen=number(now), before=number(before) if before else None,
            is_limit=is_limit, is_share=name in _SHARES,
        )
        for rung, name, needed, number, is_limit in _ASKED
    )  # fmt: skip
    held_now, held_before = _reached(criteria, is_before=False), _reached(criteria, is_before=True)
    at = max(held_now, held_before)
    rung, following = RUNGS[at], RUNGS[at + 1] if at + 1 < len(RUNGS) else None
    is_idle = idle_days >= IDLE_DAYS
    return Standing(
        code=code,
        kind="pack",
        owner=owner,
        rung=rung,
        next=following,
        criteria=tuple(one for one in criteria if one.rung in (rung, following)),
        falls=held_now < at,
        notice="idle" if is_idle else "falls" if held_now < at else "",
    )


def _reached(criteria: Sequence[Criterion], *, is_before: bool) -> int:
    """Return the place of the highest rung of which all is so, and of those below it."""
    at = RUNGS.index("sandbox")
    for place in range(at + 1, len(RUNGS)):
        asked = [one for one in criteria if one.rung == RUNGS[place]]
        if not all(one.held if is_before else one.holds for one in asked):
            return at
        at = place
    return at
