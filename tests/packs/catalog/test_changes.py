"""Changes to products that somebody else approves, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from isthmus.kernel import Caller, FrontEnd, Platform
from isthmus.packs.catalog import api
from isthmus.packs.catalog.pack import PACK

from .conftest import NOW, Shop, broken_conditions, category, front_end, product

ADA, BEN = Caller(front_end="north", person="ada"), Caller(front_end="group", person="ben")


@pytest.fixture
async def shop(make_platform: Callable[..., Awaitable[Platform]]) -> Shop:
    """Give the group, and the north whose changes need approval, over one pot."""
    north = FrontEnd(code="north", name="n", owner="n", uses=("catalog.*",), settings={api.CHANGES: api.PROPOSED})
    group = Shop(await make_platform(PACK, north, front_end("group"), clock=lambda: NOW), BEN)
    await group.categories(category("tea"))
    await group.imports(product("pot", title="Pot", attributes={"colour": "black"}))
    await group.publish("pot")
    return group


async def propose(shop: Shop, draft: api.ProductDraft, caller: Caller = ADA) -> api.Change:
    return await shop.platform.call(api.propose_change, api.ProposeChange(product=draft, because="clearer"), caller)


async def decide(
    shop: Shop, *changes: api.Change, caller: Caller = BEN, is_approved: bool = True
) -> api.ChangesDecided:
    ids = tuple(one.change_id for one in changes)
    return await shop.platform.call(
        api.decide_changes, api.DecideChanges(change_ids=ids, is_approved=is_approved, answer="well"), caller
    )


async def title(shop: Shop) -> str:
    return (await shop.platform.call(api.get_product, api.GetProduct(sku="pot"), BEN)).title


async def test_a_change_is_seen_field_by_field_and_has_no_effect_until_somebody_else_approves(
    shop: Shop, database_url: str
):
    heavy = (api.Variant(sku="pot", weight_grams=9),)
    change = await propose(shop, product("pot", title="Iron pot", attributes={"size": "S"}, variants=heavy))
    assert [(one.field, one.before, one.after) for one in change.fields] == [
        ("title", "Pot", "Iron pot"),
        ("attributes.colour", "black", None),
        ("variants.pot.weight_grams", "0", "9"),
        ("attributes.size", None, "S"),
    ]
    assert (change.state, change.base_version, change.is_stale, change.proposed_by) == ("open", 1, False, "ada")
    assert await title(shop) == "Pot"
    done = (await decide(shop, change)).items[0]
    assert (done.state, done.version, done.decided_by, done.answer) == ("approved", 2, "ben", "well")
    assert await title(shop) == "Iron pot"
    assert done.fields == change.fields, "what it was about can be read later"
    versions = await shop.platform.call(api.list_versions, api.ListVersions(code="pot"), BEN)
    assert [one.changed_in for one in versions.items] == ["group", "group"]
    assert await broken_conditions(database_url) == {}


async def test_who_proposed_a_change_decides_it_nowhere_and_takes_it_back(shop: Shop, database_url: str):
    change = await propose(shop, product("pot", title="Iron pot"))
    for caller in (ADA, Caller(front_end="group", person="ada")):
        with pytest.raises(api.OwnChange, match="was proposed by 'ada'"):
            await decide(shop, change, caller=caller)
    ask = api.WithdrawChange(change_id=change.change_id, answer="a mistake")
    with pytest.raises(api.NotYourChange):
        await shop.platform.call(api.withdraw_change, ask, BEN)
    gone = await shop.platform.call(api.withdraw_change, ask, ADA)
    assert (gone.state, gone.decided_by, gone.answer) == ("withdrawn", "ada", "a mistake")
    with pytest.raises(api.AlreadyDecided, match="withdrawn already, by 'ada'") as late:
        await decide(shop, change)
    assert late.value.path == "$.change_ids[0]"
    keys = Caller(front_end="north", client="feed"), Caller(front_end="group", client="feed")
    ours = await propose(shop, product("pot", title="Steel pot"), keys[0])
    with pytest.raises(api.OwnChange, match="'north/feed'"):
        await decide(shop, ours, caller=keys[0])
    assert (await decide(shop, ours, caller=keys[1])).items[0].decided_by == "group/feed"
    connection = await asyncpg.connect(database_url)
    try:
        with pytest.raises(asyncpg.CheckViolationError):
            await connection.execute("update catalog.change set decided_by = proposed_by where state = 'approved'")
    finally:
        await connection.close()


async def test_a_stale_change_is_refused_with_both_versions_and_changes_nothing(shop: Shop):
    first, second = [await propose(shop, product("pot", title=name)) for name in ("Iron pot", "Steel pot")]
    other = await propose(shop, product("cup", title="Cup"))
    await decide(shop, first)
    with pytest.raises(api.StaleChange, match="proposed to version 1 of product 'pot', which has version 2") as stale:
        await decide(shop, other, second)
    assert stale.value.path == "$.change_ids[1]"
    listed = await shop.platform.call(api.list_changes, api.ListChanges(state="open"), BEN)
    assert [(one.code, one.is_stale) for one in listed.items] in (
        [("cup", False), ("pot", True)],
        [("pot", True), ("cup", False)],
    ), "all or none: the cup was not approved either"
    assert await title(shop) == "Iron pot"
    assert (await decide(shop, second, is_approved=False)).items[0].state == "refused"
    assert await title(shop) == "Iron pot"


async def test_where_changes_need_approval_nothing_is_imported(shop: Shop):
    north = Shop(shop.platform, ADA)
    with pytest.raises(api.ApprovalNeeded, match="once somebody else approves"):
        await north.imports(product("pot", title="Iron pot"))
    csv = (await shop.platform.call(api.export_csv, api.ExportCsv(), BEN)).csv.replace("Pot", "Iron pot")
    with pytest.raises(api.ApprovalNeeded):
        await shop.platform.call(api.import_csv, api.ImportCsv(csv=csv), ADA)
    assert await title(shop) == "Pot"


async def test_what_an_import_would_refuse_cannot_be_proposed(shop: Shop):
    with pytest.raises(api.NothingChanged, match="'pot' is like this already"):
        await propose(shop, product("pot", title="Pot", attributes={"colour": "black"}))
    with pytest.raises(api.UnknownCategory) as nowhere:
        await propose(shop, product("pot", category="coffee"))
    assert nowhere.value.path == "$.product.category"
    with pytest.raises(api.DuplicateSku) as taken:
        await propose(shop, product("cup", variants=(api.Variant(sku="cup"), api.Variant(sku="pot"))))
    assert taken.value.path == "$.product.variants[1].sku"
    await shop.categories(category("tea", None, api.AttributeRule(name="leaf", is_required=True)))
    with pytest.raises(api.SchemaViolation) as incomplete:
        await propose(shop, product("cup"))
    assert incomplete.value.path == "$.product.variants[0].attributes.leaf"


async def test_of_two_approvals_and_an_import_at_once_the_product_ends_as_one_of_them(shop: Shop, database_url: str):
    for turn in range(5):
        version = (await shop.platform.call(api.get_product, api.GetProduct(sku="pot"), BEN)).version
        changes = [await propose(shop, product("pot", title=f"{name} {turn}")) for name in ("A", "B")]
        found = await asyncio.gather(
            *(decide(shop, one) for one in changes),
            shop.imports(product("pot", title=f"C {turn}")),
            return_exceptions=True,
        )
        wrong = [one for one in found if isinstance(one, BaseException)]
        assert all(isinstance(one, api.StaleChange) for one in wrong), wrong
        now = (await shop.platform.call(api.get_product, api.GetProduct(sku="pot"), BEN)).version
        assert now == version + 3 - len(wrong), "each that was taken is a version, and none was written over unseen"
        assert await broken_conditions(database_url) == {}


async def test_changes_are_listed_the_latest_first_by_product_and_state(shop: Shop):
    made = [await propose(shop, product("pot", title=f"Pot {number}")) for number in range(5)]
    pages = [await shop.platform.call(api.list_changes, api.ListChanges(code="pot", limit=3), BEN)]
    cursor = pages[0].next_cursor
    pages.append(await shop.platform.call(api.list_changes, api.ListChanges(code="pot", limit=3, cursor=cursor), BEN))
    found = [one.change_id for page in pages for one in page.items]
    assert sorted(found) == sorted(one.change_id for one in made)
    assert pages[1].next_cursor is None
    assert (await shop.platform.call(api.list_changes, api.ListChanges(code="cup"), BEN)).items == ()
    one = await shop.platform.call(api.get_change, api.GetChange(change_id=made[0].change_id), BEN)
    assert one.fields[0].after == "Pot 0"
