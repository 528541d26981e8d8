"""SQL of sync: scopes and who is in them, clients, documents, operations, conflicts.

Where a platform has them so, documents and conflicts are sealed under a key of their scope: several may share it, so it
is no member's, and goes with the last of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from isthmus.kernel import encode, ports
from isthmus.sealing import Sealed, Seals

from . import api, rules

DOCUMENT: Final = "sync.document"
CONFLICT: Final = "sync.conflict"
_SUBJECT: Final = "'sync/' || front_end || '/' || scope"
SEALED: Final = {
    DOCUMENT: (Sealed(column="body", into="sealed_body", subject=_SUBJECT),),
    CONFLICT: (
        Sealed(column="kept", into="sealed_kept", subject=_SUBJECT),
        Sealed(column="lost", into="sealed_lost", subject=_SUBJECT),
    ),
}

_HEAD: Final = """
    insert into sync.scope (front_end, scope) values ($1, $2)
    on conflict (front_end, scope) do update set version = scope.version returning version"""
_CLIENT: Final = """
    insert into sync.client (front_end, client_id, member_id, seen_at) values ($1, $2, $3, $4)
    on conflict (front_end, client_id) do update set seen_at = excluded.seen_at returning member_id, sequence"""
_KNOWN: Final = """
    select sequence, said from sync.operation
    where front_end = $1 and client_id = $2 and sequence between $3 and $4"""
_DOCUMENTS: Final = """
    select d.* from sync.document d
    join unnest($3::text[], $4::text[]) as wanted (collection, document) using (collection, document)
    where front_end = $1 and scope = $2"""
_PUT: Final = """
    insert into sync.document (front_end, scope, collection, document, version, is_deleted, body, sealed_body)
    select $1, $2, * from unnest($3::text[], $4::text[], $5::bigint[], $6::boolean[], $7::json[], $8::bytea[])
    on conflict (front_end, scope, collection, document) do update set version = excluded.version,
        is_deleted = excluded.is_deleted, body = excluded.body, sealed_body = excluded.sealed_body"""
_LOG: Final = """
    insert into sync.operation (front_end, client_id, sequence, scope, version, said, at)
    select $1, $2, sequence, $3, version, said, $4
    from unnest($5::bigint[], $6::bigint[], $7::bytea[]) as one (sequence, version, said)"""
_CONFLICT: Final = """
    insert into sync.conflict (front_end, scope, collection, document, field, kept, lost, sealed_kept, sealed_lost,
        kept_by, lost_by, version, at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) returning *"""
# Who goes on without having seen a conflict says anew what stands; who has seen both, and writes, has settled it.
_RESTATE: Final = """
    update sync.conflict c
    set kept = case when c.kept_by = $3 then w.value::json else c.kept end,
        sealed_kept = case when c.kept_by = $3 then w.sealed else c.sealed_kept end,
        settled = case when w.base >= c.version then 'kept' else '' end
    from unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::bytea[])
        w (collection, document, field, value, base, sealed)
    where c.front_end = $1 and c.scope = $2 and c.settled = ''
        and (c.collection, c.document, c.field) = (w.collection, w.document, w.field)
        and (c.kept_by = $3 or w.base >= c.version)"""
_CHANGED: Final = """
    select * from sync.document
    where front_end = $1 and scope = $2 and version > $3 and ($4::text[] is null or collection = any ($4))
    order by version limit $5"""
_CONFLICTS: Final = """
    select * from sync.conflict
    where front_end = $1 and settled = '' and ($2::text is null or scope = $2)
        and ($3::bigint is null or conflict_id < $3)
    order by conflict_id desc limit $4"""
_LEFT: Final = """
    select m.scope from sync.scope_member m where m.front_end = $1 and m.member_id = any ($2)
        and not exists (select from sync.scope_member o
            where o.front_end = $1 and o.scope = m.scope and o.member_id <> all ($2))"""


async def head(session: ports.Session, front_end: str, scope: str) -> int:
    """Return the version of a scope, held until the transaction ends: it is the order of the server."""
    return await session.fetch_value(_HEAD, front_end, scope)


async def version(session: ports.Session, front_end: str, scope: str) -> int:
    sql = "select version from sync.scope where front_end = $1 and scope = $2"
    return await session.fetch_value(sql, front_end, scope) or 0


async def set_head(session: ports.Session, front_end: str, scope: str, version: int) -> None:
    sql = "update sync.scope set version = $3 where front_end = $1 and scope = $2"
    await session.execute(sql, front_end, scope, version)


async def members(session: ports.Session, front_end: str, scope: str) -> list[UUID]:
    sql = "select member_id from sync.scope_member where front_end = $1 and scope = $2 order by member_id"
    return [row[0] for row in await session.fetch(sql, front_end, scope)]


async def add_member(session: ports.Session, front_end: str, scope: str, member_id: UUID) -> None:
    sql = "insert into sync.scope_member (front_end, scope, member_id) values ($1, $2, $3) on conflict do nothing"
    await session.execute(sql, front_end, scope, member_id)


async def remove_member(session: ports.Session, front_end: str, scope: str, member_id: UUID) -> None:
    sql = "delete from sync.scope_member where front_end = $1 and scope = $2 and member_id = $3"
    await session.execute(sql, front_end, scope, member_id)


async def client(
    session: ports.Session, front_end: str, client_id: str, member_id: UUID, now: datetime
) -> tuple[UUID, int]:
    """Return whose a client is and the last of its operations, held until the transaction ends."""
    row = await session.fetch_row(_CLIENT, front_end, client_id, member_id, now)
    assert row is not None
    return row["member_id"], row["sequence"]


async def add_reference(session: ports.Session, front_end: str, member_id: UUID, reference: str) -> None:
    """Note what a guest is known by elsewhere."""
    sql = "insert into sync.guest (front_end, member_id, reference) values ($1, $2, $3) on conflict do nothing"
    await session.execute(sql, front_end, member_id, reference)


async def guests(session: ports.Session, front_end: str, references: Sequence[str]) -> list[UUID]:
    """Return the guests who are known by one of these elsewhere."""
    sql = "select distinct member_id from sync.guest where front_end = $1 and reference = any ($2) order by 1"
    return [row[0] for row in await session.fetch(sql, front_end, references)]


async def known(session: ports.Session, front_end: str, client_id: str, first: int, last: int) -> Mapping[int, bytes]:
    """Return the hashes of operations that were taken."""
    rows = await session.fetch(_KNOWN, front_end, client_id, first, last)
    return {row["sequence"]: bytes(row["said"]) for row in rows}


async def set_sequence(session: ports.Session, front_end: str, client_id: str, sequence: int) -> None:
    sql = "update sync.client set sequence = $3 where front_end = $1 and client_id = $2"
    await session.execute(sql, front_end, client_id, sequence)


async def bodies(
    session: ports.Session, front_end: str, scope: str, wanted: Iterable[tuple[str, str]], seals: Seals
) -> dict[tuple[str, str], rules.Body]:
    """Return the bodies of documents that are there."""
    names = list(wanted)
    found = await session.fetch(_DOCUMENTS, front_end, scope, [one[0] for one in names], [one[1] for one in names])
    rows = await _opened(session, DOCUMENT, found, seals)
    return {(row["collection"], row["document"]): json.loads(row["body"]) for row in rows}


async def put(
    session: ports.Session, front_end: str, scope: str, changed: Mapping[tuple[str, str], tuple[int, rules.Body]],
    seals: Seals,
) -> None:  # fmt: skip
    """Write documents with the version that changed each last."""
    texts = [encode(body) for _, body in changed.values()]
    written, sealed = await _put_away(session, front_end, scope, DOCUMENT, texts, seals)
    await session.execute(
        _PUT, front_end, scope, [one[0] for one in changed], [one[1] for one in changed],
        [at for at, _ in changed.values()], [rules.DELETED in body for _, body in changed.values()],
        written, sealed,
    )  # fmt: skip


async def log(
    session: ports.Session, front_end: str, client_id: str, scope: str, taken: Sequence[tuple[int, int, bytes]],
    now: datetime,
) -> None:  # fmt: skip
    """Note operations: their sequence, version and hash."""
    columns = [[one[at] for one in taken] for at in range(3)]
    await session.execute(_LOG, front_end, client_id, scope, now, *columns)


async def add_conflict(
    session: ports.Session, front_end: str, scope: str, operation: api.Operation, field: str, lost: rules.Lost,
    client_id: str, version: int, now: datetime, seals: Seals,
) -> api.Conflict:  # fmt: skip
    texts = [encode(operation.value), encode(lost[0])]
    written, sealed = await _put_away(session, front_end, scope, CONFLICT, texts, seals)
    rows = await session.fetch(
        _CONFLICT, front_end, scope, operation.collection, operation.document, field, *written, *sealed, client_id,
        lost[1], version, now,
    )  # fmt: skip
    return (await _conflicts(session, rows, seals))[0]


async def restate(
    session: ports.Session, front_end: str, scope: str, client_id: str,
    written: Mapping[tuple[str, str, str], api.Operation], seals: Seals,
) -> None:  # fmt: skip
    """Bring open conflicts up to what a client wrote last, by collection, document and field."""
    names = [list(part) for part in zip(*written, strict=True)] or [[], [], []]
    texts, bases = [encode(one.value) for one in written.values()], [one.base for one in written.values()]
    values, sealed = await _put_away(session, front_end, scope, CONFLICT, texts, seals)
    await session.execute(_RESTATE, front_end, scope, client_id, *names, values, bases, sealed)


async def changed(
    session: ports.Session, front_end: str, scope: str, since: int, collections: Sequence[str], limit: int,
    seals: Seals,
) -> Sequence[Mapping[str, Any]]:  # fmt: skip
    """Return documents in the order of the server; one more than is shown, where there is one."""
    rows = await session.fetch(_CHANGED, front_end, scope, since, list(collections) or None, limit + 1)
    return await _opened(session, DOCUMENT, rows, seals)


async def conflicts(
    session: ports.Session, front_end: str, scope: str | None, before: int | None, limit: int, seals: Seals
) -> list[api.Conflict]:
    return await _conflicts(session, await session.fetch(_CONFLICTS, front_end, scope, before, limit + 1), seals)


async def open_conflict(session: ports.Session, front_end: str, conflict_id: int, seals: Seals) -> api.Conflict:
    """Return a conflict, held until the transaction ends. Raises UnknownConflict."""
    sql = "select * from sync.conflict where front_end = $1 and conflict_id = $2 and settled = '' for update"
    rows = await session.fetch(sql, front_end, conflict_id)
    if not rows:
        raise api.UnknownConflict(conflict_id=conflict_id)
    return (await _conflicts(session, rows, seals))[0]


async def settle(session: ports.Session, front_end: str, conflict_id: int, choose: str) -> None:
    sql = "update sync.conflict set settled = $3 where front_end = $1 and conflict_id = $2"
    await session.execute(sql, front_end, conflict_id, choose)


async def prune(session: ports.Session, front_end: str, before: datetime) -> int:
    sql = "delete from sync.operation where front_end = $1 and at < $2"
    return int((await session.execute(sql, front_end, before)).rpartition(" ")[2])


async def forget(session: ports.Session, front_end: str, gone: Sequence[UUID]) -> list[str]:
    """Take members and guests out, with their own scopes and those that nobody is left in; return their keys."""
    scopes = [row[0] for row in await session.fetch(_LEFT, front_end, list(gone))] + [str(one) for one in gone]
    for table in ("document", "conflict", "operation", "scope_member", "scope"):
        await session.execute(f"delete from sync.{table} where front_end = $1 and scope = any ($2)", front_end, scopes)
    for table in ("client", "scope_member", "guest"):
        sql = f"delete from sync.{table} where front_end = $1 and member_id = any ($2)"
        await session.execute(sql, front_end, list(gone))
    return [_key_of(front_end, scope) for scope in scopes]


async def _conflicts(session: ports.Session, rows: Sequence[ports.Row], seals: Seals) -> list[api.Conflict]:
    return [_conflict(row) for row in await _opened(session, CONFLICT, rows, seals)]


def _conflict(row: Mapping[str, Any]) -> api.Conflict:
    kept, lost = json.loads(row["kept"]), json.loads(row["lost"])
    plain = ("conflict_id", "scope", "collection", "document", "field", "kept_by", "lost_by", "at")
    fields: dict[str, Any] = {name: row[name] for name in plain}
    return api.Conflict(
        **fields, kept=kept, lost=lost, sentence=rules.sentence(row["document"], row["field"], kept, lost)
    )


def _key_of(front_end: str, scope: str) -> str:
    return f"sync/{front_end}/{scope}"


async def _put_away(
    session: ports.Session, front_end: str, scope: str, table: str, texts: Sequence[bytes], seals: Seals
) -> tuple[Sequence[str | None], Sequence[bytes | None]]:
    """Return texts as they are written in the clear, and sealed: one of the two is nothing."""
    key = _key_of(front_end, scope)
    written, sealed = await seals.put_away(session, front_end, key, table, texts, b"")
    return [one.decode() or None for one in written], sealed


async def _opened(session: ports.Session, table: str, rows: Sequence[ports.Row], seals: Seals) -> list[dict[str, Any]]:
    """Return rows of a table, opened where they are sealed. Raises PersonKeyMissing."""
    found = [dict(row) for row in rows]
    places = [(row, of) for row in found for of in SEALED[table] if row[of.into] is not None]
    kept = [(_key_of(row["front_end"], row["scope"]), row[of.into]) for row, of in places]
    texts = await seals.open_each(session, table, kept) if kept else []
    for (row, of), text in zip(places, texts, strict=True):
        row[of.column] = text.decode()
    return found
