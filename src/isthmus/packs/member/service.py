"""Members at work."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from isthmus.kernel import Context, decode, encode, errors, implements
from isthmus.store import ConstraintBroken
from isthmus.values import Buyer

from . import api, rules, storage

_LATEST = (datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))


@implements(api.register)
async def register(ask: api.Register, ctx: Context) -> api.Registered:
    (registered,) = await _registered([ask], "$", ctx)
    return registered


@implements(api.register_many)
async def register_many(ask: api.RegisterMany, ctx: Context) -> api.RegisteredMany:
    return api.RegisteredMany(items=tuple(await _registered(ask.members, "$.members[{}]", ctx)))


async def _registered(asks: Sequence[api.Registration], path: str, ctx: Context) -> list[api.Registered]:
    for at, ask in enumerate(asks):
        verdict = ctx.answer(api.validate_registration)(ask)
        if not verdict.is_allowed:
            reasons = [f"{no.reason} ({no.by})" for no in verdict.vetoes]
            raise api.RegistrationRefused(reasons=reasons, path=path.format(at))
    identities = [rules.joined(ask) for ask in asks]
    await _refuse_taken(identities, path, ctx)
    verified = [one for found in identities for one in found if one.is_verified]
    persons = await storage.persons(ctx.session, verified)
    drafts = [_draft(ask, found, persons, ctx) for ask, found in zip(asks, identities, strict=True)]
    tier = ctx.answer(api.tier_for)(0)
    try:
        await storage.register(ctx.session, ctx.front_end, drafts, tier if isinstance(tier, str) else "", ctx.now)
    except ConstraintBroken:  # someone joined with the same identity at the same moment, or the person is here already
        raise api.IdentityTaken(kind=drafts[0].identities[0].kind, path=f"{path.format(0)}.identities[0]") from None
    for draft in drafts:
        ctx.emit(api.MemberRegistered(member_id=draft.member_id, person_id=draft.person_id))
    return [
        api.Registered(member_id=one.member_id, person_id=one.person_id, is_new_person=one.is_new_person)
        for one in drafts
    ]


async def _refuse_taken(identities: Sequence[Sequence[api.Identity]], path: str, ctx: Context) -> None:
    flat = [(at, place, one) for at, found in enumerate(identities) for place, one in enumerate(found)]
    seen: set[tuple[str, str]] = set()
    for at, place, one in flat:
        if (one.kind, one.value) in seen:
            raise api.IdentityTaken(kind=one.kind, path=f"{path.format(at)}.identities[{place}]")
        seen.add((one.kind, one.value))
    taken = await storage.first_taken(ctx.session, ctx.front_end, [one for _, _, one in flat])
    if taken is not None:
        at, place, one = flat[taken]
        raise api.IdentityTaken(kind=one.kind, path=f"{path.format(at)}.identities[{place}]")


def _draft(
    ask: api.Registration,
    identities: tuple[api.Identity, ...],
    persons: dict[tuple[str, str], UUID],
    ctx: Context,
) -> storage.Draft:
    known = [persons[one.kind, one.value] for one in identities if (one.kind, one.value) in persons]
    return storage.Draft(ctx.new_id(), known[0] if known else ctx.new_id(), not known, identities, ask)


@implements(api.get_member)
async def get_member(ask: api.GetMember, ctx: Context) -> api.Member:
    return await _member(ask.member_id, ctx)


@implements(api.find_member)
async def find_member(ask: api.FindMember, ctx: Context) -> api.Member:
    wanted = rules.normalised(api.Identity(kind=ask.kind, value=ask.value))
    member_id = await storage.find(ctx.session, ctx.front_end, wanted.kind, wanted.value)
    if member_id is None:
        raise api.NotAMember(what=f"who is known by this {ask.kind}", path="$.value")
    return await _member(member_id, ctx)


@implements(api.get_buyer)
async def get_buyer(ask: api.GetMember, ctx: Context) -> Buyer:
    found = await storage.buyer(ctx.session, ctx.front_end, ask.member_id)
    if found is None:
        raise api.NotAMember(what=str(ask.member_id))
    tier, segments = found
    return Buyer(member_id=ask.member_id, tier=tier, segments=segments)


@implements(api.update_member)
async def update_member(ask: api.UpdateMember, ctx: Context) -> api.Member:
    await storage.update(ctx.session, ctx.front_end, ask)
    return await _member(ask.member_id, ctx)


@implements(api.put_address)
async def put_address(ask: api.PutAddress, ctx: Context) -> api.Member:
    await _locked(ask.member_id, ctx)
    await storage.put_address(ctx.session, ctx.front_end, ask)
    member = await _member(ask.member_id, ctx)
    if len(member.addresses) > api.ADDRESSES_MAX:
        raise api.RegistrationRefused(reasons=[f"{api.ADDRESSES_MAX} addresses are kept at most"], path="$.label")
    return member


@implements(api.remove_address)
async def remove_address(ask: api.RemoveAddress, ctx: Context) -> api.Member:
    await storage.remove_address(ctx.session, ctx.front_end, ask.member_id, ask.label)
    return await _member(ask.member_id, ctx)


@implements(api.set_segments)
async def set_segments(ask: api.SetSegments, ctx: Context) -> Buyer:
    locked = await _locked(ask.member_id, ctx)
    segments = tuple(sorted(set(ask.segments)))
    await storage.set_segments(ctx.session, ctx.front_end, ask.member_id, segments)
    return Buyer(member_id=ask.member_id, tier=locked.tier, segments=segments)


@implements(api.earn_points)
async def earn_points(ask: api.EarnPoints, ctx: Context) -> api.PointsMoved:
    locked = await _locked(ask.member_id, ctx)
    earned = ask.points
    if earned is None:
        earned = _whole(ctx.answer(api.points_earned)(ask.amount)) if ask.amount is not None else 0
    already = await storage.moved(ctx.session, ctx.front_end, ask.member_id, ask.reference, ask.reason)
    if already is not None or earned <= 0:
        return _still(locked)
    return await _moved(locked, earned, ask.reason, ask.reference, ctx)


@implements(api.spend_points)
async def spend_points(ask: api.SpendPoints, ctx: Context) -> api.PointsMoved:
    locked = await _locked(ask.member_id, ctx)
    already = await storage.moved(ctx.session, ctx.front_end, ask.member_id, ask.reference, ask.reason)
    if already is not None:
        return _still(locked)
    if locked.points < ask.points:
        raise api.PointsShort(balance=locked.points, points=ask.points)
    return await _moved(locked, -ask.points, ask.reason, ask.reference, ctx)


@implements(api.reverse_points)
async def reverse_points(ask: api.ReversePoints, ctx: Context) -> api.PointsMoved:
    locked = await _locked(ask.member_id, ctx)
    back = f"{ask.reason}-reversed"
    credited = await storage.moved(ctx.session, ctx.front_end, ask.member_id, ask.reference, ask.reason)
    reversed_already = await storage.moved(ctx.session, ctx.front_end, ask.member_id, ask.reference, back)
    if credited is None or reversed_already is not None:
        return _still(locked)
    points = rules.reversible(credited, 0, locked.points)
    return await _moved(locked, -points, back, ask.reference, ctx) if points else _still(locked)


@implements(api.list_points)
async def list_points(ask: api.ListPoints, ctx: Context) -> api.PointsPage:
    if await storage.buyer(ctx.session, ctx.front_end, ask.member_id) is None:
        raise api.NotAMember(what=str(ask.member_id))
    before = _position(ask.cursor) if ask.cursor else _LATEST
    found = await storage.movements(ctx.session, ctx.front_end, ask.member_id, before, ask.limit + 1)
    page = found[: ask.limit]
    cursor = encode((page[-1][1].at, page[-1][0])).hex() if len(found) > ask.limit else None
    return api.PointsPage(items=tuple(one for _, one in page), next_cursor=cursor)


@implements(api.merge)
async def merge(ask: api.Merge, ctx: Context) -> api.Member:
    if ask.member_id == ask.other_id:
        raise api.MergeConflict
    locked = await storage.lock(ctx.session, ctx.front_end, ask.member_id, ask.other_id)
    for name, wanted in (("member_id", ask.member_id), ("other_id", ask.other_id)):
        if wanted not in locked:
            raise api.NotAMember(what=str(wanted), path=f"$.{name}")
    stays, goes = locked[ask.member_id], locked[ask.other_id]
    segments = rules.segments_of_both(stays.segments, goes.segments)
    await storage.merge(ctx.session, ctx.front_end, stays, goes, segments)
    ctx.emit(api.MembersMerged(member_id=ask.member_id, other_id=ask.other_id, evidence=ask.evidence))
    return await _member(ask.member_id, ctx)


@implements(api.erase)
async def erase(ask: api.Erase, ctx: Context) -> api.Erased:
    locked = await _locked(ask.member_id, ctx)
    await storage.erase(ctx.session, ctx.front_end, ask.member_id)
    ctx.emit(api.MemberErased(member_id=ask.member_id, person_id=locked.person_id))
    return api.Erased(member_id=ask.member_id)


async def _member(member_id: UUID, ctx: Context) -> api.Member:
    found = await storage.member(ctx.session, ctx.front_end, member_id)
    if found is None:
        raise api.NotAMember(what=str(member_id))
    return found


async def _locked(member_id: UUID, ctx: Context) -> storage.Locked:
    found = await storage.lock(ctx.session, ctx.front_end, member_id)
    if member_id not in found:
        raise api.NotAMember(what=str(member_id))
    return found[member_id]


async def _moved(locked: storage.Locked, points: int, reason: str, reference: str, ctx: Context) -> api.PointsMoved:
    balance = locked.points + points
    answered = ctx.answer(api.tier_for)(balance)
    tier = answered if isinstance(answered, str) else locked.tier
    movement = storage.Movement(
        movement_id=ctx.new_id(),
        member_id=locked.member_id,
        points=points,
        reason=reason,
        reference=reference,
        at=ctx.now,
        by=ctx.caller.client,
    )
    await storage.move(ctx.session, ctx.front_end, movement, tier)
    ctx.emit(
        api.PointsWereMoved(
            member_id=locked.member_id, points=points, reason=reason, reference=reference, balance=balance
        )
    )
    if tier != locked.tier:
        ctx.emit(api.TierChanged(member_id=locked.member_id, before=locked.tier, after=tier))
    return api.PointsMoved(member_id=locked.member_id, moved=points, balance=balance, tier=tier)


def _still(locked: storage.Locked) -> api.PointsMoved:
    return api.PointsMoved(member_id=locked.member_id, moved=0, balance=locked.points, tier=locked.tier)


def _whole(answered: object) -> int:
    return answered if isinstance(answered, int) else 0


def _position(cursor: str) -> tuple[datetime, UUID]:
    try:
        return decode(bytes.fromhex(cursor), tuple[datetime, UUID])
    except (ValueError, errors.BadAsk):
        raise api.BadCursor from None
