"""What is kept of persons in copies of asks, answers and events, as the register of personal data has it.

`copies.py` has them forget a person; what is marked in recorded and traced calls is masked, what names somebody is not.
"""

from __future__ import annotations

from typing import Final

from isthmus.language import mark
from isthmus.manifest import Keeps, Personal, clear


def _copy(table: str, column: str, why: str, until: str, more: tuple[str, ...] = ()) -> Keeps:
    """Return a table of copies: a row is somebody's where it names one of their ids, which are long enough for that."""
    named = f"length(one) >= 32 and position(convert_to(one, 'UTF8') in convert_to({column}::text, 'UTF8')) > 0"
    if column in _BYTES:
        named = f"length(one) >= 32 and position(convert_to(one, 'UTF8') in {column}) > 0"
    whose = f"exists (select from unnest($1::text[]) as one where {named})"
    return Keeps(
        table=table,
        columns=dict.fromkeys((column, *more), "free-text"),
        why=why,
        until=until,
        whose=whose,
        in_the_clear=clear.PASSES,
    )


OF_EVENTS: Final = mark("7 days, and until all who read them have")  # as store/retention.py keeps them
_BYTES: Final = ("answer",)
_COPIES: Final = (
    _copy("isthmus.outbox", "data", mark("events on their way to who reads them"), mark("a second")),
    _copy("isthmus.event", "data", mark("events, for who reads them later"), OF_EVENTS),
    _copy(
        "isthmus.idempotency",
        "answer",
        mark("a key that is sent again has its answer again"),
        mark("24 hours"),
    ),
    _copy(
        "isthmus.saga",
        "log",
        mark("a flow in steps goes on where a process was killed"),
        mark("until the flow has ended"),
    ),
    _copy(
        "runtime.delivery",
        "ask",
        mark("an event is delivered until a subscriber took it"),
        mark("until it is delivered"),
        ("last_error",),
    ),
    _copy("runtime.pending_call", "ask", mark("a call at its time"), mark("until it was made")),
    _copy(
        "gateway.story",
        "story",
        mark("why a call was answered so; marked fields are masked"),
        mark("until 200 newer ones"),
    ),
    _copy(
        "runtime.recorded_call", "story", mark("to try a new version on it; marked fields are masked"), mark("30 days")
    ),
)
OF_COPIES: Final = Personal(
    because="it is handed on to the packs that keep it",
    purposes={"email": "to find what is kept of a guest who wants to be forgotten"},
    keeps=_COPIES,
)
