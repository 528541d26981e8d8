"""Rows of `subscription.subscription` and `subscription.period`.

Where a platform has them so, address, e-mail and what is paid with are sealed under a key of the subscription's own: it
may become another member's, when two are one. Erasing a member names their subscriptions, and these keys go.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from isthmus.kernel import decode, encode, ports
from isthmus.sealing import Sealed, Seals
from isthmus.values import Address

from . import api

TABLE: Final = "subscription.subscription"
_SUBJECT: Final = "subscription_id::text"
SEALED: Final = (
    Sealed(column="address", into="sealed_address", subject=_SUBJECT),
    Sealed(column="contact_email", into="sealed_email", subject=_SUBJECT, empty="''"),
    Sealed(column="token", into="sealed_token", subject=_SUBJECT, empty="''"),
)
Row = dict[str, Any]  # of a subscription, opened where it is sealed

_ONE = """
    select subscription_id, member_id, state, reason, currency, lines, every_days, next_at, address, delivery_method,
        contact_email, method, token, order_kind, channel, box, attributes, version,
        sealed_address, sealed_email, sealed_token
    from subscription.subscription where front_end = $1 and subscription_id = $2"""
_LIST = """
    select subscription_id, member_id, state, reason, currency, lines, every_days, next_at, address, delivery_method,
        contact_email, method, token, order_kind, channel, box, attributes, version, made_at,
        sealed_address, sealed_email, sealed_token
    from subscription.subscription
    where front_end = $1 and ($2::uuid is null or member_id = $2) and ($3::text is null or state = $3)
        and ($4::timestamptz is null or (made_at, subscription_id) < ($4, $5::uuid))
    order by made_at desc, subscription_id desc limit $6"""
_PERIODS = """
    select period.* from unnest($2::uuid[]) as wanted (id) cross join lateral (
        select subscription_id, due_at, state, reason, group_id, payment_id, refusals from subscription.period
        where front_end = $1 and subscription_id = wanted.id order by due_at desc limit $3) period"""
_OPEN = """
    insert into subscription.subscription (front_end, subscription_id, member_id, state, currency, lines, every_days,
        next_at, address, delivery_method, contact_email, method, token, order_kind, channel, attributes, made_at, box,
        sealed_address, sealed_email, sealed_token)
    values ($1, $2, $3, 'active', $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)"""
_SAVE = """
    update subscription.subscription set state = $3, reason = $4, lines = $5, every_days = $6, next_at = $7,
        address = $8, delivery_method = $9, method = $10, token = coalesce($11, token), version = version + 1,
        sealed_address = $12, sealed_token = case when $11::text is null then sealed_token else $13 end
    where front_end = $1 and subscription_id = $2"""
_DUE = """
    select subscription_id, next_at as due_at, box from subscription.subscription
    where front_end = $1 and state = 'active' and next_at <= $2 order by next_at, subscription_id limit $3"""
_UNPAID = """
    select subscription_id, due_at, box from subscription.period
    join subscription.subscription using (front_end, subscription_id)
    where front_end = $1 and period.state = 'placed' and next_try_at <= $2
    order by next_try_at, subscription_id, due_at limit $3"""
_PERIOD = """
    insert into subscription.period (front_end, subscription_id, due_at, state, reason, group_id, payment_id,
        next_try_at, at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9)"""
_MOVE_ON = "update subscription.subscription set next_at = $3 where front_end = $1 and subscription_id = $2"
_TAKE = """
    update subscription.period set next_try_at = $5
    where front_end = $1 and subscription_id = $2 and due_at = $3 and state = 'placed' and next_try_at <= $4
    returning payment_id, group_id, refusals"""
_END = """
    update subscription.period set state = $4, reason = $5, refusals = refusals + $6, next_try_at = $7, at = $8
    where front_end = $1 and subscription_id = $2 and due_at = $3 and state = 'placed'"""
_JOIN = """
    update subscription.subscription set member_id = $2, version = version + 1
    where front_end = $1 and member_id = $3"""
# What was bought, and when, stays: it names nobody.
_FORGET = """
    update subscription.subscription set state = 'ended', reason = '', address = null, contact_email = '', token = '',
        sealed_address = null, sealed_email = null, sealed_token = null, attributes = '{}', version = version + 1,
        lines = (select jsonb_agg(line || '{"attributes": {}}'::jsonb order by place)
                 from jsonb_array_elements(lines) with ordinality as one (line, place))
    where front_end = $1 and member_id = any($2) and state <> 'ended' returning subscription_id"""
_FORGET_PERIODS = """
    update subscription.period set reason = ''
    where front_end = $1 and subscription_id = any($2) and reason <> ''"""


async def open_one(
    session: ports.Session, front_end: str, subscription_id: UUID, ask: api.Open, lines: Sequence[api.KeptLine],
    attributes: dict[str, Any], now: datetime, box: str, seals: Seals,
) -> None:  # fmt: skip
    wanted = ask.wanted
    said = (wanted.address and encode(wanted.address), wanted.contact_email.encode(), wanted.token.encode())
    address, email, token = await _put_away(session, front_end, subscription_id, said, seals, is_first=True)
    await session.execute(
        _OPEN, front_end, subscription_id, wanted.member_id, wanted.currency, encode(lines), wanted.every_days,
        wanted.first_at or now, address[0] or None, wanted.delivery_method, email[0].decode(), wanted.method,
        token[0].decode(), wanted.order_kind, wanted.channel, encode(attributes), now, box, address[1], email[1],
        token[1],
    )  # fmt: skip


async def find(
    session: ports.Session, front_end: str, subscription_id: UUID, seals: Seals, *, is_locked: bool
) -> Row | None:
    row = await session.fetch_row(_ONE + (" for update" if is_locked else ""), front_end, subscription_id)
    return None if row is None else (await _opened([row], session, seals))[0]


async def listed(
    session: ports.Session, front_end: str, ask: api.ListSubscriptions, before: tuple[datetime, UUID] | None,
    seals: Seals,
) -> Sequence[Row]:  # fmt: skip
    """Return subscriptions before a place, one more than asked where there are more."""
    at, subscription_id = before or (None, None)
    rows = await session.fetch(_LIST, front_end, ask.member_id, ask.state, at, subscription_id, ask.limit + 1)
    return await _opened(rows, session, seals)


async def _opened(rows: Sequence[ports.Row], session: ports.Session, seals: Seals) -> list[Row]:
    """Return rows of subscriptions with what is sealed of them in its place. Raises PersonKeyMissing."""
    places = [(at, of) for at, row in enumerate(rows) for of in SEALED if row[of.into] is not None]
    if not places:
        return [dict(row) for row in rows]
    kept = [(str(rows[at]["subscription_id"]), rows[at][of.into]) for at, of in places]
    found = [dict(row) for row in rows]
    for (at, of), text in zip(places, await seals.open_each(session, TABLE, kept), strict=True):
        found[at][of.column] = text if of.column == "address" else text.decode()
    return found


async def _put_away(
    session: ports.Session, front_end: str, subscription_id: UUID, said: Sequence[bytes | None], seals: Seals,
    *, is_first: bool = False,
) -> list[tuple[bytes, bytes | None]]:  # fmt: skip
    """Return each text as it is written in the clear, and sealed; what says nothing is not sealed."""
    filled = [one for one in said if one] if seals.is_on(TABLE) else []
    if not filled:
        return [(one or b"", None) for one in said]
    made = iter(await seals.seal(session, front_end, str(subscription_id), TABLE, filled, is_first=is_first))
    return [(b"", next(made) if one else None) for one in said]


async def subscriptions(session: ports.Session, front_end: str, rows: Sequence[Row]) -> tuple[api.Subscription, ...]:
    """Return subscriptions with their last periods."""
    ids = [row["subscription_id"] for row in rows]
    found: dict[UUID, list[api.Period]] = {one: [] for one in ids}
    for row in await session.fetch(_PERIODS, front_end, ids, api.PERIODS_SHOWN) if ids else ():
        found[row["subscription_id"]].append(
            api.Period(
                due_at=row["due_at"], state=api.PeriodState(row["state"]), reason=row["reason"],
                group_id=row["group_id"], payment_id=row["payment_id"], refusals=row["refusals"],
            )
        )  # fmt: skip
    return tuple(
        one_of(row).replace(periods=tuple(sorted(found[row["subscription_id"]], key=lambda one: one.due_at)[::-1]))
        for row in rows
    )


def one_of(row: Row) -> api.Subscription:
    """Return a subscription without its periods."""
    return api.Subscription(
        subscription_id=row["subscription_id"],
        member_id=row["member_id"],
        state=api.SubscriptionState(row["state"]),
        reason=row["reason"],
        currency=row["currency"],
        lines=decode(row["lines"], tuple[api.KeptLine, ...]),
        every_days=row["every_days"],
        next_at=row["next_at"],
        address=decode(row["address"], Address) if row["address"] else None,
        delivery_method=row["delivery_method"],
        method=row["method"],
        order_kind=row["order_kind"],
        channel=row["channel"],
        box=row["box"],
        attributes=decode(row["attributes"], dict[str, Any]),
        version=row["version"],
    )


async def save(
    session: ports.Session, front_end: str, kept: api.Subscription, seals: Seals, token: str | None = None
) -> None:
    said = (kept.address and encode(kept.address), (token or "").encode())
    address, paid = await _put_away(session, front_end, kept.subscription_id, said, seals)
    await session.execute(
        _SAVE, front_end, kept.subscription_id, kept.state, kept.reason, encode(kept.lines), kept.every_days,
        kept.next_at, address[0] or None, kept.delivery_method, kept.method,
        None if token is None else paid[0].decode(), address[1], paid[1],
    )  # fmt: skip


async def due(session: ports.Session, front_end: str, now: datetime, limit: int) -> api.Due:
    return _due(await session.fetch(_DUE, front_end, now, limit))


async def unpaid(session: ports.Session, front_end: str, now: datetime, limit: int) -> api.Due:
    return _due(await session.fetch(_UNPAID, front_end, now, limit))


def _due(rows: Sequence[ports.Row]) -> api.Due:
    return api.Due(
        items=tuple(
            api.DuePeriod(subscription_id=row["subscription_id"], due_at=row["due_at"], box=row["box"])
            for row in rows
        )
    )  # fmt: skip


async def add_period(
    session: ports.Session, front_end: str, subscription_id: UUID, period: api.Period, next_at: datetime, now: datetime
) -> None:
    """Write down what becomes of a period, and move on to another."""
    next_try_at = now if period.state is api.PeriodState.PLACED else None
    await session.execute(
        _PERIOD, front_end, subscription_id, period.due_at, period.state, period.reason, period.group_id,
        period.payment_id, next_try_at, now,
    )  # fmt: skip
    await session.execute(_MOVE_ON, front_end, subscription_id, next_at)


async def take(
    session: ports.Session, front_end: str, ask: api.Begin, now: datetime, until: datetime
) -> ports.Row | None:
    """Take the payment of a period on until a time; nothing where it is not to be tried now."""
    return await session.fetch_row(_TAKE, front_end, ask.subscription_id, ask.due_at, now, until)


async def end(
    session: ports.Session, front_end: str, ask: api.EndTry, state: api.PeriodState, next_try_at: datetime | None,
    now: datetime,
) -> None:  # fmt: skip
    refused = int(ask.outcome == "refused")
    await session.execute(
        _END, front_end, ask.subscription_id, ask.due_at, state, ask.reason, refused, next_try_at, now
    )


async def join(session: ports.Session, front_end: str, member_id: UUID, other_id: UUID) -> int:
    sql = f"with joined as ({_JOIN} returning 1) select count(*)::int from joined"
    return await session.fetch_value(sql, front_end, member_id, other_id)


async def forget(session: ports.Session, front_end: str, member_ids: Sequence[UUID]) -> list[str]:
    """Take out of subscriptions what says whose they are; return which these were."""
    rows = await session.fetch(_FORGET, front_end, list(member_ids))
    await session.execute(_FORGET_PERIODS, front_end, [row["subscription_id"] for row in rows])
    return [str(row["subscription_id"]) for row in rows]
