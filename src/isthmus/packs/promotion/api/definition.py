"""What a promotion is made of: goods, conditions, benefit, limits. Named by others through `api`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from isthmus.kernel import Meta, Value
from isthmus.values import Code, Money, Quantity, Sku

NAMED_MAX = 1_000  # names in one list of a selector: more than that is a category of its own

Moment = Annotated[datetime, Meta(tz=True)]
BasisPoints = Annotated[int, Meta(ge=1, le=10_000, description="hundredths of a percent: 10% is 1000")]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]
UsesMax = Annotated[int, Meta(ge=1, le=10**9)]
Name = Annotated[str, Meta(min_length=1, max_length=120)]
Names = Annotated[tuple[Name, ...], Meta(max_length=NAMED_MAX)]
PromotionCode = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z", description="a code that people choose")
]


class Selector(Value):
    """Which goods: those that match every list that is not empty, and no list of exceptions; all goods where empty.

    A category means itself and all categories below it.
    """

    skus: Annotated[tuple[Sku, ...], Meta(max_length=NAMED_MAX)] = ()
    categories: Names = ()
    brands: Names = ()
    sellers: Names = ()
    attributes: dict[str, str] = {}
    except_skus: Annotated[tuple[Sku, ...], Meta(max_length=NAMED_MAX)] = ()
    except_categories: Names = ()
    except_brands: Names = ()


class PercentOff(Value, tag="percent-off"):
    """So much of a hundred off the goods."""

    basis_points: BasisPoints
    at_most: Money | None = None


class AmountOff(Value, tag="amount-off"):
    """An amount off the goods: once, or for every unit."""

    amount: Money
    each: Literal["order", "unit"] = "order"


class BuyGet(Value, tag="buy-get"):
    """For every `buy` units, `get` more at less, the cheapest first: 3 for 2 is buy 2, get 1.

    Where `gets` is nothing, both are of the promotion's goods, and a unit counts as one of them only. Otherwise what
    `gets` selects comes at less; a line that both select counts as bought.
    """

    buy: Count
    get: Count
    gets: Selector | None = None
    basis_points: BasisPoints = 10_000
    times_max: Count | None = None


class Step(Value):
    """From this value of the goods on, so much off: an amount or hundredths of a percent."""

    at_least: Money
    off: Money | None = None
    basis_points: BasisPoints | None = None


class Threshold(Value, tag="threshold"):
    """The more is bought the more comes off: the highest step that the goods reach."""

    steps: Annotated[tuple[Step, ...], Meta(min_length=1, max_length=20)]


class BundlePart(Value):
    """So many units of some goods."""

    goods: Selector
    quantity: Quantity = 1


class Bundle(Value, tag="bundle"):
    """Goods together for a price, or for so much less; as often as it pays, with the units for which most comes off."""

    parts: Annotated[tuple[BundlePart, ...], Meta(min_length=1, max_length=20)]
    price: Money | None = None
    basis_points: BasisPoints | None = None
    times_max: Count | None = None


class DeliveryOff(Value, tag="delivery-off"):
    """So much of a hundred off the delivery fee; all of it where nothing is said."""

    basis_points: BasisPoints = 10_000


Benefit = PercentOff | AmountOff | BuyGet | Threshold | Bundle | DeliveryOff


class Conditions(Value):
    """What must hold besides: of the goods as they were priced, and of the buyer. Empty lists ask nothing."""

    min_amount: Money | None = None
    min_quantity: Annotated[int, Meta(ge=0, le=10**9)] = 0
    members_only: bool = False
    tiers: Names = ()
    segments: Names = ()
    order_kinds: Names = ()
    channels: Names = ()


class Bearer(Value):
    """Who bears a part of what comes off: `owner` (whose promotion it is), a front end, a brand, a seller."""

    bearer: Annotated[str, Meta(min_length=1, max_length=120)]
    basis_points: BasisPoints


class Promotion(Value):
    """A rule that takes something off, with its limits. Higher `priority` goes first."""

    code: PromotionCode
    title: Annotated[str, Meta(min_length=1, max_length=240)]
    benefit: Benefit
    valid_from: Moment
    valid_to: Moment | None = None
    goods: Selector = Selector()
    conditions: Conditions = Conditions()
    needs_coupon: bool = False
    priority: Annotated[int, Meta(ge=-1_000_000, le=1_000_000)] = 0
    stacking: Literal["together", "alone"] = "together"
    exclusive_group: Code | None = None
    exclusive_per: Literal["order", "line"] = "order"
    uses_max: UsesMax | None = None
    uses_per_member_max: UsesMax | None = None
    budget: Money | None = None
    borne_by: Annotated[tuple[Bearer, ...], Meta(max_length=20)] = ()  # what is left bears the front end that sells


class ExtraShare(Value):
    """What an extra benefit takes off one line of the ask."""

    line: int
    amount: Money


class ExtraBenefit(Value):
    """What a front end's own code takes off; it meets promotions under the same rules."""

    code: PromotionCode
    title: str
    reason: str
    shares: tuple[ExtraShare, ...]
    priority: int = 0
    stacking: Literal["together", "alone"] = "together"
    exclusive_group: Code | None = None
    exclusive_per: Literal["order", "line"] = "order"
