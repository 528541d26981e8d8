"""Pages to sign in and out."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from .forms import field, read_form
from .pages import keep, page, shopper
from .platform import Platform, Refused


async def sign_in(request: Request) -> Response:
    """Know a shopper by e-mail; who is new becomes a member."""
    if request.method == "GET":
        return page(request, "sign_in.html")
    platform: Platform = request.app.state.platform
    form = await read_form(request)
    identity, name = {"kind": "email", "value": field(form, "email")}, field(form, "name")
    try:
        found = await platform.call("member.find-member", identity)
    except Refused as refused:
        if refused.document.get("status") != 404:
            return page(request, "sign_in.html", refused)
        ask = {"identities": [identity], "profile": {"given_name": name}, "consents": ["terms"]}
        found = await platform.call("member.register", ask)
    member = await platform.call("member.get-member", {"member_id": found["member_id"]})
    kept = shopper(request) | {"member_id": member["member_id"], "name": name, "tier": member["tier"]}
    return keep(request, RedirectResponse("/basket" if kept.get("basket_id") else "/", status_code=303), kept)


async def sign_out(request: Request) -> Response:
    """Forget who was shopping and what was in the basket, as on a computer that others use."""
    response = RedirectResponse("/", status_code=303)
    response.delete_cookie(request.app.state.shop.cookie)
    return response
