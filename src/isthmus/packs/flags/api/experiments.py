"""Experiments: what came of each variant, with the statistics said."""

from __future__ import annotations

from isthmus.kernel import Effect, Value, capability
from isthmus.values import Moment

from .definition import FlagKey
from .errors import NoExperiment, UnknownFlag


class GetExperiment(Value):
    """Ask what came of a flag's experiment."""

    key: FlagKey


class Arm(Value):
    """One variant. exposed: subjects who met it. reached: of those, who came to the goal after it. mean: of what each
    came to, 0 of who came to nothing; difference, low and high: against the control, with 95 % confidence.

    p_value: of that difference, two-sided; nothing before the planned size is there.
    """

    variant: str
    share: int
    exposed: int
    reached: int
    rate: float
    mean: float
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None


class ExperimentResult(Value):
    """What came of an experiment. method: the test, in words. is_complete: each variant has its planned size.

    srm_p_value: how likely shares as far off as these are where the split is right; below 0.001 something is wrong with
    it (`is_split_wrong`), and no number of the experiment can be believed.
    """

    key: str
    name: str
    goal: str
    method: str
    planned: int
    is_complete: bool
    srm_p_value: float | None
    is_split_wrong: bool
    first_at: Moment | None
    arms: tuple[Arm, ...]
    verdict: str


@capability("flags.get-experiment", version="1.0", effect=Effect.READ, raises=[UnknownFlag, NoExperiment])
def get_experiment(ask: GetExperiment) -> ExperimentResult:
    """Say what came of an experiment: a test with a fixed horizon, two-sided at 5 %, without a verdict before its end.

    Shares: two proportions (z, pooled). Amounts: Welch's t-test. Looking earlier shows counts and no p-value: who stops
    when it looks good finds effects that are not there.
    """
    ...
