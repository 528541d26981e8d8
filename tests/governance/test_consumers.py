"""Whom a break breaks, and how much of their traffic: from calls that were made, and from nothing else."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec.structs import replace
from rich.console import Console
from typer.testing import CliRunner

from isthmus import cli
from isthmus.app import platform as app_platform
from isthmus.app.config import load_config
from isthmus.governance import served
from isthmus.governance.compat import compare, undeclared
from isthmus.governance.consumers import Calls, last_consumers, users_of
from isthmus.governance.contracts import Contracts, contracts_of
from isthmus.kernel import Caller, FrontEnd
from isthmus.kernel.host import Deprecated
from isthmus.packs.pricing.api import CurrencyNotSold
from tests.runtime.deployed import write

from .test_compat import release

LEAVING = Deprecated(since=date(2026, 1, 1), sunset=date(2026, 7, 1), instead="shop.find-v2")
LAST_DAY, DAY_AFTER = date(2026, 7, 1), date(2026, 7, 2)
QUOTE = b'{"currency": "EUR", "lines": [{"sku": "assam", "quantity": 1}]}'


def test_who_is_granted_a_whole_pack_is_a_consumer_of_what_it_called_only() -> None:
    north, south = (FrontEnd(code=code, name=code, owner=code, uses=("shop.*",)) for code in ("north", "south"))
    old = contracts_of(release(deprecated=LEAVING, front_ends=(north, south)))
    gone = release(is_offered=False, front_ends=(north, south))

    def broken(counted: dict[tuple[str, str], int] | None, today: date = LAST_DAY) -> list[tuple[str, ...]]:
        calls = None if counted is None else Calls(days=30, counted=counted, asked={})
        return [one.breaks for one in undeclared(compare(old, contracts_of(gone), users_of(gone, calls), today))]

    assert broken(None) == [("north", "south")]
    assert broken({("north", "shop.find"): 1}) == [("north",)]
    assert broken({("north", "shop.other"): 1}) == []
    assert broken({("north", "shop.find"): 1}, DAY_AFTER) == []


def test_the_last_consumers_of_what_is_deprecated_are_those_who_call_it() -> None:
    calls = Calls(days=30, counted={("north", "shop.find"): 1, ("north", "shop.other"): 3}, asked={})
    (one,) = last_consumers(contracts_of(release(deprecated=LEAVING)), calls)
    assert (one.front_end, one.calls, one.share, one.sunset, one.instead) == (
        "north", 1, 0.25, "2026-07-01", "shop.find-v2",
    )  # fmt: skip
    assert last_consumers(contracts_of(release()), calls) == []


def test_the_share_of_a_point_weighs_what_recorded_calls_asked_with_what_was_counted() -> None:
    counted = {("north", "shop.find"): 90, ("north", "shop.list"): 10}
    asked = {("north", "shop.find"): {"shop.judge": 0.5}, ("north", "shop.list"): {}}
    calls = Calls(days=30, counted=counted, asked=asked)
    assert calls.share("point", "shop.judge", "north") == 0.45
    assert calls.share("point", "shop.judge", "south") is None
    assert Calls(days=30, counted=counted, asked={}).share("point", "shop.judge", "north") is None


async def test_compat_says_whom_each_break_breaks_and_which_share_of_their_calls(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ISTHMUS_DATABASE_URL", database_url)
    patient = "".join(f"[front_ends.{code}]\nbudget_ms = 60000\n" for code in ("north", "south"))
    (tmp_path / "isthmus.toml").write_text(f"[record]\nshare = 1.0\n{patient}")  # a busy machine stops no answer
    for code in ("north", "south"):
        write(tmp_path / "front_ends", "first", code=code)
    async with app_platform.running(load_config()) as running:
        for _ in range(3):
            with pytest.raises(CurrencyNotSold):  # it has asked the point by then
                await running.platform.call_wire("pricing.quote", QUOTE, Caller(front_end="north"))
        for code in ("north", *["south"] * 4):
            await running.platform.call_wire(f"{code}.which", b"{}", Caller(front_end=code))
        await served.remember(running.database, _wider(contracts_of(running.platform.release)))
    monkeypatch.setattr("isthmus.cli.compat.out", Console(width=250))
    said = await asyncio.to_thread(CliRunner().invoke, cli.main_app, ["compat", "--served"])
    assert said.exit_code == 1, said.output
    lines = {line.split("│")[2].strip(): line for line in said.output.splitlines() if line.startswith("│")}
    assert "north (75.0% of 4 calls)" in lines["pricing.quote"]
    assert "south" not in lines["pricing.quote"]
    assert "north (100.0% of 4 calls), south (100.0% of 4 calls)" in lines["pricing.choose-locations"]
    assert "last 30 days" in said.output


def _wider(now: Contracts) -> Contracts:
    """Return contracts that accepted one field more in a quote, and asked a point with one more."""
    quote, point = now.capabilities["pricing.quote"], now.points["pricing.choose-locations"]
    ask = quote.ask
    name = str(ask["$ref"]).rpartition("/")[2]
    shape = now.schemas[name]
    wider = {**shape, "properties": {**shape["properties"], "colour": {"type": "string"}}}
    asked = replace(cast(Any, point), order=(*point.order, "colour"))
    return replace(
        cast(Any, now),
        schemas={**now.schemas, name: wider},
        points={**now.points, "pricing.choose-locations": asked},
    )
