"""The platform served on a port, with the Tea Box running beside it: one pair for all tests of this folder."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
import shutil
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from isthmus.app import platform as app_platform
from isthmus.app import server as app_server
from isthmus.app.config import load_config
from isthmus.flows.ventures import storage as files
from isthmus.kernel import Caller, Capability
from isthmus.packs.account import rules as account_rules
from isthmus.packs.account.service.accounts import accounts_of
from isthmus.packs.venture import api as venture
from tests.conftest import FreshDatabase

from . import box as boxes


class Liar:
    """A venture that signs whatever it likes."""

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()
        self.public = _text(self._key.public_key().public_bytes_raw())

    def page(self, items: list[dict[str, Any]], code: str = "liar") -> venture.SignedPage:
        text = json.dumps({"venture": code, "after": 0, "items": items, "is_last": True})
        return venture.SignedPage(page=text, signature=_text(self._key.sign(text.encode())))

    @staticmethod
    def entries(*entries: dict[str, Any], first: int = 1, before: str = "") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for number, one in enumerate(entries, first):
            text = json.dumps(one)
            found.append({"number": number, "before": before, "entry": text})
            before = venture.entry_hash(before, text)
        return found


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class World:
    """A platform, the box beside it, and what people do there."""

    running: app_platform.Running
    box: boxes.Box
    address: str
    folder: Path
    liar: Liar
    second: boxes.Box  # runs where a test starts it
    joiner: boxes.Box  # the same; its seat may sell
    late: boxes.Box  # the same; it was away for years

    @contextmanager
    def charter_with(self, code: str, was: str, now: str) -> Iterator[None]:
        """Have a charter say something else for a while."""
        file = self.folder / "ventures" / code / "venture.toml"
        text = file.read_text()
        assert was in text
        file.write_text(text.replace(was, now))
        try:
            yield
        finally:
            file.write_text(text)

    async def call(self, capability: Capability[Any, Any], ask: Any, front_end: str = "box") -> Any:
        return await self.running.platform.call(capability, ask, Caller(front_end=front_end, client="test", via="cli"))

    async def standing(self) -> venture.Standing:
        return await self.call(venture.get_standing, venture.GetStanding())

    def browser(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(follow_redirects=True, timeout=30)

    async def sign_in(self, browser: httpx.AsyncClient, address: str, box: boxes.Box | None = None) -> None:
        """Sign somebody in at a box, by the link that comes by e-mail."""
        box = box or self.box
        page = await browser.get(f"{box.url}/sign-in")
        assert page.url.path == "/account/sign-in", page.text
        assert "on its way" in (await browser.post(page.url, data={"address": address})).text
        async with self.running.database.platform() as session:
            newest = "select link_id from account.link where address = $1 order by made_at desc limit 1"
            link_id = await session.fetch_value(newest, address)
        link = account_rules.link_text(link_id, accounts_of(self.running).key.derived("links"))
        reply = await browser.post(f"{self.address}/account/link", data={"link": link})
        assert str(reply.url).startswith(f"{box.url}/"), reply.text

    async def sell(self, address: str, *plans: str) -> None:
        async with self.browser() as browser:
            await self.sign_in(browser, address)
            for plan in plans:
                await self.box.buy(browser, plan)


SELLS = tuple(
    f"{one}.*"
    for one in ("catalog", "checkout", "fulfilment", "inventory", "member", "order", "payment", "pricing", "promotion")
)


def write_charter(folder: Path, code: str, url: str, key: str, **more: str) -> None:
    """Write a charter as somebody edits it, and a seat beside the front ends."""
    text = (boxes.BOX / "venture.toml").read_text()
    text = text.replace("http://127.0.0.1:8090", url).replace('key = ""', f'key = "{key}"')
    for was, now in more.items():
        text = text.replace(was, now)
    (folder / "ventures" / code).mkdir(parents=True, exist_ok=True)
    (folder / "ventures" / code / "venture.toml").write_text(text)
    seat = folder / "front_ends" / code
    seat.mkdir(parents=True, exist_ok=True)
    uses = ", ".join(f'"{one}"' for one in (*files.SEAT_USES, "tax.*", *(SELLS if code == "joiner" else ())))
    line = f'FRONT_END = FrontEnd(code="{code}", name="{code}", owner="new business", uses=({uses}))\n'
    (seat / "front_end.py").write_text(f'"""A seat."""\n\nfrom isthmus.kernel import FrontEnd\n\n{line}')


@pytest.fixture(scope="session")
async def world(fresh_database: FreshDatabase, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    if missing := boxes.lacking():
        pytest.skip(missing)
    boxes.installed()
    folder = tmp_path_factory.mktemp("ventures")
    with socket.socket() as listening, pytest.MonkeyPatch.context() as patch:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        box = boxes.Box(folder / "box", f"{address}/account", address)
        write_charter(folder, "box", box.url, box.public_key())
        second = boxes.Box(folder / "second", f"{address}/account", "", code="second")
        names = {'client = "box"': 'client = "second"', '"BOX_KEY"': '"SECOND_KEY"', "The Tea Box": "The second box"}
        write_charter(folder, "second", second.url, second.public_key(), **names)
        joiner = boxes.Box(folder / "joiner", f"{address}/account", "", code="joiner")
        names = {'client = "box"': 'client = "joiner"', '"BOX_KEY"': '"JOINER_KEY"', "The Tea Box": "The joining box"}
        write_charter(folder, "joiner", joiner.url, joiner.public_key(), **names)
        late = boxes.Box(folder / "late", f"{address}/account", "", code="late")
        names = {'client = "box"': 'client = "late"', '"BOX_KEY"': '"LATE_KEY"', "The Tea Box": "The late box"}
        write_charter(folder, "late", late.url, late.public_key(), **names)
        liar = Liar()
        other = {'client = "box"': 'client = "liar"', '"BOX_KEY"': '"LIAR_KEY"', "The Tea Box": "Liar and sons"}
        write_charter(folder, "liar", "http://127.0.0.1:9", liar.public, **other)
        settings = f'[settings.account]\nissuer = "{address}/account"\n\n[settings.account.clients.box]\n'
        settings += f'front_end = "box"\nredirects = ["{box.url}/callback"]\nname = "The Tea Box"\n'
        settings += f'[settings.account.clients.second]\nfront_end = "second"\nredirects = ["{second.url}/callback"]\n'
        settings += f'[settings.account.clients.joiner]\nfront_end = "joiner"\nredirects = ["{joiner.url}/callback"]\n'
        settings += f'[settings.account.clients.late]\nfront_end = "late"\nredirects = ["{late.url}/callback"]\n'
        (folder / "isthmus.toml").write_text(f'[platform]\ngroup = "group"\n{settings}')
        patch.setenv("BOX_KEY", boxes.KEY)
        patch.setenv("LIAR_KEY", "liar")
        patch.setenv("SECOND_KEY", boxes.KEY)
        patch.setenv("JOINER_KEY", boxes.KEY)
        patch.setenv("LATE_KEY", boxes.KEY)
        async with fresh_database() as url:
            config = dataclasses.replace(load_config(folder / "isthmus.toml"), database_url=url)
            async with app_platform.running(config) as running:
                app = app_server.served(running)
                server = uvicorn.Server(uvicorn.Config(cast(Any, app), log_level="error", lifespan="off"))
                serving = asyncio.create_task(server.serve(sockets=[listening]))
                try:
                    await box.start()
                    yield World(running, box, address, folder, liar, second, joiner, late)
                finally:
                    box.kill()
                    server.should_exit = True
                    await serving
        shutil.rmtree(folder, ignore_errors=True)
