"""Personal data on pages: as it is for who may see it, masked by role for others, revealed for a reason on record."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import httpx
import msgspec
import pytest

from isthmus.kernel import Value
from isthmus.manifest import masks
from isthmus.markings import Pii
from isthmus.packs.order import api as order
from isthmus.packs.personal_data.api import PersonalSettings
from isthmus.packs.personal_data.service.pseudonyms import pseudonyms_at
from isthmus.personal import Pseudonyms
from tests.waiting import until

from .conftest import Served

EMAIL = "ann.lee@example.org"
HOME = {"country": "DE", "city": "Kiel", "street": "Am Kai 17", "postcode": "24103"}
ANN = Pseudonyms(lambda: b"k" * 32)
CARD = ANN.of("4711081547110815", "identifier")


@dataclass
class Sold:
    """An order of somebody, and where its page is."""

    order_id: str

    @property
    def page(self) -> str:
        return f"/orders/north/{self.order_id}"


@pytest.fixture
async def sold(served: Served) -> Sold:
    facts: dict[str, Any] = {"paid_at_till": None, "channel": "online", "contact_email": EMAIL, "address": HOME}
    return Sold((await served.sell("tea", **facts))["order_id"])


@pytest.fixture
async def person(served: Served) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"{served.address}/", timeout=30) as client:
        yield client


@pytest.mark.parametrize(
    ("role", "sees", "may_reveal"),
    [
        ("owner", EMAIL, False),
        ("operator", EMAIL, False),
        ("support", "a•••@example.org", True),
        ("auditor", "•••", True),
        ("analyst", "~", False),
    ],
)
async def test_each_role_sees_as_much_of_a_person_as_it_needs(
    served: Served, person: httpx.AsyncClient, sold: Sold, role: str, sees: str, may_reveal: bool
) -> None:
    await served.sign_in(person, role)
    text = (await person.get(sold.page.strip("/"))).text
    assert sees in text
    assert (EMAIL in text, "Am Kai 17" in text) == (role in ("owner", "operator"),) * 2
    assert ('name="why"' in text) == may_reveal


async def test_what_is_revealed_is_seen_once_and_is_in_the_audit_log_with_its_reason(
    served: Served, person: httpx.AsyncClient, sold: Sold
) -> None:
    await served.sign_in(person, "support")
    form = {"page": sold.page, "why": "the parcel came back"}
    shown = await person.post("reveal", data=form)
    assert shown.status_code == 200
    assert EMAIL in shown.text
    assert EMAIL not in (await person.get(sold.page.strip("/"))).text
    async with httpx.AsyncClient(base_url=f"{served.address}/", timeout=30) as auditor:
        await served.sign_in(auditor, "auditor")

        async def is_read() -> bool:
            page = await auditor.get("audit?front_end=north&capability=persons.reveal")
            return page.status_code == 200 and "the parcel came back" in page.text

        await until(is_read, "the entry is sealed")


@pytest.mark.parametrize("why", ["", "  ", "no"])
async def test_nothing_is_revealed_without_a_reason(
    served: Served, person: httpx.AsyncClient, sold: Sold, why: str
) -> None:
    await served.sign_in(person, "support")
    shown = await person.post("reveal", data={"page": sold.page, "why": why})
    assert (shown.status_code, EMAIL in shown.text) == (400, False)


@pytest.mark.parametrize("page", ["https://evil.example/", "orders", "/no-such-page", "/reveal", ""])
async def test_only_pages_of_the_console_are_revealed(
    served: Served, person: httpx.AsyncClient, sold: Sold, page: str
) -> None:
    await served.sign_in(person, "support")
    assert (await person.post("reveal", data={"page": page, "why": "to see it"})).status_code in (400, 404, 405)


async def test_who_may_not_reveal_sees_nothing_by_asking(served: Served, person: httpx.AsyncClient, sold: Sold) -> None:
    await served.sign_in(person, "analyst")
    shown = await person.post("reveal", data={"page": sold.page, "why": "to count them"})
    assert (shown.status_code, EMAIL in shown.text) == (403, False)


async def test_a_role_at_another_front_end_reveals_nothing(
    served: Served, person: httpx.AsyncClient, sold: Sold
) -> None:
    await served.sign_in(person, "support", "south")
    shown = await person.post("reveal", data={"page": sold.page, "why": "to see it"})
    assert EMAIL not in shown.text


@pytest.mark.parametrize("role", ["support", "analyst", "auditor"])
async def test_whoever_tries_a_capability_on_its_page_sees_no_more_in_the_answer_or_its_trace(
    served: Served, person: httpx.AsyncClient, sold: Sold, role: str
) -> None:
    await served.sign_in(person, role)
    typed = {"front_end": "north", "order_id": sold.order_id, "key": ""}
    shown = await person.post("capabilities/order.get-order/try", data=typed)
    assert shown.status_code == 200
    assert sold.order_id in shown.text
    assert (EMAIL in shown.text, "Am Kai" in shown.text) == (False, False)


class Whole(Value):
    """A contract with marks everywhere that they may stand."""

    email: Annotated[str, Pii("email")]
    card: Annotated[str, Pii("identifier")]
    born: Annotated[str, Pii("birth-date")] = "1980-02-03"
    names: tuple[Annotated[str, Pii("name")], ...] = ()
    either: Annotated[str, Pii("phone")] | None = None
    inner: dict[str, Annotated[str, Pii("free-text")]] = {}
    plain: str = "stays"


WHOLE = Whole(email=EMAIL, card="4711081547110815", names=("Ann", "Lee"), either="+491701234567", inner={"a": "x y"})


@pytest.mark.parametrize(
    ("view", "card", "either", "names"),
    [
        ("last", "•••0815", "•••4567", ["A•••", "L•••"]),
        ("hidden", "•••", "•••", ["•••", "•••"]),
        (
            "pseudonym",
            ANN.of("4711081547110815", ""),
            ANN.of("+491701234567", ""),
            [ANN.of("ann", ""), ANN.of("LEE", "")],
        ),
        ("clear", "4711081547110815", "+491701234567", ["Ann", "Lee"]),
    ],
)
def test_marks_are_found_wherever_they_stand(view: masks.View, card: str, either: str, names: list[str]) -> None:
    given = msgspec.json.decode(msgspec.json.encode(WHOLE))
    found = masks.shown(given, Whole, {}, view, ANN.of)
    assert (found["card"], found["either"], found["names"], found["plain"]) == (card, either, names, "stays")
    assert (found["inner"]["a"] == "x y") == (view == "clear")
    assert (EMAIL in str(found)) == (view == "clear")


def test_of_an_address_the_country_and_where_it_lies_stay() -> None:
    given = {"items": [{"address": {**HOME, "region": ""}, "contact_email": EMAIL, "total": {"minor": 1}}]}
    (found,) = masks.shown(given, order.OrderPage, {}, "hidden", None)["items"]
    assert (found["address"]["country"], found["address"]["postcode"]) == ("DE", "24•••")
    assert "Kai" not in str(found)
    assert found["total"] == {"minor": 1}


def test_pseudonyms_are_the_same_on_servers_that_share_a_key_and_differ_under_another(tmp_path: Path) -> None:
    def at(folder: str, **settings: str) -> Pseudonyms:
        place: Any = type("Place", (), {"root": tmp_path, "data": tmp_path / folder})()
        place.settings = PersonalSettings(**settings)
        return pseudonyms_at(place)

    (tmp_path / "key").write_bytes(b"s" * 32)
    assert at("one", pseudonym_key="key").of(EMAIL, "email") == at("two", pseudonym_key="key").of(
        EMAIL.upper(), "email"
    )
    assert at("one").of(EMAIL, "email") == at("one").of(EMAIL, "email") != at("two").of(EMAIL, "email")
