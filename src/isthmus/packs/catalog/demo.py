"""Goods to try the catalogue with: imported, and offered by the front end."""

from __future__ import annotations

from isthmus.manifest import Demo

from . import api


async def load_goods(demo: Demo) -> None:
    names = dict.fromkeys(one.category for one in demo.goods)
    categories = tuple(api.CategoryDraft(code=name, name=name) for name in names)
    products = tuple(
        api.ProductDraft(code=one.sku, title=one.title, category=one.category, variants=(api.Variant(sku=one.sku),))
        for one in demo.goods
    )
    await demo.call(api.put_categories, api.PutCategories(categories=categories))
    await demo.call(api.import_products, api.ImportProducts(products=products))
    listings = tuple(api.Listing(sku=one.sku, offered_from=demo.since) for one in demo.goods)
    await demo.call(api.publish, api.Publish(listings=listings))
