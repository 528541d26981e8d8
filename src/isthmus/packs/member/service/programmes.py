"""Programmes: members join and leave, and points lapse."""

from __future__ import annotations

from isthmus.kernel import Context, implements
from isthmus.values import composed

from .. import api
from ..storage import points as storage_points
from ..storage import programmes as storage
from .points import into_programme, let_go


@implements(api.put_programme)
async def put_programme(ask: api.PutProgramme, ctx: Context) -> api.ProgrammePut:
    tiers = tuple(one.replace(tier=composed(one.tier)) for one in ask.tiers)
    await storage.put(ctx.session, ctx.front_end, ask.replace(tiers=tiers))
    return api.ProgrammePut(code=ask.code)


@implements(api.join_programme)
async def join_programme(ask: api.JoinProgramme, ctx: Context) -> api.ProgrammeAccount:
    account = await _account(ask, ctx)
    owner = ask.owner or ctx.front_end
    account_id = await storage.account_of(ctx.session, owner, ask.programme, account.person_id, ctx.new_id())
    if account_id is None:
        raise api.UnknownProgramme(programme=ask.programme)
    if account.account_id not in (None, account_id):
        raise api.InAnotherProgramme
    if account.account_id is None:
        await storage.join(ctx.session, ctx.front_end, account.member_id, account_id)
        ctx.emit(api.ProgrammeJoined(member_id=account.member_id, owner=owner, programme=ask.programme))
        await into_programme(account.member_id, ctx)
    return await _shown(ask, ctx)


@implements(api.leave_programme)
async def leave_programme(ask: api.LeaveProgramme, ctx: Context) -> api.ProgrammeAccount:
    account = await _account(ask, ctx)
    if account.account_id is not None:
        await storage.leave(ctx.session, ctx.front_end, account.member_id)
    return await _shown(ask, ctx)


@implements(api.get_account)
async def get_account(ask: api.GetAccount, ctx: Context) -> api.ProgrammeAccount:
    return await _shown(ask, ctx)


@implements(api.list_joined)
async def list_joined(ask: api.ListJoined, ctx: Context) -> api.JoinedPlaces:
    return api.JoinedPlaces(items=await storage.joined(ctx.session, ask.member_id))


@implements(api.expire_points)
async def expire_points(ask: api.ExpirePoints, ctx: Context) -> api.PointsExpired:
    expired = await storage.expire(ctx.session, ctx.front_end, ctx.now, ask.limit)
    for member_id in await storage.forgotten(ctx.session, ctx.front_end, ask.limit):
        expired += await let_go(member_id, ctx)
    for row in await storage.take_gone(ctx.session, ctx.front_end):
        gone = api.PointsLapsed if row["why"] == "lapsed" else api.PointsSpentElsewhere
        ctx.emit(gone(issuer=ctx.front_end, points=row["points"], programme=row["programme"]))
    return api.PointsExpired(points=expired)


Asked = api.JoinProgramme | api.LeaveProgramme | api.GetAccount


async def _account(ask: Asked, ctx: Context) -> storage_points.Account:
    account = await storage_points.lock(ctx.session, ctx.front_end, ask.member_id, ctx.now)
    if account is None or account.state != "active":
        raise api.NotAMember(what=str(ask.member_id))
    return account


async def _shown(ask: Asked, ctx: Context) -> api.ProgrammeAccount:
    found = await storage_points.balance(ctx.session, ctx.front_end, ask.member_id)
    if found is None:
        raise api.NotAMember(what=str(ask.member_id))
    member_id, account_id, points, earned, tier = found
    common = None if account_id is None else await storage.find(ctx.session, account_id)
    if common is None:
        return api.ProgrammeAccount(
            member_id=member_id, owner=None, programme=None, points=points, earned=earned, tier=tier, lots=()
        )
    lots = await storage.lots(ctx.session, common.account_id, ctx.now)
    return api.ProgrammeAccount(
        member_id=member_id,
        owner=common.owner,
        programme=common.programme,
        points=sum(one.unspent for one in lots),
        earned=common.earned,
        tier=common.tier or tier,
        lots=lots,
    )
