"""Risk, as others may name it: what is judged before it counts, by whom, and what waits for a person.

    decide ──▶ accept │ challenge │ reject
                 └──▶ review ──▶ a person, or the deadline ──▶ ReviewSettled ──▶ (a flow releases or rejects)

No scenario runs at first: nothing is looked at, and nothing is asked of the database. One without rules watches.
"""

# pyright: reportUnusedImport=false

from isthmus.checks import NOBODY, Watching

from .deciding import (
    Decide,
    Decision,
    GetDecision,
    KeptDecision,
    KeptDecisions,
    Label,
    Labelled,
    ListDecisions,
    Listed,
    NothingNamed,
    PassChallenge,
    PutListed,
    Replayed,
    TakeOffList,
    UnknownDecision,
    decide,
    get_decision,
    judge,
    label,
    list_decisions,
    pass_challenge,
    put_listed,
    replay_decision,
    take_off_list,
)
from .model import (
    KINDS,
    MARKS,
    OUTCOMES,
    PASSED,
    SCORE_MAX,
    Facts,
    Kind,
    Known,
    Mark,
    MarkKind,
    Outcome,
    Reason,
    SettledAs,
)
from .reviews import (
    CloseReview,
    GetReview,
    ListReviews,
    NotOpen,
    Review,
    ReviewPage,
    Reviews,
    ReviewSettled,
    Settle,
    Settled,
    SettleDue,
    close_review,
    forget,
    get_review,
    list_reviews,
    settle_due,
    settle_review,
)
from .scenarios import (
    TRIED_MAX,
    BackTest,
    Content,
    ListScenarios,
    NameScenario,
    NotTried,
    PutScenario,
    Rule,
    RunScenario,
    Scenario,
    Scenarios,
    Tried,
    UnknownScenario,
    WrongRule,
    back_test,
    list_scenarios,
    put_scenario,
    run_scenario,
)
from .scoring import (
    REMOTE_MS_MAX,
    Remote,
    Requested,
    RequestScore,
    Score,
    ScoreAsk,
    Scorer,
    Scorers,
    connected,
    request_score,
)
