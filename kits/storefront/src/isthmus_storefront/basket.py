"""Pages of the basket and the checkout: what it costs and why, and the order for the total that was shown."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from . import synced
from .forms import field, key_of, read_form, whole
from .pages import keep, page, shopper
from .platform import Platform, Refused
from .shelf import remarks
from .shop import Form, Shop

PAYMENTS_KEPT = 5  # a cookie is small


async def basket(request: Request) -> Response:
    """Show the basket, what it costs and why; of an app, as it is on all devices of the shopper."""
    shop: Shop = request.app.state.shop
    if shop.app is None:
        return await _basket_page(request, {})
    kept = shopper(request)
    platform: Platform = request.app.state.platform
    with suppress(Refused):  # what is priced and ordered is the platform's basket: it is shown as it is
        await synced.bring_up_to_date(platform, shop, kept)
    response = await _basket_page(request, {}, kept=kept)
    return keep(request, response, kept)


async def settle(request: Request) -> Response:
    """Choose between what two devices of a shopper said of a line."""
    platform: Platform = request.app.state.platform
    form, kept = await read_form(request), shopper(request)
    number, choose = whole(field(form, "number")), field(form, "choose")
    if number not in [one["conflict_id"] for one in await synced.conflicts(platform, kept)]:
        raise Refused({"status": 404, "detail": "this was chosen already"})
    await platform.call("sync.settle-conflict", {"conflict_id": number, "choose": choose})
    return RedirectResponse("/basket", status_code=303)


async def change(request: Request) -> Response:
    """Set a quantity, and remember what it was shown to cost: a later price is pointed out before it is charged."""
    platform: Platform = request.app.state.platform
    shop: Shop = request.app.state.shop
    form, kept = await read_form(request), shopper(request)
    quantity = whole(field(form, "quantity"))  # the button "take out" comes after the field: the last one counts
    if quantity is None:
        raise Refused({"status": 400, "detail": "a quantity is a whole number"})
    said = {"sku": field(form, "sku"), **shop.line(form)}
    if shop.app:
        await synced.bring_up_to_date(platform, shop, kept)
    held = await put_line(platform, shop, kept, {**said, "quantity": quantity})
    kept["count"] = len(held["lines"])
    if shop.app:
        await synced.note(platform, kept, [(said, quantity)])
    try:
        ask = {"basket_id": kept["basket_id"], "currency": shop.currency.code}
        shown = (await preview(request, ask, kept))["bill"]["lines"]
        known = [
            {"sku": one["sku"], "quantity": one["quantity"], "shown": priced["amount"], "attributes": one["attributes"]}
            for one, priced in zip(held["lines"], shown, strict=False)  # another window may have changed it meanwhile
            if (one["sku"], one["quantity"]) == (priced["sku"], priced["quantity"])
        ]
        if known:
            await platform.call("order.set-lines", {"basket_id": kept["basket_id"], "lines": known})
    except Refused:
        pass  # the basket's page says why, beside the line
    return keep(request, RedirectResponse("/basket", status_code=303), kept)


async def put_line(platform: Platform, shop: Shop, kept: dict[str, Any], line: dict[str, Any]) -> dict[str, Any]:
    """Set a line of the shopper's basket, and return it; who has none, or one that is gone, begins another."""
    if "basket_id" in kept:
        try:
            return await platform.call("order.set-lines", {"basket_id": kept["basket_id"], "lines": [line]})
        except Refused as refused:
            if refused.slug != "order.unknown-basket":  # not kept for ever: the shopper begins another
                raise
    kept["basket_id"] = (await platform.call("order.open-basket", {"currency": shop.currency.code}))["basket_id"]
    return await platform.call("order.set-lines", {"basket_id": kept["basket_id"], "lines": [line]})


async def checkout(request: Request) -> Response:
    """Show the total for an address, or order for the total that was shown."""
    platform: Platform = request.app.state.platform
    shop: Shop = request.app.state.shop
    form, kept = await read_form(request), shopper(request)
    expected = whole(form.get("expected", ""))
    if form.get("see") or expected is None or not kept.get("member_id") or "basket_id" not in kept:
        return await _basket_page(request, form)
    ask = _ask(shop, form, kept) | {"expected_total": {"currency": shop.currency.code, "minor": expected}}
    try:
        placed = await platform.call("checkout.place-order", ask, key=key_of(form))
    except Refused as refused:
        return await _basket_page(request, form, refused)
    kept = {name: value for name, value in kept.items() if name not in ("basket_id", "count")}
    if shop.app:
        await emptied(platform, kept)
    kept["payments"] = [*kept.get("payments", []), placed["payment_id"]][-PAYMENTS_KEPT:]
    return keep(request, RedirectResponse(f"/pay/{placed['payment_id']}", status_code=303), kept)


async def emptied(platform: Platform, kept: dict[str, Any]) -> None:
    """Have nothing of what was ordered be wanted any more; where that cannot be said now, with the next page."""
    try:
        await synced.empty(platform, kept, kept.get("synced", 0))
    except Refused as refused:
        if refused.document.get("status") not in synced.LATER:
            raise


async def _basket_page(
    request: Request, form: Form, refused: Refused | None = None, kept: dict[str, Any] | None = None
) -> Response:
    platform: Platform = request.app.state.platform
    shop: Shop = request.app.state.shop
    kept = shopper(request) if kept is None else kept
    if "basket_id" not in kept:
        twice = await _said_twice(platform, shop, kept, None)
        return page(request, "basket.html", refused, basket=None, session=kept, twice=twice)
    try:
        held = await platform.call("order.get-basket", {"basket_id": kept["basket_id"]})
    except Refused as gone:
        return _forget_basket(request, gone)
    priced: dict[str, Any] | None = None
    if held["lines"]:
        try:
            priced = await preview(request, _ask(shop, form, kept), kept)
        except Refused as problem:
            refused = refused or problem
    lines = await _lines(platform, shop, held["lines"], priced)
    extra = await shop.options(platform, form)
    twice = await _said_twice(platform, shop, kept, held)
    facts = {"basket": held, "lines": lines, "preview": priced, "form": form, "session": kept, "twice": twice}
    return page(request, "basket.html", refused, **facts, **extra)


async def _said_twice(
    platform: Platform, shop: Shop, kept: dict[str, Any], held: dict[str, Any] | None
) -> list[dict[str, Any]]:
    """Return the lines of which two devices said otherwise, with their titles; none that was changed again since."""
    if shop.app is None or not kept.get("member_id"):
        return []
    now = synced.quantities(held)
    try:
        found = [one for one in await synced.conflicts(platform, kept) if now.get(one["document"], 0) == one["kept"]]
    except Refused:
        return []
    skus = sorted({synced.sku_of(one["document"]) for one in found})
    described: dict[str, Any] = await platform.call("catalog.describe-skus", {"skus": skus}) if skus else {"items": []}
    titles = {one["item"]["sku"]: one["item"]["title"] for one in described["items"]}
    return [one | {"title": titles.get(sku := synced.sku_of(one["document"]), sku)} for one in found]


async def _lines(
    platform: Platform, shop: Shop, held: list[dict[str, Any]], priced: dict[str, Any] | None
) -> list[dict[str, Any]]:
    """Return the lines of a basket with what they are, whose, what they cost and what is to be said of them."""
    skus = [one["sku"] for one in held]
    described: dict[str, Any] = await platform.call("catalog.describe-skus", {"skus": skus}) if skus else {"items": []}
    known = {one["item"]["sku"]: one["item"] for one in described["items"]}
    bills: list[Any] = priced["bill"]["lines"] if priced else []  # a line of each, in its order
    if len(bills) != len(held):  # not priced, or changed meanwhile in another window
        bills = [None] * len(held)
    notes = remarks(priced, shop.currency) if priced else {}
    return [
        one
        | {name: goods[name] for name in ("title", "unit", "category")}
        | {"by": shop.from_whom(goods), "bill": bill, "notes": notes.get(one["sku"], [])}
        for one, bill in zip(held, bills, strict=True)
        for goods in [known.get(one["sku"]) or _nothing_known_of(one["sku"])]
    ]


def _nothing_known_of(sku: str) -> dict[str, Any]:
    """Return what stands in a basket for a SKU that no product has: it can be taken out."""
    return {"sku": sku, "title": sku, "unit": "piece", "category": "", "brand": "", "seller": ""}


def _forget_basket(request: Request, refused: Refused) -> Response:
    if refused.slug != "order.unknown-basket":
        raise refused
    kept = {name: value for name, value in shopper(request).items() if name not in ("basket_id", "count")}
    return keep(request, page(request, "basket.html", None, basket=None, session=kept), kept)


async def preview(request: Request, ask: dict[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an order would cost this shopper, and why. Raises Refused."""
    shown = {name: value for name, value in ask.items() if name not in ("contact_email", "expected_total")}
    if kept.get("member_id"):
        shown["member_id"] = kept["member_id"]
    return await request.app.state.platform.call("checkout.preview-order", shown)


def _ask(shop: Shop, form: Form, kept: Mapping[str, Any]) -> dict[str, Any]:
    ask: dict[str, Any] = {"currency": shop.currency.code, "basket_id": kept["basket_id"]}
    if kept.get("member_id"):
        ask["member_id"] = kept["member_id"]
    if form:
        ask["address"] = {"country": shop.country} | {name: form.get(name, "") for name, _ in shop.address}
        ask |= {"delivery_method": "post", **shop.order(form)}
    return ask
