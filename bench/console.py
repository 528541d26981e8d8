"""The console's pages in a real browser, on the demo's data: first paint and weight against their limits."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from pathlib import Path
from typing import Any

from playwright.async_api import async_playwright

from tests import browser as browsers
from tests.console import signing
from tests.console.demo_server import demo

ORDERS = 500
PAINT_MAX_MS = 300
WEIGHT_MAX_KB = 300
PATHS = (
    "/",
    "/front-ends/market",
    "/front-ends/fresh/points/pricing.adjust-unit-price",
    "/cost",
    "/capabilities",
    "/capabilities/checkout.preview-order",
    "/orders",
    "/members",
    "/stock",
    "/stock/fresh/1082185",
    "/calls",
    "/dead-letters",
    "/deploys",
    "/deploys/market",
    "/metrics?metrics=order.sales&grain=day&by=front_end",
    "/lineage?metric=order.net-sales",
    "/quality",
    "/quarantine",
    "/one-id",
)

Row = dict[str, Any]


def rows(rounds: int) -> list[Row]:
    """Measure every page in a browser that has been there once, and name the slowest and the heaviest."""
    path = browsers.find()
    if path is None:
        print(browsers.MISSING)
        return []
    with tempfile.TemporaryDirectory() as folder:
        paints, weights = asyncio.run(_measured(Path(folder), path, rounds))
    slowest, heaviest = max(paints, key=paints.__getitem__), max(weights, key=weights.__getitem__)
    return [
        _row(f"console: first paint of {slowest}, the slowest of {len(PATHS)}", paints[slowest], "ms", PAINT_MAX_MS),
        _row(f"console: {heaviest} with all it loads, the heaviest", weights[heaviest], "kB", WEIGHT_MAX_KB),
    ]


def _row(name: str, value: float, unit: str, limit: float) -> Row:
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "against": f"limit of {limit} {unit}",
        "ratio": value / limit,
        "aim": "≤ 1.0",
        "met": value <= limit,
    }


async def _measured(folder: Path, browser_path: str, rounds: int) -> tuple[dict[str, float], dict[str, float]]:
    """Return each page's median first paint in ms, and its weight in kB with all that it loads."""
    paints: dict[str, list[float]] = {}
    weights: dict[str, float] = {}
    async with demo(folder, ORDERS) as served, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        context = await browser.new_context(viewport={"width": 1280, "height": 900})
        address = f"{served.address}/console"
        await signing.enter(context, address, served.sign_in_link())
        page = await context.new_page()
        await page.goto(f"{address}/quality")
        await page.get_by_role("button", name="Land now").click()
        await page.get_by_role("status").first.wait_for()
        for path in PATHS:
            await page.goto(address + path, wait_until="networkidle")
            weights[path] = await page.evaluate(_WEIGHT) / 1_000
        for _ in range(rounds):
            for path in PATHS:
                await page.goto(address + path)
                paints.setdefault(path, []).append(await page.evaluate(_FIRST_PAINT))
        await browser.close()
    return {path: statistics.median(found) for path, found in paints.items()}, weights


# Bytes of a page and of all that it loads, as they are when unpacked, kept from before or not.
_WEIGHT = "performance.getEntries().reduce((sum, one) => sum + (one.decodedBodySize || 0), 0)"
# It may come a frame after everything has loaded.
_FIRST_PAINT = """new Promise(done => new PerformanceObserver(seen => {
    const found = seen.getEntriesByName("first-contentful-paint")[0];
    if (found) done(found.startTime);
}).observe({type: "paint", buffered: true}))"""
