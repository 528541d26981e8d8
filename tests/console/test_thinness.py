"""Whoever pays sees how thin the platform is, which term is weakest, and what to do next."""

from __future__ import annotations

import asyncio
import os

from playwright.async_api import Page, expect

from tests import forked

from .conftest import Served


async def measured(served: Served) -> None:
    """Run the command beside the server, as an operator does."""
    known = {**os.environ, "ISTHMUS_DATABASE_URL": served.url, "ISTHMUS_DATA": str(served.data)}
    ended = await asyncio.to_thread(forked.run, ["thin", "--all"], served.folder, known)
    assert ended.returncode == 0
    assert "thinness " in ended.stdout
    assert "extension point catalog.choose-substitute has no answer" in ended.stdout


async def test_whoever_pays_sees_the_index_its_terms_and_what_to_do_next(page: Page, served: Served) -> None:
    await page.goto(f"{served.address}/thinness")
    await expect(page.get_by_text("It was not measured yet.")).to_be_visible()
    await measured(served)
    await measured(served)
    await page.reload()
    terms = page.get_by_role("region", name="Terms of thinness")
    await expect(terms.get_by_role("row").filter(has_text="The platform serves nobody alone")).to_be_visible()
    findings = page.get_by_role("region", name="Findings")
    point = findings.get_by_role("row").filter(has_text="extension point catalog.choose-substitute has no answer")
    await expect(point).to_contain_text("give it a date")
    await page.get_by_role("link", name="lift", exact=False).first.click()
    await expect(page.get_by_role("link", name="lift", exact=False).first).to_have_attribute("aria-current", "true")
    await page.goto(f"{served.address}/thinness?language=zh")
    await expect(page.get_by_role("main")).to_contain_text("catalog.choose-substitute")
    for english in ("has no answer", "give it a date", "serve one front end alone"):
        await expect(page.get_by_role("main")).not_to_contain_text(english)


async def test_whoever_pays_sees_how_long_changes_take_and_what_they_wait_for(page: Page, served: Served) -> None:
    known = {**os.environ, "ISTHMUS_DATABASE_URL": served.url, "ISTHMUS_DATA": str(served.data)}
    ended = await asyncio.to_thread(forked.run, ["lead-time", "--days", "366"], served.folder, known)
    assert ended.returncode == 0, ended.stderr
    assert "queue tax: " in ended.stdout
    await page.goto(f"{served.address}/thinness")
    changes = page.get_by_role("region", name="How long changes of front ends take")
    await expect(changes.get_by_role("columnheader", name="Waiting for the platform")).to_be_visible()
    assert await changes.get_by_role("row").count() > 1
    await expect(page.get_by_role("main")).to_contain_text("makes the question that is missing")
    await page.goto(f"{served.address}/thinness?language=zh")
    await expect(page.get_by_role("columnheader", name="等待平台")).to_be_visible()
