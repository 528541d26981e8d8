"""What a venture sends and should not: refused with the place, and nothing of the page is taken."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from isthmus.flows.ventures import api as ventures
from isthmus.kernel import errors
from isthmus.packs.ledger import api as ledger
from isthmus.packs.venture import api as venture

from .conftest import World


def entry(reference: str, minor: int = 1000, tax: int = 70, **more: Any) -> dict[str, Any]:
    legs = (("assets:customers", minor), ("income:sales", tax - minor), ("liabilities:tax:de:food", -tax))
    shown = [{"account": name, "amount": {"currency": "EUR", "minor": amount}} for name, amount in legs if amount]
    return {"reference": reference, "kind": "sale", "date": "2026-11-29", "subject": reference, "legs": shown, **more}


def sale(number: int, **more: Any) -> dict[str, Any]:
    usual = {
        "number": number, "sale_id": f"s{number}", "kind": "sale", "order_id": f"s{number}", "member": "",
        "at": "2026-11-29T10:00:00Z", "item": "discovery", "currency": "EUR", "net_minor": 930, "tax_minor": 70,
    }  # fmt: skip
    return {**usual, **more}


async def booked(world: World) -> int:
    page = await world.call(ledger.list_entries, ledger.ListEntries(limit=100), "liar")
    return len(page.items)


UNBALANCED = entry("x/1")
UNBALANCED["legs"][0]["amount"]["minor"] += 1


@pytest.mark.parametrize(
    ("items", "refused", "path"),
    [
        (
            [{"number": 1, "before": "", "entry": json.dumps(UNBALANCED)}],
            "balance by 1",
            "$.items[0].entry.legs",
        ),
        ([{"number": 1, "before": "", "entry": '{"reference": 4}'}], "expected `str`", "$.items[0].entry.reference"),
        ([{"number": 2, "before": "", "entry": "{}"}], "goes on with number 2, and 1 comes next", "$.items[0].number"),
        ([{"number": 1, "before": "ab", "entry": json.dumps(entry("x/1"))}], "rewritten", "$.items[0].before"),
        ([{"before": "", "entry": "{}"}], "number", "$.items[0].number"),
    ],
    ids=["out of balance", "another type", "a gap", "another past", "a field is missing"],
)
async def test_a_page_of_a_journal_that_is_wrong_books_nothing(
    world: World, items: list[dict[str, Any]], refused: str, path: str
) -> None:
    before = await booked(world)
    with pytest.raises(errors.Refusal, match=refused) as raised:
        await world.call(ventures.take_journal, world.liar.page(items), "liar")
    assert raised.value.path == path
    assert raised.value.remedy
    assert await booked(world) == before


async def test_an_account_that_no_books_have_is_refused(world: World) -> None:
    wrong = entry("x/2")
    wrong["legs"][1]["account"] = "sales"
    with pytest.raises(venture.ContractBroken, match="'sales' is no account") as raised:
        await world.call(ventures.take_journal, world.liar.page(world.liar.entries(wrong)), "liar")
    assert raised.value.path == "$.items[0].entry.legs[1].account"


@pytest.mark.parametrize("signature", ["", "AAAA", "x" * 86, "no base64 at all"])
async def test_a_page_that_was_not_signed_by_the_venture_is_refused(world: World, signature: str) -> None:
    page = world.liar.page(world.liar.entries(entry("x/3"))).replace(signature=signature)
    with pytest.raises(venture.NotSigned, match="not signed with the key in its charter"):
        await world.call(ventures.take_journal, page, "liar")
    changed = world.liar.page(world.liar.entries(entry("x/3")))
    with pytest.raises(venture.NotSigned):
        await world.call(ventures.take_journal, changed.replace(page=changed.page + " "), "liar")


async def test_a_page_of_one_venture_is_nothing_to_another(world: World) -> None:
    with pytest.raises(venture.NotSigned):
        await world.call(ventures.take_journal, world.liar.page(world.liar.entries(entry("x/4")), "box"), "box")
    with pytest.raises(venture.ContractBroken, match="of 'box', and not of 'liar'"):
        await world.call(ventures.take_journal, world.liar.page(world.liar.entries(entry("x/4")), "box"), "liar")


@pytest.mark.parametrize(
    ("more", "refused", "path"),
    [
        ({"net_minor": "930"}, "str", "$.items[0].net_minor"),
        ({"kind": "gift"}, "gift", "$.items[0].kind"),
        ({"net_minor": -930}, "a sale of -930", "$.items[0].net_minor"),
        ({"currency": "euro"}, "no currency", "$.items[0].currency"),
        ({"item": "for ada@example.org"}, "holds an e-mail address", "$.items[0].item"),
        ({"order_id": "DE89 3704 0044 0532 0130 00"}, "holds an account number", "$.items[0].order_id"),
        ({"member": "ada@example.org"}, "holds an e-mail address", "$.items[0].member"),
        ({"at": (datetime.now(UTC) + timedelta(days=9)).isoformat()}, "is to come", "$.items[0].at"),
        ({"sale_id": ""}, "0 characters", "$.items[0].sale_id"),
    ],
)
async def test_a_sale_that_breaks_its_contract_is_refused_with_its_place(
    world: World, more: dict[str, Any], refused: str, path: str
) -> None:
    with pytest.raises(venture.ContractBroken, match=refused) as raised:
        await world.call(ventures.take_sales, world.liar.page([sale(1, **more)]), "liar")
    assert raised.value.path == path
    assert (await world.call(venture.get_position, venture.GetPosition(), "liar")).sales == 0


async def test_a_venture_exports_no_members_but_its_own(world: World) -> None:
    """Somebody who signed in at the box never did so at the liar."""
    await world.sell("grace@example.org", "discovery")
    rows = (await world.box.shown("sales?after=0"))["items"]
    theirs = next(one["member"] for one in reversed(rows) if one["member"])
    with pytest.raises(venture.StrangerExported, match="1 of the members") as raised:
        await world.call(ventures.take_sales, world.liar.page([sale(1), sale(2, member=theirs)]), "liar")
    assert raised.value.path == "$.items[1].member"
    assert (await world.call(venture.get_standing, venture.GetStanding(), "liar")).sales == 0


async def test_a_page_comes_as_often_as_it_likes_and_counts_once_and_its_lies_show(world: World) -> None:
    """The last test that writes for the liar: 500 of its second sale are told, and booked on no income."""
    honest, hidden = entry("s1"), entry("s2", 500, 0)
    hidden["legs"][1]["account"] = "liabilities:gifts"
    page = world.liar.page(world.liar.entries(honest, hidden))
    before = await booked(world)
    first = await world.call(ventures.take_journal, page, "liar")
    assert (first.items, first.number) == (2, 2)
    assert (await world.call(ventures.take_journal, page, "liar")).items == 0
    sales = world.liar.page([sale(1), sale(2, net_minor=500, tax_minor=0)])
    for _ in range(2):
        assert (await world.call(ventures.take_sales, sales, "liar")).number == 2
    assert await booked(world) == before + 2
    compared = await world.call(venture.list_disagreements, venture.ListDisagreements(), "liar")
    assert [(one.sale_id, one.sold_net, one.booked_net) for one in compared.items] == [("s2", 500, 0)]
    assert compared.agreeing == 1
    rewritten = world.liar.entries(entry("s1", 999), hidden, entry("s3"))
    with pytest.raises(venture.JournalRewritten, match="entry 3 says that another entry stood before it"):
        await world.call(ventures.take_journal, world.liar.page(rewritten), "liar")
    twice = world.liar.entries(entry("s1"), first=3, before=venture.entry_hash(**_last(page)))
    with pytest.raises(venture.ContractBroken, match="a reference on it was booked before"):
        await world.call(ventures.take_journal, world.liar.page(twice), "liar")


def _last(page: venture.SignedPage) -> dict[str, str]:
    last = json.loads(page.page)["items"][-1]
    return {"before": last["before"], "entry": last["entry"]}
