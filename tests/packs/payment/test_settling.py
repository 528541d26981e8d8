"""What a provider says is written down with what follows from it, and what nobody goes on with is found."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from isthmus.packs.payment import api

from .conftest import Till, eur

LATER = timedelta(hours=1)
REFERENCE = "group-1"


async def asked(till: Till, attempt: api.Attempt, token: str = "ok") -> api.End:
    """Have the provider do it, and return what to write down."""
    outcome = await till.call(api.ask_provider, api.AskProvider(attempt=attempt, token=token))
    return api.End(key=attempt.key, outcome=outcome)


async def begun(till: Till) -> tuple[UUID, api.Attempt]:
    payment_id = await till.opened(reference=REFERENCE)
    ask = api.Authorise(payment_id=payment_id, method="card", token="ok")
    return payment_id, await till.call(api.begin_authorisation, ask)


async def test_what_is_wanted_of_held_money_is_begun_with_it_and_taken(till: Till) -> None:
    _, attempt = await begun(till)
    wanted = api.Settle(reference=REFERENCE, wanted=eur(700), ended=await asked(till, attempt))
    held = await till.call(api.settle_attempt, wanted)
    assert held.follows is not None
    assert (held.payments[0].state, held.follows.kind, held.follows.amount) == ("authorised", "capture", eur(700))
    ended = await asked(till, held.follows)
    taken = await till.call(api.settle_attempt, api.Settle(reference=REFERENCE, ended=ended))
    assert (taken.payments[0].state, taken.payments[0].captured, taken.follows) == ("captured", eur(700), None)


async def test_held_money_that_nothing_is_wanted_of_is_let_go(till: Till) -> None:
    _, attempt = await begun(till)
    await till.call(api.hold_payments, api.HoldPayments(reference=REFERENCE))
    held = await till.call(api.settle_attempt, api.Settle(reference=REFERENCE, ended=await asked(till, attempt)))
    assert held.follows is not None
    assert held.follows.kind is api.Kind.VOID


async def test_a_payment_that_is_held_with_nothing_under_way_is_listed_after_a_while(till: Till) -> None:
    payment_id, attempt = await begun(till)
    await till.call(api.end_attempt, await asked(till, attempt))
    assert (await till.call(api.list_held, api.ListHeld())).items == ()
    later = await till.call(api.list_held, api.ListHeld(), now=datetime.now(UTC) + LATER)
    assert [one.payment_id for one in later.items] == [payment_id]
    waiting = api.Settle(reference=REFERENCE, wanted=eur(1000), payment_id=payment_id)
    assert (await till.call(api.settle_attempt, waiting)).follows is not None
    later = await till.call(api.list_held, api.ListHeld(), now=datetime.now(UTC) + LATER)
    assert later.items == (), "it is being taken"


async def test_what_became_of_an_attempt_is_told_by_the_provider_and_by_its_notification(till: Till) -> None:
    _, attempt = await begun(till)
    assert (await till.call(api.look_up, api.AskProvider(attempt=attempt))).state == "refused", "it never arrived"
    ended = await asked(till, attempt)
    assert await till.call(api.look_up, api.AskProvider(attempt=attempt)) == ended.outcome
    notify = api.Notify(provider="test", payload=till.bank.notifications[-1])
    assert await till.call(api.read_notification, notify) == ended
    assert (await till.call(api.get_attempt, api.GetAttempt(key=attempt.key))).state == "pending"
    await till.call(api.end_attempt, ended)
    assert (await till.call(api.get_attempt, api.GetAttempt(key=attempt.key))).state == "done"
