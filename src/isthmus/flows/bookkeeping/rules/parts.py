"""What a part of a line comes to: delivered, come back, or never to come."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from isthmus.packs.order import api as order
from isthmus.values import Money, money, rounded

from ..api.model import PromotionShare, SoldLine

DELIVERY, EXEMPT = "delivery", "exempt"
CODE_MAX = 40  # longer codes are cut: an account has few letters


@dataclass(frozen=True, slots=True)
class Worth:
    """What so much of a line comes to, in minor units."""

    total: int = 0
    tax: int = 0
    discount: int = 0
    commission: int = 0

    def __sub__(self, other: Worth) -> Worth:
        return Worth(
            self.total - other.total,
            self.tax - other.tax,
            self.discount - other.discount,
            self.commission - other.commission,
        )


def whole(line: order.OrderLine) -> Worth:
    return Worth(line.total.minor, line.tax.minor, line.discount.minor, line.commission.minor)


def delivered(line: order.OrderLine, shipped: int, closed: int, never_came: Worth) -> Worth:
    """Return what was delivered of a line when so much had left, rounded once.

    Once the rest is known never to come, it is all but what goes back for that: to the cent what the buyer pays.
    """
    if not shipped:
        return Worth()
    if shipped + closed >= line.quantity:
        return whole(line) - never_came
    share = Fraction(shipped, line.quantity)
    return Worth(*(rounded(share * part) for part in _parts(whole(line))))


def never_came(line: order.OrderLine, closings: Iterable[order.Return], closed: int) -> Worth:
    """Return what goes back for goods of a line that never come."""
    shares = [one for back in closings for one in back.shares if one.line == line.line]
    return Worth(
        total=sum(one.worth.minor for one in shares),
        tax=sum(one.tax.minor for one in shares),
        discount=sum(one.discount.minor for one in shares),
        commission=commission_of(line, closed),
    )


def owed_anyway(sold: order.Order, refunds: Sequence[order.Refunded], fee: Money) -> Money:
    """Return what of the last refund a cancelled order was owed: so much less goes back when its own money does."""
    given = sum(one.amount.minor for one in refunds if one.cause == str(sold.order_id))
    others = sum(one.amount.minor for one in refunds) - given

    def owed(others: int) -> int:
        return max(0, min(sold.total - fee, sold.total - money(others, sold.currency)).minor - given)

    return money(owed(others - refunds[-1].amount.minor) - owed(others), sold.currency)


def commission_of(line: order.OrderLine, units: int) -> int:
    """Return what of a line's commission goes back for so many units, as the order reckons it."""
    return (2 * line.commission.minor * units + line.quantity) // (2 * line.quantity)


def discount_of(line: order.OrderLine, units: int) -> int:
    """Return what of a line's discount came off so many units."""
    return rounded(Fraction(line.discount.minor * units, line.quantity))


def sold_line(
    line: order.DraftLine, place: int, worth: Worth, currency: str, jurisdiction: str, off_before: int = 0
) -> SoldLine:
    """Return what is told of a part of a line; `off_before` is the discount of the parts that were told before."""
    commission = line.commission.minor if isinstance(line, order.OrderLine) else worth.commission
    taxed = line.taxed or order.Taxed(jurisdiction=jurisdiction, category=line.tax_category)
    return SoldLine(
        line=place,
        sku=line.sku,
        seller=line.seller,
        tax_category=taxed.category,
        jurisdiction=_place_of(taxed, jurisdiction),
        taxed_at=taxed_at(taxed),
        total=money(worth.total, currency),
        tax=money(worth.tax, currency),
        discount=money(worth.discount, currency),
        commission=money(worth.commission, currency),
        is_for_another=commission > 0,
        promotions=tuple(
            PromotionShare(promotion=name, amount=money(minor, currency))
            for name, minor in promotions_of(line, off_before, off_before + worth.discount)
            if minor
        ),
    )


def delivery_line(fee: Money, tax: Money | None, taxed: order.Taxed | None, jurisdiction: str) -> SoldLine | None:
    """Return a fee for delivery as it was taxed; nothing where there is none."""
    if not fee.minor:
        return None
    nothing = money(0, fee.currency)
    taxed = taxed or order.Taxed(jurisdiction=jurisdiction, category=DELIVERY)
    return SoldLine(
        sku="",
        seller="",
        tax_category=taxed.category,
        jurisdiction=_place_of(taxed, jurisdiction),
        taxed_at=taxed_at(taxed),
        total=fee,
        tax=tax or nothing,
        discount=nothing,
        commission=nothing,
    )


def taxed_at(taxed: order.Taxed) -> str:
    """Return the rate in percent, or the code that a reason begins with why there is none: `19`, `VATEX-EU-AE`."""
    if taxed.exempt_because:
        reason = taxed.exempt_because.partition(":")[0].strip().upper()
        return reason[:CODE_MAX] if reason.startswith("VATEX-") else EXEMPT
    if taxed.rate_ppm is None:
        return ""
    whole, part = divmod(taxed.rate_ppm, 10_000)
    return f"{whole}.{part:04}".rstrip("0").rstrip(".")


def _place_of(taxed: order.Taxed, goes_to: str) -> str:
    """Return whose tax it is: of where goods go, within whose rates held; else of whose rates were chosen."""
    within = goes_to == taxed.jurisdiction or goes_to.startswith(f"{taxed.jurisdiction}-")
    return goes_to if within else taxed.jurisdiction


def promotions_of(line: order.DraftLine, before: int, after: int) -> list[tuple[str, int]]:
    """Divide what came off a part of a line over its promotions: of its whole discount from one amount to another.

    The parts of a promotion add up to what it took off the line, those of a part of the line to its discount.
    """
    whole, reached, found = line.discount.minor, 0, list[tuple[str, int]]()

    def cut(sum_: int) -> int:
        booked, due = (rounded(Fraction(sum_ * off, whole)) for off in (before, after))
        return due - booked

    for name, minor in _taken_off(line):
        found.append((name, cut(reached + minor) - cut(reached)))
        reached += minor
    return found


def _taken_off(line: order.DraftLine) -> list[tuple[str, int]]:
    """Return what each promotion took off a line: they stand behind what price rules did, and make up its discount."""
    found, left = list[tuple[str, int]](), line.discount.minor
    for one in reversed(line.applied):
        if left <= 0 or one.amount is None:
            break
        found.append((one.by, -one.amount.minor))
        left += one.amount.minor
    return found[::-1]


def total_of(lines: Sequence[SoldLine], currency: str) -> Money:
    return money(sum(line.total.minor for line in lines), currency)


def _parts(worth: Worth) -> tuple[int, ...]:
    return worth.total, worth.tax, worth.discount, worth.commission
