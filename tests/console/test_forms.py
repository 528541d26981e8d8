"""A contract as a form: what is typed into it is the ask, whatever its shape."""

from __future__ import annotations

from typing import Any

import pytest

from isthmus.console import forms
from isthmus.flows.checkout import api as checkout
from isthmus.kernel import Capability, decode, encode, errors
from isthmus.packs.catalog import api as catalog
from isthmus.packs.member import api as member


def asked(capability: Capability[Any, Any], typed: dict[str, str]) -> Any:
    """Return the ask that a form with this typed in sends, as its contract reads it."""
    return decode(encode(forms.read(forms.fields_of(capability)[0], typed)), capability.ask)


def test_a_list_of_objects_has_a_row_for_each_and_empty_rows_are_none() -> None:
    typed = {"currency": "EUR", "lines.0.sku": "tea", "lines.0.quantity": "2", "lines.1.sku": " ", "lines.3.sku": "jam"}
    ask = asked(checkout.preview_order, typed | {"lines.3.quantity": "1"})
    assert [(line.sku, line.quantity) for line in ask.lines] == [("tea", 2), ("jam", 1)]
    (lines,) = [one for one in forms.fields_of(checkout.preview_order)[0] if one.name == "lines"]
    assert forms.rows_of(lines, typed) == [0, 3, 4]  # and an empty one after them
    assert forms.rows_of(lines, {}) == [0]


def test_an_object_is_a_group_of_fields_and_left_out_where_nothing_is_typed_in() -> None:
    lines = {"lines.0.sku": "tea", "lines.0.quantity": "1", "currency": "EUR"}
    address = {"name": "Ada", "line1": "A 1", "postal_code": "10115", "city": "Berlin", "country": "DE"}
    sent = asked(checkout.preview_order, lines | {f"address.{name}": text for name, text in address.items()})
    assert (sent.address.country, sent.address.city) == ("DE", "Berlin")
    assert asked(checkout.preview_order, {**lines, "address.city": ""}).address is None


def test_a_list_of_texts_has_a_line_for_each() -> None:
    assert asked(catalog.describe_skus, {"skus": "tea\n\n jam \n"}).skus == ("tea", "jam")


def test_what_is_typed_in_as_json_is_taken_as_it_is() -> None:
    ask = asked(checkout.preview_order, {"currency": "EUR", "lines": '[{"sku": "tea", "quantity": 2}]'})
    assert ask.lines[0].quantity == 2
    assert asked(catalog.describe_skus, {"skus": '["tea", "jam"]'}).skus == ("tea", "jam")


def test_a_row_that_cannot_be_read_is_named_by_its_path() -> None:
    with pytest.raises(errors.BadAsk) as refused:
        asked(checkout.preview_order, {"currency": "EUR", "lines.0.sku": "tea", "lines.0.quantity": "two"})
    assert refused.value.path == "$.lines[0].quantity"


def test_more_rows_than_a_form_takes_are_refused() -> None:
    with pytest.raises(errors.BadAsk, match="201 rows of identities"):
        asked(member.register, {f"identities.{at}.value": "x" for at in range(201)})


def test_every_contract_that_is_offered_has_a_form() -> None:
    from tests import shipped

    kinds = {
        field.kind
        for offered in shipped.build([]).offered.values()
        for field in forms.fields_of(offered.capability)[0]
    }  # fmt: skip
    assert kinds >= {"text", "number", "choice", "yes-no", "lines", "group", "rows"}
