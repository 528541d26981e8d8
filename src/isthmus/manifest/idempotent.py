"""Which writes of a pack may be done again, or stay where the call that they are part of is rolled back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from isthmus.kernel import Capability


@dataclass(frozen=True, slots=True, kw_only=True)
class Idempotent:
    """Writes that say the same when they are done again, add nothing then, and emit no event.

    What such a write leaves is right whatever becomes of the flow that it is part of: who does the flow again finds it
    there. So the pack may become a service, which is not rolled back with the flow. because: why that is so.
    """

    calls: tuple[Capability[Any, Any], ...]
    because: str
