"""What an implementation is given, as its author sees it; `run/call.py` has the one that the pipeline makes."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, ParamSpec, Protocol, TypeVar

import msgspec

from ..contract import Value
from ..ports import Session
from .capability import Capability
from .extension import Answer, ExtensionPoint

A = TypeVar("A")
R = TypeVar("R")
T = TypeVar("T")
P = ParamSpec("P")


class Caller(Value):
    """Who calls, as the credential says, never taken from an ask. is_event_triggered: the platform, with an event.

    person, roles: who is signed in, and as what, where a person is. relations: what they hold of single parts of the
    front end, as the Guard reads it. via: the way in, such as `http` or `console`.
    """

    front_end: str
    client: str = ""
    person: str = ""
    roles: tuple[str, ...] = ()
    relations: tuple[str, ...] = ()
    via: str = ""
    scopes: tuple[str, ...] | None = None  # capabilities the client is limited to; None: all of its front end
    trace: str = ""
    switched: tuple[tuple[str, str], ...] = ()  # what flags were when the call began, and are as long as it runs
    is_event_triggered: bool = msgspec.field(default=False, name="is_told")  # as sagas in flight have it


class Ask(Protocol):
    """`ctx.answer(point)(…)`: the plan's answer to an extension point, with the point's own signature."""

    def __call__(self, point: ExtensionPoint[P, R], /) -> Callable[P, R]: ...


class Situation(Protocol):
    """What one box of a front end is.

    settings: the plain values of `FrontEnd(settings=…)`. fingerprint: a hash of all code that answers for it, the same
    as long as none of it changes. attributes: what it adds to entities, the Value of its own fields by entity, such as
    `order.order`. find: the answers to a point in this box, in the order in which they are asked, without the default.
    """

    @property
    def settings(self) -> Mapping[str, str]: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def attributes(self) -> Mapping[str, type[Any]]: ...
    def find(self, point: ExtensionPoint[..., Any], /) -> Sequence[Answer]: ...


class Context(Protocol):
    """What an implementation is given. Its front end, time, ids and randomness come from here and from nowhere else."""

    answer: Ask

    @property
    def plan(self) -> Situation:
        """The front end's settings and answers in this box."""
        ...

    @property
    def front_end(self) -> str:
        """The front end on whose behalf this runs, which every row carries."""
        ...

    @property
    def box(self) -> str:
        """Front end and dimension values; store it with an entity to act in its box later."""
        ...

    @property
    def session(self) -> Session:
        """The statements of this call: over the platform's tables, or a front end's own for its own capabilities."""
        ...

    @property
    def now(self) -> datetime:
        """The time of this call, in UTC: the same wherever it is asked."""
        ...

    @property
    def call_id(self) -> str:
        """The id of this call; a replay of it has the same."""
        ...

    @property
    def caller(self) -> Caller:
        """Who calls: client, person and roles as the credential says, never taken from what is asked."""
        ...

    @property
    def random(self) -> random.Random:
        """Randomness that a replay of the call meets again: seeded by the call's id."""
        ...

    @property
    def is_again(self) -> bool:
        """Whether an earlier run of this flow came as far as this: what lies outside may have been asked already."""
        ...

    @property
    def is_taken_over(self) -> bool:
        """Whether the platform goes on with this flow by itself, since whoever ran it is gone."""
        ...

    def new_id(self) -> uuid.UUID:
        """Return an id (UUID version 7, RFC 9562): ordered by time, and the same in a replay of the call."""
        ...

    def is_new(self, reference: str) -> bool:
        """Whether this call has made this id: then nothing of it is there yet that would have to be looked up."""
        ...

    def resource(self, type_: type[T], otherwise: T | None = None) -> T:
        """Return what the composition root provides under this type, such as payment providers; else `otherwise`."""
        ...

    def attributes(self, entity: str, given: dict[str, Any], path: str) -> dict[str, Any]:
        """Return attributes of an entity as the front end declares them: checked, with defaults filled in, as JSON.

        Raises BadAsk, with `path` in front, for what does not fit, and for any where it declares none.
        """
        ...

    def emit(self, event: Value) -> None:
        """Put an event into the outbox with the transaction of this call; it is sent if and only if that commits.

        Raises Fault for one that breaks the contract that a pack or this front end declares under its name, and for
        one that neither declares: nobody could read it.
        """
        ...

    def acting_for(self, box: str) -> Context:
        """Return this context with the answers of a stored entity's box, so that it is treated as it was sold.

        Raises Fault for another front end's box: its rows are not in this transaction.
        """
        ...

    async def as_of(self, plan: str) -> Context:
        """Return this context with the answers of the version that something was sold under.

        plan: the fingerprint that was kept with it, such as `order.plan`; nothing, or today's, is this context. Follow
        it by `acting_for` with the box. What it calls are today's capabilities. Raises RulesNotKept where the version
        was never kept, was forgotten, or cannot be loaded any more.
        """
        ...

    async def call(
        self, capability: Capability[A, R], ask: A, *, ends: Callable[[R], object | None] | None = None
    ) -> R:
        """Call another capability as part of this call: in its transaction, or as its next step.

        ends: says from the answer of a step what the flow answers if this was its last step, and None if it goes on.
        That answer is then kept in the transaction of the step, and the flow has to return it.
        """
        ...

    async def beside(self, capability: Capability[A, R], ask: A, *, limit_ms: int, spent_ms: int) -> R:
        """Ask for something else as the caller could: with their permissions, a box, a session and records of its own.

        It may be awaited together with others, and runs in the version of the front end that this call began with.
        limit_ms: for this alone; spent_ms: how much of this call's own time is gone. Raises what a single call raises.
        """
        ...

    async def attempt(self, capability: Capability[A, R], ask: A) -> R:
        """Call a capability so that its refusal can be caught: what it wrote is undone, the rest goes on."""
        ...

    def compensate_with(self, capability: Capability[A, Any], ask: A) -> None:
        """Have this capability called, last first, if a later step of this flow fails."""
        ...
