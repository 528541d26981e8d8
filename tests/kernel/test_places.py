"""Places in one form: what people type is understood, or told apart from what is empty."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus import places
from isthmus.kernel import decode, encode
from isthmus.kernel.contract import check
from isthmus.values import Address, UnknownPlace

COUNTRIES = ["US", "CA", "DE", "ES", "FR", "GB", "IT", "JP", "CN", "CH", "AT", "AU", "BR", "IN", "MX"]


@pytest.mark.parametrize(
    ("country", "typed", "code"),
    [
        *[("US", typed, "OH") for typed in ("OH", "oh", " OH", "Ohio", "OHIO", "ohio ", "US-OH", "us-oh", "ＯＨ")],
        ("US", "new  york", "NY"),
        ("US", "Washington", "WA"),
        ("US", "Washington, D.C.", "DC"),
        ("US", "Puerto Rico", "PR"),
        ("US", "AE", "AE"),
        ("CA", "Québec", "QC"),
        ("CA", "quebec", "QC"),
        ("CA", "Que\u0301bec", "QC"),
        ("DE", "Bayern", "BY"),
        ("DE", "Bavaria", "BY"),
        ("ES", "Madrid", "M"),
        ("ES", "Comunidad de Madrid", "MD"),
        ("FR", "75", "75C"),
        ("CN", "北京", "BJ"),
        ("GB", "Scotland", "SCT"),
        ("US", "", ""),
        ("US", "  ", ""),
    ],
)
def test_a_region_is_understood_however_it_is_typed(country: str, typed: str, code: str) -> None:
    assert places.region(country, typed) == code
    assert Address(country=country, region=typed).region == code


@pytest.mark.parametrize(("country", "region"), [("US", "Ohoi"), ("US", "XX"), ("DE", "OH"), ("US", "DE-BY")])
def test_a_region_that_a_country_does_not_have_is_refused_with_its_path(country: str, region: str) -> None:
    assert places.region(country, region) is None
    with pytest.raises(UnknownPlace) as refused:
        check(Address(country=country, region=region), "$.address")
    assert refused.value.path == "$.address.region"


def test_a_typing_error_is_told_the_nearest_name() -> None:
    with pytest.raises(UnknownPlace, match="did you mean 'Ohio'"):
        check(Address(country="US", region="Ohoi"))


def test_a_country_that_is_none_is_refused() -> None:
    with pytest.raises(UnknownPlace) as refused:
        check(Address(country="ZZ"), "$.address")
    assert refused.value.path == "$.address.country"
    check(Address(country="XK"))


@pytest.mark.parametrize("country", COUNTRIES)
def test_every_region_is_found_by_its_code_in_any_case_and_leads_to_its_country(country: str) -> None:
    assert places.regions(country)
    for code in places.regions(country):
        for typed in (code, code.lower(), f" {country}-{code} "):
            assert places.region(country, typed) == code
        assert places.within(country, code)[0] == code


def test_a_province_lies_in_its_region() -> None:
    assert places.within("ES", "M") == ("M", "MD")
    assert places.within("GB", "ABE") == ("ABE", "SCT")
    assert places.within("US", "OH") == ("OH",)
    assert places.within("US", "") == ()


@given(country=st.sampled_from(COUNTRIES), region=st.text(max_size=12), postcode=st.text(max_size=16))
def test_an_address_in_its_form_stays_as_it_is(country: str, region: str, postcode: str) -> None:
    address = Address(country=country, region=region, postcode=postcode)
    again = Address(country=country, region=address.region, postcode=address.postcode)
    assert again == address == decode(encode(address), Address)


@pytest.mark.parametrize("typed", ["hs1 2aa", " HS1  2AA ", "HS12AA", "hs1-2aa", "ＨＳ１ ２ＡＡ"])
def test_a_postcode_is_compared_without_gaps_and_case(typed: str) -> None:
    assert places.closed(Address(country="GB", postcode=typed).postcode, "GB") == "HS12AA"
