"""Changes to the group's products: proposed, approved by somebody else and imported, refused, taken back."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from isthmus.kernel import Context, implements
from isthmus.values import cursor_at, place_at

from .. import api
from ..rules import changes as rules
from ..rules import goods
from ..storage import changes as storage
from ..storage import products as storage_products
from . import products


@implements(api.propose_change)
async def propose_change(ask: api.ProposeChange, ctx: Context) -> api.Change:
    ask = ask.replace(product=goods.composed_product(ask.product))
    await products.check(api.ImportProducts(products=(ask.product,)), ctx, where="$.product")
    if foreign := await storage.foreign_sku(ctx.session, ask.product):
        at = [one.sku for one in ask.product.variants].index(foreign)
        raise api.DuplicateSku(sku=foreign, path=f"$.product.variants[{at}].sku")
    before, version = await storage.current(ctx.session, ask.product.code)
    if not rules.differences(before, ask.product):
        raise api.NothingChanged(code=ask.product.code)
    change_id = ctx.new_id()
    await storage.propose(ctx.session, change_id, ask, version, ctx.now, _who(ctx), ctx.front_end)
    ctx.emit(api.ChangeProposed(change_id=change_id, code=ask.product.code, proposed_in=ctx.front_end))
    return (await storage.changes(ctx.session, [change_id]))[change_id].change


@implements(api.get_change)
async def get_change(ask: api.GetChange, ctx: Context) -> api.Change:
    found = (await storage.changes(ctx.session, [ask.change_id])).get(ask.change_id)
    if found is None:
        raise api.NoSuchChange(change_id=ask.change_id, path="$.change_id")
    return found.change


@implements(api.list_changes)
async def list_changes(ask: api.ListChanges, ctx: Context) -> api.Changes:
    before = place_at(ask.cursor, tuple[datetime, UUID], api.BadCursor) if ask.cursor is not None else None
    found = await storage.listed(ctx.session, ask, before, ask.limit + 1)
    items = found[: ask.limit]
    more = cursor_at((items[-1].proposed_at, items[-1].change_id)) if len(found) > ask.limit else None
    return api.Changes(items=tuple(items), next_cursor=more)


@implements(api.decide_changes)
async def decide_changes(ask: api.DecideChanges, ctx: Context) -> api.ChangesDecided:
    ids = list(dict.fromkeys(ask.change_ids))
    found = await storage.hold(ctx.session, ids)
    for at, change_id in enumerate(ids):
        path = f"$.change_ids[{at}]"
        change = _open(found.get(change_id), change_id, path)
        if change.proposed_by == _who(ctx):
            raise api.OwnChange(change_id=change_id, by=change.proposed_by, path=path)
        if ask.is_approved and change.is_stale:
            raise _stale(found[change_id], found[change_id].current, path)
    if ask.is_approved:
        await _apply([found[one] for one in ids], ctx)
    state: api.ChangeState = "approved" if ask.is_approved else "refused"
    await _end(ids, state, ask.answer, ctx)
    for one in ids:
        change = found[one].change
        ctx.emit(api.ChangeDecided(change_id=one, code=change.code, state=state, proposed_in=change.proposed_in))
    after = await storage.changes(ctx.session, ids)
    return api.ChangesDecided(items=tuple(after[one].change for one in ids))


async def _apply(changes: list[storage.Kept], ctx: Context) -> None:
    """Import what was approved. A product that somebody else has changed meanwhile has another version than is due."""
    await products.put(api.ImportProducts(products=tuple(one.draft for one in changes)), ctx)
    versions = await storage_products.current_versions(ctx.session, [one.change.code for one in changes])
    for at, one in enumerate(changes):
        version = versions[one.change.code]
        if version != one.change.base_version + 1:
            raise _stale(one, version - 1, f"$.change_ids[{at}]")


@implements(api.withdraw_change)
async def withdraw_change(ask: api.WithdrawChange, ctx: Context) -> api.Change:
    found = await storage.hold(ctx.session, [ask.change_id])
    change = _open(found.get(ask.change_id), ask.change_id, "$.change_id")
    if change.proposed_by != _who(ctx):
        raise api.NotYourChange(change_id=ask.change_id, by=change.proposed_by)
    await _end([ask.change_id], "withdrawn", ask.answer, ctx)
    ctx.emit(
        api.ChangeDecided(change_id=ask.change_id, code=change.code, state="withdrawn", proposed_in=change.proposed_in)
    )
    return (await storage.changes(ctx.session, [ask.change_id]))[ask.change_id].change


async def _end(ids: list[UUID], state: str, answer: str, ctx: Context) -> None:
    await storage.decide(ctx.session, ids, state, ctx, _who(ctx), answer)


def _open(kept: storage.Kept | None, change_id: UUID, path: str) -> api.Change:
    if kept is None:
        raise api.NoSuchChange(change_id=change_id, path=path)
    if kept.change.state != "open":
        raise api.AlreadyDecided(
            change_id=change_id, state=kept.change.state, by=kept.change.decided_by or "", path=path
        )
    return kept.change


def _stale(kept: storage.Kept, version: int, path: str) -> api.StaleChange:
    change = kept.change
    return api.StaleChange(
        change_id=change.change_id, code=change.code, base_version=change.base_version, version=version, path=path
    )


def _who(ctx: Context) -> str:
    """Return who calls: a person is the same one everywhere, a client is one of its front end."""
    return ctx.caller.person or f"{ctx.front_end}/{ctx.caller.client}"
