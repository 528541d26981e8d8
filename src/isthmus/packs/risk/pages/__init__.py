"""Reviews: what waits for a person, each with all that is known of it on one page."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from isthmus.kernel import errors
from isthmus.language import mark
from isthmus.pages import Asked, Client, GoTo, Shown

LIST: Final = "risk.list-reviews"
STATES: Final = ("open", "released", "rejected", "closed")
WINDOWS: Final = (
    ("m10", mark("10 minutes")), ("h1", mark("1 hour")), ("d1", mark("1 day")), ("d7", mark("7 days")),
    ("d30", mark("30 days")), ("rejected", mark("rejected")), ("front_ends", mark("front ends")),
)  # fmt: skip
MARKS: Final = {
    "person": mark("e-mail address"), "member": mark("member"), "card": mark("means of payment"),
    "address": mark("postal address"), "device": mark("device"), "network": mark("network address"),
}  # fmt: skip
SHOWN: Final = (  # words of reviews that stand on the pages
    *(mark("open"), mark("released"), mark("rejected"), mark("closed"), mark("release"), mark("reject")),
    *(mark("accept"), mark("challenge"), mark("review"), mark("fraud"), mark("honest"), mark("deadline")),
    *(mark("sign-in"), mark("registration"), mark("coupon"), mark("order"), mark("payment"), mark("return")),
    *(mark("payout"), mark("draft"), mark("shadow"), mark("live"), mark("ended")),
)
PAGE_SIZE: Final = 50
TRIED_OVER: Final = timedelta(days=30)
CLOCKS: Final = timedelta(minutes=1)  # of servers differ, and what was decided just now is tried too


async def show_list(request: Asked, client: Client) -> Shown:
    """Return what waits for a person, and the versions of the rules that send it there."""
    codes = client.users(LIST)
    code = request.query_params.get("front_end", "").strip() or next(iter(codes), "")
    state = request.query_params.get("state", "open").strip() or "open"
    page: dict[str, Any] = {"items": [], "open": 0}
    versions: list[Any] = []
    if code:
        page = await client.call(code, LIST, {"state": state, "limit": PAGE_SIZE})
        found = await client.find(code, "risk.list-scenarios", {})
        versions = found["items"] if found else []
    may = bool(code) and client.may(code, "risk.run-scenario")
    return {
        "codes": codes, "code": code, "state": state, "states": STATES, "page": page, "versions": versions, "may": may
    }  # fmt: skip


async def act(request: Asked, client: Client) -> GoTo:
    """Try a version of the rules on what was decided in thirty days, or have it run."""
    form = request.form
    code, what = form.get("front_end", ""), form.get("act", "")
    version = int(form["version"]) if form.get("version", "").isdigit() else 0
    if what == "try":
        now = client.platform.clock()
        ask = {"version": version, "since": (now - TRIED_OVER).isoformat(), "until": (now + CLOCKS).isoformat()}
        await client.call(code, "risk.back-test", ask)
    else:
        await client.call(code, "risk.run-scenario", {"version": version, "state": what})
    return GoTo("/reviews", {"front_end": code})


async def show_one(request: Asked, client: Client) -> Shown:
    return await _one(request, client)


async def settle(request: Asked, client: Client) -> Shown | GoTo:
    """Release what waits, or reject it."""
    code, decision_id = request.path_params["front_end"], request.path_params["decision_id"]
    ask = {"decision_id": decision_id, "outcome": request.form.get("act", ""), "why": request.form.get("why", "")}
    try:
        await client.call(code, "risk.settle-review", ask)
    except errors.Refusal as refused:
        return await _one(request, client, refused)
    return GoTo(f"/reviews/{code}/{decision_id}")


async def _one(request: Asked, client: Client, refused: errors.Refusal | None = None) -> Shown:
    code, decision_id = request.path_params["front_end"], request.path_params["decision_id"]
    found = await client.call(code, "risk.get-review", {"decision_id": decision_id})
    review = found["review"]
    orders: list[Any] = []
    payments: list[Any] = []
    if review["kind"] in ("order", "payment"):
        orders, payments = await _bought(code, review["reference"].partition("/")[0], client)
    return {
        "code": code,
        "review": review,
        "decision": found["decision"],
        "alike": found["alike"],
        "windows": WINDOWS,
        "marks": MARKS,
        "orders": orders,
        "payments": payments,
        "again": await client.find(code, "risk.replay-decision", {"decision_id": decision_id}),
        "may": review["state"] == "open" and client.may(code, "risk.settle-review"),
        "refused": refused,
    }


async def _bought(code: str, group_id: str, client: Client) -> tuple[list[Any], list[Any]]:
    """Return the orders of a group, and how they are paid, where there is anybody to ask."""
    try:
        group = await client.find(code, "order.get-group", {"group_id": str(UUID(group_id))})
    except ValueError:  # of a payment that is for something else
        return [], []
    briefs: list[Any] = group["orders"] if group else []
    found = [await client.find(code, "order.get-order", {"order_id": one["order_id"]}) for one in briefs]
    references = [group_id, f"{group_id}/balance"]
    paid = await client.find(code, "payment.list-payments", {"references": references}) if briefs else None
    return [one for one in found if one], paid["items"] if paid else []
