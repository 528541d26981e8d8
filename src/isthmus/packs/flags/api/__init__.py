"""Feature flags, as others may name them: a value for each asker, by rules that are changed while everything runs.

    put-flag ──▶ (four eyes: waiting ──approve-change──▶) applied, version n+1 ──▶ every server within a second
                     └──refuse-change──▶ refused            ├── kill-flag: off at once, without a second person
                                                            └── delete-flag: callers get their own defaults

A front end's flags have one version, which only grows; a server has all of them in one version or in the next one,
never a mixture. Rules are JSON logic as flagd reads it, shares are its integer buckets: the same key falls to the same
variant in every server and every language. What cannot be evaluated is answered with a reason and an error code, and
the caller takes its own default; it is never an exception.
"""

# pyright: reportUnusedImport=false

from .definition import (
    FLAGS_MAX,
    Experiment,
    Flag,
    FlagKey,
    FlagKind,
    FlagStep,
    Requirement,
    VariantName,
    switched,
)
from .errors import (
    ChangeClosed,
    FlagChanged,
    NeedsAnother,
    NoExperiment,
    TooManyFlags,
    UnknownChange,
    UnknownFlag,
    UnknownSegment,
    WrongFlag,
)
from .evaluations import (
    Context,
    EvaluateAll,
    EvaluateFlag,
    Evaluations,
    ExplainFlag,
    Explanation,
    Expose,
    Exposed,
    FlagEvaluation,
    Looked,
    evaluate_all,
    evaluate_flag,
    explain_flag,
    expose,
)
from .experiments import Arm, ExperimentResult, GetExperiment, get_experiment
from .flags import (
    ApplyDue,
    ChangeState,
    DecideChange,
    FlagApplied,
    FlagChange,
    FlagChanges,
    FlagNamed,
    Flags,
    FlagState,
    ListFlagChanges,
    ListFlags,
    PutFlag,
    TakenSteps,
    apply_due,
    approve_change,
    delete_flag,
    get_flag,
    kill_flag,
    list_changes,
    list_flags,
    put_flag,
    refuse_change,
)
from .forgetting import forget
