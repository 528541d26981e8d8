"""What is personal in an ask, an answer or an event does not come into the log, however deep it lies."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import pytest

from isthmus.kernel import Value, encode
from isthmus.markings import Pii
from isthmus.packs.audit.rules.masks import masked
from isthmus.values import attributes_of

CANARY = "canary@example.org"


class Person(Value):
    email: Annotated[str, Pii("email")] = ""
    town: str = ""


class Party(Value):
    guests: tuple[Person, ...] = ()
    by_name: dict[str, Person] = {}
    host: Person | None = None
    phones: Annotated[tuple[str, ...], Pii("phone")] = ()
    attributes: Annotated[dict[str, Any], attributes_of("party.party")] = {}
    parts: tuple["Party", ...] = ()  # noqa: UP037 - within itself


class Own(Value):
    wrap: str = ""
    note: Annotated[str, Pii("free-text")] = ""


ADA = Person(email=CANARY, town="Kiel")


def seen(value: Value, own: Any = None) -> dict[str, Any]:
    return msgspec.json.decode(masked(encode(value), type(value), lambda entity: {"party.party": own}.get(entity)))


@pytest.mark.parametrize(
    ("party", "expected"),
    [
        (Party(guests=(ADA,)), {"guests": [{"email": "[email]", "town": "Kiel"}]}),
        (Party(host=ADA), {"host": {"email": "[email]", "town": "Kiel"}}),
        (Party(by_name={"a": ADA}), {"by_name": {"a": {"email": "[email]", "town": "Kiel"}}}),
        (Party(phones=("123",)), {"phones": "[phone]"}),
    ],
)
def test_what_is_marked_becomes_the_name_of_its_kind(party: Party, expected: dict[str, Any]) -> None:
    found = seen(party)
    assert {name: found[name] for name in expected} == expected


def test_of_attributes_what_a_front_end_declares_and_does_not_mark_is_kept() -> None:
    given = Party(attributes={"wrap": "red", "note": CANARY, "other": CANARY})
    assert seen(given, Own)["attributes"] == {"wrap": "red", "note": "[free-text]", "other": "[undeclared]"}
    assert CANARY not in str(seen(given))


def test_what_is_empty_stays_empty() -> None:
    assert seen(Party(host=Person(email="")))["host"] == {"email": "", "town": ""}
