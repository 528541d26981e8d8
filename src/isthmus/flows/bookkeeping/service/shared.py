"""What several owners share, booked: points, cards, stock, goods handed in, discounts that another bears."""

from __future__ import annotations

from isthmus.kernel import Context, implements
from isthmus.packs.inventory import api as inventory
from isthmus.packs.ledger import api as ledger
from isthmus.packs.member import api as member
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.packs.promotion import api as promotion
from isthmus.values import Money, money

from .. import api, rules
from .entry import NOTHING, between, book

REVERSED_MAX = 200  # an order uses at most so many promotions
_ON_CARD = {
    "sold": "credit-sold",
    "taken-back": "credit-sold",
    "given": "credit-given",
    "redeemed": "credit-redeemed",
    "returned": "credit-redeemed",
    "expired": "credit-expired",
}


@implements(api.book_points)
async def book_points(ask: member.PointsWereMoved, ctx: Context) -> api.Booked:
    worth = ctx.answer(api.points_worth)(abs(ask.points)) if ask.points else None
    if not isinstance(worth, Money) or worth.minor <= 0:
        return NOTHING
    happening = api.Happening(
        kind="points-moved",
        amount=worth,
        reference=ask.reference,
        member_id=ask.member_id,
        points=ask.points,
        reason=ask.reason,
    )
    return await book(happening, f"member/{ask.member_id}", ctx)


@implements(api.book_honoured)
async def book_honoured(ask: member.PointsHonoured, ctx: Context) -> api.Booked:
    worth = ctx.answer(api.points_worth)(ask.points)
    if not isinstance(worth, Money) or worth.minor <= 0:
        return NOTHING
    happening = between("points-honoured", worth, ask.from_front_end, ask.reference)
    happening = happening.replace(points=ask.points, reason=ask.reason)
    return await book(happening, f"points/{ask.reference}", ctx, claims=True, kind_shown=rules.POINTS_TAKEN)


@implements(api.book_lapsed)
async def book_lapsed(ask: member.PointsLapsed, ctx: Context) -> api.Booked:
    return await _book_gone("points-lapsed", ask, ctx)


@implements(api.book_spent_elsewhere)
async def book_spent_elsewhere(ask: member.PointsSpentElsewhere, ctx: Context) -> api.Booked:
    return await _book_gone("points-spent-elsewhere", ask, ctx)


async def _book_gone(
    kind: api.Kind, ask: member.PointsLapsed | member.PointsSpentElsewhere, ctx: Context
) -> api.Booked:
    """Owe points no more, by what they are worth where they were given."""
    worth = ctx.answer(api.points_worth)(ask.points) if ask.issuer == ctx.front_end else None
    if not isinstance(worth, Money) or worth.minor <= 0:
        return NOTHING
    happening = api.Happening(kind=kind, amount=worth, reference=ask.programme, points=ask.points)
    return await book(happening, f"points/{ask.programme}", ctx)


@implements(api.book_credit)
async def book_credit(ask: payment.CreditMoved, ctx: Context) -> api.Booked:
    if ask.front_end != ctx.front_end:
        happening = between("credit-moved-elsewhere", ask.amount, ask.front_end, ask.reference)
        return await book(happening.replace(reason=ask.kind), f"credit/{ask.credit_id}", ctx)
    owed = () if ask.owner == ctx.front_end else (api.Owed(owner=f"front-end/{ask.owner}", amount=ask.amount),)
    happening = api.Happening(
        kind=_ON_CARD[ask.kind],  # pyright: ignore[reportArgumentType] - of the table above
        amount=ask.amount,
        reference=payment.purpose_of(ask.reference),
        provider=payment.CREDIT,
        reason=ask.kind,
        owed=owed,
    )
    return await book(happening, f"credit/{ask.credit_id}", ctx)


@implements(api.book_stock)
async def book_stock(ask: inventory.StockSold, ctx: Context) -> api.Booked:
    if ask.total is None or not ask.total.minor:
        return NOTHING
    is_sold = ask.from_owner == ctx.front_end
    other = ask.to_owner if is_sold else ask.from_owner
    happening = between("stock-sold" if is_sold else "stock-bought", ask.total, other, ask.reference)
    return await book(happening, f"stock/{ask.reference}", ctx, claims=True)


@implements(api.book_hand_in)
async def book_hand_in(ask: order.HandInMoved, ctx: Context) -> api.Booked:
    if ask.owes is None or not ask.owes.minor:
        return NOTHING
    of = f"hand-in/{ask.hand_in_id}"
    if ask.state == "taken" and ask.taker == ctx.front_end:
        bought = between("stock-bought", ask.owes, ask.owner, str(ask.hand_in_id))
        return await book(bought, of, ctx, is_once=True)
    if ask.state == "refunded" and ask.owner == ctx.front_end:
        sold = between("stock-sold", ask.owes, ask.taker, str(ask.hand_in_id))
        return await book(sold, of, ctx, is_once=True)
    return NOTHING


@implements(api.book_borne)
async def book_borne(ask: promotion.DiscountBorne, ctx: Context) -> api.Booked:
    owed = tuple(
        api.Owed(owner=f"{'front-end' if one.bearer == ask.owner else 'seller'}/{one.bearer}", amount=one.amount)
        for one in ask.shares
        if one.bearer != ctx.front_end
    )
    amount = money(sum(one.amount.minor for one in owed), ask.amount.currency)
    happening = api.Happening(
        kind="discount-borne", amount=amount, reference=ask.reference, reason=ask.promotion, owed=owed
    )
    return await book(happening, f"discount/{ask.reference}", ctx, claims=True)


@implements(api.book_claim)
async def book_claim(ask: ledger.ClaimMade, ctx: Context) -> api.Booked:
    owner = f"front-end/{ask.from_front_end}"
    happening = api.Happening(
        kind="owed-elsewhere",
        amount=money(sum(leg.amount.minor for leg in ask.legs), ask.legs[0].amount.currency),
        reference=ask.claim,
        reason=ask.kind,
        value_date=ask.value_date,
        owed=tuple(api.Owed(owner=owner, amount=leg.amount, account=leg.account) for leg in ask.legs),
    )
    return await book(happening, f"claim/{ask.claim}", ctx, is_once=True)


@implements(api.book_unborne)
async def book_unborne(ask: promotion.UsesWereReturned, ctx: Context) -> api.Booked:
    asked = ledger.ListEntries(subject=ask.reference, kind="discount-borne", limit=REVERSED_MAX)
    entries = [
        one for one in (await ctx.call(ledger.list_entries, asked)).items if not (one.reverses or one.reversed_by)
    ]
    for one in entries:
        undo = ledger.Reverse(reverses=one.reference, reference=f"{one.reference[:150]}/returned")
        await ctx.call(ledger.reverse, undo)
        await ctx.call(ledger.claim, ledger.ClaimEntry(reference=undo.reference))
    return api.Booked(entries=len(entries))
