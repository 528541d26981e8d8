"""Pages of what was ordered: to pay, to look at, to send back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from .basket import PAYMENTS_KEPT
from .forms import field, key_of, read_form, whole
from .pages import keep, page, shopper
from .platform import Platform, Refused

PAGE = 24  # orders of a page
CARDS_MAX = 5  # gift cards of one order, as the platform takes them
RETURNED = ("shipped", "part-shipped", "completed")  # states in which goods may come back


async def pay(request: Request) -> Response:
    """Take a payment, once however often the button is pressed; one that was declined can be tried again."""
    platform: Platform = request.app.state.platform
    payment_id = request.path_params["payment_id"]
    if payment_id not in shopper(request).get("payments", []):
        raise Refused({"status": 404, "detail": "this payment is not one of yours"})
    refused, balance = None, None
    if request.method == "POST":
        form = await read_form(request)
        key = key_of(form)
        try:
            balance = await _pay(platform, payment_id, form, key)
            if balance is None:
                return RedirectResponse("/orders", status_code=303)
        except Refused as problem:
            refused = problem
    payment = await platform.call("payment.get-payment", {"payment_id": payment_id})
    if payment["state"] in ("authorised", "captured"):
        return RedirectResponse("/orders", status_code=303)
    held = await _held_by_cards(platform, payment)
    return page(request, "pay.html", refused, payment=payment, held=held, balance=balance or {})


async def _pay(platform: Platform, payment_id: str, form: dict[str, str], key: str) -> dict[str, Any] | None:
    """Do what a button says; return what is on a gift card where it is looked at, and None once all is paid.

    What a card does not have stays to be paid: an empty answer.
    """
    act = form.get("act", "pay")
    if act == "balance":
        return await platform.call("payment.get-credit", {"code": field(form, "code")})
    if act == "card":
        ask = {"payment_id": payment_id, "code": field(form, "code")}
        paid = await platform.call("checkout.use-credit", ask, key=f"card-{key}")
        return None if not paid["due"]["minor"] else {}
    if act == "leave":
        await platform.call("checkout.leave-credit", {"payment_id": payment_id}, key=f"leave-{key}")
        return {}
    ask = {"payment_id": payment_id, "method": "card", "token": field(form, "token")}
    await platform.call("checkout.pay-order", ask, key=key)
    return None


async def _held_by_cards(platform: Platform, payment: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what gift cards hold for what is to be paid; a balance that is due later is paid without them."""
    if "/" in payment["reference"]:
        return []
    references = [f"{payment['reference']}/credit-{number}" for number in range(1, CARDS_MAX + 1)]
    found = await platform.call("payment.list-payments", {"references": references})
    return [one for one in found["items"] if one["state"] == "authorised"]


async def orders(request: Request) -> Response:
    """List the shopper's orders, the latest first."""
    kept = shopper(request)
    if not kept.get("member_id"):
        return RedirectResponse("/sign-in", status_code=303)
    ask = {"member_id": kept["member_id"], "limit": PAGE, "cursor": request.query_params.get("cursor")}
    found = await request.app.state.platform.call("order.list-orders", ask)
    return page(request, "orders.html", orders=found["items"], next_cursor=found["next_cursor"])


async def one_order(request: Request) -> Response:
    """Show one order of the shopper's."""
    return await _order_page(request)


async def pay_later(request: Request) -> Response:
    """Go on to what is still to be paid for one of the shopper's orders: who left before paying, or a balance."""
    order, kept = await _own_order(request), shopper(request)
    due = await _due(request, order)
    if due is None:
        return RedirectResponse(f"/orders/{order['order_id']}", status_code=303)
    kept["payments"] = [*kept.get("payments", []), due["payment_id"]][-PAYMENTS_KEPT:]
    return keep(request, RedirectResponse(f"/pay/{due['payment_id']}", status_code=303), kept)


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


async def _own_order(request: Request) -> dict[str, Any]:
    order = await request.app.state.platform.call("order.get-order", {"order_id": request.path_params["order_id"]})
    member_id = shopper(request).get("member_id")
    if member_id is None or order["member_id"] != member_id:
        raise Refused({"status": 404, "detail": "this order is not one of yours"})
    return order


async def _order_page(request: Request, refused: Refused | None = None) -> Response:
    order = await _own_order(request)
    returns = await request.app.state.platform.call("order.list-returns", {"order_id": order["order_id"]})
    can_return = order["state"] in RETURNED
    facts: dict[str, Any] = {"order": order, "returns": returns["items"], "can_return": can_return}
    return page(request, "order.html", refused, **facts, due=await _due(request, order))


async def _due(request: Request, order: Mapping[str, Any]) -> dict[str, Any] | None:
    if order["state"] != "placed":
        return None
    references = [order["group_id"], f"{order['group_id']}/balance"]
    found = await request.app.state.platform.call("payment.list-payments", {"references": references})
    return next((one for one in found["items"] if one["state"] == "open"), None)
