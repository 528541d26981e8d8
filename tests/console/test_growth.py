"""Whoever decides on money sees each line on its curve, and where something new is due."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
from playwright.async_api import Page, expect

from isthmus.governance.growth.lines import Line
from isthmus.governance.growth.reading import Growth, read
from isthmus.governance.growth.report import Report
from isthmus.kernel import encode

from .conftest import Served

WEEKS = np.arange(80.0)
FIRST = date(2025, 1, 6)


def line(code: str, levels: list[float], horizon: str, *, is_due: bool = False) -> Line:
    growth: Growth = read(levels, FIRST)
    return Line(
        code=code, metric="order.sales", unit="EUR", first=FIRST, values=tuple(levels), growth=growth, horizon=horizon,
        receipt="0123456789abcdef", share=0.5 if code else None, is_due=is_due,
    )  # fmt: skip


def kept(served: Served) -> None:
    """Keep what was read, as `isthmus data growth` does where years have landed."""
    noise = np.random.default_rng(1)
    saturating = [float(one) for one in noise.poisson(900 / (1 + np.exp(-0.1 * (WEEKS - 55))))]
    growing = [float(one) for one in noise.poisson(20 * np.exp(0.04 * WEEKS))]
    both = [one + other for one, other in zip(saturating, growing, strict=True)]
    lines = (
        line("", both, "emerging"),
        line("north", saturating, "core", is_due=True),
        line("south", growing, "emerging"),
    )
    report = Report(at=datetime(2026, 7, 20, tzinfo=UTC), snapshot="1", lines=lines)
    (served.data / "growth.json").write_bytes(encode(report))


async def test_each_line_is_shown_by_horizon_with_its_limit_and_when_it_flattens(page: Page, served: Served) -> None:
    await page.goto(f"{served.address}/growth")
    await expect(page.get_by_text("No line was read yet.")).to_be_visible()
    kept(served)
    await page.reload()
    core = page.get_by_role("region", name="Core: what earns today").get_by_role("row").filter(has_text="north")
    await expect(core).to_contain_text("growing towards a limit")
    await expect(core).to_contain_text("due")
    await expect(core.get_by_role("img", name="Its weeks, its curve, and a year to come")).to_be_visible()
    emerging = page.get_by_role("region", name="Emerging: what grows").get_by_role("row").filter(has_text="south")
    await expect(emerging).to_contain_text("before the bend")
    await expect(emerging).not_to_contain_text("due")


async def test_reading_anew_goes_on_beside_the_page_and_says_when_it_is_over(page: Page, served: Served) -> None:
    await page.goto(f"{served.address}/growth")
    await page.get_by_role("button", name="Read anew").click()
    await expect(page.get_by_text("Every line was read on the newest snapshot.")).to_be_visible(timeout=60_000)
