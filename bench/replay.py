"""Replaying recorded answers through a changed version, and what recording costs the calls.

The calls are previews of baskets of 5 goods, in process, with every question that they ask. Replay: CPU time of one
process for reading a recorded question back and asking old and new; and the wall time of 10,000 answers out of the
database, which a deploy waits for. Recording: CPU time of a recorded call over that of one that is not, and of
choosing; at a share of 1 % a hundredth of calls pays the first, and each the second.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Sequence
from typing import Any

from bench import _shop as shop
from isthmus.app import platform as app_platform
from isthmus.flows.checkout import api as checkout
from isthmus.kernel import PASS, FrontEnd, Pass, answers
from isthmus.kernel.host import Release, compile_front_ends
from isthmus.packs.pricing import api as pricing
from isthmus.runtime.replay import recorded
from isthmus.runtime.replay.answers import Comparison, replay_answers
from isthmus.runtime.replay.record import SHARE, Recorder, Recording
from isthmus.values import Buyer

GOODS = [f"good-{number:05}" for number in range(200)]
LINES = 5
CALLS = 400  # in one measurement
ANSWERS = 10_000
REPLAYED_MIN = 50_000  # answers a second and core
DEPLOY_MAX_S = 5.0
COST_MAX = 0.02

Row = dict[str, Any]


@answers(pricing.adjust_unit_price)
def cheap_on_even(lines: Sequence[pricing.ListedLine], buyer: Buyer) -> Sequence[pricing.UnitPrice | Pass]:
    """One basket in many is priced otherwise: what a deploy mostly finds."""
    return [
        pricing.UnitPrice(amount=line.amount, by="bench", reason="even") if line.sku == GOODS[0] else PASS
        for line in lines
    ]


def rows(rounds: int) -> list[Row]:
    """Measure everything and return the table's rows."""
    return shop.run(_rows(rounds))


async def _rows(rounds: int) -> list[Row]:
    async with shop.database("replay") as url:
        await shop.stocked(url, GOODS, 1_000_000)
        async with shop.running(url) as running:
            cost, extra = await _recording(running, rounds)
            calls = [call async for call in recorded.recent(running.database, shop.FRONT_END, limit=CALLS)]
            old = running.platform.release
            new = _changed(old)
            rate = statistics.median(_replayed(calls, old, new) for _ in range(rounds))
            took = statistics.median([await _from_database(running, old, new) for _ in range(rounds)])
    return [
        _row("answers replayed, one core", rate, "answers/s", f"aim of {REPLAYED_MIN:,}", rate / REPLAYED_MIN, False),
        _row(f"{ANSWERS:,} recorded answers replayed from the database", took, "s", f"limit of {DEPLOY_MAX_S:g} s",
             took / DEPLOY_MAX_S, True),
        _row("recording at 1 %, of the CPU of a call", 100 * cost, "%", f"limit of {100 * COST_MAX:g} %; a recorded "
             f"call takes {1 + extra:.1f} x", cost / COST_MAX, True),
    ]  # fmt: skip


def _row(name: str, value: float, unit: str, against: str, ratio: float, is_limit: bool) -> Row:
    met = ratio <= 1 if is_limit else ratio >= 1
    aim = "≤ 1.0" if is_limit else "≥ 1.0"
    return {
        "name": name, "value": value, "unit": unit, "against": against, "ratio": ratio, "aim": aim, "met": met,
    }  # fmt: skip


def _changed(release: Release) -> Release:
    north = FrontEnd(code=shop.FRONT_END, name="North", owner="north team", uses=shop.USES, answers=(cheap_on_even,))
    (line,), problems = compile_front_ends(release, [north])
    if problems:
        raise RuntimeError(problems)
    return release.replacing(line)


async def _recording(running: app_platform.Running, rounds: int) -> tuple[float, float]:
    """Return the share of a call's CPU time that recording at SHARE takes, and the extra of a recorded call."""
    every = Recording(share=1)  # of a share that nobody asked for, a second has no more than a few
    recorder = Recorder(running.database, running.platform.release.points, every)
    await _previews(running, CALLS)  # statements are prepared, plans compiled
    plain: list[float] = []
    timed: list[float] = []
    for _ in range(rounds):
        running.platform.recorder = None
        plain.append(await _previews(running, CALLS))
        running.platform.recorder = recorder
        began = time.process_time()
        await _previews(running, CALLS)
        await recorder.flush()
        timed.append((time.process_time() - began) / CALLS)
    call_s = statistics.median(plain)
    extra = statistics.median(b / a for a, b in zip(plain, timed, strict=True)) - 1
    return extra * SHARE + _choosing() / call_s, extra


def _choosing() -> float:
    recorder = Recorder(None, {}, randomness=random.random)  # type: ignore[arg-type]
    began = time.process_time()
    for _ in range(100_000):
        recorder.wants("checkout.preview-order", shop.FRONT_END)
    return (time.process_time() - began) / 100_000


async def _previews(running: app_platform.Running, count: int) -> float:
    """Preview so many baskets, and return the CPU seconds of one."""
    began = time.process_time()
    for number in range(count):
        skus = [GOODS[(number * LINES + place) % len(GOODS)] for place in range(LINES)]
        lines = tuple(checkout.BuyLine(sku=sku, quantity=1) for sku in skus)
        ask = checkout.PreviewOrder(currency=shop.CURRENCY, lines=lines)
        await running.platform.call(checkout.preview_order, ask, shop.CALLER)
    return (time.process_time() - began) / count


def _replayed(calls: Sequence[recorded.RecordedCall], old: Release, new: Release) -> float:
    comparison = Comparison(old.line(shop.FRONT_END), new.line(shop.FRONT_END))
    began = time.process_time()
    while comparison.asked < ANSWERS:
        for call in calls:
            comparison.see(call)
    return comparison.asked / (time.process_time() - began)


async def _from_database(running: app_platform.Running, old: Release, new: Release) -> float:
    began = time.perf_counter()
    found = await replay_answers(running.database, old, new, shop.FRONT_END, limit=ANSWERS)
    took = time.perf_counter() - began
    (one,) = found.front_ends
    compared = one.same + one.differing + one.failing + one.unreadable
    if compared < ANSWERS or not one.differing:
        raise RuntimeError(f"{compared} answers were compared, {one.differing} differ")
    return took
