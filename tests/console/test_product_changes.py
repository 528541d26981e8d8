"""Product changes in the console: one is proposed by a client, looked at field by field, and approved by a person."""

from __future__ import annotations

from playwright.async_api import Page, expect

from .conftest import Served


async def test_a_change_of_a_product_is_looked_at_and_approved(page: Page, served: Served) -> None:
    product = {"code": "kettle", "title": "Kettle", "category": "drinks", "variants": [{"sku": "kettle"}]}
    await served.call("catalog.put-categories", {"categories": [{"code": "drinks", "name": "Drinks"}]})
    await served.call("catalog.import-products", {"products": [product]})
    changed = {**product, "title": "Iron kettle", "attributes": {"colour": "black"}}
    await served.call("catalog.propose-change", {"product": changed, "because": "it is of iron"})
    await page.goto(f"{served.address}/product-changes?front_end=north")
    await page.get_by_role("link", name="kettle").click()
    fields = page.get_by_role("region", name="What changes").locator("tbody tr")
    await expect(fields.filter(has_text="title")).to_contain_text("Iron kettle")
    await expect(fields.filter(has_text="attributes.colour")).to_contain_text("black")
    await page.get_by_label("Why").fill("it is")
    await page.get_by_role("button", name="Approve").click()
    await expect(page.get_by_role("status")).to_contain_text("the product is so now")
    await expect(page.get_by_role("heading", name="What was answered")).to_be_visible()
    shown = await served.call("catalog.get-product", {"sku": "kettle"})
    assert shown["title"] == "Iron kettle"
