"""The manifest of the catalogue."""

from isthmus.kernel import Condition, Pack
from isthmus.manifest import DemoData, Every, Job, Page, Personal, Resource, Step, Within

from . import api, entities
from .service import assortment, changes, enrichment, exchange, finding, products, searching

PACK = Pack(
    name="catalog",
    owner="catalogue",
    api=api,
    service=(assortment, products, searching, finding, exchange, enrichment, changes),
    migrations="isthmus.packs.catalog:migrations",
    entities=entities.ENTITIES,
    metrics=entities.METRICS,
    brings=(
        Within(kind="seller", capabilities=(api.search, api.count_facets, api.get_product, api.publish, api.withdraw)),
        Step(name="browse", calls=(api.search, api.get_product, api.list_categories, api.list_relations)),
        Personal(
            because="what front ends say of goods is of goods, and what services found is kept without the words",
            purposes={"free-text": "a search service finds goods by the words that somebody looks for"},
        ),
        Resource(kind=api.SearchServices, make=api.connected, settings=api.CatalogSettings, providers="search"),
        Job(name="catalog.forget-searches", when=Every(seconds=3600), calls=api.forget_searches),
        Page(
            path="/goods",
            menu="Goods",
            at="isthmus.packs.catalog.pages.goods:show",
            template="isthmus.packs.catalog.pages:goods.html",
            needs=api.search,
        ),
        Page(
            path="/goods",
            at="isthmus.packs.catalog.pages.goods:withdraw",
            template="isthmus.packs.catalog.pages:goods.html",
            needs=api.search,
            is_form=True,
        ),
        Page(
            path="/product-changes",
            menu="Product changes",
            at="isthmus.packs.catalog.pages:show_list",
            template="changes.html",
            needs=api.list_changes,
        ),
        Page(
            path="/product-changes/{front_end}/{change_id}",
            at="isthmus.packs.catalog.pages:show_one",
            template="change.html",
            needs=api.get_change,
        ),
        Page(
            path="/product-changes/{front_end}/{change_id}",
            at="isthmus.packs.catalog.pages:act",
            template="change.html",
            needs=api.get_change,
            is_form=True,
        ),
        DemoData(
            name="catalog.goods",
            doc="A few goods in their categories, offered.",
            at="isthmus.packs.catalog.demo:load_goods",
            needs=(api.put_categories, api.import_products, api.publish),
        ),
    ),
    conditions=(
        Condition(
            name="catalog.offered-is-known",
            sentence="Every SKU that is offered belongs to a product of the group.",
            sql="""select listing.front_end, listing.sku from catalog.listing
                   left join catalog.sku using (sku) where sku.sku is null limit 20""",
        ),
        Condition(
            name="catalog.lists-show-the-product",
            sentence="What lists show of a SKU is what its product and its front end say.",
            sql="""select listing.front_end, listing.sku from catalog.listing
                   cross join lateral catalog.shown(listing.front_end, listing.sku) as shown
                   where (listing.product_id, listing.title, listing.category, listing.brand, listing.seller,
                          listing.is_current, listing.enriched_words, listing.enriched_attributes)
                      is distinct from (shown.product_id, shown.title, shown.category, shown.brand, shown.seller,
                                        shown.is_current, shown.enriched_words, shown.enriched_attributes) limit 20""",
        ),
        Condition(
            name="catalog.paths-follow-parents",
            sentence="The way to a category is the way to its parent and the category itself.",
            sql="""select one.code, one.path, above.path as parents from catalog.category one
                   left join catalog.category above on above.code = one.parent
                   where one.path <> coalesce(above.path, '{}') || one.code limit 20""",
        ),
        Condition(
            name="catalog.own-paths-follow-parents",
            sentence="In a front end's own tree too, the way to a category is the way to its parent and itself.",
            sql="""select one.front_end, one.code, one.path, above.path as parents from catalog.front_end_category one
                   left join catalog.front_end_category above
                       on above.front_end = one.front_end and above.code = one.parent
                   where one.path <> coalesce(above.path, '{}') || one.code limit 20""",
        ),
        Condition(
            name="catalog.approved-is-a-version",
            sentence="What was approved became the version of the product that it says.",
            sql="""select change.change_id, change.code, change.version from catalog.change
                   left join catalog.product using (code)
                   left join catalog.product_version kept
                       on kept.product_id = product.product_id and kept.version = change.version
                   where state = 'approved' and kept.draft is distinct from change.draft limit 20""",
        ),
        Condition(
            name="catalog.versions-are-whole",
            sentence="A product's versions end with the one that it has.",
            sql="""select product.code, product.version, max(kept.version) as kept
                   from catalog.product join catalog.product_version kept using (product_id)
                   group by product.code, product.version having max(kept.version) <> product.version limit 20""",
        ),
    ),
)
