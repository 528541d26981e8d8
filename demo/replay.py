"""Sell the baskets of the year as orders, in the order of time, and check what the platform says of them."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from rich.progress import Progress

from demo import cards, carts, patience
from demo.load import CURRENCY, Members, caller
from demo.source import Basket, Line, Source
from isthmus.app.platform import Running
from isthmus.flows.checkout import api as checkout
from isthmus.kernel import decode, encode, errors

METHOD = "card"
_LINES = "$.lines["
TRIES_MAX = 3  # an order is refused for unknown SKUs, then for quantities, then it is placed

_SOLD = """
select orders.front_end, count(distinct orders.order_id) as orders, count(distinct group_id) as baskets,
       count(*) as lines, sum(lines.total_minor)::bigint as sales
from "order".orders join "order".lines using (front_end, order_id)
where channel = 'store' group by orders.front_end order by orders.front_end
"""
_RECEIVED = "select front_end, sum(amount_minor)::bigint as received from payment.leg group by front_end"
# What the books say: all accounts together, what was delivered to customers, and what is in tills and at providers.
_BOOKED = """
select leg.front_end, sum(amount)::bigint as balance, count(distinct leg.entry_id) as entries,
       coalesce(sum(amount) filter (where code = 'liabilities:customers' and channel = 'store'), 0)::bigint as sales,
       coalesce(sum(amount) filter (where code = 'assets:clearing'), 0)::bigint as received
from ledger.leg join ledger.account using (account_id)
join ledger.entry on entry.front_end = leg.front_end and entry.entry_id = leg.entry_id
left join "order".orders on orders.front_end = leg.front_end and orders.order_id::text = subject
where layer = '=' group by leg.front_end
"""


@dataclass(slots=True)
class Refused:
    """What the platform refused of one business line: lines and cents by reason."""

    lines: Counter[str] = field(default_factory=Counter[str])
    minor: Counter[str] = field(default_factory=Counter[str])


async def baskets(
    running: Running, source: Source, members: Members, concurrency: int, progress: Progress
) -> dict[str, Refused]:
    """Place every basket, so many at once, and return what was refused."""
    refused: dict[str, Refused] = defaultdict(Refused)
    everything = list(source.baskets())
    is_by_card = cards.chosen(running, everything)
    task = progress.add_task("orders", total=len(everything))
    waiting: Iterator[Basket] = iter(everything)  # shared: each buyer takes the next in time

    async def buyer() -> None:
        for basket in waiting:
            await _place(running, basket, members, refused[basket.front_end], is_by_card=is_by_card(basket))
            progress.advance(task)

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(buyer())
    return refused


async def _place(running: Running, basket: Basket, members: Members, refused: Refused, *, is_by_card: bool) -> None:
    """Order a basket as its till did; lines that are refused are counted, left out, and it is sent again."""
    lines = list(basket.lines)
    cart = await carts.filled(running, basket, members) if carts.is_filled(basket) else None
    for _ in range(TRIES_MAX + (cart is not None)):
        if not lines:
            return
        try:
            placed = await patience.call(
                running.platform,
                checkout.place_order,
                _ask(basket, lines, members, cart, is_by_card=is_by_card),
                caller(basket.front_end),
                key=f"{basket.basket_id}/{len(lines)}{'/cart' if cart else ''}",
                now=basket.at,
            )
            if is_by_card:
                await cards.pay(running, basket, placed)
            return
        except errors.Refusal as error:
            if cart is not None:  # once more as the till sends it
                cart = None
                continue
            wrong = _wrong_lines(error)
            if not wrong:
                raise
            for at in sorted(wrong, reverse=True):
                line = lines.pop(at)
                refused.lines[error.slug] += 1
                refused.minor[error.slug] += line.paid
    raise RuntimeError(f"basket {basket.basket_id} was refused {TRIES_MAX} times")


def _ask(
    basket: Basket, lines: list[Line], members: Members, cart: UUID | None, *, is_by_card: bool
) -> checkout.PlaceOrder:
    """Write the ask as a client sends it: as JSON, so that the contract refuses what it must. cart: filled before."""
    body = {
        **({"basket_id": str(cart)} if cart else {"lines": [_line(line) for line in lines]}),
        "currency": CURRENCY,
        "member_id": str(members[basket.front_end, basket.household_id]),
        "location": basket.location,
        "paid_at_till": None if is_by_card else METHOD,
        "expected_total": {"currency": CURRENCY, "minor": sum(line.paid for line in lines)},
        "channel": "store",
    }
    return decode(encode(body), checkout.PlaceOrder)


def _line(line: Line) -> dict[str, Any]:
    return {"sku": line.sku, "quantity": line.quantity}


def _wrong_lines(error: errors.Refusal) -> set[int]:
    """Return the lines that a refusal is about: all that it names, or the one in its path."""
    named: Any = error.facts.get("lines") or [{"path": error.path or ""}]
    paths = [str(one["path"]) for one in named]
    return {int(path[len(_LINES) : path.index("]")]) for path in paths if path.startswith(_LINES)}


async def report(running: Running, source: Source, refused: dict[str, Refused]) -> dict[str, Any]:
    """Return what was sold and refused by front end, beside what SQL over the source says, and whether all is equal."""
    async with running.database.platform() as session:
        sold = {row["front_end"]: row for row in await session.fetch(_SOLD)}
        received = {row["front_end"]: row["received"] for row in await session.fetch(_RECEIVED)}
        booked = {row["front_end"]: dict(row) for row in await session.fetch(_BOOKED)}
    expected = source.expected()
    front_ends: dict[str, dict[str, Any]] = {
        code: {
            "orders": sold[code]["baskets"] if code in sold else 0,
            "parcels_of_orders": sold[code]["orders"] if code in sold else 0,
            "lines": sold[code]["lines"] if code in sold else 0,
            "sales_minor": sold[code]["sales"] if code in sold else 0,
            "received_minor": received.get(code, 0),
            "refused_lines": dict(refused[code].lines) if code in refused else {},
            "refused_minor": sum(refused[code].minor.values()) if code in refused else 0,
            "books": booked.get(code, {}),
            "source": expected.get(code, {}),
        }
        for code in source.front_ends()
    }
    in_source = source.total()
    total = {
        "baskets": in_source[0],
        "lines": sum(one["lines"] + sum(one["refused_lines"].values()) for one in front_ends.values()),
        "minor": sum(one["sales_minor"] + one["refused_minor"] for one in front_ends.values()),
        "source_lines": in_source[1],
        "source_minor": in_source[2],
    }
    return {
        "currency": CURRENCY,
        "front_ends": front_ends,
        "total": total,
        "equal": all(map(_is_equal, front_ends.values()))
        and (total["lines"], total["minor"]) == (in_source[1], in_source[2]),
    }


def _is_equal(found: dict[str, Any]) -> bool:
    expected = found["source"]
    if not expected:
        return found["orders"] == 0
    lines = found["refused_lines"]
    return (
        is_booked(found)
        and found["orders"] == expected["orders"]
        and found["lines"] == expected["lines"]
        and found["sales_minor"] == expected["sales_minor"] == found["received_minor"]
        and lines.get("catalog.unknown-sku", 0) == expected["unknown_lines"]
        and lines.get("bad-ask", 0) == expected["zero_lines"]
        and found["refused_minor"] == expected["unknown_minor"] + expected["zero_minor"]
    )


def is_booked(found: dict[str, Any]) -> bool:
    """Whether the trial balance is zero, and the books have the sales and the money that orders and payments have."""
    books = found["books"]
    return not found["orders"] or (
        (books["balance"], books["sales"]) == (0, found["sales_minor"]) and books["received"] == found["received_minor"]
    )
