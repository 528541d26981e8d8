"""Bind a function to a capability; inert until a Registry reads it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from .capability import Capability, source_of
from .context import Context

A = TypeVar("A")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Implementation:
    """The function that does what a capability promises.

    together: what may take a call up to answer it in one transaction with others; it gives None where it does not.
    """

    capability: Capability[Any, Any]
    function: Callable[[Any, Context], Coroutine[Any, Any, Any]]
    source: str
    together: Callable[[Any], Coroutine[Any, Any, Any] | None] | None = None


def implements(
    capability: Capability[A, R], *, together: Callable[[Any], Coroutine[Any, Any, Any] | None] | None = None
) -> Callable[[Callable[[A, Context], Coroutine[Any, Any, R]]], Implementation]:
    """Bind a coroutine function `(ask, ctx) -> answer` to a capability."""

    def bind(function: Callable[[A, Context], Coroutine[Any, Any, R]]) -> Implementation:
        return Implementation(capability=capability, function=function, source=source_of(function), together=together)

    return bind
