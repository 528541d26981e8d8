"""Forgetting persons, as others may name it."""

from __future__ import annotations

from isthmus.kernel import Effect, capability
from isthmus.personal import Forget, Forgotten


@capability("order.forget", version="1.0", effect=Effect.WRITE, is_internal=True)
def forget(ask: Forget) -> Forgotten:
    """Take contact, address, notes and personal attributes out of orders of members, or of guests by e-mail.

    Goods, amounts, tax, country and region stay. Their baskets are emptied. The answer names orders and groups, since
    others keep what belongs to an order under these.
    """
    ...
