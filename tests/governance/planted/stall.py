"""A stall whose front ends take money off and refuse orders, so that what an answer moves is known to the cent."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Literal, cast

from isthmus.kernel import (
    ALLOW,
    PASS,
    Context,
    Effect,
    FrontEnd,
    Pack,
    Pass,
    Registry,
    Value,
    Verdict,
    answers,
    capability,
    combine,
    errors,
    extension_point,
    implements,
    veto,
)  # fmt: skip
from isthmus.kernel.host import Release
from isthmus.manifest import Paid, Step
from isthmus.values import CHANNEL, Money, money


class Goods(Value):
    """So many of one SKU."""

    sku: str
    quantity: int
    price: Money


class Sell(Value):
    """Buy goods."""

    goods: tuple[Goods, ...]
    member_id: str | None = None
    channel: Literal["store", "app"] = "store"


class Sold(Value):
    """What was paid."""

    total: Money


class Refused(errors.RuleBroken):
    """The front end does not sell this."""

    slug = "stall.refused"


@extension_point("stall.price", combine=combine.first_answer, dimensions=[CHANNEL], per_line=True)
def price(goods: Sequence[Goods]) -> Sequence[Money | Pass]:
    """Say what one of each costs. Default: no opinion."""
    return [PASS] * len(goods)


@extension_point("stall.allow", combine=combine.every, dimensions=[CHANNEL])
def allow(goods: Sequence[Goods]) -> Verdict | Pass:
    """Say whether these are sold."""
    return ALLOW


@extension_point("stall.commission", combine=combine.first_answer)
def commission(total: Money) -> Money:
    """Say what the stall keeps of a sale."""
    return money(0, total.currency)


@extension_point("stall.keep", combine=combine.first_answer, per_line=True)
def keep(goods: Sequence[Goods]) -> Sequence[Money | Pass]:
    """Say what the stall keeps of each line, whatever its quantity."""
    return [money(0, "EUR") for _ in goods]


@capability("stall.sell", version="1.0", effect=Effect.READ, raises=[Refused])
def sell(ask: Sell) -> Sold:
    """Sell goods."""
    ...


@capability("stall.look", version="1.0", effect=Effect.READ, raises=[Refused])
def look(ask: Goods) -> Sold:
    """Look at goods."""
    ...


@capability("stall.grumble", version="1.0", effect=Effect.READ)
def grumble(ask: Goods) -> Sold:
    """Say what was wrong with goods."""
    ...


@implements(sell)
async def sold(ask: Sell, ctx: Context) -> Sold:
    verdict = cast(Verdict, ctx.answer(allow)(ask.goods))
    if not verdict.is_allowed:
        raise Refused(verdict.vetoes[0].reason, remedy="buy something else")
    said = ctx.answer(price)(ask.goods)
    prices = [of.price if isinstance(one, Pass) else one for one, of in zip(said, ask.goods, strict=True)]
    total = money(sum(one.minor * of.quantity for one, of in zip(prices, ask.goods, strict=True)), "EUR")
    ctx.answer(commission)(total)
    ctx.answer(keep)(ask.goods)
    return Sold(total=total)


@implements(look)
async def looked(ask: Goods, ctx: Context) -> Sold:
    verdict = cast(Verdict, ctx.answer(allow)((ask,)))
    if not verdict.is_allowed:
        raise Refused(verdict.vetoes[0].reason, remedy="look at something else")
    return Sold(total=ask.price)


@answers(price)
def ten_cents_off_tea(goods: Sequence[Goods]) -> Sequence[Money | Pass]:
    """Ten cents off each tea."""
    return [money(one.price.minor - 10, "EUR") if one.sku == "tea" else PASS for one in goods]


@answers(allow)
def no_knives(goods: Sequence[Goods]) -> Verdict | Pass:
    """Knives are not sold."""
    return veto("we sell no knives") if any(one.sku == "knife" for one in goods) else PASS


@answers(commission)
def a_tenth_for_us(total: Money) -> Money:
    """A tenth of each sale is ours."""
    return money(total.minor // 10, total.currency)


@answers(keep)
def five_for_us(goods: Sequence[Goods]) -> Sequence[Money | Pass]:
    """Five cents of each line are ours."""
    return [money(5, "EUR") for _ in goods]


def pack() -> Pack:
    """Return the stall's pack."""
    api, service = ModuleType("api", "Sells."), ModuleType("service")
    for name in ("price", "allow", "commission", "keep", "sell", "look"):
        setattr(api, name, globals()[name])
    service.__dict__.update(sold=sold, looked=looked)
    step = Step(name="basket", calls=(sell,), ends=(sell,), total="total")
    return Pack(
        name="stall",
        owner="stall team",
        api=api,
        service=(service,),
        brings=(step, Paid(points=(price,), instead=("price",))),
    )


def release(**changed: object) -> Release:
    """Return a release in which north answers and south does not."""
    north = {"answers": (ten_cents_off_tea, no_knives), **changed}
    front_ends = [
        FrontEnd(code=code, name=code, owner=code, uses=("stall.*",), **said)  # type: ignore[arg-type]
        for code, said in (("north", north), ("south", {}))
    ]
    return Registry().add(pack(), *front_ends).freeze()


def goods(sku: str, quantity: int = 1, minor: int = 100) -> Goods:
    """Return goods at a euro each."""
    return Goods(sku=sku, quantity=quantity, price=money(minor, "EUR"))
