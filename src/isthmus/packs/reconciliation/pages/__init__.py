"""Differences between files and what we believe: how old they are, who sees to them, and what resolves them."""

from __future__ import annotations

from typing import Any, Final

from isthmus.kernel import errors
from isthmus.language import mark
from isthmus.pages import BIGINT_MAX, Asked, Client, GoTo, Shown
from isthmus.values import whole_number

LIST: Final = "reconciliation.list-differences"
KINDS: Final = ("missing-here", "missing-there", "amount", "fee", "currency", "duplicate", "late")
NEXT: Final = {  # what to do about each kind
    "missing-here": mark("We know nothing of it: ask the provider what it is, and book it, or have it taken back."),
    "missing-there": mark("The provider has not said it yet: wait for the next file, or ask."),
    "amount": mark("Book the difference, or have the provider correct it."),
    "fee": mark("Book what was kept more, on expenses:payment-fees."),
    "currency": mark("Book an exchange with ledger.exchange, and resolve this without an account."),
    "duplicate": mark("Ask the provider which of the two counts."),
    "late": mark("Nothing to book: see why it took so long."),
}
SHOWN: Final = (
    *(mark("missing here"), mark("missing there"), mark("amount"), mark("fee"), mark("currency"), mark("duplicate")),
    mark("late"),
)
PAGE_SIZE: Final = 50


async def show(request: Asked, client: Client) -> Shown:
    return await _shown(request, client)


async def act(request: Asked, client: Client) -> Shown | GoTo:
    """Assign a difference to somebody, or resolve it."""
    fields = request.form
    code, name = fields.get("front_end", ""), fields.get("act", "")
    number = whole_number(fields.get("difference_id", ""), 1, BIGINT_MAX)
    if name == "assign":
        ask: dict[str, Any] = {"owner": fields.get("owner", "")}
    elif name == "resolve":
        ask = {"note": fields.get("note", ""), "account": fields.get("account", "")}
    else:
        raise errors.NotFound(f"a difference has no act {name!r}", remedy="assign it, or resolve it")
    try:
        await client.call(code, f"reconciliation.{name}", {"difference_id": number, **ask})
    except errors.Refusal as refused:
        return await _shown(request, client, refused, code)
    return GoTo("/differences", {"front_end": code, "done": name})


async def _shown(request: Asked, client: Client, refused: errors.Refusal | None = None, chosen: str = "") -> Shown:
    codes = client.users(LIST)
    asked = {name: request.query_params.get(name, "").strip() for name in ("kind", "provider")}
    code = chosen or request.query_params.get("front_end", "").strip() or next(iter(codes), "")
    page: dict[str, Any] = {"items": [], "next_cursor": None}
    files: dict[str, Any] = {"items": []}
    if code:
        cursor = whole_number(request.query_params.get("cursor", ""), 1, BIGINT_MAX)
        page = await client.call(code, LIST, {**asked, "cursor": cursor, "limit": PAGE_SIZE})
        files = await client.call(code, "reconciliation.list-files", {"limit": 10})
    done = {"assign": mark("It has an owner now."), "resolve": mark("The difference is resolved.")}
    return {
        "asked": asked,
        "codes": codes,
        "code": code,
        "kinds": KINDS,
        "next": NEXT,
        "page": page,
        "files": files["items"],
        "done": done.get(request.query_params.get("done", ""), ""),
        "refused": refused,
    }
