"""What fresh counts beyond what every shop does."""

from isthmus.markings import Cumulative, Derived, Ratio, Where

METRICS = (
    Cumulative(
        name="fresh.sales-of-a-week",
        of="order.sales",
        window=7,
        doc="Sales of the seven days up to each day: how much to order of what does not keep.",
    ),
    Derived(
        name="fresh.left-outside",
        of="order.orders",
        where=Where("order.order.attributes.leave_at", "in", ("door", "neighbour")),
        doc="Orders that nobody had to be at home for.",
        unit="order",
    ),
    Ratio(
        name="fresh.left-outside-share",
        numerator="fresh.left-outside",
        denominator="order.orders",
        doc="How many of the orders are left at the door or with a neighbour.",
    ),
)
