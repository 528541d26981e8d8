"""Coupons on a real PostgreSQL: how they are found, how often they are used, and who may issue and revoke them."""

from __future__ import annotations

from uuid import UUID

import pytest

from isthmus.kernel import Platform
from isthmus.packs.promotion import api
from isthmus.values import Buyer

from . import test_promotions
from .test_promotions import ANNA, NORTH, NOW, at_once, evaluated, issue, promotion, put, reasons, redeem, usd

platform = test_promotions.platform


async def test_a_coupon_is_found_in_whichever_case_and_with_whatever_around_it(platform: Platform) -> None:
    await put(platform, promotion("spring", needs_coupon=True))
    await issue(platform, "spring", api.CouponDraft(code="Spring-10"))
    for written in ("Spring-10", "SPRING-10 ", " spring-10", "ｓｐｒｉｎｇ-10", "spring\u200b-10"):
        evaluation = await evaluated(platform, ("tea", 1, 1000), coupons=(written, "spring-10"))
        assert [one.coupon for one in evaluation.discounts] == ["Spring-10"]
        assert evaluation.missed == ()
        found = await platform.call(api.get_coupon, api.GetCoupon(code=written), NORTH)
        assert found.coupon.code == "Spring-10"
    unknown = await evaluated(platform, ("tea", 1, 1000), coupons=("no such thing!", " "))
    assert reasons(unknown) == {"no such thing!": ("there is no such coupon",)}
    with pytest.raises(api.CouponTaken, match="it was issued as 'Spring-10'") as taken_code:
        await issue(platform, "spring", api.CouponDraft(code="SPRING-10"))
    assert taken_code.value.path == "$.coupons[0].code"
    with pytest.raises(api.PromotionRefused, match="is issued twice"):
        await issue(platform, "spring", api.CouponDraft(code="twice"), api.CouponDraft(code="TWICE"))
    ask = api.RevokeCoupons(codes=("spring-10 ", "SPRING-10"))
    assert (await platform.call(api.revoke_coupons, ask, NORTH)).revoked == 1


async def test_a_coupon_that_comes_to_nothing_says_why(platform: Platform) -> None:
    free = api.DeliveryOff()
    await put(
        platform,
        promotion("free", free, needs_coupon=True),
        promotion("little", api.PercentOff(basis_points=1), needs_coupon=True),
    )
    await issue(platform, "free", api.CouponDraft(code="FREE"))
    await issue(platform, "little", api.CouponDraft(code="LITTLE"))
    for fee, coupon, reason in (
        (usd(0), "FREE", "delivery is free already"),
        (None, "FREE", "nothing is delivered"),
        (usd(500), "LITTLE", "what it takes off comes to nothing"),
    ):
        evaluation = await evaluated(platform, ("tea", 1, 1000), coupons=(coupon,), delivery_fee=fee)
        assert (evaluation.discounts, reasons(evaluation)) == ((), {coupon: (reason,)})


async def test_a_coupon_is_used_as_often_as_it_may_be_and_by_a_member_too(platform: Platform) -> None:
    await put(platform, promotion("spring", needs_coupon=True))
    await issue(
        platform,
        "spring",
        api.CouponDraft(code="ONCE"),
        api.CouponDraft(code="EACH", uses_max=None, uses_per_member_max=2),
    )
    done, failed = await at_once([redeem(platform, f"once-{number}", ("spring", 1, "ONCE")) for number in range(20)])
    assert done == 1
    assert {type(one) for one in failed} <= {api.LimitReached, api.CouponInvalid}
    done, failed = await at_once(
        [redeem(platform, f"anna-{number}", ("spring", 1, "EACH"), buyer=ANNA) for number in range(20)]
    )
    assert (done, {type(one) for one in failed}) == (2, {api.LimitReached})
    bert = Buyer(member_id=UUID(int=2))
    await redeem(platform, "bert", ("spring", 1, "EACH"), buyer=bert)
    evaluation = await evaluated(platform, ("tea", 1, 100), coupons=("ONCE", "EACH"), buyer=ANNA)
    assert reasons(evaluation) == {"ONCE": ("it is used up",), "EACH": ("a member has it 2 time(s)",)}
    with pytest.raises(api.CouponInvalid, match="it is for members"):
        await redeem(platform, "guest", ("spring", 1, "EACH"))


async def test_a_revoked_coupon_is_not_used_and_revoking_is_safe_to_repeat(platform: Platform) -> None:
    await put(platform, promotion("c", needs_coupon=True))
    await issue(platform, "c", api.CouponDraft(code="C"), api.CouponDraft(code="D"))
    ask = api.RevokeCoupons(codes=("C",))
    assert (await platform.call(api.revoke_coupons, ask, NORTH)).revoked == 1
    assert (await platform.call(api.revoke_coupons, ask, NORTH)).revoked == 0
    with pytest.raises(api.CouponInvalid, match="it was revoked"):
        await redeem(platform, "order", ("c", 1, "C"))
    assert reasons(await evaluated(platform, ("tea", 1, 9), coupons=("C",))) == {"C": ("it was revoked",)}
    with pytest.raises(api.UnknownCoupon) as refused:
        await platform.call(api.revoke_coupons, api.RevokeCoupons(codes=("D", "X")), NORTH)
    assert refused.value.path == "$.codes[1]"
    coupon = await platform.call(api.get_coupon, api.GetCoupon(code="D"), NORTH)
    assert (coupon.revoked_at, coupon.uses, coupon.issued_by) == (None, 0, "north-office")
    with pytest.raises(api.UnknownCoupon, match="there is no coupon 'X'"):
        await platform.call(api.get_coupon, api.GetCoupon(code="X"), NORTH)


async def test_issuing_again_changes_nothing_and_a_taken_code_is_refused(platform: Platform) -> None:
    await put(platform, promotion("c", needs_coupon=True), promotion("open"))
    coupons = tuple(api.CouponDraft(code=f"C-{number:03}") for number in range(120))
    assert await issue(platform, "c", *coupons) == 120
    assert await issue(platform, "c", *coupons) == 0
    with pytest.raises(api.CouponTaken) as taken_code:
        await issue(platform, "c", api.CouponDraft(code="NEW"), api.CouponDraft(code="C-001", uses_max=2))
    assert taken_code.value.path == "$.coupons[1].code"
    for wrong, path in (
        ((api.CouponDraft(code="X"), api.CouponDraft(code="X")), "$.coupons[0].code"),
        ((api.CouponDraft(code="X", valid_from=NOW, valid_to=NOW),), "$.coupons[0].valid_to"),
    ):
        with pytest.raises(api.PromotionRefused) as refused:
            await issue(platform, "c", *wrong)
        assert refused.value.path == path
    with pytest.raises(api.PromotionRefused, match="it needs no coupon"):
        await issue(platform, "open", api.CouponDraft(code="X"))
    with pytest.raises(api.UnknownPromotion):
        await issue(platform, "none", api.CouponDraft(code="X"))
    first = await platform.call(api.list_coupons, api.ListCoupons(promotion="c", limit=100), NORTH)
    rest = await platform.call(api.list_coupons, api.ListCoupons(promotion="c", cursor=first.next_cursor), NORTH)
    assert [one.coupon for one in (*first.items, *rest.items)] == list(coupons)
