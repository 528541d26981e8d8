"""A key made for a purpose sees of persons what that purpose needs, over HTTP and MCP, and reveals on record."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from mcp.client.session import ClientSession
from mcp.client.streamable_http import streamable_http_client

from isthmus.gateway import auth
from isthmus.store import Database
from tests.waiting import until

from .conftest import Served

EMAIL = "ann.lee@example.org"
HOME = {"country": "DE", "city": "Kiel", "street": "Am Kai 17", "postcode": "24103"}
SHOWN = {"support": "a•••@example.org", "auditor": "•••", "analyst": "~"}


@pytest.fixture
async def keys(served: Served) -> dict[str, str]:
    """Give a key for each purpose at north, and one for an analyst at south."""
    async with await Database.open(served.url) as database:
        found = {role: await auth.create_client(database, "north", role, role=role) for role in SHOWN}
        found["south"] = await auth.create_client(database, "south", "analyst", role="analyst")
        found["own"] = await auth.create_client(database, "south", "own")
    return found


async def sold(served: Served, key: str | None = None) -> str:
    facts: dict[str, Any] = {"paid_at_till": None, "channel": "online", "contact_email": EMAIL, "address": HOME}
    return (await served.sell("tea", key=key, **facts))["order_id"]


async def post(served: Served, key: str, name: str, ask: dict[str, Any], **headers: str) -> httpx.Response:
    headers["Authorization"] = f"Bearer {key}"
    return await served.client.post(f"/v1/{name}", json=ask, headers=headers)


async def read(served: Served, key: str, order_id: str, **headers: str) -> httpx.Response:
    return await post(served, key, "order.get-order", {"order_id": order_id}, **headers)


async def test_each_purpose_sees_as_much_of_a_person_as_it_needs_and_a_shops_own_key_all(
    served: Served, keys: dict[str, str]
) -> None:
    order_id = await sold(served)
    assert (await served.call("order.get-order", {"order_id": order_id}))["contact_email"] == EMAIL
    for role, sees in SHOWN.items():
        answer = await read(served, keys[role], order_id)
        assert answer.json()["contact_email"].startswith(sees), role
        assert answer.json()["address"]["country"] == "DE"
        listed = await post(served, keys[role], "order.list-orders", {})
        for text in (answer.text, listed.text):
            assert (EMAIL in text, "Am Kai" in text) == (False, False), role


async def test_a_pseudonym_is_the_same_for_the_same_and_of_nobody_at_another_front_end(
    served: Served, keys: dict[str, str]
) -> None:
    one, two, south = await sold(served), await sold(served), await sold(served, keys["own"])
    seen = [(await read(served, keys["analyst"], order_id)).json()["contact_email"] for order_id in (one, two)]
    there = (await read(served, keys["south"], south)).json()["contact_email"]
    assert seen[0] == seen[1] != there
    assert there.startswith("~")


async def test_an_agent_over_mcp_sees_no_more(served: Served, keys: dict[str, str]) -> None:
    order_id = await sold(served)
    async with (
        httpx.AsyncClient(headers={"Authorization": f"Bearer {keys['support']}"}) as client,
        streamable_http_client(str(served.client.base_url.join("/mcp")), http_client=client) as streams,
        ClientSession(streams[0], streams[1]) as agent,
    ):
        await agent.initialize()
        result = await agent.call_tool("order_get-order", {"order_id": order_id})
    assert result.structured_content is not None
    assert result.structured_content["contact_email"] == SHOWN["support"]
    assert EMAIL not in str(result)


async def test_a_key_for_a_purpose_reads_and_writes_nothing(served: Served, keys: dict[str, str]) -> None:
    identities = [{"kind": "email", "value": "zoe@example.org"}]
    webhook = {"name": "mine", "url": "http://127.0.0.1:9/", "types": ["order.*"]}
    for role in SHOWN:
        for name, ask in (("member.register", {"identities": identities}), ("webhooks.put-endpoint", webhook)):
            assert (await post(served, keys[role], name, ask)).status_code == 403, (role, name)
    assert (await post(served, keys["own"], "member.register", {"identities": identities})).status_code == 200


async def test_what_is_revealed_for_a_reason_is_in_the_audit_log_and_nobody_else_reveals(
    served: Served, keys: dict[str, str]
) -> None:
    order_id, why = await sold(served), "the parcel of 4711 came back"
    assert EMAIL in (await read(served, keys["support"], order_id, **{"Isthmus-Reveal": why})).text
    assert EMAIL not in (await read(served, keys["support"], order_id)).text, "once"
    refused = await read(served, keys["analyst"], order_id, **{"Isthmus-Reveal": why})
    assert (refused.status_code, EMAIL in refused.text) == (403, False)
    unread = await read(served, keys["support"], order_id, **{"Isthmus-Reveal": "x"})
    assert (unread.status_code, "Isthmus-Reveal" in unread.text) == (400, True)

    async def is_written() -> bool:
        said = await served.call("audit.list-entries", {"capability": "persons.reveal"})
        return any(why in json.dumps(one) and one["record"]["client"] == "support" for one in said["items"])

    await until(is_written, "the entry is sealed")


async def test_a_key_is_made_for_what_there_is_and_so_is_the_one_that_follows_it(
    served: Served, keys: dict[str, str]
) -> None:
    async with await Database.open(served.url) as database:
        with pytest.raises(auth.WrongClient, match="take one of support, analyst, auditor"):
            await auth.create_client(database, "north", "x", role="owner")
        key = await auth.rotate_client(database, "north", "support", overlap=timedelta(hours=1))
    assert EMAIL not in (await read(served, key, await sold(served))).text
