"""Webhooks: signed, again until they are taken, in order where asked, never to a private address."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from standardwebhooks import WebhookVerificationError

from isthmus.kernel import errors
from isthmus.manifest.public_addresses import refused_ip, refused_url
from isthmus.manifest.public_connections import PublicOnly
from isthmus.packs.webhooks import api, rules
from isthmus.packs.webhooks.service.sender import WebhookSettings
from isthmus.store import know_streams, sharing
from isthmus.store.feed import ALL, STREAM
from tests.waiting import until

from .conftest import LOOPBACK, Desk, MakeDesk
from .receiver import Receiver, Request


def taken(receiver: Receiver, count: int) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return len(receiver.taken) >= count

    return look


def ended(desk: Desk, state: str, count: int = 1) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return len(await desk.deliveries(state=api.DeliveryState(state))) >= count

    return look


def answered(desk: Desk, status: int) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return any(one.status == status for one in await desk.deliveries())

    return look


async def test_what_is_sent_is_verified_by_a_library_that_nobody_here_wrote(desk: Desk) -> None:
    async with Receiver() as books:
        secret = await desk.hook(books.url)
        await desk.say("tea")
        await until(taken(books, 1))
        (request,) = books.taken
        event = request.verified_by(secret)
        assert (event["type"], event["subject"], event["id"]) == ("desk.said", "tea", request.headers["webhook-id"])
        assert request.path == "/hook"
        assert request.headers["traceparent"] == event["trace"]
        with pytest.raises(WebhookVerificationError):
            request.verified_by(rules.written_secret(b"x" * 32))
        await until(ended(desk, "done"))
        (sent,) = await desk.deliveries()
        log = await desk.call(api.get_delivery, api.GetDelivery(delivery_id=sent.delivery_id))
        assert [(one.number, one.status, one.reason) for one in log.attempts] == [(1, 204, "")]


async def test_after_a_rotation_both_secrets_verify_until_the_old_one_has_run_out(desk: Desk) -> None:
    async with Receiver() as books:
        old = await desk.hook(books.url)
        new = (await desk.call(api.rotate_secret, api.RotateSecret(name="books", keep_hours=1))).secret
        await desk.say("a")
        await until(taken(books, 1))
        assert len(books.taken[0].headers["webhook-signature"].split(" ")) == 2
        assert books.taken[0].verified_by(old) == books.taken[0].verified_by(new)
        newest = (await desk.call(api.rotate_secret, api.RotateSecret(name="books", keep_hours=0))).secret
        await desk.say("b")
        await until(taken(books, 2))
        assert books.taken[1].verified_by(newest)
        for gone in (old, new):
            with pytest.raises(WebhookVerificationError):
                books.taken[1].verified_by(gone)


async def test_what_fails_comes_again_under_the_same_id_until_it_is_taken(desk: Desk) -> None:
    answers = [500, 503, 204]
    async with Receiver(lambda request: (answers[len(books.taken) - 1], {})) as books:
        await desk.hook(books.url)
        await desk.say("tea")
        for count in (1, 2):
            await until(taken(books, count))

            async def is_written(count: int = count) -> bool:
                (one,) = await desk.deliveries()
                return (one.status, one.attempts) == (answers[count - 1], count)

            await until(is_written)
            (one,) = await desk.deliveries()
            assert one.due_at > one.made_at
            assert (await desk.endpoint()).failing_since is not None
            await desk.due_now()
        await until(ended(desk, "done"))
        assert len({request.headers["webhook-id"] for request in books.taken}) == 1
        assert (await desk.endpoint()).failing_since is None


@pytest.mark.parametrize("ordered", [True, False])
async def test_events_of_one_subject_keep_their_order_where_it_is_asked(desk: Desk, ordered: bool) -> None:
    def answer(request: Request) -> tuple[int, dict[str, str]]:
        return (400 if request.subject == "tea" and len([s for s in books.subjects() if s == "tea"]) == 1 else 204), {}

    async with Receiver(answer) as books:
        await desk.hook(books.url, ordered=ordered)
        await desk.say("tea", "tea", "jam")
        await until(ended(desk, "done", 1 if ordered else 2))
        assert books.subjects().count("tea") == (1 if ordered else 2)
        await desk.due_now()
        await until(ended(desk, "done", 3))
        sent = [one.headers["webhook-id"] for one in books.taken if one.subject == "tea"]
        first, second = [one.event_id for one in reversed(await desk.deliveries()) if one.subject == "tea"]
        assert sent[-2:] == [first, second] if ordered else set(sent[:2]) == {first, second}


async def test_what_fails_too_often_is_a_dead_letter_and_can_be_sent_again(desk: Desk) -> None:
    status = [422]
    async with Receiver(lambda request: (status[0], {})) as books:
        await desk.hook(books.url)
        await desk.say("tea")
        await until(answered(desk, 422))
        async with desk.database.platform() as session:
            await session.execute("update webhooks.delivery set attempts = $1", len(rules.RETRY_S))
        await desk.due_now()
        await until(ended(desk, "dead"))
        (dead,) = await desk.deliveries(state=api.DeliveryState.DEAD)
        assert (dead.status, dead.reason, (await desk.endpoint()).dead) == (422, "answered 422", 1)
        status[0] = 200
        again = api.SendAgain(endpoint="books")
        assert (await desk.call(api.send_again, again)).count == 1
        await until(ended(desk, "done"))
        with pytest.raises(api.UnknownDelivery):
            await desk.call(api.send_again, api.SendAgain(delivery_id=dead.delivery_id), "south")


@pytest.mark.parametrize(("status", "why"), [(500, "nothing got through"), (410, "it is gone")])
async def test_an_address_that_fails_is_paused_and_its_owner_is_told(
    make_desk: MakeDesk, status: int, why: str
) -> None:
    hours = 0 if status == 500 else 72
    desk = await make_desk(WebhookSettings(networks=LOOPBACK.networks, pause_after_hours=hours))
    answers = [status]
    async with desk.sending(), Receiver(lambda request: (answers[0], {})) as books:
        await desk.hook(books.url)
        await desk.say("tea")

        async def is_paused() -> bool:
            await desk.call(api.pause_failing, api.PauseFailing())
            return (await desk.endpoint()).state == "paused"

        await until(is_paused)
        assert why in (await desk.endpoint()).reason
        async with desk.database.platform() as session:
            sql = "select count(*) from isthmus.event where type = 'webhooks.endpoint-paused' and front_end = 'north'"
            await session.fetch_value("select isthmus.collect(100)")
            assert await session.fetch_value(sql) == 1
        await desk.say("waits")
        await desk.due_now()
        count = len(books.taken)
        answers[0] = 204
        await desk.call(api.resume_endpoint, api.NamedEndpoint(name="books"))
        await until(ended(desk, "done", 2))
        assert sorted(books.subjects()[count:]) == ["tea", "waits"]


async def test_a_test_event_is_signed_and_logged_like_any_other(desk: Desk) -> None:
    async with Receiver() as books:
        secret = await desk.hook(books.url)
        sent = await desk.call(api.test_endpoint, api.NamedEndpoint(name="books"))
        await until(ended(desk, "done"))
        assert books.taken[0].verified_by(secret)["type"] == "webhooks.test"
        assert [one.delivery_id for one in await desk.deliveries()] == [sent.delivery_id]


async def test_personal_data_is_masked_unless_it_is_asked_for_and_ones_own(desk: Desk) -> None:
    await know_streams(desk.database, [("south", ALL)])
    async with desk.database.platform_transaction() as session:
        draft = sharing.Draft(kind=STREAM, name=ALL, to="north", can="read")
        await sharing.give(session, "south", uuid4(), draft, datetime.now(UTC), "test")
    async with Receiver() as masked, Receiver() as whole:
        await desk.hook(masked.url, "masked")
        await desk.hook(whole.url, "whole", personal=True)
        await desk.say("own")
        await desk.say("granted", front_end="south")
        await until(taken(masked, 2))
        await until(taken(whole, 2))
        seen = [{one.subject: one.event["data"]["email"] for one in books.taken} for books in (masked, whole)]
        hidden = "masked@example.invalid"
        assert seen == [{"own": hidden, "granted": hidden}, {"own": "ann@example.org", "granted": hidden}]


async def test_what_another_front_end_says_is_not_sent_without_a_grant(desk: Desk) -> None:
    async with Receiver() as books:
        await desk.hook(books.url)
        await desk.say("theirs", front_end="south")
        await desk.say("own")
        await until(ended(desk, "done"))
        assert books.subjects() == ["own"]


async def test_what_a_killed_server_held_is_sent_by_another(desk: Desk) -> None:
    async with Receiver() as books:
        await desk.hook(books.url)
        await desk.call(api.pause_endpoint, api.NamedEndpoint(name="books"))
        await desk.say("tea")
        await until(ended(desk, "waiting"))
        async with desk.database.platform() as session:
            held = "update webhooks.delivery set held_by = 'dead', held_until = now() + interval '1 hour'"
            await session.execute(held)
        await desk.call(api.resume_endpoint, api.NamedEndpoint(name="books"))
        assert books.taken == []
        await desk.due_now()
        await until(ended(desk, "done"))
        assert books.subjects() == ["tea"]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.9.9", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "::1", "::", "fe80::1", "fd00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
    ],
)  # fmt: skip
def test_no_private_address_is_called_however_it_is_written(address: str) -> None:
    ip = ipaddress.ip_address(address)
    assert refused_ip(ip, "https", ())
    host = f"[{address}]" if ip.version == 6 else address
    assert refused_url(f"https://{host}/hook", ())
    assert not refused_ip(ipaddress.ip_address("93.184.216.34"), "https", ())
    assert refused_ip(ipaddress.ip_address("93.184.216.34"), "http", ())


@pytest.mark.parametrize("host", ["localhost", "127.1", "2130706433", "0x7f.1", "[::1]"])
async def test_a_name_that_leads_to_a_private_address_is_not_connected_to(host: str) -> None:
    async with Receiver() as inside:
        with pytest.raises(OSError, match="no public address"):
            await PublicOnly("https", ()).connect_tcp(host.strip("[]"), inside.port)
        assert inside.taken == []


async def test_a_name_is_checked_when_it_is_called_and_redirects_lead_nowhere(
    make_desk: MakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = await make_desk(WebhookSettings())
    async with desk.sending(), Receiver() as inside:
        url = f"https://localhost:{inside.port}/hook"
        await desk.hook(url)
        await desk.say("tea")

        async def has_failed() -> bool:
            return any(one.reason for one in await desk.deliveries())

        await until(has_failed)
        assert "no public address" in (await desk.deliveries())[0].reason
        assert inside.taken == []
        with pytest.raises(api.AddressRefused):
            await desk.hook(inside.url, "literal")


async def test_a_redirect_is_a_failure_and_is_not_followed(desk: Desk) -> None:
    async with Receiver() as inside, Receiver(lambda request: (302, {"location": inside.url})) as outside:
        await desk.hook(outside.url)
        await desk.say("tea")

        await until(answered(desk, 302))
        assert inside.taken == []


async def test_an_endpoint_that_is_deleted_takes_what_waits_with_it(desk: Desk) -> None:
    async with Receiver() as books:
        await desk.hook(books.url)
        await desk.call(api.pause_endpoint, api.NamedEndpoint(name="books"))
        await desk.say("tea")
        await until(ended(desk, "waiting"))
        await desk.call(api.delete_endpoint, api.NamedEndpoint(name="books"))
        assert await desk.deliveries() == ()
        for gone in (api.delete_endpoint, api.resume_endpoint, api.test_endpoint, api.pause_endpoint):
            with pytest.raises(api.UnknownEndpoint):
                await desk.call(gone, api.NamedEndpoint(name="books"))
        assert books.taken == []


async def test_no_call_can_read_a_secret(desk: Desk) -> None:
    await desk.hook("https://books.example/hook")
    for column in ("secret", "sealed"):
        session = desk.database.read("north")
        with pytest.raises(errors.Fault):
            await session.fetch(f"select {column} from webhooks.secret")
        await session.close()


async def test_a_secret_that_was_in_the_clear_is_sealed_and_signs_as_before(desk: Desk) -> None:
    async with Receiver() as books:
        secret = await desk.hook(books.url)
        await written_as_before(desk, secret)
        assert await desk.sender.seal_old() == 1
        assert await desk.sender.seal_old() == 0
        assert await kept(desk) == [{"secret": None, "is_clear": False}]
        await desk.say("ann")
        await until(taken(books, 1))
        assert books.taken[0].verified_by(secret)["subject"] == "ann"


async def test_a_secret_that_no_version_sealed_yet_signs_too(desk: Desk) -> None:
    async with Receiver() as books:
        secret = await desk.hook(books.url)
        await written_as_before(desk, secret)
        await desk.say("ann")
        await until(taken(books, 1))
        assert books.taken[0].verified_by(secret)["subject"] == "ann"


async def test_a_secret_that_opens_by_no_key_sends_nothing_and_says_so(
    desk: Desk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Receiver() as books:
        secret = await desk.hook(books.url)
        assert await kept(desk) == [{"secret": None, "is_clear": False}]
        (tmp_path / "key").rename(tmp_path / "was")
        await desk.say("ann")

        async def is_refused() -> bool:
            return any("sealed under a key that is not there" in one.reason for one in await desk.deliveries())

        await until(is_refused)
        assert books.taken == []
        assert "put back the file" in caplog.text
        assert secret not in caplog.text
        (tmp_path / "was").replace(tmp_path / "key")
        await desk.due_now()
        await until(taken(books, 1))
        assert books.taken[0].verified_by(secret)["subject"] == "ann"


async def written_as_before(desk: Desk, secret: str) -> None:
    """Have the secret as the version before wrote it."""
    async with desk.database.platform() as session:
        await session.execute("update webhooks.secret set secret = $1, sealed = null", secret)


async def kept(desk: Desk) -> list[dict[str, object]]:
    sql = "select secret, position('whsec' in encode(sealed, 'escape')) > 0 as is_clear from webhooks.secret"
    async with desk.database.platform() as session:
        rows = await session.fetch(sql)
        return [dict(row) for row in rows]


def test_tries_come_later_each_time_and_end() -> None:
    pauses = [rules.retry_s(attempts, 0.5) for attempts in range(1, 11)]
    assert pauses[-1] is None
    assert pauses[:-1] == sorted(pauses[:-1], key=lambda one: one or 0)
    assert rules.retry_s(1, 0.0) != rules.retry_s(1, 1.0)
