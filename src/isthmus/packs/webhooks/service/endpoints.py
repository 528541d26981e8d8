"""Endpoints and deliveries: what front ends say and ask; the sender does the rest."""

from __future__ import annotations

from isthmus.kernel import Context, implements
from isthmus.language import mark
from isthmus.manifest.public_addresses import refused_url

from .. import api, storage
from .sender import WebhookSender


@implements(api.put_endpoint)
async def put_endpoint(ask: api.PutEndpoint, ctx: Context) -> api.PutAnswer:
    if because := refused_url(ask.url, ctx.resource(WebhookSender).allowed):
        raise api.AddressRefused(url=ask.url, because=because)
    if not await storage.put(ctx.session, ctx.front_end, ask):
        return api.PutAnswer(endpoint=await _changed(ask.name, "changed", ctx))
    if len(await storage.endpoints(ctx.session, ctx.front_end)) > api.ENDPOINTS_MAX:
        raise api.TooManyEndpoints
    secret = await _new_secret(ask.name, ctx)
    return api.PutAnswer(endpoint=await _changed(ask.name, "made", ctx), secret=secret)


@implements(api.rotate_secret)
async def rotate_secret(ask: api.RotateSecret, ctx: Context) -> api.NewSecret:
    await storage.locked(ctx.session, ctx.front_end, ask.name)
    await storage.end_secrets(ctx.session, ctx.front_end, ask.name, ask.keep_hours)
    secret = await _new_secret(ask.name, ctx)
    await _changed(ask.name, "has a new secret", ctx)
    return api.NewSecret(secret=secret)


@implements(api.list_endpoints)
async def list_endpoints(ask: api.ListEndpoints, ctx: Context) -> api.Endpoints:
    return api.Endpoints(items=tuple(await storage.endpoints(ctx.session, ctx.front_end)))


@implements(api.delete_endpoint)
async def delete_endpoint(ask: api.NamedEndpoint, ctx: Context) -> api.NamedEndpoint:
    await storage.delete(ctx.session, ctx.front_end, ask.name)
    ctx.emit(api.EndpointChanged(name=ask.name, what="deleted"))
    return ask


@implements(api.pause_endpoint)
async def pause_endpoint(ask: api.NamedEndpoint, ctx: Context) -> api.Endpoint:
    if await storage.pause(ctx.session, ctx.front_end, ask.name, mark("paused by hand")):
        await _emit_paused(ask.name, ctx)
    return await _one(ask.name, ctx)


@implements(api.resume_endpoint)
async def resume_endpoint(ask: api.NamedEndpoint, ctx: Context) -> api.Endpoint:
    if await storage.resume(ctx.session, ctx.front_end, ask.name):
        return await _changed(ask.name, "resumed", ctx)
    return await _one(ask.name, ctx)


@implements(api.test_endpoint)
async def test_endpoint(ask: api.NamedEndpoint, ctx: Context) -> api.TestSent:
    await storage.locked(ctx.session, ctx.front_end, ask.name)
    number = await storage.add_test(ctx.session, ctx.front_end, ask.name, str(ctx.new_id()))
    return api.TestSent(delivery_id=number)


@implements(api.list_deliveries)
async def list_deliveries(ask: api.ListDeliveries, ctx: Context) -> api.Deliveries:
    found = await storage.deliveries(ctx.session, ctx.front_end, ask)
    items = tuple(found[: ask.limit])
    return api.Deliveries(items=items, next_before=items[-1].delivery_id if len(found) > ask.limit else None)


@implements(api.get_delivery)
async def get_delivery(ask: api.GetDelivery, ctx: Context) -> api.DeliveryLog:
    found = await storage.delivery(ctx.session, ctx.front_end, ask.delivery_id)
    attempts = await storage.attempts(ctx.session, ctx.front_end, ask.delivery_id)
    return api.DeliveryLog(delivery=found, attempts=tuple(attempts))


@implements(api.send_again)
async def send_again(ask: api.SendAgain, ctx: Context) -> api.SentAgain:
    if ask.delivery_id is None and ask.endpoint is None:
        raise api.UnknownDelivery(what="without delivery_id or endpoint")
    count = await storage.send_again(ctx.session, ctx.front_end, ask.delivery_id, ask.endpoint)
    if ask.delivery_id is not None and not count:
        raise api.UnknownDelivery(what=f"{ask.delivery_id} that is done or dead")
    return api.SentAgain(count=count)


@implements(api.pause_failing)
async def pause_failing(ask: api.PauseFailing, ctx: Context) -> api.Paused:
    hours = ctx.resource(WebhookSender).pause_after_hours
    names = await storage.pause_failing(ctx.session, ctx.front_end, hours)
    for name in names:
        await _emit_paused(name, ctx)
    return api.Paused(names=tuple(names))


async def _one(name: str, ctx: Context) -> api.Endpoint:
    return await storage.endpoint(ctx.session, ctx.front_end, name)


async def _changed(name: str, what: str, ctx: Context) -> api.Endpoint:
    ctx.emit(api.EndpointChanged(name=name, what=what))
    return await _one(name, ctx)


async def _emit_paused(name: str, ctx: Context) -> None:
    one = await _one(name, ctx)
    ctx.emit(api.EndpointPaused(name=name, url=one.url, reason=one.reason))


async def _new_secret(name: str, ctx: Context) -> str:
    secret, kept = ctx.resource(WebhookSender).new_secret(ctx.front_end, name)
    await storage.add_secret(ctx.session, ctx.front_end, name, kept)
    return secret
