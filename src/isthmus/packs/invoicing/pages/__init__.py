"""Invoices on pages: what was issued, what it says, and the documents of it."""

from __future__ import annotations

from typing import Any, Final

from isthmus.language import mark
from isthmus.pages import Asked, Client, Shown

LIST: Final = "invoicing.list-invoices"
KINDS: Final = (mark("invoice"), mark("credit-note"))
FORMS: Final = (("factur-x", "PDF (Factur-X)"), ("ubl", "UBL"), ("cii", "CII"))
PAGE_SIZE: Final = 50


async def show_list(request: Asked, client: Client) -> Shown:
    codes = client.users(LIST)
    asked = {
        name: request.query_params.get(name, "").strip() for name in ("kind", "subject", "since", "until", "cursor")
    }
    code = request.query_params.get("front_end", "").strip() or next(iter(codes), "")
    page: dict[str, Any] = {"items": [], "next_cursor": None}
    if code:
        page = await client.call(code, LIST, {**asked, "limit": PAGE_SIZE})
    return {"asked": asked, "codes": codes, "code": code, "page": page, "kinds": KINDS}


async def show_one(request: Asked, client: Client) -> Shown:
    """Show an invoice; the document that is asked for is on the page, to be saved."""
    code, invoice_id = request.path_params["front_end"], request.path_params["invoice_id"]
    one = await client.call(code, "invoicing.get-invoice", {"invoice_id": invoice_id})
    notes = await client.call(code, LIST, {"corrects": one["number"]})
    form = request.query_params.get("form", "")
    document = None
    if form in dict(FORMS):
        document = await client.call(code, "invoicing.get-document", {"invoice_id": invoice_id, "form": form})
    orders = {
        subject
        for subject in one["subjects"][:PAGE_SIZE]
        if await client.find(code, "order.get-order", {"order_id": subject})
    }
    return {"code": code, "one": one, "notes": notes["items"], "orders": orders, "forms": FORMS, "document": document}
