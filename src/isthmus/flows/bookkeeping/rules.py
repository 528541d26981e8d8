"""What is booked, decided: amounts of what was delivered or came back, and the accounts that they move."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import get_args

from isthmus.kernel import Pass
from isthmus.packs.ledger import api as ledger
from isthmus.packs.order import api as order
from isthmus.values import Money, composed, money, rounded

from .api.model import DueLine, Happening, Kind, Owed, PromotionShare, SoldLine

CLEARING, CUSTOMERS, SELLERS = "assets:clearing", "liabilities:customers", "liabilities:sellers"
CREDIT = "liabilities:credit"

Sums = dict[tuple[str, str], int]


def postings(happening: Happening) -> tuple[ledger.EntryLeg, ...]:
    """Return the legs of the default chart: of each account one, without those that come to nothing."""
    sums: Sums = {}
    _BY_KIND[happening.kind](happening, sums)
    currency = happening.amount.currency
    return tuple(
        ledger.EntryLeg(account=account, owner=owner, amount=money(minor, currency))
        for (account, owner), minor in sums.items()
        if minor
    )


DUE = (SELLERS, "liabilities:front-ends", "assets:front-ends")  # accounts of what is settled with others


def due(happening: Happening, legs: Sequence[ledger.EntryLeg], reference: str) -> tuple[DueLine, ...]:
    """Return what an entry makes due to others, by line: of each owner exactly what the entry has on its accounts."""
    sums: Sums = {}
    for leg in legs:
        if leg.account in DUE and leg.owner and leg.amount.currency == happening.amount.currency:
            _add(sums, "", -leg.amount.minor, leg.owner)
    found: list[DueLine] = []
    for (_, owner), minor in sums.items():
        own = [] if happening.owed else [line for line in happening.lines if f"seller/{line.seller}" == owner]
        found += [_due_line(line, owner, reference, happening) for line in own]
        rest = minor - sum(one.gross.minor - one.commission.minor for one in found if one.owner == owner)
        if rest:
            nothing, amount = (money(one, happening.amount.currency) for one in (0, rest))
            found.append(DueLine(reference=f"{reference}/{owner}", owner=owner, gross=amount, commission=nothing))
    return tuple(one for one in found if one.gross.minor or one.commission.minor)


def _due_line(line: SoldLine, owner: str, reference: str, happening: Happening) -> DueLine:
    """Return what a line makes due: what comes back is negative."""
    gross = line.total - line.tax
    is_back = happening.kind == "goods-returned"
    return DueLine(
        reference=f"{reference}/{line.line}",
        owner=owner,
        gross=-gross if is_back else gross,
        commission=-line.commission if is_back else line.commission,
        line=line.line,
    )


def _add(sums: Sums, account: str, minor: int, owner: str = "") -> None:
    sums[account, owner] = sums.get((account, owner), 0) + minor


def _taken(one: Happening, sums: Sums) -> None:
    provider = f"provider/{code(one.provider or one.method or 'unknown')}"
    fee = one.fee.minor if one.fee else 0
    _add(sums, CLEARING, one.amount.minor - fee, provider)
    _add(sums, "expenses:payment-fees", fee)
    _add(sums, CUSTOMERS, -one.amount.minor)


def _given_back(one: Happening, sums: Sums) -> None:
    provider = f"provider/{code(one.provider or one.method or 'unknown')}"
    _add(sums, CUSTOMERS if one.is_for_goods else "income:allowances", one.amount.minor)
    _add(sums, CLEARING, -one.amount.minor, provider)


def _delivered(one: Happening, sums: Sums) -> None:
    _add(sums, CUSTOMERS, one.amount.minor)
    for line in one.lines:
        net = line.total.minor - line.tax.minor
        _add(sums, f"liabilities:tax:{code(line.jurisdiction or 'home')}:{code(line.tax_category)}", -line.tax.minor)
        if line.is_for_another:  # income is what is kept
            _add(sums, SELLERS, line.commission.minor - net, f"seller/{line.seller}")
            _add(sums, "income:commission", -line.commission.minor)
        else:
            _add(sums, "income:sales", -net - line.discount.minor)
            _add(sums, "expenses:discounts", line.discount.minor)
    if one.delivery_fee is not None:
        _add(sums, "income:delivery", -one.delivery_fee.minor)


def _come_back(one: Happening, sums: Sums) -> None:
    _add(sums, CUSTOMERS, -one.amount.minor)
    for line in one.lines:
        net = line.total.minor - line.tax.minor
        _add(sums, f"liabilities:tax:{code(line.jurisdiction or 'home')}:{code(line.tax_category)}", line.tax.minor)
        if line.is_for_another:
            _add(sums, SELLERS, net - line.commission.minor, f"seller/{line.seller}")
            _add(sums, "income:commission", line.commission.minor)
        else:
            _add(sums, "income:returns", net)


def _cancelled(one: Happening, sums: Sums) -> None:
    fee = one.fee.minor if one.fee else 0
    _add(sums, CUSTOMERS, one.amount.minor)
    _add(sums, "income:cancellation-fees", -fee)
    _add(sums, "income:allowances", fee - one.amount.minor)


def _forfeited(one: Happening, sums: Sums) -> None:
    _add(sums, CUSTOMERS, one.amount.minor)
    _add(sums, "income:forfeited-deposits", -one.amount.minor)


def _points(one: Happening, sums: Sums) -> None:
    worth = one.amount.minor if one.points > 0 else -one.amount.minor
    _add(sums, "expenses:points", worth)
    _add(sums, "liabilities:points", -worth)


def _honoured(one: Happening, sums: Sums) -> None:
    """Who gave the points pays for them: spending them was no expense of this front end."""
    for other in one.owed:
        _add(sums, "assets:front-ends", other.amount.minor, other.owner)
    _add(sums, "expenses:points", -one.amount.minor)


def _lapsed(one: Happening, sums: Sums) -> None:
    _add(sums, "liabilities:points", one.amount.minor)
    _add(sums, "expenses:points", -one.amount.minor)


def _stock_sold(one: Happening, sums: Sums) -> None:
    for other in one.owed:
        _add(sums, "assets:front-ends", other.amount.minor, other.owner)
    _add(sums, "income:stock-sold", -one.amount.minor)


def _stock_bought(one: Happening, sums: Sums) -> None:
    _add(sums, "expenses:stock-bought", one.amount.minor)
    for other in one.owed:
        _add(sums, "liabilities:front-ends", -other.amount.minor, other.owner)


def _owe_for_cards(one: Happening, minor: int, sums: Sums) -> None:
    """Owe so much more on cards: to who has them, or to whose programme it is and who will owe it to them."""
    for other in one.owed:
        _add(sums, "liabilities:front-ends" if minor > 0 else "assets:front-ends", -minor, other.owner)
    if not one.owed:
        _add(sums, CREDIT, -minor)


def _card_sold(one: Happening, sums: Sums) -> None:
    _add(sums, CUSTOMERS, one.amount.minor)
    _owe_for_cards(one, one.amount.minor, sums)


def _card_given(one: Happening, sums: Sums) -> None:
    _add(sums, "expenses:credit-given", one.amount.minor)
    _owe_for_cards(one, one.amount.minor, sums)


def _card_redeemed(one: Happening, sums: Sums) -> None:
    """What a card paid is not at a provider: it is owed less, here or by whose programme it is."""
    _add(sums, CLEARING, one.amount.minor, f"provider/{code(one.provider)}")
    _owe_for_cards(one, one.amount.minor, sums)


def _card_expired(one: Happening, sums: Sums) -> None:
    _add(sums, CREDIT, -one.amount.minor)
    _add(sums, "income:expired-credit", one.amount.minor)


def _card_moved_elsewhere(one: Happening, sums: Sums) -> None:
    """What was sold elsewhere is owed here, and to be had from there; what was taken there is owed there."""
    for other in one.owed:
        account = "assets:front-ends" if one.amount.minor > 0 else "liabilities:front-ends"
        _add(sums, account, one.amount.minor, other.owner)
    _add(sums, CREDIT, -one.amount.minor)


def _borne(one: Happening, sums: Sums) -> None:
    for other in one.owed:
        account = "assets:front-ends" if other.owner.startswith("front-end/") else "assets:bearers"
        _add(sums, account, other.amount.minor, other.owner)
    _add(sums, "expenses:discounts", -one.amount.minor)


_BY_KIND: Mapping[str, Callable[[Happening, Sums], None]] = {
    "payment-captured": _taken,
    "payment-received": _taken,
    "payment-refunded": _given_back,
    "goods-delivered": _delivered,
    "goods-returned": _come_back,
    "order-cancelled": _cancelled,
    "deposit-forfeited": _forfeited,
    "points-moved": _points,
    "points-honoured": _honoured,
    "points-lapsed": _lapsed,
    "stock-sold": _stock_sold,
    "stock-bought": _stock_bought,
    "discount-borne": _borne,
    "credit-sold": _card_sold,
    "credit-given": _card_given,
    "credit-redeemed": _card_redeemed,
    "credit-expired": _card_expired,
    "credit-moved-elsewhere": _card_moved_elsewhere,
}


def code(text: str) -> str:
    """Return a text as a segment of an account's code; with letters that none may have, a digest tells it apart."""
    text = composed(text)
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if not text.isascii():
        plain = f"{plain}-{hashlib.sha256(text.encode()).hexdigest()[:8]}".strip("-")
    return plain or "none"


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
    return SoldLine(
        line=place,
        sku=line.sku,
        seller=line.seller,
        tax_category=line.tax_category,
        jurisdiction=jurisdiction,
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


def samples() -> tuple[tuple[Happening], ...]:
    """Return what a front end's rule is asked before it is deployed: each kind, with amounts that divide unevenly."""
    lines = (_sample("", 0), _sample("seller-1", 101))
    return tuple((_sampled(kind, lines, points),) for kind in get_args(Kind) for points in (3, -3))


def _sample(seller: str, commission: int) -> SoldLine:
    return SoldLine(
        sku="sample",
        seller=seller,
        tax_category="standard",
        jurisdiction="DE",
        total=money(1_003, "EUR"),
        tax=money(161, "EUR"),
        discount=money(97, "EUR"),
        commission=money(commission, "EUR"),
        is_for_another=bool(seller),
        promotions=(PromotionShare(promotion="sample", amount=money(97, "EUR")),),
    )


def _sampled(kind: Kind, lines: tuple[SoldLine, ...], points: int) -> Happening:
    goods, fee = total_of(lines, "EUR"), money(501, "EUR")
    return Happening(
        kind=kind,
        amount=goods if kind == "goods-returned" else goods + fee,
        reference="sample",
        method="card",
        provider="test",
        fee=money(7, "EUR"),
        lines=lines,
        delivery_fee=None if kind == "goods-returned" else fee,
        points=points,
        owed=(Owed(owner="front-end/sample", amount=goods + fee),),
    )


def wrong_with(legs: tuple[ledger.EntryLeg, ...] | Pass) -> str:
    """Return what keeps an answer from being booked, or nothing."""
    if isinstance(legs, Pass):
        return ""  # no opinion: the default is booked
    return str(ledger.fault_of(legs) or "")
