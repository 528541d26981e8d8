"""The books, as others may name them: accounts, entries of many legs, balances, closed days.

            ┌──post-pending──▶ posted ──reverse──▶ posted, with another entry that undoes it
    pending ┼──void-pending──▶ voided
            └──its time is over──▶ expired
    post ──▶ posted

A front end has books of its own. Amounts are signed: a debit is positive, a credit negative; an entry adds up to zero
in each currency, which the database sees to. Nothing that was booked is changed or deleted. A reference books once: the
same content again is answered with the first entry, another content is a conflict.

An account opens with its first leg. Most have no limit, and nobody waits for anybody there: a balance is a sum that is
right at every moment. An account with a limit (`open-account`) is changed by one at a time.
"""

# pyright: reportUnusedImport=false

from .accounts import (
    ASSETS,
    Account,
    AccountCode,
    AccountPage,
    AccountRef,
    Balance,
    ChangeLimits,
    Fold,
    Folded,
    GetBalance,
    ListAccounts,
    OpenAccount,
    Owner,
    fold,
    get_balance,
    list_accounts,
    open_account,
    set_limits,
)
from .claims import Claimed, ClaimEntry, ClaimMade, TakeClaims, TakenClaims, claim, take_claims
from .closing import (
    ClosePeriod,
    Closing,
    GetPeriod,
    Period,
    PeriodMoved,
    ReopenPeriod,
    close_period,
    get_period,
    reopen_period,
)
from .entries import (
    BATCH_MAX,
    LEGS_MAX,
    EndPending,
    Entry,
    EntryDraft,
    EntryLeg,
    EntryPage,
    EntryState,
    Exchange,
    ExpiredEntries,
    ExpirePending,
    GetEntry,
    ListEntries,
    Post,
    Posted,
    PostedEntry,
    Rate,
    Reference,
    Reverse,
    exchange,
    expire_pending,
    fault_of,
    get_entry,
    list_entries,
    post,
    post_pending,
    record,
    reverse,
    void_pending,
)
from .errors import (
    AccountHasLegs,
    AlreadyEnded,
    AlreadyReversed,
    BadCursor,
    BoundExceeded,
    NothingToReopen,
    NotReversible,
    PeriodClosed,
    ReferenceUsed,
    Unbalanced,
    UnknownAccount,
    UnknownEntry,
    WrongExchange,
    WrongLeg,
    WrongLimits,
)
from .reports import (
    AgedLine,
    Ages,
    ExportJournal,
    GetAges,
    GetTrialBalance,
    Journal,
    Statement,
    StatementLine,
    TrialBalance,
    TrialLine,
    age_balances,
    balance_sheet,
    export_journal,
    income_statement,
    trial_balance,
)
