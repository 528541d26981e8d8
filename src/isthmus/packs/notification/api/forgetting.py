"""Forgetting persons, as others may name it."""

from __future__ import annotations

from isthmus.kernel import Effect, capability
from isthmus.personal import Forget, Forgotten


@capability("notification.forget", version="1.0", effect=Effect.WRITE, is_internal=True)
def forget(ask: Forget) -> Forgotten:
    """Take address and text out of messages to these members, to these addresses, and about these references.

    What waits is not sent any more. That there was a message, of which kind and when, stays.
    """
    ...
