"""The figures of a tax return on a page, each with the entries behind it, and as a file."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from isthmus.kernel import decode, encode, errors
from isthmus.pages import Asked, Client, Shown

from .. import api
from ..rules import csv_of

TAX_RETURN: Final = "closing.tax-return"


async def show_tax_return(request: Asked, client: Client) -> Shown:
    """Show the days that are asked for; else the month that was over last."""
    codes = client.users(TAX_RETURN)
    code = request.query_params.get("front_end", "").strip() or next(iter(codes), "")
    until = datetime.now(UTC).date().replace(day=1) - timedelta(days=1)
    days = {"since": until.replace(day=1).isoformat(), "until": until.isoformat()}
    days = {name: request.query_params.get(name, "").strip() or day for name, day in days.items()}
    found: dict[str, Any] | None = None
    refused: errors.Refusal | None = None
    try:
        found = await client.call(code, TAX_RETURN, days) if code else None
    except errors.Refusal as error:
        refused = error
    file = csv_of(decode(encode(found), api.TaxReturn)) if found else ""
    return {"codes": codes, "code": code, "days": days, "found": found, "refused": refused, "file": file}
