"""Every name of a question, found once: all that plans, checks, proves and writes it asks here."""

from __future__ import annotations

from dataclasses import dataclass, field

from .model import Model
from .paths import JoinPath, join_path


@dataclass(frozen=True, slots=True)
class Names:
    """The ways from the entities of one question to the fields that it names."""

    model: Model
    _known: dict[tuple[str, str], JoinPath] = field(default_factory=dict[tuple[str, str], JoinPath])

    def of(self, root: str, name: str, reason: str) -> JoinPath:
        """Return the way from an entity to a field; a name without an entity is the root's own.

        Raises AmbiguousPath, NoPath and UnknownName, with `reason` as what asked for it.
        """
        found = self._known.get((root, name))
        if found is None:
            written = name if "." in name else f"{root}.{name}"
            found = self._known[root, name] = join_path(self.model, root, written, reason)
        return found
