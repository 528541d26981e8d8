"""Operations are taken once and in order, and merged; documents are pulled; what met is settled by people."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from isthmus.kernel import Context, encode, implements
from isthmus.personal import Forget, Forgotten
from isthmus.sealing import UNSEALED, Seals

from . import api, rules, storage

HASH_BYTES: Final = 16  # it tells a retry from another operation, and is nobody's proof
SETTLED: Final = ":settled"  # who writes what somebody has chosen


@implements(api.push)
async def push(ask: api.PushOperations, ctx: Context) -> api.Pushed:
    scope = await _scope(ask.scope, ask.member_id, ctx)
    last = await _client(ask, ctx)
    new, again = await _new(ask, last, ctx)
    version = await storage.head(ctx.session, ctx.front_end, scope)
    if not new:
        return api.Pushed(sequence=last, version=version, applied=0, again=again, conflicts=())
    named = rules.named(ctx.answer(api.collections)())
    checked = [(one, *_checked(one, named, ask, number)) for number, one in new]
    seals = ctx.resource(Seals, UNSEALED)
    bodies = await storage.bodies(
        ctx.session, ctx.front_end, scope, {(one.collection, one.document) for one, *_ in checked}, seals
    )
    changed: dict[tuple[str, str], tuple[int, rules.Body]] = {}
    conflicts: list[api.Conflict] = []
    for operation, field, path in checked:
        version += 1
        key = operation.collection, operation.document
        body = changed[key][1] if key in changed else bodies.get(key, {})
        lost = rules.apply(body, operation, field, version, ask.client_id, path)
        changed[key] = version, body
        if lost is not None and field is not None:
            said = operation, field.name, lost, ask.client_id, version, ctx.now
            conflicts.append(await storage.add_conflict(ctx.session, ctx.front_end, scope, *said, seals))
    written = {
        (one.collection, one.document, field.name): one for one, field, _ in checked if field and one.kind == "set"
    }
    if written:
        await storage.restate(ctx.session, ctx.front_end, scope, ask.client_id, written, seals)
    first = version - len(checked) + 1
    taken = [(one.sequence, first + number, _hash(one)) for number, (one, *_) in enumerate(checked)]
    await storage.put(ctx.session, ctx.front_end, scope, changed, seals)
    await storage.log(ctx.session, ctx.front_end, ask.client_id, scope, taken, ctx.now)
    await storage.set_head(ctx.session, ctx.front_end, scope, version)
    await storage.set_sequence(ctx.session, ctx.front_end, ask.client_id, taken[-1][0])
    return api.Pushed(
        sequence=taken[-1][0], version=version, applied=len(taken), again=again, conflicts=tuple(conflicts)
    )


@implements(api.pull)
async def pull(ask: api.Pull, ctx: Context) -> api.Pulled:
    scope = await _scope(ask.scope, ask.member_id, ctx)
    sequence = await _client(ask, ctx)
    named = rules.named(ctx.answer(api.collections)())
    for name in ask.collections:
        if name not in named:
            raise api.UnknownField(what=repr(name), path="$.collections")
    schemas = {name: rules.schema_of(one, ask.schema) for name, one in named.items()}
    version = await storage.version(ctx.session, ctx.front_end, scope)
    most, seals = api.DOCUMENTS_MAX, ctx.resource(Seals, UNSEALED)
    rows = await storage.changed(ctx.session, ctx.front_end, scope, ask.since, ask.collections, most, seals)
    is_more = len(rows) > most
    rows = rows[:most]
    documents = [
        api.Document(
            collection=row["collection"],
            document=row["document"],
            version=row["version"],
            is_deleted=row["is_deleted"],
            values=rules.shown(json.loads(row["body"]), named[row["collection"]], schemas[row["collection"]]),
        )
        for row in rows
        if row["collection"] in named
    ]
    up_to = rows[-1]["version"] if is_more else max(version, ask.since)
    return api.Pulled(documents=tuple(documents), version=up_to, is_more=is_more, sequence=sequence)


@implements(api.share_scope)
async def share_scope(ask: api.ShareScope, ctx: Context) -> api.ScopeMembers:
    scope = await _scope(ask.scope, ask.member_id, ctx)
    if ask.is_shared:
        await storage.add_member(ctx.session, ctx.front_end, scope, ask.with_member_id)
    else:
        await storage.remove_member(ctx.session, ctx.front_end, scope, ask.with_member_id)
    return api.ScopeMembers(members=tuple(await storage.members(ctx.session, ctx.front_end, scope)))


@implements(api.list_conflicts)
async def list_conflicts(ask: api.ListConflicts, ctx: Context) -> api.Conflicts:
    scope = None
    if ask.member_id is not None:
        scope = ask.scope or str(ask.member_id)
        if ask.scope and ask.member_id not in await storage.members(ctx.session, ctx.front_end, scope):
            raise api.ScopeOfOthers(scope=scope)
    seals = ctx.resource(Seals, UNSEALED)
    found = await storage.conflicts(ctx.session, ctx.front_end, scope, ask.before, ask.limit, seals)
    items = tuple(found[: ask.limit])
    return api.Conflicts(items=items, next_before=items[-1].conflict_id if len(found) > ask.limit else None)


@implements(api.settle_conflict)
async def settle_conflict(ask: api.SettleConflict, ctx: Context) -> api.Conflict:
    seals = ctx.resource(Seals, UNSEALED)
    found = await storage.open_conflict(ctx.session, ctx.front_end, ask.conflict_id, seals)
    await storage.settle(ctx.session, ctx.front_end, ask.conflict_id, ask.choose)
    if ask.choose == "lost":
        version = await storage.head(ctx.session, ctx.front_end, found.scope) + 1
        key = found.collection, found.document
        body = (await storage.bodies(ctx.session, ctx.front_end, found.scope, [key], seals)).get(key, {})
        body[found.field] = {"v": found.lost, "at": version, "by": SETTLED}
        await storage.put(ctx.session, ctx.front_end, found.scope, {key: (version, body)}, seals)
        await storage.set_head(ctx.session, ctx.front_end, found.scope, version)
    return found


@implements(api.prune)
async def prune(ask: api.Prune, ctx: Context) -> api.Pruned:
    before = ctx.now - timedelta(days=ask.days)
    return api.Pruned(operations=await storage.prune(ctx.session, ctx.front_end, before))


@implements(api.forget)
async def forget(ask: Forget, ctx: Context) -> Forgotten:
    references = [*map(str, ask.member_ids), *ask.references]
    guests = await storage.guests(ctx.session, ctx.front_end, references)
    gone = [*ask.member_ids, *guests]
    keys = await storage.forget(ctx.session, ctx.front_end, gone)
    return Forgotten(references=(*map(str, guests), *keys))


async def _scope(scope: str, member_id: UUID, ctx: Context) -> str:
    """Return what a scope is called: the member's own by their id. The first who names a scope is in it."""
    own = str(member_id)
    if scope in ("", own):
        return own
    members = await storage.members(ctx.session, ctx.front_end, scope)
    if not members and not _is_members(scope):
        await storage.head(ctx.session, ctx.front_end, scope)  # of two who name it at once, the second waits
        members = await storage.members(ctx.session, ctx.front_end, scope)
        if not members:
            await storage.add_member(ctx.session, ctx.front_end, scope, member_id)
            return scope
    if member_id not in members:
        raise api.ScopeOfOthers(scope=scope)
    return scope


def _is_members(scope: str) -> bool:
    """True for what could be a member's own scope: nobody else takes it by naming it."""
    try:
        UUID(scope)
    except ValueError:
        return False
    return True


async def _client(ask: api.PushOperations | api.Pull, ctx: Context) -> int:
    whose, last = await storage.client(ctx.session, ctx.front_end, ask.client_id, ask.member_id, ctx.now)
    if whose != ask.member_id:
        raise api.ClientTaken(client_id=ask.client_id)
    if ask.reference:
        await storage.add_reference(ctx.session, ctx.front_end, ask.member_id, ask.reference)
    return last


async def _new(ask: api.PushOperations, last: int, ctx: Context) -> tuple[Sequence[tuple[int, api.Operation]], int]:
    """Return the operations that are new, each with its place in the ask, and how many were known."""
    sequences = [one.sequence for one in ask.operations]
    for before, sequence in zip([min(sequences[0] - 1, last), *sequences], sequences, strict=False):
        if sequence != before + 1:
            raise api.OperationMissing(sequence=sequence, last=before)
    old = [one for one in ask.operations if one.sequence <= last]
    if old:
        known = await storage.known(ctx.session, ctx.front_end, ask.client_id, old[0].sequence, old[-1].sequence)
        for one in old:
            if known.get(one.sequence) != _hash(one):
                raise api.SequenceWentBack(sequence=one.sequence, last=last)
    return list(enumerate(ask.operations))[len(old) :], len(old)


def _checked(
    operation: api.Operation, named: dict[str, api.Collection], ask: api.PushOperations, number: int
) -> tuple[api.Field | None, str]:
    path = f"$.operations[{number}]"
    collection = named.get(operation.collection)
    if collection is None:
        raise api.UnknownField(what=repr(operation.collection), path=f"{path}.collection")
    schema = rules.schema_of(collection, ask.schema)
    field = rules.field_of(collection, operation.field, schema)
    if field is None and operation.kind != "delete":
        what = f"{operation.field!r} of {operation.collection!r}, in version {schema},"
        raise api.UnknownField(what=what, path=f"{path}.field")
    rules.check(operation, field, path)
    return field, path


def _hash(operation: api.Operation) -> bytes:
    return hashlib.sha256(encode(operation)).digest()[:HASH_BYTES]
