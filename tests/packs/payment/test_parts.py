"""Amounts in parts: what is expected, and which payment gives how much back."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.packs.payment import api, rules

from .conftest import Till, eur

GROUP = "group-1"
BOTH = api.references_of(GROUP)[:2]


async def paid_in_two_parts(till: Till) -> list[UUID]:
    """Take a deposit of 30.00 and a balance of 70.00."""
    opened = [await till.opened(minor, reference=name) for name, minor in zip(BOTH, (3000, 7000), strict=True)]
    for one in opened:
        await till.authorise(one)
        await till.capture(one)
    return opened


async def test_less_is_expected_of_a_payment_that_nobody_has_begun(till: Till) -> None:
    opened = await till.opened(5000, reference=GROUP)
    ask = api.ExpectLess(reference=GROUP, amount=eur(2000))
    assert (await till.call(api.expect_less, ask)).amount == eur(2000)
    with pytest.raises(api.WrongAmount):
        await till.call(api.expect_less, api.ExpectLess(reference=GROUP, amount=eur(2500)))
    await till.authorise(opened)
    begun = await till.call(api.expect_less, api.ExpectLess(reference=GROUP, amount=eur(1000)))
    assert (begun.amount, begun.authorised) == (eur(2000), eur(2000))


async def test_a_refund_comes_from_the_balance_first_and_is_the_same_when_asked_again(till: Till) -> None:
    deposit, balance = await paid_in_two_parts(till)
    ask = api.RefundFrom(payments=BOTH, amount=eur(8000), reference="return-1")
    for _ in range(2):
        given_back = await till.call(api.refund_from, ask)
        assert given_back.parts == (
            api.RefundPart(payment_id=balance, amount=eur(7000)),
            api.RefundPart(payment_id=deposit, amount=eur(1000)),
        )
    found = await till.call(api.list_payments, api.ListPayments(references=BOTH))
    assert [one.refunded for one in found.items] == [eur(1000), eur(7000)]


async def test_what_was_promised_to_one_return_is_not_given_to_another(till: Till) -> None:
    await paid_in_two_parts(till)
    await till.call(api.split_refund, api.SplitRefund(payments=BOTH, amount=eur(9000), reference="return-1"))
    with pytest.raises(api.RefundTooLarge, match="20.00 EUR are to be given back, and 10.00 EUR are left"):
        await till.call(api.split_refund, api.SplitRefund(payments=BOTH, amount=eur(2000), reference="return-2"))


@given(amount=st.integers(0, 10_000), left=st.lists(st.integers(0, 3_000), max_size=6))
def test_parts_add_up_to_the_amount_and_no_payment_gives_more_than_it_has(amount: int, left: list[int]) -> None:
    payments = [(uuid4(), minor) for minor in left]
    parts = rules.from_the_last(amount, payments)
    assert (parts is None) == (sum(left) < amount)
    if parts is not None:
        assert sum(minor for _, minor in parts) == amount
        assert all(0 < minor <= dict(payments)[one] for one, minor in parts)


async def test_what_was_promised_to_a_return_is_not_given_by_hand_and_the_rest_is(till: Till) -> None:
    deposit, balance = await paid_in_two_parts(till)
    await till.call(api.split_refund, api.SplitRefund(payments=BOTH, amount=eur(6000), reference="return-1"))
    with pytest.raises(api.AmountExceeded, match="10.00 EUR"):
        await till.call(api.refund, api.Refund(payment_id=balance, amount=eur(2000), reference="by hand"))
    await till.call(api.refund, api.Refund(payment_id=balance, amount=eur(1000), reference="by hand"))
    await till.call(api.refund_from, api.RefundFrom(payments=BOTH, amount=eur(6000), reference="return-1"))
    found = await till.call(api.list_payments, api.ListPayments(references=BOTH))
    assert [one.refunded for one in found.items] == [eur(0), eur(7000)]
    assert deposit


async def test_what_is_asked_for_at_most_is_what_is_left_after_a_refund_by_hand(till: Till) -> None:
    _, balance = await paid_in_two_parts(till)
    await till.call(api.refund, api.Refund(payment_id=balance, amount=eur(6500), reference="by hand"))
    ask = api.RefundFrom(payments=BOTH, amount=eur(9000), reference="return-1", at_most=True)
    with pytest.raises(api.RefundTooLarge):
        await till.call(api.refund_from, api.RefundFrom(payments=BOTH, amount=eur(9000), reference="return-2"))
    for _ in range(2):
        parts = (await till.call(api.refund_from, ask)).parts
        assert sum(one.amount.minor for one in parts) == 3500
    nothing = api.RefundFrom(payments=BOTH, amount=eur(100), reference="return-3", at_most=True)
    assert (await till.call(api.refund_from, nothing)).parts == ()


async def test_another_amount_is_expected_as_long_as_nobody_has_begun_to_pay(till: Till):
    payment_id = await till.opened(1000, reference=GROUP)
    for minor in (1500, 700):
        ask = api.ExpectAmount(reference=GROUP, amount=eur(minor))
        assert (await till.call(api.expect_amount, ask)).amount == eur(minor)
    await till.authorise(payment_id)
    with pytest.raises(api.IllegalStep, match="authorised"):
        await till.call(api.expect_amount, api.ExpectAmount(reference=GROUP, amount=eur(800)))
