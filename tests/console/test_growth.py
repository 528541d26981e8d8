"""Whoever decides on money sees each line on its curve, and where something new is due."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
from playwright.async_api import Page, expect

from isthmus.governance.growth.combinations import Earned, Innovation
from isthmus.governance.growth.drivers import Drivers, Step
from isthmus.governance.growth.launches import Begun, Budget, Launch, Lead
from isthmus.governance.growth.lines import AHEAD_WEEKS, Line
from isthmus.governance.growth.movements import Moved, Movement
from isthmus.governance.growth.portfolio import portfolio
from isthmus.governance.growth.reading import Growth, read
from isthmus.governance.growth.report import Report
from isthmus.kernel import encode

from .conftest import Served

RECEIPT = "0123456789abcdef"
BUDGET = Budget(currency="EUR", granted=40_000, spent=1_000)
WEEKS = np.arange(80.0)
FIRST = date(2025, 1, 6)


def line(code: str, levels: list[float], horizon: str, *, is_due: bool = False) -> Line:
    growth: Growth = read(levels, FIRST, ahead=AHEAD_WEEKS)
    return Line(
        code=code, metric="order.sales", unit="EUR", first=FIRST, values=tuple(levels), growth=growth, horizon=horizon,
        receipt=RECEIPT, share=0.5 if code else None, is_due=is_due,
    )  # fmt: skip


def kept(served: Served) -> Report:
    """Keep what was read, as `isthmus growth` does where years have landed; south began after half a year."""
    noise = np.random.default_rng(1)
    saturating = [float(one) for one in noise.poisson(900 / (1 + np.exp(-0.1 * (WEEKS - 55))))]
    growing = [float(one) if at >= 26 else 0.0 for at, one in enumerate(noise.poisson(20 * np.exp(0.04 * WEEKS)))]
    both = [one + other for one, other in zip(saturating, growing, strict=True)]
    lines = (
        line("", both, "emerging"),
        line("north", saturating, "core", is_due=True),
        line("south", growing, "emerging"),
        line("tea", saturating, "core").replace(cut="product"),
        line("cake", growing, "emerging").replace(cut="product"),
    )
    lead = Lead(
        days=40,
        launches=(Launch(code="south", begun=FIRST, first=FIRST, days=40, days_to_count=60, receipt=RECEIPT),),
    )
    moved = Movement(
        code="south", metric="order.sales", known=Moved(people=5, sales=50), came=Moved(people=30, sales=300),
        new=Moved(people=10, sales=100), guests=Moved(people=0, sales=0), moved=Moved(people=1, sales=7),
        gone=Moved(people=2, sales=9), cannibalised=0.75, receipts=(RECEIPT,),
    )  # fmt: skip
    steps = (Step(of="new", name="order.buyers", adds=80, share=0.8), Step(of="all", name="a / b", adds=20, share=0.2))
    drives = Drivers(metric="order.sales", before=100, after=200, steps=steps, receipts=(RECEIPT,))
    earned = Earned(
        novelty="combination", code="north", parts=("presale", "web", "home"), since=FIRST, quarter=12, year=34,
        receipt=RECEIPT,
    )  # fmt: skip
    report = Report(
        at=datetime(2026, 7, 20, tzinfo=UTC), snapshot="1", lines=lines, drivers=(drives,), movements=(moved,),
        lead=lead,
        portfolio=portfolio(lines, "order.sales", (moved,), {"north": Begun(on=FIRST, people=4, budget=BUDGET)}, lead),
        innovation=Innovation(
            metric="order.sales", fields=("order_kind",), earned=(earned,),
            year={"as before": 1_000, "combination": 34, "new line": 0, "venture": 0},
        ),
    )  # fmt: skip
    (served.data / "growth.json").write_bytes(encode(report))
    return report


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


async def test_who_pays_sees_money_and_people_what_must_come_and_what_waiting_costs(page: Page, served: Served) -> None:
    report = kept(served)
    assert report.portfolio
    assert report.portfolio.what_if
    await page.goto(f"{served.address}/growth")
    core = page.get_by_role("region", name="Money and people by horizon").get_by_role("row").filter(has_text="Core")
    await expect(core).to_contain_text("north")
    await expect(core.get_by_role("cell").nth(-2)).to_have_text("4")
    await expect(core.get_by_role("cell").last).to_have_text("40,000 EUR1,000 EUR (2.5 %)")
    needed = page.get_by_role("region", name="What must come from where")
    assert report.portfolio.needed
    gap = f"{report.portfolio.needed.gap:,.2f}"
    await expect(needed.get_by_role("row").filter(has_text="Something new")).to_contain_text(gap)
    imagined = page.get_by_role("region", name="What if a venture begins now, or in a year")
    costs = f"{report.portfolio.what_if.costs:,.2f}"
    await expect(imagined.get_by_role("row").filter(has_text="Waiting costs")).to_contain_text(costs)
    await expect(page.get_by_label("It grows as this line did")).to_have_value("south")
    moved = (
        page.get_by_role("region", name="Who is new, and who only moved").get_by_role("row").filter(has_text="south")
    )
    await expect(moved).to_contain_text("75.0 %")
    drives = page.get_by_role("region", name="What drives it")
    await expect(drives.get_by_role("row").filter(has_text="members who are new")).to_contain_text("80.00")
    products = page.get_by_text("Products: Core: what earns today 1 · Emerging: what grows 1")
    await products.click()
    await expect(page.get_by_role("region", name="Products · Emerging: what grows")).to_contain_text("cake")
    done = page.get_by_role("region", name="Combination and disruption").get_by_role("row").filter(has_text="presale")
    await expect(done.get_by_role("link", name="receipt")).to_have_attribute(
        "href", f"/console/metrics/receipts/{RECEIPT}"
    )
    await page.goto(f"{served.address}/growth?like=north")
    await expect(page.get_by_text("line 'north' was not seen to begin")).to_be_visible()


async def test_reading_anew_goes_on_beside_the_page_and_says_when_it_is_over(page: Page, served: Served) -> None:
    await page.goto(f"{served.address}/growth")
    await page.get_by_role("button", name="Read anew").click()
    await expect(page.get_by_text("Every line was read on the newest snapshot.")).to_be_visible(timeout=60_000)
