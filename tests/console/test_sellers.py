"""Sellers against sellers at the console: whatever page or form, with whatever ids, they find their own alone."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from isthmus.manifest.vault import Vault
from isthmus.packs.identity import api
from isthmus.packs.identity.service.staff import Staff
from isthmus.store import Database

from . import signing
from .conftest import Served
from .test_pages import PAGES

MAY_SEE = {"/orders", "/goods", "/parcels", "/settlements", "/stock", "/metrics", "/account"}
MINE, THEIRS = "tea", "jam"


@dataclass(frozen=True, slots=True)
class Two:
    """What was sold of each seller."""

    mine: dict[str, Any]
    theirs: dict[str, Any]
    client: httpx.AsyncClient


@pytest.fixture
async def seller(served: Served) -> AsyncIterator[Two]:
    """Give a browser in which somebody of the seller of tea is signed in, and an order of each seller."""
    sold = {}
    for sku in (MINE, THEIRS):
        sold[sku] = await served.sell(sku, contact_email=f"{sku}.buyer@example.org")
    async with (
        await Database.open(served.url) as database,
        httpx.AsyncClient(base_url=f"{served.address}/", timeout=30) as client,
    ):
        staff = Staff(database, Vault(Path("no-key-is-needed"), api.NoKey), kinds={"seller"})
        await staff.made("owner", (api.RoleAt(role="owner"),), signing.BY)
        link = await staff.made("tea-packer", (), signing.BY)
        part = api.RelationAt(role="operator", front_end="north", part="seller/tea-maker")
        await staff.share("tea-packer", part, signing.BY)
        await signing.sign_in(client, served.address, link)
        yield Two(sold[MINE], sold[THEIRS], client)


async def test_the_menu_has_what_a_seller_has_to_do_with(seller: Two) -> None:
    account = await seller.client.get("account")
    menu = {path or "/" for path in re.findall(r'<li><a href="/console(/[a-z-]*)"', account.text)}
    assert menu == MAY_SEE


async def test_lists_have_their_own_orders_and_goods(seller: Two) -> None:
    orders = (await seller.client.get("orders")).text
    assert f"#{seller.mine['number']}" in orders
    assert f"#{seller.theirs['number']}" not in orders
    goods = (await seller.client.get("goods")).text
    assert "<code>tea</code>" in goods
    assert THEIRS not in goods.lower()
    assert (await seller.client.get("parcels")).status_code == 200
    assert (await seller.client.get("settlements")).status_code == 200


async def test_no_page_shows_anything_of_another_seller(served: Served, seller: Two) -> None:
    """Every page that the console has, by its address, and again with what names the other seller."""
    theirs = seller.theirs["order_id"]
    asked = [
        *PAGES, f"/orders/north/{theirs}", f"/orders?q={seller.theirs['number']}", "/orders?q=jam.buyer@example.org",
        f"/parcels?reference={theirs}", "/goods?text=jam", "/goods?seller=jam-maker",
        "/settlements?payee=seller/jam-maker",
        f"/find?q={seller.theirs['number']}", f"/find?q={theirs}", "/find?q=jam", "/calls?q=jam",
        "/members?q=jam.buyer@example.org", "/metrics?metrics=order.line-sales&by=order.line.seller",
        "/metrics/answer.csv?metrics=order.line-sales&by=order.line.seller",
        "/metrics?metrics=order.sales&policy=owner",
        "/metrics/answer.csv?metrics=order.sales&policy=owner", "/metrics?metrics=order.orders&policy=north",
    ]  # fmt: skip
    opened = 0
    for path in dict.fromkeys(asked):
        answer = await seller.client.get(path.lstrip("/") or "?")
        assert answer.status_code in (200, 303, 400, 403, 404), path
        opened += answer.status_code == 200
        shown = re.sub(r'="[^"]*"', "", answer.text).lower()  # what was typed stands in its field
        for _, typed in parse_qsl(urlsplit(path).query):  # as pages say back that nothing is so called
            shown = shown.replace(typed.lower(), "")
        assert not re.search(rf"\bjam\b|#{seller.theirs['number']}\b", shown.replace(theirs, "")), path
    assert opened >= len(MAY_SEE)


async def test_the_page_of_anothers_order_is_the_page_of_none(seller: Two) -> None:
    nowhere = "019a0000-0000-7000-8000-000000000000"
    pages = [await seller.client.get(f"orders/north/{one}") for one in (seller.theirs["order_id"], nowhere)]
    texts = [
        one.text.replace(id, "?") for one, id in zip(pages, (seller.theirs["order_id"], nowhere), strict=True)
    ]  # fmt: skip
    assert (pages[0].status_code, texts[0]) == (pages[1].status_code, texts[1])
    assert pages[0].status_code == 404
    assert (await seller.client.get(f"orders/north/{seller.mine['order_id']}")).status_code == 200


async def test_the_page_of_anothers_stock_is_the_page_of_none(seller: Two) -> None:
    pages = [await seller.client.get(f"stock/north/{one}") for one in (THEIRS, "nothing")]
    theirs, nothing = (
        re.sub(r'name="(csrf|reference)" value="[^"]*"|[0-9a-f-]{36}', "", one.text) for one in pages
    )  # fmt: skip
    assert [one.status_code for one in pages] == [200, 200]
    assert theirs.replace(THEIRS, "?") == nothing.replace("nothing", "?")


async def test_no_form_reaches_what_is_anothers(served: Served, seller: Two) -> None:
    theirs = seller.theirs["order_id"]
    await seller.client.post("goods", data={"front_end": "north", "sku": THEIRS})
    found = await served.call("catalog.search", {"text": THEIRS})
    assert [one["sku"] for one in found["items"]] == [THEIRS]
    me = {"name": "tea-packer", "role": "operator", "front_end": "north"}
    forms = {
        f"orders/north/{theirs}/ship": {"key": "k-ship"},
        f"orders/north/{theirs}/complete": {"key": "k-complete"},
        f"orders/north/{theirs}/cancel": {"key": "k-cancel", "reason": "mine now"},
        f"orders/north/{theirs}/return": {"key": "k-return", "line-0": "1"},
        "shares": {"act": "give", **me, "part": "seller/jam-maker"},
        "people": {"act": "give", **me},
        "settlements": {"front_end": "north", "act": "prepare", "day": "2030-01-01", "key": "k-s"},
    }  # fmt: skip
    before = await served.call("order.get-order", {"order_id": theirs})
    for path, fields in forms.items():
        answer = await seller.client.post(path, data=fields)
        assert answer.status_code in (403, 404, 409), path
    assert await served.call("order.get-order", {"order_id": theirs}) == before


async def test_what_they_were_given_ends_in_the_middle_of_their_work(served: Served, seller: Two) -> None:
    assert (await seller.client.get("orders")).text.count(f"#{seller.mine['number']}") >= 1
    async with await Database.open(served.url) as database:
        staff = Staff(database, Vault(Path("no-key-is-needed"), api.NoKey))
        for one in await staff.relations(person="tea-packer"):
            await staff.end_share(one.id, "*", signing.BY)
    assert (await seller.client.get(f"orders/north/{seller.mine['order_id']}")).status_code == 403
    assert f"#{seller.mine['number']}" not in (await seller.client.get("orders")).text


async def test_an_owner_invites_a_sellers_people_and_shares_and_ends_on_pages(served: Served) -> None:
    async with httpx.AsyncClient(base_url=f"{served.address}/", timeout=30) as owner:
        await served.sign_in(owner)
        invited = await owner.post(
            "people",
            data={"act": "invite", "name": "jam-packer", "address": "jam.packer@example.org", "role": "operator",
                  "front_end": "north", "part": "seller/jam-maker"},
        )  # fmt: skip
        assert "/sign-in/link?link=" in invited.text
        until = {
            "act": "give",
            "name": "jam-packer",
            "role": "support",
            "front_end": "south",
            "until": "2090-01-31T18:00",
        }
        assert (await owner.post("shares", data=until)).status_code == 303
        listed = (await owner.get("shares")).text
        assert "<code>seller/jam-maker</code>" in listed
        assert "<code>front-end/south</code>" in listed
        who = (await owner.get("policies?front_end=north&role=support&action=order.complete-order")).text
        assert "jam-packer: operator seller/jam-maker" in who
        wrong = await owner.post("shares", data={**until, "part": "shelf/1"})
        assert wrong.status_code == 409
        for number in re.findall(r'name="id" value="(\d+)"', listed):
            code = "south" if "south" in listed.partition(f'value="{number}"')[2][:120] else "north"
            assert (await owner.post("shares", data={"act": "end", "id": number, "front_end": code})).status_code == 303
        assert "jam-packer" not in (await owner.get("shares")).text
