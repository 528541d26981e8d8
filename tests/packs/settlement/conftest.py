"""A front end that pays sellers, and what SQL of our own says of what is due."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from typing import Any

import asyncpg
import pytest

from isthmus.kernel import Caller, Capability, FrontEnd, Platform
from isthmus.packs.settlement import api
from isthmus.packs.settlement.pack import PACK
from isthmus.values import money
from tests.packs.desk import at_desk, desk

DESK = desk(api)
USES = ("settlement.*", "desk.*")
MAY = datetime(2026, 5, 4, 12, tzinfo=UTC)
LATER = date(2026, 5, 31)
IBANS = ("DE89370400440532013000", "FR1420041010050500013M02606")
SETTINGS = {"settlement.name": "North GmbH", "settlement.iban": IBANS[0], "settlement.bic": "COBADEFFXXX"}

# Whatever was settled: items by how often a settlement that was not cancelled has them, and what each payee got.
GOT = """
    select payee, currency, sum(payout_minor + fee_minor)::bigint as paid,
        coalesce(sum(carried_minor) filter (where carried_to is null), 0)::bigint as carried
    from settlement.settlement where state <> 'cancelled' group by payee, currency"""
DUE = """
    select payee, currency, sum(amount_minor)::bigint as due, count(*) filter (where settlement_id is null) as open
    from settlement.item group by payee, currency"""


def item(reference: str, minor: int, *, payee: str = "seller/1", commission: int = 0, **more: Any) -> api.DueItem:
    currency = more.pop("currency", "EUR")
    facts = {"kind": "sale" if minor >= 0 else "return", "subject": "order", **more}
    return api.DueItem(
        reference=reference,
        payee=payee,
        gross=money(minor, currency),
        commission=money(commission, currency),
        **facts,
    )


class Desk:
    """Short ways to settle at one front end."""

    def __init__(self, platform: Platform, url: str) -> None:
        self.platform = platform
        self.url = url

    async def call(self, capability: Capability[Any, Any], ask: object, *, by: str = "ann", **how: Any) -> Any:
        caller = Caller(front_end="north", client=by)
        return await self.platform.call(at_desk(capability, DESK), ask, caller, **how)

    async def note(self, *items: api.DueItem, now: datetime = MAY) -> None:
        await self.call(api.note_due, api.NoteDue(items=items), now=now)

    async def draw(self, cut_off: date = LATER) -> tuple[api.Settlement, ...]:
        return (await self.call(api.draw_up, api.DrawUp(cut_off=cut_off))).items

    async def payee(self, payee: str = "seller/1", **terms: Any) -> api.Payee:
        facts = {"currency": "EUR", "hold_back_days": 14, "iban": IBANS[1], "name": "Maker", **terms}
        return await self.call(api.put_payee, api.PutPayee(payee=payee, **facts))

    async def approve(self, one: api.Settlement, by: str = "bob") -> api.Settlement:
        return await self.call(api.approve, api.Approve(settlement_id=one.settlement_id), by=by)

    async def pay(self, currency: str = "EUR") -> api.PayoutFile:
        return await self.call(api.make_payout_file, api.MakePayoutFile(currency=currency, execute_on=LATER))

    async def rows(self, statement: str) -> list[Any]:
        connection = await asyncpg.connect(self.url)
        try:
            return await connection.fetch(statement)
        finally:
            await connection.close()

    async def check(self) -> None:
        """See that what was due is what was paid, carried and is open, to the cent, of each payee."""
        got = {(row["payee"], row["currency"]): (row["paid"], row["carried"]) for row in await self.rows(GOT)}
        open_items = await self.rows(
            "select payee, currency, sum(amount_minor)::bigint as minor from settlement.item"
            " where settlement_id is null group by payee, currency"
        )
        left = {(row["payee"], row["currency"]): row["minor"] for row in open_items}
        for row in await self.rows(DUE):
            key = (row["payee"], row["currency"])
            assert row["due"] == sum(got.get(key, (0, 0))) + left.get(key, 0), key
        assert {one.name: rows for one in PACK.conditions if (rows := await self.rows(one.sql))} == {}


@pytest.fixture
async def office(make_platform: Callable[..., Awaitable[Platform]], database_url: str) -> Desk:
    north = FrontEnd(code="north", name="North", owner="n", uses=USES, settings=SETTINGS)
    return Desk(await make_platform(PACK, DESK, north), database_url)
