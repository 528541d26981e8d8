"""Any order of edits leads to the same: thousands of schedules over the rules, and hundreds over the whole of it."""

from __future__ import annotations

import base64
import json
import random
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.packs.sync import api, rules

from .conftest import BASKET, LIST, NOTES, Desk, Pad, Phone

FIELDS = {("basket", one.name): one for one in BASKET.fields} | {("list", one.name): one for one in LIST.fields}
FIELDS |= {("notes", one.name): one for one in NOTES.fields}
ELEMENTS = ("a", "b", "c")
CHANGES = st.one_of(
    st.tuples(st.just("basket"), st.just("increment"), st.just("quantity"), st.integers(-5, 5)),
    st.tuples(st.just("basket"), st.just("set"), st.just("note"), st.sampled_from(ELEMENTS)),
    st.tuples(st.just("list"), st.sampled_from(("add", "remove")), st.just("items"), st.sampled_from(ELEMENTS)),
)


class Server:
    """The rules as the service applies them, in memory."""

    def __init__(self) -> None:
        self.version = 0
        self.bodies: dict[str, rules.Body] = {}
        self.lost: list[rules.Lost] = []

    def take(self, operation: api.Operation, client: str) -> None:
        self.version += 1
        body = self.bodies.setdefault(operation.collection, {})
        field = FIELDS.get((operation.collection, operation.field))
        if (lost := rules.apply(body, operation, field, self.version, client)) is not None:
            self.lost.append(lost)

    def shown(self) -> dict[str, Any]:
        named = {"basket": BASKET, "list": LIST, "notes": NOTES}
        return {name: rules.shown(body, named[name], named[name].version) for name, body in self.bodies.items()}


def operation(change: tuple[str, Any, str, Any], base: int, sequence: int = 1) -> api.Operation:
    collection, kind, field, value = change
    return api.Operation(
        sequence=sequence, collection=collection, document="one", kind=kind, field=field, value=value, base=base
    )


@settings(max_examples=3_000, deadline=None)
@given(before=st.lists(CHANGES, max_size=6), clients=st.lists(st.lists(CHANGES, max_size=5), min_size=2, max_size=3))
def test_whatever_order_offline_clients_come_back_in_counters_and_sets_are_the_same(
    before: list[Any], clients: list[list[Any]]
) -> None:
    ends = []
    for order in permutations(range(len(clients))):
        server = Server()
        for change in before:
            server.take(operation(change, server.version), "first")
        base = server.version
        for client in order:
            for change in clients[client]:
                server.take(operation(change, base), f"client-{client}")
        ends.append(server.shown())
    for end in ends:
        written = {change[3] for changes in (before, *clients) for change in changes if change[2] == "note"}
        assert end.get("basket", {}).pop("note", None) in {None, *written}
        assert end == ends[0]
    total = sum(change[3] for changes in (before, *clients) for change in changes if change[1] == "increment")
    assert ends[0].get("basket", {}).get("quantity", 0) == total


@settings(max_examples=1_000, deadline=None)
@given(
    changes=st.lists(st.tuples(st.integers(0, 2), st.booleans(), CHANGES), max_size=25),
    order=st.randoms(use_true_random=False),
)
def test_the_last_writer_wins_each_unknown_value_is_said_and_an_add_is_lost_to_nobody_who_has_not_seen_it(
    changes: list[Any], order: random.Random
) -> None:
    """Clients make changes, and see the server at times; the model knows elements by who has seen which add."""
    server, seen, adds, last, unknown = Server(), [0, 0, 0], dict[str, set[tuple[int, int]]](), None, 0
    for client, is_pulling, change in changes:
        if is_pulling:
            seen[client] = server.version
        at = server.version + 1
        if change[2] == "note":
            unknown += last is not None and last[1] != client and last[2] > seen[client] and last[0] != change[3]
            last = (change[3], client, at)
        elif change[1] == "add":
            adds[change[3]] = {one for one in adds.get(change[3], set()) if one[0] != client} | {(client, at)}
        elif change[1] == "remove":
            adds[change[3]] = {one for one in adds.get(change[3], set()) if one[0] != client and one[1] > seen[client]}
        server.take(operation(change, seen[client]), f"client-{client}")
    shown = server.shown()
    assert shown.get("basket", {}).get("note") == (None if last is None else last[0])
    assert len(server.lost) == unknown
    assert shown.get("list", {}).get("items", []) == sorted(name for name, by in adds.items() if by)


@settings(max_examples=200, deadline=None)
@given(
    words=st.lists(st.tuples(st.integers(0, 2), st.text("abc ", min_size=1, max_size=5)), max_size=12),
    order=st.randoms(use_true_random=False),
)
def test_texts_are_the_same_in_any_order_of_clients_and_lose_no_letter(words: list[Any], order: random.Random) -> None:
    pads = [Pad() for _ in range(3)]
    updates = [(who, pads[who].write(0, text)) for who, text in words]
    whose = [who for who, _ in updates]
    order.shuffle(whose)
    left = {who: [one for one in updates if one[0] == who] for who in whose}
    orders = [updates, [left[who].pop(0) for who in whose]]  # what one client pushes comes in its order
    ends = []
    for pushes in orders:
        server = Server()
        for _, update in pushes + pushes[:2]:  # and some of them twice
            server.take(operation(("notes", "edit", "body", update), 0), "one")
        ends.append(server.shown().get("notes", {}).get("body", {"text": ""})["text"])
    assert ends[0] == ends[1]
    assert sorted(ends[0]) == sorted("".join(text for _, text in words))


@pytest.mark.parametrize("seed", range(20))
async def test_clients_that_lose_answers_and_sync_when_they_can_have_the_same_in_the_end(desk: Desk, seed: int) -> None:
    order = random.Random(seed)
    phones = [desk.phone(f"phone-{seed}-{number}") for number in range(3)]
    total = 0
    for _ in range(40):
        phone = order.choice(phones)
        kind = order.choice(("increment", "set", "add", "remove", "delete", "push", "lost", "pull"))
        if kind == "push" and phone.pending:
            await phone.push(is_answer_lost=False)
        elif kind == "lost" and phone.pending:
            await phone.push(is_answer_lost=True)
        elif kind == "pull":
            await phone.pull()
        elif kind not in ("push", "lost"):
            total += _changed(phone, kind, order)
    for phone in phones:
        if phone.pending:
            await phone.push()
    ends = [await phone.pull() for phone in phones]
    assert ends[0] == ends[1] == ends[2]
    assert all(phone.since == phones[0].since for phone in phones)
    fresh = await desk.phone(f"new-{seed}-phone").pull()
    assert fresh == ends[0]
    async with desk.database.platform() as session:
        body = await session.fetch_value("select body from sync.document where document = 'counted'")
    assert (json.loads(body)["quantity"]["n"] if body else 0) == total


def _changed(phone: Phone, kind: str, order: random.Random) -> int:
    if kind == "increment":
        by = order.randint(-3, 9)
        phone.change("basket", "counted", "increment", "quantity", by)
        return by
    if kind == "set":
        phone.change("basket", order.choice(ELEMENTS), "set", "note", order.choice(ELEMENTS))
    elif kind == "delete":
        phone.change("basket", order.choice(ELEMENTS), "delete")
    else:
        phone.change("list", "party", kind, "items", order.choice(ELEMENTS))
    return 0


def test_an_empty_update_says_nothing() -> None:
    assert rules.shown_text(rules.merged_text("", base64.b64encode(b"\0\0").decode(), "$"))["text"] == ""
