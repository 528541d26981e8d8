"""Members of two shops become one person: joined by themselves where it is sure, by a reviewer on a page where not."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import httpx

from isthmus.console.client import Client
from isthmus.console.pages.one_id import OneIdPages
from isthmus.console.sign_in import Operators
from isthmus.console.web import console
from isthmus.console.work import Work
from isthmus.data.model.ask import Ask
from isthmus.data.persons.one_id import OneId
from isthmus.data.persons.published import Published
from isthmus.data.platform import open_platform
from isthmus.data.privacy.policy import owner
from isthmus.kernel import Caller
from isthmus.markings import Where
from isthmus.packs.member import api as member
from isthmus.packs.member.pack import PERSONS
from isthmus.values import Address
from tests import shipped

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
    one_id = OneId(tmp_path, shop.database, PERSONS.records)
    found = await one_id.run(NOW)
    assert found.persons[ann] == found.persons[ann_too]
    one, other = sorted((eve, eva))
    assert [(doubt.one, doubt.other, doubt.why) for doubt in found.doubts] == [(one, other, "not sure")]
    resolving = Work(tmp_path, "resolving")
    pages = console(OneIdPages(one_id, resolving).pages(), Operators(TOKEN), Client(shop.platform))
    transport = httpx.ASGITransport(app=pages)
    async with httpx.AsyncClient(transport=transport, base_url="http://console", follow_redirects=True) as browser:
        page = (await browser.get(f"/one-id?token={TOKEN}")).text
        assert "To decide: 1" in page
        assert all(word in page for word in ("Eve", "Zoe", "7 Oak Road"))
        sent = await browser.post("/one-id/decide", data={"one": one, "other": other, "is_same": "yes"})
        assert "holds from the next run on" in sent.text
        assert "Nothing waits" in sent.text
        await browser.post("/one-id/run")
        await resolving.ended()
        persons = one_id.identities.persons()
        assert persons[eve] == persons[eva] != persons[ann]
        page = (await browser.get("/one-id")).text
        change = re.findall(r'name="change" value="([0-9a-f]{16})"', page)[0]
        assert "a person decided" in page
        assert "persons 3 → 2, persons of several front ends 1 → 2" in page
        await browser.post("/one-id/undo", data={"change": change})
        await browser.post("/one-id/run")
        await resolving.ended()
        apart = one_id.identities.persons()
        assert apart[eve] != apart[eva]
        assert apart[ann] == found.persons[ann]
        refused = await browser.post("/one-id/decide", data={"one": "a", "other": "b", "is_same": "yes"})
        assert refused.status_code == 404


async def test_a_merge_says_which_published_figures_it_moved_and_so_does_taking_it_back(
    shop: Shop, tmp_path: Path
) -> None:
    now = datetime.now(UTC)  # receipts are dated by the clock
    for caller, email, given in ((shop.north, "eve@example.org", "Eve"), (shop.south, "eva@example.net", "Zoe")):
        await joined(shop, caller, email, given, "Ames", "", "7 Oak Road")
    data = open_platform(shipped.PACKS, tmp_path / "lake")
    await data.lander(shop.database).land(now)
    one_id = OneId(tmp_path / "one-id", shop.database, PERSONS.records, Published(data, PERSONS.resolved, data.policy))
    first = await one_id.run(now)
    (doubt,) = first.doubts
    people, active = "member.resolved-persons", Where("member.membership.state", "=", "active")
    published = data.metrics.ask(Ask(metrics=(people,), where=(active,)), owner())
    data.metrics.ask(Ask(metrics=(people,), where=(active,)), owner())  # the same question: the latest one counts
    by_line = data.metrics.ask(Ask(metrics=(people, "member.members"), by=("front_end",)), owner())
    data.metrics.ask(Ask(metrics=("member.members",)), owner())  # stands on no persons
    assert published.rows == [{people: 2}]

    one_id.decide(doubt.one, doubt.other, is_same=True, by="a steward", now=now)
    (merge,) = (await one_id.run(now)).changes
    assert merge.published is not None
    ((moved,), counted) = merge.published.moved, merge.published
    assert (moved.metric, moved.group, moved.old, moved.new, moved.policy) == (people, {}, 2, 1, "owner")
    assert (counted.receipts, counted.figures, counted.left, counted.more) == (4, 2, 0, 0)
    assert data.receipts.get(moved.receipt).ask == published.receipt.ask
    again = data.metrics.ask(Ask(metrics=(people,), where=(active,)), owner())
    assert again.rows == [{people: 1}]
    assert data.metrics.ask(by_line.receipt.ask, owner()).rows == by_line.rows
    assert data.metrics.rerun(published.receipt.id, data.policies).is_same

    one_id.identities.undo(merge.id, "a steward", now)
    (split,) = (await one_id.run(now)).changes
    assert split.published is not None
    assert [(one.receipt, one.old, one.new) for one in split.published.moved] == [(again.receipt.id, 1, 2)]
    resolving = Work(tmp_path, "resolving")
    pages = console(OneIdPages(one_id, resolving).pages(), Operators(TOKEN), Client(shop.platform))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=pages), base_url="http://console") as browser:
        await browser.get(f"/one-id?token={TOKEN}")
        page = (await browser.get("/one-id")).text
    assert f"{people}: 1 → 2" in page
    assert f"{people}: 2 → 1" in page


async def test_who_is_erased_is_in_no_question_and_no_person(shop: Shop, tmp_path: Path) -> None:
    ann = await joined(shop, shop.north, "ann@example.org", "Ann", "Archer", "1980-02-03")
    one_id = OneId(tmp_path, shop.database, PERSONS.records)
    await one_id.run(NOW)
    await shop.platform.call(member.erase, member.Erase(member_id=UUID(ann.partition("/")[2])), shop.north)
    one_id.forget(ann, NOW)
    assert one_id.identities.persons() == {}
    assert (await one_id.run(NOW)).persons == {}


async def test_members_who_left_nothing_to_compare_are_persons_too(shop: Shop, tmp_path: Path) -> None:
    for caller in (shop.north, shop.south):
        card = member.Identity(kind="card", value="7", is_verified=True)
        await shop.platform.call(member.register, member.Register(identities=(card,)), caller)
    other = member.Identity(kind="card", value="8", is_verified=True)
    await shop.platform.call(member.register, member.Register(identities=(other,)), shop.north)
    found = await OneId(tmp_path, shop.database, PERSONS.records).run(NOW)
    assert (len(found.persons), len(set(found.persons.values()))) == (3, 2)
