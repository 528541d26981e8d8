"""What the platform costs is borne by who used it: divided to the cent, booked once, in the books of both."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.flows.closing import api as closing
from isthmus.flows.closing.service import _divided
from isthmus.kernel import decode, encode, errors
from isthmus.packs.ledger import api as ledger
from isthmus.values import money

from . import test_between_front_ends as between
from .conftest import Shop
from .test_between_front_ends import stands, taken
from .test_bookkeeping import eur

two = between.two
MAY = (date(2026, 5, 1), date(2026, 5, 31))


def rows(*shares: tuple[str, str, str]) -> tuple[closing.CostRow, ...]:
    return tuple(
        closing.CostRow(sub_account_id=front_end, service_name=service, effective_cost=cost)
        for front_end, service, cost in shares
    )


def bill(
    *shares: tuple[str, str, str], minor: int = 10_000, reference: str = "platform/2026-05"
) -> closing.AllocateCost:
    return closing.AllocateCost(reference=reference, billed=eur(minor), since=MAY[0], until=MAY[1], rows=rows(*shares))


SHARES = (
    ("south", "checkout.pay-order", "0.000000333"),
    ("south", "order.get-order", "0.000000333"),
    ("north", "order.get-order", "0.000000333"),
)


async def paid(shop: Shop) -> None:
    legs = (
        ledger.EntryLeg(account="expenses:platform", amount=eur(10_000)),
        ledger.EntryLeg(account="assets:bank", amount=eur(-10_000)),
    )
    draft = ledger.EntryDraft(reference="hosting/05", kind="bill", legs=legs)
    await shop.platform.call(ledger.post, ledger.Post(entries=(draft,)), shop.north)


async def test_each_bears_what_it_used_in_the_books_of_both(two: Shop) -> None:
    await paid(two)
    shares = await two.platform.call(closing.allocate_cost, bill(*SHARES), two.north)
    assert [one.billed_cost.minor for one in shares.items] == [3334, 3333, 3333]
    assert shares.items[2].reference == "", "one's own share stays where it is"
    assert await stands(two, "north") == {
        "assets:bank": -10_000,
        "expenses:platform": 3333,
        "assets:front-ends front-end/south": 6667,
    }
    assert await taken(two, two.south) == 2
    assert await stands(two, "south") == {"expenses:platform": 6667, "liabilities:front-ends front-end/north": -6667}
    entry = await two.platform.call(ledger.get_entry, ledger.GetEntry(reference=shares.items[0].reference), two.north)
    assert entry.value_date == MAY[1]
    assert {name: said for name, said in entry.metadata.items() if name != "x_bill"} == {
        "BilledCost": "33.34",
        "EffectiveCost": "33.34",
        "BillingCurrency": "EUR",
        "ChargeCategory": "Usage",
        "ChargePeriodStart": "2026-05-01",
        "ChargePeriodEnd": "2026-05-31",
        "ServiceName": "checkout.pay-order",
        "SubAccountId": "south",
    }
    assert await two.broken() == []


async def test_it_is_booked_once_and_another_bill_under_its_reference_is_refused(two: Shop) -> None:
    await paid(two)
    first = await two.platform.call(closing.allocate_cost, bill(*SHARES), two.north)
    assert await two.platform.call(closing.allocate_cost, bill(*SHARES), two.north) == first
    for other in (bill(*SHARES, minor=9_999), bill(*SHARES, ("south", "another", "1"))):
        with pytest.raises(ledger.ReferenceUsed):
            await two.platform.call(closing.allocate_cost, other, two.north)
    assert (await stands(two, "north"))["expenses:platform"] == 3333
    assert await taken(two, two.south) == 2


@pytest.mark.parametrize(
    "wrong",
    [bill(("south", "a", "0")), bill(("south", "a", "1"), minor=0), bill(("south", "a", "1"), ("south", "a", "2"))],
    ids=["nothing measured", "nothing billed", "a row twice"],
)
async def test_what_cannot_be_divided_is_refused_and_nothing_is_booked(
    two: Shop,
    wrong: closing.AllocateCost,
) -> None:
    with pytest.raises(closing.NoShares):
        await two.platform.call(closing.allocate_cost, wrong, two.north)
    assert await stands(two, "north") == {}


async def test_a_front_end_that_nobody_could_be_called_is_refused(two: Shop) -> None:
    with pytest.raises(errors.Refusal):
        await two.platform.call(closing.allocate_cost, bill(("no such!", "a", "1")), two.north)


@given(
    st.integers(min_value=1, max_value=10**12),
    st.lists(st.decimals(min_value=0, max_value=10**6, places=9), min_size=1, max_size=40).filter(any),
)
def test_shares_add_up_to_what_was_billed_and_none_is_off_by_a_unit(minor: int, costs: list[Decimal]) -> None:
    ask = closing.AllocateCost(
        reference=uuid4().hex,
        billed=money(minor, "JPY"),
        since=MAY[0],
        until=MAY[1],
        rows=rows(*((f"f{at}", "s", f"{cost:f}") for at, cost in enumerate(costs))),
    )
    parts = [one.minor for one in _divided(ask)]
    assert sum(parts) == minor
    whole = sum(costs)
    assert all(abs(part - minor * cost / whole) < 1 for part, cost in zip(parts, costs, strict=True))


@pytest.mark.parametrize("cost", ["-1", "", "1e3", ".5", "1,5"], ids=repr)
def test_a_share_is_read_as_a_bill_writes_it_and_nothing_else(cost: str) -> None:
    row = {"sub_account_id": "south", "service_name": "a", "effective_cost": cost}
    with pytest.raises(errors.BadAsk):
        decode(encode(row), closing.CostRow)
    assert decode(encode({**row, "effective_cost": "0.000000333"}), closing.CostRow).effective_cost == "0.000000333"
