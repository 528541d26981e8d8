"""What was sold is treated by the rules that it was sold under, whatever was deployed since."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from isthmus.app.platform import build
from isthmus.kernel import FrontEnd, Platform, errors, ports
from isthmus.kernel.host import Release
from isthmus.packs.order import api as order
from isthmus.runtime.deploy import rollout, rules, versions
from isthmus.runtime.deploy.follower import Follower
from isthmus.runtime.deploy.loading import load_front_end
from isthmus.store import Database
from tests.packs.order import conftest as orders
from tests.packs.order.conftest import eur, line
from tests.shipped import PACKS

from .deployed import doer

ADA: Final = doer("ada")
TOMORROW: Final = datetime.now(UTC) + timedelta(days=1)
MANIFEST = '''"""Takes goods back."""

from isthmus.kernel import FrontEnd

from . import answers

FRONT_END = FrontEnd(
    code="north", name="north", owner="north team", uses=("order.*", "desk.*"),
    answers=(answers.guard, answers.share, answers.cancel, answers.fee),
)
'''
ANSWERS = '''"""Returns of this version."""

from isthmus.kernel import ALLOW, answers, veto
from isthmus.packs.order import api as order
from isthmus.values import money
{more}
SHARE = {share}


@answers(order.guard_return)
def guard(sold: order.Order, lines: tuple[order.ReturnLine, ...], now: object):
    """Say whether goods come back."""
    return ALLOW if SHARE else veto("nothing comes back")


@answers(order.refund_share)
def share(sold: order.Order, line: order.OrderLine, reason: str) -> int:
    """Give back so many of 100."""
    return SHARE


@answers(order.guard_cancellation)
def cancel(sold: order.Order):
    """Say whether it can be cancelled."""
    return ALLOW if SHARE else veto("sold is sold")


@answers(order.cancellation_fee)
def fee(sold: order.Order):
    """Keep the rest."""
    return money(100 - SHARE, sold.currency)
'''


def bare_release(*front_ends: FrontEnd) -> Release:
    return build([*PACKS, orders.DESK], front_ends)


class World:
    """A shop whose front end is deployed again and again."""

    def __init__(self, database: Database, path: Path) -> None:
        self.database, self.path = database, path
        self.restart()

    def restart(self, *front_ends: FrontEnd) -> None:
        """Begin anew, as another server does."""
        self.platform = Platform(bare_release(*front_ends), self.database)
        self.platform.resources[order.Numbers] = order.Numbers(self.database)
        self.follower = Follower(self.platform, self.database, self.path / "cache")
        self.platform.resources[ports.KeptRules] = self.follower
        self.shop = orders.Shop(self.platform)

    @property
    def fingerprint(self) -> str:
        return self.platform.release.line("north").fingerprint

    def write(self, share: int, more: str = "") -> Path:
        folder = self.path / "work" / "north"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "__init__.py").write_text("")
        (folder / "front_end.py").write_text(MANIFEST)
        (folder / "answers.py").write_text(ANSWERS.format(share=share, more=more))
        (folder / "test_answers.py").write_text("def test_it_is_there() -> None: ...\n")
        return folder

    async def deploy(self, share: int, more: str = "") -> str:
        """Put a version in place, and return its fingerprint."""
        packed = versions.pack(self.write(share, more))
        await versions.keep(self.database, "north", packed, "ada")
        held = await rollout.current(self.database, "north")
        expected = held.id if held else None
        await rollout.put(self.database, "north", packed.hash, percent=100, by=ADA, expected=expected)
        await self.follower.catch_up()
        return self.fingerprint

    async def sold(self) -> order.Order:
        """Sell a mug by today's rules, as checkout does."""
        return await self.shop.sold(line("mug", 1, 1000), plan=self.fingerprint)

    async def paid(self) -> order.Order:
        """Sell a mug that is not sent yet."""
        placed = await self.shop.place(line("mug", 1, 1000), plan=self.fingerprint)
        return await self.shop.order(placed.orders[0].order_id)

    async def refund(self, sold: order.Order) -> int:
        """Return what a return of a mug gives back."""
        return (await self.shop.ask_back(sold.order_id, (0, 1))).refund.minor


@pytest.fixture
def world(database: Database, tmp_path: Path) -> World:
    return World(database, tmp_path)


async def test_a_return_is_judged_by_the_rules_that_the_order_was_sold_under(world: World):
    await world.deploy(80)
    before = await world.sold()
    await world.deploy(0)
    after = await world.sold()
    assert await world.refund(before) == 800
    with pytest.raises(order.NotReturnable, match="nothing comes back"):
        await world.refund(after)


async def test_a_server_that_never_ran_the_old_version_loads_it_from_what_is_kept(world: World):
    await world.deploy(80)
    before = await world.sold()
    await world.deploy(30)
    for cached in (world.path / "cache").iterdir():
        cached.rename(world.path / f"gone-{cached.name}")
    world.restart()
    await world.follower.catch_up()
    assert await world.refund(before) == 800


async def test_a_cancellation_costs_what_it_cost_when_the_order_was_placed(world: World):
    await world.deploy(80)
    before, other = await world.paid(), await world.paid()
    await world.deploy(0)
    assert (await world.shop.cancel(before.order_id)).fee == eur(20)
    after = await world.paid()
    with pytest.raises(order.CancelRefused, match="sold is sold"):
        await world.shop.cancel(after.order_id)
    await rollout.roll_back(world.database, "north", ADA)
    await world.follower.catch_up()
    assert (await world.shop.cancel(other.order_id)).fee == eur(20)
    with pytest.raises(order.CancelRefused, match="sold is sold"):
        await world.shop.cancel(after.order_id)


async def test_many_returns_of_many_versions_leave_what_runs_in_place(world: World):
    sold = []
    for share in range(1, 13):
        await world.deploy(share)
        sold.append(await world.sold())
    world.restart()
    await world.follower.catch_up()
    assert [await world.refund(one) for one in sold] == [10 * share for share in range(1, 13)]
    assert await world.refund(await world.sold()) == 120
    assert len(world.follower._lines) <= 5


async def test_what_runs_from_a_folder_is_kept_too(world: World):
    folder = world.write(60)
    first = load_front_end(folder)
    world.restart(first)
    await rules.keep_folders(world.database, world.platform.release, [folder], load_front_end)
    before = await world.sold()
    edited = load_front_end(world.write(10))
    world.restart(edited)
    await rules.keep_folders(world.database, world.platform.release, [folder], load_front_end)
    assert await world.refund(before) == 600
    assert await world.refund(await world.sold()) == 100
    kept = await rules.listed(world.database, "north")
    assert [one.version.partition(" ")[0] for one in kept] == ["folder", "folder"]


async def test_rules_that_were_never_kept_are_missing_until_somebody_says_which_stand_in(world: World):
    now = await world.deploy(40)
    stranger = await world.shop.sold(line("mug", 1, 1000), plan="feedfeedfeedfeed")
    with pytest.raises(errors.RulesNotKept) as missing:
        await world.refund(stranger)
    assert missing.value.slug == "rules-not-kept"
    assert "under the rules feedfeedfeedfeed of 'north', which were never kept here" in str(missing.value)
    assert "isthmus rules north --lost feedfeedfeedfeed" in str(missing.value)
    with pytest.raises(errors.NotFound, match="no rules 'beef'"):
        await rules.stand_in(world.database, "north", "feedfeedfeedfeed", "beef", ADA)
    await rules.stand_in(world.database, "north", "feedfeedfeedfeed", now[:6], ADA)
    await world.deploy(90)
    assert await world.refund(stranger) == 400
    with pytest.raises(rules.CannotStandIn, match="nothing stands in for them"):
        await rules.stand_in(world.database, "north", now, world.fingerprint, ADA)


async def test_what_stands_in_for_all_lost_rules_stands_in_for_no_kept_ones(world: World):
    now = await world.deploy(40)
    kept = await world.sold()
    stranger = await world.shop.sold(line("mug", 1, 1000), plan="feedfeedfeedfeed")
    newest = await world.deploy(70)
    await rules.stand_in(world.database, "north", rules.ANY_LOST, newest, ADA)
    assert (await world.refund(kept), await world.refund(stranger)) == (400, 700)
    await rules.stand_in(world.database, "north", rules.ANY_LOST, now, ADA)
    other = await world.shop.sold(line("mug", 1, 1000), plan="feedfeedfeedfeed")
    assert await world.refund(other) == 400


async def test_forgotten_rules_say_when_they_were_forgotten_and_what_runs_never_is(world: World):
    first = await world.deploy(40)
    before = await world.sold()
    second = await world.deploy(70)
    assert await rules.forget(world.database, "north", TOMORROW, ADA) == (first,)
    with pytest.raises(errors.RulesNotKept, match=r"which were forgotten on \d{4}-\d\d-\d\d"):
        await world.refund(before)
    assert await world.refund(await world.sold()) == 700
    assert [one.fingerprint for one in await rules.listed(world.database, "north") if one.version] == [second]
    await world.deploy(40)
    assert await world.refund(before) == 400, "the same version again brings its rules back"


async def test_rules_that_were_followed_only_lately_are_not_forgotten(world: World):
    await world.deploy(40)
    await world.deploy(70)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    async with world.database.platform() as session:
        await session.execute("update runtime.rules set kept_at = now() - interval '9 years' where kept_at < now()")
        await session.execute("update runtime.rules set kept_at = now() where fingerprint = $1", world.fingerprint)
    assert await rules.forget(world.database, "north", yesterday, ADA) == ()


async def test_a_version_that_does_not_load_any_more_says_why(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(order, "promised", 40, raising=False)
    old = await world.deploy(40, "from isthmus.packs.order.api import promised\n")
    before = await world.sold()
    now = await world.deploy(70)
    monkeypatch.delattr(order, "promised")
    versions.forget(await rules.found(world.database, "north", old))  # as another process, which never loaded it
    world.restart()
    await world.follower.catch_up()
    with pytest.raises(errors.RulesNotKept, match="cannot be loaded any more.*promised"):
        await world.refund(before)
    await rules.stand_in(world.database, "north", old, now, ADA, is_broken=True)
    assert await world.refund(before) == 700


async def test_without_anything_that_keeps_rules_only_todays_are_asked(world: World):
    await world.deploy(40)
    today, stranger = await world.sold(), await world.shop.sold(line("mug", 1, 1000), plan="feedfeedfeedfeed")
    nameless = await world.shop.sold(line("mug", 1, 1000))
    del world.platform.resources[ports.KeptRules]
    assert (await world.refund(today), await world.refund(nameless)) == (400, 400)
    with pytest.raises(errors.RulesNotKept, match="nothing here keeps rules"):
        await world.refund(stranger)


@pytest.mark.parametrize("has_sold", [True, False])
async def test_a_platform_that_sold_before_rules_were_kept_has_the_first_ones_stand_in(world: World, has_sold: bool):
    if has_sold:  # what the migration leaves where servers have run
        async with world.database.platform() as session:
            sql = "insert into runtime.rules (front_end, fingerprint, forgotten_at) values ('*', '*', now())"
            await session.execute(sql)
    await world.deploy(40)
    stranger = await world.shop.sold(line("mug", 1, 1000), plan="feedfeedfeedfeed")
    await world.deploy(70)
    if has_sold:
        assert await world.refund(stranger) == 400
    else:
        with pytest.raises(errors.RulesNotKept):
            await world.refund(stranger)


async def test_returns_at_once_of_one_old_version_load_it_once(world: World):
    await world.deploy(80)
    sold = [await world.sold() for _ in range(6)]
    await world.deploy(30)
    world.restart()
    await world.follower.catch_up()
    loaded: list[Any] = []
    load = world.follower._load
    world.follower._load = lambda folder: loaded.append(folder) or load(folder)
    assert await asyncio.gather(*map(world.refund, sold)) == [800] * 6
    assert len(loaded) == 1
