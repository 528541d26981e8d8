"""The platform as Prometheus sees it: the real one scrapes it, takes its rules, and answers what the dashboard asks."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from isthmus.gateway import auth
from tests.house.tree import ROOT
from tests.waiting import PATIENCE_S, until

from .conftest import Shop
from .serving import Server
from .test_over_http import FRONT_END, buy, connected

pytestmark = pytest.mark.slow
OPERATE = ROOT / "operate"


@pytest.fixture
async def server(shop: Shop, tmp_path: Path) -> AsyncIterator[Server]:
    """Give a server of two processes."""
    folder = tmp_path / "front_ends" / "north"
    folder.mkdir(parents=True)
    (folder / "front_end.py").write_text(FRONT_END)
    server = Server(tmp_path, shop.database.url, workers=2)
    await server.start()
    yield server
    server.stop()


@pytest.fixture
async def prometheus(server: Server, shop: Shop, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of a Prometheus that scrapes the server by the configuration that is shipped."""
    assert shutil.which("prometheus"), "install it: apt-get install prometheus"
    key = tmp_path / "metrics.key"
    key.write_text(await auth.create_client(shop.database, "north", "prometheus", ["metrics.read"]))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = (OPERATE / "prometheus.yml").read_text().replace("/etc/isthmus/metrics.key", str(key))
    config = config.replace("127.0.0.1:8080", f"127.0.0.1:{server.port}").replace("15s", "1s")
    (tmp_path / "prometheus.yml").write_text(config)
    shutil.copy(OPERATE / "alerts.yml", tmp_path)
    checked = subprocess.run(["promtool", "check", "config", tmp_path / "prometheus.yml"], capture_output=True)  # noqa: ASYNC221
    assert checked.returncode == 0, checked.stdout + checked.stderr
    running = subprocess.Popen(  # noqa: ASYNC220
        [
            "prometheus", f"--config.file={tmp_path / 'prometheus.yml'}", f"--storage.tsdb.path={tmp_path / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        yield client
    running.terminate()
    running.wait(PATIENCE_S)


async def asked(prometheus: httpx.AsyncClient, query: str) -> list[dict[str, Any]]:
    answer = (await prometheus.get("/api/v1/query", params={"query": query})).json()
    assert answer["status"] == "success", answer
    return answer["data"]["result"]


async def test_the_real_prometheus_scrapes_it_and_answers_what_the_dashboard_asks(
    server: Server, shop: Shop, prometheus: httpx.AsyncClient
) -> None:
    key = await auth.create_client(shop.database, "north", "till")
    async with connected(server, key) as client:
        for _ in range(8):
            assert await buy(client, str(uuid.uuid4()))

    async def has_counted() -> bool:
        try:
            found = await asked(
                prometheus, 'isthmus_call_duration_seconds_count{capability="checkout.place-order",front_end="north"}'
            )
        except httpx.TransportError:
            return False
        return bool(found) and found[0]["value"][1] == "8"

    await until(has_counted, "that all calls of both processes are counted")

    async def are_two() -> bool:
        (workers,) = await asked(prometheus, "isthmus_workers")
        return workers["value"][1] == "2"

    await until(are_two, "that both processes are seen")
    dashboard = json.loads((OPERATE / "dashboard.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            await asked(prometheus, target["expr"].replace("$front_end", ".*"))
    written = (OPERATE / "dashboard.json").read_text() + (OPERATE / "alerts.yml").read_text()
    named = set(re.findall(r"(?<!:)\bisthmus_[a-z_]+(?=[\[{ )\\=])", written)) - {"isthmus_failed"}
    known = {one["metric"]["__name__"] for one in await asked(prometheus, '{__name__=~"isthmus_.*"}')}
    sparse = {  # of what has not happened here
        "isthmus_call_errors_total", "isthmus_deliveries", "isthmus_deploys", "isthmus_sagas_left",
        "isthmus_webhook_deliveries", "isthmus_webhook_endpoint_paused",
    }  # fmt: skip
    assert named - known <= sparse
    rules = (await prometheus.get("/api/v1/rules")).json()["data"]["groups"]
    assert sum(len(group["rules"]) for group in rules) == 13
    assert all(rule["health"] in ("ok", "unknown") for group in rules for rule in group["rules"])
