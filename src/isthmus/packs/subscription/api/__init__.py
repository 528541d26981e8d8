"""Subscriptions, as others may name them: a basket that is bought again every so many days.

    active ◀──resume──┐           each period, once:
      │ └───pause───▶ paused      (nothing) ──▶ placed ──▶ paid
      └──cancel──▶ cancelled          │            ├─────▶ refused    after the last try: the subscription is paused
    ended: the member is forgotten    └──▶ skipped └─────▶ cancelled  the order was, before it was paid

A period is a row by the time at which it is due, written in the transaction that places its order: it has one order at
most, whoever is killed and however many servers run. After an outage what is due is ordered once; periods that went by
are left out. What stored means are called at the provider is kept here and told to nobody but who pays with it.
"""

# pyright: reportUnusedImport=false

from .answered import accept_substitutes, keep_prices, retry_days
from .keeping import (
    DUE_MAX,
    Begin,
    Begun,
    Due,
    DuePeriod,
    EndTry,
    Join,
    Joined,
    ListDue,
    NotePlaced,
    Open,
    Rewrite,
    Try,
    TryEnded,
    begin_period,
    begin_try,
    end_try,
    forget,
    join_members,
    list_due,
    list_unpaid,
    note_placed,
    note_skipped,
    open_subscription,
    rewrite,
)
from .model import (
    EVERY_MAX,
    LINE_MAX,
    LISTED_MAX,
    PERIODS_SHOWN,
    EveryDays,
    KeptLine,
    NotTheNextPeriod,
    Period,
    PeriodState,
    Reason,
    SubscribedLine,
    SubscribedLines,
    Subscription,
    SubscriptionMoved,
    SubscriptionOver,
    SubscriptionState,
    UnknownSubscription,
    Wanted,
)
from .subscriptions import (
    BadCursor,
    Change,
    GetSubscription,
    ListSubscriptions,
    OneSubscription,
    SkipNext,
    Subscriptions,
    cancel,
    change,
    get_subscription,
    list_subscriptions,
    pause,
    resume,
    skip_next,
)
