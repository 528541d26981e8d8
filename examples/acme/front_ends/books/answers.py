"""The rules of Books: each answers one extension point, alone."""

from __future__ import annotations

from acme.packs.loyalty import api as loyalty

from isthmus.kernel import PASS, Pass, answers
from isthmus.packs.notification import api as notification

STAMP_EVERY_MINOR = 1_000


@answers(loyalty.stamps_for)
def a_stamp_for_ten_euros(ask: loyalty.Stamp) -> int:
    """Give a stamp for each ten euros: books cost more than coffee."""
    return ask.spent_minor // STAMP_EVERY_MINOR


@answers(notification.compose)
def thanks_for_reading(draft: notification.Draft) -> notification.Content | Pass:
    """Thank for an order with the titles that were chosen; all else is said as it comes."""
    if draft.kind != "order.placed":
        return PASS
    titles = ", ".join(one.title for one in draft.items)
    return notification.Content(subject=f"Your order {draft.facts['number']}", text=f"Enjoy reading {titles}.")
