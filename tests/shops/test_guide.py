"""The guide's shop of ten lines is made, served and bought from as the guide says."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from .conftest import KIT, PATIENCE_MS, ROOT, Mall, answers
from .test_shopping import order_and_pay, put, see_total, sign_in, unreadable

GUIDE = (ROOT / "docs" / "guides" / "storefronts.md").read_text()
RUN = re.findall(r"^```sh run\n(.*?)^```$", GUIDE, re.M | re.S)
MADE, STYLED = (block for block in RUN if block.startswith("mkdir"))
(SERVED,) = re.findall(r"^shop\(\) \{ (SHOP_API=.*?); \}", "".join(RUN), re.M | re.S)


@contextmanager
def served(mall: Mall, folder: Path) -> Iterator[str]:
    """Serve the shop with the guide's own command over the platform of the tests, and give its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = SERVED.replace("http://127.0.0.1:8080", mall.api).replace("8081", port)
    command = command.replace("uvicorn", f"{sys.executable} -m uvicorn", 1)
    facts = {
        "KEY": mall.keys["market"],
        "SHOP_SECRET": "5" * 32,
        "PYTHONPATH": os.pathsep.join((str(folder), str(KIT))),
    }
    running = subprocess.Popen(["bash", "-c", command], cwd=folder, env={**os.environ, **facts})
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait()


def run(commands: str, folder: Path) -> None:
    subprocess.run(["bash", "-ec", commands], cwd=folder, check=True)


async def test_the_shop_of_ten_lines_sells(page: Page, mall: Mall, tmp_path: Path) -> None:
    run(MADE, tmp_path)
    with served(mall, tmp_path) as shop:
        await answers(shop)
        await put(page, shop, "jar")
        await sign_in(page, shop)
        await see_total(page)
        await order_and_pay(page)
        await page.get_by_role("main").get_by_role("link", name=re.compile("Order")).click()
        await expect(page.get_by_role("main")).to_contain_text("Jar")
        assert {one["name"] for one in await page.context.cookies()} == {"tearoom_shop"}


async def test_a_block_of_a_page_is_overridden_and_the_rest_stays_the_kits(
    page: Page, mall: Mall, tmp_path: Path
) -> None:
    run(MADE + STYLED, tmp_path)
    (tmp_path / "front_ends/tearoom/shop/shop.css").write_text("h1{letter-spacing:7px}")
    with served(mall, tmp_path) as shop:
        await answers(shop)
        await page.goto(shop)
        await expect(page.get_by_text("Open until eight")).to_be_visible()
        await expect(page.get_by_role("heading", name="Tea, and little else")).to_have_css("letter-spacing", "7px")
        css = await (await page.request.get(f"{shop}/shop.css")).text()
        assert "box-sizing" in css, "what every page needs comes first"
        assert ".chips" not in css, "the plain look is for shops without one"


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
async def test_its_plain_pages_are_for_everybody(
    browser: Browser, mall: Mall, tmp_path: Path, width: int, scheme: str
) -> None:
    context = await browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)  # type: ignore[arg-type]
    page, broken = await context.new_page(), {}
    page.set_default_timeout(PATIENCE_MS)
    run(MADE, tmp_path)
    with served(mall, tmp_path) as shop:
        await answers(shop)
        await put(page, shop, "mug", 2)
        await sign_in(page, shop)
        for path in ("/", "/?text=nothing-like-it", "/product/cup", "/basket", "/orders", "/sign-in", "/product/none"):
            await page.goto(shop + path)
            broken[path] = await unreadable(page)
    await context.close()
    assert {path: found for path, found in broken.items() if found} == {}
