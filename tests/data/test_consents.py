"""Metrics for a purpose: a row counts where its person had consented at that time, and nobody else's does."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import asyncpg
import pytest

from isthmus import markings as m
from isthmus.data.answers.metrics import Metrics
from isthmus.data.answers.receipt import Receipts
from isthmus.data.errors import AmbiguousPath, BadMetric, NoPath
from isthmus.data.lake.lake import Lake
from isthmus.data.lake.landing import Lander
from isthmus.data.model.ask import Ask
from isthmus.data.model.model import build
from isthmus.data.privacy import policy
from isthmus.data.query.lookup import Lookup
from isthmus.kernel import Value, errors
from isthmus.markings import Dimension, Key, Measure, Ref, Time, entity
from isthmus.packs.member import entities as member
from isthmus.store import Database, MigrationSource, Outbox, migrate

from .conftest import World
from .test_back_flow import Connected

PURPOSE = "profiling"


@entity("club.member", table="club.member")
class Member(Value):
    """Who buys."""

    front_end: Annotated[str, Key(), Dimension()]
    id: Annotated[int, Key()]


@entity("club.consent", table="club.consent", consents=("what_for", "given"))
class Consent(Value):
    """What they said."""

    front_end: Annotated[str, Key()]
    id: Annotated[int, Key()]
    of: Annotated[int, Ref("club.member")]
    what_for: Annotated[str, Dimension()]
    given: bool
    said_at: Annotated[datetime, Time()]


@entity("club.sale", table="club.sale")
class Sale(Value):
    """What they bought."""

    front_end: Annotated[str, Key(), Dimension()]
    id: Annotated[int, Key()]
    buyer: Annotated[int | None, Ref("club.member")]
    euros: Annotated[int, Measure()]
    sold_at: Annotated[datetime, Time()]


@entity("club.gift", table="club.gift")
class Gift(Value):
    """What one gave another."""

    front_end: Annotated[str, Key(), Dimension()]
    id: Annotated[int, Key()]
    giver: Annotated[int, Ref("club.member")]
    taker: Annotated[int, Ref("club.member")]


ENTITIES = [(one, "data-team") for one in (Member, Consent, Sale, Gift)]
METRICS = [
    m.Atomic(name="sales", measure="club.sale.euros"),
    m.Atomic(name="known_sales", measure="club.sale.euros", purpose=PURPOSE),
    m.Count(name="known_orders", of="club.sale", purpose=PURPOSE),
    m.Derived(name="derived_sales", of="sales", purpose=PURPOSE),
    m.Ratio(name="basket", numerator="sales", denominator="known_orders", purpose=PURPOSE),
    m.Distinct(name="known_buyers", field="club.sale.buyer", purpose=PURPOSE),
    m.PeriodOverPeriod(name="sales_before", of="known_sales", period="month", show="before"),
    m.Cumulative(name="sales_so_far", of="known_sales"),
    m.Count(name="members", of="club.member", purpose=PURPOSE),
    m.Count(name="mailable", of="club.member", purpose="mail"),
    m.Count(name="gifts", of="club.gift", purpose=PURPOSE),
    m.Count(name="gifts_given", of="club.gift", purpose=PURPOSE, whose="giver"),
    m.Count(name="gifts_taken", of="club.gift", purpose=PURPOSE, whose="taker"),
]
SQL = """
create schema club;
create table club.member (front_end text, id bigint);
insert into club.member values ('north', 1), ('north', 2), ('north', 3), ('south', 1);
create table club.consent (front_end text, id bigint, of bigint, what_for text, given boolean, said_at timestamptz);
insert into club.consent values
    ('north', 1, 1, 'profiling', true, '2024-01-10'), ('north', 2, 1, 'profiling', false, '2024-02-15'),
    ('north', 3, 1, 'profiling', true, '2024-03-10'), ('north', 4, 2, 'profiling', true, '2024-02-01'),
    ('north', 5, 2, 'mail', true, '2024-01-01'), ('north', 6, 2, 'mail', false, '2024-02-25'),
    ('north', 7, 3, 'mail', true, '2024-01-01');
create table club.sale (front_end text, id bigint, buyer bigint, euros bigint, sold_at timestamptz);
insert into club.sale values
    ('north', 1, 1, 100, '2024-01-05'), ('north', 2, 1, 200, '2024-02-01'), ('north', 3, 1, 400, '2024-02-20'),
    ('north', 4, 2, 800, '2024-02-20'), ('north', 5, 3, 1600, '2024-03-01'), ('north', 6, null, 3200, '2024-03-01'),
    ('north', 7, 1, 6400, '2024-03-20'), ('north', 8, 2, 12800, '2024-01-20'), ('south', 9, 1, 25600, '2024-02-10'),
    ('north', 10, 2, 51200, '2024-02-01'), ('north', 11, 1, 102400, '2024-02-15');
create table club.gift (front_end text, id bigint, giver bigint, taker bigint);
insert into club.gift values ('north', 1, 1, 3), ('north', 2, 2, 1), ('north', 3, 3, 2), ('north', 4, 3, 3);
"""
MONTHS = ("time:month",)


@pytest.fixture
def club(tmp_path: Path) -> World:
    return World(build(ENTITIES, METRICS), SQL, tmp_path / "receipts")


def by_month(club: World, *names: str) -> dict[str, tuple[object, ...]]:
    return {str(row[0])[:7]: row[1:] for row in club.rows(*names, by=MONTHS)}


def test_a_row_counts_where_its_person_had_consented_at_that_time(club: World) -> None:
    found = by_month(club, "sales", "known_sales", "known_orders", "known_buyers")
    assert found["2024-01"] == (12_900, 0, 0, 0)
    assert found["2024-02"] == (200 + 400 + 800 + 25_600 + 51_200 + 102_400, 200 + 800 + 51_200, 3, 2)
    assert found["2024-03"] == (1_600 + 3_200 + 6_400, 6_400, 1, 1)


def test_what_was_counted_then_stays_so_when_consent_is_taken_back(club: World) -> None:
    before = by_month(club, "known_sales")
    club.change("insert into club.consent values ('north', 8, 1, 'profiling', false, '2024-03-30')")
    assert by_month(club, "known_sales") == before
    club.change("insert into club.sale values ('north', 12, 1, 7, '2024-03-30 00:00:01')")
    assert by_month(club, "known_sales") == before


def test_what_has_no_time_counts_who_consents_now(club: World) -> None:
    assert club.rows("members", "mailable") == [(2, 1)]


def test_a_purpose_reaches_all_that_a_metric_is_made_of(club: World) -> None:
    assert club.rows("derived_sales") == club.rows("known_sales") == [(58_600,)]
    assert club.rows("basket") == [(58_600 / 4,)]
    found = by_month(club, "sales_before", "sales_so_far")
    assert (found["2024-03"], found["2024-02"][1]) == ((52_200, 58_600), 52_200)


def test_where_several_may_be_meant_it_is_said_whose_consent_counts(club: World) -> None:
    with pytest.raises(AmbiguousPath):
        club.rows("gifts")
    assert club.rows("gifts_given", "gifts_taken") == [(2, 2)]


def test_where_nobody_can_say_who_consented_nothing_is_counted(tmp_path: Path) -> None:
    without = World(build([one for one in ENTITIES if one[0] is not Consent], METRICS), SQL, tmp_path / "r")
    with pytest.raises(BadMetric, match=r"'known_sales' counts who has consented to 'profiling', and nothing says"):
        without.rows("known_sales")
    assert without.rows("sales") != []

    @entity("club.stock", table="club.sale")
    class Stock(Value):
        """Goods, which are nobody's."""

        id: Annotated[int, Key()]

    more = [*ENTITIES, (Stock, "data-team")]
    club = World(build(more, [*METRICS, m.Count(name="goods", of="club.stock", purpose=PURPOSE)]), SQL, tmp_path / "s")
    with pytest.raises(NoPath):
        club.rows("goods")


def test_small_groups_are_hidden_by_who_has_consented_too(club: World) -> None:
    hidden = policy.of_front_end(club.model, "north", shared=("club.member", "club.consent"), cells_min=2)
    shown = club.answer("known_orders", as_=hidden, by=MONTHS)
    assert [row["known_orders"] for row in shown.rows if str(row["time:month"])[:7] == "2024-03"] == [None]


def test_who_may_not_read_consents_asks_for_no_metric_that_they_bound(club: World) -> None:
    closed = policy.of_parts(club.model, "north", "buyer/1", {"club.sale": ("buyer", ["1"])})
    assert club.rows("sales", as_=closed)
    with pytest.raises(errors.IsthmusError, match="consent"):
        club.rows("known_sales", as_=closed)


def test_a_metric_without_a_purpose_is_the_same_as_before_there_were_any() -> None:
    plain = m.Count(name="orders", of="club.sale")
    versions = {build(ENTITIES, [one]).version for one in (plain, m.Count(name="orders", of="club.sale", purpose=""))}
    assert len(versions) == 1
    assert build(ENTITIES, [m.Count(name="orders", of="club.sale", purpose="x")]).version not in versions


async def test_the_business_database_says_the_same(club: World, empty_url: str) -> None:
    connection = await asyncpg.connect(empty_url, server_settings={"timezone": "UTC"})
    try:
        await connection.execute(SQL)
        lookup = Lookup(club.model, ("known_sales", "known_orders"), ("front_end", "club.sale.buyer"))
        for buyer, said in ((1, (6_600, 2)), (2, (52_000, 2)), (3, (0, 0))):
            key: dict[str, m.Scalar] = {"front_end": "north", "club.sale.buyer": str(buyer)}
            found = await lookup.value(Connected(connection), key, club.now)
            assert tuple(found.values()) == said
    finally:
        await connection.close()


U = "00000000-0000-0000-0000-0000000000"
ROWS = f"""
insert into member.person values ('{U}01', '2099-01-01'), ('{U}02', '2099-01-01');
insert into member.membership (front_end, member_id, person_id, state, profile, consents, joined_at) values
    ('north', '{U}11', '{U}01', 'active', '{{}}', '{{profiling}}', '2099-01-01'),
    ('north', '{U}12', '{U}02', 'active', '{{}}', '{{terms}}', '2099-01-01');
update member.membership set consents = '{{terms,profiling}}' where member_id = '{U}12';
update member.membership set consents = '{{terms}}' where member_id = '{U}11'
"""


async def test_what_members_said_to_the_business_is_what_metrics_count_by(empty_url: str, tmp_path: Path) -> None:
    await migrate(empty_url, [MigrationSource.of_pack("member", "isthmus.packs.member:migrations")])
    own = m.Derived(name="member.profiled", of="member.members", purpose=PURPOSE)
    model = build([(one, "members") for one in member.ENTITIES], [*member.METRICS, own])
    lake, now = Lake(tmp_path / "lake", model), datetime(2099, 1, 15, tzinfo=UTC)
    async with await Database.open(empty_url) as database:
        for statement in ROWS.split(";\n"):
            async with database.platform() as session:
                await session.execute(statement)
        landing = await Lander(lake, empty_url, Outbox(database)).land(now)
    assert (landing.alerts, landing.quarantined) == ((), {})
    metrics = Metrics(model, lake, Receipts(tmp_path / "receipts"), secret=b"x", now=lambda: now)
    asked = metrics.ask(Ask(metrics=("member.members", "member.profiled")), policy.owner())
    assert [tuple(row.values()) for row in asked.rows] == [(2, 1)]
