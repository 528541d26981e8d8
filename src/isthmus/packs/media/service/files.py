"""Files: put, read, attached, removed."""

from __future__ import annotations

from isthmus.kernel import Context, implements

from .. import api, storage


@implements(api.check_file)
async def check_file(ask: api.CheckFile, ctx: Context) -> api.FileAllowed:
    return api.FileAllowed(file=ask.file)


@implements(api.note_file)
async def note_file(ask: api.NoteFile, ctx: Context) -> api.File:
    if not await ctx.resource(api.MediaFiles).store.has(ask.file):
        raise api.NotStored(file=ask.file)
    return await ctx.call(api.write_file, ask)


@implements(api.write_file)
async def write_file(ask: api.NoteFile, ctx: Context) -> api.File:
    return await storage.note(ctx.session, ctx.front_end, ask, ctx.now, ctx.caller.client)


@implements(api.attach)
async def attach(ask: api.Attach, ctx: Context) -> api.Attached:
    if not await storage.knows(ctx.session, ctx.front_end, ask.file):
        raise api.UnknownFile(file=ask.file)
    if await storage.others(ctx.session, ctx.front_end, ask.subject, ask.file) >= api.ATTACHED_MAX:
        raise api.TooManyFiles(subject=ask.subject)
    await storage.attach(ctx.session, ctx.front_end, ask)
    return await storage.attached(ctx.session, ctx.front_end, [ask.subject])


@implements(api.detach)
async def detach(ask: api.Detach, ctx: Context) -> api.Attached:
    await storage.detach(ctx.session, ctx.front_end, ask)
    return await storage.attached(ctx.session, ctx.front_end, [ask.subject])


@implements(api.list_attached)
async def list_attached(ask: api.ListAttached, ctx: Context) -> api.Attached:
    return await storage.attached(ctx.session, ctx.front_end, ask.subjects)
