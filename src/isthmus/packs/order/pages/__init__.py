"""Orders: find one, read why it cost what it did, and act on it where its front end may."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

import msgspec

from isthmus.kernel import errors
from isthmus.language import mark
from isthmus.pages import BIGINT_MAX, Asked, Client, Found, GoTo, Shown, moment_of
from isthmus.values import whole_number

from .hand_ins import show_hand_ins as show_hand_ins
from .hand_ins import take_hand_in as take_hand_in

LIST: Final = "order.list-orders"
GET: Final = "order.get-order"
PAGE_SIZE: Final = 25
FOUND_MAX: Final = 12  # by a search: more is a page of its own
ASKED: Final = ("q", "front_end", "state", "member_id", "from", "until")
CHANGEABLE: Final = ("placed", "paid", "part-shipped")
STATES: Final = ("placed", "paid", "part-shipped", "shipped", "completed", "cancelled", "expired")
SHOWN: Final = (  # words of orders, payments and returns that stand on the pages
    *(mark("placed"), mark("paid"), mark("part shipped"), mark("shipped"), mark("completed"), mark("cancelled")),
    *(mark("expired"), mark("requested"), mark("approved"), mark("rejected"), mark("received"), mark("refunded")),
    *(mark("pending"), mark("authorised"), mark("captured"), mark("refused"), mark("voided"), mark("part refunded")),
    *(mark("standard"), mark("presale"), mark("online"), mark("app"), mark("store"), mark("order"), mark("closed")),
    *(mark("authorise"), mark("capture"), mark("void"), mark("refund"), mark("piece"), mark("gram")),
)


Positions = dict[str, str | None]  # by front end: the cursor of its next page; none: from its latest order


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Something that an operator can do with an order: the capability that does it, and in which states it is offered.

    `note` is what the operator reads beforehand; `field` is what must be typed in, and its label.
    """

    name: str
    title: str
    capability: str
    states: tuple[str, ...]
    note: str
    done: str
    field: tuple[str, str] | None = None
    is_final: bool = False


ACTS: Final = (
    Act(
        name="ship",
        title=mark("Ship what is left"),
        capability="after-sale.ship-order",
        states=("paid", "part-shipped"),
        note=mark("The goods leave stock and the order says so, in one transaction."),
        done=mark("The goods are out of stock, and the order is shipped."),
        field=("parcel", mark("Parcel")),
    ),
    Act(
        name="complete",
        title=mark("Complete"),
        capability="order.complete-order",
        states=("shipped",),
        note=mark("Records that the goods have arrived."),
        done=mark("The order is complete."),
    ),
    Act(
        name="cancel",
        title=mark("Cancel"),
        capability="checkout.cancel-order",
        states=("placed", "paid"),
        note=mark("Money, stock, coupons and points go back; the front end may keep a fee."),
        done=mark("The order is cancelled, and what was paid or held went back."),
        field=("reason", mark("Reason, for the history")),
        is_final=True,
    ),
)
_BY_NAME: Final = {act.name: act for act in ACTS}


async def show_list(request: Asked, client: Client) -> Shown:
    asked = {name: request.query_params.get(name, "").strip() for name in ASKED}
    span = {"placed_from": moment_of(request, "from"), "placed_until": moment_of(request, "until")}
    codes = [asked["front_end"]] if asked["front_end"] else client.users(LIST)
    found, next_cursor = await _together(client, asked, span, _positions(request.query_params.get("cursor"), codes))
    return {
        "found": found,
        "next_cursor": next_cursor,
        "asked": asked,
        "codes": client.users(LIST),
        "states": STATES,
    }


async def _together(
    client: Client, asked: Mapping[str, str], span: Mapping[str, datetime | None], positions: Positions
) -> tuple[list[tuple[str, Any]], str | None]:
    """Return the latest orders of several front ends from where each was left, and where each is left now."""
    pages = {code: await _page(client, code, asked, span, at) for code, at in positions.items()}
    every = [(code, one) for code, page in pages.items() for one in page["items"]]
    every.sort(key=lambda pair: (datetime.fromisoformat(pair[1]["placed_at"]), pair[1]["order_id"]), reverse=True)
    found = every[:PAGE_SIZE]
    left: dict[str, str | None] = {}
    for code, page in pages.items():
        shown = sum(one == code for one, _ in found)
        if shown == len(page["items"]):
            after = page["next_cursor"]
            if after is None:
                continue  # all of them were shown
        elif shown:  # the cursor behind so many: that of a page which ends there
            after = (await _page(client, code, asked, span, positions[code], shown))["next_cursor"]
        else:
            after = positions[code]
        left[code] = after
    return found, msgspec.json.encode(left).hex() if left else None


async def _page(
    client: Client,
    code: str,
    asked: Mapping[str, str],
    span: Mapping[str, datetime | None],
    cursor: str | None,
    limit: int = PAGE_SIZE,
) -> dict[str, Any]:
    """Return a front end's orders: by number, by an e-mail address, or of a member, the latest first."""
    text = asked["q"]
    ask: dict[str, Any] = {"state": asked["state"], "member_id": asked["member_id"], "limit": limit, **span}
    empty: dict[str, Any] = {"items": [], "next_cursor": None}
    if "@" in text:
        ask["contact_email"] = text
    elif whole_number(text.lstrip("#"), 0, BIGINT_MAX) is not None:
        ask["number"] = text.lstrip("#")
    elif text:
        if not _is_id(text):
            return empty
        order = await client.find(code, GET, {"order_id": text})
        return {"items": [order] if order else [], "next_cursor": None}
    if "@" in text and not asked["member_id"]:
        member = await client.find(code, "member.find-member", {"kind": "email", "value": text})
        if member:
            ask["member_id"] = member["member_id"]
            del ask["contact_email"]
    return await client.call(code, LIST, {**ask, "cursor": cursor})


async def show_one(request: Asked, client: Client) -> Shown:
    return await _shown(request, client)


async def act(request: Asked, client: Client) -> Shown | GoTo:
    """Carry out one act; the key that came with the form makes a second sending harmless."""
    act = _BY_NAME.get(request.path_params["act"])
    if act is None:
        raise errors.NotFound("orders have no such act", remedy=f"the acts are {', '.join(_BY_NAME)}")
    fields = request.form
    ask = {"order_id": request.path_params["order_id"]}
    if act.field:
        ask[act.field[0]] = fields.get(act.field[0], "")
    return await _done(request, client, act.capability, ask, fields, act.name)


async def give_back(request: Asked, client: Client) -> Shown | GoTo:
    fields = request.form
    reason = fields.get("reason", "unwanted")
    lines = [{"line": line, "quantity": count, "reason": reason} for line, count in _quantities(fields, 1)]
    ask = {"order_id": request.path_params["order_id"], "lines": lines}
    return await _done(request, client, "order.request-return", ask, fields, "return")


async def change(request: Asked, client: Client) -> Shown | GoTo:
    """Show what a change comes to; sent once more with what was shown, make it."""
    fields, order_id = request.form, request.path_params["order_id"]
    lines = [{"line": line, "quantity": quantity} for line, quantity in _quantities(fields, 0)]
    known = await client.call(request.path_params["front_end"], GET, {"order_id": order_id})
    stands = {line["line"]: line["quantity"] - line["closed"] for line in known["lines"]}
    ask: dict[str, Any] = {
        "order_id": order_id,
        "reason": fields.get("reason", ""),
        "lines": [one for one in lines if one["quantity"] != stands.get(one["line"])],
        "added": [{"sku": sku, "quantity": whole_number(fields.get("added", "1"), 1, BIGINT_MAX) or 1}]
        if (sku := fields.get("sku", "").strip())
        else [],
    }
    if "shown" in fields:
        minor = whole_number(fields["shown"], -BIGINT_MAX, BIGINT_MAX)
        ask["expected_difference"] = {"currency": known["currency"], "minor": minor}
        return await _done(request, client, "after-sale.change-order", ask, fields, "change")
    try:
        preview = await client.call(request.path_params["front_end"], "after-sale.preview-change", ask)
    except errors.Refusal as refused:
        return await _shown(request, client, refused)
    return {**await _shown(request, client), "preview": preview, "fields": fields}


def _quantities(fields: Mapping[str, str], least: int) -> list[tuple[int, int]]:
    """Return the lines that a form names, with their quantities."""
    return [
        (line, quantity)
        for name, value in fields.items()
        if name.startswith("line-")
        and (line := whole_number(name.removeprefix("line-"), 0, BIGINT_MAX)) is not None
        and (quantity := whole_number(value, least, BIGINT_MAX)) is not None
    ]


async def decide(request: Asked, client: Client) -> Shown | GoTo:
    fields = request.form
    ask: dict[str, Any] = {"return_id": request.path_params["return_id"]}
    if fields.get("decision") == "refund":
        return await _done(request, client, "after-sale.refund-return", ask, fields, "refund")
    ask |= {"is_approved": fields.get("decision") == "approve", "note": fields.get("note", "")}
    return await _done(request, client, "order.decide-return", ask, fields, "decision")


async def _done(
    request: Asked, client: Client, capability: str, ask: Mapping[str, Any], fields: Mapping[str, str], done: str
) -> Shown | GoTo:
    code = request.path_params["front_end"]
    try:
        await client.call(code, capability, ask, key=fields.get("key") or None)
    except errors.Refusal as refused:
        return await _shown(request, client, refused)
    return GoTo(f"/orders/{code}/{request.path_params['order_id']}", {"done": done})


async def _shown(request: Asked, client: Client, refused: errors.Refusal | None = None) -> Shown:
    code = request.path_params["front_end"]
    order = await client.call(code, GET, {"order_id": request.path_params["order_id"]})
    group = await client.find(code, "order.get-group", {"group_id": order["group_id"]})
    together: list[dict[str, Any]] = group["orders"] if group else []
    payment = await client.find(code, "payment.get-payment", {"reference": order["group_id"]})
    returns = await client.find(code, "order.list-returns", {"order_id": order["order_id"]})
    member = order["member_id"] and await client.find(code, "member.get-member", {"member_id": order["member_id"]})
    acts = [act for act in ACTS if order["state"] in act.states and client.may(code, act.capability)]
    is_returnable = client.may(code, "order.request-return") and any(map(_left_to_return, order["lines"]))
    return {
        "code": code,
        "order": order,
        "others": [one for one in together if one["order_id"] != order["order_id"]],
        "payment": payment,
        "member": member,
        "returns": (returns or {"items": []})["items"],
        "acts": acts,
        "may_refund": client.may(code, "after-sale.refund-return"),
        "may_decide": client.may(code, "order.decide-return"),
        "is_returnable": is_returnable,
        "may_change": order["state"] in CHANGEABLE and client.may(code, "after-sale.change-order"),
        "preview": None,
        "fields": {},
        "left": _left_to_return,
        "why": _why,
        "key": uuid4,
        "refused": refused,
        "done": _DONE.get(request.query_params.get("done", ""), ""),
    }


def _positions(cursor: str | None, codes: Sequence[str]) -> Positions:
    """Return where to go on with each front end; those of which all were shown are left out. Raises BadAsk."""
    if not cursor:
        return dict.fromkeys(codes)
    try:
        return {
            code: at for code, at in msgspec.json.decode(bytes.fromhex(cursor), type=Positions).items() if code in codes
        }
    except (ValueError, msgspec.MsgspecError):
        raise errors.BadAsk("the address has a cursor that is none", remedy="begin at the first page") from None


_DONE: Final = {
    **{act.name: act.done for act in ACTS},
    "return": mark("The return is asked for; approve it to let the goods come back."),
    "decision": mark("The decision is in the history of the return."),
    "change": mark("The order is changed; its history says how."),
    "refund": mark("The goods are back, and the money is with the buyer."),
}


def _left_to_return(line: Mapping[str, Any]) -> int:
    return int(line["shipped"]) - int(line["returned"]) if line["is_returnable"] else 0


def _why(line: Mapping[str, Any]) -> list[tuple[str, str, dict[str, Any] | None]]:
    """Return what made the amount of a line, in order: who, why, and how much it added or took away."""
    return [(one["by"], one["reason"], one.get("amount")) for one in line["applied"]]


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


async def find(text: str, front_end: str, client: Client) -> list[Found]:
    """Return the orders that are known by a text: their number, or their id."""
    number = text.lstrip("#")
    if whole_number(number, 0, 10**15) is not None:
        page = await client.find(front_end, LIST, {"number": number, "limit": FOUND_MAX})
        orders: list[dict[str, Any]] = page["items"] if page else []
        return [Found("order", f"#{one['number']}", _path(front_end, one["order_id"]), front_end) for one in orders]
    if _is_id(text) and await client.find(front_end, GET, {"order_id": text}):
        return [Found("order", text, _path(front_end, text), front_end)]
    return []


def _path(front_end: str, order_id: str) -> str:
    return f"/orders/{front_end}/{order_id}"
