"""Attempts, as others may name them: what a provider was asked to do, and how it ended."""

from __future__ import annotations

import enum
from typing import Annotated, Literal
from uuid import UUID

from isthmus.kernel import Meta, Value
from isthmus.values import Code, Money, PageSize

from .parts import Reference
from .providers import Outcome


class Kind(enum.StrEnum):
    AUTHORISE = "authorise"
    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"


class Begin(Value):
    """Write an attempt down before its provider is called; amount: none is all that is left."""

    payment_id: UUID
    kind: Kind
    key: Reference
    provider: Code = ""
    method: str = ""
    amount: Money | None = None


class Attempt(Value):
    """An attempt, and how it ended; `pending` and `unknown` have not."""

    attempt_id: UUID
    payment_id: UUID
    kind: Kind
    key: str
    provider: str
    method: str
    amount: Money
    state: Literal["pending", "unknown", "done", "refused"]
    provider_reference: str
    reason: str


class End(Value):
    """Write down how an attempt ended, found by its key."""

    key: Reference
    outcome: Outcome


class ListOpenAttempts(Value):
    """Ask for attempts without an outcome that are older than a moment."""

    older_than_s: Annotated[int, Meta(ge=0, le=86_400)] = 60
    limit: PageSize = 50


class Attempts(Value):
    """Attempts, the oldest first."""

    items: tuple[Attempt, ...]
