"""The one way into a console under test: a sign-in link of somebody with a role, as an owner would send it."""

from __future__ import annotations

from pathlib import Path

import httpx
from playwright.async_api import BrowserContext

from isthmus.kernel import Caller
from isthmus.manifest.actions import EVERYWHERE
from isthmus.manifest.vault import Vault
from isthmus.packs.identity import api
from isthmus.packs.identity.service.staff import LINK, Staff
from isthmus.store import Database

BY = Caller(front_end=EVERYWHERE, client="tests", via="cli")


async def sign_in_link(url: str, role: str = "owner", at: str = EVERYWHERE) -> str:
    """Return a link below the console, for somebody with one role, who is made where they are not; a database's url."""
    name = role if at == EVERYWHERE else f"{role}-{at}"
    roles = (api.RoleAt(role=role, front_end=at),) if role != "nobody" else ()
    async with await Database.open(url) as database:
        staff = Staff(database, Vault(Path("no-key-is-needed"), api.NoKey))
        await staff.made("owner", (api.RoleAt(role="owner"),), BY)
        return await staff.made(name, roles, BY)


async def sign_in(client: httpx.AsyncClient, console: str, link: str) -> httpx.Response:
    """Use a link as its page's button does."""
    return await client.post(f"{console}{LINK.partition('?')[0]}", data={"link": link.removeprefix(LINK)})


async def enter(context: BrowserContext, console: str, link: str) -> None:
    """Open a link in a browser, and press its button."""
    page = await context.new_page()
    await page.goto(f"{console}{link}")
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(f"{console}/")
    await page.close()
