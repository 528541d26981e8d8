"""Deliveries: what is due is taken in a transaction that looks at what the member wants, and pushed outside of any."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from isthmus.kernel import Context, implements, ports
from isthmus.sealing import UNSEALED, Seals

from .. import api, rules
from ..storage import deliveries
from .pushers import Pushers

PUSH_LIMIT_S: Final = 15.0  # of one push
ROUND_LIMIT_S: Final = 18.0  # of all that one round takes: what is not pushed by then is tried again later
BEGINS_WITHIN_S: Final = 5.0  # of a run, each round; so the deadline leaves room to write down what came of the last
AT_ONCE: Final = 100
REASON_MAX: Final = 200

log = logging.getLogger("isthmus.packs.messaging")


@implements(api.deliver)
async def deliver(ask: api.Deliver, ctx: Context) -> api.Delivered:
    done = api.Delivered(tried=0, ended=0)
    if ctx.is_taken_over:  # what a killed process had taken is due again by itself
        return done
    if not (await ctx.call(api.look_for_work, api.LookForWork())).is_due:
        return done
    slots, clock = asyncio.Semaphore(AT_ONCE), asyncio.get_running_loop().time
    began = clock()
    while clock() < began + BEGINS_WITHIN_S:  # what is left is the next run's, a second later
        claimed = await ctx.call(api.claim_deliveries, api.Claim(limit=ask.limit))
        if claimed.items:
            to, until = ctx.resource(Pushers), clock() + ROUND_LIMIT_S
            results = await asyncio.gather(*(_pushed(one, to, slots, until) for one in claimed.items))
            ended = await ctx.call(api.end_deliveries, api.EndDeliveries(results=tuple(results)))
            done = api.Delivered(tried=done.tried + len(claimed.items), ended=done.ended + ended.ended)
        if claimed.taken < ask.limit:
            break
    return done


@implements(api.claim_deliveries)
async def claim_deliveries(ask: api.Claim, ctx: Context) -> api.Claimed:
    pushers = ctx.resource(Pushers)
    rows = await deliveries.take(ctx.session, ctx.front_end, ctx.now, ask.limit, ctx.resource(Seals, UNSEALED))
    if not rows:
        return api.Claimed(items=(), taken=0)
    ended = await _ended(rows, pushers, ctx)
    later = {id(row): at for row in rows if id(row) not in ended and (at := _put_off(row, pushers, ctx.now))}
    left = [row for row in rows if id(row) not in ended and id(row) not in later]
    ended |= await _capped(left, pushers, ctx)
    said: list[tuple[ports.Row, str, datetime, int]] = []
    items: list[api.Push] = []
    for row in rows:
        if state := ended.get(id(row)):
            said.append((row, state, ctx.now, 0))
        elif at := later.get(id(row)):
            said.append((row, "waiting", at, 0))
        else:
            again = min(rules.RETRY_FIRST * 2 ** min(row["attempts"], 10), rules.RETRY_LAST)
            said.append((row, "waiting", ctx.now + again, 1))
            items.append(_push(row, ctx.now, is_urgent=pushers.is_free(row["purpose"])))
    await deliveries.decide(ctx.session, ctx.front_end, ctx.now, said)
    return api.Claimed(items=tuple(items), taken=len(rows))


@implements(api.end_deliveries)
async def end_deliveries(ask: api.EndDeliveries, ctx: Context) -> api.Delivered:
    states = await deliveries.end(ctx.session, ctx.front_end, ask.results, ctx.now)
    return api.Delivered(tried=len(ask.results), ended=sum(one != "waiting" for one in states))


@implements(api.prune)
async def prune(ask: api.Prune, ctx: Context) -> api.Pruned:
    return api.Pruned(rows=await deliveries.prune(ctx.session, ctx.now - 2 * rules.CAP_WINDOW))


async def _ended(rows: Sequence[ports.Row], pushers: Pushers, ctx: Context) -> dict[int, str]:
    """Return what must not be pushed any more, with why: in the transaction that takes it."""
    cut_off = await pushers.cut_off(ctx.session, ctx.front_end, [row["device_id"] for row in rows])
    unwanted: set[tuple[UUID, str]] = set()
    for purpose in {row["purpose"] for row in rows}:
        members = list({row["member_id"] for row in rows if row["purpose"] == purpose})
        wanted = await pushers.consenting(ctx.session, ctx.front_end, members, purpose)
        unwanted |= {(one, purpose) for one in members if one not in wanted}
    found: dict[int, str] = {}
    for row in rows:
        if row["is_opted_out"] or (row["member_id"], row["purpose"]) in unwanted:
            found[id(row)] = "opted-out"
        elif row["expires_at"] <= ctx.now:
            found[id(row)] = "expired"
        elif not row["is_there"]:
            found[id(row)] = "gone"
        elif row["device_id"] in cut_off:
            found[id(row)] = "cut-off"
    return found


def _put_off(row: ports.Row, pushers: Pushers, now: datetime) -> datetime | None:
    """Return when something is due that cannot be pushed now: in the member's night, or to a device that is slow."""
    if row["retry_at"] > now:
        return row["retry_at"]
    return None if pushers.is_free(row["purpose"]) else rules.quiet_until(now, row["zone"], pushers.settings.quiet)


async def _capped(rows: Sequence[ports.Row], pushers: Pushers, ctx: Context) -> dict[int, str]:
    """Return what a person has had too many of today, over all front ends; what is left counts from now on."""
    cap = pushers.settings.per_day
    rows = [row for row in rows if not pushers.is_free(row["purpose"])]
    if not cap or not rows:
        return {}
    persons = await pushers.persons(ctx.session, ctx.front_end, list({row["member_id"] for row in rows}))
    subjects = {member: rules.subject(person) for member, person in persons.items()}
    messages = list({row["message_id"] for row in rows})
    since = ctx.now - rules.CAP_WINDOW
    counts, known = await deliveries.counted(ctx.session, list(set(subjects.values())), messages, since)
    capped, new = _counted(rows, subjects, counts, known, cap)
    await deliveries.note_pushed(ctx.session, new, ctx.now)
    return capped


def _counted(
    rows: Sequence[ports.Row], subjects: Mapping[UUID, bytes], counts: dict[bytes, int],
    known: set[tuple[bytes, UUID]], cap: int,
) -> tuple[dict[int, str], list[tuple[bytes, UUID]]]:  # fmt: skip
    capped: dict[int, str] = {}
    new: list[tuple[bytes, UUID]] = []
    for row in rows:
        one = subjects[row["member_id"]], row["message_id"]
        if one in known:  # another device, or another try: it counts once
            continue
        if counts.get(one[0], 0) >= cap:
            capped[id(row)] = "capped"
            continue
        counts[one[0]] = counts.get(one[0], 0) + 1
        known.add(one)
        new.append(one)
    return capped, new


def _push(row: ports.Row, now: datetime, *, is_urgent: bool) -> api.Push:
    return api.Push(
        message_id=row["message_id"],
        endpoint_id=row["endpoint_id"],
        kind=row["kind"],
        address=row["address"],
        p256dh=row["p256dh"],
        auth=row["auth"],
        title=row["title"],
        body=row["body"],
        link=row["link"],
        tag=row["collapse_key"],
        ttl_s=max(int((row["expires_at"] - now).total_seconds()), 1),
        is_urgent=is_urgent,
        attempt=row["attempts"] + 1,
    )


async def _pushed(push: api.Push, pushers: Pushers, slots: asyncio.Semaphore, ends_at: float) -> api.Result:
    """Have something pushed by then; whatever goes wrong, it is tried again. Nothing logged names its reader."""
    pusher = pushers.taking(push.kind)
    if pusher is None:
        receipt = api.Receipt(state="again", reason=f"no provider pushes to {push.kind!r}")
    else:
        try:
            async with asyncio.timeout_at(ends_at), slots, asyncio.timeout(PUSH_LIMIT_S):
                receipt = await pusher.push(push)
        except Exception as wrong:  # its own words may hold the address
            log.warning("message %s is not pushed by %r: %s", push.message_id, pusher.name, type(wrong).__name__)
            receipt = api.Receipt(state="again", reason=type(wrong).__name__)
    return api.Result(
        message_id=push.message_id,
        endpoint_id=push.endpoint_id,
        attempt=push.attempt,
        outcome=receipt.state,
        reason=receipt.reason[:REASON_MAX],
    )
