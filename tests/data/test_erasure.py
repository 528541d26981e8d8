"""Who is erased is in nothing that the lake keeps, and no number changes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import pytest

from isthmus import markings as m
from isthmus.data.answers.metrics import Metrics
from isthmus.data.answers.receipt import Receipts
from isthmus.data.lake.erasure import KEY, erase
from isthmus.data.lake.lake import EVENTS, QUARANTINE, Lake, changes_of, current_of
from isthmus.data.lake.landing import _event_schema, _quarantine_schema
from isthmus.data.lake.pseudonyms import MASKED, pseudonym
from isthmus.data.model.ask import Ask
from isthmus.data.model.model import build
from isthmus.data.privacy import policy
from isthmus.kernel import FrontEnd, Value, errors, event
from isthmus.markings import AnyOf, Count, Dimension, Distinct, Key, Measure, Not, Pii, Ref, Where, entity

NOW = datetime(2030, 1, 5, tzinfo=UTC)


@entity("club.member", table="club.member")
class Member(Value):
    """Somebody, perhaps brought along by somebody else."""

    front_end: Annotated[str, Key(), Dimension()]
    id: Annotated[str, Key()]
    email: Annotated[str, Pii("email")]
    birthday: Annotated[str | None, Pii("birth-date")]
    brought_by: Annotated[str | None, Ref("club.member")]
    attributes: dict[str, str]


@entity("club.order", table="club.order")
class Order(Value):
    """What a member bought."""

    front_end: Annotated[str, Key(), Dimension()]
    id: Annotated[str, Key()]
    member_id: Annotated[str | None, Ref("club.member")]
    attributes: dict[str, str]


@entity("club.line", table="club.line")
class Line(Value):
    """A part of it."""

    front_end: Annotated[str, Key(), Dimension()]
    order_id: Annotated[str, Key(), Ref("club.order")]
    line: Annotated[int, Key()]
    coupon: Annotated[str, Key(), Pii("identifier")]
    request: Annotated[str | None, Pii("free-text")]
    amount: Annotated[int, Measure()]
    attributes: dict[str, str]


class OrderAttributes(Value):
    """What a front end keeps with an order."""

    card: Annotated[str, Pii("free-text")] = ""
    wrap: Annotated[str, Dimension()] = ""


@event("club.packed", version="1.0", subject="order_id")
class Packed(Value):
    """An order was packed."""

    order_id: Annotated[str, Ref("club.order")]
    label: Annotated[str, Pii("address")]


METRICS = (
    m.Atomic(name="amount", measure="club.line.amount"),
    Count(name="members", of="club.member"),
    Distinct(name="emails", field="club.member.email"),
    Distinct(name="coupons", field="club.line.coupon"),
    Distinct(name="wishes", field="club.line.request"),
)
CANARIES = ("canary-email", "canary-old", "canary-birthday", "canary-coupon", "canary-wish", "canary-card",
            "canary-line", "canary-label", "canary-row", "canary-orphan", "canary-unmarked", "canary-gone")  # fmt: skip


@dataclass
class Club:
    """A lake with three states, what was asked of it, and what its numbers were."""

    lake: Lake
    metrics: Metrics
    receipts: Receipts

    def numbers(self) -> list[dict[str, object]]:
        asked = ("amount", "members", "emails", "coupons", "wishes")
        ask = Ask(metrics=asked)
        return [self.metrics.ask(ask, policy.owner(), is_kept=False).rows[0]]

    def everything(self) -> str:
        """Return all text that is kept on disk, out of Parquet too."""
        connection = self.lake.connect(self.lake.head())
        found: list[str] = []
        for place in self.lake.folder.rglob("*"):
            if place.suffix == ".parquet":
                found.append(str(connection.execute(f"select * from read_parquet('{place}')").fetchall()))
            elif place.is_file():
                found.append(place.read_bytes().decode(errors="replace"))
        return "\n".join(found)


@pytest.fixture
def club(tmp_path: Path) -> Club:
    """Give a club in which Ann was known under two emails, bought twice, and wrote on everything."""
    front_end = FrontEnd(
        code="north", name="N", owner="n", attributes={"club.order": OrderAttributes, "club.line": OrderAttributes}
    )
    model = build([(one, "club") for one in (Member, Order, Line)], METRICS)
    lake = Lake(tmp_path / "lake", model, {"club.packed": Packed}, lambda: {"north": front_end})
    receipts = Receipts(lake.folder / "receipts")
    metrics = Metrics(model, lake, receipts, secret=b"x", declared=lambda: {"north": front_end})
    _state(lake, "canary-old@x", 1)
    metrics.ask(Ask(metrics=("members",), where=(Where("club.member.email", "=", "canary-old@x"),)), policy.owner())
    _state(lake, "canary-email@x", 2)
    return Club(lake, metrics, receipts)


def _state(lake: Lake, email: str, number: int) -> None:
    """Put a state into the lake: Ann under an email, Bob beside her, and their orders."""
    before = lake.head()
    member, order, line = (lake.model.entity(f"club.{name}") for name in ("member", "order", "line"))
    tables = [
        (member, [
            ("north", "ann", email, "canary-birthday", None, json.dumps({"nick": "canary-unmarked"})),
            ("north", "bob", "bob@x", None, "ann", "{}"),
            ("south", "ann", "other-ann@x", None, None, "{}"),
        ]),
        (order, [
            ("north", "o1", "ann", json.dumps({"card": "canary-card", "wrap": "red", "gone": "canary-gone"})),
            ("north", "o2", "bob", json.dumps({"card": "for Bob", "wrap": "blue"})),
        ]),
        (line, [
            ("north", "o1", 1, "canary-coupon", "canary-wish", 5, json.dumps({"card": "canary-line"})),
            ("north", "o1", 2, "", "canary-wish", 6, "{}"),
            ("north", "o2", 1, "BOB", "for Bob", 7, "{}"),
        ]),
    ]  # fmt: skip
    files = {name: list(found) for name, found in before.datasets.items()}
    with lake.connect(before) as connection:
        for one, rows in tables:
            columns = list(zip(*rows, strict=True))
            connection.register("t", pa.table([pa.array(column) for column in columns], names=list(one.fields)))
            files[current_of(one)] = [lake.write(connection, "select * from t")]  # type: ignore[list-item]
            moved = f"select 'put' as lake_op, now() as lake_at, {number}::bigint as lake_batch, * from t"
            files.setdefault(changes_of(one), []).append(lake.write(connection, moved))  # type: ignore[arg-type]
            connection.unregister("t")
        event_of = {"version": "1.0", "front_end": "north", "box": "north", "time": NOW, "trace": "t", "landed_at": NOW}
        events = [
            {"position": number * 10, "id": f"a{number}", "type": "club.packed", "subject": "o1",
             "data": json.dumps({"order_id": "o1", "label": "canary-label"}), **event_of},
            {"position": number * 10 + 1, "id": f"b{number}", "type": "club.packed", "subject": "o2",
             "data": json.dumps({"order_id": "o2", "label": "to Bob"}), **event_of},
            {"position": number * 10 + 2, "id": f"c{number}", "type": "club.dropped-event", "subject": "x",
             "data": json.dumps({"of": "ann", "said": "canary-orphan"}), **event_of},
        ]  # fmt: skip
        connection.register("t", pa.Table.from_pylist(events, schema=_event_schema()))
        files.setdefault(EVENTS, []).append(lake.write(connection, "select * from t"))  # type: ignore[arg-type]
        connection.unregister("t")
        bad = [{"source": "club.order", "owner": "", "reason": "r", "row": json.dumps({"id": "o1", "x": "canary-row"}),
                "digest": f"d{number}", "position": None, "landed_at": NOW}]  # fmt: skip
        connection.register("t", pa.Table.from_pylist(bad, schema=_quarantine_schema()))
        files.setdefault(QUARANTINE, []).append(lake.write(connection, "select * from t"))  # type: ignore[arg-type]
    lake.commit(before, 0, files, NOW)


def forget(club: Club) -> None:
    erase(club.lake, "club.member", {"front_end": "north", "id": "ann"}, NOW, club.receipts)


def test_a_canary_in_every_personal_field_is_in_no_state_no_event_and_no_receipt(club: Club) -> None:
    before = club.everything()
    assert [canary for canary in CANARIES if canary not in before] == []
    forget(club)
    after = club.everything()
    assert [canary for canary in CANARIES if canary in after] == []
    for word in ("bob@x", "other-ann@x", "for Bob", "to Bob", "BOB", '"wrap":"red"'):
        assert word in after, word  # of others, and what is not personal, nothing is lost


def test_no_number_changes_by_an_erasure_in_any_state(club: Club) -> None:
    before, states = club.numbers(), club.lake.snapshots()
    forget(club)
    assert club.numbers() == before
    for name in states:
        (row,) = club.lake.at(name).rows(
            "select count(distinct email) as emails, count(distinct l.coupon) as coupons from club.member, club.line l"
        )
        assert row == {"emails": 3, "coupons": 3}


def test_receipts_of_earlier_states_give_the_same_number_and_say_that_they_were_rewritten(club: Club) -> None:
    asks = [
        Ask(metrics=("amount",), by=("front_end",)),
        Ask(metrics=("members",), where=(Where("club.member.email", "=", "canary-email@x"),)),
        Ask(metrics=("members",), where=(Not(Where("email", "in", ("canary-email@x", "bob@x"))),)),
        Ask(metrics=("amount",), where=(AnyOf((Where("club.line.coupon", "=", "canary-coupon"),)),)),
    ]
    kept = [club.metrics.ask(ask, policy.owner()).receipt for ask in asks]
    old = club.receipts.newest(99, datetime.fromtimestamp(0, UTC))
    forget(club)
    _state(club.lake, "ann-again@x", 3)
    fresh = Metrics(club.lake.model, club.lake, club.receipts, secret=b"x")
    for id in {*old, *(one.id for one in kept)}:
        again = fresh.rerun(id, {"owner": policy.owner()})
        assert again.is_same, again
        assert "rewritten on 2030-01-05 to erase a person" in again.reasons[0]
    assert not any(canary in str(club.receipts.get(one.id)) for one in kept for canary in CANARIES)


def test_a_filter_by_a_value_that_only_history_had_is_found_by_its_pseudonym(club: Club) -> None:
    known = club.metrics.ask(
        Ask(metrics=("members",), where=(Where("email", "=", "earlier@x"),)), policy.owner()
    ).receipt
    masked = pseudonym(MASKED, club.lake.secret, "club.member.email", "earlier@x")
    _state(club.lake, masked, 3)  # as history keeps what somebody was called before
    forget(club)
    assert "earlier@x" not in str(club.receipts.get(known.id))


def test_an_erasure_that_is_killed_is_finished_by_the_next_with_the_same_pseudonyms(
    club: Club, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = club.numbers()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(club.lake, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            forget(club)
    assert (club.lake.folder / KEY).is_file()
    assert any(canary in club.everything() for canary in CANARIES)  # in older states
    forget(club)
    assert not (club.lake.folder / KEY).is_file()
    assert [canary for canary in CANARIES if canary in club.everything()] == []
    assert club.numbers() == before
    head = club.lake.head().name
    forget(club)  # told again: nothing is left to do
    assert club.lake.head().name == head


def test_who_lands_meanwhile_is_not_overwritten(club: Club, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = club.lake.commit

    def late(*arguments: object, **settings: object) -> object:
        monkeypatch.setattr(club.lake, "commit", commit)
        _state(club.lake, "canary-email@x", 3)
        return commit(*arguments, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(club.lake, "commit", late)
    with pytest.raises(errors.Conflict):
        forget(club)
    forget(club)
    assert [canary for canary in CANARIES if canary in club.everything()] == []
