"""What front ends owe each other is booked as it happens: points, goods that change their owner, borne discounts.

`bookkeeping.book-claim` books the other side of it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from isthmus.flows.bookkeeping import api as bookkeeping
from isthmus.kernel import Caller, FrontEnd, Platform, answers
from isthmus.packs.grants import api as grants
from isthmus.packs.inventory import api as inventory
from isthmus.packs.ledger import api as ledger
from isthmus.packs.ledger import rules
from isthmus.packs.member import api as member
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.packs.promotion import api as promotion
from isthmus.packs.settlement import api as settlement
from isthmus.store.sharing import Draft
from isthmus.values import Buyer, Money, money
from tests import shipped

from .conftest import ALL, LONG_AGO, Shop

STANDING = """select code, owner, sum(amount)::bigint as minor from ledger.leg join ledger.account using (account_id)
    where layer = '=' and account.front_end = $1 group by code, owner having sum(amount) <> 0"""


def eur(minor: int) -> Money:
    return money(minor, "EUR")


@answers(bookkeeping.points_worth)
def a_cent_a_point(points: int) -> Money:
    """Hold a cent for each point."""
    return eur(points)


@pytest.fixture
async def two(shop: Shop) -> AsyncIterator[Shop]:
    """Give a shop whose two front ends hold a cent for each point."""
    settings = {"settlement.iban": "DE89370400440532013000"}
    ends = [
        FrontEnd(code=code, name=code, owner=code, uses=ALL, answers=(a_cent_a_point,), settings=settings)
        for code in ("north", "south")
    ]
    resources = {payment.Providers: payment.Providers([shop.provider]), order.Numbers: order.Numbers(shop.database)}
    platform = Platform(shipped.build(ends), shop.database, resources=resources)
    made = Shop(platform, shop.database, shop.provider, shop.north, shop.south)
    yield made
    assert await made.broken() == []


async def stands(shop: Shop, front_end: str) -> dict[str, int]:
    """Return what stands on accounts, by code and owner, by SQL of our own: all of it comes to zero."""
    async with shop.database.platform() as session:
        found = await session.fetch(STANDING, front_end)
    standing = {f"{row['code']} {row['owner']}".strip(): int(row["minor"]) for row in found}
    assert sum(standing.values()) == 0
    return standing


async def share(shop: Shop, kind: str, name: str, owner: Caller, to: Caller) -> None:
    await shop.platform.call(grants.give, Draft(kind=kind, name=name, to=to.front_end), owner)


async def taken(shop: Shop, caller: Caller) -> int:
    """Take notice of what others booked, and say of how many entries."""
    return (await shop.platform.call(ledger.take_claims, ledger.TakeClaims(), caller)).claims


async def due(shop: Shop, caller: Caller, payee: str) -> int:
    """Return what is due to a payee and not settled, by SQL of our own."""
    async with shop.database.platform() as session:
        return await session.fetch_value(
            "select coalesce(sum(amount_minor), 0)::bigint from settlement.item where front_end = $1 and payee = $2",
            caller.front_end,
            payee,
        )


async def test_the_books_of_a_group_have_no_debts_of_front_ends_to_each_other(two: Shop) -> None:
    owed = ledger.EntryDraft(
        reference="rent",
        kind="rent",
        legs=(
            ledger.EntryLeg(account="assets:front-ends", owner="front-end/south", amount=eur(700)),
            ledger.EntryLeg(account="income:rent", amount=eur(-700)),
        ),
    )
    await two.platform.call(ledger.post, ledger.Post(entries=(owed,)), two.north)
    sold = {"assets:bank": 500, "income:sales": -500}
    legs = tuple(ledger.EntryLeg(account=code, amount=eur(minor)) for code, minor in sold.items())
    draft = ledger.EntryDraft(reference="sale", kind="sale", legs=legs)
    await two.platform.call(ledger.post, ledger.Post(entries=(draft,)), two.south)

    claimed = await two.platform.call(ledger.claim, ledger.ClaimEntry(reference="rent"), two.north)
    again = await two.platform.call(ledger.claim, ledger.ClaimEntry(reference="rent"), two.north)
    assert (claimed.legs, again.legs) == (1, 0)
    with pytest.raises(ledger.UnknownEntry, match="'rant'"):
        await two.platform.call(ledger.claim, ledger.ClaimEntry(reference="rant"), two.north)

    group = await together(two)
    assert [(one.one, one.other, one.left.minor) for one in group.between] == [("north", "south", 700)]
    assert {line.code: line.closing.minor for line in group.lines} == {
        "assets:bank": 500,
        "income:rent": -700,
        "income:sales": -500,
    }
    assert [one.minor for one in group.difference] == [0]

    assert await taken(two, two.south) == 1
    group = await together(two)
    assert [one.left.minor for one in group.between] == [0]
    assert {line.code: line.closing.minor for line in group.lines} == {
        "assets:bank": 500,
        "expenses:owed-elsewhere": 700,
        "income:rent": -700,
        "income:sales": -500,
    }
    assert [one.minor for one in group.income] == [500]  # what one front end earns of another is nothing to the group
    assert [one.minor for one in group.difference] == [0]
    # of one front end alone nothing is eliminated
    alone = await together(two, "north")
    assert {line.code: line.closing.minor for line in alone.lines} == {"assets:front-ends": 700, "income:rent": -700}


async def together(shop: Shop, *codes: str) -> rules.Group:
    ask = ledger.GetTrialBalance(by_front_end=True)
    callers = [one for one in (shop.north, shop.south) if one.front_end in codes or not codes]
    return rules.consolidated(
        {one.front_end: await shop.platform.call(ledger.trial_balance, ask, one) for one in callers}
    )


async def test_a_payout_between_front_ends_is_in_both_books(two: Shop) -> None:
    ask = settlement.PutPayee(payee="front-end/south", currency="EUR", name="South", iban="FR1420041010050500013M02606")
    await two.platform.call(settlement.put_payee, ask, two.north)
    owed = ledger.EntryDraft(
        reference="rent",
        kind="rent",
        legs=(
            ledger.EntryLeg(account="assets:front-ends", owner="front-end/north", amount=eur(700)),
            ledger.EntryLeg(account="income:rent", amount=eur(-700)),
        ),
    )
    await two.platform.call(ledger.post, ledger.Post(entries=(owed,)), two.south)
    await two.platform.call(ledger.claim, ledger.ClaimEntry(reference="rent"), two.south)
    await taken(two, two.north)
    until = (datetime.now(UTC) + timedelta(days=1)).date()
    prepared = await two.platform.call(settlement.draw_up, settlement.DrawUp(cut_off=until), two.north)
    assert [one.payout.minor for one in prepared.items] == [700]
    approve = settlement.Approve(settlement_id=prepared.items[0].settlement_id)
    await two.platform.call(settlement.approve, approve, Caller(front_end="north", client="another"))
    assert await taken(two, two.south) == 1
    assert await stands(two, "south") == {"income:rent": -700, "assets:clearing front-end/north": 700}
    assert await stands(two, "north") == {"expenses:owed-elsewhere": 700, "liabilities:payouts front-end/south": -700}
    assert [one.left.minor for one in (await together(two)).between] == [0]


async def test_who_gave_points_owes_the_front_end_where_they_are_spent(two: Shop) -> None:
    put = member.PutProgramme(code="circle", name="Circle", valid_days=30)
    await two.platform.call(member.put_programme, put, two.north)
    await share(two, "member.programme", "circle", two.north, two.south)
    members = {}
    for caller in (two.north, two.south):
        identity = member.Identity(kind="email", value="ada@example.org", is_verified=True)
        joined = await two.platform.call(member.register, member.Register(identities=(identity,)), caller)
        owner = None if caller is two.north else "north"
        join = member.JoinProgramme(member_id=joined.member_id, programme="circle", owner=owner)
        await two.platform.call(member.join_programme, join, caller)
        members[caller.front_end] = joined.member_id
    earn = member.EarnPoints(member_id=members["north"], reference="o-1", points=120)
    await two.platform.call(member.earn_points, earn, two.north)
    spend = member.SpendPoints(member_id=members["south"], reference="gift", points=80)
    await two.platform.call(member.spend_points, spend, two.south)
    assert await stands(two, "north") == {"liabilities:points": -120, "expenses:points": 120}
    assert await stands(two, "south") == {"assets:front-ends front-end/north": 80, "expenses:points": -80}
    assert await taken(two, two.north) == 1
    await two.platform.call(member.expire_points, member.ExpirePoints(), two.north)
    north = {"liabilities:points": -40, "expenses:points": 120, "liabilities:front-ends front-end/south": -80}
    assert await stands(two, "north") == north
    assert await due(two, two.north, "front-end/south") == 80
    later = datetime.now(UTC) + timedelta(days=40)
    gone = await two.platform.call(member.expire_points, member.ExpirePoints(), two.north, now=later)
    assert gone.points == 40
    north = {
        "expenses:points": 120,
        "expenses:points:lapsed": -40,
        "liabilities:front-ends front-end/south": -80,
    }
    assert await stands(two, "north") == north  # what south has honoured is owed to it


async def test_goods_that_change_their_owner_are_owed_for(two: Shop) -> None:
    await two.platform.call(
        inventory.put_locations, inventory.PutLocations(items=(inventory.Location(code="hall"),)), two.north
    )
    await share(two, "inventory.location", "hall", two.north, two.south)
    borrowed = inventory.Location(code="hall", lent_by="north")
    await two.platform.call(inventory.put_locations, inventory.PutLocations(items=(borrowed,)), two.south)
    receipt = inventory.Receipt(sku="tea", quantity=9, location="hall")
    await two.platform.call(inventory.receive, inventory.Receive(reference="note", lines=(receipt,)), two.north)
    line = inventory.SoldLine(sku="tea", quantity=4, unit_price=eur(250))
    ask = inventory.SellStock(reference="s-1", from_location="hall", to_location="main", lines=(line,))
    await two.platform.call(inventory.sell_stock, ask, two.south)
    assert await stands(two, "south") == {
        "expenses:stock-bought front-end/north": 1000,
        "liabilities:front-ends front-end/north": -1000,
    }
    assert await stands(two, "north") == {}  # what happens at one front end waits for nothing at another
    assert await taken(two, two.north) == 1
    assert await stands(two, "north") == {
        "assets:front-ends front-end/south": 1000,
        "income:stock-sold front-end/south": -1000,
    }
    assert await taken(two, two.north) == 0  # once
    assert await due(two, two.north, "front-end/south") == -1000


async def test_what_others_bear_of_a_discount_is_their_debt_until_the_use_comes_back(two: Shop) -> None:
    put = promotion.Promotion(
        code="spring",
        title="Spring",
        benefit=promotion.PercentOff(basis_points=1_000),
        valid_from=LONG_AGO,
        borne_by=(
            promotion.Bearer(bearer="owner", basis_points=5_000),
            promotion.Bearer(bearer="maker", basis_points=2_500),
        ),
    )
    await two.platform.call(promotion.put_promotion, promotion.PutPromotion(promotion=put), two.north)
    await share(two, "promotion.promotion", "spring", two.north, two.south)
    await two.platform.call(promotion.switch_on, promotion.SwitchOn(owner="north", code="spring"), two.south)
    used = promotion.DiscountUse(promotion="spring", amount=eur(101))
    ask = promotion.Redeem(reference=str(uuid4()), discounts=(used,), buyer=Buyer())
    await two.platform.call(promotion.redeem, ask, two.south)
    assert await stands(two, "south") == {
        "assets:front-ends front-end/north": 51,
        "assets:bearers seller/maker": 25,
        "expenses:discounts": -76,
    }
    assert await taken(two, two.north) == 1
    assert await stands(two, "north") == {"expenses:discounts": 51, "liabilities:front-ends front-end/south": -51}
    entries = await two.platform.call(ledger.list_entries, ledger.ListEntries(kind="owed-elsewhere"), two.north)
    assert ask.reference not in str(entries)  # whose purchase it was is none of the owner's business
    back = promotion.ReturnUses(reference=ask.reference)
    await two.platform.call(promotion.return_uses, back, two.south)
    assert await stands(two, "south") == {}
    assert await taken(two, two.north) == 1
    assert await stands(two, "north") == {}
    entries = await two.platform.call(ledger.list_entries, ledger.ListEntries(subject=ask.reference), two.south)
    assert [bool(one.reverses) for one in entries.items] == [True, False]
