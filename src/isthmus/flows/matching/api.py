"""What providers are to say is noted after money moved, and what resolves a difference is booked.

payment.payment-moved              in its transaction ──▶ reconciliation.expect
chargeback.chargeback-moved        in its transaction ──▶ reconciliation.expect
settlement.settlement-moved        in its transaction ──▶ reconciliation.expect, of the bank
reconciliation.payout-reported,
reconciliation.fees-reported       in the import's transaction ──▶ ledger.record; payouts are expected of the bank
reconciliation.difference-resolved in its transaction ──▶ ledger.record
"""

from __future__ import annotations

from isthmus.flows.bookkeeping import api as bookkeeping
from isthmus.kernel import Effect, flow
from isthmus.packs.chargeback import api as chargeback
from isthmus.packs.ledger import api as ledger
from isthmus.packs.payment import api as payment
from isthmus.packs.reconciliation import api as reconciliation
from isthmus.packs.settlement import api as settlement


@flow("matching.note-payment", version="1.0", effect=Effect.WRITE, uses=[reconciliation.expect], is_internal=True)
def note_payment(ask: payment.PaymentMoved) -> reconciliation.Noted:
    """Note what a provider is to say of money that it took or gave back."""
    ...


@flow("matching.expect-payment", version="1.0", effect=Effect.WRITE, uses=[reconciliation.expect])
def expect_payment(ask: payment.PaymentMoved) -> reconciliation.Noted:
    """Note what a provider is to say of a payment that a server moved which did not note it. Safe to repeat."""
    ...


@flow("matching.expect-payout", version="1.0", effect=Effect.WRITE, uses=[reconciliation.expect], is_internal=True)
def expect_payout(ask: settlement.SettlementMoved) -> reconciliation.Noted:
    """Note what the bank is to say of a payout that was sent, or came back."""
    ...


@flow("matching.expect-chargeback", version="1.0", effect=Effect.WRITE, uses=[reconciliation.expect], is_internal=True)
def expect_chargeback(ask: chargeback.ChargebackMoved) -> reconciliation.Noted:
    """Note what a provider is to say of money that a payer's bank took, or that came back."""
    ...


@flow(
    "matching.book-payout",
    version="1.0",
    effect=Effect.WRITE,
    uses=[ledger.record, reconciliation.expect],
    is_internal=True,
)
def book_payout(ask: reconciliation.PayoutReported) -> bookkeeping.Booked:
    """Book what a provider paid out, from its clearing account to the bank, whose statement is to say so too."""
    ...


@flow("matching.book-fees", version="1.0", effect=Effect.WRITE, uses=[ledger.record], is_internal=True)
def book_fees(ask: reconciliation.FeesReported) -> bookkeeping.Booked:
    """Book what a file says was kept, where nobody knew of it before."""
    ...


@flow("matching.book-resolved", version="1.0", effect=Effect.WRITE, uses=[ledger.record], is_internal=True)
def book_resolved(ask: reconciliation.DifferenceResolved) -> bookkeeping.Booked:
    """Book what resolves a difference: between the provider's clearing account, or the bank, and the account named."""
    ...
