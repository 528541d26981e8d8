"""Events through a real NATS server: each outside in its order, once in effect, and back in again."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from typing import Any

import pytest
from nats.aio.client import Client
from nats.js.api import StreamConfig

from isthmus.kernel import Caller, errors
from isthmus.manifest import Place
from isthmus.packs.broker import api, rules
from isthmus.packs.broker.service.jetstream import Broker, BrokerSettings, NoClient, Taking
from isthmus.store import Outbox
from tests.waiting import until

from .conftest import Desk, Server, stored

SAID = "isthmus.north.desk.said"


def at(server: Server, **more: Any) -> BrokerSettings:
    return BrokerSettings(url=server.url, **more)


async def test_events_go_to_the_broker_as_cloud_events_in_their_order(
    desk: Desk, server: Server, client: Client
) -> None:
    async with desk.carrying(at(server)):
        await desk.say("ann", "bob", "cyd")
        await desk.say("dan", front_end="south")
        found = await stored(client, 4)
    assert [one.subject for one in found] == [SAID, SAID, SAID, "isthmus.south.desk.said"]
    said = [json.loads(one.data) for one in found]
    assert [one["data"]["name"] for one in said] == ["ann", "bob", "cyd", "dan"]
    assert [one.headers["Nats-Msg-Id"] for one in found] == [one["id"] for one in said]
    assert found[0].headers["Content-Type"] == "application/cloudevents+json"
    assert "ann@example.org" not in str(said)  # whoever reads a broker is nobody in particular


async def test_personal_data_goes_out_where_the_settings_say_so(desk: Desk, server: Server, client: Client) -> None:
    async with desk.carrying(at(server, personal=True)):
        await desk.say("ann")
        (found,) = await stored(client, 1)
    assert json.loads(found.data)["data"]["email"] == "ann@example.org"


async def test_what_happens_while_the_broker_is_down_comes_later_and_once(
    desk: Desk, server: Server, client: Client
) -> None:
    async with desk.carrying(at(server)):
        await desk.say("ann")
        await stored(client, 1)
        server.stop()
        try:
            await desk.say("bob", "cyd")  # nobody here waits for the broker
        finally:
            server.start()
        await desk.say("dan")
        found = await stored(client, 4)
    assert [json.loads(one.data)["data"]["name"] for one in found] == ["ann", "bob", "cyd", "dan"]


async def test_an_event_that_is_sent_again_is_stored_once(desk: Desk, server: Server, client: Client) -> None:
    async with desk.carrying(at(server)):
        await desk.say("ann", "bob")
        await stored(client, 2)
    await Outbox(desk.database).move_to("broker", 0)  # as after a crash between sending and writing down
    async with desk.carrying(at(server)):
        await desk.say("cyd")
        found = await stored(client, 3)
    assert [json.loads(one.data)["data"]["name"] for one in found] == ["ann", "bob", "cyd"]


async def test_a_full_stream_holds_events_back_and_loses_none(desk: Desk, server: Server, client: Client) -> None:
    stream = client.jetstream()
    full = StreamConfig(name="ISTHMUS", subjects=["isthmus.>"], max_msgs=1, discard="new")  # type: ignore[arg-type]
    await stream.add_stream(full)
    async with desk.carrying(at(server)):
        await desk.say("ann", "bob", "cyd")
        await until(lambda: _failing(desk))
        full.max_msgs = 100
        await stream.update_stream(full)
        found = await stored(client, 3)
    assert [json.loads(one.data)["data"]["name"] for one in found] == ["ann", "bob", "cyd"]


async def _failing(desk: Desk) -> bool:
    states = await Outbox(desk.database).states()
    return any(one.consumer == "broker" and one.failures for one in states)


async def test_a_stream_of_other_subjects_is_left_alone(desk: Desk, server: Server, client: Client) -> None:
    await client.jetstream().add_stream(name="ISTHMUS", subjects=["theirs.>"])
    with pytest.raises(errors.Conflict, match=r"not of isthmus\.>"):
        await desk.broker(at(server)).run(None)  # type: ignore[arg-type]


async def test_what_others_say_is_taken_in_once_for_its_front_end(desk: Desk, server: Server, client: Client) -> None:
    stream = client.jetstream()
    await stream.add_stream(name="CRM", subjects=["crm.>"])
    taking = Taking(stream="CRM", subject="crm.>", front_end="north")
    moved = {"specversion": "1.0", "id": "7", "source": "/crm", "type": "crm.moved", "subject": "ann"}
    async with desk.carrying(at(server, takes=(taking,))):
        for _ in range(2):  # at least once is what others promise
            await stream.publish("crm.moved", json.dumps({**moved, "data": {"to": "Kiel"}}).encode())
        await stream.publish("crm.moved", b"no event at all")
        binary = {f"ce-{name}": value for name, value in {**moved, "id": "8"}.items()}
        await stream.publish("crm.moved", b'{"to": "Bonn"}', headers=binary)
        found = await until(lambda: _taken(desk, 2))
    assert [one[0] for one in found] == ["north", "north"]
    assert [(one["id"], one["type"], json.loads(one["data"])) for _, one in found] == [
        ("7", "crm.moved", {"to": "Kiel"}),
        ("8", "crm.moved", {"to": "Bonn"}),
    ]


async def _taken(desk: Desk, count: int) -> list[Any]:
    found = await desk.emitted("broker.outside-event")
    return found if len(found) >= count else []


async def test_what_cannot_be_taken_in_now_comes_again(
    desk: Desk, server: Server, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isthmus.packs.broker.service.jetstream.AGAIN_FIRST_S", 0.01)
    stream = client.jetstream()
    await stream.add_stream(name="CRM", subjects=["crm.>"])
    event = {"specversion": "1.0", "id": "7", "source": "/crm", "type": "crm.moved", "data": None}
    south = Taking(stream="CRM", subject="crm.>", front_end="south")  # which does not use `broker.take`
    async with desk.carrying(at(server, takes=(south,))):
        await stream.publish("crm.moved", json.dumps(event).encode())
        name = (await until(lambda: stream.consumers_info("CRM")))[0].name
        await until(lambda: _redelivered(stream, name))
    assert await desk.emitted("broker.outside-event") == []
    assert (await stream.stream_info("CRM")).state.messages == 1


async def _redelivered(stream: Any, name: str) -> bool:
    return (await stream.consumer_info("CRM", name)).num_redelivered > 0


async def test_without_an_address_nothing_is_kept_for_a_broker(desk: Desk) -> None:
    outbox = Outbox(desk.database)
    await outbox.subscribe("broker")
    async with desk.carrying(BrokerSettings()) as working:
        await until(lambda: _unknown(outbox))
        assert not working.done()


async def _unknown(outbox: Outbox) -> bool:
    return not any(one.consumer == "broker" for one in await outbox.states())


def test_a_broker_needs_its_library(monkeypatch: pytest.MonkeyPatch, desk: Desk) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(NoClient, match="nats-py is not installed"):
        Broker(Place(database=desk.database, settings=BrokerSettings(url="nats://127.0.0.1:4222")))


@pytest.mark.parametrize(
    ("headers", "body", "because"),
    [
        ({}, b"[1]", "no object"),
        ({}, b"\xff", "no JSON"),
        ({}, b"[" * 100_000, "no JSON"),
        ({}, b'{"id": "1"}', "specversion"),
        ({}, b'{"specversion": "1.0", "source": "/a", "type": "b"}', "id"),
        ({}, b'{"specversion": "1.0", "id": 7, "source": "/a", "type": "b"}', "id"),
        ({}, b'{"specversion": "1.0", "id": "1", "source": "/a", "type": "b", "data_base64": "AA=="}', "binary"),
        ({"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/a", "ce-type": "b"}, b"{", "no JSON"),
    ],
)
def test_what_is_no_cloud_event_says_why(headers: dict[str, str], body: bytes, because: str) -> None:
    with pytest.raises(rules.NotACloudEvent, match=because):
        rules.event_of(headers, body)


async def test_a_key_takes_in_the_same_event_once(desk: Desk) -> None:
    caller = Caller(front_end="north", client="broker")
    draft = api.OutsideEventDraft(id="1", source="/a", type="b.c")
    await asyncio.gather(*(desk.platform.call(api.take, draft, caller, key="broker/1") for _ in range(4)))
    assert len(await desk.emitted("broker.outside-event")) == 1
