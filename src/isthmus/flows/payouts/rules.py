"""What a settlement moves in the books, decided."""

from __future__ import annotations

from isthmus.packs.ledger import api as ledger
from isthmus.packs.settlement import api as settlement
from isthmus.values import Money

PAYOUTS, BANK, FEES = "liabilities:payouts", "assets:bank", "income:settlement-fees"
FRONT_ENDS_OWE = "assets:front-ends"


def owed_account(payee: str) -> str:
    """Return where stands what a payee is due."""
    return "liabilities:front-ends" if payee.startswith("front-end/") else "liabilities:sellers"


def legs(moved: settlement.SettlementMoved) -> tuple[ledger.EntryLeg, ...]:
    """Return what a settlement moves; nothing where it only carries.

    What another front end owes stands apart from what it is due: what is settled of it is set off first.
    """
    due, found = owed_account(moved.payee), list[tuple[str, str, Money]]()
    if moved.state is settlement.SettlementState.APPROVED:
        if due == "liabilities:front-ends":
            found += [(due, moved.payee, -moved.debit), (FRONT_ENDS_OWE, moved.payee, moved.debit)]
        found += [
            (due, moved.payee, moved.payout + moved.fee),
            (FEES, "", -moved.fee),
            (PAYOUTS, moved.payee, -moved.payout),
        ]
    elif moved.state is settlement.SettlementState.SENT:
        found += [(PAYOUTS, moved.payee, moved.payout), (BANK, "", -moved.payout)]
    elif moved.state is settlement.SettlementState.RETURNED:
        found += [(BANK, "", moved.payout), (due, moved.payee, -moved.payout)]
    return tuple(
        ledger.EntryLeg(account=account, owner=owner, amount=amount) for account, owner, amount in found if amount.minor
    )
