"""What the brand counts beyond what every shop does."""

from isthmus.markings import Derived, Ratio, Where

METRICS = (
    Derived(
        name="brand.gifts",
        of="order.orders",
        where=Where("order.order.attributes.wrap", "in", ("paper", "box")),
        doc="Orders that were wrapped as a gift.",
        unit="order",
    ),
    Ratio(
        name="brand.gift-share",
        numerator="brand.gifts",
        denominator="order.orders",
        doc="How many of the orders were gifts: what paper and ribbon are bought by.",
    ),
)
