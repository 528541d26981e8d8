"""The packs' own tables land, and their metrics answer over all of them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from isthmus import app
from isthmus.data import policy
from isthmus.data.ask import Ask
from isthmus.data.lake import Lake
from isthmus.data.landing import Lander
from isthmus.data.metamorphic import broken
from isthmus.data.metrics import Metrics
from isthmus.data.model import build
from isthmus.data.platform import open_platform
from isthmus.data.proof import Proofs
from isthmus.data.receipt import Receipts
from isthmus.packs.catalog import entities as catalog
from isthmus.packs.inventory import entities as inventory
from isthmus.packs.member import entities as member
from isthmus.packs.order import entities as order
from isthmus.store import Database, MigrationSource, Outbox, migrate

PACKS = {"member": member, "catalog": catalog, "inventory": inventory, "order": order}
NOW = datetime(2030, 1, 15, tzinfo=UTC)
U = "00000000-0000-0000-0000-0000000000"
ROWS = f"""
insert into member.person values ('{U}01', '2030-01-01'), ('{U}02', '2030-01-01');
insert into member.membership (front_end, member_id, person_id, state, profile, consents, joined_at) values
    ('north', '{U}11', '{U}01', 'active', '{{}}', '{{}}', '2030-01-01'),
    ('south', '{U}12', '{U}01', 'active', '{{}}', '{{}}', '2030-01-01'),
    ('north', '{U}13', '{U}02', 'active', '{{}}', '{{}}', '2030-01-01');
insert into catalog.category (code, name) values ('tea', 'Tea'), ('rice', 'Rice');
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
"""  # noqa: E501


async def test_the_packs_tables_land_and_their_metrics_answer_across_them(empty_url: str, tmp_path: Path) -> None:
    await migrate(empty_url, [MigrationSource.of_pack(name, f"isthmus.packs.{name}:migrations") for name in PACKS])
    model = build(
        [(one, name) for name, pack in PACKS.items() for one in pack.ENTITIES],
        [metric for pack in PACKS.values() for metric in pack.METRICS],
    )
    lake = Lake(tmp_path / "lake", model)
    async with await Database.open(empty_url) as database:
        async with database.platform() as session:
            for statement in ROWS.split(";\n"):
                if statement.strip():
                    await session.execute(statement)
        landing = await Lander(lake, empty_url, Outbox(database)).land(NOW)
    assert (landing.alerts, landing.quarantined) == ((), {})
    metrics = Metrics(model, lake, Receipts(tmp_path / "receipts"), secret=b"x", now=lambda: NOW)

    def rows(*names: str, by: tuple[str, ...] = ()) -> list[tuple[object, ...]]:
        return [tuple(row.values()) for row in metrics.ask(Ask(metrics=names, by=by), policy.owner()).rows]

    assert rows("order.line-sales", "order.units", by=("catalog.category.name",)) == [
        ("Rice", 400, 1),
        ("Tea", 1700, 3),
    ]
    assert rows("order.sales", "member.members", "member.persons", by=("front_end",)) == [
        ("north", 1500, 2, 2), ("south", 700, 1, 1),
    ]  # fmt: skip
    assert rows("member.persons", "order.net-sales", "order.basket-value") == [(2, 2200, 1100)]
    assert broken(metrics, policy.owner()) == []
    assert all(proof.holds for proof in Proofs(model).all(lake.newest()))


def test_the_markings_of_all_shipped_packs_make_one_sound_model(tmp_path: Path) -> None:
    platform = open_platform((*app.PACKS, *app.FLOWS), tmp_path)
    assert set(PACKS) <= {name.partition(".")[0] for name in platform.model.entities}
    assert all(platform.model.owners[name] and metric.doc for name, metric in platform.model.metrics.items())
    assert {event.partition(".")[0] for event in platform.lake.events} >= {"member", "order", "inventory"}
    assert platform.metrics.ask(Ask(metrics=("order.sales",)), platform.policies["owner"]).rows == [{"order.sales": 0}]
