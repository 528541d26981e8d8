"""What a front-end owner does: ships a changed rule, sees what it changes, gives it to everybody, takes it back."""

from __future__ import annotations

import asyncio
import os
import re

from playwright.async_api import Page, expect

from isthmus.runtime.replay.report import FrontEndReport, Tally
from isthmus.runtime.shadow import shadow as shadows
from tests import forked

from .conftest import Served, eventually


async def ship(served: Served, *options: str) -> None:
    """Deploy north from its folder by the command line, as its team does."""
    command = ["deploy", "front_ends/north", "--by", "north-team", *options]
    environment = {**os.environ, "ISTHMUS_DATABASE_URL": served.shop.database.url, "ISTHMUS_DATA": str(served.data)}
    ended = await asyncio.to_thread(forked.run, command, served.folder, environment)
    assert ended.returncode == 0, ended.stdout + ended.stderr


async def price_of_tea(served: Served) -> int:
    ask = {"currency": "EUR", "lines": [{"sku": "tea", "quantity": 1}]}
    return (await served.call("checkout.preview-order", ask))["bill"]["total"]["minor"]


async def test_a_changed_rule_is_seen_given_to_all_and_taken_back(page: Page, served: Served) -> None:
    rule = served.folder / "front_ends" / "north" / "front_end.py"
    await ship(served, "--accept")
    assert await price_of_tea(served) == 900
    rule.write_text(rule.read_text().replace("amount.minor - 100", "amount.minor - 200"))
    await ship(served, "--percent", "1", "--accept")

    await page.goto(f"{served.address}/front-ends/north")
    await page.get_by_role("link", name="Versions and deploys").click()
    versions = page.get_by_role("region", name="Versions").locator("tbody")
    await expect(versions.locator("tr")).to_have_count(2)
    await versions.get_by_role("link", name="v2").click()
    changed = page.get_by_role("region", name="Changed answers").locator("tbody tr")
    await expect(changed).to_have_count(1)
    await expect(changed).to_contain_text("pricing.adjust-unit-price")
    await expect(changed).to_contain_text("north.one_euro_off")
    await expect(changed).to_contain_text("changed")
    await expect(page.locator(".diff .less").last).to_contain_text("amount.minor - 100")
    await expect(page.locator(".diff .more").last).to_contain_text("amount.minor - 200")

    replayed = page.get_by_text("recorded calls come out otherwise")
    await eventually(page, replayed)  # calls are recorded a moment after they were answered
    await expect(replayed).to_be_visible()
    await expect(page.locator("del").first).to_contain_text("900")
    await expect(page.locator("ins").first).to_contain_text("800")
    await page.locator("a[href*='/calls/']").first.click()
    await expect(page.locator(".story")).to_contain_text("a euro off for all")

    await page.goto(f"{served.address}/front-ends/north")  # where its owner looks, what runs is said and can be changed
    await expect(page.get_by_role("complementary", name="What it is made of")).to_contain_text("for 1 of 100 members")
    await page.get_by_role("button", name="Promote").click()
    await expect(page.get_by_role("status")).to_contain_text("promote: followed by 1 worker")
    assert await price_of_tea(served) == 800

    await page.get_by_label("Why, for the record").fill("too cheap")
    await page.get_by_role("button", name="Roll back").click()
    await expect(page.get_by_role("status")).to_contain_text("rollback")
    assert await price_of_tea(served) == 900
    decisions = page.get_by_role("region", name="Decisions").locator("tbody tr").first
    await expect(decisions).to_contain_text("too cheap")
    await expect(decisions).to_contain_text("owner")


async def test_a_share_that_is_none_is_refused_and_nothing_changes(page: Page, served: Served) -> None:
    await ship(served, "--accept")
    before = await price_of_tea(served)
    rule = served.folder / "front_ends" / "north" / "front_end.py"
    rule.write_text(rule.read_text().replace("off for all", "off for everybody"))
    await ship(served, "--percent", "1", "--accept")
    await page.goto(f"{served.address}/deploys/north")
    await page.get_by_role("region", name="Versions").locator("tbody a").first.click()
    await page.get_by_label("Of 100 members").evaluate("one => { one.type = 'text'; one.value = 'half'; }")
    await page.get_by_role("button", name="Put in place").click()
    await expect(page.get_by_role("alert")).to_contain_text("choose 1 to 100")
    assert await price_of_tea(served) == before


async def test_decisions_are_read_back_to_the_first(page: Page, served: Served) -> None:
    await ship(served, "--accept")
    async with served.shop.database.platform() as session:  # of a front end that has gone: nobody follows them
        await session.execute(
            """insert into runtime.switch (front_end, kind, made_by, reason)
               select 'west', 'rollback', 'west-team', 'reason ' || number from generate_series(1, 70) as number"""
        )
    await page.goto(f"{served.address}/deploys")
    decisions = page.get_by_role("region", name="Decisions").locator("tbody tr")
    await expect(decisions).to_have_count(30)
    await expect(decisions.first).to_contain_text("reason 70")
    await page.get_by_role("link", name="Earlier decisions").click()
    await expect(decisions.first).to_contain_text("reason 40")
    await page.get_by_role("link", name="Earlier decisions").click()
    await expect(decisions.first).to_contain_text("reason 10")
    await expect(decisions.last).to_contain_text("north")
    await expect(page.get_by_role("link", name="Earlier decisions")).to_have_count(0)
    await page.get_by_role("link", name="Latest").click()
    await expect(decisions.first).to_contain_text("reason 70")


async def test_a_version_in_the_shadow_is_shown_with_what_it_found_and_answers_nobody(
    page: Page, served: Served
) -> None:
    await ship(served, "--accept")
    before = await price_of_tea(served)
    rule = served.folder / "front_ends" / "north" / "front_end.py"
    rule.write_text(re.sub(r"amount\.minor - \d+", "amount.minor - 300", rule.read_text()))
    await ship(served, "--shadow", "100")
    await page.goto(f"{served.address}/deploys/north")
    versions = page.get_by_role("region", name="Versions").locator("tbody")
    await expect(versions.locator("tr").first).to_contain_text("shadow 100 %")
    await versions.get_by_role("link").first.click()
    await expect(page.get_by_text("No call has been run yet")).to_be_visible()
    database = served.shop.database
    tally = Tally(name="pricing.quote", same=388, differing=24)
    found = FrontEndReport(front_end="north", calls=412, changed_calls=24, tallies=(tally,))
    shadow = await shadows.find(database, "north")
    await shadows.keep(database, shadow, found, (shadow.made_at, ""), 7)
    await page.reload()
    await expect(page.get_by_text("24 of 412 recorded calls come out otherwise")).to_be_visible()
    await expect(page.get_by_text("7 came faster than they could be run")).to_be_visible()
    assert await price_of_tea(served) == before
