"""A front end whose money is at a provider, and what its files say."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from typing import Any

import asyncpg
import pytest

from isthmus.kernel import Caller, Capability, FrontEnd, Platform
from isthmus.packs.reconciliation import api
from isthmus.packs.reconciliation.pack import PACK
from isthmus.values import money

NORTH = Caller(front_end="north", client="ann")
NOW = datetime(2026, 5, 20, 9, tzinfo=UTC)
FIRST = date(2026, 5, 4)
HEAD = "reference,kind,date,currency,amount,fee\r\n"


def expected(key: str, minor: int, day: date = FIRST, *, currency: str = "EUR", fee: int | None = None) -> Any:
    return api.ExpectedAmount(
        provider="cards",
        key=key,
        kind="capture" if minor > 0 else "refund",
        amount=money(minor, currency),
        fee=None if fee is None else money(fee, currency),
        day=day,
    )


def file(*rows: str) -> str:
    return HEAD + "".join(f"{row}\r\n" for row in rows)


class Desk:
    """Short ways to reconcile at one front end."""

    def __init__(self, platform: Platform, url: str) -> None:
        self.platform = platform
        self.url = url

    async def call(self, capability: Capability[Any, Any], ask: object, **how: Any) -> Any:
        return await self.platform.call(capability, ask, NORTH, **{"now": NOW, **how})

    async def expect(self, *items: api.ExpectedAmount) -> None:
        await self.call(api.expect, api.Expect(items=items))

    async def take_in(self, content: str, *, form: str = "csv", name: str = "may.csv", **more: Any) -> api.ImportedFile:
        facts: Any = {"provider": "cards", "name": name, "form": form, "content": content, **more}
        return await self.call(api.import_file, api.ImportFile(**facts))

    async def differ(self, **wanted: Any) -> list[tuple[str, str, int]]:
        found = await self.call(api.list_differences, api.ListDifferences(**wanted))
        return [(one.kind, one.reference, one.amount.minor) for one in found.items]

    async def check(self) -> None:
        connection = await asyncpg.connect(self.url)
        try:
            broken = {one.name: rows for one in PACK.conditions if (rows := await connection.fetch(one.sql))}
        finally:
            await connection.close()
        assert broken == {}


@pytest.fixture
async def desk(make_platform: Callable[..., Awaitable[Platform]], database_url: str) -> Desk:
    north = FrontEnd(code="north", name="North", owner="n", uses=("reconciliation.*",))
    return Desk(await make_platform(PACK, north), database_url)
