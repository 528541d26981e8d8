"""Scenarios, as others may name them: rules that staff write, tried before they count."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from isthmus.kernel import Effect, Meta, Value, capability, errors
from isthmus.values import Moment

from .model import SCORE_MAX, Code, Kind, Outcome, SettledAs
from .scoring import Remote

RULES_MAX: Final = 100
CEL_MAX: Final = 1_000  # characters: a rule that nobody can read judges nobody
TRIED_MAX: Final = 20_000  # decisions of one back-test
State = Literal["draft", "shadow", "live", "ended"]


class Rule(Value):
    """One rule. when: a condition in CEL over kind, hour, amount, currency, seen, lists and about.

    outcome: what it leads to by itself; a rule that accepts ends the judging. score: what it adds.
    """

    code: Code
    when: Annotated[str, Meta(min_length=1, max_length=CEL_MAX)]
    kinds: tuple[Kind, ...] = ()
    score: Annotated[int, Meta(ge=-SCORE_MAX, le=SCORE_MAX)] = 0
    outcome: Outcome | None = None


class Content(Value):
    """Rules in their order, from which score on what is done, and how long a review may take.

    otherwise: what is done with a review that nobody has decided by then. watches: kinds whose facts are kept though no
    rule is about them. What neither rules nor `watches` are about is not looked at; with neither, all is watched.
    remote: a service whose score counts too.
    """

    rules: Annotated[tuple[Rule, ...], Meta(max_length=RULES_MAX)] = ()
    watches: tuple[Kind, ...] = ()
    remote: Remote | None = None
    challenge_from: Annotated[int, Meta(ge=1)] = SCORE_MAX
    review_from: Annotated[int, Meta(ge=1)] = SCORE_MAX
    reject_from: Annotated[int, Meta(ge=1)] = SCORE_MAX
    decide_within_s: Annotated[int, Meta(ge=60, le=7 * 86_400)] = 86_400
    otherwise: SettledAs = "reject"


class PutScenario(Content):
    """Write another version of the rules; it judges nothing yet."""


class NameScenario(Value):
    """Name a version of the rules."""

    version: Annotated[int, Meta(ge=1)]


class RunScenario(NameScenario):
    """Have a version judge (live), judge beside it without effect (shadow), or end."""

    state: Literal["shadow", "live", "ended"]


class ListScenarios(Value):
    """Ask for all versions."""


class BackTest(NameScenario):
    """Try a version on what was decided in a time."""

    since: Moment
    until: Moment


class Tried(Value):
    """What a version would have done. caught: fraud that it stops; hurt: honest ones that it stops."""

    since: Moment
    until: Moment
    decisions: int = 0
    outcomes: dict[str, int] = {}
    changed: int = 0  # otherwise than it was decided
    fraud: int = 0
    caught: int = 0
    honest: int = 0
    hurt: int = 0
    failed: dict[str, int] = {}  # by rule: how often it could not be worked out
    is_cut: bool = False  # there were more than one back-test takes


class Scenario(Value):
    """One version of a front end's rules. is_shadowed: it has run in the shadow."""

    version: int
    state: State
    content: Content
    tried: Tried | None
    made_by: str
    made_at: Moment
    is_shadowed: bool = False


class Scenarios(Value):
    """All versions, the newest first."""

    items: tuple[Scenario, ...]


class WrongRule(errors.BadAsk):
    """A rule is no condition in CEL, or names what is not there."""

    slug = "risk.wrong-rule"

    def __init__(self, *, code: str, because: str, path: str) -> None:
        super().__init__(
            f"rule {code!r} cannot be read: {because}",
            remedy="write a condition such as seen.person.h1 > 5 && amount > 10000",
            path=path,
        )


class UnknownScenario(errors.NotFound):
    """There is no such version of the rules."""

    slug = "risk.unknown-scenario"

    def __init__(self, *, version: int) -> None:
        super().__init__(
            f"there is no version {version} of the rules", remedy="list them: risk.list-scenarios", path="$.version"
        )


class NotTried(errors.RuleBroken):
    """A version with rules counts only once it was tried on what was decided, and has run in the shadow."""

    slug = "risk.not-tried"

    def __init__(self, *, version: int, is_tried: bool = False) -> None:
        lacks = f"version {version} has not run in the shadow yet"
        super().__init__(
            lacks if is_tried else f"version {version} was not tried yet",
            remedy="try it on recorded decisions first (risk.back-test), and run it with the state shadow",
            path="$.version",
        )


@capability("risk.put-scenario", version="1.0", effect=Effect.WRITE, raises=[WrongRule])
def put_scenario(ask: PutScenario) -> Scenario:
    """Write another version of the rules. It judges nothing until it is tried and run."""
    ...


@capability("risk.run-scenario", version="1.0", effect=Effect.WRITE, raises=[UnknownScenario, NotTried])
def run_scenario(ask: RunScenario) -> Scenario:
    """Have a version judge instead of the one that does, in its shadow, or no more. Servers follow in seconds."""
    ...


@capability("risk.back-test", version="1.0", effect=Effect.WRITE, raises=[UnknownScenario], deadline_ms=60_000)
def back_test(ask: BackTest) -> Tried:
    """Judge by a version what was decided in a time, from the facts of then, and keep what comes of it."""
    ...


@capability("risk.list-scenarios", version="1.0", effect=Effect.READ)
def list_scenarios(ask: ListScenarios) -> Scenarios:
    """List all versions of the rules."""
    ...
