"""Front ends and products: who answers what, for whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..contract import Value
from .capability import Capability
from .extension import Answer, ExtensionPoint
from .implementation import Implementation

Order = Mapping[ExtensionPoint[..., Any], Sequence[Answer]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Product:
    """A bundle of answers that several front ends switch on: the unit of combination.

    adds: values that the product brings to a dimension, such as a kind of order of its own.
    """

    name: str
    doc: str
    owner: str
    answers: tuple[Answer, ...]
    adds: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FrontEnd:
    """A business line, or a part of one.

    uses: the capabilities that it may call, by name, or `pack.*` for all of one pack. products: which are
    switched on; their order means nothing. order: for a point, which of its answers goes first, where
    narrower conditions and ownership leave that open. children: parts of the line with answers of their
    own, each chosen by the dimension values in its `when`. capabilities and implementations: its own flows.
    settings: plain values that its own answers and the packs may read. subscriptions: for an event, its own
    capabilities that are called with it. attributes: for an entity that takes some, such as `order.order`, the
    Value whose fields are this front end's own; nobody else sees them. metrics: numbers of its own, over its own rows.
    events: what its own capabilities may emit beside the events of packs, each called `<code>.…`.
    jobs: its own work at its time, `isthmus.manifest.Job`. brings: segments, quality rules, terms and questions of its
    own, `isthmus.markings.Brought`.
    """

    code: str
    name: str
    owner: str
    doc: str = ""
    uses: tuple[str, ...] = ()
    products: tuple[Product, ...] = ()
    answers: tuple[Answer, ...] = ()
    order: Order = field(default_factory=dict[ExtensionPoint[..., Any], Sequence[Answer]])
    children: tuple[FrontEnd, ...] = ()
    when: Mapping[str, str] = field(default_factory=dict[str, str])
    capabilities: tuple[Capability[Any, Any], ...] = ()
    implementations: tuple[Implementation, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    subscriptions: Mapping[type[Value], Sequence[Capability[Any, Any]]] = field(default_factory=dict[Any, Any])
    attributes: Mapping[str, type[Value]] = field(default_factory=dict[str, type[Value]])
    metrics: tuple[object, ...] = ()
    events: tuple[type[Value], ...] = ()
    jobs: tuple[object, ...] = ()
    brings: tuple[object, ...] = ()

    def subscribers(self) -> set[Capability[Any, Any]]:
        """Return what is called with events: by the platform alone, since from anyone else an event is a claim."""
        return {one for called in self.subscriptions.values() for one in called}
