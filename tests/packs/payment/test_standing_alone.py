"""Payments as a service that stands alone: what goes in steps has its log there, and its providers."""

from __future__ import annotations

import asyncio
from typing import Any, cast
from uuid import UUID

import httpx
import msgspec
import pytest

from isthmus.governance.exits.calling import Calls
from isthmus.governance.exits.held import holds, joins
from isthmus.governance.exits.messages import Forwarded, Known, Replied, Wanted, written
from isthmus.kernel import Value, decode, encode
from isthmus.packs.payment import api
from isthmus.packs.payment.pack import PACK
from isthmus.store import Database
from tests.standing_alone import SECRET, served

from .conftest import DESK, Bank, MakePlatform, eur


async def a_database(make_platform: MakePlatform) -> Database:
    return cast(Database, (await make_platform(PACK, DESK)).store)


def call(call_id: str, ask: Value, **facts: Any) -> Forwarded:
    return Forwarded(ask=msgspec.Raw(encode(ask)), front_end="north", call_id=call_id, **facts)


def hold(payment_id: UUID) -> api.Authorise:
    return api.Authorise(payment_id=payment_id, method="card", token="tok")


def read(replied: Replied) -> api.Payment:
    assert replied.refused is None, replied.refused
    return decode(bytes(replied.answer), api.Payment)


async def opened(calls: Calls) -> UUID:
    ask = api.OpenPayment(reference="g1", amount=eur(900))
    return read(await calls.reply("payment.open-payment", call("open", ask))).payment_id


async def test_a_payment_is_taken_and_given_back_by_a_service_that_stands_alone(make_platform: MakePlatform) -> None:
    database = await a_database(make_platform)
    async with served(PACK, database.url) as address, httpx.AsyncClient(base_url=address) as client:
        client.headers["Authorization"] = f"Bearer {SECRET}"

        async def said(name: str, call_id: str, ask: Value, **facts: Any) -> Replied:
            sent = await client.post(f"/v1/payment.{name}", content=encode(call(call_id, ask, **facts)))
            return decode(sent.content, Replied)

        payment = read(await said("open-payment", "a", api.OpenPayment(reference="g1", amount=eur(900))))
        held, again = [await said("authorise", "b", hold(payment.payment_id)) for _ in range(2)]
        assert held == again
        assert read(held).state is api.PaymentState.AUTHORISED
        assert [one.name for one in held.events] == ["payment.payment-moved"]
        taken = read(await said("capture", "c", api.Capture(payment_id=payment.payment_id)))
        back = api.Refund(payment_id=payment.payment_id, amount=eur(400), reference="r1", reason="broken")
        given = await said("refund", "d", back)
        other = await said("refund", "d", back.replace(reference="r2"))
        undone = await said("refund", "e", back.replace(reference="r3"), is_undone=True)
    assert (taken.captured, read(given).refunded) == (eur(900), eur(400))
    assert [one.name for one in given.events] == ["payment.payment-moved"]
    assert other.refused is not None
    assert other.refused.slug == "idempotency-key-reused"
    assert undone.refused is not None
    assert "nothing of it can be undone" in undone.refused.message


async def test_steps_that_were_cut_off_are_gone_on_with_by_who_sends_the_call_again(
    make_platform: MakePlatform,
) -> None:
    database, bank, asked = await a_database(make_platform), Bank(), asyncio.Event()
    calls = Calls(PACK, database, {api.Providers: api.Providers([bank])})
    payment_id = await opened(calls)

    async def never_answers() -> None:
        asked.set()
        await asyncio.Event().wait()

    bank.before = never_answers
    running = asyncio.create_task(calls.reply("payment.authorise", call("b", hold(payment_id))))
    await asked.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    bank.before = None
    replied = await calls.reply("payment.authorise", call("b", hold(payment_id)))
    assert read(replied).state is api.PaymentState.AUTHORISED
    assert [one.name for one in replied.events] == ["payment.payment-moved"]
    async with database.platform() as session:
        assert await session.fetch_value("select count(*) from payment.attempt") == 1
        assert await session.fetch_value("select count(*) from isthmus.saga") == 0


async def test_a_question_between_steps_is_answered_and_no_step_is_done_twice(make_platform: MakePlatform) -> None:
    database, bank = await a_database(make_platform), Bank()
    calls = Calls(PACK, database, {api.Providers: api.Providers([bank])})
    payment_id = await opened(calls)
    asked = call("b", hold(payment_id), asked=("payment.methods",))
    wanted = cast(Wanted, (await calls.reply("payment.authorise", asked)).wanted)
    assert wanted.question == "payment.methods"
    assert not bank.calls
    none = Known(question=wanted.question, arguments=wanted.arguments, answer=msgspec.Raw(written({"answer": []})))
    refused = (await calls.reply("payment.authorise", asked.replace(known=(none,)))).refused
    assert refused is not None
    assert refused.slug == api.MethodRefused.slug
    card = none.replace(answer=msgspec.Raw(written({"answer": ["card"]})))
    assert read(await calls.reply("payment.authorise", asked.replace(known=(card,)))).state == "authorised"
    assert bank.calls == ["authorise"]


def test_nothing_holds_the_code_of_payments_and_their_steps_hold_their_place() -> None:
    assert holds(PACK) == []
    assert "payment.capture goes in steps" in " ".join(one.why for one in joins(PACK, []))
