"""What a flag is: its variants, and the rules that choose one of them."""

from __future__ import annotations

import enum
from dataclasses import replace
from typing import Annotated, Any, Final

from isthmus.kernel import Meta, Product, Value
from isthmus.values import Moment, Text

FLAGS_MAX: Final = 1_000  # of a front end: all are evaluated for a screen
VARIANTS_MAX: Final = 50
WEIGHT_MAX: Final = 1_000_000
PLANNED_MAX: Final = 10**9

FlagKey = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,99}\Z", description="the name of a flag")]
VariantName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z", description="the name of a variant")]
EventType = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,60}\.[a-z][a-z0-9-]{0,60}\Z")]
FieldPath = Annotated[str, Meta(pattern=r"^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*){0,4}\Z", max_length=200)]
Logic = dict[str, Any]  # JSON logic: {"if": [condition, "variant", …]}


class FlagKind(enum.StrEnum):
    """What the values of a flag are."""

    BOOLEAN = "boolean"
    STRING = "string"
    NUMBER = "number"
    OBJECT = "object"


class Requirement(Value):
    """Another flag that must have one of these variants; else the flag has its default variant."""

    key: FlagKey
    variants: Annotated[tuple[VariantName, ...], Meta(min_length=1, max_length=VARIANTS_MAX)]


class FlagStep(Value):
    """What changes by itself at a time, which the database's clock says. What is left out stays as it is."""

    at: Moment
    is_enabled: bool | None = None
    default_variant: VariantName | None = None
    targeting: Logic | None = None


class Experiment(Value):
    """A comparison of variants, among those for whom no rule chooses one.

    shares: weights of the variants. goal: the event that counts as success, of whom its field `subject` names; `value`
    is the field with a number where amounts are compared, else who comes to it at all counts. planned: subjects a
    variant, fixed before: there is no verdict until each has so many.
    """

    name: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,59}\Z")]
    shares: Annotated[dict[VariantName, Annotated[int, Meta(ge=0, le=WEIGHT_MAX)]], Meta(min_length=2, max_length=10)]
    control: VariantName
    goal: EventType
    subject: FieldPath = "member_id"
    value: FieldPath | None = None
    planned: Annotated[int, Meta(ge=10, le=PLANNED_MAX)]


class Flag(Value):
    """A flag. default_variant: where no rule chooses; without one the caller's own default holds.

    targeting: JSON logic that gives the name of a variant, or nothing. schema: JSON Schema that each value of an
    object flag fits. requires: prerequisites. schedule: steps that are still to come. is_enabled: switched off, callers
    get their own defaults.
    """

    key: FlagKey
    kind: FlagKind = FlagKind.BOOLEAN
    variants: Annotated[dict[VariantName, Any], Meta(min_length=1, max_length=VARIANTS_MAX)]
    default_variant: VariantName | None = None
    targeting: Logic = {}
    schema: dict[str, Any] = {}
    requires: Annotated[tuple[Requirement, ...], Meta(max_length=10)] = ()
    schedule: Annotated[tuple[FlagStep, ...], Meta(max_length=50)] = ()
    is_enabled: bool = True
    experiment: Experiment | None = None
    metadata: Annotated[dict[str, str | int | float | bool], Meta(max_length=20)] = {}
    doc: Text = ""


def switched(product: Product, by: FlagKey, variant: VariantName = "on") -> Product:
    """Return a product whose answers hold where a flag of the front end has a variant, and nowhere else."""
    here = {f"flag.{by}": frozenset([variant])}
    return replace(product, answers=tuple(replace(one, when={**one.when, **here}) for one in product.answers))
