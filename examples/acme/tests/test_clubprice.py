"""Clubprice, tested alone: no platform and no database is needed."""

from datetime import UTC, datetime

from acme.products.clubprice import CLUBPRICE, members_pay_less

from isthmus.kernel import PASS
from isthmus.packs.pricing import api as pricing
from isthmus.values import GUEST, money


def listed(sale: int | None = None) -> pricing.ListedLine:
    return pricing.ListedLine(
        sku="tea",
        quantity=1,
        location="",
        price_list="standard",
        amount=money(1000, "EUR"),
        sale_amount=None if sale is None else money(sale, "EUR"),
        per=1,
        valid_from=datetime(2026, 1, 1, tzinfo=UTC),
        valid_to=None,
        now=datetime(2026, 1, 2, tzinfo=UTC),
    )


def test_guests_pay_the_list_price() -> None:
    assert list(members_pay_less([listed()], GUEST)) == [PASS]


def test_the_product_brings_its_answer() -> None:
    assert [answer.name for answer in CLUBPRICE.answers] == ["members_pay_less"]
