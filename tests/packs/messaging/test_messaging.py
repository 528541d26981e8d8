"""Pushes: encrypted for one browser, never after an opt-out, not at night nor too often; the inbox is the truth."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from isthmus.kernel import decode, encode, errors
from isthmus.manifest.public_addresses import PrivateAddress
from isthmus.packs.devices import api as devices
from isthmus.packs.member import api as member
from isthmus.packs.messaging import api, rules
from isthmus.packs.messaging.pack import PACK
from isthmus.packs.messaging.storage import deliveries
from isthmus.sealing import UNSEALED
from tests.packs.devices.test_devices import Phone

from .conftest import DAY, Desk, MakeDesk, web_pusher
from .services import Browser, vapid_is_of

HOUR = timedelta(hours=1)


async def test_a_push_is_read_by_the_browser_it_is_for_and_signed_by_the_server(desk: Desk) -> None:
    ann = await desk.join("ann@example.org")
    browser = await desk.subscribe(ann, "ann")
    made = await desk.notify(ann, title="On its way", body="between 5 and 6", link="/orders/7", collapse_key="order-7")
    assert (await desk.deliver()).ended == 1
    (said,) = browser.read()
    assert said == {"id": str(made.message_id), "title": "On its way", "body": "between 5 and 6", "link": "/orders/7",
                    "tag": "order-7"}  # fmt: skip
    (request,) = browser.requests()
    assert b"On its way" not in request.body
    assert (request.headers["ttl"], request.headers["topic"], request.headers["urgency"]) == (
        "86400",
        "order-7",
        "high",
    )
    claims = vapid_is_of(request, f"http://127.0.0.1:{desk.service.port}")
    assert claims["sub"] == "mailto:ops@example.org"
    key = await desk.call(api.get_push_key)
    assert request.headers["authorization"].endswith(f"k={key.key}")
    assert key.kinds == ("web",)
    other = Browser(desk.service, "ann")
    with pytest.raises(Exception, match="(?i)tag|decrypt|invalid|"):
        other.read()


async def test_a_message_is_said_once_by_its_reference_and_pushed_to_each_device(desk: Desk) -> None:
    ann = await desk.join("ann@example.org")
    phone, laptop = await desk.subscribe(ann, "phone"), await desk.subscribe(ann, "laptop")
    first = await desk.notify(ann, "order-7/shipped")
    assert await desk.notify(ann, "order-7/shipped") == first
    await desk.deliver()
    await desk.deliver(DAY + HOUR)
    assert (len(phone.read()), len(laptop.read())) == (1, 1)
    assert (await desk.inbox(ann)).unread == 1


async def test_the_inbox_has_what_no_push_has_brought_and_says_what_is_not_read(desk: Desk) -> None:
    ann = await desk.join("ann@example.org")
    made = [await desk.notify(ann, title=f"message {number}", now=DAY + number * HOUR) for number in range(3)]
    first = await desk.inbox(ann, limit=2)
    assert ([one.title for one in first.items], first.unread) == (["message 2", "message 1"], 3)
    rest = await desk.inbox(ann, limit=2, before=first.next_before)
    assert ([one.title for one in rest.items], rest.next_before) == (["message 0"], None)
    left = await desk.call(api.mark_read, api.MarkRead(member_id=ann, message_ids=(made[0].message_id,)))
    assert left.unread == 2
    bob = await desk.join("bob@example.org")
    await desk.call(api.mark_read, api.MarkRead(member_id=bob))  # nobody reads what is another's
    assert (await desk.inbox(ann)).unread == 2
    assert (await desk.call(api.mark_read, api.MarkRead(member_id=ann))).unread == 0


async def test_of_several_with_one_collapse_key_the_newest_is_shown(desk: Desk) -> None:
    ann = await desk.join("ann@example.org")
    browser = await desk.subscribe(ann, "ann")
    for hour in ("5", "6"):
        await desk.notify(ann, title=f"it comes at {hour}", collapse_key="slot")
    await desk.deliver()
    assert [one["title"] for one in browser.read()] == ["it comes at 6"]
    inbox = await desk.inbox(ann)
    assert ([one.title for one in inbox.items], inbox.unread) == (["it comes at 6"], 1)
    assert sorted(await desk.states()) == ["replaced", "sent"]


async def test_a_push_that_was_shown_and_opened_is_counted_once_and_read(desk: Desk) -> None:
    ann = await desk.join("ann@example.org")
    await desk.subscribe(ann, "ann")
    made = await desk.notify(ann)
    await desk.deliver()
    for what in ("opened", "shown", "opened"):
        ask = api.NoteReceipt(member_id=ann, message_id=made.message_id, what=what)  # type: ignore[arg-type]
        assert (await desk.call(api.note_receipt, ask)).unread == (0)
    with pytest.raises(api.UnknownMessage):
        await desk.call(api.note_receipt, api.NoteReceipt(member_id=uuid4(), message_id=made.message_id, what="shown"))


async def test_nothing_is_pushed_after_an_opt_out_also_of_what_was_queued(desk: Desk) -> None:
    ann = await desk.join("ann@example.org", "marketing")
    browser = await desk.subscribe(ann, "ann")
    await desk.notify(ann, purpose="marketing")
    await desk.notify(ann, purpose="service")
    said = await desk.call(api.opt_out, api.Choose(member_id=ann, purpose="marketing"))
    assert said.opted_out == ("marketing",)
    await desk.deliver()
    assert len(browser.read()) == 1
    assert sorted(await desk.states()) == ["opted-out", "sent"]
    await desk.call(api.opt_out, api.Choose(member_id=ann))
    await desk.notify(ann, purpose="service")
    await desk.deliver()
    assert len(browser.read()) == 1
    for purpose in ("", "marketing"):
        await desk.call(api.opt_in, api.Choose(member_id=ann, purpose=purpose))
    await desk.notify(ann, purpose="marketing")
    await desk.deliver()
    assert len(browser.read()) == 2


async def test_an_opt_out_that_comes_between_the_queue_and_the_push_holds_whatever_the_row_says(desk: Desk) -> None:
    ann = await desk.join("ann@example.org", "marketing")
    browser = await desk.subscribe(ann, "ann")
    await desk.notify(ann, purpose="marketing")
    async with desk.database.platform() as session:  # as if it had been written at the same moment, in another process
        await session.execute(
            "insert into messaging.opt_out (front_end, member_id, purpose) values ('north', $1, '')", ann
        )
    await desk.deliver()
    assert (browser.read(), await desk.states()) == ([], ["opted-out"])


async def test_without_consent_nothing_is_pushed_and_consent_that_was_taken_back_counts(
    desk: Desk,
) -> None:
    ann, bob = await desk.join("ann@example.org", "marketing"), await desk.join("bob@example.org")
    anns, bobs = await desk.subscribe(ann, "ann"), await desk.subscribe(bob, "bob")
    for one in (ann, bob):
        await desk.notify(one, purpose="marketing")
    await desk.deliver()
    assert (len(anns.read()), len(bobs.read())) == (1, 0)
    await desk.notify(ann, purpose="marketing")
    await desk.call(member.update_member, member.UpdateMember(member_id=ann, consents=()))
    await desk.deliver()
    assert len(anns.read()) == 1


@pytest.mark.parametrize(
    ("zone", "hour", "until"),
    [("UTC", 12, None), ("UTC", 22, 32), ("UTC", 3, 8), ("Asia/Shanghai", 12, None), ("Asia/Shanghai", 15, 24),
     ("America/New_York", 3, 12)],
)  # fmt: skip
def test_the_night_is_that_of_the_members_zone(zone: str, hour: int, until: int | None) -> None:
    now = DAY.replace(hour=hour)
    expected = None if until is None else DAY.replace(hour=0) + until * HOUR
    assert rules.quiet_until(now, zone, "21:00-08:00") == expected


async def test_what_can_wait_waits_for_the_morning_and_what_was_ordered_does_not(desk: Desk) -> None:
    ann = await desk.join("ann@example.org", "marketing")
    browser = await desk.subscribe(ann, "ann", zone="Asia/Shanghai")
    night = DAY.replace(hour=15)
    await desk.notify(ann, purpose="marketing", now=night)
    await desk.notify(ann, purpose="service", title="Here", now=night)
    await desk.deliver(night)
    assert [one["title"] for one in browser.read()] == ["Here"]
    await desk.deliver(night + 8 * HOUR)
    assert len(browser.read()) == 1
    await desk.deliver(night + 9 * HOUR)
    assert len(browser.read()) == 2


async def test_a_person_is_pushed_so_much_a_day_over_all_front_ends_and_the_rest_is_in_their_inbox(
    make_desk: MakeDesk,
) -> None:
    desk = await make_desk(per_day=2)
    of_north = await desk.join("ann@example.org", "marketing")
    of_south = await desk.join("ann@example.org", "marketing", front_end="south")
    at_north = await desk.subscribe(of_north, "north")
    tablet = await desk.subscribe(of_north, "tablet")
    at_south = await desk.subscribe(of_south, "south", front_end="south")
    await desk.notify(of_north, purpose="marketing")
    await desk.deliver()
    await desk.notify(of_south, purpose="marketing", front_end="south")
    await desk.deliver(front_end="south")
    await desk.notify(of_south, purpose="marketing", front_end="south")
    await desk.deliver(front_end="south")
    await desk.notify(of_north, purpose="marketing")
    await desk.notify(of_north, purpose="service")
    await desk.deliver()
    assert (len(at_north.read()), len(tablet.read()), len(at_south.read())) == (2, 2, 1)
    assert (await desk.inbox(of_north)).unread == 3
    later = DAY + 25 * HOUR
    await desk.notify(of_north, purpose="marketing", now=later)
    await desk.deliver(later)
    assert len(at_north.read()) == 3
    assert (await desk.call(api.prune, now=DAY + 80 * HOUR)).rows == 3


async def test_an_address_that_is_gone_is_asked_no_more_and_the_inbox_has_it(desk: Desk) -> None:
    ann = await desk.join("ann@example.org")
    gone, there = await desk.subscribe(ann, "gone"), await desk.subscribe(ann, "there")
    desk.service.answer = lambda request: (410 if request.path.endswith("gone") else 201, {})
    await desk.notify(ann)
    await desk.notify(ann)
    await desk.deliver()
    await desk.notify(ann)
    await desk.deliver()
    assert (len(gone.requests()), len(there.requests())) == (2, 3)
    assert sorted(await desk.states()) == ["gone", "gone", "sent", "sent", "sent"]
    assert (await desk.inbox(ann)).unread == 3


async def test_a_slow_service_is_left_alone_for_a_while_and_asked_again_until_it_is_too_late(desk: Desk) -> None:
    ann = await desk.join("ann@example.org")
    browser = await desk.subscribe(ann, "ann")
    desk.service.answer = lambda request: (503, {})
    await desk.notify(ann, ttl_hours=4)
    await desk.deliver()
    await desk.notify(ann)
    await desk.deliver(DAY + timedelta(seconds=10))
    assert len(browser.requests()) == 1  # the second one waits as well
    await desk.deliver(DAY + timedelta(minutes=3))
    assert len(browser.requests()) == 3
    desk.service.answer = lambda request: (201, {})
    await desk.deliver(DAY + 5 * HOUR)
    assert sorted(await desk.states()) == ["expired", "sent"]


async def test_a_service_that_does_not_answer_holds_nobody_up(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async with asyncio.timeout(60):
        server = await asyncio.start_server(lambda reader, writer: asyncio.sleep(3_600), "127.0.0.1", 0)
        ann, bob = await desk.join("ann@example.org"), await desk.join("bob@example.org")
        silent = Browser(desk.service, "silent").subscription()
        silent["address"] = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/silent"
        await desk.call(api.add_endpoint, api.AddEndpoint(member_id=ann, **silent))
        browser = await desk.subscribe(bob, "bob")
        monkeypatch.setattr("isthmus.packs.messaging.service.web.TIMEOUT_S", 0.5)
        await desk.notify(ann)
        await desk.notify(bob)
        await desk.deliver()
        assert (len(browser.read()), sorted(await desk.states())) == (1, ["sent", "waiting"])
        server.close()


class Slow(api.Pusher):
    """Takes a second for each push."""

    name = "slow"
    kinds = ("fcm",)
    began = 0

    async def push(self, push: api.Push) -> api.Receipt:
        self.began += 1
        await asyncio.sleep(1)
        return api.Receipt(state="sent")

    async def close(self) -> None: ...


async def test_what_a_round_has_no_time_for_is_pushed_later_and_what_came_of_the_rest_is_kept(
    make_desk: MakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Slow()
    desk = await make_desk(slow)
    monkeypatch.setattr("isthmus.packs.messaging.service.delivering.AT_ONCE", 1)
    monkeypatch.setattr("isthmus.packs.messaging.service.delivering.ROUND_LIMIT_S", 1.5)
    ann = await desk.join("ann@example.org")
    for name in ("phone", "tablet", "watch"):
        await desk.call(api.add_endpoint, api.AddEndpoint(member_id=ann, kind="fcm", address=name))
    await desk.notify(ann)
    done = await desk.deliver()
    assert (done.tried, done.ended, sorted(await desk.states())) == (3, 1, ["sent", "waiting", "waiting"])
    assert slow.began == 2  # the third had no turn
    monkeypatch.setattr("isthmus.packs.messaging.service.delivering.ROUND_LIMIT_S", 30)
    await desk.deliver(DAY + HOUR)
    assert await desk.states() == ["sent"] * 3


async def test_a_payload_that_no_service_takes_is_refused_before_it_is_queued(desk: Desk) -> None:
    ann = await desk.join("ann@example.org")
    browser = await desk.subscribe(ann, "ann")
    with pytest.raises(api.PayloadTooLarge, match=r"the push has \d+ bytes, and push services take 3800"):
        await desk.notify(ann, body="中" * 1_300)
    await desk.notify(ann, body="x" * 3_600)
    await desk.deliver()
    assert len(browser.requests()[0].body) <= 4_096
    desk.service.answer = lambda request: (413, {})
    await desk.notify(ann)
    await desk.deliver()
    assert sorted(await desk.states()) == ["refused", "sent"]


async def test_a_link_leads_into_the_app_or_to_https_and_runs_nothing() -> None:
    for link in ("/orders/7", "https://shop.example/a", "freshapp://orders/7", "/", ""):
        assert api.Draft(purpose="service", title="x", link=link)
    for link in ("javascript:alert(1)", "//evil.example", "/\\evil.example", "data://x", "http", "ftp:x", "/a b"):
        with pytest.raises(errors.BadAsk):
            decode(encode({"purpose": "service", "title": "x", "link": link}), api.Draft)


@pytest.mark.parametrize(
    "address",
    [
        "https://127.0.0.1/p",
        "https://10.0.0.1/p",
        "https://[::1]/p",
        "http://push.example.org/p",
        "https://169.254.169.254/x",
    ],
)
async def test_no_private_address_is_an_endpoint(desk: Desk, address: str) -> None:
    ann = await desk.join("ann@example.org")
    desk.pushers._by_kind["web"] = strict = web_pusher()
    ask = api.AddEndpoint(member_id=ann, **{**Browser(desk.service).subscription(), "address": address})
    with pytest.raises(api.WrongEndpoint):
        await desk.call(api.add_endpoint, ask)
    await strict.close()


async def test_a_name_that_leads_inside_is_not_called_when_it_is_pushed_to(desk: Desk) -> None:
    strict = web_pusher()
    with pytest.raises(PrivateAddress):
        await strict.caller.post(f"https://localhost:{desk.service.port}/p", {}, b"", 5)
    await strict.close()
    assert desk.service.taken == []


async def test_what_is_no_subscription_is_refused(desk: Desk) -> None:
    ann = await desk.join("ann@example.org")
    subscription = Browser(desk.service).subscription()
    for wrong in ({"p256dh": "AAAA"}, {"auth": "AAAA"}, {"p256dh": "A" * 87}):
        with pytest.raises(api.WrongEndpoint, match="no keys of a subscription"):
            await desk.call(api.add_endpoint, api.AddEndpoint(member_id=ann, **{**subscription, **wrong}))
    with pytest.raises(api.UnknownZone, match="no time zone 'Mars/Olympus'"):
        await desk.call(api.add_endpoint, api.AddEndpoint(member_id=ann, zone="Mars/Olympus", **subscription))
    with pytest.raises(api.UnknownKind, match="no provider pushes to 'apns'; there are web"):
        await desk.call(api.add_endpoint, api.AddEndpoint(member_id=ann, **{**subscription, "kind": "apns"}))


async def test_a_device_that_somebody_else_uses_now_is_not_pushed_what_was_for_the_one_before(desk: Desk) -> None:
    ann, bob = await desk.join("ann@example.org"), await desk.join("bob@example.org")
    browser = await desk.subscribe(ann, "shared")
    await desk.notify(ann, title="For Ann alone")
    await desk.call(api.add_endpoint, api.AddEndpoint(member_id=bob, **browser.subscription()))
    await desk.deliver()
    assert (browser.requests(), await desk.states()) == ([], ["gone"])


async def test_a_device_that_was_cut_off_is_pushed_nothing_from_then_on(desk: Desk) -> None:
    phone, ann = Phone(), await desk.join("ann@example.org")
    await desk.call(devices.register, phone.registration())
    browser = await desk.subscribe(ann, "ann", device_id=phone.device_id)
    await desk.notify(ann)
    await desk.call(devices.cut_off, devices.CutOff(device_id=phone.device_id))
    await desk.deliver()
    assert (browser.requests(), await desk.states()) == ([], ["cut-off"])
    with pytest.raises(api.WrongEndpoint, match="device that was cut off"):
        await desk.subscribe(ann, "again", device_id=phone.device_id)


async def test_an_endpoint_that_was_removed_and_a_member_who_is_forgotten_get_nothing(desk: Desk) -> None:
    ann = await desk.join("ann@example.org")
    browser = await desk.subscribe(ann, "ann")
    made = await desk.call(api.add_endpoint, api.AddEndpoint(member_id=ann, **browser.subscription()))
    assert (await desk.call(api.remove_endpoint, api.RemoveEndpoint(endpoint_id=made.endpoint_id))).is_removed
    assert not (await desk.call(api.remove_endpoint, api.RemoveEndpoint(endpoint_id=made.endpoint_id))).is_removed
    await desk.notify(ann)
    await desk.deliver()
    assert browser.requests() == []


async def test_a_server_that_was_killed_while_pushing_has_it_pushed_again_by_the_next(desk: Desk) -> None:
    """What was claimed (`claim-deliveries`), and never came to `end-deliveries`, is due when a try must be over."""
    ann = await desk.join("ann@example.org")
    browser = await desk.subscribe(ann, "ann")
    await desk.notify(ann)
    async with desk.database.platform_transaction() as session:
        rows = await deliveries.take(session, "north", DAY, 10, UNSEALED)
        await deliveries.decide(session, "north", DAY, [(row, "waiting", DAY + rules.RETRY_FIRST, 1) for row in rows])
    await desk.deliver(DAY + timedelta(seconds=30))
    assert browser.requests() == []
    await desk.deliver(DAY + timedelta(minutes=3))
    assert (len(browser.read()), await desk.states()) == (1, ["sent"])


async def test_the_steps_of_delivering_are_the_platforms_alone(desk: Desk) -> None:
    steps = (
        (api.look_for_work, api.LookForWork()),
        (api.queue_batch, api.QueueBatch()),
        (api.claim_deliveries, api.Claim(limit=1)),
        (api.end_deliveries, api.EndDeliveries(results=())),
    )
    for step, ask in steps:
        with pytest.raises(errors.NotPermitted):
            await desk.call(step, ask)


async def test_what_always_holds_of_pushes_holds(desk: Desk) -> None:
    ann = await desk.join("ann@example.org", "marketing")
    await desk.subscribe(ann, "ann")
    await desk.notify(ann, purpose="marketing")
    await desk.call(api.opt_out, api.Choose(member_id=ann))
    async with desk.database.platform() as session:
        for condition in PACK.conditions:
            assert await session.fetch(condition.sql) == []
        await session.execute(
            "update messaging.delivery set state = 'waiting', ended_at = null, due_at = now() - interval '2 hours'"
        )
        assert len(await session.fetch(PACK.conditions[0].sql)) == 1


def test_time_zones_are_read_once() -> None:
    assert rules.zone("Europe/Berlin") is rules.zone("Europe/Berlin")
    assert rules.zone("../../etc/passwd") is None
    assert re.fullmatch("[0-9a-f]{64}", rules.subject(UUID(int=1)).hex())
