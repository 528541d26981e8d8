"""What the source does not have: goods by weight.

The receipts know packs only. A pack of so many pounds is also sold loose: by the gram, at the price of the pack.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime

from demo import patience
from isthmus.app.platform import Running
from isthmus.kernel import Caller
from isthmus.packs.catalog import api as catalog
from isthmus.packs.inventory import api as inventory
from isthmus.packs.pricing import api as pricing

CURRENCY = "USD"
POUND_GRAMS = 454  # international avoirdupois pound, 453.59237 g, to the next gram
LOOSE_POUNDS_MAX = 5  # larger packs are for kitchens
LOOSE_LEAST, LOOSE_STEP, LOOSE_MOST = 100, 50, 10_000  # grams of one line
LOOSE_STOCK = 40_000  # grams of each

_PACK = re.compile(r"(\d+) LB")


def loose(sku: str, size: object) -> tuple[catalog.Variant, ...]:
    """Return the SKU of the same goods by the gram, where a pack holds whole pounds."""
    if pounds(size) is None:
        return ()
    return (catalog.Variant(sku=f"{sku}-loose", unit="gram", weight_grams=1, attributes={"sold": "by weight"}),)


def pounds(size: object) -> int | None:
    """Return how many pounds a pack of a size holds; None where it is no small pack of whole pounds."""
    found = _PACK.fullmatch(str(size or ""))
    count = int(found[1]) if found else 0
    return count if 0 < count <= LOOSE_POUNDS_MAX else None


async def put_loose(
    running: Running, caller: Caller, packs: Mapping[str, int], prices: Iterable[pricing.PriceEntry], since: datetime
) -> None:
    """Offer packs by the gram too: by SKU, how many pounds each holds, and what it costs."""
    priced = {one.sku: one for one in prices if one.sku in packs}
    if not priced:
        return
    listings = tuple(
        catalog.Listing(
            sku=f"{sku}-loose",
            offered_from=since,
            min_quantity=LOOSE_LEAST,
            step=LOOSE_STEP,
            max_quantity=LOOSE_MOST,
        )
        for sku in priced
    )
    entries = tuple(
        pricing.PriceEntry(
            sku=f"{sku}-loose",
            currency=CURRENCY,
            amount=one.sale_amount or one.amount,
            per=packs[sku] * POUND_GRAMS * one.per,
            valid_from=since,
        )
        for sku, one in priced.items()
    )
    receipts = tuple(
        inventory.Receipt(sku=f"{sku}-loose", quantity=LOOSE_STOCK, location="warehouse") for sku in priced
    )
    platform, received = running.platform, inventory.Receive(reference="loose-goods", lines=receipts)
    await patience.call(platform, catalog.publish, catalog.Publish(listings=listings), caller)
    await patience.call(platform, pricing.put_prices, pricing.PutPrices(prices=entries), caller)
    await patience.call(platform, inventory.receive, received, caller)
