"""Changes of orders, decided: what is taken out, what is added, and what it costs as it was sold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from isthmus.flows.checkout import rules as checkout_rules
from isthmus.packs.catalog import api as catalog
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.packs.pricing import api as pricing
from isthmus.packs.tax import api as tax
from isthmus.values import LineAsk, Money, money, rounded

from . import api

CHANGEABLE = (order.OrderState.PLACED, order.OrderState.PAID, order.OrderState.PART_SHIPPED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a change takes out of an order, and what it adds."""

    out: tuple[order.CloseLine, ...]
    added: tuple[LineAsk, ...]
    attributes: tuple[dict[str, Any], ...]  # of each added line


def wanted(sold: order.Order, ask: api.ChangeOrder) -> Wanted:
    """Return what a change comes to. Raises UnknownLine for lines that there are not, NothingToChange for none."""
    lines = {line.line: line for line in sold.lines}
    out: list[order.CloseLine] = []
    added: list[LineAsk] = []
    attributes: list[dict[str, Any]] = []
    for at, one in enumerate(ask.lines):
        if one.line not in lines or any(other.line == one.line for other in ask.lines[:at]):
            raise order.UnknownOrder(what=f"{sold.number} with one line {one.line}", path=f"$.lines[{at}].line")
        line = lines[one.line]
        more = one.quantity - (line.quantity - line.closed)
        if more < 0:
            out.append(order.CloseLine(line=one.line, quantity=-more))
        if more > 0:
            added.append(LineAsk(sku=line.sku, quantity=more))
            attributes.append(line.attributes)
    added += [LineAsk(sku=one.sku, quantity=one.quantity) for one in ask.added]
    attributes += [one.attributes for one in ask.added]
    if not out and not added:
        raise api.NothingToChange(number=sold.number)
    return Wanted(out=tuple(out), added=tuple(added), attributes=tuple(attributes))


def as_a_whole(sold: order.Order, added: Sequence[LineAsk]) -> tuple[LineAsk, ...]:
    """Return added lines in the quantities that the order has of their SKUs then: bounds of an offer are of those."""
    have: dict[str, int] = {}
    for line in sold.lines:
        have[line.sku] = have.get(line.sku, 0) + line.quantity - line.closed
    for one in added:
        have[one.sku] = have.get(one.sku, 0) + one.quantity
    return tuple(LineAsk(sku=one.sku, quantity=have[one.sku]) for one in added)


def kept_price(sold: order.Order, one: LineAsk, said: dict[str, Any]) -> tuple[Money, Money] | None:
    """Return what more of a line costs as it was sold, by the list and by the rules; None where it was not.

    A line is the same where its SKU is, and what is said of it: a ring with another engraving may cost something else.
    """
    line = next((line for line in sold.lines if (line.sku, line.attributes) == (one.sku, said)), None)
    if line is None:
        return None
    share = Fraction(one.quantity, line.quantity)
    amounts = (rounded(share * amount.minor) for amount in (line.list_amount, line.amount))
    by_list, by_rules = (money(minor, sold.currency) for minor in amounts)
    return by_list, by_rules


def priced(sold: order.Order, want: Wanted, fresh: Sequence[pricing.PricedLine]) -> list[tuple[Money, Money]]:
    """Return what each added line costs, by the list and by the rules: as it was sold, or as it was quoted."""
    quoted = iter(fresh)
    found: list[tuple[Money, Money]] = []
    for one, said in zip(want.added, want.attributes, strict=True):
        kept = kept_price(sold, one, said)
        if kept is None:
            line = next(quoted)
            kept = line.list_amount, line.amount
        found.append(kept)
    return found


def draft_lines(
    want: Wanted,
    goods: Sequence[catalog.Sellable],
    prices: Sequence[tuple[Money, Money]],
    taxed: tax.TaxQuote | None,
) -> tuple[order.DraftLine, ...]:
    """Return added lines as they are written down, still without a location."""
    lines: list[order.DraftLine] = []
    for at, (one, good, (by_list, amount)) in enumerate(zip(want.added, goods, prices, strict=True)):
        due = taxed.lines[at] if taxed else None
        nothing = money(0, amount.currency)
        lines.append(
            order.DraftLine(
                sku=one.sku,
                title=good.title,
                quantity=one.quantity,
                unit=good.unit,
                seller=good.seller,
                location="",
                tax_category=good.tax_category,
                list_amount=by_list,
                amount=amount,
                discount=nothing,
                tax=due.tax if due else nothing,
                total=due.gross if due else amount,
                is_returnable=good.is_returnable,
                attributes=want.attributes[at],
                taxed=checkout_rules.taxed_as(taxed, taxed.lines[at]) if taxed else None,
            )
        )
    return tuple(lines)


def as_it_would_be(
    sold: order.Order, out: Sequence[order.CloseLine], added: Sequence[order.DraftLine]
) -> order.CheckDraft:
    """Return an order as it would be after a change, as its front end validates one."""
    gone = {one.line: one.quantity for one in out}
    lines: list[order.DraftLine] = []
    for line in sold.lines:
        left = line.quantity - line.closed - gone.get(line.line, 0)
        if left:
            lines.append(_in_part(line, left))
    lines += added
    total = sum((line.total for line in lines), start=sold.delivery_fee)
    return order.CheckDraft(
        lines=tuple(lines),
        currency=sold.currency,
        delivery_fee=sold.delivery_fee,
        total=total,
        member_id=sold.member_id,
        contact_email=sold.contact_email,
        address=sold.address,
        delivery_method=sold.delivery_method,
        coupons=sold.coupons,
        order_kind=sold.order_kind,
        channel=sold.channel,
        attributes=sold.attributes,
        delivery_tax=sold.delivery_tax,
        delivery_taxed=sold.delivery_taxed,
    )


def _in_part(line: order.OrderLine, left: int) -> order.DraftLine:
    def part(whole: Money) -> Money:
        return money(rounded(Fraction(whole.minor * left, line.quantity)), whole.currency)

    return order.DraftLine(
        sku=line.sku,
        title=line.title,
        quantity=left,
        unit=line.unit,
        seller=line.seller,
        location=line.location,
        tax_category=line.tax_category,
        list_amount=part(line.list_amount),
        amount=part(line.amount),
        discount=part(line.discount),
        tax=part(line.tax),
        total=part(line.total),
        is_returnable=line.is_returnable,
        applied=line.applied,
        attributes=line.attributes,
        taxed=line.taxed,
    )


def worth_of(sold: order.Order, out: Sequence[order.CloseLine], returns: Sequence[order.Return]) -> Money:
    """Return what units that are taken out come to, as the order reckons it: what is left of a line is rounded once."""
    lines = {line.line: line for line in sold.lines}
    worth = 0
    for one in out:
        line = lines[one.line]
        if sold.state is order.OrderState.PLACED:
            left = line.quantity - one.quantity
            worth += line.total.minor - rounded(Fraction(line.total.minor * left, line.quantity))
            continue
        shares = [
            share
            for back in returns
            for share in back.shares
            if share.line == one.line and back.state is not order.ReturnState.REJECTED
        ]
        units = sum(share.quantity for share in shares) + one.quantity
        given = sum(share.worth.minor for share in shares)
        due = rounded(Fraction(line.total.minor * units, line.quantity)) - given
        worth += max(0, min(due, line.total.minor - given))
    return money(worth, sold.currency)


def amounts_due(payments: Sequence[payment.Payment], total: Money) -> list[tuple[str, Money]]:
    """Return what each payment that nobody has begun is to bring, when all come to a total.

    A deposit stays what it was, as far as the total reaches. Raises AlreadyPaid where nothing would be left to pay.
    """
    waiting = [one for one in payments if one.state is payment.PaymentState.OPEN]
    if not waiting:
        raise payment.IllegalStep(state=payments[0].state, wanted="expected anew")
    paid = sum((one.amount for one in payments if one not in waiting), start=money(0, total.currency))
    left = total - paid
    if paid.minor and left.minor <= 0:
        raise api.AlreadyPaid(paid=paid, total=total)
    found: list[tuple[str, Money]] = []
    for one in waiting[:-1]:
        found.append((one.reference, min(one.amount, left)))
        left -= found[-1][1]
    return [*found, (waiting[-1].reference, left)]


def handed_in(sold: order.Order, lines: Sequence[order.HandInLine]) -> tuple[order.ReturnLine, ...]:
    """Return the lines of an order that goods which are handed in come from; none where it has not so many of them."""
    found: list[order.ReturnLine] = []
    left = {line.line: line.shipped - line.returned for line in sold.lines if line.is_returnable}
    for one in lines:
        wanted = one.quantity
        for line in sold.lines:
            units = min(wanted, left.get(line.line, 0)) if line.sku == one.sku else 0
            if units:
                found.append(order.ReturnLine(line=line.line, quantity=units, reason=one.reason))
                left[line.line] = 0
                wanted -= units
        if wanted:
            return ()
    return tuple(found)
