"""Providers of pushes: the contract that one has to keep."""

from __future__ import annotations

from typing import Annotated, Literal, Protocol

from isthmus.kernel import Meta, Value
from isthmus.manifest import Secret

from .model import Push


class Receipt(Value):
    """What a push service says; `gone`: nobody is there any more; `again`: not now. No reason names an address."""

    state: Literal["sent", "refused", "gone", "again"]
    reason: str = ""


class Pusher(Protocol):
    """Pushes to devices of some kinds. One that raises, or does not answer in time, is asked again later."""

    name: str
    kinds: tuple[str, ...]

    async def push(self, push: Push) -> Receipt: ...
    async def close(self) -> None: ...


class MessagingSettings(Value):
    """`[settings.messaging]`. free: purposes without consent, night or cap, such as what somebody has ordered.

    per_day: so many pushes a person gets in 24 hours, over all front ends; 0: any number. quiet: the night, in the
    member's zone. contact: whom push services may ask, as `mailto:` or https. key: a secret with the private VAPID key
    in 64 hex digits; without one a file is made, which servers share. networks: private ones that may be called all
    the same.
    """

    free: tuple[str, ...] = ("service",)
    per_day: Annotated[int, Meta(ge=0, le=1_000)] = 3
    quiet: Annotated[str, Meta(pattern=r"^(([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d)?\Z")] = "21:00-08:00"
    contact: Annotated[str, Meta(pattern=r"^(mailto:|https://)\S+\Z")] = "mailto:push@localhost.localdomain"
    key: Secret | None = None
    networks: tuple[str, ...] = ()
