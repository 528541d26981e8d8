"""What the facts about calls cost: of how many a second, and of a sampled share what each used, asked and was answered.

The server's processor time for an order of five lines, in turns with no call recorded and with all of them. All of them
cost a hundred times what the default share of one in a hundred does, so the hundredth of the difference is told exactly
where the difference at one in a hundred would be lost in noise. Counting, which every call pays for, is timed by itself
and added: two calls are counted for an order.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

from bench import _shop as shop
from bench.leaving import CLIENTS, ORDERS, WARM, _bought, _idle, _worked_s
from bench.orders import GOODS, UNITS, _buyers, _over_http
from isthmus.governance.counters import Counters
from isthmus.kernel import Outcome
from isthmus.runtime.replay.record import SHARE

CALLS = 2  # of an order
COUNTED = 20_000
COST_MAX = 1.02

Row = dict[str, Any]


def rows(rounds: int) -> list[Row]:
    """Measure everything and return the table's rows."""
    return shop.run(_rows(rounds))


async def _rows(rounds: int) -> list[Row]:
    async with shop.database("facts") as url:
        key = await shop.stocked(url, GOODS, UNITS)
        found = [[await _order_ms(url, key, share) for share in (0.0, 1.0)] for _ in range(rounds)]
    without, recorded = (statistics.median(column) for column in zip(*found, strict=True))
    counting = CALLS * _counting_ms()
    sampled = SHARE * statistics.median(every - none for none, every in found)
    ratio = (without + counting + sampled) / without  # without has its counting too: what is said is a little too much
    return [
        {
            "name": "an order with its facts, at the default share",
            "value": without + counting + sampled,
            "unit": "ms of the server's processor",
            "against": f"{without:.3f} ms; counting {1000 * counting:.1f} µs; recorded {1000 * sampled:.1f} µs",
            "ratio": ratio,
            "aim": f"<= {COST_MAX} x",
            "met": ratio <= COST_MAX,
        },
        {
            "name": "an order of which every call is recorded",
            "value": recorded,
            "unit": "ms of the server's processor",
            "against": f"none recorded: {without:.3f} ms",
            "ratio": recorded / without,
            "aim": "reported",
            "met": None,
        },
    ]


async def _order_ms(url: str, key: str, share: float) -> float:
    """Return the server's processor time for an order, in milliseconds, with this share of calls recorded."""
    settings = shop.place(url) / "facts.toml"  # beside the server's front end
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(f"[record]\nshare = {share}\n")
    environment = {"ISTHMUS_CONFIG": str(settings.absolute())}
    async with shop.serving(url, environment=environment) as server, _buyers(server, key) as buyers:
        buying = _over_http(buyers[:CLIENTS])
        await _bought(buying, WARM)
        await _idle(server)
        before = _worked_s(server)
        await _bought(buying, ORDERS)
        await _idle(server)  # what was recorded is written a moment later, and counts too
        return 1000 * (_worked_s(server) - before) / ORDERS


def _counting_ms() -> float:
    """Return the processor time of counting a call, in milliseconds."""
    figures = Counters()
    outcome = Outcome(capability="a.b", box="north", client="shop", took_ns=3_000_000, error="")
    began = time.process_time_ns()
    for _ in range(COUNTED):
        figures.see(outcome)
    return (time.process_time_ns() - began) / COUNTED / 1e6
