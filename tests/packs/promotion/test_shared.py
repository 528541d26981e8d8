"""Promotions of the group: switched on by front ends, counted once over all of them, and borne as they say."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import uuid4

import asyncpg
import pytest

from isthmus.kernel import Caller, FrontEnd, Platform, errors
from isthmus.packs.grants import api as grants
from isthmus.packs.grants.pack import PACK as GRANTS
from isthmus.packs.promotion import api
from isthmus.packs.promotion.pack import PACK
from isthmus.store import Database
from isthmus.store.sharing import Draft, Grant
from isthmus.values import Buyer
from tests.packs.desk import at_desk, desk

from .test_promotions import NOW, evaluated, promotion, put, redeem, usd

DESK = desk(api)
HOUSE = Caller(front_end="house", client="house-office")
SHOPS = {code: Caller(front_end=code, client=f"{code}-office") for code in ("north", "south", "east")}
NORTH, SOUTH, EAST = SHOPS.values()


@pytest.fixture
async def group(make_platform: Callable[..., Awaitable[Platform]]) -> AsyncIterator[Platform]:
    """Give a house and three shops; every condition holds when the test has ended."""
    uses = ("promotion.*", "grants.*", "desk.*")
    ends = [FrontEnd(code=code, name=code, owner=code, uses=uses) for code in ("house", *SHOPS)]
    made = await make_platform(PACK, GRANTS, DESK, *ends, clock=lambda: NOW)
    yield made
    async with made.store.platform() as session:  # type: ignore[attr-defined]
        for condition in PACK.conditions:
            assert list(await session.fetch(condition.sql)) == [], condition.sentence


async def shared(platform: Platform, one: api.Promotion, *callers: Caller, switches: bool = True) -> list[Grant]:
    """Put a promotion of the house, share it, and switch it on."""
    await put(platform, one, caller=HOUSE)
    given: list[Grant] = []
    for caller in callers:
        ask = Draft(kind="promotion.promotion", name=one.code, to=caller.front_end)
        given.append(await platform.call(grants.give, ask, HOUSE))
        if switches:
            await platform.call(api.switch_on, api.SwitchOn(owner="house", code=one.code), caller)
    return given


async def took(platform: Platform, caller: Caller, *coupons: str) -> list[tuple[str, int]]:
    found = await evaluated(platform, ("tea", 1, 1000), caller=caller, coupons=coupons)
    return [(one.promotion, one.amount.minor) for one in found.discounts]


async def outcome(platform: Platform, caller: Caller, reference: str, *use: object) -> str:
    try:
        await redeem(platform, reference, use, caller=caller)  # type: ignore[arg-type]
    except errors.Refusal as refused:
        return refused.slug
    return "used"


async def test_a_shared_promotion_counts_where_it_is_switched_on_and_nowhere_else(group: Platform) -> None:
    await shared(group, promotion("spring"), NORTH)
    await shared(group, promotion("spring"), SOUTH, switches=False)
    assert await took(group, NORTH) == [("spring", 100)]
    assert await took(group, SOUTH) == []
    listed = await group.call(api.list_shared, api.ListShared(), SOUTH)
    assert [(one.owner, one.promotion.code, one.switched_on_at) for one in listed.items] == [("house", "spring", None)]
    await group.call(api.switch_off, api.SwitchOff(code="spring"), NORTH)
    assert await took(group, NORTH) == []


async def test_what_is_not_shared_is_as_if_it_were_not_there(group: Platform) -> None:
    await shared(group, promotion("spring"), NORTH)
    refused: list[str] = []
    for code in ("spring", "autumn"):
        with pytest.raises(api.NotShared) as found:
            await group.call(api.switch_on, api.SwitchOn(owner="house", code=code), EAST)
        refused.append(str(found.value).replace(code, "…"))
    assert refused[0] == refused[1]
    assert await outcome(group, EAST, "o-1", "spring", 100) == "promotion.unknown-promotion"
    assert (await group.call(api.list_shared, api.ListShared(), EAST)).items == ()


async def test_the_last_use_of_a_coupon_wanted_by_three_shops_at_once_is_used_once(
    group: Platform, database_url: str
) -> None:
    await shared(group, promotion("spring", needs_coupon=True), *SHOPS.values())
    for number in range(8):
        draft = api.CouponDraft(code=f"LAST-{number}", uses_max=1)
        await group.call(api.issue_coupons, api.IssueCoupons(promotion="spring", coupons=(draft,)), HOUSE)
        assert await took(group, SOUTH, f"last-{number}") == [("spring", 100)]
        came = await asyncio.gather(
            *(outcome(group, SHOPS[code], f"o-{number}", "spring", 100, f"LAST-{number}") for code in SHOPS)
        )
        refused = sorted(came)[:2]  # whoever waited for the last use finds the coupon used up
        assert sorted(came)[2] == "used"
        assert set(refused) <= {"promotion.coupon-invalid", "promotion.limit-reached"}
    coupon = await group.call(api.get_coupon, api.GetCoupon(code="LAST-0"), HOUSE)
    assert coupon.uses == 1


async def test_a_budget_holds_over_all_shops_however_many_buy_at_once(group: Platform, database_url: str) -> None:
    await shared(group, promotion("spring", budget=usd(2_000), uses_max=100), *SHOPS.values())
    group.store, store = await Database.open(database_url, connections_max=24), group.store
    asks = [outcome(group, SHOPS[code], f"o-{number}", "spring", 100) for number in range(16) for code in SHOPS]
    came = Counter(await asyncio.gather(*asks))
    await group.store.close()  # type: ignore[attr-defined]
    group.store = store
    assert came == {"used": 20, "promotion.budget-exhausted": 28}
    state = await group.call(api.get_promotion, api.GetPromotion(code="spring"), HOUSE)
    assert (state.uses, state.spent) == (20, usd(2_000))


async def test_what_an_order_used_comes_back_after_the_grant_has_gone(group: Platform) -> None:
    (grant,) = await shared(group, promotion("spring", uses_max=1, needs_coupon=True), NORTH)
    draft = api.CouponDraft(code="ONE", uses_max=1)
    await group.call(api.issue_coupons, api.IssueCoupons(promotion="spring", coupons=(draft,)), HOUSE)
    assert await outcome(group, NORTH, "o-1", "spring", 100, "ONE") == "used"
    await group.call(grants.withdraw, grants.WithdrawGrant(grant_id=grant.grant_id), HOUSE)
    assert await took(group, NORTH, "ONE") == []
    assert await outcome(group, NORTH, "o-2", "spring", 100, "ONE") == "promotion.unknown-promotion"
    back = await group.call(api.return_uses, api.ReturnUses(reference="o-1"), NORTH)
    assert back.returned == 1
    state = await group.call(api.get_promotion, api.GetPromotion(code="spring"), HOUSE)
    assert state.uses == 0


async def test_each_cent_is_borne_by_somebody_as_the_promotion_says(group: Platform, database_url: str) -> None:
    bearers = (api.Bearer(bearer="owner", basis_points=5_000), api.Bearer(bearer="brand:leaf", basis_points=3_333))
    await shared(group, promotion("spring", borne_by=bearers), NORTH)
    await redeem(group, "o-1", ("spring", 101), caller=NORTH)
    connection = await asyncpg.connect(database_url)
    rows = await connection.fetch("select data from isthmus.outbox where type = 'promotion.discount-borne'")
    await connection.close()
    (event,) = [json.loads(row["data"]) for row in rows]
    shares = {one["bearer"]: one["amount"]["minor"] for one in event["shares"]}
    assert shares.keys() == {"house", "brand:leaf", "north"}
    assert sum(shares.values()) == 101
    assert shares["house"] in (50, 51)
    too_much = (api.Bearer(bearer="owner", basis_points=9_000), api.Bearer(bearer="seller", basis_points=2_000))
    with pytest.raises(api.PromotionRefused):
        await put(group, promotion("winter", borne_by=too_much), caller=HOUSE)


async def test_a_code_means_one_promotion_at_a_front_end(group: Platform) -> None:
    await put(group, promotion("spring"), caller=SOUTH)
    await shared(group, promotion("spring"), NORTH)
    with pytest.raises(api.CodeInUse):
        await shared(group, promotion("spring"), SOUTH)
    with pytest.raises(api.CodeInUse):
        await put(group, promotion("spring"), caller=NORTH)


async def test_an_owner_who_raises_a_limit_counts_what_was_used_at_all_shops(group: Platform) -> None:
    await shared(group, promotion("spring"), NORTH, SOUTH)
    for number, caller in enumerate((NORTH, SOUTH, SOUTH)):
        assert await outcome(group, caller, f"o-{number}", "spring", 100) == "used"
    with pytest.raises(api.PromotionRefused):
        await put(group, promotion("spring", uses_max=2), caller=HOUSE)
    await put(group, promotion("spring", uses_max=4), caller=HOUSE)
    assert await outcome(group, NORTH, "o-8", "spring", 100) == "used"
    assert await outcome(group, SOUTH, "o-9", "spring", 100) == "promotion.limit-reached"


async def test_a_limit_per_person_holds_over_all_shops_where_they_joined_a_programme(group: Platform) -> None:
    await shared(group, promotion("one-each", uses_per_member_max=1), NORTH, SOUTH)
    account = uuid4()
    at = {caller: Buyer(member_id=uuid4(), account_id=account) for caller in (HOUSE, NORTH, SOUTH)}

    async def use(caller: Caller, reference: str) -> str:
        discounts = (api.DiscountUse(promotion="one-each", amount=usd(100)),)
        try:
            await group.call(api.redeem, api.Redeem(reference=reference, discounts=discounts, buyer=at[caller]), caller)
        except errors.Refusal as refused:
            return refused.slug
        return "used"

    raced = await asyncio.gather(*(use(caller, "o-1") for caller in at))
    assert Counter(raced) == {"used": 1, "promotion.limit-reached": 2}
    winner = list(at)[raced.index("used")]
    for caller, buyer in at.items():
        found = await evaluated(group, ("tea", 1, 1000), caller=caller, buyer=buyer)
        assert not found.discounts
    await group.call(api.return_uses, api.ReturnUses(reference="o-1"), winner)
    other = next(caller for caller in at if caller is not winner)
    assert await use(other, "o-2") == "used"
    assert await use(winner, "o-3") == "promotion.limit-reached"


async def test_who_joined_no_programme_is_counted_at_each_shop_and_a_use_is_returned_after_the_grant(
    group: Platform,
) -> None:
    grant, _ = await shared(group, promotion("one-each", uses_per_member_max=1), NORTH, SOUTH)
    discounts = (api.DiscountUse(promotion="one-each", amount=usd(100)),)
    for caller in (NORTH, SOUTH):
        alone = api.Redeem(reference="alone", discounts=discounts, buyer=Buyer(member_id=uuid4()))
        await group.call(api.redeem, alone, caller)
    known = Buyer(member_id=uuid4(), account_id=uuid4())
    await group.call(api.redeem, api.Redeem(reference="known", discounts=discounts, buyer=known), NORTH)
    await group.call(grants.withdraw, grants.WithdrawGrant(grant_id=grant.grant_id), HOUSE)
    await group.call(api.return_uses, api.ReturnUses(reference="known"), NORTH)
    again = api.Redeem(reference="again", discounts=discounts, buyer=known.replace(member_id=uuid4()))
    assert (await group.call(api.redeem, again, SOUTH)).uses == 1


async def test_two_who_become_one_have_used_what_both_used_whatever_happens_at_the_same_moment(
    group: Platform, database_url: str
) -> None:
    await shared(group, promotion("four-each", uses_per_member_max=4), NORTH, SOUTH)
    discounts = (api.DiscountUse(promotion="four-each", amount=usd(100)),)
    randomness = random.Random(7)
    for turn in range(6):
        stays, goes = [
            {caller: Buyer(member_id=uuid4(), account_id=account) for caller in (NORTH, SOUTH)}
            for account in (uuid4(), uuid4())
        ]

        async def use(buyer: dict[Caller, Buyer], caller: Caller, reference: str) -> bool:
            ask = api.Redeem(reference=reference, discounts=discounts, buyer=buyer[caller])
            try:
                await group.call(api.redeem, ask, caller)
            except api.LimitReached:
                return False
            return True

        async def come_back(caller: Caller, reference: str) -> None:
            await group.call(api.return_uses, api.ReturnUses(reference=reference), caller)

        async def join(stays: dict[Caller, Buyer] = stays, goes: dict[Caller, Buyer] = goes) -> None:
            one, other = stays[NORTH], goes[NORTH]
            ask = api.JoinMembers(member_id=one.member_id, other_id=other.member_id, account_id=one.account_id,
                                  other_account_id=other.account_id)  # fmt: skip
            await group.call(at_desk(api.join_members, DESK), ask, NORTH)

        assert await use(stays, NORTH, f"{turn}-a")
        assert await use(goes, SOUTH, f"{turn}-b")
        assert await use(goes, NORTH, f"{turn}-c")
        acts = [join(), use(goes, SOUTH, f"{turn}-d"), use(stays, SOUTH, f"{turn}-e"), come_back(SOUTH, f"{turn}-b")]
        randomness.shuffle(acts)
        await asyncio.gather(*acts)
        await join()  # safe to repeat
        connection = await asyncpg.connect(database_url)
        try:
            counts = await connection.fetch(
                "select account_id, uses from promotion.person_use where account_id = any($1) and uses > 0",
                [stays[NORTH].account_id, goes[NORTH].account_id],
            )
        finally:
            await connection.close()
        used = counts[0]["uses"]
        assert [one["account_id"] for one in counts] == [stays[NORTH].account_id], "one count, of who stays"
        assert used in (3, 4), "a, c, and what was used at the same moment"
        left = [await use(goes if at % 2 else stays, SOUTH, f"{turn}-f{at}") for at in range(4)]
        assert sum(left) == max(0, 4 - used), "the limit is one for both, by whichever name"


async def test_a_coupon_of_ones_own_goes_along_when_two_become_one(group: Platform) -> None:
    await put(group, promotion("own", needs_coupon=True), caller=NORTH)
    stays, goes = uuid4(), uuid4()
    issued = await group.call(
        api.issue_coupons,
        api.IssueCoupons(promotion="own", coupons=(api.CouponDraft(code="MINE", member_id=goes),)),
        NORTH,
    )
    assert issued.issued == 1
    await group.call(at_desk(api.join_members, DESK), api.JoinMembers(member_id=stays, other_id=goes), NORTH)
    discounts = (api.DiscountUse(promotion="own", coupon="MINE", amount=usd(100)),)
    used = api.Redeem(reference="o-1", discounts=discounts, buyer=Buyer(member_id=stays))
    assert (await group.call(api.redeem, used, NORTH)).uses == 1
