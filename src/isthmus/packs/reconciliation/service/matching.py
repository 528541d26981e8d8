"""Reconciliation: files are read, matched, and their breaks resolved."""

from __future__ import annotations

import asyncio
import hashlib
from uuid import UUID

from isthmus.kernel import Context, implements

from .. import api, rules, storage


@implements(api.expect)
async def expect(ask: api.Expect, ctx: Context) -> api.Noted:
    await storage.expect(ctx.session, ctx.front_end, ask.items, ctx.now.date())
    return api.Noted(items=len(ask.items))


@implements(api.import_file)
async def import_file(ask: api.ImportFile, ctx: Context) -> api.ImportedFile:
    digest = UUID(bytes=hashlib.sha256(ask.content.encode()).digest()[:16])
    await _refuse_known(ask, digest, ctx)
    lines = await asyncio.to_thread(rules.read, ask.form, ask.content)
    file_id = ctx.new_id()
    await storage.take_time(ctx.session)
    made = (ctx.now, ctx.caller.person or ctx.caller.client)
    payouts = rules.payouts(ask.provider, lines)
    news = await storage.expect_payouts(ctx.session, ctx.front_end, ask.provider, payouts)
    if not await storage.write_file(ctx.session, ctx.front_end, file_id, ask, digest, lines, made):
        await _refuse_known(ask, digest, ctx)
    await storage.match(ctx.session, ctx.front_end, file_id, ask.days, ctx.now)
    for one in payouts:
        if one.reference in news:
            ctx.emit(one)
    if kept := await storage.fees(ctx.session, ctx.front_end, file_id):
        last = max(line.day for line in lines)
        ctx.emit(api.FeesReported(file_id=file_id, provider=ask.provider, fees=kept, day=last))
    return (await storage.files(ctx.session, ctx.front_end, 1, file_id))[0]


async def _refuse_known(ask: api.ImportFile, digest: UUID, ctx: Context) -> None:
    if known := await storage.known_file(ctx.session, ctx.front_end, ask.provider, digest):
        raise api.FileKnown(name=known["name"], file_id=str(known["file_id"]))


@implements(api.list_files)
async def list_files(ask: api.ListFiles, ctx: Context) -> api.Files:
    return api.Files(items=tuple(await storage.files(ctx.session, ctx.front_end, ask.limit)))


@implements(api.list_differences)
async def list_differences(ask: api.ListDifferences, ctx: Context) -> api.Differences:
    found = await storage.differences(ctx.session, ctx.front_end, ask, ctx.now)
    shown = tuple(found[: ask.limit])
    return api.Differences(items=shown, next_cursor=shown[-1].difference_id if len(found) > ask.limit else None)


@implements(api.assign)
async def assign(ask: api.Assign, ctx: Context) -> api.Difference:
    found = await _open(ask.difference_id, ctx)
    await storage.assign(ctx.session, ctx.front_end, ask.difference_id, ask.owner)
    return found.replace(owner=ask.owner)


@implements(api.resolve)
async def resolve(ask: api.Resolve, ctx: Context) -> api.Difference:
    found = await _open(ask.difference_id, ctx)
    if ask.account and not (rules.is_booked(found.kind) and found.amount.minor):
        raise api.NothingToBook(difference_id=ask.difference_id, kind=found.kind)
    who = ctx.caller.person or ctx.caller.client
    await storage.resolve(ctx.session, ctx.front_end, ask, ctx.now, who)
    if ask.account:
        amount = -found.amount if found.kind == "fee" else found.amount
        ctx.emit(
            api.DifferenceResolved(
                difference_id=found.difference_id,
                provider=found.provider,
                reference=found.reference,
                amount=amount,
                account=ask.account,
                note=ask.note,
                day=found.day,
            )
        )
    return found.replace(resolved_at=ctx.now, resolved_by=who, account=ask.account, note=ask.note)


async def _open(difference_id: int, ctx: Context) -> api.Difference:
    found = await storage.lock(ctx.session, ctx.front_end, difference_id, ctx.now)
    if found is None:
        raise api.UnknownDifference(difference_id=difference_id)
    if found.resolved_at is not None:
        raise api.AlreadyResolved(difference_id=difference_id, by=found.resolved_by)
    return found
