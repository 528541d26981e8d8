"""Changes to products that wait for somebody: a list, and each with what would be other than before."""

from __future__ import annotations

from typing import Any, Final

from isthmus.kernel import errors
from isthmus.language import mark
from isthmus.pages import Asked, Client, GoTo, Shown

LIST: Final = "catalog.list-changes"
PAGE_SIZE: Final = 30
STATES: Final = (mark("open"), mark("approved"), mark("refused"), mark("withdrawn"))
DONE: Final = {
    "approve": mark("It is approved, and the product is so now."),
    "refuse": mark("It is refused; the product stays as it is."),
    "withdraw": mark("It is taken back."),
}


async def show_list(request: Asked, client: Client) -> Shown:
    codes = client.users(LIST)
    query = request.query_params
    asked = {name: query.get(name, "").strip() for name in ("code", "cursor")} | {"state": query.get("state", "open")}
    code = query.get("front_end") or next(iter(codes), "")
    ask: dict[str, Any] = {"limit": PAGE_SIZE}
    ask |= {name: value for name, value in asked.items() if value}
    page: dict[str, Any] = await client.call(code, LIST, ask) if code else {"items": [], "next_cursor": None}
    return {"asked": asked, "code": code, "codes": codes, "page": page, "states": STATES}


async def show_one(request: Asked, client: Client) -> Shown:
    return await _shown(request, client)


async def act(request: Asked, client: Client) -> Shown | GoTo:
    """Approve or refuse a change, or take it back."""
    code, change_id = request.path_params["front_end"], request.path_params["change_id"]
    name, answer = request.form.get("act", ""), request.form.get("answer", "")
    if name not in DONE:
        raise errors.BadAsk("nothing was chosen", remedy="use a button of the page", path="act")
    try:
        if name == "withdraw":
            await client.call(code, "catalog.withdraw-change", {"change_id": change_id, "answer": answer})
        else:
            ask = {"change_ids": [change_id], "is_approved": name == "approve", "answer": answer}
            await client.call(code, "catalog.decide-changes", ask)
    except errors.Refusal as refused:
        return await _shown(request, client, refused)
    return GoTo(f"/product-changes/{code}/{change_id}", {"done": name})


async def _shown(request: Asked, client: Client, refused: errors.Refusal | None = None) -> Shown:
    code, change_id = request.path_params["front_end"], request.path_params["change_id"]
    change = await client.call(code, "catalog.get-change", {"change_id": change_id})
    caller = client.caller(code)
    is_own = change["proposed_by"] == (caller.person or f"{code}/{caller.client}")
    may_decide = not is_own and client.may(code, "catalog.decide-changes")
    may_withdraw = is_own and client.may(code, "catalog.withdraw-change")
    return {
        "code": code,
        "change": change,
        "may_decide": may_decide,
        "may_withdraw": may_withdraw,
        "is_own": is_own,
        "refused": refused,
        "done": DONE.get(request.query_params.get("done", ""), ""),
    }
