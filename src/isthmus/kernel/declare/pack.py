"""The manifest of a pack: all that the platform knows of a domain."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from ..contract import Value
from .capability import Capability
from .extension import ExtensionPoint
from .implementation import Implementation


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What must hold in the database at every moment: `sql` returns the rows that break it.

    The statement sees all front ends, gives at most the rows that a person needs to find the fault, and
    returns nothing in a sound database.
    """

    name: str
    sentence: str
    sql: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pack:
    """A business domain, or a specialised one; a set of flows is declared the same way.

    api: the module that declares capabilities, extension points and events. service: the modules whose
    functions implement them. migrations: folder of the pack's SQL, `<package>:<folder>`, or none.
    entities and metrics: what the data platform reads. brings: what the surfaces read, such as jobs and
    resources: values of `isthmus.manifest`.
    """

    name: str
    owner: str
    api: ModuleType
    service: tuple[ModuleType, ...]
    migrations: str = ""
    conditions: tuple[Condition, ...] = ()
    entities: tuple[type[Value], ...] = ()
    metrics: tuple[object, ...] = ()
    implementations: tuple[Implementation, ...] = ()  # beyond those found in `service`
    brings: tuple[object, ...] = ()

    @property
    def doc(self) -> str:
        """Return what the pack is for: the docstring of its api, whose first sentence lists show."""
        return (self.api.__doc__ or "").strip()

    def capabilities(self) -> dict[str, Capability[Any, Any]]:
        """Return the capabilities that this pack's api declares, by Python name."""
        return {name: found for name, found in vars(self.api).items() if isinstance(found, Capability)}

    def extension_points(self) -> dict[str, ExtensionPoint[..., Any]]:
        """Return the questions that this pack's api declares for front ends to answer, by Python name."""
        return {name: found for name, found in vars(self.api).items() if isinstance(found, ExtensionPoint)}

    def events(self) -> dict[str, type[Value]]:
        """Return the events that this pack's api declares, by Python name."""
        return {name: found for name, found in vars(self.api).items() if hasattr(found, "__isthmus_event__")}

    def extendable(self) -> list[str]:
        """Return the entities that front ends may give attributes of their own: those with such a field."""
        having = (one for one in self.entities if "attributes" in one.__struct_fields__)
        return [getattr(one, "__isthmus_entity__").name for one in having]  # noqa: B009 - set by markings.entity

    def implemented(self) -> Iterable[Implementation]:
        """Return the implementations that the modules of its service hold, and those given beside them."""
        found = (one for module in self.service for one in vars(module).values())
        return [*(one for one in found if isinstance(one, Implementation)), *self.implementations]
