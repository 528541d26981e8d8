"""Gift cards and store credit: given out, looked up by the last letters of their code, and what moved on each."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any, Final

from isthmus.kernel import errors
from isthmus.language import mark
from isthmus.pages import Asked, Client, Shown
from isthmus.values import decimals

LIST: Final = "payment.list-credit"
PAGE_SIZE: Final = 50
SHOWN: Final = (  # what moves on a card
    *(mark("sold"), mark("given"), mark("held"), mark("released"), mark("redeemed"), mark("returned")),
    *(mark("taken back"), mark("expired")),
)


async def show_list(request: Asked, client: Client) -> Shown:
    return await _list(request, client, request.query_params.get("front_end", ""))


async def issue(request: Asked, client: Client) -> Shown:
    """Give a card out: sold and paid on the spot, or given. Its code is shown this once, and kept nowhere."""
    form = request.form
    code = form.get("front_end", "")
    owner, _, programme = form.get("programme", "").partition("/")
    try:
        known = (await client.call(code, "payment.list-credit-programmes", {}))["items"]
        found = next((one for one in known if (one["owner"], one["code"]) == (owner, programme)), None)
        if found is None:
            raise errors.NotFound(f"{code!r} may give no card of {programme!r}", remedy="choose one of the list")
        ask: dict[str, Any] = {"owner": owner, "programme": programme, "amount": _amount(form, found["currency"])}
        if form.get("act") == "sell":
            ask["received_as"] = form.get("received_as") or "cash"
            issued = await client.call(code, "payment.sell-credit", ask, key=form.get("key"))
        else:
            ask["reference"] = form.get("reference", "")
            issued = await client.call(code, "payment.give-credit", ask, key=form.get("key"))
    except errors.Refusal as refused:
        return await _list(request, client, code, refused=refused)
    return await _list(request, client, code, issued=issued)


def _amount(form: Any, currency: str) -> dict[str, Any]:
    typed = form.get("amount", "").strip().replace(",", ".")
    try:
        minor = Decimal(typed).scaleb(decimals(currency))
    except InvalidOperation:
        minor = Decimal("0.5")
    if minor != minor.to_integral_value() or not 0 < minor < 10**12:
        raise errors.BadAsk(
            f"{typed!r} is no amount of {currency}", remedy="write it as on a price tag, such as 25.00", path="amount"
        )
    return {"currency": currency, "minor": int(minor)}


async def _list(
    request: Asked,
    client: Client,
    code: str,
    *,
    issued: dict[str, Any] | None = None,
    refused: errors.Refusal | None = None,
) -> Shown:
    codes = client.users(LIST)
    code = code or next(iter(codes), "")
    letters = request.query_params.get("letters", "").strip()
    page: dict[str, Any] = {"items": []}
    try:
        if code:
            page = await client.call(code, LIST, {"last_letters": letters[-4:], "limit": PAGE_SIZE})
    except errors.BadAsk as wrong:
        refused = refused or wrong
    usable = await client.find(code, "payment.list-credit-programmes", {}) if code else None
    return {
        "code": code,
        "codes": codes,
        "letters": letters,
        "page": page,
        "programmes": (usable or {"items": []})["items"],
        "acts": [name for name in ("sell", "give") if code and client.may(code, f"payment.{name}-credit")],
        "issued": issued,
        "refused": refused,
        "key": client.new_id(),
    }


async def show_one(request: Asked, client: Client) -> Shown:
    code, credit_id = request.path_params["front_end"], request.path_params["credit_id"]
    moves = await client.call(code, "payment.list-credit-moves", {"credit_id": credit_id, "limit": 200})
    return {"code": code, "credit_id": credit_id, "moves": moves["items"]}
