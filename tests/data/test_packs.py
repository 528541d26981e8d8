"""The packs' own tables land, and their metrics answer over all of them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from isthmus.data.answers.metrics import Metrics
from isthmus.data.answers.receipt import Receipts
from isthmus.data.checks import lock as locks
from isthmus.data.checks.metamorphic import broken
from isthmus.data.errors import NotAnswered
from isthmus.data.exchange.graduate import Postgres, acceptance, compare
from isthmus.data.lake.lake import Lake
from isthmus.data.lake.landing import Lander
from isthmus.data.model.ask import Ask
from isthmus.data.model.model import build
from isthmus.data.platform import open_platform
from isthmus.data.privacy import policy
from isthmus.data.query.proof import Proofs
from isthmus.flows.after_sale.pack import AFTER_SALE
from isthmus.manifest.parts import rows_of
from isthmus.markings import Where
from isthmus.packs.catalog import entities as catalog
from isthmus.packs.fulfilment import entities as fulfilment
from isthmus.packs.inventory import entities as inventory
from isthmus.packs.member import entities as member
from isthmus.packs.order import entities as order
from isthmus.packs.payment import entities as payment
from isthmus.packs.pricing import entities as pricing
from isthmus.packs.promotion import entities as promotion
from isthmus.packs.tax import entities as tax
from isthmus.store import Database, MigrationSource, Outbox, migrate
from tests import shipped

PACKS = {
    "member": member, "catalog": catalog, "inventory": inventory, "pricing": pricing, "promotion": promotion,
    "tax": tax, "order": order, "payment": payment, "fulfilment": fulfilment,
}  # fmt: skip
NOW = datetime(2030, 1, 15, tzinfo=UTC)
U = "00000000-0000-0000-0000-0000000000"
ROWS = f"""
insert into member.person values ('{U}01', '2030-01-01'), ('{U}02', '2030-01-01');
insert into member.membership (front_end, member_id, person_id, state, profile, consents, joined_at) values
    ('north', '{U}11', '{U}01', 'active', '{{}}', '{{}}', '2030-01-01'),
    ('south', '{U}12', '{U}01', 'active', '{{}}', '{{}}', '2030-01-01'),
    ('north', '{U}13', '{U}02', 'active', '{{}}', '{{}}', '2030-01-01');
insert into catalog.category (code, name, parent, path) values ('food', 'Food', null, '{{food}}'),
    ('tea', 'Tea', 'food', '{{food,tea}}'), ('rice', 'Rice', 'food', '{{food,rice}}'), ('toys', 'Toys', null, '{{toys}}');
insert into catalog.seller values ('own', 'Own');
insert into catalog.product (product_id, code, title, description, category, brand, seller, tax_category,
    is_returnable, attributes, changed_at) values
    ('{U}21', 'p1', 'Green', '', 'tea', 'b', 'own', 's', true, '{{}}', '2030-01-01'),
    ('{U}22', 'p2', 'Basmati', '', 'rice', 'b', 'own', 's', true, '{{}}', '2030-01-01');
insert into catalog.sku (sku, product_id, unit, weight_grams, attributes) values
    ('green', '{U}21', 'each', 1, '{{}}'), ('basmati', '{U}22', 'each', 1, '{{}}');
insert into "order".orders (front_end, order_id, group_id, number, state, part, member_id, contact_email, order_kind,
    channel, box, plan, currency, line_count, delivery_fee_minor, delivery_method, total_minor, coupons, placed_at) values
    ('north', '{U}31', '{U}31', 1, 'paid', '', '{U}11', '', 'standard', 'app', 'north', '', 'EUR', 2, 100, 'post', 1500, '{{}}', '2030-01-02'),
    ('south', '{U}32', '{U}32', 1, 'paid', '', '{U}12', '', 'standard', 'app', 'south', '', 'EUR', 1, 0, 'post', 700, '{{}}', '2030-01-09'),
    ('north', '{U}33', '{U}33', 2, 'cancelled', '', null, '', 'standard', 'app', 'north', '', 'EUR', 1, 0, 'post', 9, '{{}}', '2030-01-09');
insert into "order".lines (front_end, order_id, line, sku, title, quantity, unit, seller, location, tax_category,
    list_minor, amount_minor, discount_minor, tax_minor, total_minor, is_returnable, applied) values
    ('north', '{U}31', 1, 'green', '', 2, 'each', 'own', 'x', 's', 1000, 1000, 0, 0, 1000, true, '[]'),
    ('north', '{U}31', 2, 'basmati', '', 1, 'each', 'own', 'x', 's', 400, 400, 0, 0, 400, true, '[]'),
    ('south', '{U}32', 1, 'green', '', 1, 'each', 'own', 'x', 's', 700, 700, 0, 0, 700, true, '[]'),
    ('north', '{U}33', 1, 'green', '', 1, 'each', 'own', 'x', 's', 9, 9, 0, 0, 9, true, '[]');
insert into "order".return (front_end, return_id, order_id, state, refund_minor, note, asked_at) values
    ('north', '{U}71', '{U}31', 'requested', 1000, '', '2030-01-20'), ('south', '{U}72', '{U}32', 'requested', 700, '', '2030-03-20');
insert into pricing.price (front_end, price_id, price_list, sku, currency, location, min_quantity, valid_from, amount,
    per, put_at, put_by, ended_at, ended_as) values
    ('north', '{U}41', '', 'green', 'EUR', '', 1, '2030-01-01', 500, 1, '2030-01-01', 'a', '2030-01-02', 'superseded'),
    ('north', '{U}42', '', 'green', 'EUR', '', 1, '2030-01-01', 600, 1, '2030-01-02', 'a', null, '');
insert into promotion.promotion (front_end, code, version, is_running, definition, valid_from, needs_coupon) values
    ('north', 'spring', 1, true, '{{}}', '2030-01-01', true);
insert into promotion.redemption (front_end, reference, digest, member_id, redeemed_at, redeemed_by) values
    ('north', 'a', '', '{U}11', '2030-01-02', 'c'), ('north', 'b', '', null, '2030-01-03', 'c');
insert into promotion.use (front_end, reference, promotion, coupon, amount, currency, returned_at) values
    ('north', 'a', 'spring', 'SECRET', 50, 'EUR', null), ('north', 'a', 'extra:loyal', '', 20, 'EUR', null),
    ('north', 'b', 'spring', 'OTHER', 30, 'EUR', '2030-01-04');
insert into tax.jurisdiction values ('north', 'DE', true, 'half-up', 'line', '2030-01-01', 'a');
insert into tax.rate (front_end, jurisdiction, name, tax_category, rate_ppm, valid_from, put_at, put_by) values
    ('north', 'DE', 'VAT', 'food', 70000, '2030-01-01', '2030-01-01', 'a'),
    ('north', 'DE', 'VAT', '', 190000, '2030-01-01', '2030-01-01', 'a');
insert into payment.payment (front_end, payment_id, reference, currency, amount_minor, authorised_minor, captured_minor,
    refunded_minor, state, opened_at) values
    ('north', '{U}51', 'a', 'EUR', 1500, 1500, 1500, 300, 'part-refunded', '2030-01-02');
insert into payment.leg values
    ('north', '{U}52', '{U}51', 'capture', 1500, 'card', '2030-01-02'),
    ('north', '{U}53', '{U}51', 'refund', -300, 'card', '2030-01-08');
insert into payment.attempt (front_end, attempt_id, payment_id, kind, key, provider, method, amount_minor, state, begun_at,
    ended_at) values
    ('north', '{U}54', '{U}51', 'authorise', 'k1', 'p', 'card', 1500, 'refused', '2030-01-02', '2030-01-02'),
    ('north', '{U}55', '{U}51', 'authorise', 'k2', 'p', 'card', 1500, 'done', '2030-01-02', '2030-01-02');
insert into fulfilment.method values ('north', 'post', 'Post', 'delivery', true, 0, true);
insert into fulfilment.slot (front_end, slot_id, method, zone, starts_at, ends_at, closes_at, capacity, booked, fee_minor)
    values ('north', '{U}61', 'post', 'z', '2030-01-03', '2030-01-04', '2030-01-03', 4, 1, 0);
insert into fulfilment.plan values ('north', 'a', '');
insert into fulfilment.shipment (front_end, shipment_id, reference, part, location, method, state, slot_id, planned_at)
    values ('north', '{U}62', 'a', '', 'x', 'post', 'delivered', '{U}61', '2030-01-02');
insert into fulfilment.shipment_line values
    ('north', '{U}62', 1, 'green', 2, 2, 2, 0), ('north', '{U}62', 2, 'basmati', 1, 1, 0, 0);
"""  # noqa: E501


@pytest.fixture
async def landed(empty_url: str, tmp_path: Path) -> Metrics:
    """Give the metrics of all packs over a lake that a small business landed in."""
    return await _landed(empty_url, tmp_path, ROWS)


async def _landed(url: str, folder: Path, rows: str) -> Metrics:
    await migrate(url, [MigrationSource.of_pack(name, f"isthmus.packs.{name}:migrations") for name in PACKS])
    model = build(
        [(one, name) for name, pack in PACKS.items() for one in pack.ENTITIES],
        [*(metric for pack in PACKS.values() for metric in pack.METRICS), *cast(Any, AFTER_SALE.metrics)],
    )
    lake = Lake(folder / "lake", model)
    async with await Database.open(url) as database:
        async with database.platform() as session:
            for statement in rows.split(";\n"):
                if statement.strip():
                    await session.execute(statement)
        landing = await Lander(lake, url, Outbox(database)).land(NOW)
    assert (landing.alerts, landing.quarantined) == ((), {})
    return Metrics(model, lake, Receipts(folder / "receipts"), secret=b"x", now=lambda: NOW)


PART_OF_A_BASKET = f"""
insert into "order".orders (front_end, order_id, group_id, number, state, part, member_id, contact_email, order_kind,
    channel, box, plan, currency, line_count, delivery_fee_minor, delivery_method, total_minor, coupons, placed_at) values
    ('north', '{U}34', '{U}31', 3, 'paid', 'other', '{U}11', '', 'standard', 'app', 'north', '', 'EUR', 1, 0, 'post', 800, '{{}}', '2030-02-01');
insert into "order".lines (front_end, order_id, line, sku, title, quantity, unit, seller, location, tax_category,
    list_minor, amount_minor, discount_minor, tax_minor, total_minor, is_returnable, applied) values
    ('north', '{U}34', 1, 'green', '', 1, 'each', 'other', 'x', 's', 1000, 830, 30, 0, 800, true, '[]');
"""  # noqa: E501


async def test_a_basket_is_what_is_paid_at_once_and_a_discount_is_what_is_below_the_price_list(
    empty_url: str, tmp_path: Path
) -> None:
    metrics = await _landed(empty_url, tmp_path, ROWS + PART_OF_A_BASKET)

    def row(*names: str) -> tuple[object, ...]:
        return tuple(metrics.ask(Ask(metrics=names), policy.owner()).rows[0].values())

    assert row("order.orders", "order.baskets", "order.sales", "order.basket-value") == (3, 2, 3000, 1500)
    assert row("order.list-sales", "order.ruled-sales", "order.discounts", "order.below-list") == (3100, 2930, 30, 200)
    assert row("order.discount-share") == (pytest.approx(200 / 3100),)
    assert row("order.buyers", "order.returning-buyers", "order.returning-share") == (2, 0, 0)  # parts of one basket


async def test_a_sellers_people_are_answered_about_their_own_lines_whatever_they_ask(
    empty_url: str, tmp_path: Path
) -> None:
    metrics = await _landed(empty_url, tmp_path, ROWS + PART_OF_A_BASKET)
    other = policy.of_parts(metrics.model, "north", "seller/other", rows_of(shipped.PACKS, "seller/other"))

    def rows(name: str, **ask: Any) -> list[tuple[object, ...]]:
        return [tuple(row.values()) for row in metrics.ask(Ask(metrics=(name,), **ask), other).rows]

    assert rows("order.line-sales") == [(800,)]
    assert rows("order.line-sales", by=("order.line.seller",)) == [("other", 800)]
    assert rows("order.units", by=("time:month",)) == [(date(2030, 2, 1), 1)]
    for seller in ("own", "nobody"):
        theirs = (Where("order.line.seller", "=", seller),)
        assert rows("order.line-sales", where=theirs) == rows("order.line-sales", where=(Where("sku", "=", "none"),))
    for name in ("order.sales", "order.orders", "member.members", "payment.net"):
        with pytest.raises(NotAnswered, match="does not open"):
            rows(name)
    with pytest.raises(NotAnswered, match="does not open"):
        rows("order.line-sales", by=("member.membership.tier",))


WITHIN = "sku>product_id>category>~catalog.within.category>catalog.within.code"


async def test_a_report_means_by_a_category_itself_and_all_below_it(landed: Metrics) -> None:
    def rows(by: tuple[str, ...] = (), within: str = "") -> list[tuple[object, ...]]:
        where = (Where(WITHIN, "=", within),) if within else ()
        ask = Ask(metrics=("order.line-sales",), by=by, where=where)
        return [tuple(row.values()) for row in landed.ask(ask, policy.owner()).rows]

    assert rows(("catalog.category.level_1",)) == [("food", 2100)]
    assert rows(("catalog.category.level_2",)) == [("rice", 400), ("tea", 1700)]
    assert rows(within="food") == [(2100,)]
    assert rows(within="tea") == [(1700,)]
    assert rows(within="toys") in ([], [(None,)], [(0,)])
    assert rows(("catalog.category.name",), within="food") == [("Rice", 400), ("Tea", 1700)]


async def test_the_packs_tables_land_and_their_metrics_answer_across_them(landed: Metrics) -> None:
    def rows(*names: str, by: tuple[str, ...] = ()) -> list[tuple[object, ...]]:
        return [tuple(row.values()) for row in landed.ask(Ask(metrics=names, by=by), policy.owner()).rows]

    assert rows("order.line-sales", "order.units", by=("catalog.category.name",)) == [
        ("Rice", 400, 1),
        ("Tea", 1700, 3),
    ]
    assert rows("order.sales", "member.members", "member.persons", by=("front_end",)) == [
        ("north", 1500, 2, 2), ("south", 700, 1, 1),
    ]  # fmt: skip
    assert rows("member.persons", "order.net-sales", "order.basket-value") == [(2, 2200, 1100)]
    assert rows("payment.captured", "payment.refunded", "payment.net", "payment.refusal-rate") == [
        (1500, 300, 1200, 0.5)
    ]
    assert rows("payment.net", by=("time:week",)) == [(date(2029, 12, 31), 1500), (date(2030, 1, 7), -300)]
    assert rows("promotion.given", by=("promotion.use.promotion",)) == [("extra:loyal", 20), ("spring", 50)]
    assert rows("promotion.uses", by=("member.membership.tier",)) == [("", 2)]
    assert rows("pricing.put", "pricing.live", "pricing.skus-priced", "tax.rates", "tax.highest-rate") == [
        (2, 1, 1, 2, 190000)
    ]
    assert rows("fulfilment.units-shipped", by=("catalog.category.name",)) == [("Rice", 0), ("Tea", 2)]
    assert rows("fulfilment.slot-use", "fulfilment.shipments", "fulfilment.delivered") == [(0.25, 1, 1)]
    assert rows("order.returns", "after-sale.returned-orders", "after-sale.returned", by=("front_end",)) == [
        ("north", 1, 1, 1.0), ("south", 1, 0, 0.0),
    ]  # fmt: skip
    assert broken(landed, policy.owner()) == []
    assert all(proof.holds for proof in Proofs(landed.model).all(landed.reader()))


async def test_every_shipped_metric_is_the_same_on_the_postgresql_that_it_landed_from(
    landed: Metrics, empty_url: str
) -> None:
    """Conversions too, by `data graduate --to postgres`; all but what One ID finds out, which the lake alone has."""
    asks = acceptance(landed, NOW, has_found=False)
    found = await compare(landed, landed.reader(), Postgres(empty_url), asks, NOW)
    assert [(one.ask.metrics, one.ask.by, one.failure[:200], one.differing) for one in found if not one.agrees] == []
    assert {name for ask in asks for name in ask.metrics} == set(landed.model.metrics) - {"member.resolved-persons"}
    assert Ask(metrics=("after-sale.returned",), by=("time:month",), as_of=NOW) in asks


def test_the_markings_of_all_shipped_packs_make_one_sound_model(tmp_path: Path) -> None:
    platform = open_platform(shipped.PACKS, tmp_path)
    assert set(PACKS) <= {name.partition(".")[0] for name in platform.model.entities}
    assert all(platform.model.owners[name] and metric.doc for name, metric in platform.model.metrics.items())
    assert {event.partition(".")[0] for event in platform.lake.events} >= {"member", "order", "inventory"}
    assert platform.metrics.ask(Ask(metrics=("order.sales",)), platform.policies["owner"]).rows == [{"order.sales": 0}]


def test_the_locked_model_and_metrics_are_those_that_ship(tmp_path: Path) -> None:
    """Review what has changed with `isthmus data diff`, then lock anew with `isthmus data lock`."""
    locks.check(open_platform(shipped.PACKS, tmp_path).model, Path(__file__).parents[2] / "metrics.lock.json")
