"""What stands beside sums so that they say what they seem to: currencies of amounts, and rows without a value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ..model.expression import By, Measured
from ..model.model import Model
from ..model.paths import Names


@dataclass(frozen=True, slots=True)
class Money:
    """Amounts of an entity, and the field that says in which currency each is."""

    root: str
    amount: str
    currency: str


Codes = tuple[Measured, Measured]  # the least and the greatest currency code of a cell's amounts


def codes_of(model: Model, found: Sequence[Measured]) -> Iterator[Codes]:
    """Yield the cells that show whether amounts of several currencies are added up."""
    for cell in dict.fromkeys(found):
        if money := money_of(model, cell):
            shown = replace(cell, field=money.currency, amount=cell.field, share=0)
            yield replace(shown, agg="least-code"), replace(shown, agg="greatest-code")


def not_by(names: Names, codes: Sequence[Codes], by: tuple[By, ...]) -> tuple[Codes, ...]:
    """Return those whose currency is no dimension, which would keep the amounts of several apart."""
    plain = [one.field for one in by if one.grain is None and one.field != "time"] if codes else []
    if not plain:
        return tuple(codes)
    return tuple(pair for pair in codes if _place(names, pair[0]) not in [_place(names, pair[0], one) for one in plain])


def _place(names: Names, code: Measured, field: str = "") -> object:
    return names.of(code.root, field or code.field, "a currency").place


def rows_behind(model: Model, cell: Measured) -> Measured | None:
    """Return the count of rows behind a sum whose rows may all lack a value: then it is not known, and not zero."""
    if cell.agg != "sum" or cell.window or cell.series or not cell.field:
        return None
    _, found = model.split(cell.field.rpartition(">")[2])
    return replace(cell, agg="count", field="") if found.is_nullable and not found.front_ends else None


def money_of(model: Model, cell: Measured) -> Money | None:
    """Return the amounts that a cell is made of; None where they are no money."""
    name = currency_field(model, cell)
    return Money(cell.root, cell.field, name) if name else None


def currency_field(model: Model, cell: Measured) -> str:
    """Return the field that says in which currency a cell's amounts are; empty where they are no money."""
    if not cell.field or cell.agg in ("count", "distinct", "least-code", "greatest-code", "people"):
        return ""
    entity, found = model.split(cell.field.rpartition(">")[2])
    name = found.measure.currency if found.measure else ""
    return name if not name or "." in name else f"{entity.name}.{name}"
