"""Points: earned, burnt, expired."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from isthmus.kernel import Context, implements
from isthmus.values import Moment, composed, cursor_at, place_at

from .. import api, rules
from ..storage import points as storage_points
from ..storage import programmes as storage_programmes
from ..storage.points import Account, Cause
from ..storage.programmes import SharedAccount

_LATEST = (datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))


@implements(api.earn_points)
async def earn_points(ask: api.EarnPoints, ctx: Context) -> api.PointsMoved:
    account = await _account(ask.member_id, ctx)
    earned = ask.points
    if earned is None:
        earned = _whole(ctx.answer(api.points_earned)(ask.amount)) if ask.amount is not None else 0
    already = await storage_points.moved(ctx.session, ctx.front_end, account.ids, ask.reference, ask.reason)
    if account.state == "erased" or already is not None or earned <= 0:
        return _still(account)
    return await moved(account, earned, earned, Cause(ask.reason, ask.reference), ctx)


@implements(api.spend_points)
async def spend_points(ask: api.SpendPoints, ctx: Context) -> api.PointsMoved:
    account = await _account(ask.member_id, ctx)
    if account.state == "erased":
        raise api.NotAMember(what=str(ask.member_id))
    already = await storage_points.moved(ctx.session, ctx.front_end, account.ids, ask.reference, ask.reason)
    if already is not None:
        return _still(account)
    if account.points < ask.points:
        raise api.PointsShort(balance=account.points, points=ask.points)
    return await moved(account, -ask.points, 0, Cause(ask.reason, ask.reference), ctx)


@implements(api.reverse_points)
async def reverse_points(ask: api.ReversePoints, ctx: Context) -> api.PointsMoved:
    account = await _account(ask.member_id, ctx)
    cause = Cause(f"{ask.reason}-reversed", ask.part or ask.reference, reverses=ask.reference)
    ids = account.ids
    credited = await storage_points.moved(ctx.session, ctx.front_end, ids, ask.reference, ask.reason)
    done = await storage_points.moved(ctx.session, ctx.front_end, ids, cause.reference, cause.reason)
    if account.state == "erased" or credited is None or done is not None:
        return _still(account)
    due = credited
    if ask.share is not None:
        _ = ask.share.amount <= ask.share.out_of  # refuses two currencies
        await storage_points.note_return(ctx.session, ctx.front_end, account.member_id, cause, ask.share, ctx.now)
        parts = await storage_points.returned_so_far(ctx.session, ctx.front_end, ids, cause)
        due = rules.due_back(credited, parts)
    taken = -await storage_points.reversed_so_far(ctx.session, ctx.front_end, ids, ask.reference, cause.reason)
    points = min(due - taken, account.points)
    return await moved(account, -points, -points, cause, ctx) if points > 0 else _still(account)


@implements(api.list_points)
async def list_points(ask: api.ListPoints, ctx: Context) -> api.PointsPage:
    ids = await storage_points.ids_of(ctx.session, ctx.front_end, ask.member_id)
    if not ids:
        raise api.NotAMember(what=str(ask.member_id))
    before = place_at(ask.cursor, tuple[Moment, UUID], api.BadCursor) if ask.cursor else _LATEST
    found = await storage_points.movements(ctx.session, ctx.front_end, ids, before, ask.limit + 1)
    page = found[: ask.limit]
    cursor = cursor_at((page[-1][1].at, page[-1][0])) if len(found) > ask.limit else None
    return api.PointsPage(items=tuple(one for _, one in page), next_cursor=cursor)


async def _account(member_id: UUID, ctx: Context) -> Account:
    found = await storage_points.lock(ctx.session, ctx.front_end, member_id, ctx.now)
    if found is None:
        raise api.NotAMember(what=str(member_id))
    return found


async def into_programme(member_id: UUID, ctx: Context) -> None:
    """Move what a membership has of its own into its account in a programme, where it has one that may be used.

    What leaves the membership and what comes into the account are both told, so that the books owe it once.
    """
    account = await _account(member_id, ctx)
    if account.common is None:
        return
    movement_id = ctx.new_id()
    points, earned = await storage_programmes.empty(
        ctx.session, ctx.front_end, account.member_id, movement_id, ctx.now, ctx.caller.client
    )
    reference = str(movement_id)
    if points:
        ctx.emit(
            api.PointsWereMoved(
                member_id=account.member_id, points=-points, reason="into-programme", reference=reference, balance=0
            )
        )
    if points or earned:
        await moved(account, points, earned, Cause("from-membership", reference), ctx)


async def let_go(member_id: UUID, ctx: Context) -> int:
    """Take the points off a membership that nobody is behind any more, and return how many; the books follow."""
    account = await _account(member_id, ctx)
    if account.common is not None or account.points <= 0:
        return 0
    return -(await moved(account, -account.points, 0, Cause("forgotten", str(account.member_id)), ctx)).moved


async def moved(account: Account, points: int, earned: int, cause: Cause, ctx: Context) -> api.PointsMoved:
    """Move points of a membership, or of its account in a programme, and say what follows."""
    balance, all_earned = account.points + points, max(0, account.earned + earned)
    common = account.common
    if common is not None and common.tiers:
        tier = rules.tier_of(common.tiers, all_earned)
    else:
        answered = ctx.answer(api.tier_for)(all_earned)
        tier = composed(answered) if isinstance(answered, str) else account.tier
    movement = storage_points.Movement(
        movement_id=ctx.new_id(),
        member_id=account.member_id,
        points=points,
        earned=all_earned - account.earned,
        reason=cause.reason,
        reference=cause.reference,
        reverses=cause.reverses,
        at=ctx.now,
        by=ctx.caller.client,
    )
    if common is not None and points < 0:
        await _honour(common, -points, cause, account, ctx)
    await storage_points.move(ctx.session, ctx.front_end, movement, tier, common)
    ctx.emit(
        api.PointsWereMoved(
            member_id=account.member_id, points=points, reason=cause.reason, reference=cause.reference, balance=balance
        )
    )
    if tier != account.tier:
        ctx.emit(api.TierChanged(member_id=account.member_id, before=account.tier, after=tier))
    return api.PointsMoved(member_id=account.member_id, moved=points, balance=balance, tier=tier)


async def _honour(common: SharedAccount, points: int, cause: Cause, account: Account, ctx: Context) -> None:
    """Take points out of their lots, and say of those that others gave that they owe this front end for them."""
    first = await _credited(cause, account, ctx)
    lots = await storage_programmes.take(ctx.session, ctx.front_end, common.account_id, points, first)
    for issuer, taken in lots:
        if issuer != ctx.front_end:
            ctx.emit(
                api.PointsHonoured(
                    from_front_end=issuer,
                    to_front_end=ctx.front_end,
                    points=taken,
                    owner=common.owner,
                    programme=common.programme,
                    reference=cause.reference,
                    reason=cause.reason,
                )
            )


async def _credited(cause: Cause, account: Account, ctx: Context) -> Sequence[UUID]:
    """Return the lots of what is taken back, if it is that."""
    if cause.reverses is None:
        return ()
    reason = cause.reason.removesuffix("-reversed")
    return await storage_points.credits(ctx.session, ctx.front_end, account.ids, cause.reverses, reason)


def _still(account: Account) -> api.PointsMoved:
    return api.PointsMoved(member_id=account.member_id, moved=0, balance=account.points, tier=account.tier)


def _whole(answered: object) -> int:
    return answered if isinstance(answered, int) else 0
