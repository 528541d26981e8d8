"""What a flag is for somebody, and why."""

from __future__ import annotations

from typing import Annotated, Any

from isthmus.kernel import Effect, Meta, Value, capability
from isthmus.markings import Pii

from .definition import FlagKey
from .errors import NoExperiment, UnknownFlag

TargetingKey = Annotated[str, Pii("identifier"), Meta(max_length=200)]


class Context(Value):
    """Who asks, and what rules may look at. targeting_key: whose share it is, such as a member's or a device's id."""

    targeting_key: TargetingKey = ""
    attributes: Annotated[dict[str, Any], Meta(max_length=100)] = {}


class EvaluateFlag(Value):
    """Ask for one flag."""

    key: FlagKey
    context: Context = Context()


class EvaluateAll(Value):
    """Ask for all flags."""

    context: Context = Context()


class FlagEvaluation(Value):
    """What a flag is for somebody. has_value: where not, the caller's own default holds. reason and error_code are
    OpenFeature's: STATIC, DEFAULT, TARGETING_MATCH, SPLIT, DISABLED or ERROR; FLAG_NOT_FOUND, PARSE_ERROR,
    TARGETING_KEY_MISSING, TYPE_MISMATCH or GENERAL.
    """

    key: str
    reason: str
    variant: str = ""
    value: Any = None
    has_value: bool = False
    error_code: str = ""
    details: str = ""


class Evaluations(Value):
    """All flags for somebody, by key, in one version."""

    items: tuple[FlagEvaluation, ...]
    version: int


class ExplainFlag(Value):
    """Ask why a flag is what it is for somebody."""

    key: FlagKey
    context: Context = Context()


class Looked(Value):
    """One part of the rule that was looked at: where, what it says, and what came of it."""

    path: str
    rule: str
    result: Any


class Explanation(Value):
    """An evaluation with all that led to it. segments: those that whoever asks is in. sentence: in words."""

    evaluation: FlagEvaluation
    version: int
    looked: tuple[Looked, ...]
    segments: tuple[str, ...]
    bucket: int | None
    sentence: str


class Expose(Value):
    """Say that somebody has met a flag's variant, where the client knows it and the platform does not."""

    key: FlagKey
    context: Context


class Exposed(Value):
    """The variant that was counted; nothing where whoever asks is not part of the experiment."""

    variant: str


@capability("flags.evaluate-flag", version="1.0", effect=Effect.READ)
def evaluate_flag(ask: EvaluateFlag) -> FlagEvaluation:
    """Say what a flag is for somebody. One that is unknown, disabled or broken is an answer with a reason, no error.

    Who is in its experiment counts as exposed.
    """
    ...


@capability("flags.evaluate-all", version="1.0", effect=Effect.READ)
def evaluate_all(ask: EvaluateAll) -> Evaluations:
    """Say what all flags are for somebody, in one version of them. Nobody counts as exposed by it."""
    ...


@capability("flags.explain-flag", version="1.0", effect=Effect.READ, raises=[UnknownFlag])
def explain_flag(ask: ExplainFlag) -> Explanation:
    """Say what a flag is for somebody and why: each part of the rule with what came of it. Counts as no exposure."""
    ...


@capability("flags.expose", version="1.0", effect=Effect.WRITE, raises=[UnknownFlag, NoExperiment])
def expose(ask: Expose) -> Exposed:
    """Count somebody as exposed to the variant that they have; a screen calls it when it shows it.

    Each subject counts once, with what they met first.
    """
    ...
