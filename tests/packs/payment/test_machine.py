"""Any sequence of steps, notifications and look-ups: money is never lost, made, or moved twice."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isthmus.kernel import errors
from isthmus.packs.payment import api, rules

from .conftest import Till, broken_conditions, eur
from .test_payments import later

SAGA = st.one_of(
    st.tuples(st.just("authorise"), st.sampled_from(["ok", "decline:no", "timeout", "lost", "pending", "twice"])),
    st.tuples(st.just("capture"), st.sampled_from([None, 1, 400, 1000])),
    st.tuples(st.just("void"), st.none()),
    st.tuples(st.just("refund"), st.tuples(st.sampled_from([1, 300, 1000]), st.sampled_from(["r1", "r2", "r3"]))),
    st.tuples(st.just("notify"), st.integers(0, 20)),
    st.tuples(st.just("settle"), st.booleans()),
    st.tuples(st.just("reconcile"), st.none()),
    st.tuples(st.just("refuse"), st.sampled_from(["capture", "void", "refund"])),
    st.tuples(st.just("hang up"), st.sampled_from(["capture", "void", "refund"])),
    st.tuples(st.just("behave"), st.none()),
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(SAGA, min_size=3, max_size=14))
async def test_whatever_happens_the_books_and_the_provider_agree(till: Till, database_url: str, steps):
    till.bank.__init__()  # another buyer at the same counter
    payment_id = await till.opened(1000)
    for name, detail in steps:
        try:
            await _step(till, payment_id, name, detail)
        except errors.IsthmusError as refused:
            assert not isinstance(refused, errors.Fault), refused
    till.bank.hangs_up.clear()
    for key, outcome in list(till.bank.outcomes.items()):
        if outcome.state == "unknown":
            till.bank.settle(key, api.Outcome(state="done", provider_reference=f"test-{key}"))
    await later(till)
    found = await till.get(payment_id)
    done = [key for key, outcome in till.bank.outcomes.items() if outcome.state == "done"]
    held = sum("/authorise" in key for key in done)
    given = sum("/refund/" in key for key in done)
    assert held <= 1
    assert (found.authorised.minor > 0) == (held == 1)
    assert 0 <= found.refunded.minor <= found.captured.minor <= found.authorised.minor <= 1000
    assert sum(leg.amount.minor for leg in found.legs) == found.captured.minor - found.refunded.minor
    assert sum(leg.kind == "capture" for leg in found.legs) == sum("/capture" in key for key in done)
    assert sum(leg.kind == "refund" for leg in found.legs) == given
    assert (found.state is api.PaymentState.VOIDED) == any("/void" in key for key in done)
    assert await broken_conditions(database_url) == {}


async def _step(till: Till, payment_id: UUID, name: str, detail: object) -> None:
    bank = till.bank
    match name, detail:
        case "authorise", str(token):
            await till.authorise(payment_id, token)
        case "capture", int() | None as minor:
            await till.capture(payment_id, minor)
        case "void", _:
            await till.void(payment_id)
        case "refund", (int(minor), str(reference)):
            await till.refund(payment_id, minor, reference)
        case "notify", int(at) if bank.notifications:
            await till.notify(bank.notifications[at % len(bank.notifications)])
        case "settle", bool(is_done):
            for key in [key for key, outcome in bank.outcomes.items() if outcome.state == "unknown"]:
                bank.settle(key, api.Outcome(state="done" if is_done else "refused", provider_reference="x"))
        case "reconcile", _:
            await later(till)
        case "refuse", str(kind):
            bank.refuses.add(kind)
        case "hang up", str(kind):
            bank.hangs_up.add(kind)
        case "behave", _:
            bank.refuses.clear()
            bank.hangs_up.clear()
        case _:
            pass


def payment(authorised: int, captured: int, refunded: int, state: api.PaymentState) -> api.Payment:
    return api.Payment(
        payment_id=UUID(int=1),
        reference="group",
        state=state,
        amount=eur(1000),
        authorised=eur(authorised),
        captured=eur(captured),
        refunded=eur(refunded),
        method="card",
        legs=(),
    )


@given(st.integers(0, 1000), st.data())
def test_a_payment_is_refunded_when_all_that_was_captured_is_back(captured, data):
    refunded = data.draw(st.integers(0, captured))
    found = payment(1000, captured, refunded, api.PaymentState.PART_REFUNDED)
    left = rules.left_for(api.Kind.REFUND, found)
    assert left == captured - refunded
    for minor in {left, left // 2}:
        is_all = refunded + minor == captured
        expected = api.PaymentState.REFUNDED if is_all else api.PaymentState.PART_REFUNDED
        assert rules.state_after(api.Kind.REFUND, found, minor) is expected


@pytest.mark.parametrize("kind", list(api.Kind))
def test_a_step_waits_for_what_may_have_changed_the_payment(kind: api.Kind):
    for other in api.Kind:
        waits = rules.in_the_way(kind, {other: 1}) is not None
        assert waits == (api.Kind.REFUND not in (kind, other))
    assert rules.in_the_way(kind, {}) is None


@given(st.text(max_size=20), st.text(max_size=20))
def test_tries_of_two_references_never_meet(one, other):
    first, second = (rules.tries(f"{UUID(int=1)}/refund/{reference}") for reference in (one, other))
    assert bool(set(first) & set(second)) == (one == other)
