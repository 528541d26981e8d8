"""Pages of the addresses that the settings name may call; the console is closed to all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from isthmus.app.config import WrongConfig, load_config
from isthmus.gateway.wire.cors import with_cors

SHOP = "https://shop.example"
ASKS = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,idempotency-key"}


async def answer(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"answered"})


@pytest.mark.parametrize(
    ("origin", "path", "is_open"),
    [(SHOP, "/v1/a.b", True), ("https://evil.example", "/v1/a.b", False), (SHOP, "/console/orders", False)],
)
async def test_pages_of_named_addresses_may_call(origin: str, path: str, is_open: bool) -> None:
    transport = httpx.ASGITransport(with_cors(answer, [SHOP]))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as page:
        for reply in (
            await page.post(path, headers={"Origin": origin}),
            await page.options(path, headers={"Origin": origin, **ASKS}),
        ):
            assert (reply.headers.get("access-control-allow-origin") == origin) == is_open
            assert "access-control-allow-credentials" not in reply.headers
    assert with_cors(answer, []) is answer


@pytest.mark.parametrize("cors", ['"*"', '["*"]', '["https://shop.example/"]', "[1]", '["shop.example"]'])
def test_what_is_no_list_of_addresses_is_refused(tmp_path: Path, cors: str) -> None:
    (tmp_path / "isthmus.toml").write_text(f"[server]\ncors = {cors}\n")
    with pytest.raises(WrongConfig, match=r"server\.cors"):
        load_config(tmp_path / "isthmus.toml")
    (tmp_path / "isthmus.toml").write_text(f'[server]\ncors = ["{SHOP}"]\n')
    assert load_config(tmp_path / "isthmus.toml").cors == (SHOP,)
