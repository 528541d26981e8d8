"""What a metric is made of, and what stands beside its cells: found once of one that every question finds alike."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ..model.ask import Ask
from ..model.expression import By, Expression, Measured, Resolver, cells
from ..model.model import Model
from ..model.paths import Names
from .money import Codes, codes_of, rows_behind

_METRIC: Final = "metric "  # no entity is called so


@dataclass(frozen=True, slots=True)
class Resolved:
    """A metric's expression and its cells; `codes` and `rows` show whether their sums say what they seem to."""

    expression: Expression
    cells: tuple[Measured, ...]
    codes: tuple[Codes, ...]
    rows: tuple[Measured, ...]


def resolved(names: Names, now: datetime, ask: Ask, by: tuple[By, ...], metrics: Iterable[str]) -> dict[str, Resolved]:
    """Return metrics as a question has them.

    Most are the same in every question, and are kept with the model; one that runs over time, or has a period up to
    now, is found anew.
    """
    found: dict[str, Resolved] = {}
    for name in metrics:
        known: Resolved | None = names.model.known.get((_METRIC, name))
        if known is None:
            resolver = Resolver(names, (now, ask, by))
            known = _resolved(names.model, resolver.metric(name, ()))
            if not resolver.has_looked:
                names.remember(_METRIC, name, known)
        found[name] = known
    return found


def _resolved(model: Model, expression: Expression) -> Resolved:
    made_of = tuple(cells(expression))
    rows = tuple(one for cell in made_of if (one := rows_behind(model, cell)))
    return Resolved(expression, made_of, tuple(codes_of(model, made_of)), rows)
