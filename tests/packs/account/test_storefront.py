"""A shop of the kit signs shoppers in with the group's account: it believes no address, and a guest's basket stays."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import Response

from isthmus.gateway import auth
from isthmus.kernel import Caller
from isthmus.packs.member import api as member
from isthmus_storefront import Shop
from isthmus_storefront.app import make
from isthmus_storefront.platform import Platform as StorePlatform
from isthmus_storefront.session import write

from .conftest import ADDRESS, World

SECRET = b"secret of north"
NORTH = Caller(front_end="north", client="tests")


@pytest.fixture
async def kit(world: World, tmp_path: Path) -> AsyncIterator[World]:
    """Give the world with a shop of the kit in place of north's."""
    key = await auth.create_client(world.database, "north", "shop")
    shop = Shop(code="north", name="North", motto="Tea", folder=tmp_path)
    issuer = world.accounts.issuer
    clients = world.accounts.settings.clients
    own = clients["north"].replace(redirects=("http://kit.test/sign-in/back",), after=("http://kit.test/",))
    world.accounts.settings = world.accounts.settings.replace(clients={**clients, "north": own})
    app = make(shop, issuer.removesuffix("/account"), key, SECRET, issuer)
    world.transport.open("kit.test", app)
    async with app.router.lifespan_context(app):
        yield world


def _guest() -> str:
    """Return what the cookie of a guest with a basket holds."""
    reply = Response()
    write(reply, "north_shop", {"basket_id": "019a0000-0000-7000-8000-000000000000", "count": 1}, SECRET)
    return reply.headers["set-cookie"].partition("=")[2].partition(";")[0].strip('"')


async def _signed_in(world: World, browser: httpx.AsyncClient) -> httpx.Response:
    """Sign in at the kit's shop, and return the answer that leads into it."""
    page = await browser.get("http://kit.test/sign-in")
    assert page.url.path == "/account/sign-in", page.text
    await browser.post(page.url, data={"address": ADDRESS})
    browser.follow_redirects = False
    reply = await world.use(browser, await world.newest_link())
    return await browser.get(reply.headers["location"])


async def test_who_comes_back_is_a_member_by_what_was_proved_and_keeps_the_basket(kit: World) -> None:
    async with kit.browser() as browser:
        browser.cookies.set("north_shop", _guest(), domain="kit.test")
        entered = await _signed_in(kit, browser)
        assert entered.headers["location"] == "/basket"
    found = await kit.platform.call(member.find_member, member.FindMember(kind="email", value=ADDRESS), NORTH)
    assert {(one.kind, one.is_verified) for one in found.identities} == {("email", True), ("external", True)}


async def test_what_somebody_ordered_as_a_guest_comes_along_when_they_come_back(
    kit: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []
    calls = StorePlatform.call

    async def call(self: StorePlatform, name: str, ask: dict[str, Any], **more: Any) -> Any:
        asked.append((name, str(ask.get("member_id", ""))))
        return await calls(self, name, ask, **more)

    monkeypatch.setattr(StorePlatform, "call", call)
    async with kit.browser() as browser:
        assert (await _signed_in(kit, browser)).status_code == 303  # also where nobody answers to it, as here
    found = await kit.platform.call(member.find_member, member.FindMember(kind="email", value=ADDRESS), NORTH)
    assert ("checkout.claim-orders", str(found.member_id)) in asked


async def test_a_member_whose_address_was_believed_before_is_theirs_who_proves_it(kit: World) -> None:
    ask = member.Register(identities=(member.Identity(kind="email", value=ADDRESS),))
    before = await kit.platform.call(member.register, ask, NORTH)
    async with kit.browser() as browser:
        assert (await _signed_in(kit, browser)).headers["location"] == "/"
    found = await kit.platform.call(member.find_member, member.FindMember(kind="email", value=ADDRESS), NORTH)
    assert found.member_id == before.member_id
    assert all(one.is_verified for one in found.identities)


async def test_no_form_of_the_shop_takes_an_address_on_trust(kit: World) -> None:
    async with kit.browser() as browser:
        reply = await browser.post("http://kit.test/sign-in", data={"email": ADDRESS, "name": "Eve"})
        assert reply.status_code == 405


@pytest.mark.parametrize("changed", [{"state": "another"}, {"iss": "http://evil.test"}, {"code": "another"}], ids=str)
async def test_an_answer_that_this_browser_did_not_ask_for_signs_nobody_in(kit: World, changed: dict[str, str]) -> None:
    async with kit.browser() as browser:
        page = await browser.get("http://kit.test/sign-in")
        await browser.post(page.url, data={"address": ADDRESS})
        browser.follow_redirects = False
        location = httpx.URL((await kit.use(browser, await kit.newest_link())).headers["location"])
        reply = await browser.get(location.copy_merge_params(changed))
        assert reply.status_code == 400, reply.text
        assert "north_shop" not in reply.headers.get("set-cookie", "")


async def test_who_signs_out_of_the_shop_is_led_out_of_all(kit: World) -> None:
    async with kit.browser() as browser:
        await _signed_in(kit, browser)
        browser.follow_redirects = True
        page = await browser.post("http://kit.test/sign-out")
        assert "Sign out of all shops" in page.text
        policy = (await browser.get("http://kit.test/shop.css")).headers["content-security-policy"]
        assert f"form-action 'self' {kit.accounts.issuer.removesuffix('/account')}" in policy
