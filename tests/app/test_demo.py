"""Demo data that packs bring: loaded for whoever may call what it needs, once, and checked when a platform starts."""

from __future__ import annotations

import importlib
import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from isthmus.app.config import load_config
from isthmus.app.demo import load_demo
from isthmus.app.platform import Running, running
from isthmus.cli import main_app
from isthmus.flows.checkout import api as checkout
from isthmus.governance import doctor
from isthmus.kernel import Caller, FrontEnd, errors
from isthmus.manifest import DemoData, Guide, brought
from isthmus.manifest.demo import demo_goods, demo_problems
from isthmus.manifest.guides import guide_problems
from isthmus.packs.catalog import api as catalog
from isthmus.packs.inventory import api as inventory
from isthmus.packs.pricing import api as pricing
from isthmus.values import Money, money
from tests import shipped

SELLS = tuple(f"{one}.*" for one in ("catalog", "checkout", "fulfilment", "inventory", "member", "order", "pricing"))
NEEDED = ("payment.*", "promotion.*", "tax.*")  # by checkout
NORTH = FrontEnd(code="north", name="North", owner="n", uses=(*SELLS, *NEEDED))
COUNTER = FrontEnd(code="counter", name="Counter", owner="n", uses=("catalog.*",))


@pytest.fixture
async def platform(database_url: str, tmp_path: Path) -> AsyncIterator[Running]:
    config = replace(load_config(), database_url=database_url, data=tmp_path)
    async with running(config, front_ends=[NORTH, COUNTER]) as opened:
        yield opened


async def counts(platform: Running) -> dict[str, int]:
    """Return how many rows there are of what demo data brings."""
    tables = (
        "catalog.listing", "pricing.price", "inventory.movement", "fulfilment.slot", "member.membership",
        '"order".orders', "payment.payment",
    )  # fmt: skip
    async with platform.database.platform() as session:
        return {name: await session.fetch_value(f"select count(*) from {name}") for name in tables}


async def price(platform: Running, currency: str) -> Money:
    ask = checkout.PreviewOrder(currency=currency, lines=(checkout.BuyLine(sku="demo-mug", quantity=1),))
    shown = await platform.platform.call(checkout.preview_order, ask, Caller(front_end="north"))
    return shown.bill.total


async def test_a_fresh_front_end_sells_after_the_demo_data_of_all_packs_was_loaded_and_once_only(
    platform: Running,
) -> None:
    loaded = await load_demo(platform)
    assert [one for one in loaded if one.refused] == []
    assert Counter(one.front_end for one in loaded) == {"north": 7, "counter": 1}, "each for what it may call"
    assert loaded[-1].name == "checkout.sales", "flows come last"
    before = await counts(platform)
    assert before["catalog.listing"] == 2 * len(demo_goods())
    assert (before['"order".orders'], before["fulfilment.slot"], before["member.membership"]) == (12, 28, 3)
    ask = inventory.ListStock(sku="demo-assam")
    stock = await platform.platform.call(inventory.list_stock, ask, Caller(front_end="north"))
    assert stock.items[0].on_hand < 200, "some was sold at the till"
    assert await price(platform, "EUR") == money(1_150, "EUR")
    again = await load_demo(platform)
    assert [one for one in again if one.refused] == []
    assert await counts(platform) == before
    async with platform.database.platform() as session:
        found = await doctor.examine(session, platform.platform.release.packs.values(), 5)
    assert [one.name for one in found if not one.holds] == []


async def test_only_what_is_named_is_loaded_in_the_currency_that_is_named(platform: Running) -> None:
    only = ["pricing.prices"]
    (loaded,) = await load_demo(platform, front_ends=["north"], only=only, goods=demo_goods("JPY"))
    assert (loaded.name, loaded.calls) == ("pricing.prices", 1)
    await load_demo(platform, front_ends=["north"], only=["catalog.goods", "inventory.stock"])
    assert await price(platform, "JPY") == money(1_150, "JPY")
    assert (await counts(platform))['"order".orders'] == 0


async def test_where_a_capability_refuses_its_reason_is_said_and_the_rest_goes_on(platform: Running) -> None:
    only = ["checkout.sales", "member.members"]
    members, sales = await load_demo(platform, front_ends=["north"], only=only)
    assert (members.calls, members.refused, sales.calls) == (1, "", 0)
    assert "demo-assam" in sales.refused, "nothing is offered yet"
    with pytest.raises(errors.BadAsk, match=r"no demo data 'pricing.price'.*pricing.prices"):
        await load_demo(platform, only=["pricing.price"])
    with pytest.raises(errors.IsthmusError, match="nowhere"):
        await load_demo(platform, front_ends=["nowhere"])


def test_all_that_packs_bring_is_there_and_a_page_or_a_function() -> None:
    for data in brought(shipped.PACKS, DemoData):
        module, _, function = data.at.partition(":")
        assert callable(getattr(importlib.import_module(module), function)), data.name
    guides = brought(shipped.PACKS, Guide)
    assert guides
    for guide in guides:
        assert guide.text().startswith("# "), guide.file
        assert guide.text("zh_CN") != guide.text(), "shipped guides are in both languages"
        assert guide.text("eo") == guide.text()


def test_demo_data_that_nothing_can_load_is_refused_with_what_to_write() -> None:
    (pack,) = (one for one in shipped.PACKS if one.name == "pricing")
    wrong = DemoData(name="prices", doc="", at="a:b", needs=(catalog.publish, pricing.put_prices))
    none = DemoData(name="pricing.none", doc="", at="a:b", needs=())
    assert list(demo_problems(replace(pack, brings=(wrong, none)))) == [
        "demo data 'prices' of 'pricing' is called as another's; call it pricing.prices",
        "demo data 'prices' of 'pricing' needs 'catalog.publish', which is none of its capabilities; correct it",
        "demo data 'pricing.none' of 'pricing' needs no capability, so nothing can load it; "
        "name what it calls in needs=(…)",
    ]


@pytest.mark.parametrize(
    "file", ["isthmus.packs.pricing:no.md", "isthmus.nowhere:guide.md", "guide.md", "isthmus:api.py"]
)
def test_a_guide_that_is_no_page_is_refused_with_what_to_write(file: str) -> None:
    (pack,) = (one for one in shipped.PACKS if one.name == "pricing")
    (problem,) = guide_problems(replace(pack, brings=(Guide(title="Prices", file=file),)))
    assert problem == (
        f"guide 'Prices' of 'pricing' is {file!r}, and there is no such page; "
        'write file="isthmus.packs.pricing:guide.md", and the page beside the manifest'
    )


def test_the_command_asks_before_it_fills_a_database_of_somebodys(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ISTHMUS_DATABASE_URL", database_url)
    folder = tmp_path / "front_ends" / "north"
    folder.mkdir(parents=True)
    uses = repr((*SELLS, *NEEDED))
    (folder / "front_end.py").write_text(
        f"from isthmus.kernel import FrontEnd\n\nFRONT_END = FrontEnd(code='north', name='N', owner='n', uses={uses})\n"
    )
    refused = CliRunner().invoke(main_app, ["demo"])
    assert isinstance(refused.exception, errors.Refusal)
    assert "add --yes" in str(refused.exception)
    done = CliRunner().invoke(main_app, ["demo", "--yes", "--only", "catalog.goods", "--json"])
    assert done.exit_code == 0, done.output
    (said,) = json.loads(done.output)
    assert (said["front_end"], said["name"], said["calls"]) == ("north", "catalog.goods", 3)
    assert "--currency" in CliRunner().invoke(main_app, ["demo", "--help"]).output
