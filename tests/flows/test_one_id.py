"""Members of two shops become one person: joined by themselves where it is sure, by a reviewer on a page where not."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import httpx

from isthmus.console.one_id import OneIdPages
from isthmus.console.web import console
from isthmus.data.one_id import OneId
from isthmus.kernel import Caller
from isthmus.packs.member import api as member
from isthmus.packs.member.pack import ONE_ID_RECORDS
from isthmus.values import Address

from .conftest import Shop

NOW = datetime(2030, 1, 1, tzinfo=UTC)
TOKEN = "reviewer"


async def joined(
    shop: Shop, caller: Caller, email: str, given: str, family: str, birthday: str, street: str = "5 Elm Street"
) -> str:
    identities = (member.Identity(kind="email", value=email),)
    profile = member.Profile(given_name=given, family_name=family, birthday=birthday)
    made = await shop.platform.call(member.register, member.Register(identities=identities, profile=profile), caller)
    home = Address(country="US", city="Oxford", postcode="45056", street=street)
    put = member.PutAddress(member_id=made.member_id, label="home", address=home)
    await shop.platform.call(member.put_address, put, caller)
    return f"{caller.front_end}/{made.member_id}"


async def test_a_shared_email_joins_and_what_is_not_sure_waits_for_a_reviewer(shop: Shop, tmp_path: Path) -> None:
    ann = await joined(shop, shop.north, "ann@example.org", "Ann", "Archer", "1980-02-03")
    ann_too = await joined(shop, shop.south, "ANN@example.org", "Ann", "Archer", "1980-02-03")
    # one surname at one address: one person with two given names, or two of a family
    eve = await joined(shop, shop.north, "eve@example.org", "Eve", "Ames", "", "7 Oak Road")
    eva = await joined(shop, shop.south, "eva@example.net", "Zoe", "Ames", "", "7 Oak Road")
    one_id = OneId(tmp_path, shop.database, ONE_ID_RECORDS)
    found = await one_id.run(NOW)
    assert found.persons[ann] == found.persons[ann_too]
    one, other = sorted((eve, eva))
    assert [(doubt.one, doubt.other, doubt.why) for doubt in found.doubts] == [(one, other, "not sure")]
    pages = console(OneIdPages(one_id).pages(), TOKEN)
    transport = httpx.ASGITransport(app=pages)
    async with httpx.AsyncClient(transport=transport, base_url="http://console", follow_redirects=True) as browser:
        page = (await browser.get(f"/one-id?token={TOKEN}")).text
        assert "To decide: 1" in page
        assert all(word in page for word in ("Eve", "Zoe", "7 Oak Road"))
        sent = await browser.post("/one-id/decide", data={"one": one, "other": other, "is_same": "yes"})
        assert "holds from the next run on" in sent.text
        assert "Nothing waits" in sent.text
        await browser.post("/one-id/run")
        persons = one_id.identities.persons()
        assert persons[eve] == persons[eva] != persons[ann]
        page = (await browser.get("/one-id")).text
        change = re.findall(r'name="change" value="([0-9a-f]{16})"', page)[0]
        assert "a person decided" in page
        assert "persons 3 → 2, persons of several front ends 1 → 2" in page
        await browser.post("/one-id/undo", data={"change": change})
        await browser.post("/one-id/run")
        apart = one_id.identities.persons()
        assert apart[eve] != apart[eva]
        assert apart[ann] == found.persons[ann]
        refused = await browser.post("/one-id/decide", data={"one": "a", "other": "b", "is_same": "yes"})
        assert refused.status_code == 404


async def test_who_is_erased_is_in_no_question_and_no_person(shop: Shop, tmp_path: Path) -> None:
    ann = await joined(shop, shop.north, "ann@example.org", "Ann", "Archer", "1980-02-03")
    one_id = OneId(tmp_path, shop.database, ONE_ID_RECORDS)
    await one_id.run(NOW)
    await shop.platform.call(member.erase, member.Erase(member_id=UUID(ann.partition("/")[2])), shop.north)
    one_id.forget(ann)
    assert one_id.identities.persons() == {}
    assert (await one_id.run(NOW)).persons == {}
