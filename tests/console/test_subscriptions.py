"""Subscriptions in the console: found by their state, and paused, resumed, skipped and cancelled on their page."""

from __future__ import annotations

from playwright.async_api import Page, expect

from .conftest import Served


async def test_a_subscription_is_found_rested_skipped_and_ended_on_its_page(page: Page, served: Served) -> None:
    who = [{"kind": "email", "value": "sub@example.org", "is_verified": True}]
    member = await served.call("member.register", {"identities": who})
    wanted = {
        "member_id": member["member_id"], "currency": "EUR", "every_days": 14, "token": "ok",
        "first_at": "2100-01-01T00:00:00Z", "lines": [{"sku": "tea", "quantity": 2}],
    }  # fmt: skip
    kept = await served.call("renewals.subscribe", wanted)
    await page.goto(f"{served.address}/subscriptions?front_end=north&state=active&member_id={member['member_id']}")
    rows = page.get_by_role("region", name="Subscriptions").locator("tbody tr")
    await expect(rows).to_have_count(1)
    await rows.get_by_role("link", name="2 × tea").click()
    periods = page.get_by_role("region", name="Periods").locator("tbody tr")
    await page.get_by_role("button", name="Skip the next").click()
    await expect(page.get_by_role("status")).to_contain_text("The next period is left out.")
    await expect(periods).to_contain_text(["skipped"])
    pausing = page.locator("form", has=page.get_by_role("button", name="Pause it"))
    await pausing.get_by_label("Reason").fill("away in summer")
    await pausing.get_by_role("button").click()
    await expect(page.get_by_text("away in summer")).to_be_visible()
    await expect(page.get_by_role("button", name="Skip the next")).to_have_count(0)
    asked = {"subscription_id": kept["subscription_id"]}
    assert (await served.call("subscription.get-subscription", asked))["state"] == "paused"
    await page.get_by_role("button", name="Resume it").click()
    await expect(page.get_by_role("status")).to_contain_text("The next period is ordered again.")
    seen = await served.call("subscription.get-subscription", asked)
    assert (seen["state"], seen["next_at"]) == ("active", "2100-01-15T00:00:00Z")
    await page.get_by_role("button", name="Cancel it").click()
    await expect(page.get_by_role("status")).to_contain_text("It is over.")
    assert (await served.call("subscription.get-subscription", asked))["state"] == "cancelled"
    await expect(page.locator("section.act")).to_have_count(0)
    await page.goto(f"{served.address}/subscriptions?front_end=north&state=active&member_id={member['member_id']}")
    await expect(page.get_by_text("No subscription is like this.")).to_be_visible()


async def test_a_period_that_is_not_the_next_any_more_is_refused_on_the_page(page: Page, served: Served) -> None:
    who = [{"kind": "email", "value": "late@example.org", "is_verified": True}]
    member = await served.call("member.register", {"identities": who})
    wanted = {
        "member_id": member["member_id"], "currency": "EUR", "every_days": 7, "token": "ok",
        "first_at": "2100-01-01T00:00:00Z", "lines": [{"sku": "tea", "quantity": 1}],
    }  # fmt: skip
    kept = await served.call("renewals.subscribe", wanted)
    await page.goto(f"{served.address}/subscriptions/north/{kept['subscription_id']}")
    moved = {"subscription_id": kept["subscription_id"], "next_at": "2100-02-01T00:00:00Z"}
    await served.call("subscription.change", moved)
    await page.get_by_role("button", name="Skip the next").click()
    await expect(page.get_by_role("alert")).to_contain_text("the next period is 2100-02-01")
