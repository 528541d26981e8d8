"""A flag on a served platform switches the price and the screen together, for whoever it is on, and back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from isthmus.gateway import auth
from isthmus.packs.member import api as member
from tests.waiting import until

from .conftest import ALL, Shop
from .serving import Server

FRONT_END = f"""
from collections.abc import Sequence
from uuid import UUID

from isthmus.flows.checkout import api as checkout
from isthmus.kernel import FrontEnd, answers
from isthmus.packs.flags import api as switches
from isthmus.packs.pricing import api as pricing
from isthmus.screens import AskScreen, Part, Screen, screen
from isthmus.values import Money


class AskHome(AskScreen):
    member_id: UUID


class Home(Screen):
    total: Money | None = None
    flags: switches.Evaluations | None = None


def bill_of(ask: AskHome) -> checkout.PreviewOrder:
    lines = (checkout.BuyLine(sku="tea", quantity=1),)
    return checkout.PreviewOrder(currency="EUR", member_id=ask.member_id, lines=lines)


def flags_of(ask: AskHome) -> switches.EvaluateAll:
    return switches.EvaluateAll(context=switches.Context(targeting_key=str(ask.member_id)))


@screen(
    "north.home",
    version="1.0",
    total=Part(checkout.preview_order, bill_of, shows=lambda found: found.bill.total, within_ms=4_000),
    flags=Part(switches.evaluate_all, flags_of, within_ms=4_000),
)
def home(ask: AskHome) -> Home:
    \"\"\"Show what tea costs, and what is on.\"\"\"


@answers(pricing.adjust_unit_price, when={{"flag.happy-hour": "on"}})
def happy_hour(lines: Sequence[pricing.ListedLine], buyer: object) -> Sequence[pricing.UnitPrice]:
    return [
        pricing.UnitPrice(amount=line.amount.replace(minor=100), per=line.per, by="happy hour", reason="it is on")
        for line in lines
    ]


FRONT_END = FrontEnd(
    code="north",
    name="North",
    owner="north team",
    uses={ALL!r},
    answers=(happy_hour,),
    capabilities=(home.capability,),
    implementations=(home,),
)
"""


@pytest.fixture
async def client(shop: Shop, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of a server whose front end has a price and a screen that go by a flag."""
    folder = tmp_path / "front_ends" / "north"
    folder.mkdir(parents=True)
    (folder / "front_end.py").write_text(FRONT_END)
    server = Server(tmp_path, shop.database.url)
    await server.start()
    key = await auth.create_client(shop.database, "north", "app")
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", headers=headers, timeout=60) as client:
        yield client
    server.kill()


async def call(client: httpx.AsyncClient, capability: str, ask: dict[str, Any]) -> dict[str, Any]:
    answer = await client.post(f"/v1/{capability}", json=ask, headers={"Idempotency-Key": str(uuid4())})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_flag_changes_the_price_and_the_screen_together_for_a_half_of_the_members(
    client: httpx.AsyncClient,
) -> None:
    members = [
        (await call(client, member.register.name, {"identities": [{"kind": "email", "value": f"{one}@example.org"}]}))[
            "member_id"
        ]
        for one in range(12)
    ]

    async def shown(member_id: str) -> tuple[int, bool]:
        """Return what tea costs on the screen, and whether the screen says that the flag is on."""
        home = await call(client, "north.home", {"member_id": member_id})
        assert home["missing"] == []
        on = {one["key"]: one["variant"] == "on" for one in home["flags"]["items"]}
        return home["total"]["minor"], on.get("happy-hour", False)

    assert {await shown(one) for one in members} == {(1_000, False)}
    flag = {"key": "happy-hour", "variants": {"on": True, "off": False}, "default_variant": "off"}
    half = flag | {"targeting": {"fractional": [["on", 50], ["off", 50]]}}
    await call(client, "flags.put-flag", {"flag": half, "note": "for a half"})

    async def is_on() -> bool:
        return {await shown(one) for one in members} == {(1_000, False), (100, True)}

    await until(is_on, "that the price and the screen go by the flag")
    await call(client, "flags.kill-flag", {"key": "happy-hour"})

    async def is_off() -> bool:
        return {await shown(one) for one in members} == {(1_000, False)}

    await until(is_off, "that the flag is off for everybody")
