"""What a front end's rule of booking is asked before it is deployed."""

from __future__ import annotations

from typing import get_args

from isthmus.values import money

from ..api.model import Happening, Kind, Owed, PromotionShare, SoldLine
from .parts import total_of


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
        taxed_at="19",
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
        owed=(Owed(owner="front-end/sample", amount=goods + fee, account="assets:front-ends"),),
    )
