"""Two hundred lines with a tax of a cent each are booked, sent in parts, returned and invoiced to the cent."""

from __future__ import annotations

from isthmus.packs.catalog import api as catalog
from isthmus.packs.inventory import api as inventory
from isthmus.packs.pricing import api as pricing

from .conftest import LONG_AGO, Shop
from .test_bookkeeping import Books
from .test_invoices import FIRM, invoice, taxed

LINES, CENTS = 200, 6  # of which 0.96 are tax
GOODS = [f"pin-{number:03}" for number in range(LINES)]


async def pins(books: Books) -> None:
    drafts = tuple(
        catalog.ProductDraft(code=sku, title=sku, category="food", seller="pins", variants=(catalog.Variant(sku=sku),))
        for sku in GOODS
    )
    listings = tuple(catalog.Listing(sku=sku, offered_from=LONG_AGO) for sku in GOODS)
    prices = tuple(pricing.PriceEntry(sku=sku, currency="EUR", amount=CENTS, valid_from=LONG_AGO) for sku in GOODS)
    lines = tuple(inventory.Receipt(sku=sku, quantity=1, location="main") for sku in GOODS)
    await books.call(catalog.import_products, catalog.ImportProducts(products=drafts))
    await books.call(catalog.publish, catalog.Publish(listings=listings))
    await books.call(pricing.put_prices, pricing.PutPrices(prices=prices))
    await books.call(inventory.receive, inventory.Receive(reference="pins", lines=lines))


async def test_two_hundred_lines_with_a_tax_of_a_cent_each_leave_no_cent_behind(shop: Shop) -> None:
    books = await taxed(shop)
    await pins(books)
    placed = await books.bought(*((sku, 1) for sku in GOODS))
    (one,) = placed.orders
    assert placed.bill.total.minor == LINES * CENTS
    await books.sent(one.order_id, "1", *((line, 1) for line in range(77)))
    assert await books.stands("income:sales", "liabilities:tax", "liabilities:customers") == [
        -77 * (CENTS - 1),
        -77,
        -(LINES - 77) * CENTS,
    ]
    await books.sent(one.order_id, "2")
    assert await books.stands("income:sales", "liabilities:tax", "liabilities:customers") == [
        -LINES * (CENTS - 1),
        -LINES,
        0,
    ]
    issued = await invoice(books, one.order_id, buyer=FIRM)
    assert issued.totals.due.minor == 0, "all of it is paid, however the tax of all lines together is rounded"
    assert issued.totals.gross.minor + issued.totals.rounding.minor == LINES * CENTS
    await books.returned(one.order_id, *((line, 1) for line in range(0, LINES, 2)))
    kept = LINES // 2
    assert await books.stands("income:sales", "income:returns", "liabilities:tax", "liabilities:customers") == [
        -LINES * (CENTS - 1),
        kept * (CENTS - 1),
        -kept,
        0,
    ]
    await books.check()
