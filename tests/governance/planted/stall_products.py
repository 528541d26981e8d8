"""Products of the stall: two fit, a third wants to say the same price, and a fourth asks for what nobody asks."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.kernel import PASS, Pass, Product, Verdict, answers, veto
from isthmus.values import Money, money

from .stall import Goods, allow, price


@answers(price, when={"channel": "app"})
def a_euro_in_the_app(goods: Sequence[Goods]) -> Sequence[Money | Pass]:
    """Everything costs a euro less in the app."""
    return [money(one.price.minor - 100, "EUR") for one in goods]


@answers(price)
def half(goods: Sequence[Goods]) -> Sequence[Money | Pass]:
    """Everything costs half."""
    return [money(one.price.minor // 2, "EUR") for one in goods]


@answers(price)
def third_off(goods: Sequence[Goods]) -> Sequence[Money | Pass]:
    """Everything costs a third less."""
    return [money(one.price.minor * 2 // 3, "EUR") for one in goods]


@answers(allow)
def no_jam(goods: Sequence[Goods]) -> Verdict | Pass:
    """Jam is not sold."""
    return veto("jam is out of season") if any(one.sku == "jam" for one in goods) else PASS


APP = Product(name="app-price", doc="Cheaper in the app.", owner="stall", answers=(a_euro_in_the_app,))
HALF = Product(name="half", doc="Half price.", owner="stall", answers=(half,))
THIRD = Product(name="third", doc="A third off.", owner="stall", answers=(third_off,))
NO_JAM = Product(name="no-jam", doc="No jam.", owner="stall", answers=(no_jam,))
