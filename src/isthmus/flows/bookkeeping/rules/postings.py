"""Which accounts a happening moves, by the default chart, and what becomes due by it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence

from isthmus.kernel import Pass
from isthmus.packs.ledger import api as ledger
from isthmus.values import Money, composed, money

from ..api.model import DueLine, Happening, SoldLine

CLEARING, CUSTOMERS, SELLERS = "assets:clearing", "liabilities:customers", "liabilities:sellers"
CREDIT = "liabilities:credit"
STOCK_SOLD, STOCK_BOUGHT = "income:stock-sold", "expenses:stock-bought"
# Memo accounts that come to zero together: what was charged, and what of it is the taxable base and the tax.
TURNOVER, BASE, TAX_ON_IT = "equity:turnover", "equity:turnover:base", "equity:turnover:tax"
OWED_TO_US, OWED_BY_US = "assets:front-ends", "liabilities:front-ends"

Sums = dict[tuple[str, str], int]

_NO_CODE = re.compile(r"[^a-z0-9]+")


def postings(happening: Happening) -> tuple[ledger.EntryLeg, ...]:
    """Return the legs of the default chart: of each account one, without those that come to nothing."""
    sums: Sums = {}
    _BY_KIND[happening.kind](happening, sums)
    currency = happening.amount.currency
    return tuple(
        [
            ledger.EntryLeg(account=account, owner=owner, amount=Money(currency=currency, minor=minor))
            for (account, owner), minor in sums.items()
            if minor
        ]
    )


DUE = (SELLERS, OWED_BY_US, OWED_TO_US)  # accounts of what is settled with others


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
        _add(sums, f"liabilities:tax:{_taxed_by(line)}", -line.tax.minor)
        if line.is_for_another:  # income is what is kept
            _add(sums, SELLERS, line.commission.minor - net, f"seller/{line.seller}")
            _add(sums, "income:commission", -line.commission.minor)
        else:
            _add(sums, "income:sales", -net - line.discount.minor)
            _add(sums, "expenses:discounts", line.discount.minor)
    if one.delivery_fee is not None:
        tax = one.delivery.tax.minor if one.delivery else 0
        _add(sums, "income:delivery", tax - one.delivery_fee.minor)
        if one.delivery:
            _add(sums, f"liabilities:tax:{_taxed_by(one.delivery)}", -tax)
    _keep_turnover((*one.lines, one.delivery) if one.delivery else one.lines, 1, sums)


def _taxed_by(line: SoldLine) -> str:
    return f"{code(line.jurisdiction or 'home')}:{code(line.tax_category)}"


def _keep_turnover(lines: Sequence[SoldLine], sign: int, sums: Sums) -> None:
    """Keep the taxable base and the tax by place, category and rate, as a tax return asks for them."""
    for line in lines:
        if line.taxed_at is None:
            continue
        where = _taxed_by(line) + (f":{code(line.taxed_at)}" if line.taxed_at else "")
        _add(sums, TURNOVER, sign * line.total.minor)
        _add(sums, f"{BASE}:{where}", sign * (line.tax.minor - line.total.minor))
        _add(sums, f"{TAX_ON_IT}:{where}", -sign * line.tax.minor)


def _come_back(one: Happening, sums: Sums) -> None:
    _add(sums, CUSTOMERS, -one.amount.minor)
    for line in one.lines:
        net = line.total.minor - line.tax.minor
        _add(sums, f"liabilities:tax:{_taxed_by(line)}", line.tax.minor)
        if line.is_for_another:
            _add(sums, SELLERS, net - line.commission.minor, f"seller/{line.seller}")
            _add(sums, "income:commission", line.commission.minor)
        else:
            _add(sums, "income:returns", net)
    _keep_turnover(one.lines, -1, sums)


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
    """Who gave the points pays for them: this front end owed nothing for what was booked as spent here."""
    for other in one.owed:
        _add(sums, OWED_TO_US, other.amount.minor, other.owner)
    _add(sums, "liabilities:points", -one.amount.minor)


def _points_gone(one: Happening, sums: Sums) -> None:
    _add(sums, "liabilities:points", one.amount.minor)
    expense = "expenses:points:lapsed" if one.kind == "points-lapsed" else "expenses:points"
    _add(sums, expense, -one.amount.minor)


def _stock_sold(one: Happening, sums: Sums) -> None:
    for other in one.owed:
        _add(sums, OWED_TO_US, other.amount.minor, other.owner)
        _add(sums, STOCK_SOLD, -other.amount.minor, other.owner)


def _stock_bought(one: Happening, sums: Sums) -> None:
    for other in one.owed:
        _add(sums, STOCK_BOUGHT, other.amount.minor, other.owner)
        _add(sums, OWED_BY_US, -other.amount.minor, other.owner)


def _owe_for_cards(one: Happening, minor: int, sums: Sums) -> None:
    """Owe so much more on cards: to who has them, or to whose programme it is and who will owe it to them."""
    for other in one.owed:
        _add(sums, OWED_BY_US if minor > 0 else OWED_TO_US, -minor, other.owner)
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
        account = OWED_TO_US if one.amount.minor > 0 else OWED_BY_US
        _add(sums, account, one.amount.minor, other.owner)
    _add(sums, CREDIT, -one.amount.minor)


def _borne(one: Happening, sums: Sums) -> None:
    for other in one.owed:
        account = OWED_TO_US if other.owner.startswith("front-end/") else "assets:bearers"
        _add(sums, account, other.amount.minor, other.owner)
    _add(sums, "expenses:discounts", -one.amount.minor)


def _owed_elsewhere(one: Happening, sums: Sums) -> None:
    """Book the other side of what another front end has in its books: what it is owed is owed here, and so back."""
    for other in one.owed:
        _add(sums, OWED_BY_US if other.account.startswith("assets:") else OWED_TO_US, -other.amount.minor, other.owner)
        if one.reason in ("stock-sold", "stock-bought"):
            bought = STOCK_BOUGHT if one.reason == "stock-sold" else STOCK_SOLD
            _add(sums, bought, other.amount.minor, other.owner)
        elif one.reason.startswith("settlement-"):
            _add(sums, CLEARING, other.amount.minor, other.owner)  # until it is on the bank account
        else:
            _add(sums, _BORNE_BY.get(one.reason, "expenses:owed-elsewhere"), other.amount.minor)


def _charged_back(one: Happening, sums: Sums) -> None:
    _at_provider(one, -one.amount.minor, sums)
    _add(sums, "assets:chargebacks", one.amount.minor)


def _chargeback_won(one: Happening, sums: Sums) -> None:
    _at_provider(one, one.amount.minor, sums)
    _add(sums, "assets:chargebacks", -one.amount.minor)


def _chargeback_lost(one: Happening, sums: Sums) -> None:
    """What others bear is theirs: of a seller it lessens what the seller is due."""
    _at_provider(one, 0, sums)
    for other in one.owed:
        _add(sums, other.account or SELLERS, other.amount.minor, other.owner)
    borne = sum(other.amount.minor for other in one.owed)
    _add(sums, "expenses:chargebacks", one.amount.minor - borne)
    _add(sums, "assets:chargebacks", -one.amount.minor)


def _at_provider(one: Happening, minor: int, sums: Sums) -> None:
    """Move money at the provider, who keeps a fee of it, or gives one back."""
    fee = one.fee.minor if one.fee else 0
    _add(sums, CLEARING, minor - fee, f"provider/{code(one.provider or 'unknown')}")
    _add(sums, "expenses:chargeback-fees", fee)


POINTS_TAKEN = "points-taken"
_BORNE_BY = {
    POINTS_TAKEN: "expenses:points",
    "points-honoured": "liabilities:points",  # claims of before: those of now tell the points apart (0118)
    "discount-borne": "expenses:discounts",
    "platform-cost": "expenses:platform",
}
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
    "points-lapsed": _points_gone,
    "points-spent-elsewhere": _points_gone,
    "stock-sold": _stock_sold,
    "stock-bought": _stock_bought,
    "discount-borne": _borne,
    "credit-sold": _card_sold,
    "credit-given": _card_given,
    "credit-redeemed": _card_redeemed,
    "credit-expired": _card_expired,
    "credit-moved-elsewhere": _card_moved_elsewhere,
    "owed-elsewhere": _owed_elsewhere,
    "chargeback-opened": _charged_back,
    "chargeback-won": _chargeback_won,
    "chargeback-lost": _chargeback_lost,
}


def code(text: str) -> str:
    """Return a text as a segment of an account's code; with letters that none may have, a digest tells it apart."""
    text = composed(text)
    plain = _NO_CODE.sub("-", text.lower()).strip("-")
    if not text.isascii():
        plain = f"{plain}-{hashlib.sha256(text.encode()).hexdigest()[:8]}".strip("-")
    return plain or "none"


def wrong_with(legs: tuple[ledger.EntryLeg, ...] | Pass) -> str:
    """Return what keeps an answer from being booked, or nothing."""
    if isinstance(legs, Pass):
        return ""  # no opinion: the default is booked
    return str(ledger.fault_of(legs) or "")
