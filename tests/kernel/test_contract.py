"""What does not fit a contract is said with its place, what was expected, and the nearest known name."""

import enum
import json
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Annotated, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.kernel import Meta, Value, decode, encode, errors
from isthmus.kernel.contract import check, is_checked


class Colour(enum.StrEnum):
    RED = "red"
    GREEN = "green"


class Part(Value):
    """One line."""

    sku: Annotated[str, Meta(min_length=1, max_length=8)]
    quantity: Annotated[int, Meta(ge=1, le=999)]
    colour: Colour = Colour.RED


class Basket(Value):
    """A basket."""

    lines: tuple[Part, ...]
    channel: Literal["web", "till"] = "web"
    note: str | None = None
    gift: Part | None = None
    weights: dict[str, int] = {}
    at: datetime | None = None
    factor: float = 1.0


GOOD = {"lines": [{"sku": "a", "quantity": 1}, {"sku": "b", "quantity": 2}]}


def refused(document) -> errors.BadAsk:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    with pytest.raises(errors.BadAsk) as found:
        decode(body, Basket)
    return found.value


@pytest.mark.parametrize(
    ("change", "path", "message"),
    [
        ({"lines": [{"sku": "a", "quantity": 0}]}, "$.lines[...].quantity", ">= 1"),
        ({"lines": [{"sku": "a", "quantity": "1"}]}, "$.lines[...].quantity", "int"),
        ({"lines": [{"sku": "", "quantity": 1}]}, "$.lines[...].sku", "length >= 1"),
        ({"lines": [{"quantity": 1}]}, "$.lines[0].sku", "field 'sku' is missing"),
        ({"lines": [{"sku": "a", "quantity": 1, "quantitty": 2}]}, "$.lines[0].quantitty", "did you mean 'quantity'?"),
        ({"lines": [{"sku": "a", "quantity": 1, "colour": "gren"}]}, "$.lines[0].colour", "did you mean 'green'?"),
        ({"chanel": "web"}, "$.chanel", "did you mean 'channel'?"),
        ({"channel": "wep"}, "$.channel", "did you mean 'web'?"),
        ({"channel": 5}, "$.channel", "str"),
        ({"gift": {"sku": "a"}}, "$.gift.quantity", "field 'quantity' is missing"),
        ({"gift": {"sku": "a", "quantity": 1, "color": "red"}}, "$.gift.color", "did you mean 'colour'?"),
        ({"weights": {"a": "b"}}, "$.weights[...]", "int"),
        ({"at": "yesterday"}, "$.at", "RFC3339"),
        ({"lines": None}, "$.lines", "null"),
        ({"factor": "nan"}, "$.factor", "float"),
    ],
)
def test_each_error_has_its_path_and_a_sentence(change, path, message):
    wrong = refused({**GOOD, **change})
    assert wrong.path is not None
    assert wrong.path == path or (path.count("[...]") and wrong.path == path.replace("[...]", "[0]"))
    assert message in wrong.message
    assert wrong.remedy


def test_a_misspelt_field_is_told_the_fields_that_are_there():
    assert (
        "the fields here are sku, quantity, colour" in refused({"lines": [{"sku": "a", "quantity": 1, "x": 2}]}).remedy
    )
    assert refused({**GOOD, "channel": "fax"}).remedy == "use one of web, till"


@given(at=st.integers(0, 30), size=st.integers(1, 31))
def test_the_path_says_which_line(at, size):
    lines = [{"sku": "a", "quantity": 1} for _ in range(size)]
    lines[at % size] = {"sku": "a", "quantity": 1_000}
    assert refused({"lines": lines}).path == f"$.lines[{at % size}].quantity"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"{",
        b"nonsense",
        b'{"lines": [}',
        b'{"lines": []} extra',
        b"\xff\xfe",
        b'{"lines": [{"sku": "\xff", "quantity": 1}]}',
        b'{"lines": [{"sku": "\\ud800", "quantity": 1}]}',
        b'{"factor": NaN, "lines": []}',
        b'{"factor": Infinity, "lines": []}',
        b'{"factor": 1e999, "lines": []}',
        b"[" * 100_000,
        b'{"note":' * 100_000,
        b'{"lines": [{"sku": "a", "quantity": 1' + b"0" * 5_000 + b"}]}",
        b'{"lines": [{"sku": "a", "quantity": 18446744073709551616}]}',
        b'{"lines": [{"sku": "a", "quantity": 1e3000}]}',
        b"null",
        b"[]",
        b'"text"',
        b"5",
    ],
    ids=lambda body: repr(body[:40]),
)
def test_no_bytes_give_anything_but_a_bad_ask_with_a_path(body):
    wrong = refused(body)
    assert wrong.path is not None
    assert wrong.path.startswith("$")


@given(body=st.binary(max_size=200))
def test_random_bytes_are_a_basket_or_a_bad_ask(body):
    try:
        decode(body, Basket)
    except errors.BadAsk as wrong:
        assert (wrong.path or "").startswith("$")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["lines", "sku", "quantity", "gift", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(document=JSON)
def test_random_json_is_a_basket_or_a_bad_ask_that_points_into_it(document):
    try:
        decode(json.dumps(document).encode(), Basket)
    except errors.BadAsk as wrong:
        assert (wrong.path or "").startswith("$")
        assert wrong.message


def test_of_a_field_given_twice_the_last_counts_and_both_are_checked():
    assert decode(b'{"lines": [], "note": "a", "note": "b"}', Basket).note == "b"
    assert refused(b'{"lines": [], "note": 1, "note": "b"}').path == "$.note"


VALUES = st.builds(
    Basket,
    lines=st.lists(
        st.builds(
            Part, sku=st.text(min_size=1, max_size=8), quantity=st.integers(1, 999), colour=st.sampled_from(Colour)
        ),
        max_size=3,
    ).map(tuple),
    note=st.none() | st.text(),
    weights=st.dictionaries(st.text(), st.integers(-(2**63), 2**63 - 1), max_size=3),
    factor=st.floats(allow_nan=False, allow_infinity=False),
)


@given(value=VALUES)
def test_what_is_encoded_decodes_to_the_same_value_and_the_same_bytes(value):
    body = encode(value)
    assert decode(body, Basket) == value
    assert encode(decode(body, Basket)) == body


def test_values_are_made_by_keyword_and_never_change():
    with pytest.raises(TypeError):
        Part("a", 1)  # pyright: ignore[reportCallIssue]
    with pytest.raises(AttributeError):
        Part(sku="a", quantity=1).sku = "b"  # pyright: ignore[reportAttributeAccessIssue]
    assert msgspec.structs.fields(Part)[0].name == "sku"


class Slot(Value):
    """A time with more of its kind inside."""

    at: datetime | None = None
    day: date | None = None
    after: tuple["Slot", ...] = ()
    names: dict[str, "Slot"] = {}
    free: dict[str, str] = {}


FIRST, LAST = datetime(1800, 1, 1, tzinfo=UTC), datetime(2199, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
OUT_OF_BOUNDS = [
    datetime.max.replace(tzinfo=UTC),
    datetime.min.replace(tzinfo=UTC),
    datetime(9999, 12, 31, tzinfo=timezone(timedelta(hours=-14))),
    datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))),
    FIRST - timedelta(microseconds=1),
    LAST + timedelta(microseconds=1),
    datetime(2199, 12, 31, 23, tzinfo=timezone(timedelta(hours=-2))),
]


@pytest.mark.parametrize("moment", OUT_OF_BOUNDS)
def test_a_moment_that_not_every_part_can_carry_is_refused_with_its_path(moment: datetime):
    for ask, path in (
        (Slot(at=moment), "$.at"),
        (Slot(day=date(moment.year, moment.month, moment.day) if moment.year != 2199 else date.max), "$.day"),
        (Slot(after=(Slot(), Slot(at=moment))), "$.after[1].at"),
        (Slot(names={"a": Slot(after=(Slot(at=moment),))}), "$.names.a.after[0].at"),
    ):
        with pytest.raises(errors.BadAsk) as found:
            check(ask)
        assert (found.value.path, bool(found.value.remedy)) == (path, True)


@given(
    moment=st.datetimes(FIRST.replace(tzinfo=None), LAST.replace(tzinfo=None)).map(lambda one: one.replace(tzinfo=UTC))
)
def test_a_moment_within_the_bounds_passes(moment: datetime):
    check(Slot(at=moment, day=moment.date(), after=(Slot(at=moment),)))


class Even(Value):
    """A number that refuses itself."""

    number: int

    def __check__(self, path: str) -> None:
        if self.number % 2:
            raise errors.BadAsk(f"{self.number} is odd", remedy="send an even number", path=f"{path}.number")


class Deep(Value):
    """A number far inside."""

    numbers: dict[str, tuple[Even | None, ...]] = {}


@pytest.mark.parametrize(
    ("contract", "is_one"), [(Part, False), (Basket, True), (Slot, True), (Even, True), (Deep, True), (date, True)]
)
def test_whether_anything_may_be_refused_is_known_of_a_contract_before_a_value_comes(contract: type, is_one: bool):
    assert is_checked(contract) is is_one


def test_a_value_far_inside_is_asked_as_well():
    with pytest.raises(errors.BadAsk) as found:
        check(Deep(numbers={"a": (None, Even(number=2), Even(number=3))}))
    assert found.value.path == "$.numbers.a[2].number"
