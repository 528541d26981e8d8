"""Logs: each line has time and level; as JSON also its call, and nobody's address."""

from __future__ import annotations

import json
import logging
import logging.config
from collections.abc import Callable

import pytest

from isthmus.gateway import auth
from isthmus.gateway.http import Gateway
from isthmus.gateway.telemetry import logs
from isthmus.store import Database

from .conftest import Connect

MakeGateway = Callable[..., Gateway]


class Kept(logging.Handler):
    """Keeps what is written, as it is written."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logs.JsonLines())
        self.lines: list[dict[str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(json.loads(self.format(record)))


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Kept:
    handler = Kept()
    monkeypatch.setattr(logging.getLogger("isthmus"), "handlers", [handler])
    return handler


async def test_a_line_says_of_which_call_it_is(
    make_gateway: MakeGateway, shop: Database, connect: Connect, kept: Kept
) -> None:
    key = await auth.create_client(shop, "south", "till")
    client = connect(make_gateway(shop, notes_calls=True), key)
    failed = await client.post("/v1/shop.crash", json={})
    (line,) = [one for one in kept.lines if one["level"] == "error"]
    assert line["time"].endswith("Z")
    assert (line["call"], line["front_end"], line["client"]) == (failed.headers["isthmus-call"], "south", "till")
    assert line["logger"] == "isthmus.gateway"
    assert "RuntimeError" in line["trace"]


@pytest.mark.parametrize("said", ["ann.lee+x@example.org", "+49 170 1234567"])
def test_no_line_has_an_address_of_somebody(kept: Kept, said: str) -> None:
    log = logging.getLogger("isthmus.test")
    try:
        raise ValueError(f"Key (contact)=({said}) already exists")
    except ValueError:
        log.exception("cannot write %s at 2030-01-01T10:00:00+00:00", said)
    assert said not in json.dumps(kept.lines)
    assert "***" in kept.lines[0]["message"]
    assert "10:00:00+00:00" in kept.lines[0]["message"]  # a time is nobody's number


@pytest.mark.parametrize("format", ["text", "json"])
def test_every_line_of_a_server_has_time_and_level(format: logs.Format, capsys: pytest.CaptureFixture[str]) -> None:
    before = logging.getLogger().handlers[:]
    try:
        logging.config.dictConfig(logs.config(format, "info"))
        logging.getLogger("isthmus.runtime").warning("it is late")
    finally:
        logging.getLogger().handlers[:] = before
    line = capsys.readouterr().err.strip()
    found = (
        json.loads(line) if format == "json" else {"time": line[:10], "level": line.split()[2].lower(), "message": line}
    )
    assert found["time"][:2] == "20"
    assert found["level"] == "warning"
    assert "it is late" in found["message"]
