"""SQL of releases: what was published, files, and what clients said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from isthmus.kernel import decode, encode, ports

from . import api

_ADD: Final = """
    insert into releases.release (front_end, app, platform, channel, version, sha256, size, url, signature, share,
        segments, is_package, limits, notes, state, rolls_back, author)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 'rolling', $15, $16)
    on conflict do nothing returning *"""
_OF_TRAIN: Final = f"""
    select * from releases.release where front_end = $1 and app = $2 and platform = $3 and channel = $4
    order by number desc limit {api.RELEASES_MAX}"""
_LIST: Final = """
    select * from releases.release
    where front_end = $1 and ($2::text is null or app = $2) and ($3::bigint is null or number < $3)
    order by number desc limit $4"""
_HEALTH: Final = """
    select number, count(*) as sessions, count(*) filter (where has_crashed) as crashed, sum(requests) as requests,
        sum(errors) as errors, sum(latency_ms) as latency_ms
    from releases.session where front_end = $1 and number = any ($2) group by number"""
_REPORT: Final = """
    insert into releases.session as old (front_end, number, session, has_crashed, requests, errors, latency_ms)
    select $1, r.number, $6, $7, $8, $9, $10 from releases.release r
    where r.front_end = $1 and r.app = $2 and r.platform = $3 and r.channel = $4 and r.version = $5
    order by r.number desc limit 1
    on conflict (number, session) do update set has_crashed = old.has_crashed or excluded.has_crashed,
        requests = excluded.requests, errors = excluded.errors, latency_ms = excluded.latency_ms
    returning number"""
_MINIMUM: Final = """
    insert into releases.minimum (front_end, app, platform, channel, version, grace_until)
    values ($1, $2, $3, $4, $5, $6)
    on conflict (front_end, app, platform, channel) do update set version = excluded.version,
        grace_until = excluded.grace_until"""
_ADD_DELTA: Final = """
    insert into releases.delta (front_end, base_sha256, sha256, delta_sha256, size, signature)
    values ($1, $2, $3, $4, $5, $6) on conflict do nothing"""


def _train(train: api.Train) -> tuple[str, str, str]:
    return train.app, train.platform, train.channel


async def add(
    session: ports.Session, front_end: str, ask: api.PublishRelease, size: int, signature: str, author: str,
    rolls_back: int | None = None,
) -> api.AppRelease | None:  # fmt: skip
    """Write a release; None where its version is published already."""
    row = await session.fetch_row(
        _ADD, front_end, *_train(ask.train), ask.version, ask.sha256, size, ask.url, signature, ask.share,
        list(ask.segments), ask.is_package, encode(ask.limits), ask.notes, rolls_back, author,
    )  # fmt: skip
    return None if row is None else _release(row)


async def of_train(session: ports.Session, front_end: str, train: api.Train) -> list[api.AppRelease]:
    """Return the last releases, the newest first."""
    return [_release(row) for row in await session.fetch(_OF_TRAIN, front_end, *_train(train))]


async def locked(session: ports.Session, front_end: str, number: int) -> api.AppRelease:
    """Return a release, held until the transaction ends. Raises UnknownRelease."""
    sql = "select * from releases.release where front_end = $1 and number = $2 for update"
    if (row := await session.fetch_row(sql, front_end, number)) is None:
        raise api.UnknownRelease(number=number)
    return _release(row)


async def change(
    session: ports.Session, front_end: str, number: int, *, state: str, share: int, reason: str
) -> api.AppRelease:
    sql = """update releases.release set state = $3, share = $4, reason = $5
             where front_end = $1 and number = $2 returning *"""
    row = await session.fetch_row(sql, front_end, number, state, share, reason)
    assert row is not None
    return _release(row)


async def listed(session: ports.Session, front_end: str, ask: api.ListReleases) -> list[api.AppRelease]:
    """Return one more than was asked for, where there is one."""
    rows = await session.fetch(_LIST, front_end, ask.app, ask.before, ask.limit + 1)
    return [_release(row) for row in rows]


async def rolling(session: ports.Session, front_end: str) -> list[api.AppRelease]:
    sql = "select * from releases.release where front_end = $1 and state = 'rolling' order by number for update"
    return [_release(row) for row in await session.fetch(sql, front_end)]


async def health(session: ports.Session, front_end: str, numbers: Sequence[int]) -> dict[int, api.Health]:
    """Return how releases fare; those that nobody has said anything of too."""
    found = {row["number"]: row for row in await session.fetch(_HEALTH, front_end, list(numbers))}
    return {number: _health(number, found.get(number)) for number in numbers}


async def report(session: ports.Session, front_end: str, ask: api.ReportHealth) -> int | None:
    return await session.fetch_value(
        _REPORT, front_end, *_train(ask.train), ask.version, ask.session, ask.has_crashed, ask.requests, ask.errors,
        ask.latency_ms,
    )  # fmt: skip


async def set_minimum(session: ports.Session, front_end: str, ask: api.SetMinimum) -> None:
    await session.execute(_MINIMUM, front_end, *_train(ask.train), ask.version, ask.grace_until)


async def minimum(session: ports.Session, front_end: str, train: api.Train) -> api.Minimum | None:
    sql = "select * from releases.minimum where front_end = $1 and app = $2 and platform = $3 and channel = $4"
    row = await session.fetch_row(sql, front_end, *_train(train))
    if row is None:
        return None
    return api.Minimum(train=train, version=row["version"], grace_until=row["grace_until"])


async def note_file(session: ports.Session, front_end: str, sha256: str, size: int) -> None:
    sql = "insert into releases.file (front_end, sha256, size) values ($1, $2, $3) on conflict do nothing"
    await session.execute(sql, front_end, sha256, size)


async def file_size(session: ports.Session, front_end: str, sha256: str) -> int | None:
    sql = "select size from releases.file where front_end = $1 and sha256 = $2"
    return await session.fetch_value(sql, front_end, sha256)


async def add_delta(session: ports.Session, front_end: str, delta: api.Delta) -> None:
    await session.execute(
        _ADD_DELTA, front_end, delta.base_sha256, delta.sha256, delta.delta_sha256, delta.size, delta.signature
    )


async def delta(session: ports.Session, front_end: str, base: str, sha256: str) -> api.Delta | None:
    sql = "select * from releases.delta where front_end = $1 and base_sha256 = $2 and sha256 = $3"
    row = await session.fetch_row(sql, front_end, base, sha256)
    return None if row is None else api.Delta(**{name: row[name] for name in api.Delta.__struct_fields__})


async def put_content(session: ports.Session, sha256: str, content: bytes) -> None:
    sql = "insert into releases.content (sha256, content) values ($1, $2) on conflict do nothing"
    await session.execute(sql, sha256, content)


async def content(session: ports.Session, sha256: str) -> bytes | None:
    return await session.fetch_value("select content from releases.content where sha256 = $1", sha256)


def _release(row: ports.Row) -> api.AppRelease:
    fields: dict[str, Any] = {name: row[name] for name in api.AppRelease.__struct_fields__ if name != "train"}
    fields["train"] = api.Train(app=row["app"], platform=row["platform"], channel=row["channel"])
    fields["state"] = api.ReleaseState(row["state"])
    fields["limits"] = decode(row["limits"], api.HealthLimits)
    fields["segments"] = tuple(row["segments"])
    return api.AppRelease(**fields)


def _health(number: int, row: ports.Row | None) -> api.Health:
    sessions, crashed, requests, errors, latency = (
        (0, 0, 0, 0, 0) if row is None else [int(row[at]) for at in range(1, 6)]
    )
    return api.Health(
        number=number,
        sessions=sessions,
        crashed=crashed,
        requests=requests,
        errors=errors,
        latency_ms=latency / requests if requests else 0.0,
        crash_rate=crashed / sessions if sessions else 0.0,
        error_rate=errors / requests if requests else 0.0,
    )
