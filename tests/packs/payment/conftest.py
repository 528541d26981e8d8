"""Two shops that take payments through providers that can be told what to do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from isthmus.kernel import Caller, Capability, FrontEnd, Platform
from isthmus.packs.payment import api
from isthmus.packs.payment.pack import PACK
from isthmus.values import Money, money
from tests.packs.desk import at_desk, desk

NORTH = Caller(front_end="north", client="north-site")
SOUTH = Caller(front_end="south", client="south-site")
DESK = desk(api)

MakePlatform = Callable[..., Awaitable[Platform]]


class Bank(api.TestProvider):
    """The built-in provider, which a test can also make refuse, hang up or wait for anything but authorising."""

    def __init__(self) -> None:
        super().__init__()
        self.refuses: set[str] = set()
        self.hangs_up: set[str] = set()
        self.calls: list[str] = []
        self.notified = asyncio.Event()  # set when there is a notification
        self.before: Callable[[], Awaitable[None]] | None = None

    async def authorise(self, *, key: str, amount: Money, token: str) -> api.Outcome:
        await self._called("authorise")
        return await super().authorise(key=key, amount=amount, token=token)

    async def capture(self, *, key: str, authorisation: str, amount: Money) -> api.Outcome:
        await self._called("capture")
        return self._said("capture", key, authorisation)

    async def void(self, *, key: str, authorisation: str) -> api.Outcome:
        await self._called("void")
        return self._said("void", key, authorisation)

    async def refund(self, *, key: str, authorisation: str, amount: Money) -> api.Outcome:
        await self._called("refund")
        return self._said("refund", key, authorisation)

    def _ended(self, key: str, outcome: api.Outcome) -> api.Outcome:
        ended = super()._ended(key, outcome)
        self.notified.set()
        return ended

    async def _called(self, kind: str) -> None:
        self.calls.append(kind)
        if self.before is not None:
            await self.before()

    def _said(self, kind: str, key: str, authorisation: str) -> api.Outcome:
        refused = api.Outcome(state="refused", reason=f"no {kind} today")
        outcome = self._ended(
            key, refused if kind in self.refuses else api.Outcome(state="done", provider_reference=authorisation)
        )
        if kind in self.hangs_up:
            raise TimeoutError("hung up")
        return outcome


class Till:
    """Short ways to ask about payments for one front end."""

    def __init__(self, platform: Platform, bank: Bank, caller: Caller = NORTH) -> None:
        self.platform = platform
        self.bank = bank
        self.caller = caller
        self._opened = 0

    async def call(
        self, capability: Capability[Any, Any], ask: object, *, key: str | None = None, now: datetime | None = None
    ) -> Any:
        return await self.platform.call(at_desk(capability, DESK), ask, self.caller, key=key, now=now)

    async def opened(self, minor: int = 1000, received_as: str | None = None, reference: str = "") -> UUID:
        self._opened += 1
        reference = reference or f"group-{self._opened}"
        ask = api.OpenPayment(reference=reference, amount=eur(minor), received_as=received_as)
        return (await self.call(api.open_payment, ask)).payment_id

    async def authorise(self, payment_id: UUID, token: str = "ok", method: str = "card", **how: Any) -> api.Payment:
        return await self.call(api.authorise, api.Authorise(payment_id=payment_id, method=method, token=token), **how)

    async def capture(self, payment_id: UUID, minor: int | None = None, **how: Any) -> api.Payment:
        amount = None if minor is None else eur(minor)
        return await self.call(api.capture, api.Capture(payment_id=payment_id, amount=amount), **how)

    async def void(self, payment_id: UUID) -> api.Payment:
        return await self.call(api.void, api.Void(payment_id=payment_id))

    async def refund(self, payment_id: UUID, minor: int, reference: str = "r1") -> api.Payment:
        return await self.call(api.refund, api.Refund(payment_id=payment_id, amount=eur(minor), reference=reference))

    async def taken(self, minor: int = 1000) -> UUID:
        """Return a payment that is captured."""
        payment_id = await self.opened(minor)
        await self.authorise(payment_id)
        await self.capture(payment_id)
        return payment_id

    async def get(self, payment_id: UUID) -> api.Payment:
        return await self.call(api.get_payment, api.GetPayment(payment_id=payment_id))

    async def notify(self, payload: str) -> api.Payment:
        return await self.call(api.notify, api.Notify(provider="test", payload=payload))

    async def events(self, kind: str = "payment.payment-moved") -> int:
        """Return how many events of a kind were sent, on their way or collected."""
        async with self.platform.store.platform() as session:  # pyright: ignore[reportAttributeAccessIssue]
            return await session.fetch_value("select count(*) from isthmus.outbox where type = $1", kind)


def eur(minor: int) -> Money:
    return money(minor, "EUR")


def front_end(code: str, answers: Sequence[object] = ()) -> FrontEnd:
    return FrontEnd(code=code, name=code, owner=code, uses=("payment.*", "desk.*"), answers=tuple(answers))  # pyright: ignore[reportArgumentType]


async def broken_conditions(url: str) -> dict[str, list[object]]:
    """Return the rows that break a condition of the pack, over all front ends."""
    connection = await asyncpg.connect(url)
    try:
        found = {one.name: [dict(row) for row in await connection.fetch(one.sql)] for one in PACK.conditions}
    finally:
        await connection.close()
    return {name: rows for name, rows in found.items() if rows}  # pyright: ignore[reportReturnType]


@pytest.fixture
async def make_till(make_platform: MakePlatform) -> Callable[..., Awaitable[Till]]:
    """Give what opens the till of `north` with answers, beside `south` without any."""

    async def make(*answers: object, others: Sequence[api.Provider] = ()) -> Till:
        bank = Bank()
        providers = api.Providers([bank, *others])
        platform = await make_platform(
            PACK, DESK, front_end("north", answers), front_end("south"), resources={api.Providers: providers}
        )
        return Till(platform, bank)

    return make


@pytest.fixture
async def till(make_till: Callable[..., Awaitable[Till]]) -> Till:
    return await make_till()
