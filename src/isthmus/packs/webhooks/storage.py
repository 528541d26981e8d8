"""SQL of webhooks: first that of calls, for one front end; then the sender's, over all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from isthmus.kernel import ports
from isthmus.store.feed import ALL, STREAM

from . import api

_PUT: Final = """
    insert into webhooks.endpoint as old (front_end, name, url, types, is_ordered, is_personal)
    values ($1, $2, $3, $4, $5, $6)
    on conflict (front_end, name) do update set url = excluded.url, types = excluded.types,
        is_ordered = excluded.is_ordered, is_personal = excluded.is_personal,
        failures = 0, failing_since = null, is_gone = false, retry_at = '-infinity'
    returning old.xmax = 0 as is_new"""
_ENDPOINTS: Final = """
    select e.*,
        (select count(*) from webhooks.delivery d
         where d.front_end = e.front_end and d.endpoint = e.name and d.state = 'waiting') as waiting,
        (select count(*) from webhooks.delivery d
         where d.front_end = e.front_end and d.endpoint = e.name and d.state = 'dead') as dead
    from webhooks.endpoint e where front_end = $1 and ($2::text is null or name = $2) order by name"""
_PAUSE: Final = """
    update webhooks.endpoint set state = 'paused', reason = $3
    where front_end = $1 and name = $2 and state = 'active'"""
_RESUME: Final = """
    update webhooks.endpoint set state = 'active', reason = '', failures = 0, failing_since = null, is_gone = false,
        retry_at = '-infinity'
    where front_end = $1 and name = $2 and state = 'paused'"""
_DUE_NOW: Final = """
    update webhooks.delivery set due_at = now() where front_end = $1 and endpoint = $2 and state = 'waiting'"""
_PAUSE_FAILING: Final = """
    update webhooks.endpoint set state = 'paused', reason = case when is_gone then 'it answered that it is gone (410)'
        else 'nothing got through since ' || to_char(failing_since at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"') end
    where front_end = $1 and state = 'active'
        and (is_gone or failing_since < now() - make_interval(secs => $2 * 3600)) returning name"""
_END_SECRETS: Final = """
    update webhooks.secret set until = least(until, now() + make_interval(hours => $3))
    where front_end = $1 and endpoint = $2 and until > now()"""
_ADD_SECRET: Final = "insert into webhooks.secret (front_end, endpoint, made_at, sealed) values ($1, $2, now(), $3)"
_ADD_TEST: Final = """
    insert into webhooks.delivery (front_end, endpoint, event_id, event_type, subject)
    values ($1, $2, $3, 'webhooks.test', $2) returning delivery_id"""
_DELIVERIES: Final = """
    select * from webhooks.delivery
    where front_end = $1 and ($2::text is null or endpoint = $2) and ($3::text is null or state = $3)
        and ($4::bigint is null or delivery_id < $4) and ($5::bigint is null or delivery_id = $5)
    order by delivery_id desc limit $6"""
_ATTEMPTS: Final = "select * from webhooks.attempt where front_end = $1 and delivery_id = $2 order by number"
_SEND_AGAIN: Final = """
    update webhooks.delivery set state = 'waiting', due_at = now(), ended_at = null, reason = '', attempts = 0
    where front_end = $1 and ($3::text is null or endpoint = $3)
        and case when $2::bigint is null then state = 'dead' else delivery_id = $2 and state <> 'waiting' end"""


async def put(session: ports.Session, front_end: str, ask: api.PutEndpoint) -> bool:
    """Write an endpoint; return whether it is new."""
    found = await session.fetch_value(_PUT, front_end, ask.name, ask.url, list(ask.types), ask.ordered, ask.personal)
    return bool(found)


async def endpoints(session: ports.Session, front_end: str) -> list[api.Endpoint]:
    return [_endpoint(row) for row in await session.fetch(_ENDPOINTS, front_end, None)]


async def endpoint(session: ports.Session, front_end: str, name: str) -> api.Endpoint:
    """Return an endpoint. Raises UnknownEndpoint."""
    row = await session.fetch_row(_ENDPOINTS, front_end, name)
    if row is None:
        raise api.UnknownEndpoint(name=name)
    return _endpoint(row)


async def locked(session: ports.Session, front_end: str, name: str) -> None:
    """Hold an endpoint until the transaction ends. Raises UnknownEndpoint."""
    sql = "select 1 from webhooks.endpoint where front_end = $1 and name = $2 for update"
    if await session.fetch_value(sql, front_end, name) is None:
        raise api.UnknownEndpoint(name=name)


async def delete(session: ports.Session, front_end: str, name: str) -> None:
    sql = "delete from webhooks.endpoint where front_end = $1 and name = $2"
    if await session.execute(sql, front_end, name) == "DELETE 0":
        raise api.UnknownEndpoint(name=name)


async def pause(session: ports.Session, front_end: str, name: str, reason: str) -> bool:
    return await session.execute(_PAUSE, front_end, name, reason) == "UPDATE 1"


async def resume(session: ports.Session, front_end: str, name: str) -> bool:
    """Have an endpoint sent to again, what waits first; return whether it was paused."""
    if await session.execute(_RESUME, front_end, name) != "UPDATE 1":
        return False
    await session.execute(_DUE_NOW, front_end, name)
    return True


async def pause_failing(session: ports.Session, front_end: str, hours: float) -> list[str]:
    return sorted(row["name"] for row in await session.fetch(_PAUSE_FAILING, front_end, hours))


async def end_secrets(session: ports.Session, front_end: str, name: str, hours: int) -> None:
    await session.execute(_END_SECRETS, front_end, name, hours)


async def add_secret(session: ports.Session, front_end: str, name: str, sealed: bytes) -> None:
    await session.execute(_ADD_SECRET, front_end, name, sealed)


async def add_test(session: ports.Session, front_end: str, name: str, id: str) -> int:
    return await session.fetch_value(_ADD_TEST, front_end, name, id)


async def deliveries(session: ports.Session, front_end: str, ask: api.ListDeliveries) -> list[api.Delivery]:
    """Return one more than was asked for, where there is one."""
    state = None if ask.state is None else ask.state.value
    rows = await session.fetch(_DELIVERIES, front_end, ask.endpoint, state, ask.before, None, ask.limit + 1)
    return [_delivery(row) for row in rows]


async def delivery(session: ports.Session, front_end: str, number: int) -> api.Delivery:
    """Return a delivery. Raises UnknownDelivery."""
    row = await session.fetch_row(_DELIVERIES, front_end, None, None, None, number, 1)
    if row is None:
        raise api.UnknownDelivery(what=str(number))
    return _delivery(row)


async def attempts(session: ports.Session, front_end: str, number: int) -> list[api.Attempt]:
    rows = await session.fetch(_ATTEMPTS, front_end, number)
    return [api.Attempt(**{name: row[name] for name in api.Attempt.__struct_fields__}) for row in rows]


async def send_again(session: ports.Session, front_end: str, number: int | None, name: str | None) -> int:
    return int((await session.execute(_SEND_AGAIN, front_end, number, name)).rpartition(" ")[2])


def _endpoint(row: ports.Row) -> api.Endpoint:
    return api.Endpoint(
        name=row["name"],
        url=row["url"],
        types=tuple(row["types"]),
        ordered=row["is_ordered"],
        personal=row["is_personal"],
        state=api.EndpointState(row["state"]),
        reason=row["reason"],
        failing_since=row["failing_since"],
        waiting=row["waiting"],
        dead=row["dead"],
    )


def _delivery(row: ports.Row) -> api.Delivery:
    fields: dict[str, Any] = {name: row[name] for name in api.Delivery.__struct_fields__}
    fields["state"] = api.DeliveryState(row["state"])
    return api.Delivery(**fields)


SLOTS: Final = 4  # deliveries of one endpoint at once, over all servers; one as long as it does not answer
LEASE_S: Final = 60  # longer than a delivery takes; what a killed server held is sent again after it
DONE_KEPT_DAYS: Final = 7
DEAD_KEPT_DAYS: Final = 30

_NOTE: Final = f"""
    insert into webhooks.delivery (front_end, endpoint, event_id, event_type, subject, position)
    select e.front_end, e.name, v.id, v.type, v.subject, v.position
    from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[]) as v (position, id, type, subject, owner)
    join webhooks.endpoint e on (v.type = any (e.types) or split_part(v.type, '.', 1) || '.*' = any (e.types))
        and (e.front_end = v.owner or exists (
            select from isthmus.row_grant g
            where g.to_front_end = e.front_end and g.owner = v.owner and g.kind = '{STREAM}'
                and g.name in (v.type, '{ALL}') and g.withdrawn_at is null
                and (g.ends_at is null or g.ends_at > now())))
    order by v.position on conflict (front_end, endpoint, event_id) do nothing"""
_TAKE: Final = f"""
    with free as (
        select e.*, case when failures > 0 then 1 else {SLOTS} end - (
            select count(*) from webhooks.delivery h where h.front_end = e.front_end and h.endpoint = e.name
                and h.state = 'waiting' and h.held_until > now()) as slots
        from webhooks.endpoint e where state = 'active' and not is_gone and retry_at <= now()
    ), due as (
        select taken.delivery_id, free.url, free.is_personal
        from free cross join lateral (
            select d.delivery_id from webhooks.delivery d
            where d.front_end = free.front_end and d.endpoint = free.name and d.state = 'waiting'
                and d.due_at <= now() and d.held_until < now()
                and not (free.is_ordered and exists (
                    select from webhooks.delivery earlier
                    where earlier.front_end = d.front_end and earlier.endpoint = d.endpoint
                        and earlier.subject = d.subject and earlier.state = 'waiting'
                        and earlier.delivery_id < d.delivery_id))
            order by d.delivery_id limit greatest(free.slots, 0) for update of d skip locked) taken
    )
    update webhooks.delivery d set held_by = $1, held_until = now() + make_interval(secs => {LEASE_S}),
        attempts = attempts + 1
    from due where d.delivery_id = due.delivery_id and d.held_until < now()
    returning d.*, due.url, due.is_personal,
        array(select coalesce(sealed, convert_to(secret, 'UTF8')) from webhooks.secret s
              where s.front_end = d.front_end and s.endpoint = d.endpoint and s.until > now()
              order by made_at desc) as secrets"""
_IN_THE_CLEAR: Final = """
    select front_end, endpoint, made_at, secret from webhooks.secret where secret is not null
    limit 1000 for update skip locked"""
_SEAL: Final = """
    update webhooks.secret set sealed = $4, secret = null where front_end = $1 and endpoint = $2 and made_at = $3"""
_ENDED: Final = """
    with one as (
        update webhooks.delivery set status = $3, reason = $4, held_by = '', held_until = '-infinity',
            state = case when $5 then 'done' when $6::float8 is null then 'dead' else 'waiting' end,
            ended_at = case when $5 or $6::float8 is null then now() end,
            due_at = now() + make_interval(secs => coalesce($6::float8, 0))
        where delivery_id = $1 and held_by = $2 returning *
    )
    insert into webhooks.attempt (front_end, delivery_id, number, took_ms, status, reason)
    select front_end, delivery_id,
        (select coalesce(max(number), 0) + 1 from webhooks.attempt a where a.delivery_id = one.delivery_id), $7, $3, $4
    from one"""
_ANSWERED: Final = """
    update webhooks.endpoint set failures = 0, failing_since = null, retry_at = '-infinity'
    where front_end = $1 and name = $2 and failures > 0"""
_SILENT: Final = """
    update webhooks.endpoint set failures = failures + 1, failing_since = coalesce(failing_since, now()),
        is_gone = is_gone or $4, retry_at = greatest(retry_at, now() + make_interval(secs => $3))
    where front_end = $1 and name = $2 returning failures"""
_PRUNE: Final = f"""
    with late as (
        update webhooks.delivery set state = 'dead', reason = 'it waited until its event was no longer kept',
            ended_at = now()
        where state = 'waiting' and made_at < now() - interval '{DONE_KEPT_DAYS} days' and held_until < now()
    )
    delete from webhooks.delivery where ended_at < now() - case state
        when 'done' then interval '{DONE_KEPT_DAYS} days' else interval '{DEAD_KEPT_DAYS} days' end"""


async def note(session: ports.Session, events: Sequence[Any]) -> int:
    """Put events down for the endpoints that want them and may see them; one that is there already stays."""
    columns = [[getattr(one, name) for one in events] for name in ("position", "id", "type", "subject", "front_end")]
    return int((await session.execute(_NOTE, *columns)).rpartition(" ")[2])


async def take(session: ports.Session, holder: str) -> Sequence[ports.Row]:
    """Return what is due, held against other servers: with the address and the secrets that hold."""
    return await session.fetch(_TAKE, holder)


async def ended(
    session: ports.Session, row: ports.Row, holder: str, status: int, reason: str, *, is_done: bool,
    again_s: float | None, took_ms: int,
) -> None:  # fmt: skip
    """Write down what came of a try; nothing where somebody else has it by now."""
    await session.execute(_ENDED, row["delivery_id"], holder, status, reason, is_done, again_s, took_ms)


async def answered(session: ports.Session, row: ports.Row) -> None:
    await session.execute(_ANSWERED, row["front_end"], row["endpoint"])


async def silent(session: ports.Session, row: ports.Row, pause_s: float, *, is_gone: bool) -> None:
    await session.execute(_SILENT, row["front_end"], row["endpoint"], pause_s, is_gone)


async def failures(session: ports.Session, row: ports.Row) -> int:
    sql = "select failures from webhooks.endpoint where front_end = $1 and name = $2"
    return await session.fetch_value(sql, row["front_end"], row["endpoint"]) or 0


async def in_the_clear(session: ports.Session) -> Sequence[ports.Row]:
    """Return secrets that no version sealed yet, held until the transaction ends."""
    return await session.fetch(_IN_THE_CLEAR)


async def seal(session: ports.Session, row: ports.Row, sealed: bytes) -> None:
    await session.execute(_SEAL, row["front_end"], row["endpoint"], row["made_at"], sealed)


async def prune(session: ports.Session) -> None:
    """Give up what waited for too long, and forget what ended long ago."""
    await session.execute(_PRUNE)
