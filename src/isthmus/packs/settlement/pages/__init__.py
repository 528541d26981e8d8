"""Settlements to prepare and approve: who is paid how much, for which orders."""

from __future__ import annotations

from typing import Any, Final

from isthmus.kernel import errors
from isthmus.language import mark
from isthmus.pages import Asked, Client, GoTo, Shown

LIST: Final = "settlement.list-settlements"
STATES: Final = ("prepared", "approved", "sent", "returned", "cancelled")
SHOWN: Final = (  # words of settlements that stand on the pages
    *(mark("prepared"), mark("approved"), mark("sent"), mark("returned"), mark("cancelled")),
    *(mark("sale"), mark("return"), mark("between front ends"), mark("payout returned")),
    mark("chargeback"),
)
ACTS: Final = {  # by state: what can be done, and whether a reason is needed
    "prepared": (("approve", False), ("cancel", True)),
    "sent": (("note-returned", True),),
}
NEXT: Final = {  # by state: what is to be done now
    "prepared": mark(
        "Look at the lines. Somebody else than who prepared it approves it; where one is wrong, cancel it."
    ),
    "approved": mark("Write the payout file under Settlements, and send it to the bank."),
    "sent": mark("The statement of the bank says when it is paid. If the bank sent it back, say so here."),
    "returned": mark(
        "Say the right bank account with `settlement.put-payee`: it is due again, with the next settlement."
    ),
    "cancelled": mark("What it had settled is open again: put right what was wrong, and prepare it again."),
}
CARRIED: Final = mark("Nothing is to be paid: what it comes to is carried to the next settlement.")
PAGE_SIZE: Final = 50


async def show_list(request: Asked, client: Client) -> Shown:
    return await _list(request, client)


async def draw_up(request: Asked, client: Client) -> Shown | GoTo:
    """Draw settlements up, approve those that were shown, or write the file that pays those that are approved."""
    code, fields = request.form.get("front_end", ""), request.form
    try:
        if fields.get("act") == "approve":
            for settlement_id in fields.get("shown", "").split()[:PAGE_SIZE]:
                await client.call(code, "settlement.approve", {"settlement_id": settlement_id})
            return GoTo("/settlements", {"front_end": code, "state": "prepared", "done": "approved"})
        if fields.get("act") == "pay":
            ask = {"currency": fields.get("currency", ""), "execute_on": fields.get("day", "")}
            await client.call(code, "settlement.make-payout-file", ask, key=fields.get("key"))
            return GoTo("/settlements", {"front_end": code, "done": "paid"})
        await client.call(code, "settlement.draw-up", {"cut_off": fields.get("day", "")}, key=fields.get("key"))
    except errors.Refusal as refused:
        return await _list(request, client, refused, code)
    return GoTo("/settlements", {"front_end": code, "done": "drawn"})


async def _list(request: Asked, client: Client, refused: errors.Refusal | None = None, chosen: str = "") -> Shown:
    codes = client.users(LIST)
    asked = {name: request.query_params.get(name, "").strip() for name in ("state", "payee", "cursor")}
    code = chosen or request.query_params.get("front_end", "").strip() or next(iter(codes), "")
    page: dict[str, Any] = {"items": [], "next_cursor": None}
    payees: dict[str, Any] = {"items": []}
    if code:
        page = await client.call(code, LIST, {**asked, "limit": PAGE_SIZE})
        payees = await client.call(code, "settlement.list-payees", {"limit": PAGE_SIZE})
    done = {
        "drawn": mark("What is due is settled; somebody else must approve it."),
        "approved": mark("What was shown is approved; once all is, write the payout file."),
        "paid": mark("The payout file is written: open a settlement that it pays to save it, and send it to the bank."),
    }
    return {
        "asked": asked,
        "codes": codes,
        "code": code,
        "page": page,
        "states": STATES,
        "to_approve": [one for one in page["items"] if one["state"] == "prepared"]
        if code and client.may(code, "settlement.approve")
        else [],
        "open": [one for one in payees["items"] if one["open"]["minor"]],
        "key": client.new_id(),
        "done": done.get(request.query_params.get("done", ""), ""),
        "refused": refused,
    }


async def show_one(request: Asked, client: Client) -> Shown:
    return await _one(request, client)


async def act(request: Asked, client: Client) -> Shown | GoTo:
    """Approve a settlement, cancel it, or note that its payout came back."""
    code, settlement_id = request.path_params["front_end"], request.path_params["settlement_id"]
    name = request.form.get("act", "")
    if name not in ("approve", "cancel", "note-returned"):
        raise errors.NotFound(f"a settlement has no act {name!r}", remedy="approve it, cancel it, or note its return")
    ask = {"settlement_id": settlement_id}
    if name != "approve":
        ask["reason"] = request.form.get("reason", "")
    try:
        await client.call(code, f"settlement.{name}", ask)
    except errors.Refusal as refused:
        return await _one(request, client, refused)
    return GoTo(f"/settlements/{code}/{settlement_id}", {"done": name})


async def _one(request: Asked, client: Client, refused: errors.Refusal | None = None) -> Shown:
    code, settlement_id = request.path_params["front_end"], request.path_params["settlement_id"]
    one = await client.call(code, "settlement.get-settlement", {"settlement_id": settlement_id})
    wanted = {"settlement_id": settlement_id, "cursor": request.query_params.get("cursor"), "limit": PAGE_SIZE}
    items = await client.call(code, "settlement.list-items", wanted)
    orders = {
        subject
        for subject in sorted({item["subject"] for item in items["items"]})
        if await client.find(code, "order.get-order", {"order_id": subject})
    }
    acts = ACTS.get(one["state"], ())
    return {
        "code": code,
        "one": one,
        "items": items,
        "orders": orders,
        "next": CARRIED if one["state"] == "approved" and not one["payout"]["minor"] else NEXT.get(one["state"], ""),
        "acts": [(name, needs) for name, needs in acts if client.may(code, f"settlement.{name}")],
        "file": await client.find(code, "settlement.get-payout-file", {"file_id": one["file_id"]})
        if one["file_id"]
        else None,
        "refused": refused,
        "done": request.query_params.get("done", ""),
    }
