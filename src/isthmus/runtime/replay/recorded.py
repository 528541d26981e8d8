"""Recorded calls: their shape in the database and in files, and how personal data is masked in them.

The time of a call and its id are kept. Every id and random number that the call drew follows from those two
(`ctx.new_id`, `ctx.random`), so a replay draws the same ones again.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, get_type_hints

import msgspec

from isthmus.kernel import PASS, Pass, Value, errors
from isthmus.kernel.host import AnswerRecord, Asked, ExtensionPoint, Trace
from isthmus.personal import CLASSES_REMEMBERED, Own, hidden, kind_of, masked
from isthmus.store import Database, Meter

Points = Mapping[str, ExtensionPoint[..., Any]]

TRACE_MAX: Final = 256 * 1024  # bytes; a larger trace is an export, and says little about a rule
PAGE: Final = 500  # traces fetched at once: a few MB

# Each capability has its turn, so that a rare one is among the first thousand as well as a frequent one.
_RECENT: Final = """
    with turn as (
        select call_id, row_number() over (partition by capability order by recorded_at desc, call_id desc) as place
        from runtime.recorded_call where front_end = $1 and ($2 = '' or capability = $2)
          and ($5::timestamptz is null or recorded_at > $5)
    )
    select r.story from turn join runtime.recorded_call r on r.front_end = $1 and r.call_id = turn.call_id
    order by turn.place, r.capability offset $3 limit $4"""
_REPLAYED: Final = "insert into runtime.replayed (front_end, calls, cpu_us) values ($1, $2, $3)"
_ONE: Final = "select story from runtime.recorded_call where call_id = $1"
_CODES: Final = "select distinct front_end from runtime.recorded_call order by 1"
_COUNTED: Final = """
    select front_end, capability, count(*) as calls, count(*) filter (where error <> '') as refused,
           min(recorded_at) as first_at, max(recorded_at) as last_at, sum(pg_column_size(story))::bigint as bytes
    from runtime.recorded_call where $1 = '' or front_end = $1 group by 1, 2 order by 1, 2"""
_ASKED: Final = """
    with told as (
        select front_end, capability, call_id,
               (select array_agg(distinct one ->> 'point') from json_array_elements(story -> 'asked') one) as points
        from runtime.recorded_call), counted as (select front_end, capability, count(*) calls from told group by 1, 2)
    select c.front_end, c.capability, c.calls, point, count(point) as asked
    from counted c join told t using (front_end, capability) left join lateral unnest(t.points) as point on true
    group by 1, 2, 3, 4"""
# Kept since now, whenever the call says that it happened: what is loaded from last year is not too old.
_INSERT: Final = """
    insert into runtime.recorded_call
        (call_id, front_end, capability, version, box, fingerprint, recorded_at, took_us, error, cpu_us, db_us, rows,
         events, story)
    select call_id, front_end, capability, version, box, fingerprint, now(), took_us, error, cpu_us, db_us, rows,
           events, story
    from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::integer[], $8::text[],
                $9::integer[], $10::integer[], $11::integer[], $12::integer[], $13::json[])
         as kept (call_id, front_end, capability, version, box, fingerprint, took_us, error, cpu_us, db_us, rows,
                  events, story)
    on conflict do nothing"""


class RecordedSaid(Value):
    """One answer's word, as JSON; `passed` where it had no opinion, `error` where it raised."""

    by: str
    source: str
    value: msgspec.Raw
    passed: bool = False
    error: str = ""
    took_ns: int = 0


class RecordedAsk(Value):
    """One question to a front end: arguments (a JSON array, in the order of the point) and result."""

    point: str
    rule: str
    arguments: msgspec.Raw
    said: tuple[RecordedSaid, ...]
    result: msgspec.Raw


class RecordedPart(Value):
    """One capability called inside the call."""

    capability: str
    took_us: int
    ask: msgspec.Raw
    answer: msgspec.Raw
    error: str = ""


class RecordedCall(Value):
    """One call, whole: enough to show its trace and to run it again.

    cpu_us: processor time of its own steps. db_us: time that its statements took, waiting included. rows: that came
    back or were written. None of a call of before these were noted.
    """

    call_id: str
    capability: str
    version: str
    front_end: str
    box: str
    fingerprint: str  # of the front end's version that answered
    now: datetime
    took_us: int
    ask: msgspec.Raw
    answer: msgspec.Raw
    error: str
    asked: tuple[RecordedAsk, ...]
    parts: tuple[RecordedPart, ...]
    events: tuple[msgspec.Raw, ...]
    cpu_us: int | None = None
    db_us: int | None = None
    statements: int | None = None
    rows: int | None = None


class Kept(Value):
    """How much of one capability of one front end is recorded."""

    front_end: str
    capability: str
    calls: int
    refused: int
    first_at: datetime
    last_at: datetime
    bytes: int


class NotRecorded(errors.NotFound):
    """No call of this id is recorded."""

    slug = "runtime.not-recorded"


class NotARecording(errors.BadAsk):
    """The file holds something else than recorded calls."""

    slug = "runtime.not-a-recording"


_encoder = msgspec.json.Encoder(enc_hook=lambda value: "PASS" if isinstance(value, Pass) else repr(value))
_decoder = msgspec.json.Decoder(RecordedCall)


def recorded(trace: Trace, points: Points, own: Own | None = None) -> RecordedCall:
    """Turn a trace into what is kept: JSON, personal data masked as the contracts mark it, and the front end its own.

    own: the attributes that the front end declares, by entity; of others, every text is masked.
    """
    own = own or {}
    return RecordedCall(
        call_id=trace.call_id,
        capability=trace.capability,
        version=trace.version,
        front_end=trace.front_end,
        box=trace.box,
        fingerprint=trace.fingerprint,
        now=datetime.fromisoformat(trace.now),
        took_us=trace.took_us,
        ask=_json(masked(trace.ask, own)),
        answer=_json(masked(trace.answer, own)),
        error=trace.error,
        asked=tuple(_asked(one, points, own) for one in trace.asked),
        parts=tuple(
            RecordedPart(
                capability=part.capability,
                took_us=part.took_us,
                ask=_json(masked(part.ask, own)),
                answer=_json(masked(part.answer, own)),
                error=part.error,
            )
            for part in trace.parts
        ),
        events=tuple(_json((name, masked(event, own))) for name, event in trace.events),
        **_used(trace.used),
    )


def _used(meter: object) -> dict[str, int]:
    if not isinstance(meter, Meter):
        return {}
    cpu_us, db_us = meter.cpu_ns // 1_000, meter.db_ns // 1_000
    return {"cpu_us": cpu_us, "db_us": db_us, "statements": meter.statements, "rows": meter.rows}


async def recent(
    database: Database, front_end: str, *, limit: int, capability: str = "", since: datetime | None = None
) -> AsyncGenerator[RecordedCall]:
    """Give a front end's recorded calls, newest first, its capabilities in turn; since: recorded after it."""
    for start in range(0, limit, PAGE):
        count = min(PAGE, limit - start)
        async with database.platform() as session:
            rows = await session.fetch(_RECENT, front_end, capability, start, count, since)
        for row in rows:
            yield _decoder.decode(row["story"])
        if len(rows) < count:
            return


async def find(database: Database, call_id: str) -> RecordedCall:
    """Return one recorded call. Raises NotRecorded."""
    async with database.platform() as session:
        row = await session.fetch_row(_ONE, call_id)
    if row is None:
        raise NotRecorded(f"call {call_id!r} is not recorded", remedy="see what is with `isthmus record list`")
    return _decoder.decode(row["story"])


async def codes(database: Database) -> tuple[str, ...]:
    """Return the front ends of which calls are recorded."""
    async with database.platform() as session:
        return tuple(row["front_end"] for row in await session.fetch(_CODES))


async def counted(database: Database, front_end: str = "") -> tuple[Kept, ...]:
    """Return how much is recorded, per front end and capability."""
    async with database.platform() as session:
        return tuple(Kept(**dict(row)) for row in await session.fetch(_COUNTED, front_end))


async def asked_shares(database: Database) -> dict[tuple[str, str], dict[str, float]]:
    """Return which share of the recorded calls asked each point, per front end and capability."""
    shares: dict[tuple[str, str], dict[str, float]] = {}
    async with database.platform() as session:
        for row in await session.fetch(_ASKED):
            points = shares.setdefault((row["front_end"], row["capability"]), {})
            if row["point"] is not None:
                points[row["point"]] = row["asked"] / row["calls"]
    return shares


async def write(database: Database, calls: Sequence[RecordedCall]) -> None:
    """Write recorded calls; one that is there already stays as it is."""
    columns = ("call_id", "front_end", "capability", "version", "box", "fingerprint", "took_us", "error")
    columns += ("cpu_us", "db_us", "rows")
    values = [[getattr(call, name) for call in calls] for name in columns]
    values.append([len(call.events) for call in calls])
    async with database.platform() as session:
        await session.execute(_INSERT, *values, [_encoder.encode(call) for call in calls])


async def note_replay(database: Database, front_end: str, calls: int, cpu_ns: int) -> None:
    """Note what a replay of a front end's calls took of a processor: it is borne by whose calls they are."""
    async with database.platform() as session:
        await session.execute(_REPLAYED, front_end, calls, cpu_ns // 1_000)


async def export_to(database: Database, file: Path, front_ends: Iterable[str], *, limit: int) -> int:
    """Write recorded calls to a file, one JSON object a line, and return how many."""
    count = 0
    with file.open("wb") as out:
        for code in front_ends:
            async for call in recent(database, code, limit=limit):
                out.write(_encoder.encode(call) + b"\n")
                count += 1
    return count


async def import_from(database: Database, file: Path) -> int:
    """Read an exported file into the database, and return how many calls it held. Raises NotARecording."""
    calls = read_file(file)
    for start in range(0, len(calls), PAGE):
        await write(database, calls[start : start + PAGE])
    return len(calls)


def read_file(file: Path) -> list[RecordedCall]:
    """Return the calls of an exported file. Raises NotARecording with the line."""
    try:
        lines = [line for line in file.read_bytes().splitlines() if line.strip()]
    except OSError as error:
        raise NotARecording(f"{file} cannot be read: {error.strerror}", remedy="name an exported file") from error
    return [_read_line(file, number, line) for number, line in enumerate(lines, 1)]


def _read_line(file: Path, number: int, line: bytes) -> RecordedCall:
    try:
        return _decoder.decode(line)
    except msgspec.DecodeError as error:
        raise NotARecording(
            f"line {number} of {file} is no recorded call: {error}", remedy="export it with `isthmus record export`"
        ) from error


def _asked(asked: Asked, points: Points, own: Own) -> RecordedAsk:
    kinds = _argument_kinds(points[asked.point]) if asked.point in points else {}
    arguments = [
        hidden(argument, kinds[place]) if place in kinds else masked(argument, own)
        for place, argument in enumerate(asked.arguments)
    ]
    said = tuple(_said(one, own) for one in asked.said)
    result = _json(masked(asked.result, own))
    return RecordedAsk(point=asked.point, rule=asked.rule, arguments=_json(arguments), said=said, result=result)


def _said(said: AnswerRecord, own: Own) -> RecordedSaid:
    if said.raised:
        return RecordedSaid(
            by=said.by, source=said.source, value=msgspec.Raw(b"null"), error=repr(said.value), took_ns=said.took_ns
        )
    value = _json(masked(said.value, own))
    return RecordedSaid(by=said.by, source=said.source, value=value, passed=said.value is PASS, took_ns=said.took_ns)


def _json(value: object) -> msgspec.Raw:
    return msgspec.Raw(_encoder.encode(value))


@lru_cache(maxsize=CLASSES_REMEMBERED)
def _argument_kinds(point: ExtensionPoint[..., Any]) -> dict[int, str]:
    hints = get_type_hints(point.default, include_extras=True)
    found = {place: kind_of(hints.get(name)) for place, name in enumerate(point.parameters)}
    return {place: kind for place, kind in found.items() if kind}
