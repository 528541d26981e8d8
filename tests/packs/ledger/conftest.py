"""Books of two front ends, and the questions that SQL asks of them by itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import asyncpg
import pytest

from isthmus.kernel import Caller, Capability, FrontEnd, Platform
from isthmus.packs.ledger import api
from isthmus.packs.ledger.pack import PACK
from isthmus.values import money
from tests.packs.desk import at_desk, desk

NORTH = Caller(front_end="north", client="north-office")
SOUTH = Caller(front_end="south", client="south-office")
DESK = desk(api)

CASH, SALES, DUE = "assets:cash", "income:sales", "liabilities:due"

MakePlatform = Callable[..., Awaitable[Platform]]

# Written without looking at the pack's own statements: legs alone say what holds.
UNBALANCED = """select entry_id, currency, sum(amount) from ledger.leg
    group by entry_id, currency, (layer = '=') having sum(amount) <> 0"""
TOTAL = """select coalesce(sum(abs(total)), 0) from (
    select sum(amount) as total from ledger.leg group by front_end, currency) as by_book"""
STANDING = """select coalesce(sum(amount), 0)::bigint from ledger.leg where layer = '=' and account_id =
    (select account_id from ledger.account where front_end = $1 and code = $2 and owner = $3 and currency = $4)"""


def leg(account: str, minor: int, currency: str = "EUR", owner: str = "") -> api.EntryLeg:
    return api.EntryLeg(account=account, amount=money(minor, currency), owner=owner)


def draft(reference: str, *legs: api.EntryLeg, **more: Any) -> api.EntryDraft:
    return api.EntryDraft(reference=reference, kind=more.pop("kind", "sale"), legs=legs, **more)


def sale(reference: str, minor: int = 1000, **more: Any) -> api.EntryDraft:
    return draft(reference, leg(CASH, minor), leg(SALES, -minor), **more)


class Office:
    """Short ways to keep the books of one front end."""

    def __init__(self, platform: Platform, url: str, caller: Caller = NORTH) -> None:
        self.platform = platform
        self.url = url
        self.caller = caller

    async def call(
        self, capability: Capability[Any, Any], ask: object, *, key: str | None = None, now: datetime | None = None
    ) -> Any:
        return await self.platform.call(at_desk(capability, DESK), ask, self.caller, key=key, now=now)

    async def post(self, *drafts: api.EntryDraft, now: datetime | None = None) -> tuple[api.PostedEntry, ...]:
        return (await self.call(api.post, api.Post(entries=drafts), now=now)).items

    async def entry(self, reference: str) -> api.Entry:
        return await self.call(api.get_entry, api.GetEntry(reference=reference))

    async def open(self, code: str, currency: str = "EUR", owner: str = "", **limits: int) -> api.Account:
        ask = api.OpenAccount(code=code, currency=currency, owner=owner, **limits)
        return await self.call(api.open_account, ask)

    async def balance(self, code: str, currency: str = "EUR", owner: str = "", **when: Any) -> api.Balance:
        return await self.call(api.get_balance, api.GetBalance(code=code, currency=currency, owner=owner, **when))

    async def posted(self, code: str, currency: str = "EUR", owner: str = "", **when: Any) -> int:
        return (await self.balance(code, currency, owner, **when)).posted.minor

    async def end(self, reference: str, how: Capability[Any, Any], now: datetime | None = None) -> api.Entry:
        return await self.call(how, api.EndPending(reference=reference), now=now)

    async def reverse(self, reverses: str, reference: str, **more: Any) -> api.Entry:
        return await self.call(api.reverse, api.Reverse(reverses=reverses, reference=reference, **more))

    async def fold(self) -> int:
        return (await self.call(api.fold, api.Fold())).legs

    async def summed(self, code: str, currency: str = "EUR", owner: str = "") -> int:
        """Return what the legs of an account add up to, by SQL of our own."""
        return await self.sql(STANDING, self.caller.front_end, code, owner, currency)

    async def sql(self, statement: str, *args: object) -> Any:
        """Return the first value of a statement that sees everything."""
        connection = await asyncpg.connect(self.url)
        try:
            return await connection.fetchval(statement, *args)
        finally:
            await connection.close()

    async def rows(self, statement: str, *args: object) -> list[Any]:
        connection = await asyncpg.connect(self.url)
        try:
            return await connection.fetch(statement, *args)
        finally:
            await connection.close()

    async def check(self) -> None:
        """See that all books balance, by SQL of our own and by the conditions of the pack."""
        assert await self.rows(UNBALANCED) == []
        assert await self.sql(TOTAL) == 0
        broken = {one.name: rows for one in PACK.conditions if (rows := await self.rows(one.sql))}
        assert broken == {}


def front_end(code: str, **more: Any) -> FrontEnd:
    return FrontEnd(code=code, name=code, owner=code, uses=("ledger.*", "desk.*"), **more)


@pytest.fixture
async def office(make_platform: MakePlatform, database_url: str) -> Office:
    """Give the office of `north`, beside `south`."""
    platform = await make_platform(PACK, DESK, front_end("north"), front_end("south"))
    return Office(platform, database_url)


@pytest.fixture
def south(office: Office) -> Office:
    return Office(office.platform, office.url, SOUTH)
