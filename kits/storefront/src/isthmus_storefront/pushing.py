"""Pushes of a shop's app: a shopper says what for, this browser is subscribed, and what was said stands in an inbox."""

from __future__ import annotations

import json
from typing import Any, Final, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from .forms import read_body
from .pages import device, keep_device, page, shopper
from .platform import Platform, Refused
from .shop import App, Shop

WORKER: Final = "/messaging/worker.js"  # of the platform: shows what is pushed
INBOX: Final = 50
TEXT_MAX: Final = 2_000
WHAT: Final = ("shown", "opened")

Json = dict[str, Any]


def routes(app: App | None) -> list[Route]:
    """Return what pushes need; nothing where an app says nothing to be pushed for."""
    if app is None or not app.purposes:
        return []
    return [
        Route("/app/push.js", _worker),
        Route("/app/push", _state),
        Route("/app/push", _change, methods=["POST"]),
        Route("/app/push/receipt", _receipt, methods=["POST"]),
        Route("/messages", _inbox),
    ]


async def _worker(request: Request) -> Response:
    """Give the platform's script that shows pushes, from here: a worker loads nothing of elsewhere."""
    content, _ = await request.app.state.platform.file(WORKER)
    return Response(content, media_type="text/javascript", headers={"cache-control": "no-cache"})


async def _state(request: Request) -> Response:
    """Say what a shopper wants to be told of, and the key that a browser subscribes with."""
    member_id = shopper(request).get("member_id")
    if not member_id:
        return JSONResponse({"key": "", "wanted": []}, headers={"cache-control": "no-store"})
    platform: Platform = request.app.state.platform
    key = (await platform.call("messaging.get-push-key", {}))["key"]
    wanted = [one for one in await _consents(platform, member_id) if one in _app(request).purposes]
    return JSONResponse({"key": key, "wanted": wanted}, headers={"cache-control": "no-store"})


async def _change(request: Request) -> Response:
    """Take what a shopper wants to be told of, and where this browser is reached.

    A consent is the member's, so that it holds for each of their devices; without a subscription it is taken back.
    """
    said, member_id = await _json(request), shopper(request).get("member_id")
    purpose, subscription = str(said.get("purpose", ""))[:40], said.get("subscription")
    if not member_id:
        raise Refused({"slug": "shop.nobody", "status": 401, "detail": "sign in first"})
    if purpose not in _app(request).purposes:
        raise Refused({"slug": "shop.malformed-form", "status": 400, "detail": "this is nothing that one is told of"})
    platform: Platform = request.app.state.platform
    consents = set(await _consents(platform, member_id))
    if subscription is None:
        await platform.call("messaging.opt-out", {"member_id": member_id, "purpose": purpose})
        await _consent(platform, member_id, consents - {purpose})
        return JSONResponse({"wanted": sorted(consents - {purpose})})
    named = device(request)
    await platform.call("messaging.add-endpoint", _endpoint(said, subscription, member_id, named))
    await _consent(platform, member_id, consents | {purpose})
    await platform.call("messaging.opt-in", {"member_id": member_id, "purpose": purpose})
    response = JSONResponse({"wanted": sorted(consents | {purpose})})
    return keep_device(request, response, named) if named else response


def _endpoint(said: Json, subscription: Any, member_id: str, named: str) -> Json:
    try:
        keys = subscription["keys"]
        asked = {
            "address": str(subscription["endpoint"])[:TEXT_MAX],
            "p256dh": str(keys["p256dh"])[:TEXT_MAX],
            "auth": str(keys["auth"])[:TEXT_MAX],
        }
    except (TypeError, KeyError):
        raise _unreadable() from None
    zone = str(said.get("zone") or "UTC")[:64]
    return {"kind": "web", "member_id": member_id, "zone": zone, **asked} | ({"device_id": named} if named else {})


async def _consents(platform: Platform, member_id: str) -> list[str]:
    return (await platform.call("member.get-member", {"member_id": member_id}))["consents"]


async def _consent(platform: Platform, member_id: str, consents: set[str]) -> None:
    await platform.call("member.update-member", {"member_id": member_id, "consents": sorted(consents)})


async def _receipt(request: Request) -> Response:
    """Note that a push was shown or opened, as the app's worker says."""
    said, member_id = await _json(request), shopper(request).get("member_id")
    if not member_id or said.get("what") not in WHAT:
        raise _unreadable()
    ask = {"member_id": member_id, "message_id": str(said.get("id", "")), "what": said["what"]}
    return JSONResponse(await request.app.state.platform.call("messaging.note-receipt", ask))


async def _inbox(request: Request) -> Response:
    """Show what a shopper was told, whatever became of its pushes; who has seen it has read it."""
    member_id = shopper(request).get("member_id")
    if not member_id:
        return RedirectResponse("/sign-in", status_code=303)
    platform: Platform = request.app.state.platform
    found = await platform.call("messaging.list-inbox", {"member_id": member_id, "limit": INBOX})
    unread = [one["message_id"] for one in found["items"] if not one["read_at"]]
    if unread:
        await platform.call("messaging.mark-read", {"member_id": member_id, "message_ids": unread})
    return page(request, "messages.html", messages=found["items"])


async def _json(request: Request) -> Json:
    try:
        found = json.loads(await read_body(request, "application/json"))
    except (ValueError, RecursionError):
        raise _unreadable() from None
    if not isinstance(found, dict):
        raise _unreadable()
    return cast(Json, found)


def _unreadable() -> Refused:
    return Refused({"slug": "shop.malformed-form", "status": 400, "detail": "this cannot be read"})


def _app(request: Request) -> App:
    shop: Shop = request.app.state.shop
    return cast(App, shop.app)
