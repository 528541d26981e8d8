"""Payments: authorised, captured, let go, given back; each step once, whatever the provider does."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from isthmus.kernel import ALLOW, Verdict, answers, errors, veto
from isthmus.packs.payment import api
from isthmus.values import Money, money

from .conftest import SOUTH, Till, broken_conditions, eur

State = api.PaymentState


async def later(till: Till) -> api.Reconciled:
    """Reconcile two minutes from now."""
    return await till.call(api.reconcile, api.Reconcile(), now=datetime.now(UTC) + timedelta(minutes=2))


async def test_the_database_keeps_what_is_under_way_for_a_payment_apart_besides_refunds(till: Till, database_url: str):
    payment_id = await till.taken()
    connection = await asyncpg.connect(database_url)

    async def begin(kind: str) -> None:
        sql = """insert into payment.attempt (front_end, attempt_id, payment_id, kind, key, provider, method,
                    amount_minor, state, begun_at)
                 values ('north', $1, $2, $3, $4, 'test', 'card', 1, 'unknown', now())"""
        await connection.execute(sql, uuid.uuid4(), payment_id, kind, uuid.uuid4().hex)

    for kind in ("refund", "refund", "void"):
        await begin(kind)
    with pytest.raises(asyncpg.UniqueViolationError):
        await begin("capture")
    await connection.close()


async def test_money_is_held_taken_and_given_back_in_parts(till: Till, database_url: str):
    payment_id = await till.opened(1000)
    assert (await till.authorise(payment_id)).state is State.AUTHORISED
    captured = await till.capture(payment_id)
    assert (captured.state, captured.captured, captured.method) == (State.CAPTURED, eur(1000), "card")
    part = await till.refund(payment_id, 300, "r1")
    assert (part.state, part.refunded) == (State.PART_REFUNDED, eur(300))
    rest = await till.refund(payment_id, 700, "r2")
    assert rest.state is State.REFUNDED
    assert [(leg.kind, leg.amount.minor) for leg in rest.legs] == [
        ("capture", 1000),
        ("refund", -300),
        ("refund", -700),
    ]
    assert await till.events() == 4
    assert await broken_conditions(database_url) == {}


async def test_less_than_all_is_captured_and_the_rest_later(till: Till, database_url: str):
    payment_id = await till.opened(1000)
    await till.authorise(payment_id)
    assert (await till.capture(payment_id, 400)).captured == eur(400)
    with pytest.raises(api.AmountExceeded, match="7.00 EUR is more than the 6.00 EUR that is left"):
        await till.capture(payment_id, 700)
    assert (await till.capture(payment_id)).captured == eur(1000)
    with pytest.raises(api.IllegalStep, match="captured, so it cannot be asked to capture"):
        await till.capture(payment_id)
    assert await broken_conditions(database_url) == {}


async def test_what_is_held_can_be_let_go_and_then_not_taken(till: Till):
    payment_id = await till.opened()
    await till.authorise(payment_id)
    assert (await till.void(payment_id)).state is State.VOIDED
    assert (await till.void(payment_id)).state is State.VOIDED  # safe to repeat
    assert till.bank.calls.count("void") == 1
    with pytest.raises(api.IllegalStep, match="voided, so it cannot be asked to capture"):
        await till.capture(payment_id)


async def test_declined_is_an_answer_and_another_try_may_be_better(till: Till):
    payment_id = await till.opened()
    with pytest.raises(api.Declined, match="declined: no funds") as declined:
        await till.authorise(payment_id, "decline:no funds")
    assert declined.value.path == "$.token"
    assert (await till.get(payment_id)).state is State.OPEN
    assert (await till.authorise(payment_id)).state is State.AUTHORISED


@pytest.mark.parametrize(("minor", "currency"), [(0, "EUR"), (-5, "EUR"), (5, "USD")])
async def test_amounts_that_are_none_are_refused(till: Till, minor: int, currency: str):
    payment_id = await till.taken()
    ask = api.Refund(payment_id=payment_id, amount=money(minor, currency), reference="r1")
    with pytest.raises(api.WrongAmount, match="cannot be moved in a payment in EUR") as wrong:
        await till.call(api.refund, ask)
    assert wrong.value.path == "$.amount"


async def test_a_reference_has_one_payment_of_one_amount(till: Till):
    ask = api.OpenPayment(reference="group", amount=eur(500))
    first = await till.call(api.open_payment, ask)
    assert await till.call(api.open_payment, ask) == first
    with pytest.raises(api.ReferenceUsed, match=r"'group' is for 5.00 EUR already, not 6.00 EUR"):
        await till.call(api.open_payment, api.OpenPayment(reference="group", amount=eur(600)))
    found = await till.call(api.get_payment, api.GetPayment(reference="group"))
    assert found.payment_id == first.payment_id


async def test_cash_is_captured_when_it_is_taken_and_given_back_by_hand(till: Till, database_url: str):
    payment_id = await till.opened(700, received_as="cash")
    assert (await till.get(payment_id)).captured == eur(700)
    assert (await till.refund(payment_id, 200)).refunded == eur(200)
    assert till.bank.calls == []
    assert await broken_conditions(database_url) == {}


async def test_a_refund_counts_once_for_its_reference(till: Till):
    payment_id = await till.taken()
    done = await asyncio.gather(*(till.refund(payment_id, 300) for _ in range(5)), return_exceptions=True)
    assert all(isinstance(one, api.Payment | api.StepUnderWay) for one in done)
    assert (await till.get(payment_id)).refunded == eur(300)
    with pytest.raises(api.ReferenceUsed, match="is for 3.00 EUR already, not 4.00 EUR"):
        await till.refund(payment_id, 400)


async def test_a_refund_that_the_provider_refused_is_tried_anew(till: Till):
    payment_id = await till.taken()
    till.bank.refuses.add("refund")
    for _ in range(2):
        with pytest.raises(api.Declined, match="no refund today") as refused:
            await till.refund(payment_id, 300)
        assert refused.value.path is None
    till.bank.refuses.clear()
    assert (await till.refund(payment_id, 300)).refunded == eur(300)
    assert (await till.refund(payment_id, 300)).refunded == eur(300)


async def test_refunds_at_once_are_never_more_than_was_captured(till: Till, database_url: str):
    payment_id = await till.taken(1000)
    tries = [till.refund(payment_id, 300, f"r{at}") for at in range(8)]
    done = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(one, api.Payment) for one in done) == 3
    assert sum(isinstance(one, api.AmountExceeded) for one in done) == 5
    assert (await till.get(payment_id)).refunded == eur(900)
    assert await broken_conditions(database_url) == {}


async def test_a_payment_is_authorised_once_by_buyers_who_press_twice(till: Till):
    """The second finds the first under way, whose outcome may still come; it does not hold nothing instead."""
    payment_id = await till.opened(1000)
    done = await asyncio.gather(*(till.authorise(payment_id, "slow:100") for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(one, api.Payment) for one in done) == 1
    assert all(isinstance(one, api.Payment | api.StepUnderWay) for one in done)
    assert (await till.get(payment_id)).authorised == eur(1000)
    assert till.bank.effects == 1


async def test_nothing_is_let_go_while_it_may_have_been_taken(till: Till):
    payment_id = await till.opened()
    await till.authorise(payment_id)
    till.bank.hangs_up.add("capture")
    with pytest.raises(api.OutcomeUnknown):
        await till.capture(payment_id)
    with pytest.raises(api.StepUnderWay, match="asked to capture and has not answered, so it cannot be asked to void"):
        await till.void(payment_id)
    assert await later(till) == api.Reconciled(settled=1, unknown=0, payment_ids=(payment_id,))
    assert (await till.get(payment_id)).state is State.CAPTURED


async def test_a_provider_that_does_not_answer_is_looked_up(till: Till, database_url: str):
    payment_id = await till.opened()
    with pytest.raises(api.OutcomeUnknown, match="has not answered"):
        await till.authorise(payment_id, "timeout")
    assert (await till.get(payment_id)).state is State.OPEN  # nothing is guessed
    listed = await till.call(api.list_open_attempts, api.ListOpenAttempts(older_than_s=0))
    assert [(one.kind, one.state) for one in listed.items] == [(api.Kind.AUTHORISE, "unknown")]
    assert (await later(till)).settled == 1
    assert (await till.get(payment_id)).state is State.AUTHORISED
    assert (await later(till)).settled == 0
    assert await broken_conditions(database_url) == {}


async def test_what_never_arrived_can_be_tried_again(till: Till):
    payment_id = await till.opened()
    with pytest.raises(api.OutcomeUnknown):
        await till.authorise(payment_id, "lost")
    with pytest.raises(api.StepUnderWay):
        await till.authorise(payment_id)
    await later(till)
    assert (await till.authorise(payment_id)).state is State.AUTHORISED
    assert till.bank.effects == 1


async def test_what_stays_unknown_does_not_keep_the_others_waiting(till: Till):
    slow = [await till.opened() for _ in range(2)]
    for payment_id in slow:
        with pytest.raises(api.OutcomeUnknown):
            await till.authorise(payment_id, "pending")
    lost = await till.opened()
    with pytest.raises(api.OutcomeUnknown):
        await till.authorise(lost, "timeout")
    moment = datetime.now(UTC) + timedelta(minutes=2)
    found: list[tuple[int, int]] = []
    for minutes in range(2):
        done = await till.call(api.reconcile, api.Reconcile(limit=2), now=moment + timedelta(minutes=minutes))
        found.append((done.settled, done.unknown))
    assert found == [(0, 2), (1, 1)]
    assert (await till.get(lost)).state is State.AUTHORISED


async def test_reconciling_goes_on_past_cash_and_past_providers_that_are_gone(till: Till, database_url: str):
    card, cash = await till.opened(), await till.opened(500, received_as="cash")
    with pytest.raises(api.OutcomeUnknown):
        await till.authorise(card, "timeout")
    begin = api.Begin(payment_id=cash, kind=api.Kind.REFUND, key="killed-between", amount=eur(500))
    await till.call(api.begin_attempt, begin)
    connection = await asyncpg.connect(database_url)
    await connection.execute("update payment.attempt set provider = 'gone' where payment_id = $1", card)
    await connection.close()
    assert await later(till) == api.Reconciled(settled=1, unknown=1, payment_ids=(cash,))
    assert (await till.get(cash)).state is State.REFUNDED


async def test_a_process_killed_after_the_provider_did_it_leaves_no_double_effect(till: Till):
    """The attempt is written, the provider has done it, and nobody wrote the answer down."""
    payment_id = await till.opened()
    begin = api.Begin(payment_id=payment_id, kind=api.Kind.AUTHORISE, key="a", provider="test", method="card")
    attempt = await till.call(api.begin_attempt, begin)
    assert attempt.state == "pending"
    await till.bank.authorise(key="a", amount=eur(1000), token="ok")
    assert (await later(till)).settled == 1
    assert (await till.get(payment_id)).authorised == eur(1000)
    assert till.bank.effects == 1


async def test_a_notification_that_comes_before_the_answer_gives_one_effect(till: Till, database_url: str):
    payment_id = await till.opened()

    async def notified() -> None:
        await till.bank.notified.wait()
        for _ in range(3):
            assert (await till.notify(till.bank.notifications[0])).state is State.AUTHORISED

    answered, _ = await asyncio.gather(till.authorise(payment_id, "slow:150"), notified())
    assert answered.state is State.AUTHORISED
    assert (answered.authorised, await till.events()) == (eur(1000), 1)
    assert await broken_conditions(database_url) == {}


async def test_notifications_count_once_in_any_order_and_after_their_answers(till: Till):
    payment_id = await till.opened()
    await till.authorise(payment_id, "twice")
    await till.capture(payment_id)
    await till.refund(payment_id, 400)
    before = await till.get(payment_id)
    assert len(till.bank.notifications) == 4
    for payload in reversed(till.bank.notifications):
        await till.notify(payload)
    await asyncio.gather(*(till.notify(payload) for payload in till.bank.notifications * 3))
    assert await till.get(payment_id) == before
    assert (await till.events(), await till.events("payment.outcome-contradicted")) == (3, 0)


async def test_what_was_pending_is_settled_by_its_notification(till: Till):
    payment_id = await till.opened()
    with pytest.raises(api.OutcomeUnknown):
        await till.authorise(payment_id, "pending")
    (key,) = till.bank.outcomes
    till.bank.settle(key, api.Outcome(state="done", provider_reference="x"))
    assert (await till.notify(till.bank.notifications[-1])).state is State.AUTHORISED


async def test_a_provider_that_contradicts_itself_changes_nothing_and_is_told_of(till: Till):
    payment_id = await till.opened()
    with pytest.raises(api.Declined):
        await till.authorise(payment_id, "decline:no")
    (key,) = till.bank.outcomes
    ended = await till.call(api.end_attempt, api.End(key=key, outcome=api.Outcome(state="done")))
    assert ended.state == "refused"
    assert (await till.get(payment_id)).state is State.OPEN
    assert await till.events("payment.outcome-contradicted") == 1


@pytest.mark.parametrize("payload", ["", "{", "{}", '{"key": "k", "outcome": {"state": "done"}}'])
async def test_what_the_provider_did_not_send_is_refused(till: Till, payload: str):
    with pytest.raises(api.BadNotification, match="no message of 'test'") as bad:
        await till.notify(payload)
    assert bad.value.path == "$.payload"
    with pytest.raises(api.UnknownProvider):
        await till.call(api.notify, api.Notify(provider="nobody", payload=payload))


async def test_no_transaction_is_open_while_a_provider_is_called(till: Till, database_url: str):
    connection = await asyncpg.connect(database_url)
    seen: list[int] = []

    async def look() -> None:
        seen.append(
            await connection.fetchval(
                """select count(*) from pg_stat_activity where datname = current_database()
                   and pid <> pg_backend_pid() and xact_start is not null"""
            )
        )

    till.bank.before = look
    payment_id = await till.opened()
    await till.authorise(payment_id, key="k1")
    await till.capture(payment_id, key="k2")
    await till.refund(payment_id, 300)
    await connection.close()
    assert till.bank.calls == ["authorise", "capture", "refund"]
    assert seen == [0, 0, 0]


async def test_the_same_key_many_times_at_once_takes_the_money_once(till: Till):
    payment_id = await till.opened()
    asks = [till.authorise(payment_id, "slow:30", key="one") for _ in range(10)]
    done = await asyncio.gather(*asks)
    assert {one.state for one in done} == {State.AUTHORISED}
    assert till.bank.effects == 1


class Voucher(api.TestProvider):
    name = "voucher"
    methods = ("voucher", "card")


async def test_a_front_end_chooses_ways_to_pay_and_who_carries_them_out(make_till):
    @answers(api.methods)
    def no_card_for_little(offered: tuple[str, ...], amount: Money) -> tuple[str, ...]:
        return tuple(one for one in offered if one != "card" or amount.minor >= 500)

    @answers(api.choose_provider)
    def the_last(method: str, amount: Money, providers: tuple[str, ...]) -> str:
        return "nobody" if amount.minor == 666 else providers[-1]

    voucher = Voucher("voucher")
    till = await make_till(no_card_for_little, the_last, others=[voucher])
    listed = await till.call(api.list_methods, api.ListMethods(amount=eur(499)))
    assert listed.items == ("wallet", "voucher")
    with pytest.raises(api.MethodRefused, match="'card' is not taken here") as refused:
        await till.authorise(await till.opened(499))
    assert refused.value.path == "$.method"
    await till.authorise(await till.opened(500))
    assert (till.bank.effects, voucher.effects) == (0, 1)
    strange = await till.opened(666)
    with pytest.raises(api.UnknownProvider, match="'nobody'"):
        await till.authorise(strange)
    assert (await till.call(api.list_open_attempts, api.ListOpenAttempts(older_than_s=0))).items == ()


async def test_a_front_end_refuses_to_give_back_much(make_till):
    @answers(api.guard_refund)
    def at_most_five(payment: api.Payment, amount: Money) -> Verdict:
        return ALLOW if amount.minor <= 500 else veto("ask a person")

    till = await make_till(at_most_five)
    payment_id = await till.taken()
    with pytest.raises(api.RefundRefused, match=r"ask a person \(north.at_most_five\)"):
        await till.refund(payment_id, 501)
    assert (await till.refund(payment_id, 500)).refunded == eur(500)


async def test_a_payment_is_known_to_its_own_front_end_only(till: Till):
    payment_id = await till.taken()
    south = Till(till.platform, till.bank, SOUTH)
    for step in (south.get(payment_id), south.capture(payment_id), south.void(payment_id), south.refund(payment_id, 1)):
        with pytest.raises(api.UnknownPayment):
            await step
    with pytest.raises(api.UnknownPayment) as unknown:
        await south.notify(till.bank.notifications[0])
    assert unknown.value.path == "$.payload"
    with pytest.raises(api.UnknownPayment, match="without payment_id or reference"):
        await till.call(api.get_payment, api.GetPayment())
    with pytest.raises(api.UnknownPayment):
        await till.get(uuid.uuid4())


@pytest.mark.parametrize(
    "change",
    ["captured_minor = authorised_minor + 1", "refunded_minor = captured_minor + 1", "authorised_minor = 1001"],
)
async def test_the_database_refuses_more_than_there_is(till: Till, change: str):
    await till.taken(1000)
    writing = await till.platform.store.write("north", None)
    try:
        with pytest.raises(errors.IsthmusError, match="check"):
            await writing.execute(f"update payment.payment set {change} where front_end = 'north'")
    finally:
        await writing.close()
