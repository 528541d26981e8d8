"""What goes with goods, as others may name it: accessories, replacements, bundles. The group's, as products are."""

from __future__ import annotations

from typing import Annotated, Literal

from isthmus.kernel import Effect, Meta, Value, capability
from isthmus.values import Quantity, Sku

from .assortment import Found, NoSuchSku

RELATIONS_MAX = 200  # of one SKU: more than that is a category

RelationKind = Literal["accessory", "replacement", "bundle"]


class Relation(Value):
    """What a SKU has to do with another: `quantity` says how many of it are in a bundle, or go with one."""

    kind: RelationKind
    to_sku: Sku
    quantity: Quantity = 1


class PutRelations(Value):
    """Say all that goes with a SKU, the first first; what was said before is replaced."""

    sku: Sku
    relations: Annotated[tuple[Relation, ...], Meta(max_length=RELATIONS_MAX)]


class RelationsPut(Value):
    """How many relations the SKU has now."""

    relations: int


class ListRelations(Value):
    """Ask what goes with a SKU, of a kind or of all."""

    sku: Sku
    kind: RelationKind | None = None


class Related(Value):
    """Goods that go with a SKU, as they are offered here."""

    kind: RelationKind
    quantity: int
    item: Found


class Relations(Value):
    """What goes with a SKU and is offered here now, in the order that was said."""

    items: tuple[Related, ...]


@capability("catalog.put-relations", version="1.0", effect=Effect.WRITE, raises=[NoSuchSku])
def put_relations(ask: PutRelations) -> RelationsPut:
    """Say what goes with a SKU, for all front ends. Safe to repeat."""
    ...


@capability("catalog.list-relations", version="1.0", effect=Effect.READ)
def list_relations(ask: ListRelations) -> Relations:
    """List what goes with a SKU; what the front end does not offer now is left out."""
    ...
