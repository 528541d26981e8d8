"""Campaigns: queued some thousands of members at a time, each time with where it has got to, in one transaction."""

from __future__ import annotations

from datetime import timedelta

from isthmus.kernel import Context, implements

from .. import api, rules
from ..api import CampaignState
from ..storage import campaigns, deliveries, members
from .pushers import Pushers

STEERED = {  # act: from which states, to which
    "pause": ((CampaignState.QUEUING, CampaignState.QUEUED), CampaignState.PAUSED),
    "resume": ((CampaignState.PAUSED,), CampaignState.QUEUING),
    "cancel": ((CampaignState.QUEUING, CampaignState.QUEUED, CampaignState.PAUSED), CampaignState.CANCELLED),
}


@implements(api.start_campaign)
async def start_campaign(ask: api.StartCampaign, ctx: Context) -> api.Campaign:
    rules.check_size(ask.draft)
    if ask.topic is not None and ask.segment is not None:
        raise api.TwoAudiences
    author = ctx.caller.person or ctx.caller.client
    return await _one(await campaigns.add(ctx.session, ctx.front_end, ask, author), ctx)


@implements(api.steer_campaign)
async def steer_campaign(ask: api.SteerCampaign, ctx: Context) -> api.Campaign:
    row = await campaigns.locked(ctx.session, ctx.front_end, ask.campaign_id)
    states, becomes = STEERED[ask.act]
    if row["state"] not in states:
        raise api.CampaignEnded(campaign_id=ask.campaign_id, state=row["state"])
    await campaigns.steer(ctx.session, ctx.front_end, ask.campaign_id, becomes, ctx.now)
    return await _one(ask.campaign_id, ctx)


@implements(api.list_campaigns)
async def list_campaigns(ask: api.ListCampaigns, ctx: Context) -> api.Campaigns:
    found = await campaigns.listed(ctx.session, ctx.front_end, before=ask.before, limit=ask.limit + 1)
    items = tuple(found[: ask.limit])
    return api.Campaigns(items=items, next_before=items[-1].campaign_id if len(found) > ask.limit else None)


@implements(api.run_campaigns)
async def run_campaigns(ask: api.RunCampaigns, ctx: Context) -> api.Queued:
    queued = api.Queued(members=0, is_more=False)
    if ctx.is_taken_over:  # the next run goes on from where the campaign is
        return queued
    if not (await ctx.call(api.look_for_work, api.LookForWork())).is_queuing:
        return queued
    for _ in range(ask.batches):
        one = await ctx.call(api.queue_batch, api.QueueBatch())
        queued = api.Queued(members=queued.members + one.members, is_more=one.is_more)
        if not one.is_more:
            break
    return queued


@implements(api.look_for_work)
async def look_for_work(ask: api.LookForWork, ctx: Context) -> api.Work:
    return api.Work(
        is_due=await deliveries.has_due(ctx.session, ctx.front_end, ctx.now),
        is_queuing=await campaigns.is_queuing(ctx.session, ctx.front_end),
    )


@implements(api.queue_batch)
async def queue_batch(ask: api.QueueBatch, ctx: Context) -> api.Queued:
    session, front_end, pushers = ctx.session, ctx.front_end, ctx.resource(Pushers)
    row = await campaigns.next_queuing(session, front_end)
    if row is None:
        return api.Queued(members=0, is_more=False)
    if row["segment"] is None:
        found = await campaigns.next_members(session, front_end, row, api.BATCH)
    else:
        found = await pushers.in_segment(session, front_end, row["segment"], row["reached"], api.BATCH)
    wanted = await pushers.consenting(session, front_end, found, row["purpose"])
    wanted -= await campaigns.opted_out(session, front_end, found, row["purpose"])
    members_of = [one for one in found if one in wanted]
    expires_at = ctx.now + timedelta(hours=row["ttl_hours"])
    await members.replace(session, front_end, members_of, row["collapse_key"], ctx.now)
    made = await campaigns.queue(session, front_end, row, members_of, expires_at, ctx.now) if members_of else 0
    is_more = len(found) == api.BATCH
    last = found[-1] if found else row["reached"]
    left_out = len(found) - len(members_of)
    await campaigns.reached(session, front_end, row, last, made, left_out, ctx.now, is_more=is_more)
    return api.Queued(members=len(found), is_more=True)


async def _one(campaign_id: int, ctx: Context) -> api.Campaign:
    (found,) = await campaigns.listed(ctx.session, ctx.front_end, campaign_id=campaign_id)
    return found
