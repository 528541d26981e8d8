"""Orders, decided: how lines are parted, what a state leads to, what a return is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from uuid import UUID

import msgspec

from isthmus.values import QUANTITY_MAX, Money, allocated, distinct_codes, money, rounded

from . import api

State = api.OrderState
LineKey = tuple[str, bytes]  # a SKU, and what is said of it
BASKET_LINES_MAX = 1_000

TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.PLACED: frozenset({State.PAID, State.CANCELLED, State.EXPIRED}),
    State.PAID: frozenset({State.PART_SHIPPED, State.SHIPPED, State.CANCELLED}),
    State.PART_SHIPPED: frozenset({State.PART_SHIPPED, State.SHIPPED}),
    State.SHIPPED: frozenset({State.COMPLETED}),
    State.COMPLETED: frozenset(),
    State.CANCELLED: frozenset(),
    State.EXPIRED: frozenset(),
}
TERMINAL = frozenset({State.CANCELLED, State.EXPIRED})

RETURN_LEADS_TO: Mapping[api.ReturnState, frozenset[api.ReturnState]] = {
    api.ReturnState.REQUESTED: frozenset({api.ReturnState.APPROVED, api.ReturnState.REJECTED}),
    api.ReturnState.APPROVED: frozenset({api.ReturnState.RECEIVED}),
    api.ReturnState.REJECTED: frozenset(),
    api.ReturnState.RECEIVED: frozenset({api.ReturnState.REFUNDED}),
    api.ReturnState.REFUNDED: frozenset(),
}


def brief(order: api.Order, state: State) -> api.OrderBrief:
    return api.OrderBrief(
        order_id=order.order_id,
        number=order.number,
        state=state,
        part=order.part,
        lines=len(order.lines),
        total=order.total,
    )


def split(keys: Sequence[str]) -> dict[str, list[int]]:
    """Return the lines of each part, parts in the order of their first line."""
    parts: dict[str, list[int]] = {}
    for line, key in enumerate(keys):
        parts.setdefault(key, []).append(line)
    return parts


def goods_of(draft: api.Draft, parts: Mapping[str, Sequence[int]]) -> dict[str, int]:
    """Return what the goods of each part come to, in minor units."""
    return {key: sum([draft.lines[line].total.minor for line in lines]) for key, lines in parts.items()}


def amounts_mismatch(draft: api.Draft, discounts: Sequence[api.DraftDiscount] = ()) -> str:
    """Say where the amounts of a draft do not add up, or nothing."""
    for at, line in enumerate(draft.lines):
        if wrong := line_mismatch(line, at, draft.currency):
            return wrong
    if {draft.delivery_fee.currency, draft.total.currency} != {draft.currency} or draft.delivery_fee.minor < 0:
        return f"a delivery for {draft.delivery_fee} in an order of {draft.total}, in {draft.currency}"
    if draft.delivery_tax and not 0 <= draft.delivery_tax.minor <= draft.delivery_fee.minor:
        return f"a delivery has a tax of {draft.delivery_tax} in {draft.delivery_fee}"
    total = sum([line.total.minor for line in draft.lines]) + draft.delivery_fee.minor
    if total != draft.total.minor:
        return f"the lines and delivery add up to {total}, not {draft.total.minor}"
    return _shares_mismatch(draft, discounts) if discounts else ""


def line_mismatch(line: api.DraftLine, at: int, currency: str) -> str:
    """Say where the amounts of a line are not what they can be, or nothing."""
    if not 0 <= line.discount.minor <= line.amount.minor:
        return f"line {at} has a discount of {line.discount} on {line.amount}"
    if not 0 <= line.tax.minor <= line.total.minor:
        return f"line {at} has a tax of {line.tax} in {line.total}"
    goods = (line.list_amount.currency, line.amount.currency, line.discount.currency)
    return "" if {*goods, line.tax.currency, line.total.currency} == {currency} else f"line {at} is not in {currency}"


def _shares_mismatch(draft: api.Draft, discounts: Sequence[api.DraftDiscount]) -> str:
    off = [0] * len(draft.lines)
    for one in discounts:
        if any(share.line >= len(off) or share.amount.currency != draft.currency for share in one.shares):
            return f"discount {one.promotion!r} has a share of a line that is not there, or not in {draft.currency}"
        if len({share.line for share in one.shares}) < len(one.shares):
            return f"discount {one.promotion!r} has two shares of one line"
        shared = sum(share.amount.minor for share in one.shares)
        if one.target == "lines" and shared != one.amount.minor:
            return f"discount {one.promotion!r} is {one.amount}, and its shares add up to {shared}"
        for share in one.shares:
            off[share.line] += share.amount.minor
    for at, line in enumerate(draft.lines):
        if line.discount.minor != off[at]:
            return f"line {at} has a discount of {line.discount}, and shares of {off[at]}"
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenBack:
    """What the returns of a line that stand, settled or not, come to; worth, tax and discount before any deduction.

    What was due after the deductions is exact, in hundredths of a minor unit; beside it what it was rounded to.
    """

    quantity: int = 0
    worth: int = 0
    tax: int = 0
    discount: int = 0
    due_hundredths: int = 0
    due_tax_hundredths: int = 0
    refund: int = 0
    refund_tax: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What returning so much of a line comes to, in minor units."""

    line: int
    quantity: int
    percent: int  # what the front end gives back of a hundred
    worth: int
    worth_tax: int
    worth_discount: int
    refund: int
    refund_tax: int


def share_of(line: api.OrderLine, before: GivenBack, quantity: int, percent: int) -> Share:
    """Return what giving back so much of a line comes to, after what was given back before.

    Each part is what all goods back so far are worth, rounded once, less what the parts before were. So the parts
    never exceed what was paid, and when the last piece is back they add up to it, whatever was rejected between.
    """

    def part(minor: int, given: int) -> int:
        due = rounded(Fraction(minor * (before.quantity + quantity), line.quantity)) - given
        return max(0, min(due, minor - given))

    worth = part(line.total.minor, before.worth)
    tax = min(part(line.tax.minor, before.tax), worth)
    refund = _owed(before.due_hundredths + worth * percent, before.refund, worth)
    return Share(
        line=line.line,
        quantity=quantity,
        worth=worth,
        worth_tax=tax,
        worth_discount=part(line.discount.minor, before.discount),
        percent=percent,
        refund=refund,
        refund_tax=_owed(before.due_tax_hundredths + tax * percent, before.refund_tax, min(tax, refund)),
    )


def _owed(hundredths: int, before: int, most: int) -> int:
    """Return what is due by now, rounded once, less what was before."""
    return max(0, min(rounded(Fraction(hundredths, 100)) - before, most))


def left_to_return(line: api.OrderLine, before: GivenBack) -> int:
    """Return how much of a line can still be asked back: what was sent, less what returns that stand are about."""
    return max(0, line.shipped + line.closed - before.quantity)


def left_to_send(line: api.OrderLine) -> int:
    """Return how much of a line is still to be sent."""
    return line.quantity - line.shipped - line.closed


@dataclass(frozen=True, slots=True, kw_only=True)
class Remainder:
    """What is left of a line, and what it has of each discount then."""

    line: api.OrderLine
    quantity: int  # 0: the line is gone
    shares: tuple[tuple[int, int], ...]


def taken_out(order: api.Order, lines: Sequence[api.CloseLine]) -> dict[int, int]:
    """Return how much of each line is taken out. Raises IllegalTransition for more than is left of it to be sent."""
    out: dict[int, int] = {}
    for one in lines:  # a line may be named twice: what counts is the sum
        out[one.line] = out.get(one.line, 0) + one.quantity
    if wrong := unshippable(order, out):
        raise api.IllegalTransition(
            what=f"line {wrong[0]} of order {order.number}, with {wrong[1]} left to send,",
            state=order.state,
            wanted=f"{out[wrong[0]]} less",
            path="$.lines",
        )
    return out


def remainder(line: api.OrderLine, units: int, shares: Sequence[tuple[int, int]]) -> Remainder:
    """Return what is left of a line without so many units: its part of all that it came to, each rounded once."""
    left = line.quantity - units

    def part(whole: Money) -> Money:
        return money(rounded(Fraction(whole.minor * left, line.quantity)), whole.currency)

    is_taxed_beyond = line.total != line.amount - line.discount
    total, tax, discount = part(line.total), part(line.tax), part(line.discount)
    parts = allocated(discount.minor, [minor for _, minor in shares]) if shares else ()
    changed = line.replace(
        quantity=left or line.quantity,
        list_amount=part(line.list_amount),
        amount=total + discount - tax if is_taxed_beyond else total + discount,
        discount=discount,
        tax=tax,
        total=total,
        commission=part(line.commission),
        applied=tuple(one if one.amount is None else one.replace(amount=part(one.amount)) for one in line.applied),
    )
    numbers = (discount for discount, _ in shares)
    return Remainder(line=changed, quantity=left, shares=tuple(zip(numbers, parts, strict=True)))


def settled(shares: Sequence[api.RefundShare], refunded: int) -> list[tuple[int, int]]:
    """Share out what was refunded over the lines of a return: each its refund and the tax in it.

    Where all of it was, each line has what it comes to; where less was left, each has its part of that.
    """
    planned = [one.refund.minor for one in shares]
    if refunded == sum(planned):
        return [(one.refund.minor, one.tax.minor) for one in shares]
    parts = allocated(refunded, planned)
    return [
        (part, rounded(Fraction(one.tax.minor * part, one.refund.minor)) if one.refund.minor else 0)
        for part, one in zip(parts, shares, strict=True)
    ]


def booked(minor: int, orders: Sequence[tuple[UUID, int, bool]], first: UUID | None) -> list[tuple[UUID, int]]:
    """Say which orders of a group an amount went back for: each order with what is left of it, and whether it stands.

    The order that it was for comes first, then those that stand in proportion to what is left of them, then the rest.
    It never comes to more than what is left of all.
    """
    tiers = [
        [one for one in orders if one[0] == first],
        [one for one in orders if one[0] != first and one[2]],
        [one for one in orders if one[0] != first and not one[2]],
    ]
    found: list[tuple[UUID, int]] = []
    for tier in tiers:
        left = [max(0, has) for _, has, _ in tier]
        part = min(minor, sum(left))
        if part:
            shares = allocated(part, left)
            found += [(order_id, share) for (order_id, _, _), share in zip(tier, shares, strict=True) if share]
            minor -= part
    return found


def divided(fee: int, goods: Mapping[str, int], weights: Sequence[int]) -> list[int]:
    """Divide a delivery fee over the parts of a group in proportion to weights, to the last minor unit.

    What is left over by rounding goes by the parts' names and not by their place, so that it is no matter which line
    of the basket came first.
    """
    names = list(goods)
    by_name = sorted(range(len(names)), key=lambda at: names[at])
    shares = allocated(fee, [weights[at] for at in by_name])
    found = [0] * len(names)
    for at, share in zip(by_name, shares, strict=True):
        found[at] = share
    return found


def unshippable(order: api.Order, wanted: Mapping[int, int]) -> tuple[int, int] | None:
    """Return the first line of which more is to be sent than is left, and what is left of it."""
    left = {line.line: left_to_send(line) for line in order.lines}
    return next(((line, left.get(line, 0)) for line, count in wanted.items() if count > left.get(line, 0)), None)


def line_key(line: api.BasketLine) -> LineKey:
    """Return what tells a basket's line from others: its SKU and all that is said of it."""
    return line.sku, msgspec.json.encode(line.attributes, order="deterministic")


def changed_lines(have: Sequence[api.BasketLine], wanted: Sequence[api.SetLine]) -> list[api.BasketLine]:
    """Return a basket's lines after quantities were set; 0 takes a line out.

    What says no attributes means the line of its SKU, whatever is said of that; to be taken out, all of them. Raises
    LineUnclear where it would set one of several.
    """
    lines = {line_key(line): line for line in have}
    of_sku: dict[str, list[LineKey]] = {}
    for key in lines:
        of_sku.setdefault(key[0], []).append(key)
    for at, one in enumerate(wanted):
        keys = of_sku.setdefault(one.sku, [])
        own = line_key(api.BasketLine(sku=one.sku, quantity=1, attributes=one.attributes or {}))
        meant = list(keys) if one.attributes is None and keys else [own]
        if one.quantity and len(meant) > 1:
            raise api.LineUnclear(sku=one.sku, lines=len(meant), path=f"$.lines[{at}].attributes")
        for key in meant:
            if not one.quantity:
                lines.pop(key, None)
                keys[:] = [kept for kept in keys if kept != key]
                continue
            if key not in lines:
                keys.append(key)
            attributes = lines[key].attributes if key in lines else one.attributes or {}
            lines[key] = api.BasketLine(sku=one.sku, quantity=one.quantity, shown=one.shown, attributes=attributes)
    return list(lines.values())


def merged_lines(one: Sequence[api.BasketLine], other: Sequence[api.BasketLine]) -> list[api.BasketLine]:
    """Return the lines of two baskets; quantities of what is the same in all that is said of it add up.

    What both were shown to cost adds up too; nothing was shown where one of them was not. Raises QuantityTooLarge for
    more than a line may hold.
    """
    lines = {line_key(line): line for line in one}
    for line in other:
        have = lines.get(line_key(line))
        lines[line_key(line)] = line if have is None else _added(have, line)
    return list(lines.values())


def _added(one: api.BasketLine, other: api.BasketLine) -> api.BasketLine:
    quantity = one.quantity + other.quantity
    if quantity > QUANTITY_MAX:
        raise api.QuantityTooLarge(sku=one.sku, quantity=quantity, most=QUANTITY_MAX, path="$.from_basket_id")
    shown = None if one.shown is None or other.shown is None else one.shown + other.shown
    return api.BasketLine(
        sku=one.sku,
        quantity=quantity,
        shown=shown,
        shown_lines=one.shown_lines + other.shown_lines,
        attributes=one.attributes,
    )


def merged_coupons(one: Sequence[str], other: Sequence[str]) -> tuple[str, ...]:
    """Return the coupons of two baskets, each once. Raises TooManyCoupons for more than a basket may have."""
    coupons = distinct_codes([*one, *other])
    if len(coupons) > api.COUPONS_MAX:
        raise api.TooManyCoupons(coupons=len(coupons), most=api.COUPONS_MAX, path="$.from_basket_id")
    return coupons
