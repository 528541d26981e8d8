"""What the catalogue decides: tables and properties."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.packs.catalog import api
from isthmus.packs.catalog.rules import goods as rules

QUANTITY = st.integers(1, 50)


@pytest.mark.parametrize(
    ("kind", "value", "is_right"),
    [
        ("number", "12.5", True),
        ("number", "-3", True),
        ("number", "a dozen", False),
        ("number", "NaN", False),
        ("number", "Infinity", False),
        ("date", "2026-02-28", True),
        ("date", "2026-02-30", False),
        ("date", "20260228", False),
        ("flag", "true", True),
        ("flag", "yes", False),
        ("text", "anything", True),
    ],
)
def test_an_attribute_is_of_its_kind(kind: str, value: str, is_right: bool):
    rule = api.AttributeRule(name="it", kind=kind)  # pyright: ignore[reportArgumentType]
    assert (rules.attribute_faults([rule], {"it": value}) == []) is is_right


def test_what_is_required_is_missed_and_what_is_chosen_is_one_of_the_choices():
    asked = [
        api.AttributeRule(name="origin", is_required=True),
        api.AttributeRule(name="size", choices=("s", "l")),
        api.AttributeRule(name="harvest", kind="date"),
    ]
    assert rules.attribute_faults(asked, {"size": "xl"}) == [
        ("origin", "the attribute 'origin' is missing"),
        ("size", "'size' is 'xl', and not one of s, l"),
    ]


def test_the_lower_rule_of_a_name_holds():
    above = api.AttributeRule(name="origin", is_required=True)
    below = api.AttributeRule(name="origin")
    other = api.AttributeRule(name="age")
    assert rules.inherited([[above, other], [below]]) == (other, below)


@given(st.lists(st.tuples(st.sampled_from("abc"), QUANTITY), min_size=1, max_size=8), QUANTITY, QUANTITY, QUANTITY)
def test_what_passes_is_never_more_of_a_sku_than_there_may_be(
    asked: list[tuple[str, int]], smallest: int, more: int, step: int
):
    largest = smallest + more
    faults = rules.quantity_faults(asked, [(smallest, largest, step)] * len(asked))
    if not any(faults):
        for sku in {sku for sku, _ in asked}:
            assert sum(quantity for one, quantity in asked if one == sku) <= largest
        assert all(quantity >= smallest and (quantity - smallest) % step == 0 for _, quantity in asked)
    alone = [rules.quantity_faults([line], [(smallest, largest, step)])[0] for line in asked]
    assert all(fault for fault, own in zip(faults, alone, strict=True) if own), "a fault of its own stays a fault"


def test_what_is_said_of_goods_is_kept_in_one_form() -> None:
    odd, cafe = "Cafe\u0301", "Café"
    rule = api.AttributeRule(name=odd, choices=(cafe, "b"))
    kept = rules.composed_category(api.CategoryDraft(code="c", name="C", attributes=(rule,))).attributes
    variants = (api.Variant(sku=odd, attributes={cafe: odd}),)
    draft = api.ProductDraft(
        code="p", title="P", category="c", tax_category="food ", attributes={odd: odd}, variants=variants
    )
    product = rules.composed_product(draft)
    assert (product.attributes, product.tax_category) == ({cafe: cafe}, "food")
    assert (product.variants[0].sku, product.variants[0].attributes) == (odd, {cafe: cafe})
    assert rules.attribute_faults(kept, product.variants[0].attributes) == []
