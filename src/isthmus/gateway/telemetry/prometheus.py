"""`GET /metrics`: the platform in figures, as Prometheus scrapes them; for a key whose scopes name `metrics.read`.

The figures are of all server processes together, from the database: whichever process answers, they are the same. Calls
are counted in each process and added every few seconds. Labels are bounded: front ends and capabilities of the release,
slugs that contracts declare; everything else is `other`.
"""

from __future__ import annotations

from collections import Counter as Count
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from isthmus.governance.counters import BOUNDS_US, CallCount
from isthmus.kernel import Platform, errors, ports
from isthmus.manifest import Gauge, brought
from isthmus.manifest.actions import READ_FIGURES, check
from isthmus.store import Database

from ..auth import Principal
from ..later import FIGURES
from ..wire.body import ClientGone
from ..wire.problem import CONTENT_TYPE, MethodNotAllowed, NoSuchPath, problem

PATH: Final = FIGURES
SCOPE: Final = "metrics.read"
OTHER: Final = "other"
PREFIX: Final = "isthmus_"

Tallies = Mapping[tuple[str, str], CallCount]
Admit = Callable[[bytes | None], Awaitable[Principal]]

OWN: Final = (
    Gauge(
        name="events_position",
        help="Position of the newest event: its rate is the rate of events.",
        labels=(),
        sql="select coalesce(max(position), 0) as value from isthmus.event",
    ),
    Gauge(
        name="events_uncollected",
        help="Committed events that have no position yet.",
        labels=(),
        sql="select count(*) as value from isthmus.outbox",
    ),
    Gauge(
        name="consumer_behind_events",
        help="Events that a reader inside the platform has not had yet; `lake` is the data platform.",
        labels=("consumer",),
        sql="""
            select name as consumer, newest - position as value
            from isthmus.consumer, (select coalesce(max(position), 0) as newest from isthmus.event) as state
            where newest >= position""",
    ),
    Gauge(
        name="consumer_behind_seconds",
        help="Age of the oldest event that a reader inside the platform has not had yet.",
        labels=("consumer",),
        sql="""
            select name as consumer, coalesce(extract(epoch from now() - (
                select collected_at from isthmus.event e where e.position > c.position order by e.position limit 1
            )), 0) as value from isthmus.consumer c""",
    ),
    Gauge(
        name="consumer_failures",
        help="How often in a row a reader inside the platform has failed.",
        labels=("consumer",),
        sql="select name as consumer, failures as value from isthmus.consumer",
    ),
    Gauge(
        name="event_group_behind_events",
        help="Events, of all front ends, that a group of readers outside has not committed.",
        labels=("front_end", "group"),
        sql="""
            select front_end, name as group, greatest(newest - position, 0) as value
            from isthmus.event_group, (select coalesce(max(position), 0) as newest from isthmus.event) as state""",
    ),
    Gauge(
        name="deliveries",
        help="Calls with events and timers that wait, or are dead letters.",
        labels=("front_end", "state"),
        sql="select front_end, state, count(*) as value from runtime.delivery group by 1, 2",
    ),
    Gauge(
        name="sagas_left",
        help="Flows that are under way, or were left and wait to be gone on with.",
        sql="select front_end, count(*) as value from isthmus.saga where ask is not null group by 1",
    ),
    Gauge(
        name="database_connections",
        help="Connections of all server processes, by what they are for and what they do.",
        labels=("purpose", "state"),
        sql="""
            select application_name as purpose, coalesce(state, 'none') as state, count(*) as value
            from pg_stat_activity where datname = current_database() and application_name like 'isthmus%'
            group by 1, 2""",
    ),
    Gauge(
        name="database_bytes",
        help="Size of the database.",
        labels=(),
        sql="select pg_database_size(current_database()) as value",
    ),
    Gauge(
        name="workers",
        help="Server processes that were seen within ten seconds.",
        labels=(),
        sql="select count(*) as value from runtime.worker where seen_at > now() - interval '10 seconds'",
    ),
    Gauge(
        name="deploys",
        help="Decisions about versions of a front end so far, by kind: deploy, stage, promote, rollback.",
        labels=("front_end", "kind"),
        sql="select front_end, kind, count(*) as value from runtime.switch group by 1, 2",
    ),
)


class MetricsPage:
    """The ASGI application at `/metrics`. totals: what all processes have counted of calls since the beginning."""

    def __init__(
        self, platform: Platform, database: Database, admit: Admit, totals: Callable[[], Awaitable[Tallies]]
    ) -> None:
        self._platform = platform
        self._database = database
        self._admit = admit
        self._totals = totals

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        call_id = self._platform.new_call_id()
        sent = [(b"isthmus-call", call_id.encode()), (b"cache-control", b"no-store")]
        try:
            status, kind, body = 200, *await self._answered(scope)
        except ClientGone:
            return
        except Exception as error:
            found = problem(error, call_id)
            status, kind, body = found.status, CONTENT_TYPE, found.body
            sent += found.headers
        sent += [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": sent})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _answered(self, scope: Any) -> tuple[bytes, bytes]:
        headers: Mapping[bytes, bytes] = dict(scope["headers"])
        client = await self._admit(headers.get(b"authorization"))
        if client.scopes is None or not client.may(SCOPE):  # named, or not: it shows all front ends
            raise errors.NotPermitted(
                f"client {client.name!r} may not read figures", remedy=f"use a key whose scopes have {SCOPE!r}"
            )
        caller = client.caller("http", {})
        await check(self._platform, caller, READ_FIGURES)
        if scope["path"] != PATH:
            raise NoSuchPath(f"there is nothing at {scope['path']}", remedy=f"scrape {PATH}", path=scope["path"])
        if scope["method"] not in ("GET", "HEAD"):
            raise MethodNotAllowed(scope["method"], PATH, "GET, HEAD")
        encoder, content_type = choose_encoder(headers.get(b"accept", b"").decode("latin-1"))
        registry = CollectorRegistry()
        registry.register(_Collected([*self._calls(await self._totals()), *await self._gauges()]))
        return content_type.encode(), encoder(registry)

    def _calls(self, totals: Tallies) -> Iterator[Metric]:
        """Yield rate, errors and duration of calls: by front end and capability, errors by slug as well."""
        took = HistogramMetricFamily(
            PREFIX + "call_duration_seconds", "Calls, and how long they took.", labels=("front_end", "capability")
        )
        failed = CounterMetricFamily(
            PREFIX + "call_errors", "Calls that were refused or failed.", labels=("front_end", "capability", "slug")
        )
        by_slug: Count[tuple[str, str, str]] = Count()
        known = self._slugs()
        for labels, tally in sorted(self._bounded(totals).items()):
            took.add_metric(labels, buckets=_buckets(tally), sum_value=tally.took_us / 1e6)
            for slug, count in tally.errors.items():
                by_slug[*labels, slug if slug in known else OTHER] += count
        for labels, count in sorted(by_slug.items()):
            failed.add_metric(labels, count)
        yield took
        yield failed

    def _bounded(self, totals: Tallies) -> dict[tuple[str, str], CallCount]:
        """Return the tallies of front ends and capabilities that there are; all others are one."""
        release = self._platform.release
        found: dict[tuple[str, str], CallCount] = {}
        for (front_end, name), tally in totals.items():
            line = release.lines.get(front_end)
            key = (front_end if line else OTHER, name if name in (line or release).offered else OTHER)
            found.setdefault(key, CallCount()).add(tally)
        return found

    def _slugs(self) -> frozenset[str]:
        declared = {kind.slug for one in self._platform.release.offered.values() for kind in one.capability.raises}
        return frozenset(declared | {kind.slug for kind in _below(errors.IsthmusError)})

    async def _gauges(self) -> list[Metric]:
        packs = self._platform.release.packs.values()
        async with self._database.platform() as session:
            return [_gauge(one, await session.fetch(one.sql)) for one in (*OWN, *brought(packs, Gauge))]


class _Collected(Collector):
    """What was read for this scrape."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def _gauge(one: Gauge, rows: Iterable[ports.Row]) -> Metric:
    family = GaugeMetricFamily(PREFIX + one.name, one.help, labels=one.labels)
    for row in rows:
        family.add_metric([str(row[label]) for label in one.labels], float(row["value"]))
    return family


def _buckets(tally: CallCount) -> list[tuple[str, float]]:
    """Return the cumulative counts by upper bound in seconds."""
    seen, found = 0, list[tuple[str, float]]()
    for bound, count in zip((*(str(one / 1e6) for one in BOUNDS_US), "+Inf"), tally.by_bound, strict=True):
        seen += count
        found.append((bound, seen))
    return found


def _below(kind: type[errors.IsthmusError]) -> Iterator[type[errors.IsthmusError]]:
    yield kind
    for inner in kind.__subclasses__():
        yield from _below(inner)
