"""Campaigns: to topics and segments, with consent, and each member once however often a server is killed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from typer.testing import CliRunner

from isthmus.kernel import Platform, decode
from isthmus.packs.member import api as member
from isthmus.packs.messaging import api, commands
from isthmus.store import Database

from .conftest import Desk


async def _crowd(desk: Desk, count: int) -> None:
    """Put down members with an endpoint each, as if they had subscribed."""
    async with desk.database.platform() as session:
        await session.execute(
            "insert into messaging.reader (front_end, member_id, zone)"
            " select 'north', md5(n::text)::uuid, 'UTC' from generate_series(1, $1::int) n", count,
        )  # fmt: skip
        await session.execute(
            "insert into messaging.endpoint (front_end, endpoint_id, member_id, kind, address, p256dh, auth, device_id)"
            " select 'north', gen_random_uuid(), md5(n::text)::uuid, 'web', 'https://push.example/' || n, '', '', ''"
            " from generate_series(1, $1::int) n", count,
        )  # fmt: skip


async def _start(desk: Desk, **more: Any) -> api.Campaign:
    draft = api.Draft(purpose=more.pop("purpose", "service"), title="Ripe now", **more.pop("draft", {}))
    return await desk.call(api.start_campaign, api.StartCampaign(name="ripe", draft=draft, **more))


async def _listed(desk: Desk) -> api.Campaign:
    return (await desk.call(api.list_campaigns)).items[0]


async def test_a_campaign_reaches_who_follows_a_topic_and_wants_to_be_told(desk: Desk) -> None:
    ann, bob, eve, joe = [
        await desk.join(f"{name}@example.org", *consents)
        for name, *consents in (("ann", "marketing"), ("bob", "marketing"), ("eve",), ("joe", "marketing"))
    ]
    browsers = {one: await desk.subscribe(one, str(one)) for one in (ann, bob, eve, joe)}
    for one in (ann, bob, eve):
        assert (await desk.call(api.set_topic, api.SetTopic(member_id=one, topic="fruit"))).topics == ("fruit",)
    await desk.call(api.opt_out, api.Choose(member_id=bob, purpose="marketing"))
    await _start(desk, topic="fruit", purpose="marketing")
    await desk.call(api.run_campaigns)
    await desk.deliver()
    assert {one for one, browser in browsers.items() if browser.read()} == {ann}
    found = await _listed(desk)
    assert (found.state, found.messages, found.left_out, found.deliveries) == ("queued", 1, 2, {"sent": 1})
    inbox = await desk.inbox(ann)
    assert (inbox.items[0].title, inbox.unread) == ("Ripe now", 1)
    ask = api.NoteReceipt(member_id=ann, message_id=inbox.items[0].message_id, what="opened")
    await desk.call(api.note_receipt, ask)
    found = await _listed(desk)
    assert (found.shown, found.opened, found.read) == (1, 1, 1)
    assert (await desk.call(api.set_topic, api.SetTopic(member_id=ann, topic="fruit", is_followed=False))).topics == ()


async def test_a_campaign_reaches_the_members_of_a_segment_of_the_data_platform(desk: Desk) -> None:
    ann, bob = await desk.join("ann@example.org", "marketing"), await desk.join("bob@example.org", "marketing")
    ask = member.SetSegments(member_id=ann, segments=("regular",))
    await desk.platform.call(member.set_segments, ask, _platform())
    await desk.subscribe(bob, "bob")
    await _start(desk, segment="regular", purpose="marketing")
    await desk.call(api.run_campaigns)
    assert ((await desk.inbox(ann)).unread, (await desk.inbox(bob)).unread) == (1, 0)  # without any device
    with pytest.raises(api.TwoAudiences):
        await _start(desk, segment="regular", topic="fruit")


async def test_a_campaign_that_is_killed_half_way_goes_on_and_doubles_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "BATCH", 100)
    await _crowd(desk, 1_050)
    await _start(desk)
    await desk.call(api.run_campaigns, api.RunCampaigns(batches=3))
    found = await _listed(desk)
    assert (found.state, found.messages) == ("queuing", 300)
    broken = asyncio.create_task(desk.call(api.run_campaigns))
    await asyncio.sleep(0.02)
    broken.cancel()
    await asyncio.gather(broken, return_exceptions=True)
    await asyncio.gather(*(desk.call(api.run_campaigns) for _ in range(3)))  # several servers at once
    await desk.call(api.run_campaigns)
    found = await _listed(desk)
    assert (found.state, found.messages, found.deliveries) == ("queued", 1_050, {"waiting": 1_050})
    async with desk.database.platform() as session:
        doubled = "select member_id from messaging.message group by 1 having count(*) > 1"
        assert await session.fetch(doubled) == []
        await session.execute("update messaging.campaign set state = 'queuing', reached = $1", UUID(int=0))
    await desk.call(api.run_campaigns)  # even one that has forgotten where it was doubles nothing
    found = await _listed(desk)
    assert (found.messages, found.deliveries) == (1_050, {"waiting": 1_050})


async def test_a_campaign_is_paused_goes_on_and_is_cancelled(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "BATCH", 100)
    await _crowd(desk, 150)
    made = await _start(desk)

    async def steer(act: Any) -> api.Campaign:
        return await desk.call(api.steer_campaign, api.SteerCampaign(campaign_id=made.campaign_id, act=act))

    await desk.call(api.run_campaigns, api.RunCampaigns(batches=1))
    assert (await steer("pause")).state == "paused"
    await desk.call(api.run_campaigns)
    assert (await _listed(desk)).messages == 100
    assert (await desk.deliver()).tried == 0
    await steer("resume")
    await desk.call(api.run_campaigns)
    assert (await _listed(desk)).messages == 150
    assert (await steer("cancel")).deliveries == {"cancelled": 150}
    with pytest.raises(api.CampaignEnded, match=r"campaign \d+ is cancelled"):
        await steer("resume")
    with pytest.raises(api.UnknownCampaign):
        await desk.call(api.steer_campaign, api.SteerCampaign(campaign_id=999, act="pause"))


async def test_a_newer_campaign_takes_the_place_of_an_older_one_with_its_key(desk: Desk) -> None:
    ann = await desk.join("ann@example.org")
    browser = await desk.subscribe(ann, "ann")
    for title in ("Open till 8", "Open till 9"):
        draft = api.Draft(purpose="service", title=title, collapse_key="hours")
        await desk.call(api.start_campaign, api.StartCampaign(name=title, draft=draft))
        await desk.call(api.run_campaigns)
    await desk.deliver()
    assert [one["title"] for one in browser.read()] == ["Open till 9"]
    assert [one.title for one in (await desk.inbox(ann)).items] == ["Open till 9"]


def _platform() -> Any:
    from isthmus.kernel import Caller

    return Caller(front_end="north", is_event_triggered=True)


async def test_a_campaign_is_sent_looked_at_and_steered_from_a_terminal(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, bob = await desk.join("ann@example.org"), await desk.join("bob@example.org")
    browsers = [await desk.subscribe(one, str(one)) for one in (ann, bob)]
    await desk.call(api.opt_out, api.Choose(member_id=bob))
    sending = ["send", "--on", "north", "--title", "Ripe now", "--purpose", "service", "--link", "/fruit"]
    said = await _typed(desk, *sending)
    assert said.output == ("campaign 1 is being queued; `isthmus campaigns status 1 --on north --wait` looks on\n")

    async def serve() -> None:
        while True:
            await desk.call(api.run_campaigns)
            await desk.deliver()
            await asyncio.sleep(0.05)

    monkeypatch.setattr(commands, "LOOKS_EVERY_S", 0.05)
    serving = asyncio.create_task(serve())
    waited = await _typed(desk, "status", "1", "--on", "north", "--wait")
    serving.cancel()
    expected = "1  Ripe now  all, service  queued  messages 1, left out 1, read 0  pushes: 1 sent, opened 0\n"
    assert (waited.stdout, waited.exit_code) == (expected, 0)
    assert [len(one.read()) for one in browsers] == [1, 0]
    assert (await _typed(desk, "list", "--on", "north")).stdout == expected
    assert (await _typed(desk, "list", "--on", "south")).stdout.startswith("south has said nothing to many; `isthmus ")
    await _typed(desk, *sending, "--topic", "fruit")
    for act, state in (("pause", "paused"), ("resume", "queuing"), ("cancel", "cancelled")):
        assert f"  topic fruit, service  {state}  " in (await _typed(desk, act, "2", "--on", "north")).stdout
    as_json = (await _typed(desk, "status", "2", "--on", "north", "--json")).stdout
    assert decode(as_json, api.Campaign) == await _listed(desk)
    unknown = await _typed(desk, "status", "9", "--on", "north")
    assert isinstance(unknown.exception, api.UnknownCampaign)


async def test_who_looks_on_is_told_what_a_campaign_waits_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "LOOKS_EVERY_S", 0.05)
    monkeypatch.setattr(commands, "STUCK_AFTER_S", 0.2)
    await desk.subscribe(await desk.join("ann@example.org"), "ann")
    said = await _typed(desk, "send", "--on", "north", "--title", "x", "--purpose", "service", "--wait")
    assert (said.exit_code, said.stdout) == (1, "")
    assert "campaign 1 has not moved for 0 s, and 0 of its pushes wait: for a server (`isthmus serve`)" in said.stderr


async def _typed(desk: Desk, *words: str) -> Any:
    """Return what a command gives, which runs in a loop of its own."""

    @asynccontextmanager
    async def opening() -> AsyncIterator[Any]:
        async with await Database.open(desk.database.url) as database:
            platform = Platform(desk.platform.release, database)
            platform.resources = desk.platform.resources
            yield SimpleNamespace(platform=platform)

    return await asyncio.to_thread(CliRunner().invoke, commands.commands(opening), list(words))
