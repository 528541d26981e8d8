"""The rules of Coffee, tested alone: no platform and no database is needed."""

from datetime import UTC, datetime

from front_ends.coffee import answers
from isthmus.packs.pricing import api as pricing
from isthmus.values import GUEST, money


def test_everything_costs_a_tenth_less_while_the_shop_is_new() -> None:
    listed = pricing.ListedLine(
        sku="tea",
        quantity=2,
        location="",
        price_list="standard",
        amount=money(1000, "EUR"),
        sale_amount=None,
        per=1,
        valid_from=datetime(2026, 1, 1, tzinfo=UTC),
        valid_to=None,
        now=datetime(2026, 1, 2, tzinfo=UTC),
    )
    (price,) = answers.opening_price([listed], GUEST)
    assert price.amount == money(900, "EUR")
