"""People at the console: each sees what their role may, others' cookies and forms do nothing, who is out is out."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest
from playwright.async_api import Browser, BrowserContext, expect
from pyotp.totp import TOTP

from isthmus.packs.identity.service.staff import LINK
from isthmus.store import Database
from tests.waiting import until

from .conftest import Served

PASSWORD = "correct horse battery staple"


@pytest.fixture
async def person(served: Served) -> AsyncIterator[httpx.AsyncClient]:
    """Give a browser without scripts that nobody has signed in on."""
    async with httpx.AsyncClient(base_url=f"{served.address}/", timeout=30) as client:
        yield client


OPEN = {
    "/", "/front-ends", "/capabilities", "/cost", "/jobs", "/levels", "/sharing", "/screens", "/dead-letters",
    "/account",
}  # fmt: skip
PAGES = {
    *OPEN, "/orders", "/calls", "/deploys", "/metrics", "/quality", "/one-id", "/people", "/audit", "/policies",
    "/personal-data",
}  # fmt: skip


@pytest.mark.parametrize(
    ("role", "sees"),
    [
        ("owner", PAGES),
        ("operator", PAGES),
        ("analyst", PAGES - {"/one-id"}),
        ("support", PAGES - {"/one-id"}),
        ("auditor", PAGES - {"/one-id"}),
        ("deployer", OPEN | {"/deploys"}),
        ("nobody", {"/account"}),
    ],
)
async def test_each_role_sees_its_pages_in_the_menu_and_no_others_by_their_address(
    served: Served, person: httpx.AsyncClient, role: str, sees: set[str]
) -> None:
    await served.sign_in(person, role)
    account = await person.get("account")
    menu = {path or "/" for path in re.findall(r'<li><a href="/console(/[a-z-]*)"', account.text)}
    assert (menu & PAGES) == sees
    for path in PAGES - sees - {"/orders", "/audit", "/policies"}:  # those ask their capabilities
        assert (await person.get(path.strip("/"))).status_code == (303 if path == "/" else 403), path
    assert (await person.get("orders")).status_code == (200 if "/orders" in sees or role == "nobody" else 403)


@pytest.mark.parametrize("role", ["analyst", "support", "auditor", "deployer", "nobody"])
async def test_who_only_looks_changes_nothing_by_any_form(served: Served, person: httpx.AsyncClient, role: str) -> None:
    await served.sign_in(person, role)
    acts = {
        "people": {"act": "invite", "name": "eve", "address": "eve@example.org", "role": "owner", "front_end": "*"},
        "dead-letters": {"front_end": "north"},
        "sharing": {"owner": "north", "grant_id": "019a0000-0000-7000-8000-000000000000"},
        "quality/land": {},
        "capabilities/inventory.receive/try": {"front_end": "north", "reference": "x", "key": "k"},
    }
    for path, fields in acts.items():
        reply = await person.post(path, data=fields)
        assert reply.status_code in (403, 409) or "may not" in reply.text, path
    if role != "deployer":
        assert (await person.post("deploys/north", data={"act": "promote"})).status_code == 403
    people = await served_people(served)
    assert "eve@example.org" not in people


async def served_people(served: Served) -> str:
    async with httpx.AsyncClient(base_url=f"{served.address}/") as owner:
        await served.sign_in(owner)
        return (await owner.get("people")).text


async def test_a_role_at_one_front_end_reaches_no_other(served: Served, person: httpx.AsyncClient) -> None:
    sold = await served.sell("tea")
    done = await served.sign_in(person, "operator", "south")
    assert done.headers["location"] == "/console/"
    assert (await person.get("")).headers["location"] != "/console/", "the map is of all front ends"
    assert sold["order_id"] not in (await person.get("orders?front_end=north")).text
    refused = await person.get(f"orders/north/{sold['order_id']}")
    assert refused.status_code in (403, 404)
    tried = await person.post("capabilities/order.list-orders/try", data={"front_end": "north", "limit": "5"})
    assert sold["order_id"] not in tried.text
    found = await person.get("find", params={"q": sold["number"]})
    assert sold["order_id"] not in found.text + found.headers.get("location", "")
    given = {"act": "give", "name": "operator-south", "role": "support", "front_end": "north"}
    assert "may not people.write at north" in (await person.post("people", data=given)).text


async def test_a_sign_in_is_kept_from_scripts_and_other_sites(served: Served, person: httpx.AsyncClient) -> None:
    reply = await served.sign_in(person)
    cookies = [one.lower() for one in reply.headers.get_list("set-cookie")]
    assert [one.partition("=")[0] for one in cookies] == ["isthmus_session", "isthmus_device"]
    assert all("httponly" in one and "samesite=strict" in one and "path=/console" in one for one in cookies)
    host = {"Host": "console.example", "X-Forwarded-Proto": "https"}  # as a proxy on this machine says it
    link = (await served.link()).removeprefix(LINK)
    reply = await person.post("sign-in/link", data={"link": link}, headers=host)
    for one in reply.headers.get_list("set-cookie"):
        assert re.match(r"__Host-isthmus_(session|device)=[\w-]{43}; ", one)
        assert all(word in one for word in ("Secure", "Path=/;", "HttpOnly"))
        assert "domain" not in one.lower()


async def test_a_form_of_another_site_does_nothing(served: Served, person: httpx.AsyncClient) -> None:
    evil = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    link = (await served.link()).removeprefix(LINK)
    assert (await person.post("sign-in/link", data={"link": link}, headers=evil)).status_code == 403
    assert (await person.post("sign-in/link", data={"link": link})).status_code == 303, "it was not used up"
    for path in ("sign-out", "people", "account", "sign-in"):
        assert (await person.post(path, data={"act": "others"}, headers=evil)).status_code == 403, path
    assert (await person.get("people")).status_code == 200
    page = await person.get("people")
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert "unsafe-inline" not in page.headers["content-security-policy"]


async def test_over_a_network_nobody_signs_in_unencrypted(served: Served, person: httpx.AsyncClient) -> None:
    link = (await served.link()).removeprefix(LINK)
    reply = await person.post("sign-in/link", data={"link": link}, headers={"Host": "console.example"})
    assert (reply.status_code, "set-cookie" in reply.headers) == (403, False)


async def test_looking_at_a_link_does_not_use_it_up(served: Served, person: httpx.AsyncClient) -> None:
    link = await served.link()
    for _ in range(2):  # a scanner of mails
        assert "Sign in as owner" in (await person.get(link.strip("/"))).text
    used = {"link": link.removeprefix(LINK)}
    assert (await person.post("sign-in/link", data=used)).status_code == 303
    again = await person.post("sign-in/link", data=used)
    assert "used already" in again.text
    assert "set-cookie" not in again.headers


@pytest.mark.parametrize("next", ["//evil.example", "https://evil.example", "/\\evil.example", "/orders?state=paid"])
async def test_after_signing_in_one_stays_at_this_console(served: Served, person: httpx.AsyncClient, next: str) -> None:
    async with httpx.AsyncClient(base_url=f"{served.address}/") as owner:
        await served.sign_in(owner)
        name = f"p{abs(hash(next))}"
        fields = {"act": "invite", "name": name, "address": f"{name}@example.org", "role": "support", "front_end": "*"}
        link = re.findall(r"link=([\w-]{43})", (await owner.post("people", data=fields)).text)[0]
    await person.post("sign-in/link", data={"link": link, "password": PASSWORD})
    await person.post("sign-out")
    reply = await person.post("sign-in", data={"address": name, "password": PASSWORD, "next": next})
    assert reply.status_code == 303
    assert reply.headers["location"].startswith("/console/")


async def test_a_session_that_an_owner_ends_is_over_with_its_next_page(
    served: Served, person: httpx.AsyncClient
) -> None:
    await served.sign_in(person, "support")
    assert (await person.get("orders")).status_code == 200
    async with httpx.AsyncClient(base_url=f"{served.address}/") as owner:
        await served.sign_in(owner)
        assert (await owner.post("people", data={"act": "sign-out", "name": "support"})).status_code == 303
    assert (await person.get("orders")).status_code == 401


async def test_a_session_that_ends_in_the_middle_of_a_call_does_nothing_after_it_and_the_call_is_named(
    served: Served, person: httpx.AsyncClient
) -> None:
    await served.sign_in(person)  # an owner, who invites somebody; the insert is held in the middle
    invited = {"act": "invite", "name": "mid-call", "address": "mid@example.org", "role": "support", "front_end": "*"}
    acting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like '%identity.%'"
    holding, looking = await asyncpg.connect(served.url), await asyncpg.connect(served.url)
    try:
        async with holding.transaction():
            await holding.execute("lock table identity.person in exclusive mode")
            acted = asyncio.create_task(person.post("people", data=invited))

            async def is_held() -> bool:
                return await looking.fetchval(acting) > 0

            await until(is_held, "that the call is in the middle")
            await holding.execute("delete from identity.session")
        assert (await acted).status_code == 200  # it was begun by who was signed in, and is whole
    finally:
        await holding.close()
        await looking.close()
    again = await person.post("people", data={**invited, "name": "after", "address": "after@example.org"})
    assert again.status_code == 401
    async with served.shop.database.platform() as session:
        names = await session.fetch("select name from identity.person where name in ('mid-call', 'after')")
        said = "select count(*) from audit.pending where content like '%people.invite%' and content like '%mid-call%'"
        sealed = said.replace("audit.pending", "audit.entry")
        entries = await session.fetch_value(f"select ({said}) + ({sealed})")  # at one moment: an entry moves over
    assert ([row["name"] for row in names], entries) == (["mid-call"], 1)


async def test_one_persons_form_ends_no_sign_in_of_another(served: Served, person: httpx.AsyncClient) -> None:
    await served.sign_in(person, "support")
    async with httpx.AsyncClient(base_url=f"{served.address}/") as owner:
        await served.sign_in(owner)
        for number in range(1, 60):
            await person.post("account", data={"act": "sign-out", "session_id": str(number)})
        assert (await owner.get("orders")).status_code == 200


async def test_the_audit_log_names_the_person_and_their_role(served: Served, person: httpx.AsyncClient) -> None:
    await served.sign_in(person, "operator")
    ask = {"front_end": "north", "reference": "by-hand", "key": "by-hand-1"}
    tried = await person.post("capabilities/inventory.receive/try", data=ask)
    assert tried.status_code == 200
    async with await Database.open(served.url) as database, database.platform() as session:
        rows = await session.fetch(
            """select content from audit.pending union all select content from audit.entry where content is not null"""
        )
    said = [row["content"] for row in rows if '"inventory.receive"' in row["content"]]
    assert any('"person":"operator"' in one and '"roles":["operator"]' in one for one in said)


async def test_somebody_is_invited_takes_a_second_factor_and_signs_in_with_both(
    served: Served, browser: Browser, operator: BrowserContext
) -> None:
    page = await operator.new_page()
    await page.goto(f"{served.address}/people")
    await page.get_by_label("Name").first.fill("grace")
    await page.get_by_label("E-mail address").first.fill("grace@example.org")
    await page.get_by_label("Role").first.select_option("support")
    await page.get_by_role("button", name="Invite").click()
    link = await page.locator(".notice code").inner_text()
    context = await browser.new_context()
    hers = await context.new_page()
    await hers.goto(link)
    await hers.get_by_label("Password").fill(PASSWORD)
    await hers.get_by_role("button", name="Sign in").click()
    await hers.get_by_role("link", name="grace").click()
    secret = await hers.locator("p", has_text="TOTP").locator("code").inner_text()
    await hers.get_by_label("Code").fill(TOTP(secret).now())
    await hers.get_by_role("button", name="Ask for codes from now on").click()
    recovery = await hers.locator(".notice code").first.inner_text()
    await hers.get_by_role("button", name="Sign out").click()
    await hers.get_by_label("E-mail address or name").fill("grace@example.org")
    await hers.get_by_label("Password").fill(PASSWORD)
    await hers.get_by_role("button", name="Sign in").click()
    await hers.goto(f"{served.address}/orders")
    await expect(hers.get_by_role("heading", level=1)).to_have_text("Sign in to the console")
    await hers.goto(f"{served.address}/sign-in/code")
    await hers.get_by_label("Code").fill(recovery)
    await hers.get_by_role("button", name="Sign in").click()
    await hers.goto(f"{served.address}/orders")
    await expect(hers.get_by_role("heading", level=1)).to_have_text("Orders")
    await context.close()
