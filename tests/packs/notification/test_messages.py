"""Messages: written down once, delivered at least once, never to whom they must not go."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Literal
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.kernel import PASS, Pass, answers, decode, encode, errors
from isthmus.kernel.host import check
from isthmus.packs.notification import api, rules
from isthmus.values import folded

from .conftest import NOW, SOUTH, Desk, broken_conditions

MakeDesk = Callable[..., Awaitable[Desk]]
LATER = timedelta(minutes=3)


async def events(desk: Desk) -> list[str]:
    async with desk.platform.store.platform() as session:  # pyright: ignore
        rows = await session.fetch(
            "select data->>'state' as state from isthmus.outbox where type = 'notification.message-ended' order by seq"
        )
    return [row["state"] for row in rows]


async def test_a_message_is_written_down_then_delivered_with_its_id(desk: Desk) -> None:
    message = await desk.send()
    assert (message.state, desk.post.letters) == ("waiting", [])
    assert await desk.deliver() == api.Delivered(tried=1, ended=1)
    (letter,) = desk.post.letters
    assert (letter.id, letter.address, letter.text) == (str(message.message_id), "ada@example.org", "Thank you.")
    found = await desk.get()
    assert found.message.state == "sent"
    assert [(one.number, one.provider, one.outcome) for one in found.tries] == [(1, "post", "sent")]
    assert await desk.deliver() == api.Delivered(tried=0, ended=0)
    assert await events(desk) == ["sent"]


async def test_a_reference_is_sent_once(desk: Desk) -> None:
    first, again = await desk.send(), await desk.send(subject="Another", text="Another.")
    assert again == first
    both = await asyncio.gather(*(desk.send("r2") for _ in range(5)))
    assert len({one.message_id for one in both}) == 1
    await desk.deliver()
    assert len(desk.post.letters) == 2


async def test_front_ends_see_their_own_messages_only(desk: Desk) -> None:
    await desk.send()
    other = Desk(desk.platform, desk.post, SOUTH)
    with pytest.raises(api.UnknownMessage):
        await other.get()
    assert (await other.send()).state == "waiting"
    await other.deliver()
    assert len(desk.post.letters) == 1


async def test_the_front_end_writes_the_words_or_sends_nothing(make_desk: MakeDesk) -> None:
    @answers(api.compose)
    def in_german(draft: api.Draft) -> api.Content | Pass:
        if draft.kind == "order.paid":
            return api.Content()
        if draft.language != "de":
            return PASS
        return api.Content(subject=f"Bestellung {draft.facts['number']}", text="Danke.", html="<p>Danke.</p>")

    desk = await make_desk(in_german)
    await desk.send("r1", language="de", facts={"number": "N1"})
    await desk.send("r2", language="en")
    paid = await desk.send("r3", kind="order.paid")
    assert (paid.state, paid.reason) == ("suppressed", "the front end sends none of this kind")
    await desk.deliver()
    said = {(one.subject, one.text, one.html) for one in desk.post.letters}
    assert said == {("Bestellung N1", "Danke.", "<p>Danke.</p>"), ("Order 1", "Thank you.", "")}


async def test_what_fails_comes_again_later_and_later_with_the_same_id(desk: Desk) -> None:
    message = await desk.send()
    desk.post.says = lambda _: api.Receipt(state="again", reason="busy")
    assert await desk.deliver() == api.Delivered(tried=1, ended=0)
    assert (await desk.deliver()).tried == 0, "not yet"
    assert (await desk.deliver(NOW + LATER)).tried == 1
    assert (await desk.deliver(NOW + LATER * 2)).tried == 0, "twice as long"
    desk.post.says = lambda _: api.Receipt(state="sent")
    assert (await desk.deliver(NOW + LATER * 3)).ended == 1
    assert {one.id for one in desk.post.letters} == {str(message.message_id)}
    assert [one.outcome for one in (await desk.get()).tries] == ["again", "again", "sent"]


async def test_what_fails_every_time_is_given_up_and_says_so(desk: Desk) -> None:
    await desk.send()
    desk.post.says = lambda _: api.Receipt(state="again", reason="busy")
    for number in range(api.ATTEMPTS_MAX):
        assert (await desk.deliver(NOW + timedelta(hours=2 * number))).tried == 1
    found = (await desk.get()).message
    assert (found.state, found.reason, found.attempts) == ("failed", "busy", api.ATTEMPTS_MAX)
    assert (await desk.deliver(NOW + timedelta(days=30))).tried == 0


async def test_what_is_refused_is_not_tried_again(desk: Desk) -> None:
    await desk.send()
    desk.post.says = lambda _: api.Receipt(state="refused", reason="the mail server answers 550")
    await desk.deliver()
    assert (await desk.deliver(NOW + timedelta(days=1))).tried == 0
    assert (await desk.get()).message.reason == "the mail server answers 550"
    assert await events(desk) == ["refused"]


async def test_a_sender_that_raises_is_tried_again_and_its_words_are_not_kept(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(letter: api.Letter) -> api.Receipt:
        raise ConnectionError(f"no way to {letter.address}")

    await desk.send()
    desk.post.says = fails
    with caplog.at_level(logging.WARNING):
        assert await desk.deliver() == api.Delivered(tried=1, ended=0)
    assert [one.reason for one in (await desk.get()).tries] == ["ConnectionError"]
    assert "ada@" not in caplog.text


async def test_a_delivery_that_was_cut_off_is_made_again(desk: Desk) -> None:
    """The provider has the letter, and nobody wrote that down: it gets it once more, with the same id."""
    await desk.send()

    def dies(letter: api.Letter) -> api.Receipt:
        raise asyncio.CancelledError

    desk.post.says = dies
    with pytest.raises(BaseException):  # noqa: B017 - however the server goes down
        await desk.deliver()
    assert await desk.state() == "waiting"
    desk.post.says = lambda _: api.Receipt(state="sent")
    assert (await desk.deliver()).tried == 0, "it may be under way"
    assert (await desk.deliver(NOW + LATER)).ended == 1
    assert len({one.id for one in desk.post.letters}) == 1
    assert len(desk.post.letters) == 2


async def test_what_a_lost_try_says_late_counts_unless_another_has_ended_it(desk: Desk) -> None:
    message = await desk.send()
    assert (await desk.call(api.has_due, api.HasDue())).is_any
    claims: list[api.ClaimedMessage] = []
    for now in (NOW, NOW + LATER):
        claims += (await desk.call(api.claim_messages, api.ClaimMessages(), now=now)).items
        assert not (await desk.call(api.has_due, api.HasDue(), now=now)).is_any
    assert [one.attempt for one in claims] == [1, 2]

    def said(attempt: int, outcome: Literal["sent", "again"]) -> api.EndDeliveries:
        one = api.Result(message_id=message.message_id, attempt=attempt, provider="post", outcome=outcome)
        return api.EndDeliveries(results=(one,))

    assert (await desk.call(api.end_deliveries, said(2, "sent"))).ended == 1
    assert (await desk.call(api.end_deliveries, said(1, "again"))).ended == 0
    assert (await desk.call(api.end_deliveries, said(2, "again"))).ended == 0
    found = await desk.get()
    assert found.message.state == "sent"
    assert [(one.number, one.outcome) for one in found.tries] == [(1, "again"), (2, "sent")]


async def test_several_servers_deliver_each_message_once(desk: Desk) -> None:
    for number in range(12):
        await desk.send(f"r{number}")
    await asyncio.gather(*(desk.call(api.deliver_messages, api.DeliverMessages(limit=5)) for _ in range(6)))
    sent = [one.id for one in desk.post.letters]
    assert len(sent) == len(set(sent))
    while (await desk.deliver()).tried:
        pass
    assert len(desk.post.letters) == 12


async def test_no_transaction_is_open_while_a_provider_is_asked(desk: Desk, database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    seen: list[int] = []

    async def look() -> None:
        seen.append(
            await connection.fetchval(
                "select count(*) from pg_stat_activity where datname = current_database() and xact_start is not null"
                " and pid <> pg_backend_pid() and backend_type = 'client backend'"
            )
        )

    desk.post.before = look
    await desk.send()
    await desk.deliver()
    await connection.close()
    assert seen == [0]


@pytest.mark.parametrize("topic", ["", "order"])
async def test_who_has_opted_out_gets_nothing_whenever_it_was(desk: Desk, topic: str) -> None:
    await desk.send("before")
    said = await desk.call(api.opt_out, api.OptOut(address="Ada@Example.org ", topic=topic))
    assert said == api.Preference(topics=(topic,) if topic else (), everything=not topic)
    after = await desk.send("after")
    assert (after.state, after.reason) == ("suppressed", "the address gets none")
    await desk.deliver()
    assert desk.post.letters == []
    assert await desk.state("before") == "suppressed"
    assert (await desk.send("other", topic="news")).state == ("waiting" if topic else "suppressed")
    assert await desk.call(api.opt_in, api.OptIn(address="ada@example.org", topic=topic)) == api.Preference(
        topics=(), everything=False
    )
    assert (await desk.send("again")).state == "waiting"


async def test_what_is_erased_is_forgotten_and_never_written_to_again(desk: Desk, database_url: str) -> None:
    member_id = uuid4()
    await desk.send("sent", member_id=member_id)
    await desk.deliver()
    await desk.send("waiting", member_id=member_id)
    await desk.send("another", address="bob@example.org")
    assert await desk.erase_member(member_id) == api.AddressForgotten(messages=2)
    await desk.deliver()
    assert [one.address for one in desk.post.letters] == ["ada@example.org", "bob@example.org"]
    assert [await desk.state(one) for one in ("sent", "waiting")] == ["sent", "erased"]
    assert (await desk.send("later")).state == "suppressed"
    connection = await asyncpg.connect(database_url)
    try:
        kept = await connection.fetchval("select string_agg(m::text, ' ') from notification.message m where kind <> ''")
        rows = await connection.fetch(
            "select address, subject, body from notification.message where reference in ('sent', 'waiting')"
        )
    finally:
        await connection.close()
    assert kept.count("ada@example.org") == 1, "only what was sent after, which is suppressed and waits to be forgotten"
    assert [tuple(row) for row in rows] == [(None, "", "")] * 2
    assert await broken_conditions(database_url) == {}


async def test_an_address_is_erased_without_a_member_too(desk: Desk) -> None:
    await desk.send()
    assert (await desk.call(api.erase_address, api.EraseAddress(address="ADA@example.org"))).messages == 1
    await desk.call(api.opt_out, api.OptOut(address="ada@example.org"))
    assert (await desk.send("r2")).state == "suppressed"
    await desk.deliver()
    assert desk.post.letters == []


async def test_contents_are_kept_for_so_long_and_no_longer(desk: Desk, database_url: str) -> None:
    await desk.send("sent")
    await desk.deliver()
    await desk.send("waiting")
    for days, forgotten in ((89, 0), (91, 1)):
        found = await desk.call(api.forget_content, api.ForgetContent(), now=NOW + timedelta(days=days))
        assert found == api.Forgotten(messages=forgotten)
    assert (await desk.get("sent")).message.address == ""
    assert (await desk.get("waiting")).message.address == "ada@example.org"
    assert await broken_conditions(database_url) == {}


async def test_messages_are_listed_the_newest_first_page_by_page(desk: Desk) -> None:
    for number in range(5):
        await desk.call(
            api.send,
            api.Send(reference=f"r{number}", address="a@b.cd", kind="k", text="t"),
            now=NOW + timedelta(seconds=number),
        )
    first = await desk.call(api.list_messages, api.ListMessages(limit=3))
    rest = await desk.call(api.list_messages, api.ListMessages(limit=3, cursor=first.next_cursor))
    assert [one.reference for one in (*first.items, *rest.items)] == ["r4", "r3", "r2", "r1", "r0"]
    assert rest.next_cursor is None
    sent = await desk.call(api.list_messages, api.ListMessages(state=api.MessageState.SENT))
    assert sent.items == ()
    with pytest.raises(api.BadCursor):
        await desk.call(api.list_messages, api.ListMessages(cursor="00"))


async def test_a_medium_that_nobody_takes_is_refused_with_those_that_are(desk: Desk) -> None:
    with pytest.raises(api.UnknownMedium, match="use one of email"):
        await desk.send(medium="emial")


async def test_a_message_without_id_and_reference_is_refused(desk: Desk) -> None:
    with pytest.raises(api.UnknownMessage, match="without"):
        await desk.call(api.get_message, api.GetMessage())


def test_a_try_comes_again_only_after_its_own_must_be_over() -> None:
    assert rules.RETRY_FIRST.total_seconds() > api.deliver_messages.deadline_ms / 1000


@given(st.text(), st.text())
def test_addresses_are_the_same_where_e_mail_addresses_are(one: str, other: str) -> None:
    def hashed(address: str) -> bytes:
        return rules.address_hash("north", "email", address)

    assert hashed(f" {one}") == hashed(one)
    assert (hashed(one) == hashed(other)) == (folded(one) == folded(other))


def test_who_wants_no_messages_gets_none_however_the_address_is_written() -> None:
    ways = ("jos\u00e9@a.org", "Jose\u0301@A.org", "\uff4aos\u00e9@a.org", "jos\u00e9@a.org\u200b")
    assert len({rules.address_hash("north", "email", one) for one in ways}) == 1


async def test_files_go_with_each_try_and_are_forgotten_with_the_text(desk: Desk, database_url: str) -> None:
    file = api.Attachment(name="a.pdf", media_type="application/pdf", content="AAEC")
    sent = await desk.send(attachments=(file,))
    desk.post.says = lambda _: api.Receipt(state="again")
    await desk.deliver()
    desk.post.says = lambda _: api.Receipt(state="sent")
    await desk.deliver(NOW + timedelta(hours=1))
    assert [one.attachments for one in desk.post.letters] == [(file,), (file,)]
    await desk.call(api.erase_address, api.EraseAddress(address="ada@example.org"))
    connection = await asyncpg.connect(database_url)
    assert await connection.fetchval("select attachments from notification.message") == "[]"
    await connection.close()
    assert await broken_conditions(database_url) == {}
    assert sent.state is api.MessageState.WAITING


@pytest.mark.parametrize(
    ("wrong", "path"),
    [({"content": "no base64!"}, "content"), ({"content": "AAA"}, "content"), ({"name": "../x"}, "name")],
    ids=["other signs", "cut off", "a path"],
)
def test_a_file_that_cannot_go_with_a_mail_is_refused_with_its_place(wrong: dict[str, str], path: str) -> None:
    file = {"name": "a.pdf", "media_type": "application/pdf", "content": "AAEC", **wrong}
    ask = {"reference": "r", "address": "ada@example.org", "kind": "k", "text": "t", "attachments": [file]}
    with pytest.raises(errors.BadAsk) as refused:
        check(decode(encode(ask), api.Send))
    assert refused.value.path == f"$.attachments[0].{path}"
