"""The marketplace's shop, for shoppers: browse, basket, checkout, orders and returns, over the public API.

Run it with SHOP_API (the platform's address), SHOP_KEY (the shop's API key) and SHOP_SECRET (signs its cookie):
`uvicorn --factory front_ends.market.shop.app:shop`.
"""

from __future__ import annotations

import asyncio
import os
import re
import uuid
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from . import look, session
from .browser import field, guarded, key_of, read_form, whole
from .platform import Platform, Refused
from .shelf import CURRENCY, cards, departments, remarks

HERE = Path(__file__).parent
PAGE = 24  # products of a page, and orders
RULE = re.compile(r" \([a-z-]+\.\w+\)")  # who refused: for the operator, not for the shopper
FIELDS = (("recipient", "Name"), ("street", "Street"), ("city", "City"), ("region", "State"), ("postcode", "ZIP"))
NEAR = {name for name, _ in FIELDS}  # fields that have room for what is wrong with them
RETURNED = ("shipped", "part-shipped", "completed")  # states in which goods may come back
NAME, MOTTO = "Market", "Many sellers, one basket"
PAYMENTS_KEPT = 5  # a cookie is small


def shop() -> Starlette:
    """Make the app from the environment."""
    return make(os.environ["SHOP_API"], os.environ["SHOP_KEY"], os.environ["SHOP_SECRET"].encode())


def make(address: str, key: str, secret: bytes) -> Starlette:
    """Make the app over a platform's address."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None, None]:
        app.state.platform, app.state.secret, app.state.departments = Platform(address, key), secret, {}
        yield
        await app.state.platform.close()

    routes = [
        Route("/", browse),
        Route("/product/{sku}", product),
        Route("/basket", basket),
        Route("/basket", change, methods=["POST"]),
        Route("/checkout", checkout, methods=["POST"]),
        Route("/pay/{payment_id}", pay, methods=["GET", "POST"]),
        Route("/orders", orders),
        Route("/orders/{order_id}", one_order),
        Route("/orders/{order_id}/return", send_back, methods=["POST"]),
        Route("/orders/{order_id}/pay", pay_later, methods=["POST"]),
        Route("/sign-in", sign_in, methods=["GET", "POST"]),
        Route("/sign-out", session.end, methods=["POST"]),
        Route("/shop.css", style),
    ]
    handlers, around = {Refused: _refused}, [Middleware(guarded)]
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers, middleware=around)


async def style(request: Request) -> Response:
    """Give the shop's style sheet."""
    return FileResponse(HERE / "shop.css")


async def browse(request: Request) -> Response:
    """Show what is offered, by department or words, each with its price."""
    platform: Platform = request.app.state.platform
    query = request.query_params
    ask: dict[str, Any] = {"text": query.get("text", ""), "limit": PAGE}
    ask |= {name: query[name] for name in ("category", "cursor") if query.get(name)}
    category = ask.get("category", "")
    kept = request.app.state.departments
    found, top = await asyncio.gather(platform.call("catalog.search", ask), departments(platform, kept, ""))
    below = await departments(platform, kept, category.partition("/")[0]) if category else []
    shown = await cards(platform, _session(request).get("member_id"), found["items"])
    facts: dict[str, Any] = {"cards": shown, "next_cursor": found["next_cursor"], "top": top, "below": below}
    return _page(request, "shelf.html", None, **facts, text=ask["text"], category=category)


async def product(request: Request) -> Response:
    """Show one product, and what each of its variants costs now."""
    platform: Platform = request.app.state.platform
    sku = request.path_params["sku"]
    shown = await platform.call("catalog.get-product", {"sku": sku})
    offers = {one["sku"]: one for one in shown["offers"] if one["is_open"]}
    variants = [one for one in shown["variants"] if one["sku"] in offers]
    choices = [await _choice(request, one, offers[one["sku"]]) for one in variants]
    return _page(request, "product.html", product=shown, choices=choices)


async def basket(request: Request) -> Response:
    """Show the basket, what it costs and why."""
    return await _basket_page(request, {})


async def change(request: Request) -> Response:
    """Set a quantity, and remember what it was shown to cost: a later price is pointed out before it is charged."""
    platform: Platform = request.app.state.platform
    form, kept = await read_form(request), _session(request)
    quantity = whole(field(form, "quantity"))  # the button "take out" comes after the field: the last one counts
    if quantity is None:
        raise Refused({"status": 400, "detail": "a quantity is a whole number"})
    line: dict[str, Any] = {"sku": field(form, "sku"), "quantity": quantity}
    held = await _put(platform, kept, line)
    kept["count"] = len(held["lines"])
    try:
        preview = await _preview(request, {"basket_id": kept["basket_id"], "currency": CURRENCY}, kept)
        known = [
            {"sku": one["sku"], "quantity": one["quantity"], "shown": priced["amount"], "attributes": one["attributes"]}
            for one, priced in zip(held["lines"], preview["bill"]["lines"], strict=True)
            if one["sku"] == priced["sku"]
        ]
        if known:
            await platform.call("order.set-lines", {"basket_id": kept["basket_id"], "lines": known})
    except Refused:
        pass  # the basket's page says why, beside the line
    return _keep(request, RedirectResponse("/basket", status_code=303), kept)


async def _put(platform: Platform, kept: dict[str, Any], line: dict[str, Any]) -> dict[str, Any]:
    if "basket_id" in kept:
        try:
            return await platform.call("order.set-lines", {"basket_id": kept["basket_id"], "lines": [line]})
        except Refused as refused:
            if refused.slug != "order.unknown-basket":  # not kept for ever: the shopper begins another
                raise
    kept["basket_id"] = (await platform.call("order.open-basket", {"currency": CURRENCY}))["basket_id"]
    return await platform.call("order.set-lines", {"basket_id": kept["basket_id"], "lines": [line]})


async def checkout(request: Request) -> Response:
    """Show the total for an address, or order for the total that was shown."""
    platform: Platform = request.app.state.platform
    form, kept = await read_form(request), _session(request)
    expected = whole(form.get("expected", ""))
    if form.get("see") or expected is None or not kept.get("member_id") or "basket_id" not in kept:
        return await _basket_page(request, form)
    ask = _ask(form, kept) | {"expected_total": {"currency": CURRENCY, "minor": expected}}
    try:
        placed = await platform.call("checkout.place-order", ask, key=key_of(form))
    except Refused as refused:
        return await _basket_page(request, form, refused)
    kept = {name: value for name, value in kept.items() if name not in ("basket_id", "count")}
    kept["payments"] = [*kept.get("payments", []), placed["payment_id"]][-PAYMENTS_KEPT:]
    return _keep(request, RedirectResponse(f"/pay/{placed['payment_id']}", status_code=303), kept)


async def pay(request: Request) -> Response:
    """Take a payment, once however often the button is pressed; one that was declined can be tried again."""
    platform: Platform = request.app.state.platform
    payment_id = request.path_params["payment_id"]
    if payment_id not in _session(request).get("payments", []):
        raise Refused({"status": 404, "detail": "this payment is not one of yours"})
    refused = None
    if request.method == "POST":
        form = await read_form(request)
        ask = {"payment_id": payment_id, "method": "card", "token": field(form, "token")}
        key = key_of(form)
        try:
            await platform.call("checkout.pay-order", ask, key=key)
            return RedirectResponse("/orders", status_code=303)
        except Refused as problem:
            refused = problem
    payment = await platform.call("payment.get-payment", {"payment_id": payment_id})
    if payment["state"] in ("authorised", "captured"):
        return RedirectResponse("/orders", status_code=303)
    return _page(request, "pay.html", refused, payment=payment)


async def orders(request: Request) -> Response:
    """List the shopper's orders, the latest first."""
    kept = _session(request)
    if not kept.get("member_id"):
        return RedirectResponse("/sign-in", status_code=303)
    ask = {"member_id": kept["member_id"], "limit": PAGE, "cursor": request.query_params.get("cursor")}
    found = await request.app.state.platform.call("order.list-orders", ask)
    return _page(request, "orders.html", orders=found["items"], next_cursor=found["next_cursor"])


async def one_order(request: Request) -> Response:
    """Show one order of the shopper's."""
    return await _order_page(request)


async def pay_later(request: Request) -> Response:
    """Go on to what is still to be paid for one of the shopper's orders: who left before paying, or a balance."""
    order, kept = await _own_order(request), _session(request)
    due = await _due(request, order)
    if due is None:
        return RedirectResponse(f"/orders/{order['order_id']}", status_code=303)
    kept["payments"] = [*kept.get("payments", []), due["payment_id"]][-PAYMENTS_KEPT:]
    return _keep(request, RedirectResponse(f"/pay/{due['payment_id']}", status_code=303), kept)


async def send_back(request: Request) -> Response:
    """Ask to return goods of an order."""
    form = await read_form(request)
    lines = [
        {"line": line, "quantity": quantity}
        for name, value in form.items()
        if name.startswith("line-") and (line := whole(name.removeprefix("line-"))) is not None
        if (quantity := whole(value))
    ]
    order = await _own_order(request)
    try:
        if not lines:
            raise Refused({"status": 422, "detail": "say how many of which goods come back"})
        ask = {"order_id": order["order_id"], "lines": lines}
        await request.app.state.platform.call("order.request-return", ask, key=key_of(form))
    except Refused as refused:
        return await _order_page(request, refused)
    return RedirectResponse(f"/orders/{order['order_id']}", status_code=303)


async def sign_in(request: Request) -> Response:
    """Know a shopper by e-mail; who is new becomes a member."""
    if request.method == "GET":
        return _page(request, "sign_in.html")
    platform: Platform = request.app.state.platform
    form = await read_form(request)
    identity, name = {"kind": "email", "value": field(form, "email")}, field(form, "name")
    try:
        found = await platform.call("member.find-member", identity)
    except Refused as refused:
        if refused.document.get("status") != 404:
            return _page(request, "sign_in.html", refused)
        ask = {"identities": [identity], "profile": {"given_name": name}, "consents": ["terms"]}
        found = await platform.call("member.register", ask)
    member = await platform.call("member.get-member", {"member_id": found["member_id"]})
    kept = _session(request) | {"member_id": member["member_id"], "name": name, "tier": member["tier"]}
    return _keep(request, RedirectResponse("/basket" if kept.get("basket_id") else "/", status_code=303), kept)


async def _basket_page(request: Request, form: Mapping[str, str], refused: Refused | None = None) -> Response:
    platform: Platform = request.app.state.platform
    kept = _session(request)
    if "basket_id" not in kept:
        return _page(request, "basket.html", refused, basket=None)
    try:
        held = await platform.call("order.get-basket", {"basket_id": kept["basket_id"]})
    except Refused as gone:
        return _forget_basket(request, gone)
    preview: dict[str, Any] | None = None
    notes: dict[str, list[str]] = {}
    if held["lines"]:
        try:
            preview = await _preview(request, _ask(form, kept), kept)
            notes = remarks(preview)
        except Refused as problem:
            refused = refused or problem
    skus = [one["sku"] for one in held["lines"]]
    described = await platform.call("catalog.describe-skus", {"skus": skus}) if skus else {"items": []}
    known = {one["item"]["sku"]: one["item"] for one in described["items"]}
    bills = preview["bill"]["lines"] if preview else [None] * len(held["lines"])  # a line of each, in its order
    lines = [
        one
        | {name: known[one["sku"]][name] for name in ("title", "unit", "category")}
        | {"by": from_whom(known[one["sku"]]), "bill": bill, "notes": notes.get(one["sku"], [])}
        for one, bill in zip(held["lines"], bills, strict=True)
    ]
    lines.sort(key=lambda line: str(line["by"]))  # a part of the basket for each seller
    extra = await _options(platform, form)
    return _page(request, "basket.html", refused, basket=held, lines=lines, preview=preview, form=form, **extra)


def _forget_basket(request: Request, refused: Refused) -> Response:
    if refused.slug != "order.unknown-basket":
        raise refused
    kept = {name: value for name, value in _session(request).items() if name not in ("basket_id", "count")}
    return _keep(request, _page(request, "basket.html", None, basket=None, session=kept), kept)


async def _preview(request: Request, ask: dict[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
    shown = {name: value for name, value in ask.items() if name not in ("contact_email", "expected_total")}
    if kept.get("member_id"):
        shown["member_id"] = kept["member_id"]
    return await request.app.state.platform.call("checkout.preview-order", shown)


def _ask(form: Mapping[str, str], kept: Mapping[str, Any]) -> dict[str, Any]:
    ask: dict[str, Any] = {"currency": CURRENCY, "basket_id": kept["basket_id"]}
    if kept.get("member_id"):
        ask["member_id"] = kept["member_id"]
    if form:
        ask["address"] = {"country": "US"} | {name: form.get(name, "") for name, _ in FIELDS}
        ask["delivery_method"] = "post"
    return ask


async def _options(platform: Platform, form: Mapping[str, str]) -> dict[str, Any]:
    return {}


async def _choice(request: Request, variant: dict[str, Any], offer: dict[str, Any]) -> dict[str, Any]:
    choice = {"sku": variant["sku"], "offer": offer, "unit": variant["unit"], "line": None, "problem": ""}
    choice["label"] = ", ".join(variant["attributes"].values()) or variant["unit"]
    line = {"sku": variant["sku"], "quantity": offer["min_quantity"]}
    try:
        preview = await _preview(request, {"currency": CURRENCY, "lines": [line]}, _session(request))
        choice["line"] = preview["bill"]["lines"][0]
        choice["problem"] = "Out of stock" if preview["shortages"] else ""
    except Refused as refused:
        choice["problem"] = "Not sold now" if refused.slug == "pricing.no-list-price" else str(refused)
    return choice


async def _own_order(request: Request) -> dict[str, Any]:
    order = await request.app.state.platform.call("order.get-order", {"order_id": request.path_params["order_id"]})
    member_id = _session(request).get("member_id")
    if member_id is None or order["member_id"] != member_id:
        raise Refused({"status": 404, "detail": "this order is not one of yours"})
    return order


async def _order_page(request: Request, refused: Refused | None = None) -> Response:
    order = await _own_order(request)
    returns = await request.app.state.platform.call("order.list-returns", {"order_id": order["order_id"]})
    can_return = order["state"] in RETURNED
    facts: dict[str, Any] = {"order": order, "returns": returns["items"], "can_return": can_return}
    return _page(request, "order.html", refused, **facts, due=await _due(request, order))


async def _due(request: Request, order: Mapping[str, Any]) -> dict[str, Any] | None:
    if order["state"] != "placed":
        return None
    references = [order["group_id"], f"{order['group_id']}/balance"]
    found = await request.app.state.platform.call("payment.list-payments", {"references": references})
    return next((one for one in found["items"] if one["state"] == "open"), None)


def from_whom(goods: Mapping[str, Any]) -> str:
    """Say who sells goods."""
    return f"Sold by {seller(goods['seller'])}"


def seller(code: str) -> str:
    """Name a seller for people."""
    return f"Manufacturer {code}" if whole(code) is not None else code


def _page(request: Request, name: str, refused: Refused | None = None, **facts: Any) -> Response:
    status = 200 if refused is None else int(refused.document.get("status", 422))
    facts = {"form": {}, "session": _session(request), "key": str(uuid.uuid4())} | facts
    problem = str(refused) if refused else ""
    wrong = refused.field if refused and refused.field in NEAR else ""  # else it stands at the top of the page
    return HTMLResponse(PAGES.get_template(name).render(**facts, wrong=wrong, problem=problem), status_code=status)


async def _refused(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, Refused)
    return _page(request, "layout.html", problem)


def _session(request: Request) -> dict[str, Any]:
    return session.read(request, request.app.state.secret)


def _keep(request: Request, response: Response, kept: dict[str, Any]) -> Response:
    session.write(response, kept, request.app.state.secret)
    return response


def _capital(text: str) -> str:
    """Write a sentence for a shopper: with a capital, and without the name of the rule behind it."""
    told = RULE.sub("", text)
    return told[:1].upper() + told[1:]


PAGES = Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True)
PAGES.filters["capitalize_first"] = _capital
KNOWN: dict[str, Any] = {"shop": NAME, "motto": MOTTO, "fields": FIELDS, "seller": seller, "from_whom": from_whom}
LOOK: dict[str, Any] = {"amount": look.amount, "tile": look.tile, "named": look.named}
FACTS: dict[str, Any] = {"portion": look.portion, "day": look.day, "state": look.state}
PAGES.globals.update(KNOWN | LOOK | FACTS)
