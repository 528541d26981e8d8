"""The manifest of pricing."""

from isthmus.kernel import Condition, Pack

from . import api, service

PACK = Pack(
    name="pricing",
    owner="commerce",
    api=api,
    service=(service,),
    migrations="isthmus.packs.pricing:migrations",
    conditions=(
        Condition(
            name="pricing.no-negative-price",
            sentence="No price is below zero, and none ends before it begins.",
            sql="select * from pricing.price where list_minor < 0 or sale_minor < 0 or valid_to <= valid_from",
        ),
    ),
)
