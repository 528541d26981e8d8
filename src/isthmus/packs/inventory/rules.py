"""What may be promised, from where, and what is left: pure decisions over locked rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from isthmus.kernel import Value
from isthmus.values import LineAsk, Money

from . import api

Place = tuple[str, str]  # SKU and location: the order in which rows are locked
Lending = Mapping[Place, api.Lent]  # whose the stock of a place is, where it is another's


class Change(Value):
    """What is to happen to one stock."""

    sku: str
    location: str
    on_hand: int = 0
    reserved: int = 0
    back_ordered: int = 0  # declared beyond what was declared before

    @property
    def place(self) -> Place:
        return (self.sku, self.location)


class Taking(Value):
    """So much of one allocation is to be shipped or released."""

    line: int
    sku: str
    location: str
    quantity: int
    lent: api.Lent | None = None


def lending(held: Iterable[api.Allocation | Taking]) -> Lending:
    """Return whose stocks are held, for those that are another's."""
    return {(one.sku, one.location): one.lent for one in held if one.lent is not None}


def offered(stock: api.StockAt, sellable: int, back_order_limit: int, left: int = 0) -> api.Offer:
    """Say what a stock can give, so that a promise never passes on hand plus what may be back-ordered.

    left: to others, of what could be taken; less than nothing counts as nothing.
    """
    free = stock.on_hand - stock.expired - stock.reserved - stock.aside
    sellable = min(sellable, free - max(0, left))
    back_order = 0 if stock.lent else back_order_limit + min(sellable, 0)  # nobody promises what another expects
    return api.Offer(stock=stock, available=max(0, sellable), back_order=max(0, back_order))


def allocated(
    lines: Sequence[LineAsk], offers: Mapping[str, Sequence[api.Offer]], sourcing: Sequence[api.Sourcing]
) -> tuple[tuple[api.Allocation, ...], list[dict[str, object]]]:
    """Take every line from the locations named for it; return the allocations, and the lines that are short.

    Lines of the same SKU share what there is, in their order. A short line takes nothing.
    """
    left: dict[Place, list[int]] = {}
    lent: dict[Place, api.Lent | None] = {}
    for sku, given in offers.items():
        for offer in given:
            left[sku, offer.stock.location] = [offer.available, offer.back_order]
            lent[sku, offer.stock.location] = offer.stock.lent
    allocations: list[api.Allocation] = []
    short: list[dict[str, object]] = []
    for at, (line, source) in enumerate(zip(lines, sourcing, strict=True)):
        found = [place for place in dict.fromkeys([(line.sku, code) for code in source.locations]) if place in left]
        taken = (_split if source.may_split else _whole)(line.quantity, [left[place] for place in found])
        if taken is None:
            short.append(_short(at, line, source, [left[place] for place in found]))
            continue
        for place, (stocked, beyond) in zip(found, taken, strict=True):
            left[place][0] -= stocked
            left[place][1] -= beyond
            if stocked + beyond:
                allocations.append(_allocation(at, place, stocked, beyond, lent[place]))
    return tuple(allocations), short


def _allocation(line: int, place: Place, stocked: int, beyond: int, lent: api.Lent | None) -> api.Allocation:
    quantity = stocked + beyond
    return api.Allocation(line=line, sku=place[0], location=place[1], quantity=quantity, back_ordered=beyond, lent=lent)


def _split(quantity: int, left: Sequence[Sequence[int]]) -> Sequence[Sequence[int]] | None:
    """Take what lies there from one after the other, and then the rest as back-orders."""
    taken = [[0, 0] for _ in left]
    for kind in (0, 1):
        for at, there in enumerate(left):
            taken[at][kind] = min(quantity, there[kind])
            quantity -= taken[at][kind]
    return None if quantity else taken


def _whole(quantity: int, left: Sequence[Sequence[int]]) -> Sequence[Sequence[int]] | None:
    """Take all from the first that has all; where none has, from the first that has it with back-orders."""
    chosen = next((at for at, there in enumerate(left) if there[0] >= quantity), None)
    if chosen is None:
        chosen = next((at for at, there in enumerate(left) if there[0] + there[1] >= quantity), None)
    if chosen is None:
        return None
    stocked = min(quantity, left[chosen][0])
    return [(stocked, quantity - stocked) if at == chosen else (0, 0) for at in range(len(left))]


def _short(at: int, line: LineAsk, source: api.Sourcing, left: Sequence[Sequence[int]]) -> dict[str, object]:
    totals = [stocked + beyond for stocked, beyond in left]
    available = sum(totals) if source.may_split else max(totals, default=0)
    return {
        "path": f"$.lines[{at}].sku",
        "sku": line.sku,
        "quantity": line.quantity,
        "available": available,
        "reason": "stock-short",
    }


def promised(stocks: Sequence[api.StockAt], allocations: Sequence[api.Allocation]) -> list[api.StockAt]:
    """Return stocks as they are when these allocations are held."""
    found = {(stock.sku, stock.location): stock for stock in stocks}
    for one in allocations:
        stock = found[one.sku, one.location]
        reserved = stock.reserved + one.quantity
        back_ordered = min(stock.back_ordered + one.back_ordered, max(0, reserved - stock.on_hand))
        found[one.sku, one.location] = stock.replace(reserved=reserved, back_ordered=back_ordered)
    return list(found.values())


def held_changes(allocations: Iterable[api.Allocation]) -> list[Change]:
    """Return what holding these allocations does to each stock."""
    return merged(
        [
            Change(sku=one.sku, location=one.location, reserved=one.quantity, back_ordered=one.back_ordered)
            for one in allocations
        ]
    )


def merged(changes: Iterable[Change]) -> list[Change]:
    """Add up the changes of each stock, in the order in which stocks are locked."""
    sums: dict[Place, list[int]] = {}
    for change in changes:
        added = sums.setdefault((change.sku, change.location), [0, 0, 0])
        added[0] += change.on_hand
        added[1] += change.reserved
        added[2] += change.back_ordered
    return [
        Change(sku=sku, location=location, on_hand=on_hand, reserved=reserved, back_ordered=back_ordered)
        for (sku, location), (on_hand, reserved, back_ordered) in sorted(sums.items())
    ]


def held(allocation: api.Allocation) -> int:
    """Return how much of an allocation has neither left nor been given back."""
    return allocation.quantity - allocation.shipped - allocation.released


def taken(
    allocations: Sequence[api.Allocation], lines: Sequence[LineAsk] | None, location: str | None = None
) -> tuple[list[Taking], list[dict[str, object]]]:
    """Choose what to take out of a reservation: all that it holds, or so much of each SKU, earlier lines first.

    Returns the takings, and the lines that ask for more than is held.
    """
    here = [one for one in allocations if held(one) and location in (None, one.location)]
    if lines is None:
        return [_taking(one, held(one)) for one in here], []
    left = {(one.line, one.location): held(one) for one in here}
    takings: dict[tuple[int, str], Taking] = {}
    missing: list[dict[str, object]] = []
    for at, line in enumerate(lines):
        wanted = line.quantity
        for one in (one for one in here if one.sku == line.sku):
            key = (one.line, one.location)
            quantity = min(wanted, left[key])
            left[key] -= quantity
            wanted -= quantity
            if quantity:
                before = takings[key].quantity if key in takings else 0
                takings[key] = _taking(one, before + quantity)
        if wanted:
            missing.append(_not_held(at, line, line.quantity - wanted))
    return list(takings.values()), missing


def _taking(allocation: api.Allocation, quantity: int) -> Taking:
    return Taking(
        line=allocation.line,
        sku=allocation.sku,
        location=allocation.location,
        quantity=quantity,
        lent=allocation.lent,
    )


def _not_held(at: int, line: LineAsk, found: int) -> dict[str, object]:
    return {
        "path": f"$.lines[{at}].quantity",
        "sku": line.sku,
        "quantity": line.quantity,
        "held": found,
        "reason": "not-held",
    }


def after(reservation: api.Reservation, takings: Sequence[Taking], state: api.ReservationState) -> api.Reservation:
    """Return the reservation after takings that ship (state `shipped`) or give back (`released`, `expired`)."""
    by_key = {(taking.line, taking.location): taking.quantity for taking in takings}
    ships = state is api.ReservationState.SHIPPED
    allocations = tuple(_less(one, by_key.get((one.line, one.location), 0), ships) for one in reservation.allocations)
    return api.Reservation(
        reference=reservation.reference,
        state=_state_after(reservation.state, allocations, state),
        allocations=allocations,
        expires_at=None if ships else reservation.expires_at,
    )


def _less(allocation: api.Allocation, quantity: int, ships: bool) -> api.Allocation:
    return api.Allocation(
        line=allocation.line,
        sku=allocation.sku,
        location=allocation.location,
        quantity=allocation.quantity,
        back_ordered=allocation.back_ordered,
        shipped=allocation.shipped + (quantity if ships else 0),
        released=allocation.released + (0 if ships else quantity),
        lent=allocation.lent,
    )


def _state_after(
    before: api.ReservationState, allocations: Sequence[api.Allocation], step: api.ReservationState
) -> api.ReservationState:
    if any(held(one) for one in allocations):
        return api.ReservationState.CONFIRMED if step is api.ReservationState.SHIPPED else before
    return api.ReservationState.SHIPPED if any(one.shipped for one in allocations) else step


def not_on_hand(
    changes: Sequence[Change],
    stocks: Mapping[Place, api.StockAt],
    skus: Sequence[str],
    lent: Lending | None = None,
) -> list[dict[str, object]]:
    """Return where changes would take more than is there, or what must stay for reservations.

    skus: of the lines of the ask, for the paths. lent: of another's stock nothing is said but what is to be taken.
    """
    hidden = lent or {}
    return [
        {
            "path": f"$.lines[{skus.index(change.sku)}].quantity" if change.sku in skus else "$.lines",
            "sku": change.sku,
            "location": change.location,
            "on_hand": 0 if change.place in hidden else stocks[change.place].on_hand,
            "reserved": -change.reserved if change.place in hidden else stocks[change.place].reserved,
            "reason": "not-on-hand",
        }
        for change in changes
        if change.on_hand < 0 and not _can_bear(stocks[change.place], change)
    ]


def _can_bear(stock: api.StockAt, change: Change) -> bool:
    on_hand = stock.on_hand + change.on_hand
    reserved = stock.reserved + change.reserved
    return on_hand >= 0 and reserved <= on_hand + stock.back_ordered


def as_now(lines: Sequence[api.Counted], since: Mapping[Place, int]) -> list[api.Counted]:
    """Return what was counted as it would be counted now, by what came and went since."""
    return [one.replace(quantity=max(0, one.quantity + since.get((one.sku, one.location), 0))) for one in lines]


def counted(
    lines: Sequence[api.Counted], stocks: Mapping[Place, api.StockAt], may_fall_short: bool
) -> tuple[list[Change], list[dict[str, object]]]:
    """Return the differences between what was counted and what was known, and the counts below what is reserved.

    Of two counts of one stock the later in the ask stands.
    """
    last = {(line.sku, line.location): (at, line.quantity) for at, line in enumerate(lines)}
    changes: list[Change] = []
    below: list[dict[str, object]] = []
    for place, (at, quantity) in sorted(last.items()):
        stock = stocks[place]
        gap = max(0, stock.reserved - quantity - stock.back_ordered)
        if gap and not may_fall_short:
            below.append(
                {
                    "path": f"$.lines[{at}].quantity",
                    "sku": place[0],
                    "location": place[1],
                    "reserved": stock.reserved,
                    "quantity": quantity,
                    "reason": "below-reserved",
                }
            )
        changes.append(Change(sku=place[0], location=place[1], on_hand=quantity - stock.on_hand, back_ordered=gap))
    return changes, below


def changed(changes: Sequence[Change], stocks: Mapping[Place, api.StockAt]) -> tuple[api.StockAt, ...]:
    """Return the stocks as changes of what is on hand leave them, in the order of SKU and location."""
    by_place = {change.place: change for change in changes}
    return tuple(_changed(by_place.get(place), stock) for place, stock in sorted(stocks.items()))


def _changed(change: Change | None, stock: api.StockAt) -> api.StockAt:
    if change is None:
        return stock
    on_hand = stock.on_hand + change.on_hand
    back_ordered = min(stock.back_ordered + change.back_ordered, max(0, stock.reserved - on_hand))
    return stock.replace(on_hand=on_hand, back_ordered=back_ordered)


def depleted(changes: Sequence[Change], stocks: Mapping[Place, api.StockAt]) -> tuple[str, ...]:
    """Return the SKUs of which units went, and of which these stocks have none left."""
    left: dict[str, int] = defaultdict(int)
    for change in changes:
        left[change.sku] += stocks[change.place].on_hand + change.on_hand
    gone = {change.sku for change in changes if change.on_hand < 0}
    return tuple(sorted(sku for sku in gone if left[sku] == 0))


def total_price(lines: Sequence[api.SoldLine]) -> Money | None:
    """Return what all lines come to; None where none has a price. Raises CurrencyMismatch."""
    prices = [line.unit_price.times(line.quantity) for line in lines if line.unit_price is not None]
    return sum(prices[1:], prices[0]) if prices else None


def not_free(
    changes: Sequence[Change], free: Mapping[Place, api.StockAt], location: str, skus: Sequence[str]
) -> list[dict[str, object]]:
    """Return where more is to be sold from a location than nobody holds and its terms let go."""
    short: list[dict[str, object]] = []
    for change in (one for one in changes if one.location == location):
        stock = free.get(change.place)
        units = 0 if stock is None else stock.on_hand - stock.reserved - stock.aside
        if -change.on_hand > units:
            short.append(
                {
                    "path": f"$.lines[{skus.index(change.sku)}].quantity",
                    "sku": change.sku,
                    "location": location,
                    "on_hand": 0 if stock is None else stock.on_hand,
                    "reserved": 0 if stock is None else stock.reserved,
                    "reason": "not-on-hand",
                }
            )
    return short
