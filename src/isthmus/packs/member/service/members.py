"""Members: registered, changed, merged, erased."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from isthmus.checks import NOBODY, Watching
from isthmus.kernel import Context, implements
from isthmus.personal import erased_attributes, erasing_key, personal_fields
from isthmus.sealing import UNSEALED, Seals
from isthmus.store import ConstraintBroken
from isthmus.values import Buyer, composed

from .. import api, rules
from ..storage import addresses
from ..storage import erasing as storage_erasing
from ..storage import identities as storage_identities
from ..storage import members as storage
from ..storage import sharing as storage_sharing
from .points import into_programme

OWN = "member.membership"  # the entity that front ends may say more of


@implements(api.register)
async def register(ask: api.Register, ctx: Context) -> api.Registered:
    (registered,) = await _registered([ask], "$", ctx)
    if await ctx.resource(Watching, NOBODY).is_on(ctx.front_end, "registration"):
        ctx.emit(api.RegistrationBegun(member_id=registered.member_id, identities=rules.joined(ask)))
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
    seals = ctx.resource(Seals, UNSEALED)
    known = await storage_identities.names([one.value for found in identities for one in found], seals)
    await _refuse_taken(identities, path, known, ctx)
    verified = [one for found in identities for one in found if one.is_verified]
    persons = await storage_identities.persons(ctx.session, verified, known)
    own = [ctx.attributes(OWN, ask.attributes, f"{path.format(at)}.attributes") for at, ask in enumerate(asks)]
    drafts = [_draft(*one, persons, ctx) for one in zip(asks, identities, own, strict=True)]
    answered = ctx.answer(api.tier_for)(0)
    tier = composed(answered) if isinstance(answered, str) else ""
    try:
        await storage.register(ctx.session, ctx.front_end, drafts, tier, ctx.now, known, seals)
    except (ConstraintBroken, storage_identities.NotAllWritten):  # at the same moment, or the person is here already
        raise api.IdentityTaken(kind=drafts[0].identities[0].kind, path=f"{path.format(0)}.identities[0]") from None
    for draft in drafts:
        ctx.emit(api.MemberRegistered(member_id=draft.member_id, person_id=draft.person_id))
    return [
        api.Registered(member_id=one.member_id, person_id=one.person_id, is_new_person=one.is_new_person)
        for one in drafts
    ]


async def _refuse_taken(
    identities: Sequence[Sequence[api.Identity]], path: str, known: storage_identities.Names, ctx: Context
) -> None:
    flat = [(at, place, one) for at, found in enumerate(identities) for place, one in enumerate(found)]
    seen: set[tuple[str, str]] = set()
    for at, place, one in flat:
        if (one.kind, one.value) in seen:
            raise api.IdentityTaken(kind=one.kind, path=f"{path.format(at)}.identities[{place}]")
        seen.add((one.kind, one.value))
    taken = await storage_identities.first_taken(ctx.session, ctx.front_end, [one for _, _, one in flat], known)
    if taken is not None:
        at, place, one = flat[taken]
        raise api.IdentityTaken(kind=one.kind, path=f"{path.format(at)}.identities[{place}]")


def _draft(
    ask: api.Registration,
    identities: tuple[api.Identity, ...],
    attributes: dict[str, Any],
    persons: dict[tuple[str, str], UUID],
    ctx: Context,
) -> storage.Draft:
    known = [persons[one.kind, one.value] for one in identities if (one.kind, one.value) in persons]
    person_id = known[0] if known else ctx.new_id()
    return storage.Draft(ctx.new_id(), person_id, not known, identities, ask, attributes)


@implements(api.get_member)
async def get_member(ask: api.GetMember, ctx: Context) -> api.Member:
    return await _member(ask.member_id, ctx)


@implements(api.list_consents)
async def list_consents(ask: api.ListConsents, ctx: Context) -> api.ConsentChanges:
    member = await _member(ask.member_id, ctx)
    ids = (member.member_id, *member.merged_ids)
    return api.ConsentChanges(items=await storage.consent_changes(ctx.session, ctx.front_end, ids, ask.limit))


@implements(api.find_member)
async def find_member(ask: api.FindMember, ctx: Context) -> api.Member:
    wanted = rules.normalised(api.Identity(kind=ask.kind, value=ask.value))
    seals = ctx.resource(Seals, UNSEALED)
    member_id = await storage_identities.find(ctx.session, ctx.front_end, wanted, seals)
    if member_id is None:
        raise api.NotAMember(what=f"who is known by this {ask.kind}", path="$.value")
    return await _member(member_id, ctx)


@implements(api.get_buyer)
async def get_buyer(ask: api.GetMember, ctx: Context) -> Buyer:
    found = await storage.buyer(ctx.session, ctx.front_end, ask.member_id)
    if found is None:
        raise api.NotAMember(what=str(ask.member_id))
    return found


@implements(api.update_member)
async def update_member(ask: api.UpdateMember, ctx: Context) -> api.Member:
    locked = await _locked(ask.member_id, ctx)
    own = None if ask.attributes is None else ctx.attributes(OWN, ask.attributes, "$.attributes")
    await storage.update(
        ctx.session,
        ctx.front_end,
        locked.member_id,
        seals=ctx.resource(Seals, UNSEALED),
        profile=ask.profile and rules.named(ask.profile),
        consents=ask.consents,
        attributes=own,
    )
    return await _member(locked.member_id, ctx)


@implements(api.put_identity)
async def put_identity(ask: api.PutIdentity, ctx: Context) -> api.Member:
    locked = await _locked(ask.member_id, ctx)
    identity = rules.normalised(ask.identity)
    seals = ctx.resource(Seals, UNSEALED)
    known = await storage_identities.names([identity.value], seals)
    person_id = await _person(locked, identity, known, ctx) if identity.is_verified else locked.person_id
    given, sealed = [(locked.member_id, identity)], [None]
    if known.is_on:
        text = identity.value.encode()
        sealed = await seals.seal(ctx.session, ctx.front_end, str(locked.member_id), storage_identities.TABLE, [text])
    try:
        await storage_identities.add(ctx.session, ctx.front_end, given, known, sealed)
    except storage_identities.NotAllWritten:
        raise api.IdentityTaken(kind=identity.kind, path="$.identity") from None
    if identity.is_verified:
        try:
            await storage.know_person(ctx.session, ctx.front_end, locked.member_id, person_id, identity, known)
        except ConstraintBroken:  # that person joined here at the same moment
            raise api.AnotherPerson(kind=identity.kind, path="$.identity") from None
    return await _member(locked.member_id, ctx)


async def _person(
    locked: storage.Locked, identity: api.Identity, names: storage_identities.Names, ctx: Context
) -> UUID:
    """Return who is known by a verified identity: another person than before where nothing else holds on to that."""
    found = await storage_identities.persons(ctx.session, [identity], names)
    known = found.get((identity.kind, identity.value), locked.person_id)
    if known == locked.person_id:
        return known
    is_alone = await storage.memberships(ctx.session, locked.person_id) == 1
    if not is_alone or await storage.is_here(ctx.session, ctx.front_end, known):
        raise api.AnotherPerson(kind=identity.kind, path="$.identity")
    return known


@implements(api.remove_identity)
async def remove_identity(ask: api.RemoveIdentity, ctx: Context) -> api.Member:
    locked = await _locked(ask.member_id, ctx)
    gone = rules.normalised(api.Identity(kind=ask.kind, value=ask.value))
    known = await storage_identities.names([gone.value], ctx.resource(Seals, UNSEALED))
    await storage_identities.remove(ctx.session, ctx.front_end, locked.member_id, locked.person_id, gone, known)
    return await _member(locked.member_id, ctx)


@implements(api.put_address)
async def put_address(ask: api.PutAddress, ctx: Context) -> api.Member:
    locked = await _locked(ask.member_id, ctx)
    given, seals = {ask.label: ask.address}, ctx.resource(Seals, UNSEALED)
    await addresses.put(ctx.session, ctx.front_end, locked.member_id, given, seals)
    member = await _member(locked.member_id, ctx)
    if len(member.addresses) > api.ADDRESSES_MAX:
        raise api.RegistrationRefused(reasons=[f"{api.ADDRESSES_MAX} addresses are kept at most"], path="$.label")
    return member


@implements(api.remove_address)
async def remove_address(ask: api.RemoveAddress, ctx: Context) -> api.Member:
    locked = await _locked(ask.member_id, ctx)
    await addresses.remove(ctx.session, ctx.front_end, locked.member_id, ask.label)
    return await _member(locked.member_id, ctx)


@implements(api.set_segments)
async def set_segments(ask: api.SetSegments, ctx: Context) -> Buyer:
    locked = await _locked(ask.member_id, ctx)
    found = await _member(locked.member_id, ctx)
    kept = [one for one in found.segments if not rules.is_replaced(one, ask.prefix)]
    segments = tuple(sorted({*kept, *ask.segments}))
    await storage.set_segments(ctx.session, ctx.front_end, locked.member_id, segments)
    return Buyer(member_id=locked.member_id, tier=locked.tier, segments=segments)


@implements(api.merge)
async def merge(ask: api.Merge, ctx: Context) -> api.Member:
    await storage.one_merge_at_a_time(ctx.session, ctx.front_end)
    locked = await storage.lock(ctx.session, ctx.front_end, ask.member_id, ask.other_id)
    for name, wanted in (("member_id", ask.member_id), ("other_id", ask.other_id)):
        if wanted not in locked:
            raise api.NotAMember(what=str(wanted), path=f"$.{name}")
    stays, goes = locked[ask.member_id], locked[ask.other_id]
    if stays.member_id == goes.member_id:
        raise api.MergeConflict
    one, other = await _member(stays.member_id, ctx), await _member(goes.member_id, ctx)
    answered = ctx.answer(api.tier_for)(stays.points_earned + goes.points_earned)
    seals, added = ctx.resource(Seals, UNSEALED), rules.added_addresses(one, other)
    await addresses.put(ctx.session, ctx.front_end, stays.member_id, added, seals)
    await storage.update(
        ctx.session,
        ctx.front_end,
        stays.member_id,
        seals=seals,
        profile=rules.filled(one.profile, other.profile),
        consents=sorted({*one.consents, *other.consents}),
        attributes=one.attributes or other.attributes,
    )
    await storage.set_segments(ctx.session, ctx.front_end, stays.member_id, sorted({*one.segments, *other.segments}))
    tier = composed(answered) if isinstance(answered, str) else stays.tier
    await storage_sharing.join(ctx.session, ctx.front_end, stays.member_id, goes.member_id, ctx.now)
    joined = await storage.merge(ctx.session, ctx.front_end, stays, goes, tier, seals)
    first = joined[0] if joined else None
    ctx.emit(
        api.MembersMerged(
            member_id=stays.member_id,
            other_id=goes.member_id,
            evidence=ask.evidence,
            account_id=first and first.account_id,
            other_account_id=first and first.other_id,
            more_accounts=tuple(joined[1:]),
        )
    )
    if (after := (await _member(stays.member_id, ctx)).tier) != one.tier:
        ctx.emit(api.TierChanged(member_id=stays.member_id, before=one.tier, after=after))
    await into_programme(stays.member_id, ctx)
    return await _member(stays.member_id, ctx)


@implements(api.erase)
async def erase(ask: api.Erase, ctx: Context) -> api.Erased:
    found = await storage.lock(ctx.session, ctx.front_end, ask.member_id, states=("active", "erased"))
    if (locked := found.get(ask.member_id)) is None:
        raise api.NotAMember(what=str(ask.member_id))
    declared = ctx.plan.attributes.get(OWN)
    kept = personal_fields(declared).keys() if declared else ()
    own = await storage_erasing.attributes(ctx.session, ctx.front_end, locked.member_id)
    left = {name: value for name, value in own.items() if name in kept}  # as pseudonyms, which are still counted
    merged = await storage_erasing.erase(
        ctx.session, ctx.front_end, locked, erased_attributes(left, declared, erasing_key()), ctx.now
    )
    ctx.emit(api.MemberErased(member_id=locked.member_id, person_id=locked.person_id, merged_ids=merged))
    return api.Erased(member_id=locked.member_id)


async def _member(member_id: UUID, ctx: Context) -> api.Member:
    found = await storage.member(ctx.session, ctx.front_end, member_id, ctx.resource(Seals, UNSEALED))
    if found is None:
        raise api.NotAMember(what=str(member_id))
    return found


async def _locked(member_id: UUID, ctx: Context) -> storage.Locked:
    found = await storage.lock(ctx.session, ctx.front_end, member_id)
    if member_id not in found:
        raise api.NotAMember(what=str(member_id))
    return found[member_id]
