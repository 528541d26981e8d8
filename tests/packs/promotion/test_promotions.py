"""Promotions on a real PostgreSQL: what comes off, coupons, limits and budgets under concurrency, and who sees what."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from uuid import UUID

import pytest

from isthmus.kernel import ALLOW, PASS, Caller, FrontEnd, Pass, Platform, Verdict, answers, errors, veto
from isthmus.packs.promotion import api
from isthmus.packs.promotion.pack import PACK
from isthmus.values import Buyer, CurrencyMismatch, Money, money

MakePlatform = Callable[..., Awaitable[Platform]]

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
DAY = timedelta(days=1)
NORTH = Caller(front_end="north", client="north-office")
SOUTH = Caller(front_end="south", client="south-office")
ANNA = Buyer(member_id=UUID(int=1), tier="gold", segments=("early",))


@answers(api.judge_eligibility)
def not_on_fish(
    promotions: Sequence[api.Promotion], lines: Sequence[api.PromotionLine], buyer: Buyer
) -> Sequence[Verdict]:
    has_fish = any(line.category == "fish" for line in lines)
    return [veto("fish is never reduced") if has_fish and one.code.startswith("x") else ALLOW for one in promotions]


@answers(api.rank_candidates)
def best_only(candidates: Sequence[api.Candidate], buyer: Buyer) -> tuple[str, ...]:
    return tuple(one.code for one in sorted(candidates, key=lambda one: -one.amount.minor)[:1])


@answers(api.extra_benefits)
def hundredth(lines: Sequence[api.PromotionLine], buyer: Buyer, now: datetime) -> tuple[api.ExtraBenefit, ...] | Pass:
    if "early" not in buyer.segments:
        return PASS
    shares = tuple(api.ExtraShare(line=at, amount=line.amount.times(Fraction(1, 100))) for at, line in enumerate(lines))
    return (api.ExtraBenefit(code="early", title="Early", reason="1% for the early", shares=shares, priority=9),)


@answers(api.floor_amount)
def nine_tenths(lines: Sequence[api.PromotionLine], buyer: Buyer) -> Sequence[Money | Pass]:
    return [line.amount.times(Fraction(9, 10)) for line in lines]


@answers(api.validate_promotion)
def with_budget(promotion: api.Promotion) -> Verdict:
    return ALLOW if promotion.budget is not None else veto("a budget is needed", path="$.promotion.budget")


@pytest.fixture
async def platform(make_platform: MakePlatform) -> AsyncIterator[Platform]:
    """Give north without rules of its own, south with one of each; every condition holds when the test has ended."""
    north = FrontEnd(code="north", name="North", owner="n", uses=("promotion.*",))
    rules = (not_on_fish, best_only, hundredth, nine_tenths, with_budget)
    south = FrontEnd(code="south", name="South", owner="s", uses=("promotion.*",), answers=rules)
    made = await make_platform(PACK, north, south, clock=lambda: NOW)
    yield made
    async with made.store.platform() as session:  # type: ignore[attr-defined]
        for condition in PACK.conditions:
            assert list(await session.fetch(condition.sql)) == [], condition.sentence


def promotion(code: str, benefit: object = None, **fields: object) -> api.Promotion:
    known = {"code": code, "title": code.title(), "benefit": benefit or api.PercentOff(basis_points=1000)}
    return api.Promotion(**{**known, "valid_from": NOW - DAY, **fields})  # type: ignore[arg-type]


def usd(minor: int) -> Money:
    return money(minor, "USD")


async def put(platform: Platform, *promotions: api.Promotion, caller: Caller = NORTH) -> None:
    for one in promotions:
        await platform.call(api.put_promotion, api.PutPromotion(promotion=one), caller)


async def issue(platform: Platform, promotion: str, *coupons: api.CouponDraft) -> int:
    ask = api.IssueCoupons(promotion=promotion, coupons=coupons)
    return (await platform.call(api.issue_coupons, ask, NORTH)).issued


async def evaluated(
    platform: Platform, *lines: tuple[str, int, int], caller: Caller = NORTH, **fields: object
) -> api.Evaluation:
    now = fields.pop("now", None)
    asked = tuple(
        api.PromotionLine(sku=sku, quantity=quantity, amount=usd(minor), category=sku.split("-")[0])
        for sku, quantity, minor in lines
    )
    ask = api.Evaluate(lines=asked, **fields)  # type: ignore[arg-type]
    return await platform.call(api.evaluate, ask, caller, now=now)  # type: ignore[arg-type]


async def redeem(
    platform: Platform,
    reference: str,
    *uses: tuple[str, int] | tuple[str, int, str],
    buyer: Buyer = Buyer(),
    caller: Caller = NORTH,
) -> api.Redeemed:
    discounts = tuple(
        api.DiscountUse(promotion=use[0], amount=usd(use[1]), coupon=use[2] if len(use) > 2 else None) for use in uses
    )
    return await platform.call(api.redeem, api.Redeem(reference=reference, discounts=discounts, buyer=buyer), caller)


async def give_back(platform: Platform, reference: str) -> int:
    return (await platform.call(api.return_uses, api.ReturnUses(reference=reference), NORTH)).returned


async def state(platform: Platform, code: str) -> api.PromotionState:
    return await platform.call(api.get_promotion, api.GetPromotion(code=code), NORTH)


def taken(evaluation: api.Evaluation) -> dict[str, int]:
    return {one.promotion: one.amount.minor for one in evaluation.discounts}


def reasons(evaluation: api.Evaluation) -> dict[str, tuple[str, ...]]:
    return {one.coupon or one.promotion: one.reasons for one in evaluation.missed}


async def at_once(calls: Sequence[Awaitable[object]]) -> tuple[int, list[BaseException]]:
    """Run calls at once; return how many went well, and how the others failed."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    failed = [one for one in results if isinstance(one, BaseException)]
    return len(results) - len(failed), failed


async def test_a_discount_says_which_rule_took_how_much_off_which_line(platform: Platform) -> None:
    await put(platform, promotion("tea-week", goods=api.Selector(categories=("tea",))))
    evaluation = await evaluated(platform, ("tea-1", 1, 999), ("jam-1", 1, 500), ("tea-2", 2, 400))
    (discount,) = evaluation.discounts
    assert (discount.promotion, discount.amount, discount.target) == ("tea-week", usd(140), "lines")
    assert [(share.line, share.amount.minor, share.reason) for share in discount.shares] == [
        (0, 100, "10% off"),
        (2, 40, "10% off"),
    ]


async def test_what_would_have_come_off_is_told_with_what_is_lacking(platform: Platform) -> None:
    await put(
        platform,
        promotion("from-20", api.Threshold(steps=(api.Step(at_least=usd(2000), off=usd(300)),))),
        promotion("3-for-2", api.BuyGet(buy=2, get=1)),
        promotion("gold", conditions=api.Conditions(tiers=("gold",), channels=("app",))),
        promotion("over", valid_to=NOW),
        promotion("jam", goods=api.Selector(categories=("jam",))),
    )
    evaluation = await evaluated(platform, ("tea", 2, 1200))
    assert evaluation.discounts == ()
    assert reasons(evaluation) == {
        "from-20": ("goods for 8.00 USD more are needed",),
        "3-for-2": ("1 more of its goods are needed",),
        "gold": ("it is for tier gold", "it is for channel app"),
    }
    missed = {one.promotion: one for one in evaluation.missed}
    assert (missed["from-20"].lacks_amount, missed["3-for-2"].lacks_quantity) == (usd(800), 1)


async def test_a_delivery_fee_is_taken_off_delivery_and_not_off_lines(platform: Platform) -> None:
    benefit = api.DeliveryOff()
    await put(platform, promotion("free-delivery", benefit, conditions=api.Conditions(min_amount=usd(1000))))
    (discount,) = (await evaluated(platform, ("tea", 1, 1000), delivery_fee=usd(499))).discounts
    assert (discount.target, discount.amount, discount.shares) == ("delivery", usd(499), ())
    assert (await evaluated(platform, ("tea", 1, 1000))).discounts == ()


async def test_a_coupon_switches_its_promotion_on_and_why_others_do_not_is_told(platform: Platform) -> None:
    await put(
        platform,
        promotion("spring", needs_coupon=True),
        promotion("jam", needs_coupon=True, goods=api.Selector(skus=("jam",))),
    )
    await issue(
        platform,
        "spring",
        api.CouponDraft(code="A"),
        api.CouponDraft(code="B"),
        api.CouponDraft(code="FOR-ANNA", member_id=ANNA.member_id),
        api.CouponDraft(code="LATER", valid_from=NOW + DAY),
    )
    await issue(platform, "jam", api.CouponDraft(code="JAM"))
    assert await evaluated(platform, ("tea", 1, 1000)) == api.Evaluation(discounts=(), missed=())
    evaluation = await evaluated(platform, ("tea", 1, 1000), coupons=("NONE", "LATER", "FOR-ANNA", "JAM", "B", "A"))
    assert [(one.promotion, one.coupon) for one in evaluation.discounts] == [("spring", "A")]
    assert reasons(evaluation) == {
        "NONE": ("there is no such coupon",),
        "LATER": ("it begins 2026-05-05 12:00 UTC",),
        "FOR-ANNA": ("it is somebody else's",),
        "B": ("coupon A of the same promotion is used",),
        "JAM": ("none of its goods are in the basket",),
    }
    assert [
        one.coupon for one in (await evaluated(platform, ("tea", 1, 9), coupons=("FOR-ANNA",), buyer=ANNA)).missed
    ] == []


async def test_a_promotion_counts_from_its_start_until_just_before_its_end(platform: Platform) -> None:
    await put(platform, promotion("day", valid_from=NOW, valid_to=NOW + DAY))
    for now, expected in ((NOW - timedelta(microseconds=1), {}), (NOW, {"day": 100}), (NOW + DAY, {})):
        assert taken(await evaluated(platform, ("tea", 1, 1000), now=now)) == expected


async def test_amounts_below_zero_or_in_two_currencies_are_refused_with_their_path(platform: Platform) -> None:
    with pytest.raises(api.NegativeAmount) as below:
        await evaluated(platform, ("tea", 1, -1))
    assert below.value.path == "$.lines[0].amount"
    with pytest.raises(CurrencyMismatch) as mixed:
        await evaluated(platform, ("tea", 1, 1), delivery_fee=money(1, "EUR"))
    assert mixed.value.path == "$.delivery_fee"


async def test_a_promotion_in_another_currency_is_missed_and_not_converted(platform: Platform) -> None:
    await put(platform, promotion("euros", api.AmountOff(amount=money(100, "EUR"))))
    assert reasons(await evaluated(platform, ("tea", 1, 1000))) == {"euros": ("it is not for USD",)}


async def test_a_limit_of_uses_holds_under_concurrency(platform: Platform) -> None:
    await put(platform, promotion("first-5", uses_max=5))
    done, failed = await at_once([redeem(platform, f"order-{number}", ("first-5", 100)) for number in range(40)])
    assert done == 5
    assert all(isinstance(one, api.LimitReached) for one in failed)
    assert (await state(platform, "first-5")).uses == 5
    assert reasons(await evaluated(platform, ("tea", 1, 1000))) == {"first-5": ("it is used up",)}
    assert "is used up" in str(failed[0])


async def test_a_budget_holds_under_concurrency(platform: Platform) -> None:
    await put(platform, promotion("purse", budget=usd(1000)))
    done, failed = await at_once([redeem(platform, f"order-{number}", ("purse", 300)) for number in range(30)])
    assert done == 3
    assert all(isinstance(one, api.BudgetExhausted) for one in failed)
    assert (await state(platform, "purse")).spent == usd(900)
    small = await evaluated(platform, ("tea", 1, 1000))
    assert taken(small) == {"purse": 100}
    large = await evaluated(platform, ("tea", 1, 2000))
    assert reasons(large) == {"purse": ("its budget is used up",)}


async def test_a_category_is_named_in_one_way_however_its_letters_are_composed(platform: Platform) -> None:
    goods = api.Selector(categories=("cafe\u0301",))
    parts = (api.BundlePart(goods=goods), api.BundlePart(goods=api.Selector(brands=("Mu\u0308ller",))))
    await put(platform, promotion("c", goods=goods), promotion("b", api.Bundle(parts=parts, basis_points=100)))
    line = api.PromotionLine(sku="x", quantity=2, amount=usd(1000), category="café", brand="Müller")
    evaluation = await platform.call(api.evaluate, api.Evaluate(lines=(line,)), NORTH)
    assert taken(evaluation) == {"c": 100, "b": 9}


async def test_a_promotion_is_limited_per_member_whatever_coupon_is_used(platform: Platform) -> None:
    await put(platform, promotion("one-each", uses_per_member_max=1))
    done, failed = await at_once([redeem(platform, f"order-{n}", ("one-each", 1), buyer=ANNA) for n in range(20)])
    assert (done, {type(one) for one in failed}) == (1, {api.LimitReached})
    assert reasons(await evaluated(platform, ("tea", 1, 100), buyer=ANNA)) == {
        "one-each": ("a member has it 1 time(s)",)
    }
    assert reasons(await evaluated(platform, ("tea", 1, 100))) == {"one-each": ("it is for members",)}


async def test_all_uses_of_an_order_hold_or_none(platform: Platform) -> None:
    await put(platform, promotion("a", uses_max=9), promotion("b", uses_max=1), promotion("c", needs_coupon=True))
    await issue(platform, "c", api.CouponDraft(code="C"))
    await redeem(platform, "first", ("b", 1))
    with pytest.raises(api.LimitReached) as refused:
        await redeem(platform, "second", ("a", 1), ("b", 1), ("c", 1, "C"), buyer=ANNA)
    assert refused.value.path == "$.discounts[1].promotion"
    assert (await state(platform, "a")).uses == 0
    assert (await redeem(platform, "second", ("a", 1), ("c", 1, "C"), buyer=ANNA)).uses == 2


async def test_orders_that_use_the_same_promotions_in_any_order_never_wait_in_a_circle(platform: Platform) -> None:
    codes = ["a", "b", "c", "d"]
    await put(platform, *(promotion(code, uses_max=1000, budget=usd(10**6)) for code in codes))

    async def order(number: int) -> None:
        turned = codes[number % 4 :] + codes[: number % 4]
        await redeem(platform, f"order-{number}", *((code, 1) for code in turned), buyer=ANNA)
        if number % 3 == 0:
            await give_back(platform, f"order-{number}")

    async def change(number: int) -> None:
        await put(platform, promotion(codes[number % 4], uses_max=1000 + number, budget=usd(10**6)))

    _, failed = await at_once([*(order(number) for number in range(48)), *(change(number) for number in range(12))])
    assert failed == []
    assert {(await state(platform, code)).uses for code in codes} == {32}


async def test_a_limit_that_is_set_later_counts_what_was_used_before(platform: Platform) -> None:
    await put(platform, promotion("open"))

    async def limit() -> None:
        await put(platform, promotion("open", uses_max=25))

    await at_once([*(redeem(platform, f"order-{number}", ("open", 1)) for number in range(20)), limit()])
    assert (await state(platform, "open")).uses == 20
    done, failed = await at_once([redeem(platform, f"later-{number}", ("open", 1)) for number in range(20)])
    assert (done, {type(one) for one in failed}) == (5, {api.LimitReached})
    with pytest.raises(api.PromotionRefused, match="24 uses are below the 25 that there are"):
        await put(platform, promotion("open", uses_max=24))


async def test_the_same_reference_has_one_effect_and_other_discounts_are_refused(platform: Platform) -> None:
    await put(platform, promotion("a", uses_max=3))
    done, failed = await at_once([redeem(platform, "order", ("a", 100)) for _ in range(20)])
    assert (done, failed) == (20, [])
    assert (await state(platform, "a")).uses == 1
    with pytest.raises(api.ReferenceReused, match="uses other discounts already"):
        await redeem(platform, "order", ("a", 101))


async def test_uses_come_back_once(platform: Platform) -> None:
    await put(
        platform, promotion("a", uses_max=1, budget=usd(100)), promotion("c", needs_coupon=True, uses_per_member_max=1)
    )
    await issue(platform, "c", api.CouponDraft(code="C", uses_per_member_max=1))
    await redeem(platform, "order", ("a", 100), ("c", 7, "C"), buyer=ANNA)
    done, failed = await at_once([give_back(platform, "order") for _ in range(10)])
    assert (done, failed) == (10, [])
    assert await give_back(platform, "order") == 0
    assert await give_back(platform, "never-heard-of") == 0
    assert (await state(platform, "a")).uses == 0
    await redeem(platform, "again", ("a", 100), ("c", 7, "C"), buyer=ANNA)
    with pytest.raises(api.ReferenceReused, match="has returned what it used"):
        await redeem(platform, "order", ("a", 100), ("c", 7, "C"), buyer=ANNA)


async def test_what_cannot_be_used_is_refused_with_its_path(platform: Platform) -> None:
    await put(platform, promotion("a"), promotion("c", needs_coupon=True), promotion("e", budget=money(9, "EUR")))
    await issue(platform, "c", api.CouponDraft(code="C"))
    await platform.call(api.stop_promotion, api.StopPromotion(code="a", reason="too dear"), NORTH)
    cases: list[tuple[tuple[str, int] | tuple[str, int, str], type[errors.Refusal], str]] = [
        (("none", 1), api.UnknownPromotion, "promotion"),
        (("a", 1), api.NotRunning, "promotion"),
        (("c", 1), api.CouponInvalid, "coupon"),
        (("c", 1, "X"), api.CouponInvalid, "coupon"),
        (("e", 1, "C"), CurrencyMismatch, "amount"),
        (("c", -1, "C"), api.NegativeAmount, "amount"),
    ]
    for number, (use, error, field) in enumerate(cases):
        with pytest.raises(error) as refused:
            await redeem(platform, f"order-{number}", use)
        assert refused.value.path == f"$.discounts[0].{field}"


async def test_who_did_what_to_a_promotion_stays_on_record(platform: Platform) -> None:
    await put(platform, promotion("a"))
    await put(platform, promotion("a"))  # the same again changes nothing
    await put(platform, promotion("a", priority=5))
    stop = api.StopPromotion(code="a", reason="too dear")
    for _ in range(2):
        stopped = await platform.call(api.stop_promotion, stop, NORTH)
    assert (stopped.is_running, stopped.version) == (False, 3)
    assert [(one.version, one.what, one.by, one.reason) for one in stopped.history] == [
        (3, "stopped", "north-office", "too dear"),
        (2, "put", "north-office", ""),
        (1, "put", "north-office", ""),
    ]
    assert (await evaluated(platform, ("tea", 1, 1000))).discounts == ()
    await put(platform, promotion("a"), promotion("b"))
    assert taken(await evaluated(platform, ("tea", 1, 1000))) == {"a": 100, "b": 90}
    with pytest.raises(api.UnknownPromotion, match="there is no promotion 'none'"):
        await state(platform, "none")


async def test_promotions_are_listed_page_by_page(platform: Platform) -> None:
    await put(platform, *(promotion(code) for code in "cab"))
    await platform.call(api.stop_promotion, api.StopPromotion(code="a", reason="x"), NORTH)
    first = await platform.call(api.list_promotions, api.ListPromotions(limit=2), NORTH)
    rest = await platform.call(api.list_promotions, api.ListPromotions(cursor=first.next_cursor), NORTH)
    assert [one.code for one in (*first.items, *rest.items)] == ["a", "b", "c"]
    running = await platform.call(api.list_promotions, api.ListPromotions(running_only=True), NORTH)
    assert [one.code for one in running.items] == ["b", "c"]


async def test_a_promotion_that_contradicts_itself_is_refused(platform: Platform) -> None:
    step = api.Step(at_least=usd(1))
    wrong = [
        (promotion("a", valid_to=NOW - DAY), "$.promotion.valid_to"),
        (promotion("a", api.AmountOff(amount=usd(1)), budget=money(1, "EUR")), "$.promotion"),
        (promotion("a", api.AmountOff(amount=usd(-1))), "$.promotion"),
        (promotion("a", api.Threshold(steps=(step,))), "$.promotion.benefit.steps"),
        (promotion("a", api.Bundle(parts=(api.BundlePart(goods=api.Selector()),))), "$.promotion.benefit"),
    ]
    for one, path in wrong:
        with pytest.raises(api.PromotionRefused) as refused:
            await put(platform, one)
        assert refused.value.path == path


async def test_one_front_end_never_sees_promotions_coupons_or_uses_of_another(platform: Platform) -> None:
    await put(platform, promotion("a", uses_max=1), promotion("c", needs_coupon=True))
    await issue(platform, "c", api.CouponDraft(code="C"))
    assert (await evaluated(platform, ("tea", 1, 1000), caller=SOUTH, coupons=("C",))).discounts == ()
    with pytest.raises(api.UnknownPromotion):
        await redeem(platform, "order", ("a", 1), caller=SOUTH)
    await put(platform, promotion("a", budget=usd(999)), caller=SOUTH)
    await redeem(platform, "order", ("a", 1), caller=SOUTH)
    await redeem(platform, "order", ("a", 1))
    assert await give_back(platform, "order") == 1
    with pytest.raises(api.UnknownCoupon):
        await platform.call(api.get_coupon, api.GetCoupon(code="C"), SOUTH)
    page = await platform.call(api.list_promotions, api.ListPromotions(), SOUTH)
    assert [one.budget for one in page.items] == [usd(999)]


async def test_a_front_end_judges_ranks_adds_and_keeps_a_floor(platform: Platform) -> None:
    budget = usd(10**6)
    half = api.PercentOff(basis_points=5000)
    await put(platform, promotion("x-half", half, budget=budget), promotion("small", budget=budget), caller=SOUTH)
    plain = await evaluated(platform, ("tea", 1, 1000), caller=SOUTH)
    assert (taken(plain), reasons(plain)) == ({"small": 100}, {"x-half": ("the shop takes others first",)})
    fish = await evaluated(platform, ("fish", 1, 1000), caller=SOUTH, buyer=ANNA)
    assert reasons(fish)["x-half"] == ("south.not_on_fish says: fish is never reduced",)
    assert reasons(fish)["extra:early"] == ("the shop takes others first",)
    with pytest.raises(api.PromotionRefused, match=r"south\.with_budget says: a budget is needed") as refused:
        await put(platform, promotion("y"), caller=SOUTH)
    assert refused.value.path == "$.promotion.budget"


async def test_a_discount_of_a_front_ends_own_code_is_on_record_without_limits(platform: Platform) -> None:
    (discount,) = (await evaluated(platform, ("tea", 1, 1000), caller=SOUTH, buyer=ANNA)).discounts
    assert (discount.promotion, discount.amount, discount.reason) == ("extra:early", usd(10), "1% for the early")
    assert (await redeem(platform, "order", ("extra:early", 10), caller=SOUTH, buyer=ANNA)).uses == 1


async def test_changes_and_uses_are_told(platform: Platform) -> None:
    await put(platform, promotion("c", needs_coupon=True))
    await issue(platform, "c", api.CouponDraft(code="C"))
    await redeem(platform, "order", ("c", 5, "C"), buyer=ANNA)
    await give_back(platform, "order")
    await give_back(platform, "order")
    async with platform.store.platform() as session:  # type: ignore[attr-defined]
        rows = await session.fetch("select type, subject from isthmus.outbox order by seq")
    assert [(row["type"], row["subject"]) for row in rows] == [
        ("promotion.promotion-changed", "c"),
        ("promotion.coupons-issued", "c"),
        ("promotion.discounts-redeemed", "order"),
        ("promotion.uses-returned", "order"),
    ]
