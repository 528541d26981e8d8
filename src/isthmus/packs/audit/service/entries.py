"""Reading the log: lists, heads and proofs."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from isthmus.kernel import Context, Meta, implements, ports
from isthmus.values import cursor_at, place_at

from .. import api, storage
from ..rules import merkle

_Number = tuple[Annotated[int, Meta(ge=1, le=2**62)]]
_LAST = 2**62


@implements(api.list_entries)
async def list_entries(ask: api.ListEntries, ctx: Context) -> api.EntryPage:
    return await page_of(ctx.session, ctx.front_end, ask)


async def page_of(session: ports.Session, front_end: str, ask: api.ListEntries) -> api.EntryPage:
    """Return a part of a chain, that of all front ends (`*`) too where the session may read it. Raises BadCursor."""
    before = place_at(ask.cursor, _Number, partial(api.BadCursor, cursor=ask.cursor))[0] if ask.cursor else _LAST
    found = await storage.list_entries(session, front_end, ask, before)
    items = found[: ask.limit]
    more = len(found) > ask.limit
    return api.EntryPage(items=tuple(items), next_cursor=cursor_at((items[-1].number,)) if more else None)


@implements(api.get_head)
async def get_head(ask: api.GetHead, ctx: Context) -> api.Head:
    return await _head(ctx, 1)


@implements(api.prove_entry)
async def prove_entry(ask: api.ProveEntry, ctx: Context) -> api.InclusionProof:
    entry = await storage.find(ctx.session, ctx.front_end, ask.number)
    if entry is None:
        raise api.NoSuchEntry(number=ask.number)
    head = await _head(ctx, entry.position + 1)
    leaves = await _leaves(ctx, head.size)
    hashes = merkle.inclusion_proof(entry.position, leaves)
    return api.InclusionProof(
        entry=entry, leaf=leaves[entry.position].hex(), hashes=tuple(one.hex() for one in hashes), head=head
    )


@implements(api.prove_growth)
async def prove_growth(ask: api.ProveGrowth, ctx: Context) -> api.ConsistencyProof:
    head = await _head(ctx, ask.size)
    hashes = merkle.consistency_proof(ask.size, await _leaves(ctx, head.size))
    return api.ConsistencyProof(size=ask.size, hashes=tuple(one.hex() for one in hashes), head=head)


async def _head(ctx: Context, size: int) -> api.Head:
    row = await storage.head(ctx.session)
    if row is None or row["size"] < size:
        raise api.NoHeadYet(size=size)
    return storage.head_of(row)


async def _leaves(ctx: Context, size: int) -> list[bytes]:
    return [merkle.leaf(link) for link in await storage.links(ctx.session, 0, size)]
