"""Ventures, as others may name them: charters, what a venture shows the group, and where each stands.

    charter (a file) ─▶ check: identity · books · security · export ─▶ findings, kept
    journal, sales   ─▶ signed pages ─▶ accepted once, in order, or refused with the place

A venture has a code like a front end, and a seat: a front end without answers, for which its rows are kept. It is
believed in nothing: what it sends is signed with its key, chained, held against its contract and against itself.
"""

# pyright: reportUnusedImport=false

from .charter import Borrows, Charter, Charters, Kill, ObligationName, Obliged, charters_at
from .errors import (
    ContractBroken,
    JournalGap,
    JournalRewritten,
    NoCharter,
    NotAgreed,
    NotSigned,
    StrangerExported,
    WrongCharter,
)
from .facts import (
    Disagreement,
    Disagreements,
    Finding,
    FindingDraft,
    GetStanding,
    ListDisagreements,
    Noted,
    NoteFindings,
    Standing,
    Sum,
    get_standing,
    list_disagreements,
    note_findings,
)
from .forgetting import ListReminders, NoteForgotten, Reminder, Reminders, list_reminders, note_forgotten
from .joining import (
    AGREED_MIN,
    Answerer,
    Estimate,
    Estimates,
    Left,
    LeftNoted,
    ListEstimates,
    ListOperations,
    NoteCompared,
    NoteEstimate,
    NoteLeft,
    Operation,
    OperationEstimate,
    Operations,
    OperationState,
    SwitchOperation,
    list_estimates,
    list_operations,
    note_compared,
    note_estimate,
    note_left,
    switch_operation,
)
from .pages import (
    PAGE_MAX,
    AcceptedJournal,
    AcceptedSales,
    GetPosition,
    JournalEntry,
    JournalLeg,
    Position,
    SignedPage,
    accept_journal,
    accept_sales,
    entry_hash,
    forget,
    get_position,
)
