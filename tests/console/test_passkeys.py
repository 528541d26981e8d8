"""A passkey, by Chromium's virtual authenticator: it signs in by itself, and what was overheard signs nobody in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import parse_qs

import httpx
import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from . import signing
from .conftest import Served

AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    async with await browser.new_context() as opened:
        yield opened


async def with_device(context: BrowserContext, *, is_verified: bool = True) -> Page:
    """Give a page of a machine that has an authenticator; is_verified: it has looked who is at it."""
    page = await context.new_page()
    device = await context.new_cdp_session(page)
    await device.send("WebAuthn.enable")
    await device.send("WebAuthn.addVirtualAuthenticator", {"options": {**AUTHENTICATOR, "isUserVerified": is_verified}})
    return page


async def test_an_operator_signs_in_with_a_passkey_and_nobody_with_what_was_overheard(
    served: Served, context: BrowserContext
) -> None:
    console = served.address.replace("127.0.0.1", "localhost")
    page = await with_device(context)
    await page.goto(f"{console}{await served.link('operator')}")
    await page.get_by_role("button", name="Sign in").click()
    await page.goto(f"{console}/account")
    await page.get_by_role("button", name="Add a passkey").click()
    await expect(page.locator(".notice.good")).to_contain_text("The passkey was added")
    await page.get_by_role("button", name="Sign out").click()
    sent: list[str] = []
    page.on("request", lambda one: sent.append(one.post_data or "") if one.method == "POST" else None)
    await page.get_by_role("link", name="Sign in with a passkey").click()
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await expect(page.locator("a.person")).to_have_text("operator")
    overheard = {name: values[0] for name, values in parse_qs(sent[-1]).items()}
    assert '"signature"' in overheard["credential"]
    async with httpx.AsyncClient() as eve:
        for address in (console, served.address):  # again, and at an address that it was not made for
            reply = await eve.post(f"{address}/sign-in/passkey", data=overheard)
            assert "set-cookie" not in reply.headers
            assert "passkey" in reply.text
        for broken in ("", "{}", "[]", "x" * 100_000, overheard["credential"].replace("signature", "signatur")):
            reply = await eve.post(f"{console}/sign-in/passkey", data={**overheard, "credential": broken})
            assert (reply.status_code, "set-cookie" in reply.headers) == (409, False)
    await page.goto(f"{console}/account")
    await page.get_by_role("button", name="Remove").click()
    await expect(page.locator(".notice.good")).to_contain_text("The passkey was removed")
    await page.get_by_role("button", name="Sign out").click()
    await page.get_by_role("link", name="Sign in with a passkey").click()
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await expect(page.locator("[role=alert]").first).to_contain_text("not known here")


async def test_a_passkey_of_a_machine_that_did_not_look_who_is_at_it_is_none(
    served: Served, context: BrowserContext
) -> None:
    console = served.address.replace("127.0.0.1", "localhost")
    page = await with_device(context, is_verified=False)
    await page.goto(f"{console}{await signing.sign_in_link(served.url, 'support')}")
    await page.get_by_role("button", name="Sign in").click()
    await page.goto(f"{console}/account")
    await page.get_by_role("button", name="Add a passkey").click()
    await expect(page.locator("form[data-passkey] [role=alert]")).to_be_visible()
