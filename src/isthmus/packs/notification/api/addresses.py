"""Addresses, as others may name them: which get no messages, and which are forgotten."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from isthmus.kernel import Effect, Meta, Value, capability
from isthmus.markings import Pii
from isthmus.values import Code

Topic = Annotated[
    str,
    Meta(pattern=r"^([A-Za-z0-9][A-Za-z0-9._:-]{0,63})?\Z", description="what messages are about; empty: everything"),
]
Address = Annotated[str, Pii("identifier"), Meta(min_length=3, max_length=254)]


class OptOut(Value):
    """Send an address nothing more, or nothing about a topic."""

    address: Address
    topic: Topic = ""
    medium: Code = "email"


class OptIn(Value):
    """Take an opt-out of an address back: the one for this topic, or the one for everything."""

    address: Address
    topic: Topic = ""
    medium: Code = "email"


class Preference(Value):
    """What an address does not get: topics, and `everything` where that is so."""

    topics: tuple[str, ...]
    everything: bool


class EraseAddress(Value):
    """Forget an address, or all that a member got messages at."""

    address: Address | None = None
    member_id: UUID | None = None
    medium: Code = "email"


class AddressForgotten(Value):
    """How many messages have no address and no text any more."""

    messages: int


@capability("notification.opt-out", version="1.0", effect=Effect.WRITE)
def opt_out(ask: OptOut) -> Preference:
    """Send an address nothing more, or nothing about a topic; what waits is not sent either. Safe to repeat."""
    ...


@capability("notification.opt-in", version="1.0", effect=Effect.WRITE)
def opt_in(ask: OptIn) -> Preference:
    """Take an opt-out back, also the one that an erasure left. Safe to repeat."""
    ...


@capability("notification.erase-address", version="1.0", effect=Effect.WRITE)
def erase_address(ask: EraseAddress) -> AddressForgotten:
    """Forget an address: messages to it lose address and text, what waits is not sent, and nothing goes there again.

    What is kept of it is a hash, so that it is known again; it goes when somebody opts in.
    """
    ...
