"""Mobile in the console: flags are put, explained and killed, and an app's SDK sees it; releases are steered."""

from __future__ import annotations

import asyncio
import json

from openfeature import api as openfeature
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from playwright.async_api import Page, expect

from isthmus.kernel import encode
from tests.packs.devices.test_devices import Phone
from tests.packs.messaging.services import Browser
from tests.packs.webhooks.receiver import Receiver
from tests.waiting import until

from .conftest import Served, eventually


async def test_a_flag_is_put_explained_and_killed_and_an_app_sees_it(page: Page, served: Served) -> None:
    authorization = str(served.client.headers["authorization"])
    provider = OFREPProvider(str(served.client.base_url), headers_factory=lambda: {"Authorization": authorization})

    def seen() -> tuple[bool, str | None]:
        openfeature.set_provider(provider, "served")
        context = EvaluationContext(targeting_key="ann", attributes={"country": "DE"})
        found = openfeature.get_client("served").get_boolean_details("new-checkout", False, context)
        return found.value, found.reason and str(found.reason)

    assert await asyncio.to_thread(seen) == (False, "ERROR")
    await page.goto(f"{served.address}/flags?front_end=north")
    await expect(page.get_by_text("There are no flags here.")).to_be_visible()
    await page.get_by_label("Flag, as JSON").fill(
        '{"key": "new-checkout", "variants": {"on": true, "off": false}, "default_variant": "off",'
        ' "targeting": {"if": [{"==": [{"var": "country"}, "DE"]}, "on"]}}'
    )
    await page.get_by_label("Why").fill("for Germany")
    await page.get_by_role("button", name="Put").click()
    await expect(page.get_by_role("status")).to_contain_text("It is done.")
    assert await asyncio.to_thread(seen) == (True, "TARGETING_MATCH")
    flags = page.get_by_role("region", name="Flags")
    await flags.get_by_role("link", name="new-checkout").click()
    await page.get_by_label("Targeting key").fill("ann")
    await page.get_by_label("Attributes, as JSON").fill('{"country": "FR"}')
    await page.get_by_role("button", name="Ask").click()
    await expect(page.get_by_role("status")).to_contain_text("its rule chooses nothing, so it is false")
    await expect(page.get_by_role("region", name="What was looked at")).to_contain_text("$.if[0]")
    await expect(page.get_by_role("region", name="Changes")).to_contain_text("for Germany")
    await page.goto(f"{served.address}/flags?front_end=north")
    await flags.get_by_role("button", name="Switch off").click()
    await expect(page.get_by_role("status")).to_contain_text("off for everybody")
    assert await asyncio.to_thread(seen) == (False, "DISABLED")


async def test_an_experiment_is_shown_with_what_came_of_it(page: Page, served: Served) -> None:
    flag = {
        "key": "first-page", "kind": "string", "variants": {"deals": "d", "recipes": "r"}, "default_variant": "deals",
        "experiment": {
            "name": "first-page", "shares": {"deals": 50, "recipes": 50}, "control": "deals",
            "goal": "order.order-placed", "subject": "member_id", "planned": 200,
        },
    }  # fmt: skip
    assert (await served.client.post("/v1/flags.put-flag", json={"flag": flag})).status_code == 200

    async def exposed(number: int) -> bool:
        ask = {"key": "first-page", "context": {"targeting_key": f"reader-{number}"}}
        return (await served.client.post("/v1/flags.expose", json=ask)).status_code == 200

    await until(lambda: exposed(0))  # a server has a flag within a second
    for number in range(1, 12):
        assert await exposed(number)
    await page.goto(f"{served.address}/flags/north/first-page")
    variants = page.get_by_role("region", name="Variants of the experiment")
    for name in ("deals", "recipes"):
        await expect(variants.get_by_role("row", name=name)).to_be_visible()
    counted = [int(one) for one in await variants.locator("tbody td:nth-child(2)").all_inner_texts()]
    assert sum(counted) == 12
    await expect(page.get_by_role("status")).to_contain_text("too early")
    await expect(page.get_by_text("planned: 200 subjects a variant")).to_be_visible()


async def test_a_release_is_given_to_more_and_rolled_back(page: Page, served: Served) -> None:
    train = {"app": "shop", "platform": "web"}
    for version, share in (("1.0.0", 100), ("1.1.0", 10)):
        put = await served.client.post("/releases/files", content=version.encode())
        assert put.status_code == 201, put.text
        sha256 = put.json()["file"].partition(".")[0]
        await served.call("releases.publish", {"train": train, "version": version, "sha256": sha256, "share": share})
        got = await served.client.get(f"/releases/files/{sha256}.bin")
        assert (got.content, got.status_code) == (version.encode(), 200)
    await page.goto(f"{served.address}/releases?front_end=north")
    newest = page.get_by_role("region", name="Releases").locator("tbody tr").first
    await newest.get_by_label("Percent of devices").fill("50")
    await newest.get_by_role("button", name="Give to more").click()
    await expect(newest).to_contain_text("50 %")
    await newest.get_by_role("button", name="Roll back").click()
    await expect(page.get_by_role("status")).to_contain_text("by a release of its own")
    await expect(newest).to_contain_text("goes back from")
    ask = {"train": train, "version": "1.1.0", "device": "d"}
    assert (await served.call("releases.check-update", ask))["release"]["version"] == "1.0.0"


async def test_a_lost_device_is_cut_off_by_a_button(page: Page, served: Served) -> None:
    phone = Phone("phone-of-ann")
    await served.call("devices.register", json.loads(encode(phone.registration())))
    await page.goto(f"{served.address}/devices?front_end=north")
    devices = page.get_by_role("region", name="Devices")
    await expect(devices).to_contain_text("phone-of-ann")
    await devices.get_by_role("button", name="Cut off").click()
    await expect(page.get_by_role("status")).to_contain_text("refused, on every server")
    await expect(devices).to_contain_text("reported as lost")
    assert (await served.call("devices.prove", json.loads(encode(phone.proof()))))["standing"] == "cut-off"


async def test_a_campaign_is_started_reaches_an_inbox_and_is_cancelled(page: Page, served: Served) -> None:
    made = await served.call("member.register", {"identities": [{"kind": "email", "value": "ann@example.org"}]})
    member_id = made["member_id"]
    subscription = Browser(Receiver(port=9)).subscription()  # nobody listens there: the inbox has it all the same
    ask = {"member_id": member_id, **subscription, "address": "https://push.invalid/ann"}
    await served.call("messaging.add-endpoint", ask)
    await page.goto(f"{served.address}/campaigns?front_end=north")
    await expect(page.get_by_text("Nothing was said to many here.")).to_be_visible()
    await page.get_by_label("Title").fill("Ripe now")
    await page.get_by_label("Purpose").fill("service")
    await page.get_by_role("button", name="Push").click()
    await expect(page.get_by_role("status")).to_contain_text("It is being queued")
    campaigns = page.get_by_role("region", name="Campaigns")
    await eventually(page, campaigns.get_by_text("queued"))
    await expect(campaigns).to_contain_text("waiting 1")
    inbox = await served.call("messaging.list-inbox", {"member_id": member_id})
    assert ([one["title"] for one in inbox["items"]], inbox["unread"]) == (["Ripe now"], 1)
    await campaigns.get_by_role("button", name="Cancel").click()
    await expect(campaigns).to_contain_text("cancelled 1")


async def test_what_two_devices_wrote_is_shown_and_settled_by_a_button(page: Page, served: Served) -> None:
    member_id = "00000000-0000-0000-0000-000000000001"
    for client_id, words in (("phone-of-ann", "after five"), ("laptop-of-ann", "before noon")):
        operation = {"collection": "basket", "document": "milk", "kind": "set", "field": "note", "value": words}
        ask = {"client_id": client_id, "member_id": member_id, "operations": [{"sequence": 1, **operation}]}
        await served.call("sync.push", ask)
    await page.goto(f"{served.address}/conflicts?front_end=north")
    conflicts = page.get_by_role("region", name="Sync conflicts")
    await expect(conflicts).to_contain_text("before noon")
    await conflicts.get_by_role("button", name="Take the other").click()
    await expect(page.get_by_role("status")).to_contain_text("on all devices with their next pull")
    await expect(page.get_by_text("No conflict is open here.")).to_be_visible()
    pulled = await served.call("sync.pull", {"client_id": "phone-of-ann", "member_id": member_id})
    assert pulled["documents"][0]["values"] == {"note": "after five"}
