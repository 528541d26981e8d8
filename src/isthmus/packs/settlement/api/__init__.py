"""What sellers and other front ends are paid, as others may name it: what is due, statements, payouts.

    note-due ──▶ open item ──draw-up──▶ prepared ──approve (by another)──▶ approved ──make-payout-file──▶ sent
                     ▲                     │                                                              │
                     └───────cancel────────┘                 a new item ◀──note-returned── returned ◀─────┘

An item is what one line of an order, or one thing between front ends, makes due: positive to the payee, negative from
it. It is settled with one settlement, whatever stops half way. A settlement has what is due through its cut-off and was
held back long enough, and what the one before left: below the minimum, or negative, it is carried to the next.
"""

# pyright: reportUnusedImport=false

from .errors import (
    AlreadyCarried,
    BadCursor,
    NoBankAccount,
    NothingToPay,
    PayoutRefused,
    SameEyes,
    UnknownFile,
    UnknownSettlement,
    WrongIban,
    WrongState,
)
from .payees import (
    DueItem,
    ItemKind,
    ItemPage,
    ListItems,
    ListPayees,
    Noted,
    NoteDue,
    Payee,
    PayeeName,
    PayeePage,
    PutPayee,
    SettledItem,
    list_items,
    list_payees,
    note_due,
    put_payee,
)
from .settlements import (
    Approve,
    Cancel,
    DrawUp,
    GetPayoutFile,
    GetSettlement,
    GetStatement,
    ListSettlements,
    MakePayoutFile,
    NoteReturned,
    PayoutFile,
    Prepared,
    Settlement,
    SettlementMoved,
    SettlementPage,
    SettlementState,
    Statement,
    approve,
    cancel,
    draw_up,
    get_payout_file,
    get_settlement,
    get_statement,
    list_settlements,
    make_payout_file,
    note_returned,
)
