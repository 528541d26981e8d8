"""Forgetting persons, as others may name it."""

from __future__ import annotations

from isthmus.kernel import Effect, capability
from isthmus.personal import Forget, Forgotten


@capability("promotion.forget", version="1.0", effect=Effect.WRITE, is_internal=True)
def forget(ask: Forget) -> Forgotten:
    """Give coupons that were issued to these members a new code each, wherever they are kept; the answer names both.

    Uses, limits and budgets stay as they are, and nobody can use the old code.
    """
    ...
