"""Payments, as others may name them: what is owed, authorised, captured and given back, through a provider.

    open ──authorise──▶ authorised ──capture──▶ captured ──refund──▶ part-refunded ──▶ refunded
     │ ▲        │              └────void────▶ voided
     │ └declined┘
     └ received on the spot (cash, a terminal): opened as captured

What a provider is asked is an attempt. It is written down before the provider is called and after it has answered,
and no transaction is open in between. An attempt ends once: by the answer, by a notification, or by looking it up,
whichever comes first; the others find it ended. One without an answer is `unknown` and is reconciled, never guessed;
until then it counts as done: nothing else is held, taken or let go, and what it may give back is not given again.
Less than all can be captured, and the rest later. Money that moved is a leg; `captured <= authorised` and
`refunded <= captured` hold in the database.
"""

# pyright: reportUnusedImport=false

from .attempts import (
    BEGIN_ERRORS,
    PROVIDER_DEADLINE_MS,
    AskProvider,
    Attempt,
    Attempts,
    Authorise,
    Begin,
    End,
    GetAttempt,
    Held,
    HoldPayments,
    Kind,
    ListHeld,
    ListOpenAttempts,
    Notify,
    Settle,
    Settled,
    Token,
    ask_provider,
    begin_authorisation,
    get_attempt,
    hold_payments,
    list_held,
    look_up,
    read_notification,
    settle_attempt,
)
from .errors import (
    AmountExceeded,
    BadNotification,
    Declined,
    IllegalStep,
    MethodRefused,
    OutcomeUnknown,
    ReferenceUsed,
    RefundRefused,
    StepUnderWay,
    UnknownPayment,
    UnknownProvider,
    WrongAmount,
)
from .forgetting import forget
from .model import Leg, Payment, Payments, PaymentState, dues
from .parts import (
    BALANCE,
    PARTS_MAX,
    Reference,
    References,
    RefundFrom,
    RefundPart,
    RefundParts,
    RefundTooLarge,
    SplitRefund,
    deposit,
    purpose_of,
    references_of,
    split_refund,
)
from .payments import (
    RECONCILE_MAX,
    Capture,
    ExpectAmount,
    ExpectLess,
    GetPayment,
    ListMethods,
    ListPayments,
    Methods,
    OpenPayment,
    OutcomeContradicted,
    PaymentMoved,
    Reconcile,
    Reconciled,
    Refund,
    Void,
    authorise,
    begin_attempt,
    capture,
    choose_provider,
    end_attempt,
    expect_amount,
    expect_less,
    get_payment,
    guard_refund,
    list_methods,
    list_open_attempts,
    list_payments,
    methods,
    notify,
    open_payment,
    reconcile,
    refund,
    refund_from,
    void,
)
from .providers import Notification, Outcome, Provider, Providers, TestProvider
