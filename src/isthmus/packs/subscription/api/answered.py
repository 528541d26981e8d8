"""What front ends answer of subscriptions."""

from __future__ import annotations

from isthmus.kernel import Pass, combine, extension_point
from isthmus.values import CHANNEL, ORDER_KIND, Money

_BOX = (ORDER_KIND, CHANNEL)


@extension_point("subscription.keep-prices", combine=combine.first_answer, dimensions=_BOX)
def keep_prices(every_days: int) -> bool | Pass:
    """Say whether goods cost every time what was agreed; otherwise each order costs what it costs on its day."""
    return False


@extension_point("subscription.accept-substitutes", combine=combine.first_answer, dimensions=_BOX)
def accept_substitutes(every_days: int) -> bool | Pass:
    """Say whether others come instead of what is short; otherwise, and where there are none, the line is left out."""
    return False


@extension_point("subscription.retry-days", combine=combine.first_answer, dimensions=_BOX)
def retry_days(amount: Money) -> tuple[int, ...] | Pass:
    """Say after how many days a refused payment is tried again, each time; with the last refusal it is paused."""
    return (1, 3)
