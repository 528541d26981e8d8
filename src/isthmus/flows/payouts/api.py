"""What is due to sellers and other front ends goes to settlement with its entry, and settlements are booked.

    bookkeeping.became-due       ──▶ settlement.note-due
    settlement.settlement-moved  ──▶ ledger.record

Both react inside the transaction of what happens, so what is due to a payee in the books is what is open and prepared
in settlement, to the cent. What an approved settlement moves:

    approved   liabilities:sellers of the payee → liabilities:payouts, income:settlement-fees
    sent       liabilities:payouts → assets:bank
    returned   assets:bank → liabilities:sellers, where it waits for the next settlement
"""

from __future__ import annotations

from isthmus.flows.bookkeeping import api as bookkeeping
from isthmus.kernel import Effect, flow
from isthmus.packs.ledger import api as ledger
from isthmus.packs.settlement import api as settlement


@flow("payouts.note-due", version="1.0", effect=Effect.WRITE, uses=[settlement.note_due], is_internal=True)
def note_due(ask: bookkeeping.BecameDue) -> settlement.Noted:
    """Note what is due to others with the entry that says so."""
    ...


@flow(
    "payouts.book-settlement", version="1.0", effect=Effect.WRITE, uses=[ledger.record, ledger.claim], is_internal=True
)
def book_settlement(ask: settlement.SettlementMoved) -> bookkeeping.Booked:
    """Book what a settlement moves when it is approved, sent or returned."""
    ...
