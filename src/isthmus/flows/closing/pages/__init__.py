"""Closing on a page: what is still to be done, each with where to do it, what stands in the books, and the closing."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from isthmus.kernel import errors
from isthmus.language import mark
from isthmus.pages import Asked, Client, GoTo, Shown

from .taxes import show_tax_return as show_tax_return

CHECKLIST: Final = "closing.get-checklist"
CHECKS: Final = {  # what each check asks for, and the page where it is done
    "books-balance": (mark("All accounts together come to zero"), "/trial-balance"),
    "pending-entries": (mark("No entry is pending: post or void it"), "/entries"),
    "differences": (mark("Every difference with providers and banks is resolved"), "/differences"),
    "settlements-to-approve": (mark("Every settlement is approved"), "/settlements?state=prepared"),
    "files-to-send": (mark("Every approved payout is in a file"), "/settlements?state=approved"),
}
AGED: Final = ("liabilities:customers", "liabilities:sellers", "assets:front-ends", "liabilities:front-ends")


async def show(request: Asked, client: Client) -> Shown:
    return await _shown(request, client)


async def close(request: Asked, client: Client) -> Shown | GoTo:
    """Close the days that were looked at."""
    code, day = request.form.get("front_end", ""), request.form.get("closed_through", "")
    ask = {"closed_through": day, "despite": request.form.get("despite", "")}
    try:
        await client.call(code, "closing.close", ask)
    except errors.Refusal as refused:
        return await _shown(request, client, refused, code, day)
    return GoTo("/closing", {"front_end": code, "done": "closed"})  # on to the next month


async def _shown(
    request: Asked, client: Client, refused: errors.Refusal | None = None, code: str = "", day: str = ""
) -> Shown:
    codes = client.users(CHECKLIST)
    code = code or request.query_params.get("front_end", "").strip() or next(iter(codes), "")
    period: dict[str, Any] = (await client.find(code, "ledger.get-period", {}) if code else None) or {}
    closed: str | None = period.get("closed_through")
    day = (
        day
        or request.query_params.get("closed_through", "").strip()
        or month_to_close(closed, datetime.now(UTC).date())
    )
    found = await client.call(code, CHECKLIST, {"closed_through": day}) if code else None
    ages: list[Any] = []
    for below in AGED if code else ():
        aged = await client.find(code, "ledger.age-balances", {"below": below, "on": day})
        ages += aged["lines"] if aged else []
    return {
        "codes": codes,
        "code": code,
        "day": day,
        "found": found,
        "checks": CHECKS,
        "ages": ages,
        "closed": closed,
        "may_close": bool(code) and client.may(code, "closing.close") and (not closed or closed < day),
        "refused": refused,
        "done": request.query_params.get("done", ""),
    }


def month_to_close(closed: str | None, today: date) -> str:
    """Return the last day of the month that is to be closed next: the first after what is closed, if it is over."""
    last = _month_before(today)
    if closed:
        first_open = date.fromisoformat(closed) + timedelta(days=1)
        last = min(last, _month_before(first_open.replace(day=1) + timedelta(days=31)))
    return last.isoformat()


def _month_before(day: date) -> date:
    return day.replace(day=1) - timedelta(days=1)
