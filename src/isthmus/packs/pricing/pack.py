"""The manifest of pricing."""

from isthmus.kernel import Condition, Pack
from isthmus.manifest import DemoData, Paid, Personal, Within

from . import api, entities, service

PACK = Pack(
    name="pricing",
    owner="pricing team",
    api=api,
    service=(service,),
    migrations="isthmus.packs.pricing:migrations",
    entities=entities.ENTITIES,
    metrics=entities.METRICS,
    brings=(
        Within(
            kind="seller",
            capabilities=(api.put_prices, api.withdraw_prices, api.list_prices, api.list_price_history),
        ),
        Paid(points=(api.adjust_unit_price,), instead=("sale_amount", "amount")),
        Personal(because="what is said of lines is looked at when they are priced, and not kept"),
        DemoData(
            name="pricing.prices",
            doc="A price of each of the demo's goods.",
            at="isthmus.packs.pricing.demo:load_prices",
            needs=(api.put_prices,),
        ),
    ),
    conditions=(
        Condition(
            name="pricing.prices-are-sound",
            sentence="No price is below zero, above its shelf price, or over before it begins.",
            sql="""
                select front_end, price_id, sku, amount, sale_amount, valid_from, valid_to from pricing.price
                where amount < 0 or sale_amount < 0 or sale_amount > amount or per < 1 or valid_to <= valid_from
                limit 20""",
        ),
        Condition(
            name="pricing.one-price-per-key",
            sentence="Of each key one price is live at most.",
            sql="""
                select front_end, price_list, sku, currency, location, min_quantity, valid_from, count(*)
                from pricing.price where ended_at is null
                group by front_end, price_list, sku, currency, location, min_quantity, valid_from
                having count(*) > 1 limit 20""",
        ),
    ),
)
