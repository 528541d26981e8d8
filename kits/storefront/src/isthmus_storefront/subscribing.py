"""Pages of what comes again: a basket is subscribed to, skipped, paused, cancelled; a past order is ordered again."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from . import synced
from .basket import emptied
from .forms import field, key_of, read_form, whole
from .pages import keep, page, shopper
from .platform import Platform, Refused
from .shop import Form, Shop

ORDER_KIND = "subscription"  # of the platform's product, whose prices and answers hold
ACTS = {"pause": "subscription.pause", "resume": "subscription.resume", "cancel": "subscription.cancel"}


async def subscribe(request: Request) -> Response:
    """Subscribe to what is in the basket, at the address and with the card of the form; the basket is empty then."""
    platform: Platform = request.app.state.platform
    form, kept = await read_form(request), shopper(request)
    if not kept.get("member_id") or "basket_id" not in kept:
        return RedirectResponse("/basket", status_code=303)
    held = await platform.call("order.get-basket", {"basket_id": kept["basket_id"]})
    key = key_of(form)
    await platform.call("renewals.subscribe", _wanted(request.app.state.shop, form, kept, held), key=key)
    none = [{"sku": one["sku"], "quantity": 0} for one in held["lines"]]
    await platform.call("order.set-lines", {"basket_id": kept["basket_id"], "lines": none})
    kept = {name: value for name, value in kept.items() if name != "count"}
    if request.app.state.shop.app:
        await emptied(platform, kept)
    return keep(request, RedirectResponse("/subscriptions", status_code=303), kept)


async def subscriptions(request: Request) -> Response:
    """List what comes again to the shopper, and when."""
    return await _list(request)


async def act(request: Request) -> Response:
    """Skip the next time, pause, resume, or cancel one of the shopper's subscriptions."""
    form, kept = await read_form(request), shopper(request)
    platform: Platform = request.app.state.platform
    asked = {"subscription_id": request.path_params["subscription_id"]}
    found = await platform.call("subscription.get-subscription", asked)
    if not kept.get("member_id") or found["member_id"] != kept["member_id"]:
        raise Refused({"status": 404, "detail": "this subscription is not one of yours"})
    try:
        if (wanted := field(form, "act")) == "skip":
            await platform.call("subscription.skip-next", asked | {"due_at": field(form, "due_at")}, key=key_of(form))
        elif wanted in ACTS:
            await platform.call(ACTS[wanted], asked, key=key_of(form))
    except Refused as refused:
        return await _list(request, refused)
    return RedirectResponse("/subscriptions", status_code=303)


async def again(request: Request) -> Response:
    """Put what a past order had into the basket."""
    form, kept = await read_form(request), shopper(request)
    if not kept.get("member_id"):
        return RedirectResponse("/sign-in", status_code=303)
    ask: dict[str, Any] = {"order_id": request.path_params["order_id"], "member_id": kept["member_id"]}
    if "basket_id" in kept:
        ask["basket_id"] = kept["basket_id"]
    done = await request.app.state.platform.call("renewals.order-again", ask, key=key_of(form))
    kept |= {"basket_id": done["basket"]["basket_id"], "count": len(done["basket"]["lines"])}
    if request.app.state.shop.app:
        await synced.note(request.app.state.platform, kept, synced.changes_of(done["basket"]))
    return keep(request, RedirectResponse("/basket", status_code=303), kept)


async def _list(request: Request, refused: Refused | None = None) -> Response:
    platform, kept = request.app.state.platform, shopper(request)
    if not kept.get("member_id"):
        return RedirectResponse("/sign-in", status_code=303)
    found = await platform.call("subscription.list-subscriptions", {"member_id": kept["member_id"]})
    skus = sorted({line["sku"] for one in found["items"] for line in one["lines"]})
    described: dict[str, Any] = await platform.call("catalog.describe-skus", {"skus": skus}) if skus else {"items": []}
    goods: dict[str, Any] = {one["item"]["sku"]: one["item"] for one in described["items"]}
    return page(request, "subscriptions.html", refused, subscriptions=found["items"], goods=goods)


def _wanted(shop: Shop, form: Form, kept: dict[str, Any], held: dict[str, Any]) -> dict[str, Any]:
    every_days = whole(form.get("every_days", ""))
    if every_days not in shop.subscriptions:
        raise Refused({"status": 422, "detail": "say how often it is to come"})
    said = shop.order(form)
    return {
        "member_id": kept["member_id"],
        "currency": shop.currency.code,
        "lines": [{name: one[name] for name in ("sku", "quantity", "attributes")} for one in held["lines"]],
        "every_days": every_days,
        "address": {"country": shop.country} | {name: form.get(name, "") for name, _ in shop.address},
        "delivery_method": "post",
        "token": field(dict(form), "token"),
        "order_kind": ORDER_KIND,
        "attributes": said.get("attributes", {}),
    }
