"""What members consented to and took back, with when."""

from __future__ import annotations

from uuid import UUID

from isthmus.kernel import Effect, Value, capability
from isthmus.values import Moment, PageSize

from .points import NotAMember


class ListConsents(Value):
    """List what a member consented to and took back, the latest first."""

    member_id: UUID
    limit: PageSize = 50


class ConsentChange(Value):
    """A purpose that a member consented to, or took their consent to back."""

    purpose: str
    is_given: bool
    at: Moment


class ConsentChanges(Value):
    """Changes of consents, the latest first."""

    items: tuple[ConsentChange, ...]


@capability("member.list-consents", version="1.0", effect=Effect.READ, raises=[NotAMember])
def list_consents(ask: ListConsents) -> ConsentChanges:
    """List what a member consented to and took back, with when: those of memberships that went into this one too."""
    ...
