"""Renewals, decided: what is asked for a period, and what its member is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Final

from isthmus.flows.checkout import api as checkout
from isthmus.language import ENGLISH, LANGUAGES, Catalogue, choose, mark
from isthmus.packs.subscription import api as subscription
from isthmus.values import Money

from . import api

TOPIC: Final = "order"
KIND: Final = "subscription.refused"
_TEXTS: Final = {one: Catalogue(("isthmus.flows.renewals",), one.locale) for one in LANGUAGES if one is not ENGLISH}
_SUBJECT: Final = mark("Your subscription rests")
_TEXT: Final = mark(
    "We could not take the payment for your subscription, so we order nothing more. "
    "Choose another way to pay, and resume it when you like."
)


def order_of(
    begun: subscription.Begun, kept: subscription.Subscription, *, substitutes: bool, pay_before: datetime
) -> checkout.PlaceAgreed:
    """Return the ask that orders what is subscribed to."""
    lines = tuple(checkout.BuyLine(sku=one.sku, quantity=one.quantity, attributes=one.attributes) for one in kept.lines)
    ask = checkout.PlaceOrder(
        currency=kept.currency,
        lines=lines,
        member_id=kept.member_id,
        contact_email=begun.contact_email,
        address=kept.address,
        delivery_method=kept.delivery_method,
        accepts_substitutes=substitutes,
        order_kind=kept.order_kind,
        channel=kept.channel,
        attributes=kept.attributes,
    )
    return checkout.PlaceAgreed(
        order=ask,
        pay_before=pay_before,
        agreed=tuple(one.agreed for one in kept.lines),
        skips_short=True,
    )


def pay_before(now: datetime, retry_days: Sequence[int]) -> datetime:
    """Return until when goods are held: past the last try."""
    return now + timedelta(days=sum(retry_days)) + api.HELD_LONGER


def try_after(retry_days: Sequence[int], refusals: int) -> int | None:
    """Return after how many days a payment that was refused once more is tried again; None: that was the last time."""
    return retry_days[refusals] if refusals < len(retry_days) else None


def agreed_for(
    lines: Sequence[subscription.SubscribedLine], before: Sequence[subscription.KeptLine], now: Mapping[int, Money]
) -> tuple[subscription.KeptLine, ...]:
    """Return lines with what they cost every time: as agreed before, in proportion; what is new, as it costs now."""
    known = {one.sku: one for one in before if one.agreed is not None}
    return tuple(
        subscription.KeptLine(
            sku=line.sku,
            quantity=line.quantity,
            attributes=line.attributes,
            agreed=_in_proportion(known[line.sku], line.quantity) if line.sku in known else now.get(at),
        )
        for at, line in enumerate(lines)
    )


def _in_proportion(before: subscription.KeptLine, quantity: int) -> Money | None:
    return before.agreed and before.agreed.times(Fraction(quantity, before.quantity))


def written(language: str) -> tuple[str, str]:
    """Return subject and text of what a member is told whose payment was refused at last, in their language."""
    found = _TEXTS.get(choose(None, language))
    return tuple(found.get(one) if found else one for one in (_SUBJECT, _TEXT))  # type: ignore[return-value]
