"""A server starts small: what few requests need is imported when the first of them comes."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

import httpx
import pytest

from bench import _shop as shop

SAYS_MODULES = """
import atexit, json, sys
atexit.register(lambda: open("modules.json", "w").write(json.dumps(sorted(sys.modules))))
"""
ORDER = b'{"currency": "EUR", "lines": [{"sku": "mug", "quantity": 1}]}'
LIBRARIES = (
    *("anyio", "babel", "duckdb", "httpcore", "httpx", "jinja2", "joserfc", "jsonschema", "markdown_it", "mcp"),
    *("numpy", "pandas", "prometheus_client", "pyarrow", "pydantic", "rich", "scipy", "sqlglot", "starlette", "typer"),
)
OWN = (
    *("isthmus.app.console", "isthmus.cli.main", "isthmus.console.pages", "isthmus.console.web"),
    *("isthmus.gateway.deploys", "isthmus.gateway.metrics", "isthmus.gateway.mcp", "isthmus.governance.thin"),
)


@pytest.fixture
async def key(empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give a key of a shop with a mug, whose servers write down at their ends what they have imported."""
    monkeypatch.setattr(shop, "FOLDER", tmp_path)
    (tmp_path / "sitecustomize.py").write_text(SAYS_MODULES)
    return await shop.stocked(empty_url, ["mug"], 10)


async def test_a_server_that_has_answered_an_order_has_imported_nothing_that_shows_or_reckons(
    key: str, empty_url: str, tmp_path: Path
) -> None:
    async with shop.serving(empty_url, environment={"PYTHONPATH": str(tmp_path)}) as server:
        buyer = await shop.Buyer.connect(server.port, key)
        status, body = await buyer.call("checkout.place-order", ORDER, "first")
        assert status == 200, body
        buyer.close()
        found = await imported(server)
        assert [name for name in (*LIBRARIES, *OWN) if name in found] == []


async def test_what_is_asked_for_is_there_all_the_same(key: str, empty_url: str, tmp_path: Path) -> None:
    async with (
        shop.serving(empty_url, environment={"PYTHONPATH": str(tmp_path)}) as server,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as client,
    ):
        client.headers["authorization"] = f"Bearer {key}"
        paths = {
            "/console/": 401, "/oauth/keys": 200, "/.well-known/oauth-authorization-server": 200, "/metrics": 403,
            "/deploy/versions": 403, "/data/metrics": 403, "/messaging/worker.js": 200,
        }  # fmt: skip
        assert {path: (await client.get(path)).status_code for path in paths} == paths
        assert {"isthmus.app.console", "isthmus.gateway.deploys", "joserfc"} <= await imported(server)


async def imported(server: shop.Server) -> set[str]:
    """End a server, and return the modules that it has imported."""
    folder = Path(server.process.cwd())
    server.process.send_signal(signal.SIGINT)  # after SIGTERM it would write nothing down
    await asyncio.to_thread(server.process.wait)
    return set(json.loads((folder / "modules.json").read_text()))
