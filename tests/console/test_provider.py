"""Sign-in by a company's provider: a certified one of npm, in a browser, there and back, and out when it says so."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from isthmus.store import Database
from tests.flows.serving import Server

from . import signing

FreshDatabase = Callable[[], AbstractAsyncContextManager[str]]
HERE = Path(__file__).parent
MADE = HERE.parents[1] / "build" / "oidc-provider"
VERSION = "oidc-provider@9"
INSTALLS_WITHIN_S = 300
SETTINGS = """
[settings.identity.providers.acme]
issuer = "http://localhost:{port}"
client_id = "isthmus"
client_secret = {{ secret = "ACME_OIDC" }}
scopes = "openid email profile groups"
roles = {{ admins = "owner", support-north = "support@north" }}
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def modules() -> Path:
    """Install the provider, or skip with the reason."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("sign-in by a provider was NOT tried: there is no node and npm")
    if not (MADE / "node_modules" / "oidc-provider").is_dir():
        MADE.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(MADE), VERSION]
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALLS_WITHIN_S)
        if done.returncode:
            pytest.skip(f"sign-in by a provider was NOT tried: {done.stderr[-300:]}")
    return MADE


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
async def console(
    fresh_database: FreshDatabase, tmp_path: Path, modules: Path, port: int
) -> AsyncIterator[tuple[str, str]]:
    """Give a console whose people sign in at the provider, and its database."""
    (tmp_path / "isthmus.toml").write_text(SETTINGS.format(port=port))
    async with fresh_database() as url, await Database.open(url):
        secrets = {"ACME_OIDC": "a secret of the provider", "ISTHMUS_DATA": str(tmp_path / "data")}
        server = Server(tmp_path, url, **secrets)
        address = f"http://127.0.0.1:{server.port}/console"
        command = ["node", str(HERE / "provider.mjs"), str(modules), str(port), address]
        provider = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
        try:
            assert provider.stdout is not None
            assert await provider.stdout.readline() == b"ready\n"
            await server.start()
            yield address, url
        finally:
            server.kill()
            provider.kill()
            await provider.wait()


async def test_somebody_signs_in_at_the_provider_with_the_roles_of_their_groups_and_out_when_it_says_so(
    console: tuple[str, str], browser: Browser, port: int
) -> None:
    address, url = console
    link = await signing.sign_in_link(url)
    assert link
    async with await browser.new_context() as context:
        page = await context.new_page()
        await page.goto(f"{address}/account")
        await page.get_by_role("link", name="Sign in with acme").click()
        await page.get_by_role("textbox").first.fill("grace")
        await page.locator("input[type=password]").fill("any")
        await page.get_by_role("button", name="Sign-in").click()
        await page.get_by_role("button", name="Continue").click()
        await page.wait_for_url(f"{address}/account")
        await expect(page.get_by_role("main")).to_contain_text("grace@acme.example")
        await expect(page.get_by_role("main")).to_contain_text("support at north")
        assert "owner" not in await page.get_by_role("main").inner_text()
        other = await context.new_page()
        await other.goto(f"http://localhost:{port}/session/end")
        await other.get_by_role("button", name="Yes, sign me out").click()
        await other.wait_for_load_state("networkidle")
        await page.goto(f"{address}/account")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Sign in to the console")
