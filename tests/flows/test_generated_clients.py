"""Clients that generators made of the API document, which no one here wrote, place orders on a real server.

The generators come from their registries, into a folder of their own: what they need must not meet what Isthmus needs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import venv
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from isthmus.gateway import auth

from .conftest import ALL, Shop
from .serving import Server

pytestmark = pytest.mark.slow

BUILD = Path(__file__).resolve().parents[2] / "build" / "generators"
PYTHON_GENERATOR = "openapi-python-client==0.29.1"
NPM = ("openapi-typescript@7.13.0", "openapi-fetch@0.17.0", "typescript@5.9.3")

FRONT_END = f"""
from isthmus.flows.checkout import api as checkout
from isthmus.kernel import FrontEnd
from isthmus.screens import AskScreen, Part, Screen, screen
from isthmus.values import Money


class AskHome(AskScreen):
    sku: str


class Home(Screen):
    total: Money | None = None
    much: Money | None = None


def bill_of(ask: AskHome) -> checkout.PreviewOrder:
    return checkout.PreviewOrder(currency="EUR", lines=(checkout.BuyLine(sku=ask.sku, quantity=2),))


def nothing_of(ask: AskHome) -> checkout.PreviewOrder:
    return checkout.PreviewOrder(currency="EUR", lines=(checkout.BuyLine(sku="nothing", quantity=1),))


@screen(
    "north.home",
    version="1.0",
    total=Part(checkout.preview_order, bill_of, shows=lambda found: found.bill.total, within_ms=4_000),
    much=Part(checkout.preview_order, nothing_of, shows=lambda found: found.bill.total, within_ms=4_000),
)
def home(ask: AskHome) -> Home:
    \"\"\"Show what two of it cost, and of one thing that is not there.\"\"\"


FRONT_END = FrontEnd(
    code="north",
    name="North",
    owner="north team",
    uses={ALL!r},
    capabilities=(home.capability,),
    implementations=(home,),
)
"""

BUYER = """
import sys

from client import AuthenticatedClient
from client.api.checkout import checkout_place_order, checkout_preview_order
from client.api.north import north_home
from client.models import AskHome, BuyLine, PlaceOrder, PreviewOrder

api = AuthenticatedClient(base_url=sys.argv[1], token=sys.argv[2])
line = BuyLine(sku="tea", quantity=2)
bill = checkout_preview_order.sync(client=api, body=PreviewOrder(currency="EUR", lines=[line]))
assert bill.bill.total.minor == 2000, bill
ask = PlaceOrder(currency="EUR", lines=[line])
placed = [checkout_place_order.sync(client=api, body=ask, idempotency_key="key-of-one-order") for _ in range(2)]
assert placed[0].orders[0].number == placed[1].orders[0].number, placed
page = north_home.sync(client=api, body=AskHome(sku="tea"))
assert page.total.minor == 2000, page
assert [one.part for one in page.missing] == ["much"] and not page.much, page
much = BuyLine(sku="tea", quantity=99)
refused = checkout_place_order.sync(client=api, body=PlaceOrder(currency="EUR", lines=[much]))
print(placed[0].orders[0].number, refused.slug)
"""

TYPESCRIPT_BUYER = """
import createClient from "openapi-fetch";
import type { paths } from "./api";

const [address, key] = process.argv.slice(2);
const api = createClient<paths>({ baseUrl: address, headers: { Authorization: `Bearer ${key}` } });
const { data, error } = await api.POST("/v1/checkout.place-order", {
  body: { currency: "EUR", lines: [{ sku: "tea", quantity: 2 }] },
});
if (!data) throw new Error(JSON.stringify(error));
const number: string = data.orders[0].number;
const page = await api.POST("/v1/north.home", { body: { sku: "tea" } });
if (!page.data) throw new Error(JSON.stringify(page.error));
const minor: number | undefined = page.data.total?.minor;
const missing: string[] = page.data.missing!.map((one) => one.part);
if (minor !== 2000 || missing.join() !== "much") throw new Error(JSON.stringify(page.data));
const refused = await api.POST("/v1/checkout.place-order", {
  body: { currency: "EUR", lines: [{ sku: "tea", quantity: 99 }] },
});
console.log(number, refused.error!.slug);
"""


@pytest.fixture
async def served(shop: Shop, tmp_path: Path) -> AsyncIterator[tuple[str, str]]:
    """Give the address of a server that sells tea, and a key; its API document is in `api.json`."""
    folder = tmp_path / "front_ends" / "north"
    folder.mkdir(parents=True)
    (folder / "front_end.py").write_text(FRONT_END)
    server = Server(tmp_path, shop.database.url)
    await server.start()
    address = f"http://127.0.0.1:{server.port}"
    async with httpx.AsyncClient(base_url=address) as client:
        (tmp_path / "api.json").write_bytes((await client.get("/docs/north/openapi.json")).content)
    yield address, await auth.create_client(shop.database, "north", "shop")
    server.kill()


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    ended = subprocess.run(command, cwd=cwd, capture_output=True, text=True, env={**os.environ, **environment})
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


def fetched(*command: str | Path, cwd: Path) -> None:
    """Install from a registry; where none can be reached, skip and say what is not tried."""
    ended = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if ended.returncode:
        said = (ended.stderr or ended.stdout).strip().splitlines() or ["no word"]
        pytest.skip(f"the generator cannot be installed, so its client is NOT tried: {said[-1]}")


def python_generator() -> Path:
    """Return the Python whose environment has the generator; it is made once."""
    python = BUILD / "python" / "bin" / "python"
    if not (python.parent / "openapi-python-client").exists():
        venv.create(BUILD / "python", with_pip=True, clear=True)
        fetched(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", PYTHON_GENERATOR, cwd=BUILD)
    return python


async def test_a_client_by_openapi_python_client_places_an_order(served: tuple[str, str], tmp_path: Path) -> None:
    python = python_generator()
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    arguments = ("--path", "api.json", "--output-path", "client", "--meta", "none")
    said = run(python.parent / "openapi-python-client", "generate", *arguments, cwd=tmp_path, PATH=path)
    assert [line for line in said.splitlines() if "WARNING" in line or "Unable" in line or "Skipping" in line] == []
    (tmp_path / "buyer.py").write_text(BUYER)
    out = run(python, "buyer.py", *served, cwd=tmp_path)
    assert "inventory.stock-short" in out


@pytest.mark.skipif(shutil.which("npm") is None, reason="there is no npm (it comes with Node.js): NOT tried")
async def test_a_client_by_openapi_typescript_compiles_and_places_an_order(
    served: tuple[str, str], tmp_path: Path
) -> None:
    (tmp_path / "package.json").write_text('{"type": "module"}')
    fetched("npm", "install", "--silent", "--no-audit", "--no-fund", *NPM, cwd=tmp_path)
    run("npx", "openapi-typescript", "api.json", "--output", "api.d.ts", cwd=tmp_path)
    (tmp_path / "buyer.mts").write_text(TYPESCRIPT_BUYER.replace("./api", "./api.d.ts"))
    options = ("--strict", "--module", "nodenext", "--target", "es2022", "--skipLibCheck", "false")
    (tmp_path / "node.d.ts").write_text("declare const process: { argv: string[] };\n")
    run("npx", "tsc", *options, "buyer.mts", "node.d.ts", cwd=tmp_path)
    out = run("node", "buyer.mjs", *served, cwd=tmp_path)
    assert "inventory.stock-short" in out
