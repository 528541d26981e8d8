"""Payments' rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from isthmus.kernel import ports
from isthmus.values import Money, money

from .. import api

_STATES, _KINDS = {one.value: one for one in api.PaymentState}, {one.value: one for one in api.Kind}
_OPEN = """
with opened as (
    insert into payment.payment (front_end, payment_id, reference, currency, amount_minor, authorised_minor,
        captured_minor, state, method, opened_at)
    values ($1, $2, $3, $4, $5::bigint, case when $6::text = '' then 0 else $5::bigint end,
            case when $6::text = '' then 0 else $5::bigint end,
            case when $6::text = '' then 'open' else 'captured' end, $6::text, $7::timestamptz)
    on conflict (front_end, reference) do nothing returning payment_id
), moved as (
    insert into payment.leg (front_end, leg_id, payment_id, kind, amount_minor, method, at)
    select $1, $8::uuid, payment_id, 'capture', $5::bigint, $6::text, $7::timestamptz from opened where $6::text <> ''
)
select count(*) from opened
"""
_OPEN_RECEIVED = _OPEN.replace("on conflict (front_end, reference) do nothing", "")
_OPEN_NEW = """insert into payment.payment (front_end, payment_id, reference, currency, amount_minor, state, opened_at)
values ($1, $2, $3, $4, $5, 'open', $6)"""
_COLUMNS = """payment_id, reference, currency, amount_minor, authorised_minor, captured_minor, refunded_minor,
    withheld_minor, state, method, provider, authorisation"""
_LOCK = f"select {_COLUMNS} from payment.payment where front_end = $1 and payment_id = $2 for update"
_FIND = f"""
select {_COLUMNS} from payment.payment
where front_end = $1 and ($2::uuid is null or payment_id = $2) and ($3::text is null or reference = $3)
"""
_BY_REFERENCE = f"select {_COLUMNS} from payment.payment where front_end = $1 and reference = any($2)"
_LOCK_BY_REFERENCE = f"{_BY_REFERENCE} order by payment_id for update"
# A part has begun where a provider was asked for it and has not refused: by the key itself, or a later try's.
_REFUND_PARTS = """
select reference, payment_id, amount_minor, exists (
    select from payment.attempt where attempt.front_end = part.front_end and attempt.payment_id = part.payment_id
        and kind = 'refund' and state <> 'refused'
        and (key = part.payment_id || '/refund/' || reference
             or substr(key, 3) = part.payment_id || '/refund/' || reference)) as is_begun
from payment.refund_part part where front_end = $1 and payment_id = any($2) order by part.part
"""
_LEGS = """
select kind, amount_minor, method, at from payment.leg where front_end = $1 and payment_id = $2 order by at, leg_id
"""
_ATTEMPT_COLUMNS = """attempt_id, payment_id, kind, key, attempt.provider as asked, attempt.method as asked_method,
    attempt.amount_minor as asked_minor, attempt.state as ended, provider_reference, reason"""
# Payments with what was asked of providers, once they are locked: a lock that had to be waited for shows new payments
# beside old attempts, where one statement does both. The deposit comes before the balance: its reference is shorter.
_OF_KEY = "payment_id = (select payment_id from payment.attempt where front_end = $1 and key = $2)"
_HOLD = "select from payment.payment where front_end = $1 and {which} order by payment_id for update"
_STANDING = f"""
select payment_id, reference, currency, payment.amount_minor, authorised_minor, captured_minor,
    refunded_minor, withheld_minor, payment.state, payment.method, payment.provider, authorisation,
    {_ATTEMPT_COLUMNS.replace("payment_id, ", "")}
from payment.payment left join payment.attempt using (front_end, payment_id)
where front_end = $1 and {{which}} order by length(reference), payment_id, begun_at, attempt_id
"""
_WHICH = {
    "payment_id": "payment_id = $2",
    "references": "reference = any($2)",
    "key": _OF_KEY,
}
_OPEN_ATTEMPTS = f"""
select {_ATTEMPT_COLUMNS}, currency, reference from payment.attempt join payment.payment using (front_end, payment_id)
where front_end = $1 and attempt.state in ('pending', 'unknown') and begun_at < $2
order by coalesce(looked_up_at, begun_at), attempt_id limit $3
"""
_HELD = f"""
select {_COLUMNS} from payment.payment
where front_end = $1 and state = 'authorised' and split_part(reference, '/', 1) <> all ($4) and not exists (
    select from payment.attempt where attempt.front_end = $1 and attempt.payment_id = payment.payment_id
    and (state in ('pending', 'unknown') or coalesce(ended_at, begun_at) >= $2))
order by opened_at, payment_id limit $3
"""
_UNDER_WAY = """
select kind, sum(amount_minor)::bigint as minor from payment.attempt
where front_end = $1 and payment_id = $2 and state in ('pending', 'unknown') group by kind order by kind
"""
_BEGIN = """
insert into payment.attempt (front_end, attempt_id, payment_id, kind, key, provider, method, amount_minor, state,
    begun_at, provider_reference)
values ($1, $2, $3, $4, $5, $6, $7, $8, 'pending', $9, $10)
"""
_END = """
update payment.attempt set state = $3::text,
    provider_reference = case when $4::text = '' then provider_reference else $4::text end,
    reason = $5, looked_up_at = $6::timestamptz,
    ended_at = case when $3::text = 'unknown' then null else $6::timestamptz end
where front_end = $1 and key = $2 and state in ('pending', 'unknown')
"""
# An attempt that is done moves its payment in the same statement, and writes the leg of what was taken or given back.
_DONE = f"""
with ended as ({_END}), leg as (
    insert into payment.leg (front_end, leg_id, payment_id, kind, amount_minor, method, at)
    select $1, $15::uuid, $8::uuid, $16::text, $10::bigint - $11::bigint, $17::text, $6::timestamptz
    where $15::uuid is not null
)
update payment.payment set state = $7, authorised_minor = authorised_minor + $9, captured_minor = captured_minor + $10,
    refunded_minor = refunded_minor + $11, method = case when $12::text = '' then method else $12::text end,
    provider = case when $13::text = '' then provider else $13::text end,
    authorisation = case when $14::text = '' then authorisation else $14::text end
where front_end = $1 and payment_id = $8
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A payment with what only providers need to know."""

    payment: api.Payment
    provider: str
    authorisation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A payment that is locked, and all that was asked of providers about it, the first first."""

    kept: Kept
    attempts: tuple[api.Attempt, ...]

    @property
    def is_card(self) -> bool:
        """Say whether it is paid with a card that is kept here."""
        return self.kept.provider == api.CREDIT

    def of(self, payment: api.Payment) -> Standing:
        """Return it with its payment as it is now."""
        return replace(self, kept=replace(self.kept, payment=payment))

    def under_way(self) -> dict[api.Kind, int]:
        """Return how much attempts without an outcome are about: it may have moved, so it counts as gone."""
        found: dict[api.Kind, int] = {}
        for one in self.attempts:
            if one.state in ("pending", "unknown"):
                found[one.kind] = found.get(one.kind, 0) + one.amount.minor
        return dict(sorted(found.items()))


@dataclass(frozen=True, slots=True)
class RefundPart:
    """What a payment gives of a refund."""

    reference: str
    payment_id: UUID
    minor: int
    is_begun: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """What of an attempt is settled when it begins."""

    attempt_id: UUID
    key: str
    minor: int
    at: datetime


_FORGET = """
update payment.attempt set reason = '' from payment.payment
where attempt.front_end = $1 and payment.front_end = $1 and payment.payment_id = attempt.payment_id
  and split_part(reference, '/', 1) = any($2) and reason <> '' and ended_at is not null
"""


async def open_payment(
    session: ports.Session,
    front_end: str,
    ids: tuple[UUID, UUID],
    ask: api.OpenPayment,
    now: datetime,
    *,
    is_new: bool,
) -> bool:
    """Write a payment, and its leg where it was taken on the spot; False where its reference has one.

    Where it is known to be new, the statement goes with what is sent next, and breaks the transaction off if it is not.
    """
    (payment_id, leg_id), amount, received_as = ids, ask.amount, ask.received_as or ""
    row = (front_end, payment_id, ask.reference, amount.currency, amount.minor, received_as, now, leg_id)
    if not is_new:
        return bool(await session.fetch_value(_OPEN, *row))
    await (session.later(_OPEN_RECEIVED, *row) if received_as else session.later(_OPEN_NEW, *row[:5], now))
    return True


async def by_references(
    session: ports.Session, front_end: str, references: Sequence[str], *, is_locked: bool = False
) -> list[Kept]:
    """Return the payments of references in their order, without legs."""
    rows = await session.fetch(_LOCK_BY_REFERENCE if is_locked else _BY_REFERENCE, front_end, list(references))
    return sorted((_kept(row, ()) for row in rows), key=lambda one: list(references).index(one.payment.reference))


async def refund_parts(session: ports.Session, front_end: str, payment_ids: Sequence[UUID]) -> list[RefundPart]:
    """Return what was promised to be given back from payments."""
    rows = await session.fetch(_REFUND_PARTS, front_end, list(payment_ids))
    return [RefundPart(row["reference"], row["payment_id"], row["amount_minor"], row["is_begun"]) for row in rows]


async def promise_refund(
    session: ports.Session, front_end: str, reference: str, parts: Sequence[tuple[UUID, int]], now: datetime
) -> None:
    await session.execute(
        """insert into payment.refund_part (front_end, reference, payment_id, amount_minor, at)
           select $1, $2, payment_id, minor, $5 from unnest($3::uuid[], $4::bigint[]) as given (payment_id, minor)""",
        front_end,
        reference,
        [payment_id for payment_id, _ in parts],
        [minor for _, minor in parts],
        now,
    )


async def expect(session: ports.Session, front_end: str, payment_id: UUID, minor: int) -> None:
    await session.execute(
        "update payment.payment set amount_minor = $3 where front_end = $1 and payment_id = $2",
        front_end,
        payment_id,
        minor,
    )


async def lessen(session: ports.Session, front_end: str, payment_id: UUID, minor: int) -> None:
    """Let a payment be about less than what is held for it."""
    await session.execute(
        "update payment.payment set amount_minor = $3, authorised_minor = $3 where front_end = $1 and payment_id = $2",
        front_end,
        payment_id,
        minor,
    )


async def lock(session: ports.Session, front_end: str, payment_id: UUID) -> Kept | None:
    row = await session.fetch_row(_LOCK, front_end, payment_id)
    return None if row is None else _kept(row, ())


async def find(session: ports.Session, front_end: str, payment_id: UUID | None, reference: str | None) -> Kept | None:
    """Return a payment with its legs."""
    row = await session.fetch_row(_FIND, front_end, payment_id, reference)
    if row is None:
        return None
    legs = await session.fetch(_LEGS, front_end, row["payment_id"])
    return _kept(row, legs)


async def hold(session: ports.Session, front_end: str, which: str, value: object) -> None:
    """Lock payments until the transaction ends; goes along with what is sent next."""
    await session.later(_HOLD.format(which=_WHICH[which]), front_end, value)


async def standing(session: ports.Session, front_end: str, which: str, value: object) -> list[Standing]:
    """Return payments that are locked already, the first due first."""
    rows = await session.fetch(_STANDING.format(which=_WHICH[which]), front_end, value)
    by_payment: dict[UUID, list[ports.Row]] = {}
    for row in rows:
        by_payment.setdefault(row["payment_id"], []).append(row)
    return [
        Standing(
            kept=_kept(group[0], ()), attempts=tuple([_asked(row) for row in group if row["attempt_id"] is not None])
        )
        for group in by_payment.values()
    ]


async def attempt(session: ports.Session, front_end: str, key: str) -> api.Attempt | None:
    rows = await session.fetch(_STANDING.format(which=_WHICH["key"]), front_end, key)
    return next((_asked(row) for row in rows if row["key"] == key), None)


async def held(session: ports.Session, front_end: str, before: datetime, ask: api.ListHeld) -> list[api.Payment]:
    """Return payments that are held, with nothing under way and nothing ended since a time."""
    rows = await session.fetch(_HELD, front_end, before, ask.limit, list(ask.besides))
    return [_kept(row, ()).payment for row in rows]


async def open_attempts(session: ports.Session, front_end: str, before: datetime, limit: int) -> list[api.Attempt]:
    return [_asked(row) for row in await session.fetch(_OPEN_ATTEMPTS, front_end, before, limit)]


async def under_way(session: ports.Session, front_end: str, payment_id: UUID) -> dict[api.Kind, int]:
    """Return how much attempts without an outcome are about, by kind: it may have moved, so it counts as gone."""
    rows = await session.fetch(_UNDER_WAY, front_end, payment_id)
    return {api.Kind(row["kind"]): row["minor"] for row in rows}


async def begin(
    session: ports.Session, front_end: str, kept: Kept, ask: api.Begin, beginning: Beginning
) -> api.Attempt:
    """Write an attempt; all but the first go to the provider that holds the authorisation."""
    attempt = api.Attempt(
        attempt_id=beginning.attempt_id,
        payment_id=ask.payment_id,
        kind=ask.kind,
        key=beginning.key,
        provider=ask.provider or kept.provider,
        method=ask.method or kept.payment.method,
        amount=money(beginning.minor, kept.payment.amount.currency),
        state="pending",
        provider_reference=kept.authorisation,
        reason="",
        reference=kept.payment.reference,
    )
    await session.later(
        _BEGIN,
        front_end,
        attempt.attempt_id,
        attempt.payment_id,
        attempt.kind,
        attempt.key,
        attempt.provider,
        attempt.method,
        beginning.minor,
        beginning.at,
        attempt.provider_reference,
    )
    return attempt


async def end(session: ports.Session, front_end: str, ask: api.End, now: datetime) -> None:
    """Write the outcome of an attempt that has not ended, and that moved nothing."""
    await session.later(_END, front_end, *_outcome(ask, now))


async def done(
    session: ports.Session,
    front_end: str,
    ask: api.End,
    attempt: api.Attempt,
    after: Kept,
    leg: tuple[UUID | None, str],
    now: datetime,
) -> None:
    """Write that an attempt is done, what its payment is then, and the leg, by id and method, where money moved."""
    minor, (leg_id, method) = {attempt.kind: attempt.amount.minor}, leg
    moved = [minor.get(kind, 0) for kind in (api.Kind.AUTHORISE, api.Kind.CAPTURE, api.Kind.REFUND)]
    row = (after.payment.state, attempt.payment_id, *moved, attempt.method, attempt.provider, after.authorisation)
    await session.later(_DONE, front_end, *_outcome(ask, now), *row, leg_id, attempt.kind, method)


def _outcome(ask: api.End, now: datetime) -> tuple[object, ...]:
    outcome = ask.outcome
    return ask.key, outcome.state, outcome.provider_reference, outcome.reason, now


def _kept(row: ports.Row, legs: Sequence[ports.Row]) -> Kept:
    currency = row["currency"]
    payment = api.Payment(
        payment_id=row["payment_id"],
        reference=row["reference"],
        state=_STATES[row["state"]],
        amount=Money(currency=currency, minor=row["amount_minor"]),
        authorised=Money(currency=currency, minor=row["authorised_minor"]),
        captured=Money(currency=currency, minor=row["captured_minor"]),
        refunded=Money(currency=currency, minor=row["refunded_minor"]),
        method=row["method"],
        legs=tuple([_leg(one, currency) for one in legs]),
        withheld=money(row["withheld_minor"], currency) if row["withheld_minor"] else None,
    )
    return Kept(payment=payment, provider=row["provider"], authorisation=row["authorisation"])


def _leg(row: ports.Row, currency: str) -> api.Leg:
    return api.Leg(kind=row["kind"], amount=money(row["amount_minor"], currency), method=row["method"], at=row["at"])


def _asked(row: ports.Row) -> api.Attempt:
    return api.Attempt(
        attempt_id=row["attempt_id"],
        payment_id=row["payment_id"],
        kind=_KINDS[row["kind"]],
        key=row["key"],
        provider=row["asked"],
        method=row["asked_method"],
        amount=Money(currency=row["currency"], minor=row["asked_minor"]),
        state=row["ended"],
        provider_reference=row["provider_reference"],
        reason=row["reason"],
        reference=row["reference"],
    )


async def forget(session: ports.Session, front_end: str, references: Sequence[str]) -> None:
    """Take the reasons out of what was attempted for these purposes."""
    if references:
        await session.execute(_FORGET, front_end, list(references))
