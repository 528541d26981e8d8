"""The manifest of the catalogue."""

from isthmus.kernel import Condition, Pack

from . import api, entities, service

PACK = Pack(
    name="catalog",
    owner="catalogue",
    api=api,
    service=(service,),
    migrations="isthmus.packs.catalog:migrations",
    entities=entities.ENTITIES,
    metrics=entities.METRICS,
    conditions=(
        Condition(
            name="catalog.offered-is-known",
            sentence="Every SKU that is offered belongs to a product of the group.",
            sql="""select listing.front_end, listing.sku from catalog.listing
                   left join catalog.sku using (sku) where sku.sku is null""",
        ),
    ),
)
