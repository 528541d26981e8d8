"""What `isthmus cost` says."""

from __future__ import annotations

from collections.abc import Iterator

from .bill import OWN, OWN_PARTS
from .report import Costs


def text(found: Costs) -> Iterator[str]:
    """Return what everything costs and saves, in lines."""
    inputs, month = found.inputs, found.month
    if not found.uses:
        yield "nothing was called in 30 days, so there is nothing to divide"
        return
    if not inputs.month:
        yield 'no price is set, so shares are said and no money: [cost] month = "1200 EUR" in isthmus.toml'
    for one in found.alternatives:
        share = found.bill.of(one.front_end)
        yield f"{one.front_end}: {share:.1%} of the platform" + (
            f", {_amount(found, month * share)} a month" if month else ""
        )
        if month and one.unit_cost is not None:
            yield f"  {_amount(found, one.unit_cost)} an order, of {one.orders:,} orders"
        if month:
            yield (
                f"  alone {_amount(found, one.alone)} ({one.packs} packs, {one.lines:,} lines of code), rented "
                f"{_amount(found, one.rented)}, here {_amount(found, one.charged + one.written)} with its own code"
            )
    own = ", ".join(f"{part} {found.bill.of(OWN, [part]):.1%}" for part in OWN_PARTS)
    yield f"the platform's own: {found.bill.platform_tax:.1%} ({own}); below 25 % is good"
    if found.saved is not None:
        yield f"saved a month against the cheaper of building alone and renting: {_amount(found, found.avoided)}"
        yield f"saved a month against each front end building alone: {_amount(found, found.saved)}"
    if assumed := sorted(inputs.assumed - {"month"}):
        yield f"assumed, until [cost] in isthmus.toml says otherwise: {', '.join(assumed)}"


def _amount(found: Costs, value: float) -> str:
    return f"{value:,.4g} {found.inputs.currency}" if abs(value) < 1 else f"{value:,.2f} {found.inputs.currency}"
