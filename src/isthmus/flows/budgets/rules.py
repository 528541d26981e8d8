"""Which accounts hold a budget, and what moves between them."""

from __future__ import annotations

import hashlib
import re

from isthmus.packs.ledger import api as ledger
from isthmus.packs.order import api as order
from isthmus.values import Money

LEFT, GIVEN, USED = "equity:budgets", "equity:budgets-given", "equity:budgets-used"
RESERVED = "budget-reserved"
PAID = frozenset(order.OrderState) - {order.OrderState.PLACED, order.OrderState.CANCELLED, order.OrderState.EXPIRED}


def segment(code: str) -> str:
    """Return the code of a promotion as accounts have it; a digest tells apart what their letters cannot."""
    plain = re.sub(r"[^a-z0-9]+", "-", code.lower()).strip("-")
    return plain if plain == code else f"{plain or 'code'}-{hashlib.sha256(code.encode()).hexdigest()[:8]}"


def moved(code: str, source: str, target: str, amount: Money) -> tuple[ledger.EntryLeg, ...]:
    """Return the legs that move so much of a budget from one of its accounts to another."""
    name = segment(code)
    return (
        ledger.EntryLeg(account=f"{source}:{name}", amount=amount),
        ledger.EntryLeg(account=f"{target}:{name}", amount=-amount),
    )
