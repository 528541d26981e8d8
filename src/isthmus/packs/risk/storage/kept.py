"""Rows of risk: what was seen, decided, listed, and what waits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import convert

from isthmus.kernel import decode, encode, ports

from .. import api

_SEE = "select risk.see($1, $2, $3, $4)"
_DECIDE = """
with decided as (
    insert into risk.decision (front_end, decision_id, at, kind, reference, version, facts, answers, score, outcome,
        reasons, shadows, hashes)
    values ($1, $2, $3, $4::text, $5::text, $6, $7, $8, $9, $10::text, $11, $12, $13)
)
insert into risk.review (front_end, decision_id, kind, reference, member_id, deadline, otherwise, state, opened_at)
select $1, $2, $4, $5, $14, $15::timestamptz, $16, 'open', $3 where $10 = 'review'
"""
_KNOWN = """
select decision_id, outcome, score, reasons, deadline, state, ended_at from risk.decision
left join risk.review using (front_end, decision_id)
where front_end = $1 and decision.kind = $2 and decision.reference = $3 order by decision.at desc limit 1
"""
_DECISION = "select * from risk.decision where front_end = $1 and decision_id = $2"
_DECISIONS = """
select * from risk.decision where front_end = $1 and ($2::text is null or outcome = $2)
order by at desc, decision_id desc limit $3
"""
_IN_TIME = """
select * from risk.decision where front_end = $1 and at >= $2 and at < $3 order by at, decision_id limit $4
"""
_REVIEW = "select * from risk.review where front_end = $1 and decision_id = $2"
_LOCK_REVIEW = f"{_REVIEW} for update"
_REVIEWS = """
select *, (select count(*) from risk.review open where open.front_end = $1 and open.state = 'open') as waiting
from risk.review where front_end = $1 and state = $2
order by case when state = 'open' then deadline end, ended_at desc, decision_id limit $3
"""
_WAITING = "select count(*) from risk.review where front_end = $1 and state = 'open'"
_DUE = """
select * from risk.review where front_end = $1 and state = 'open' and deadline <= $2
order by deadline, decision_id limit $3 for update skip locked
"""
_END = """
with ended as (
    update risk.review set state = $3, ended_at = $4, ended_by = $5, why = $6
    where front_end = $1 and decision_id = $2 returning decision_id
)
update risk.decision set label = case $3 when 'released' then 'honest' when 'rejected' then 'fraud' end
where front_end = $1 and decision_id in (select decision_id from ended) and label is null and $7
"""
_CLOSE = """
update risk.review set state = 'closed', ended_at = $4 where front_end = $1 and kind = $2 and state = 'open'
  and (reference = $3 or starts_with(reference, $3 || '/'))
"""
_LIST = """
insert into risk.listed (front_end, list, mark, key_hash, until, why, by, at)
select $1, $2, given.mark, given.key_hash, $5, $6, $7, $8 from unnest($3::text[], $4::bytea[]) as given (mark, key_hash)
on conflict (front_end, key_hash, list) do update set until = excluded.until, why = excluded.why, by = excluded.by,
    at = excluded.at
"""
_TAKE_OFF = "delete from risk.listed where front_end = $1 and list = $2 and key_hash = any($3)"
_ALIKE = """
select other.* from risk.decision one
join risk.decision other on other.front_end = one.front_end and other.hashes && one.hashes
    and other.decision_id <> one.decision_id
where one.front_end = $1 and one.decision_id = $2 order by other.at desc, other.decision_id desc limit 20
"""
_REJECT = "select risk.reject(hashes, kind, at) from risk.decision where front_end = $1 and decision_id = $2"
_LABEL = "update risk.decision set label = $4 where front_end = $1 and kind = $2 and reference = $3"
_FORGET = """
with theirs as (
    select coalesce(array_agg(distinct one), '{}') || $2::bytea[] as hashes from risk.decision, unnest(hashes) as one
    where front_end = $1 and (hashes && $2::bytea[] or reference = any($4))
), gone as (select risk.unsee(hashes) from theirs),
unlisted as (delete from risk.listed where front_end = $1 and key_hash = any($2)),
unscored as (delete from risk.score where front_end = $1 and hashes && $2),
reviewed as (
    update risk.review set member_id = null, why = '',
        reference = case when starts_with(reference, 'mark/') then 'mark/' || decision_id else reference end
    where front_end = $1 and (member_id = any($3) or starts_with(reference, 'mark/') and decision_id in (
        select decision_id from risk.decision where front_end = $1 and hashes && $2))
    returning decision_id
), decided as (
    update risk.decision set facts = jsonb_set(facts, '{about}', '{}'), hashes = '{}',
        reference = case when starts_with(reference, 'mark/') then 'mark/' || decision_id else reference end
    where front_end = $1
      and (decision_id in (select decision_id from reviewed) or reference = any($4) or hashes && $2)
)
select count(*) from gone
"""

# Outside the transaction of a call that is refused, so that somebody who tries again is known to have tried.
NOTE_REFUSED = """
with seen as (
    insert into risk.sighting (key_hash, at, front_end, kind, is_rejected)
    select one, $3, $1, $4::text, $14 from unnest($13::bytea[]) as one
), waits as (
    insert into risk.review (front_end, decision_id, kind, reference, member_id, deadline, otherwise, state, opened_at)
    select $1, $2, $4, $5, $15, $16::timestamptz, $17, 'open', $3 where $10 = 'review'
    on conflict (front_end, kind, reference) where state = 'open' do nothing
)
insert into risk.decision (front_end, decision_id, at, kind, reference, version, facts, answers, score, outcome,
    reasons, shadows, hashes)
values ($1, $2, $3, $4, $5::text, $6, $7, $8, $9, $10::text, $11, $12, $13)
"""
PRUNE = "delete from risk.sighting where at < now() - interval '31 days'"


async def see(
    session: ports.Session, kind: str, marks: Sequence[str], hashes: Sequence[bytes], now: datetime
) -> tuple[dict[str, api.Known], dict[str, tuple[str, ...]]]:
    """Note that something happens, and return what is known of its marks, and their lists."""
    found = await session.fetch_value(_SEE, kind, list(marks), list(hashes), now) if marks else None
    said = decode(found, dict[str, dict[str, Any]]) if found else {}
    seen = {mark: convert(one["seen"], api.Known) for mark, one in said.items()}
    return seen, {mark: tuple(one["lists"]) for mark, one in said.items()}


async def write(session: ports.Session, row: Sequence[Any], *review: Any) -> None:
    """Write a decision, and what waits for a person; goes along with what is sent next."""
    await session.later(_DECIDE, *row, *review)


async def known(session: ports.Session, front_end: str, kind: str, reference: str) -> ports.Row | None:
    return await session.fetch_row(_KNOWN, front_end, kind, reference)


async def decision(session: ports.Session, front_end: str, decision_id: UUID) -> tuple[api.KeptDecision, ports.Row]:
    """Return a decision, and its row. Raises UnknownDecision."""
    row = await session.fetch_row(_DECISION, front_end, decision_id)
    if row is None:
        raise api.UnknownDecision(decision_id=decision_id)
    return kept(row), row


async def decisions(session: ports.Session, front_end: str, ask: api.ListDecisions) -> list[api.KeptDecision]:
    return [kept(row) for row in await session.fetch(_DECISIONS, front_end, ask.outcome, ask.limit)]


async def in_time(session: ports.Session, front_end: str, ask: api.BackTest) -> Sequence[ports.Row]:
    """Return what was decided in a time, and one more than a back-test takes where there are more."""
    return await session.fetch(_IN_TIME, front_end, ask.since, ask.until, api.TRIED_MAX + 1)


async def review(session: ports.Session, front_end: str, decision_id: UUID, *, is_locked: bool = False) -> api.Review:
    """Return a review. Raises UnknownDecision."""
    row = await session.fetch_row(_LOCK_REVIEW if is_locked else _REVIEW, front_end, decision_id)
    if row is None:
        raise api.UnknownDecision(decision_id=decision_id)
    return _review(row)


async def reviews(session: ports.Session, front_end: str, ask: api.ListReviews) -> api.Reviews:
    rows = await session.fetch(_REVIEWS, front_end, ask.state, ask.limit)
    waiting = rows[0]["waiting"] if rows else await session.fetch_value(_WAITING, front_end)
    return api.Reviews(items=tuple(_review(row) for row in rows), open=waiting)


async def due(session: ports.Session, front_end: str, now: datetime, limit: int) -> list[api.Review]:
    return [_review(row) for row in await session.fetch(_DUE, front_end, now, limit)]


async def end(session: ports.Session, front_end: str, ended: api.Review, *, is_label: bool) -> None:
    """Write how a review ended; what a person says of it is its label too."""
    how = (ended.state, ended.ended_at, ended.ended_by, ended.why, is_label)
    await session.execute(_END, front_end, ended.decision_id, *how)


async def alike(session: ports.Session, front_end: str, decision_id: UUID) -> list[api.KeptDecision]:
    """Return what else was decided here of the same marks, the newest first."""
    return [kept(row) for row in await session.fetch(_ALIKE, front_end, decision_id)]


async def remember_rejection(session: ports.Session, front_end: str, decision_id: UUID) -> None:
    """Have all front ends know that the marks of a decision were rejected."""
    await session.execute(_REJECT, front_end, decision_id)


async def close(session: ports.Session, front_end: str, ask: api.CloseReview, now: datetime) -> int:
    return int((await session.execute(_CLOSE, front_end, ask.kind, ask.reference, now)).rpartition(" ")[2])


async def put_on_list(
    session: ports.Session, front_end: str, name: str, marks: tuple[list[str], list[bytes]], *facts: Any
) -> int:
    """Put marks on a list. facts: until when, why, by whom, when."""
    return int((await session.execute(_LIST, front_end, name, *marks, *facts)).rpartition(" ")[2])


async def take_off_list(session: ports.Session, front_end: str, name: str, hashes: Sequence[bytes]) -> int:
    return int((await session.execute(_TAKE_OFF, front_end, name, list(hashes))).rpartition(" ")[2])


async def label(session: ports.Session, front_end: str, ask: api.Label) -> int:
    return int((await session.execute(_LABEL, front_end, ask.kind, ask.reference, ask.label)).rpartition(" ")[2])


async def forget(
    session: ports.Session, front_end: str, hashes: Sequence[bytes], members: Sequence[UUID], references: Sequence[str]
) -> None:
    await session.execute(_FORGET, front_end, list(hashes), list(members), list(references))


def row_of(made: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what a decision is written as."""
    plain = ("front_end", "decision_id", "at", "kind", "reference", "version")
    packed = (encode(made["facts"]), encode(made["answers"]), made["score"], made["outcome"])
    why = (encode(made["reasons"]), encode(made["shadows"]), list(made["hashes"]))
    return (*(made[name] for name in plain), *packed, *why)


def answers_of(row: ports.Row) -> tuple[api.Reason, ...]:
    """Return what the front end itself said at a decision."""
    return decode(row["answers"], tuple[api.Reason, ...])


def kept(row: ports.Row) -> api.KeptDecision:
    return api.KeptDecision(
        decision_id=row["decision_id"],
        at=row["at"],
        kind=row["kind"],
        reference=row["reference"],
        version=row["version"],
        facts=_facts(row["facts"]),
        score=row["score"],
        outcome=row["outcome"],
        reasons=decode(row["reasons"], tuple[api.Reason, ...]),
        shadows=decode(row["shadows"], dict[str, api.Outcome]),
        label=row["label"],
    )


def _facts(packed: Any) -> api.Facts:
    return decode(packed, api.Facts)


def _review(row: ports.Row) -> api.Review:
    return api.Review(**{name: row[name] for name in api.Review.__struct_fields__})
