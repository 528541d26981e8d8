"""Forgetting persons, as others may name it."""

from __future__ import annotations

from isthmus.kernel import Effect, capability
from isthmus.personal import Forget, Forgotten


@capability("payment.forget", version="1.0", effect=Effect.WRITE, is_internal=True)
def forget(ask: Forget) -> Forgotten:
    """Take the reasons out of the attempts of payments under these references, which people or providers wrote.

    Amounts, states and the provider's references stay: they are the books. Tokens of payers are never kept.
    """
    ...
