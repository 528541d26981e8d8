"""What is kept between two questions never changes an answer: not the clock, the data, nor who asks."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from isthmus.data.answers.metrics import Metrics
from isthmus.data.answers.receipt import Receipts
from isthmus.data.errors import DuplicateKey, MixedCurrencies, NotAnswered
from isthmus.data.lake.reader import DuckReader
from isthmus.data.model.ask import Ask
from isthmus.data.privacy.policy import Opened, Policy, of_front_end, owner

from .conftest import World


class Moving:
    """A lake whose newest state is another one after each change."""

    def __init__(self, shop: World) -> None:
        self._shop = shop
        self._number = 0

    def newest(self) -> DuckReader:
        return DuckReader(self._shop.connection, f"state-{self._number}")

    def at(self, snapshot: str) -> DuckReader:
        return self.newest().at(snapshot)

    def change(self, sql: str) -> None:
        self._shop.connection.execute(sql)
        self._number += 1


@pytest.fixture
def moving(shop: World) -> Moving:
    """Give the shop as a lake that moves on."""
    return Moving(shop)


@pytest.fixture
def metrics(shop: World, moving: Moving, tmp_path: Path) -> Metrics:
    """Give metrics that live as long as a process does."""
    return Metrics(shop.model, moving, Receipts(tmp_path), secret=b"x", now=lambda: shop.now)


def total(metrics: Metrics, name: str = "sales", policy: Policy | None = None) -> object:
    return metrics.ask(Ask(metrics=(name,)), policy or owner()).rows[0][name]


def test_a_new_snapshot_gives_a_new_number(metrics: Metrics, moving: Moving) -> None:
    assert total(metrics) == total(metrics) == 4140
    moving.change("update shop.orders set total_minor = total_minor + 1")
    assert total(metrics) == 4145


def test_a_second_currency_and_a_duplicate_are_seen_though_the_question_is_known(
    metrics: Metrics, moving: Moving
) -> None:
    assert total(metrics) == 4140
    moving.change("update shop.orders set currency = 'USD' where id = 5")
    with pytest.raises(MixedCurrencies):
        total(metrics)
    moving.change("update shop.orders set currency = 'EUR'")
    assert total(metrics) == 4140
    moving.change("insert into shop.orders select * from shop.orders where id = 1")
    with pytest.raises(DuplicateKey):
        total(metrics)


def test_a_period_up_to_now_moves_with_the_clock(metrics: Metrics, shop: World) -> None:
    assert total(metrics, "sales_7_days") == 2050 + 300 + 90
    shop.now += timedelta(days=5)
    assert total(metrics, "sales_7_days") == 2050 + 300
    shop.now += timedelta(days=30)
    assert total(metrics, "sales_7_days") == 0


def test_what_one_policy_saw_is_not_shown_to_another(metrics: Metrics, shop: World) -> None:
    south = of_front_end(shop.model, "south")
    for _ in range(2):
        assert total(metrics) == 4140
        assert total(metrics, policy=south) == 790
        with pytest.raises(NotAnswered):
            total(metrics, policy=Policy(name="owner", opens={"shop.visit": Opened()}))
