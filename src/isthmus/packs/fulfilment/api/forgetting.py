"""Forgetting persons, as others may name it."""

from __future__ import annotations

from isthmus.kernel import Effect, capability
from isthmus.personal import Forget, Forgotten


@capability("fulfilment.forget", version="1.0", effect=Effect.WRITE, is_internal=True)
def forget(ask: Forget) -> Forgotten:
    """Take addresses and notes out of the shipments of these references; country and region stay, and what was sent."""
    ...
