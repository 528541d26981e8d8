"""Rows of changes to the group's products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from isthmus.kernel import Context, decode, encode, ports

from .. import api
from ..rules import changes as rules

_CHANGES = """
select change.*, kept.draft as before, coalesce(product.version, 0) as current
from catalog.change left join catalog.product using (code)
left join catalog.product_version kept
    on kept.product_id = product.product_id and kept.version = change.base_version
"""
_BY_ID = f"{_CHANGES} where change_id = any($1)"
_HOLD = "select from catalog.change where change_id = any($1) order by change_id for update"
_LIST = f"""{_CHANGES}
where ($1::text is null or change.code = $1) and ($2::text is null or state = $2)
  and ($3::timestamptz is null or (proposed_at, change_id) < ($3, $4::uuid))
order by proposed_at desc, change_id desc limit $5
"""

_PROPOSE = """
insert into catalog.change (change_id, code, base_version, draft, because, proposed_at, proposed_by, proposed_in)
values ($1, $2, $3, $4, $5, $6, $7, $8)
"""

_DECIDE = """
update catalog.change set state = $2, decided_at = $3, decided_by = $4, answer = $5,
    version = case when $2 = 'approved' then base_version + 1 end
where change_id = any($1)
"""

_FOREIGN = """
select given.sku from unnest($1::text[]) with ordinality as given (sku, place)
join catalog.sku using (sku) join catalog.product using (product_id)
where code <> $2 order by place limit 1
"""

_CURRENT = """
select kept.draft, product.version from catalog.product join catalog.product_version kept using (product_id, version)
where code = $1
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """A change with the draft that it is of, and the version that its product has now."""

    change: api.Change
    draft: api.ProductDraft
    current: int


async def current(session: ports.Session, code: str) -> tuple[api.ProductDraft | None, int]:
    """Return what a product is, and its version; nothing and 0 where there is none."""
    row = await session.fetch_row(_CURRENT, code)
    return (None, 0) if row is None else (decode(row["draft"], api.ProductDraft), row["version"])


async def foreign_sku(session: ports.Session, draft: api.ProductDraft) -> str | None:
    """Return a SKU of a draft that another product has."""
    return await session.fetch_value(_FOREIGN, [one.sku for one in draft.variants], draft.code)


async def propose(
    session: ports.Session, change_id: UUID, ask: api.ProposeChange, base: int, now: datetime, by: str, front_end: str
) -> None:
    await session.execute(
        _PROPOSE, change_id, ask.product.code, base, encode(ask.product), ask.because, now, by, front_end
    )


async def changes(session: ports.Session, ids: Sequence[UUID]) -> dict[UUID, Kept]:
    """Return those changes that there are, by id."""
    return {row["change_id"]: _kept(row) for row in await session.fetch(_BY_ID, list(ids))}


async def hold(session: ports.Session, ids: Sequence[UUID]) -> dict[UUID, Kept]:
    """Return changes that nobody else decides until the call ends."""
    await session.execute(_HOLD, list(ids))
    return await changes(session, ids)


async def listed(
    session: ports.Session, ask: api.ListChanges, before: tuple[datetime, UUID] | None, limit: int
) -> list[api.Change]:
    at, change_id = before or (None, None)
    return [_kept(row).change for row in await session.fetch(_LIST, ask.code, ask.state, at, change_id, limit)]


async def decide(session: ports.Session, ids: Sequence[UUID], state: str, ctx: Context, by: str, answer: str) -> None:
    await session.execute(_DECIDE, list(ids), state, ctx.now, by, answer)


def _kept(row: ports.Row) -> Kept:
    draft = decode(row["draft"], api.ProductDraft)
    before = None if row["before"] is None else decode(row["before"], api.ProductDraft)
    return Kept(
        change=api.Change(
            change_id=row["change_id"],
            code=row["code"],
            state=row["state"],
            is_stale=row["state"] == "open" and row["current"] != row["base_version"],
            base_version=row["base_version"],
            because=row["because"],
            proposed_at=row["proposed_at"],
            proposed_by=row["proposed_by"],
            proposed_in=row["proposed_in"],
            fields=rules.differences(before, draft),
            decided_at=row["decided_at"],
            decided_by=row["decided_by"],
            answer=row["answer"],
            version=row["version"],
        ),
        draft=draft,
        current=row["current"],
    )
