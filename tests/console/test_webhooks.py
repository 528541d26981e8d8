"""Webhooks in the console: an endpoint is tried, paused and resumed, and what died is sent again."""

from __future__ import annotations

from playwright.async_api import Page, expect

from tests.packs.webhooks.receiver import Receiver

from .conftest import Served, eventually


async def test_an_endpoint_is_tried_paused_resumed_and_sent_to_again(page: Page, served: Served) -> None:
    status = [204]
    async with Receiver(lambda request: (status[0], {})) as books:
        ask = {"name": "books", "url": books.url, "types": ["order.*"]}
        made = await served.client.post("/v1/webhooks.put-endpoint", json=ask)
        assert made.status_code == 200, made.text
        await page.goto(f"{served.address}/webhooks?front_end=north")
        endpoint = page.get_by_role("region", name="Endpoints").locator("tbody tr")
        await endpoint.get_by_role("button", name="Test").click()
        await expect(page.get_by_role("status")).to_contain_text("A test event is on its way")
        sent = page.get_by_role("region", name="What was sent").locator("tbody tr")
        await eventually(page, sent.filter(has_text="done · 204"))
        assert books.taken[0].verified_by(made.json()["secret"])["type"] == "webhooks.test"
        await endpoint.get_by_role("button", name="Pause").click()
        await expect(endpoint).to_contain_text("paused by hand")
        await endpoint.get_by_role("button", name="Resume").click()
        await expect(endpoint).to_contain_text("active")
        async with served.shop.database.platform() as session:
            await session.execute(
                "update webhooks.delivery set state = 'dead', ended_at = now(), reason = 'answered 422', status = 422"
            )
        await page.reload()
        await expect(sent).to_contain_text("answered 422")
        await endpoint.get_by_role("button", name="Send dead letters again").click()
        await eventually(page, sent.filter(has_text="done · 204"))
        assert len({one.headers["webhook-id"] for one in books.taken}) == 1
