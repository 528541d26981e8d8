"""Discounts, decided: what each benefit takes, how promotions meet, and that no cent is lost in any order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from fractions import Fraction
from functools import cache
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from isthmus.kernel import ALLOW, errors
from isthmus.packs.promotion import api
from isthmus.packs.promotion.rules import benefits, checks
from isthmus.packs.promotion.rules import promotions as rules
from isthmus.values import Buyer, Money, money, rounded

NOW = datetime(2026, 5, 4, tzinfo=UTC)
TEA, JAM = api.Selector(categories=("tea",)), api.Selector(categories=("jam",))


def usd(minor: int) -> Money:
    return money(minor, "USD")


def line(category: str, quantity: int, minor: int, **fields: object) -> api.PromotionLine:
    known = {"sku": f"{category}-{minor}", "quantity": quantity, "amount": usd(minor), "category": category}
    return api.PromotionLine(**{**known, **fields})  # type: ignore[arg-type]


def basket(*lines: api.PromotionLine, fee: int | None = None, buyer: Buyer = Buyer()) -> rules.Basket:
    return rules.Basket(lines, None if fee is None else usd(fee), buyer, "standard", "online")


def promotion(code: str, benefit: object, **fields: object) -> api.Promotion:
    known = {"code": code, "title": code, "benefit": benefit, "valid_from": NOW}
    return api.Promotion(**{**known, **fields})  # type: ignore[arg-type]


def evaluated(
    promotions: Sequence[api.Promotion], held: rules.Basket, floors: Sequence[int] = ()
) -> tuple[list[api.Discount], list[api.Missed]]:
    """Evaluate as the service does, with the default ranking."""
    state = rules.untouched(held, floors or [0] * len(held.lines))
    offers: dict[str, rules.Offer] = {}
    for one in promotions:
        if rules.is_about(one, held) and rules.lacking(one, rules.Usage(), ALLOW, None, held, state) is None:
            offers[one.code] = rules.offer_of(one, None, rules.Usage())
    candidates = [
        rules.candidate(offer, amount) for offer in offers.values() if (amount := rules.worth(offer, held, state)).minor
    ]
    ranked = api.rank_candidates(candidates, held.buyer)
    assert isinstance(ranked, tuple)
    return rules.take([offers[code] for code in ranked], held, state)


def shares(benefit: object, held: rules.Basket, **fields: object) -> list[tuple[int, int]]:
    discounts, _ = evaluated([promotion("p", benefit, **fields)], held)
    return [(share.line, share.amount.minor) for discount in discounts for share in discount.shares]


CASES = [
    ("percent, of its goods", api.PercentOff(basis_points=1000), {"goods": TEA}, [(0, 90), (2, 100)]),
    ("percent, capped", api.PercentOff(basis_points=5000, at_most=usd(100)), {"goods": TEA}, [(0, 47), (2, 53)]),
    ("amount, over all", api.AmountOff(amount=usd(240)), {}, [(0, 90), (1, 50), (2, 100)]),
    ("amount, for each unit", api.AmountOff(amount=usd(50), each="unit"), {"goods": TEA}, [(0, 150), (2, 100)]),
    ("amount, above the price", api.AmountOff(amount=usd(9999)), {"goods": JAM}, [(1, 500)]),
    ("3 for 2, the cheapest free", api.BuyGet(buy=2, get=1), {"goods": TEA}, [(0, 300)]),
    ("1 for 1, twice", api.BuyGet(buy=1, get=1), {"goods": TEA}, [(0, 600)]),
    ("1 for 1, once at most", api.BuyGet(buy=1, get=1, times_max=1), {"goods": TEA}, [(0, 300)]),
    ("other goods at half", api.BuyGet(buy=2, get=1, gets=JAM, basis_points=5000), {"goods": TEA}, [(1, 250)]),
    (
        "the highest step",
        api.Threshold(steps=(api.Step(at_least=usd(2000), basis_points=1000), api.Step(at_least=usd(1), off=usd(1)))),
        {},
        [(0, 90), (1, 50), (2, 100)],
    ),
    (
        "a bundle for a price, with the dearest units",
        api.Bundle(parts=(api.BundlePart(goods=TEA, quantity=2), api.BundlePart(goods=JAM)), price=usd(1200)),
        {},
        [(1, 100), (2, 200)],
    ),
    (
        "a bundle at less",
        api.Bundle(parts=(api.BundlePart(goods=TEA), api.BundlePart(goods=JAM)), basis_points=2000),
        {},
        [(1, 100), (2, 100)],
    ),
]


@pytest.mark.parametrize(
    ("benefit", "fields", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_each_benefit_takes_off_what_it_says(
    benefit: object, fields: dict[str, object], expected: list[tuple[int, int]]
) -> None:
    mixed = basket(line("tea", 3, 900), line("jam", 1, 500), line("tea", 2, 1000))
    assert shares(benefit, mixed, **fields) == expected


def test_overlapping_parts_of_a_bundle_never_use_a_unit_twice() -> None:
    parts = (api.BundlePart(goods=api.Selector()), api.BundlePart(goods=TEA))
    bundle = api.Bundle(parts=parts, basis_points=10_000)
    assert shares(bundle, basket(line("tea", 1, 300), line("jam", 1, 200))) == [(0, 300), (1, 200)]
    assert shares(bundle, basket(line("tea", 1, 300))) == []
    assert shares(bundle, basket(line("tea", 5, 500))) == [(0, 400)]


def test_a_selector_takes_what_fits_all_its_lists_and_no_exception() -> None:
    goods = api.Selector(categories=("tea",), attributes={"organic": "yes"}, except_skus=("tea-2",))
    held = basket(
        line("tea", 1, 1, attributes={"organic": "yes"}),
        line("tea", 1, 2, attributes={"organic": "yes"}),
        line("tea", 1, 3),
        line("jam", 1, 4, attributes={"organic": "yes"}),
    )
    assert rules.selected_lines(promotion("p", api.PercentOff(basis_points=1), goods=goods), held) == [0]


def test_promotions_take_off_what_those_before_have_left_by_priority() -> None:
    half, ten = api.PercentOff(basis_points=5000), api.AmountOff(amount=usd(100))
    held = basket(line("tea", 1, 1000))
    first, _ = evaluated([promotion("half", half), promotion("ten", ten, priority=1)], held)
    assert [(one.promotion, one.amount.minor) for one in first] == [("ten", 100), ("half", 450)]
    other, _ = evaluated([promotion("half", half, priority=2), promotion("ten", ten, priority=1)], held)
    assert [(one.promotion, one.amount.minor) for one in other] == [("half", 500), ("ten", 100)]


def test_one_that_stands_alone_is_taken_first_or_not_at_all() -> None:
    held = basket(line("tea", 1, 1000))
    ten = api.PercentOff(basis_points=1000)
    discounts, missed = evaluated([promotion("a", ten, stacking="alone", priority=1), promotion("b", ten)], held)
    assert ([one.promotion for one in discounts], [one.promotion for one in missed]) == (["a"], ["b"])
    assert missed[0].reasons == ("another promotion that stands alone is taken",)
    discounts, missed = evaluated([promotion("a", ten, stacking="alone"), promotion("b", ten, priority=1)], held)
    assert ([one.promotion for one in discounts], missed[0].reasons) == (
        ["b"],
        ("it stands alone, and another promotion is taken",),
    )


def test_of_an_exclusive_group_one_is_taken_per_order_or_per_line() -> None:
    held = basket(line("tea", 1, 1000), line("jam", 1, 1000))
    ten = api.PercentOff(basis_points=1000)
    tea = promotion("tea", ten, goods=TEA, exclusive_group="week", priority=1)
    for per, expected in (("order", [("tea", 100)]), ("line", [("tea", 100), ("all", 100)])):
        both = [tea, promotion("all", ten, exclusive_group="week", exclusive_per=per)]
        if per == "line":
            both[0] = promotion("tea", ten, goods=TEA, exclusive_group="week", exclusive_per="line", priority=1)
        discounts, _ = evaluated(both, held)
        assert [(one.promotion, one.amount.minor) for one in discounts] == expected
    assert [share.line for share in discounts[1].shares] == [1]


def test_a_budget_pays_a_whole_discount_or_none() -> None:
    held = basket(line("tea", 1, 1000))
    state = rules.untouched(held, [0])
    one = promotion("p", api.PercentOff(basis_points=1000), budget=usd(500))
    for spent, expected in ((400, 1), (401, 0)):
        discounts, missed = rules.take([rules.offer_of(one, None, rules.Usage(spent=spent))], held, state)
        assert (len(discounts), len(missed)) == (expected, 1 - expected)


def test_an_extra_benefit_never_takes_more_than_a_line_has_left() -> None:
    held = basket(line("tea", 1, 100))
    twice = (api.ExtraShare(line=0, amount=usd(80)), api.ExtraShare(line=0, amount=usd(80)))
    offer = rules.offer_of_extra(api.ExtraBenefit(code="e", title="e", reason="r", shares=twice), held)
    discounts, _ = rules.take([offer], held, rules.untouched(held, [30]))
    assert discounts[0].amount == usd(70)


@pytest.mark.parametrize("wrong", [(0, usd(-1)), (0, money(1, "EUR")), (1, usd(1)), (-1, usd(1))])
def test_an_extra_benefit_that_is_wrong_is_a_fault(wrong: tuple[int, Money]) -> None:
    share = api.ExtraShare(line=wrong[0], amount=wrong[1])
    extra = api.ExtraBenefit(code="e", title="e", reason="r", shares=(share,))
    with pytest.raises(errors.AnswerFailed, match="extra benefit 'e' takes"):
        rules.offer_of_extra(extra, basket(line("tea", 1, 100)))


HALF = api.PercentOff(basis_points=5000)
TEA_OR_JAM = api.Selector(categories=("tea", "jam"))


def bundle(price: int, *parts: api.BundlePart, **fields: object) -> api.Bundle:
    return api.Bundle(parts=parts, price=usd(price), **fields)  # type: ignore[arg-type]


PRINT = api.Selector(categories=("print",))


@pytest.mark.parametrize(
    ("benefit", "fields", "expected"),
    [
        (api.PercentOff(basis_points=2500), {"goods": PRINT}, [(0, 500)]),
        (api.PercentOff(basis_points=2500), {"goods": api.Selector(except_categories=("print",))}, [(1, 250)]),
        (api.BuyGet(buy=1, get=1, gets=PRINT), {"goods": TEA}, [(0, 2000)]),
        (bundle(2400, api.BundlePart(goods=PRINT), api.BundlePart(goods=TEA)), {}, [(0, 400), (1, 200)]),
    ],
)
def test_a_category_means_itself_and_all_below_it(
    benefit: object, fields: dict[str, object], expected: list[tuple[int, int]]
) -> None:
    novel = line("print-novels", 1, 2000, categories=("shop", "print", "print-novels"))
    assert shares(benefit, basket(novel, line("tea", 1, 1000)), **fields) == expected


def off(benefit: object, *lines: api.PromotionLine) -> int:
    return sum(minor for _, minor in shares(benefit, basket(*lines)))


def test_parts_that_share_goods_are_filled_as_is_best_for_the_buyer_however_they_are_written() -> None:
    tea, either = api.BundlePart(goods=TEA), api.BundlePart(goods=TEA_OR_JAM)
    dear_tea, cheap_tea, jam = line("tea", 1, 900), line("tea", 1, 300), line("jam", 1, 800)
    for lines in ((dear_tea, cheap_tea, jam), (jam, cheap_tea, dear_tea), (cheap_tea, jam, dear_tea)):
        assert off(bundle(1000, tea, either), *lines) == off(bundle(1000, either, tea), *lines) == 700


def test_a_bundle_that_would_cost_more_than_its_goods_is_not_made() -> None:
    part = api.BundlePart(goods=TEA, quantity=2)
    lines = (line("tea", 2, 2000), line("tea", 2, 600))
    assert off(bundle(1000, part), *lines) == 1000
    assert off(bundle(3000, part), *lines) == 0


def best_by_trying(benefit: api.Bundle, lines: Sequence[api.PromotionLine]) -> int:
    """Return what the best bundles take off, by trying every unit in every place."""
    units = [(Fraction(one.amount.minor, one.quantity), one) for one in lines for _ in range(one.quantity)]
    state = rules.untouched(basket(*lines), [0] * len(lines))
    fits = [{id(lines[at]) for at in benefits.matching(state.lines, part.goods)} for part in benefit.parts]

    @cache
    def worth(left: frozenset[int], places: tuple[int, ...]) -> Fraction | None:
        if not places:
            return Fraction(0)
        rests = [
            units[at][0] + rest
            for at in left
            if id(units[at][1]) in fits[places[0]] and (rest := worth(left - {at}, places[1:])) is not None
        ]
        return max(rests, default=None)

    best, times = Fraction(0), 1
    each = tuple(part for part, one in enumerate(benefit.parts) for _ in range(one.quantity))
    while (value := worth(frozenset(range(len(units))), each * times)) is not None:
        assert benefit.price is not None
        if benefit.times_max is None or times <= benefit.times_max:
            best = max(best, value - times * benefit.price.minor)
        times += 1
    return rounded(best)


FEW_LINES = st.lists(
    st.builds(line, st.sampled_from(["tea", "jam", "rum"]), st.integers(1, 2), st.integers(0, 12)),
    min_size=1,
    max_size=4,
)
PARTS = st.lists(
    st.builds(
        api.BundlePart,
        goods=st.sampled_from([TEA, JAM, TEA_OR_JAM, api.Selector(), api.Selector(except_categories=("tea",))]),
        quantity=st.integers(1, 2),
    ),
    min_size=1,
    max_size=3,
).map(tuple)


@settings(max_examples=300, deadline=None)
@given(parts=PARTS, lines=FEW_LINES, price=st.integers(0, 30), times=st.none() | st.integers(1, 2))
def test_a_bundle_takes_off_the_most_that_any_matching_does(
    parts: tuple[api.BundlePart, ...], lines: list[api.PromotionLine], price: int, times: int | None
) -> None:
    benefit = bundle(price, *parts, times_max=times)
    assert off(benefit, *lines) == best_by_trying(benefit, lines)


def test_bundles_of_a_million_units_and_twenty_parts_that_share_goods_are_matched_at_once() -> None:
    parts = tuple(api.BundlePart(goods=api.Selector(except_skus=(f"tea-{at}",)), quantity=3) for at in range(20))
    lines = [line("tea", 50_000, at, sku=f"tea-{at}") for at in range(1, 200)]
    state = rules.untouched(basket(*lines), [0] * len(lines))
    assert benefits.bundles_there(api.Bundle(parts=parts, price=usd(0)), state) == 50_000 * 199 // 60


SELECTORS = st.sampled_from(
    [api.Selector(), TEA, JAM, api.Selector(brands=("b",)), api.Selector(except_categories=("tea",))]
)
POINTS = st.integers(1, 10_000)
AMOUNTS = st.integers(0, 30_000).map(usd)
BENEFITS = st.one_of(
    st.builds(api.PercentOff, basis_points=POINTS, at_most=st.none() | AMOUNTS),
    st.builds(api.AmountOff, amount=AMOUNTS, each=st.sampled_from(["order", "unit"])),
    st.builds(
        api.BuyGet,
        buy=st.integers(1, 4),
        get=st.integers(1, 3),
        gets=st.none() | SELECTORS,
        basis_points=POINTS,
        times_max=st.none() | st.integers(1, 3),
    ),
    st.builds(
        api.Threshold,
        steps=st.lists(st.builds(api.Step, at_least=AMOUNTS, off=AMOUNTS), min_size=1, max_size=3).map(tuple),
    ),
    st.builds(
        api.Bundle,
        parts=st.lists(
            st.builds(api.BundlePart, goods=SELECTORS, quantity=st.integers(1, 3)), min_size=1, max_size=3
        ).map(tuple),
        price=AMOUNTS,
    ),
    st.builds(api.DeliveryOff, basis_points=POINTS),
)
PROMOTIONS = st.lists(
    st.builds(
        promotion,
        st.sampled_from([f"p{number}" for number in range(12)]),
        BENEFITS,
        goods=SELECTORS,
        priority=st.integers(0, 2),
        stacking=st.sampled_from(["together", "together", "together", "alone"]),
        exclusive_group=st.sampled_from([None, None, "g", "h"]),
        exclusive_per=st.sampled_from(["order", "line"]),
    ),
    max_size=8,
    unique_by=lambda one: one.code,
)
LINES = st.lists(
    st.builds(
        line,
        st.sampled_from(["tea", "jam", "rum"]),
        st.integers(1, 12) | st.integers(1, 1_000_000),
        st.integers(0, 20_000),
        brand=st.sampled_from(["", "b"]),
    ),
    min_size=1,
    max_size=8,
)


@given(promotions=PROMOTIONS, lines=LINES, fee=st.none() | st.integers(0, 900), floor=st.integers(0, 100))
def test_shares_add_up_to_their_discount_and_no_line_or_fee_falls_under_its_floor(
    promotions: list[api.Promotion], lines: list[api.PromotionLine], fee: int | None, floor: int
) -> None:
    floors = [one.amount.minor * floor // 100 for one in lines]
    discounts, _ = evaluated(promotions, basket(*lines, fee=fee), floors)
    off, delivery = [0] * len(lines), 0
    for discount in discounts:
        assert discount.amount.minor > 0
        if discount.target == "delivery":
            delivery += discount.amount.minor
            assert discount.shares == ()
        else:
            assert sum(share.amount.minor for share in discount.shares) == discount.amount.minor
        for share in discount.shares:
            assert share.amount.minor > 0
            off[share.line] += share.amount.minor
    assert all(one.amount.minor - cut >= least for one, cut, least in zip(lines, off, floors, strict=True))
    assert 0 <= delivery <= (fee or 0)


@given(promotions=PROMOTIONS, lines=LINES, randomness=st.randoms(use_true_random=False))
def test_the_order_in_which_promotions_are_given_changes_nothing(
    promotions: list[api.Promotion], lines: list[api.PromotionLine], randomness: object
) -> None:
    shuffled = list(promotions)
    randomness.shuffle(shuffled)  # type: ignore[attr-defined]
    held = basket(*lines, fee=500)
    assert evaluated(promotions, held) == evaluated(shuffled, held)


def bill_of(promotions: Sequence[api.Promotion], lines: Sequence[api.PromotionLine]) -> object:
    """Return what comes off and what is missed, by what lines are and not by where they stand."""
    discounts, missed = evaluated(promotions, basket(*lines, fee=500))
    taken = [
        (one.promotion, one.amount.minor, sorted((repr(lines[share.line]), share.amount.minor) for share in one.shares))
        for one in discounts
    ]
    return taken, missed


@given(promotions=PROMOTIONS, lines=LINES, randomness=st.randoms(use_true_random=False))
def test_the_order_of_lines_and_of_the_parts_of_bundles_changes_nothing(
    promotions: list[api.Promotion], lines: list[api.PromotionLine], randomness: Random
) -> None:
    shuffled = list(lines)
    randomness.shuffle(shuffled)
    turned = [
        structs.replace(one, benefit=structs.replace(one.benefit, parts=one.benefit.parts[::-1]))
        if isinstance(one.benefit, api.Bundle)
        else one
        for one in promotions
    ]
    assert bill_of(promotions, lines) == bill_of(turned, shuffled)


@pytest.mark.parametrize(
    ("benefit", "fields", "reason"),
    [
        (api.DeliveryOff(), {}, "delivery is free already"),
        (bundle(900, api.BundlePart(goods=TEA)), {}, "its goods cost no more one by one"),
        (api.BuyGet(buy=1, get=1, gets=JAM), {"goods": TEA}, "none of what comes with it is in the basket"),
        (api.PercentOff(basis_points=1), {"goods": TEA}, "what it takes off comes to nothing"),
        (
            api.PercentOff(basis_points=5000),
            {"goods": api.Selector(categories=("rum",))},
            "its goods may not cost less",
        ),
        (
            api.PercentOff(basis_points=5000),
            {"goods": api.Selector(categories=("gift",))},
            "its goods cost nothing already",
        ),
    ],
)
def test_a_promotion_that_takes_nothing_off_says_why(benefit: object, fields: dict[str, object], reason: str) -> None:
    held = basket(line("tea", 1, 900), line("rum", 1, 500), line("gift", 1, 0), fee=0)
    state = rules.untouched(held, [0, 500, 0])
    one = promotion("p", benefit, **fields)
    assert rules.lacking(one, rules.Usage(), ALLOW, None, held, state) is None
    offer = rules.offer_of(one, "TEN", rules.Usage())
    assert rules.worth(offer, held, state) == usd(0)
    missed = rules.missed_worthless(offer, one, held, state)
    assert (missed.coupon, missed.reasons) == ("TEN", (reason,))


@given(promotions=PROMOTIONS, lines=LINES)
def test_every_promotion_that_applies_is_either_taken_or_missed_with_a_reason(
    promotions: list[api.Promotion], lines: list[api.PromotionLine]
) -> None:
    held = basket(*lines, fee=500)
    state = rules.untouched(held, [0] * len(lines))
    discounts, missed = evaluated(promotions, held)
    named = [one.promotion for one in discounts] + [one.promotion for one in missed]
    assert len(named) == len(set(named))
    for one in promotions:
        applies = rules.is_about(one, held) and rules.lacking(one, rules.Usage(), ALLOW, None, held, state) is None
        worth = rules.worth(rules.offer_of(one, None, rules.Usage()), held, state).minor if applies else 0
        assert (one.code in named) == (worth > 0)
    assert all(one.reasons for one in missed)


@given(promotions=PROMOTIONS, lines=LINES)
def test_of_a_group_and_beside_one_that_stands_alone_nothing_else_is_taken(
    promotions: list[api.Promotion], lines: list[api.PromotionLine]
) -> None:
    by_code = {one.code: one for one in promotions}
    discounts, _ = evaluated(promotions, basket(*lines, fee=500))
    taken = [by_code[one.promotion] for one in discounts]
    if any(one.stacking == "alone" for one in taken):
        assert len(taken) == 1
    for group in ("g", "h"):
        members = [
            (one, discount) for one, discount in zip(taken, discounts, strict=True) if one.exclusive_group == group
        ]
        if any(one.exclusive_per == "order" for one, _ in members):
            assert len(members) == 1
        touched = [share.line for _, discount in members for share in discount.shares]
        assert len(touched) == len(set(touched))


def test_a_promotion_names_attributes_and_tiers_as_they_are_kept() -> None:
    odd, cafe = "Cafe\u0301", "Café"
    said = api.Promotion(
        code="p",
        title="P",
        benefit=api.PercentOff(basis_points=1000),
        valid_from=datetime(2026, 1, 1, tzinfo=UTC),
        goods=api.Selector(attributes={odd: odd}),
        conditions=api.Conditions(tiers=(odd,)),
    )
    kept = checks.composed_promotion(said)
    assert (kept.goods.attributes, kept.conditions.tiers) == ({cafe: cafe}, (cafe,))
