"""Who was erased here and is still to be forgotten by a venture."""

from __future__ import annotations

from typing import Annotated

from isthmus.kernel import Effect, Meta, Value, capability
from isthmus.markings import Pii

Account = Annotated[str, Pii("identifier"), Meta(max_length=64)]


class ListReminders(Value):
    """Ask whom a venture is still to forget."""


class Reminder(Value):
    """Somebody whom a venture is to forget, and how often it was asked in vain."""

    member: Account
    tries: int


class Reminders(Value):
    """Whom a venture is to forget, the oldest first."""

    items: tuple[Reminder, ...]


class NoteForgotten(Value):
    """What came of asking a venture to forget somebody; empty: it has."""

    member: Account
    because: Annotated[str, Meta(max_length=400)] = ""


@capability("venture.list-reminders", version="1.0", effect=Effect.READ, is_internal=True)
def list_reminders(ask: ListReminders) -> Reminders:
    """Return whom the venture is still to forget, at most 200 at once."""
    ...


@capability("venture.note-forgotten", version="1.0", effect=Effect.WRITE, is_internal=True)
def note_forgotten(ask: NoteForgotten) -> Reminders:
    """Note that a venture has forgotten somebody, or why not; return who is left."""
    ...
