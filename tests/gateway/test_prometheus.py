"""`/metrics`: what all processes saw, in figures that never go back, with labels that are few."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from isthmus.gateway import auth
from isthmus.gateway.telemetry.prometheus import PATH, MetricsPage
from isthmus.governance.counters import Counters
from isthmus.governance.traffic import KEPT, Traffic
from isthmus.kernel import Outcome
from isthmus.store import Database

from .conftest import Connect
from .test_events import desk_on

Seen = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def seen_by(text: str) -> Seen:
    """Return every sample as Prometheus reads it."""
    return {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def outcome(front_end: str, capability: str, *, took_ms: float = 1, error: str = "") -> Outcome:
    return Outcome(capability=capability, box=front_end, client="till", took_ns=int(took_ms * 1e6), error=error)


@pytest.fixture
def processes(database: Database) -> list[tuple[Counters, Traffic]]:
    """Give two server processes that count."""
    counters = [Counters(), Counters()]
    return [(one, Traffic(database, one)) for one in counters]


@pytest.fixture
async def scrape(
    database: Database, connect: Connect, processes: list[tuple[Counters, Traffic]]
) -> Callable[[], object]:
    gateway = desk_on(database)
    gateway.mount(PATH, MetricsPage(gateway.platform, database, gateway.admit, processes[0][1].totals))
    client = connect(gateway, await auth.create_client(database, "north", "prometheus", ["metrics.read"]))

    async def scraped() -> Seen:
        for _, traffic in processes:
            await traffic.keep()
        answer = await client.get(PATH)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/plain; version=")
        return seen_by(answer.text)

    return scraped


def calls(seen: Seen, front_end: str, capability: str) -> float:
    labels = (("capability", capability), ("front_end", front_end))
    return seen["isthmus_call_duration_seconds_count", labels]


async def test_rate_errors_and_duration_are_of_all_processes_together(scrape, processes) -> None:
    (one, _), (other, _) = processes
    one.see(outcome("north", "desk.say", took_ms=1))
    other.see(outcome("north", "desk.say", took_ms=40, error="unavailable"))
    seen = await scrape()
    labels = (("capability", "desk.say"), ("front_end", "north"))
    assert calls(seen, "north", "desk.say") == 2
    assert seen["isthmus_call_duration_seconds_sum", labels] == pytest.approx(0.041)
    at_most = {le: seen["isthmus_call_duration_seconds_bucket", (*labels, ("le", le))] for le in ("0.001", "0.05")}
    assert at_most == {"0.001": 1, "0.05": 2}
    assert seen["isthmus_call_errors_total", (*labels, ("slug", "unavailable"))] == 1


async def test_what_is_counted_never_goes_back(database: Database, scrape, processes) -> None:
    (one, traffic), _ = processes
    one.see(outcome("north", "desk.say"))
    assert calls(await scrape(), "north", "desk.say") == 1
    async with database.platform() as session:
        await session.execute("update console.traffic set hour = hour - $1::interval", KEPT + timedelta(hours=2))
    await traffic.prune()
    assert await traffic.of() == {}
    one.see(outcome("north", "desk.say"))
    assert calls(await scrape(), "north", "desk.say") == 2


async def test_labels_are_bounded_whatever_is_called(scrape, processes) -> None:
    (one, _), _ = processes
    for number in range(50):
        one.see(outcome(f"gone{number}", "desk.say"))
        one.see(outcome("north", f"made.up-{number}", error=f"own-{number}"))
    seen = await scrape()
    counted = {
        labels: value for (name, labels), value in seen.items() if name.startswith("isthmus_call_duration_seconds_c")
    }
    assert counted == {
        (("capability", "desk.say"), ("front_end", "other")): 50,
        (("capability", "other"), ("front_end", "north")): 50,
    }
    assert {labels: value for (name, labels), value in seen.items() if name == "isthmus_call_errors_total"} == {
        (("capability", "other"), ("front_end", "north"), ("slug", "other")): 50
    }


async def test_queues_and_readers_are_seen(database: Database, scrape) -> None:
    async with database.platform() as session:
        await session.execute("insert into isthmus.consumer (name, position) values ('lake', 0)")
        await session.execute(
            """insert into isthmus.event (id, type, version, subject, front_end, box, time, trace, data, collected_at)
               values ('e', 'desk.said', '1.0', 's', 'north', 'north', now(), '', '{}', now() - interval '90 s')"""
        )
        await session.execute(
            """insert into runtime.delivery (front_end, capability, event_id, event_type, subject, ask, state)
               values ('north', 'desk.say', 'e', 'desk.said', 's', '{}', 'dead')"""
        )
    seen = await scrape()
    assert seen["isthmus_consumer_behind_events", (("consumer", "lake"),)] == 1
    assert 90 <= seen["isthmus_consumer_behind_seconds", (("consumer", "lake"),)] < 3_600
    assert seen["isthmus_deliveries", (("front_end", "north"), ("state", "dead"))] == 1
    assert any(name == "isthmus_database_connections" for name, _ in seen)


async def test_figures_are_for_keys_that_name_them(database: Database, connect: Connect) -> None:
    gateway = desk_on(database)
    gateway.mount(PATH, MetricsPage(gateway.platform, database, gateway.admit, Traffic(database, Counters()).totals))
    for scopes in (None, ["desk.say"]):
        client = connect(gateway, await auth.create_client(database, "north", "till", scopes))
        assert (await client.get(PATH)).status_code == 403
    assert (await connect(gateway).get(PATH)).status_code == 401
