"""Whoever pays sees how thin the platform is, which term is weakest, and what to do next."""

from __future__ import annotations

import asyncio
import os
import re
from datetime import UTC, datetime

from playwright.async_api import Page, expect

from isthmus.governance.thin import course
from isthmus.store import Database
from tests import forked

from .conftest import Served, eventually


async def measured(served: Served) -> None:
    """Run the command beside the server, as an operator does."""
    known = {**os.environ, "ISTHMUS_DATABASE_URL": served.url, "ISTHMUS_DATA": str(served.data)}
    ended = await asyncio.to_thread(forked.run, ["thin", "--all"], served.folder, known)
    assert ended.returncode == 0
    assert "thinness " in ended.stdout
    assert "extension point catalog.choose-substitute has no answer" in ended.stdout


def sample(day: int, decisions: int) -> course.Sample:
    at = datetime(2026, 1, day, tzinfo=UTC)
    return course.Sample(commit=f"{day:040}", at=at, platform=decisions, own=20, front_ends=1, changes=4, waited=1)


async def test_whoever_pays_sees_the_index_its_terms_and_what_to_do_next(page: Page, served: Served) -> None:
    await page.goto(f"{served.address}/thinness")
    await expect(page.get_by_text("It was not measured yet.")).to_be_visible()
    await measured(served)
    async with await Database.open(served.url) as database:
        await course.keep(database, [sample(1, 10), sample(30, 1_240)])
    await page.reload()
    await expect(page.get_by_role("img", name="Thinness from the first commit on")).to_be_visible()
    await expect(page.get_by_role("main")).to_contain_text("now they have 1,240 and 20")
    terms = page.get_by_role("region", name="Terms of thinness")
    await expect(terms.get_by_role("row").filter(has_text="The platform serves nobody alone")).to_be_visible()
    await expect(page.get_by_text("Nothing was found.")).to_be_visible()  # of what is changed here
    await page.get_by_role("link", name="in packs that came with a release").click()
    findings = page.get_by_role("region", name="Findings")
    point = findings.get_by_role("row").filter(has_text="extension point catalog.choose-substitute has no answer")
    await expect(point).to_contain_text("is not changed here")
    await page.get_by_role("link", name="lift", exact=False).first.click()
    await expect(page.get_by_role("link", name="lift", exact=False).first).to_have_attribute("aria-current", "true")
    await page.goto(f"{served.address}/thinness?language=zh&verdict=elsewhere")
    await expect(page.get_by_role("main")).to_contain_text("catalog.choose-substitute")
    for english in ("has no answer", "is not changed here", "serve one front end alone"):
        await expect(page.get_by_role("main")).not_to_contain_text(english)


async def test_whoever_pays_sees_how_long_changes_take_and_what_they_wait_for(page: Page, served: Served) -> None:
    known = {**os.environ, "ISTHMUS_DATABASE_URL": served.url, "ISTHMUS_DATA": str(served.data)}
    ended = await asyncio.to_thread(forked.run, ["lead-time", "--days", "366"], served.folder, known)
    assert ended.returncode == 0, ended.stderr
    assert "queue tax: " in ended.stdout
    await page.goto(f"{served.address}/thinness")
    changes = page.get_by_role("region", name="How long changes of front ends take")
    await expect(changes.get_by_role("columnheader", name="Waiting for the platform")).to_be_visible()
    assert await changes.get_by_role("row").count() > 1
    await expect(page.get_by_role("main")).to_contain_text("makes the question that is missing")
    await page.goto(f"{served.address}/thinness?language=zh")
    await expect(page.get_by_role("columnheader", name="等待平台")).to_be_visible()


async def test_whoever_pays_reads_in_a_minute_what_to_do_on_monday(page: Page, served: Served) -> None:
    await served.sell("tea", "jam")
    await page.goto(f"{served.address}/minute")
    month = page.locator(".tile").filter(has_text="A month")
    await expect(month.first).to_contain_text("€1,200.00")
    await expect(page.locator(".tile").filter(has_text="Silo index")).to_contain_text("not measured yet")
    monday = page.get_by_role("listitem").filter(has_text="isthmus silo")
    await expect(monday).to_contain_text("it was not measured yet")
    known = {**os.environ, "ISTHMUS_DATABASE_URL": served.url, "ISTHMUS_DATA": str(served.data)}
    ended = await asyncio.to_thread(forked.run, ["silo"], served.folder, known)
    assert ended.returncode == 0, ended.stderr
    await monday.get_by_role("link").click()
    terms = page.get_by_role("region", name="Terms of the silo index")
    await expect(terms.get_by_role("row").filter(has_text="Exits are exercised")).to_contain_text("0.0 %")
    await terms.get_by_role("link", name="Data can be taken along").click()
    evidence = page.get_by_role("region", name="Evidence")
    await expect(evidence.get_by_role("row").filter(has_text="that no entity describes").first).to_be_visible()
    await page.goto(f"{served.address}/minute?language=zh")
    await expect(page.get_by_role("main")).to_contain_text("周一该做什么")


async def test_a_condition_is_tried_on_last_weeks_orders_and_taken_as_code(page: Page, served: Served) -> None:
    """North takes a euro off each unit; only in the app, the buyer of tea and jam in a shop would pay two more."""
    await served.sell("tea", "jam")
    await page.goto(f"{served.address}/combinations?front_end=north")
    await eventually(page, page.get_by_role("region", name="Sets of products").get_by_role("row").filter(has_text="€"))
    await page.get_by_label("this answer was asked", exact=True).select_option("one_euro_off")
    await page.get_by_label("only where").select_option("channel")
    await page.get_by_label("is", exact=True).fill("app")
    await page.locator("button[value=when]").click()
    outcome = page.locator("#outcome")
    await expect(outcome.locator(".tile").filter(has_text="Buyers would pay")).to_contain_text(re.compile(r"€[1-9]"))
    await expect(outcome.locator("pre")).to_contain_text(
        '+@answers(pricing.adjust_unit_price, when={"channel": "app"})'
    )
    await expect(outcome.locator("pre")).to_contain_text("--- a/front_ends/north/front_end.py")


async def test_sets_of_what_answers_a_question_are_seen_and_tried(page: Page, served: Served) -> None:
    await served.sell("tea", "jam")
    await page.goto(f"{served.address}/combinations?front_end=north&question=pricing.adjust-unit-price")
    sets = page.get_by_role("region", name="Sets of what answers a question")
    await eventually(page, sets.get_by_role("row").filter(has_text="one_euro_off").filter(has_text="€"))
    await expect(sets.get_by_role("row").filter(has_text="never tried").first).to_be_visible()
    await page.get_by_role("checkbox", name="one_euro_off").uncheck()
    await page.locator("button[value=answers]").click()
    outcome = page.locator("#outcome")
    await expect(outcome.locator(".tile").filter(has_text="Buyers would pay")).to_contain_text(re.compile(r"€[1-9]"))
    await expect(outcome.locator("pre")).to_contain_text("one_euro_off")


async def test_who_runs_a_front_end_sees_what_people_meet(page: Page, served: Served) -> None:
    await served.sell("tea")
    await page.goto(f"{served.address}/experience")
    basket = page.get_by_role("region", name="What people meet").get_by_role("row").filter(has_text="Basket")
    await eventually(page, basket)
    await expect(basket.filter(has_text="north")).to_contain_text("%")
    await expect(page.get_by_role("main")).to_contain_text("No change has enough calls around it yet.")
