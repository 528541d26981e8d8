"""Limits that hold at all servers together: what one has given out, the others do not give again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from isthmus.app.config import WrongConfig, load_config
from isthmus.console.client import Client
from isthmus.console.web import Page, console
from isthmus.gateway import auth
from isthmus.gateway.allowances import Allowances
from isthmus.gateway.wire.problem import RateExceeded
from isthmus.kernel import Platform, Registry
from isthmus.manifest.sign_in import Person, SignIn
from isthmus.store import Database
from isthmus.store.watched import watched
from tests.flows.conftest import ALL, shop_of, stocked
from tests.flows.serving import Server

FreshDatabase = Callable[[], AbstractAsyncContextManager[str]]
MOST = 40
NORTH = f"""
from isthmus.kernel import FrontEnd
FRONT_END = FrontEnd(code="north", name="North", owner="north team", uses={ALL!r})
"""


class Hands:
    """A clock that tests set."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


async def given(one: Allowances, who: str, times: int, kind: str = "key") -> int:
    """Return how many calls are given."""
    found = 0
    for _ in range(times):
        with suppress(RateExceeded):
            await one.take(kind, who)  # type: ignore[arg-type]
            found += 1
    return found


async def test_two_servers_together_give_what_is_allowed_and_no_more(database: Database) -> None:
    one, other = (Allowances(database, {"key": MOST}) for _ in range(2))
    both = await asyncio.gather(*(given(server, "north/till", MOST) for server in (one, other)))
    assert sum(both) == MOST
    assert await given(one, "north/other", 1) == 1


async def test_many_calls_at_once_are_not_given_more(database: Database) -> None:
    servers = [Allowances(database, {"address": MOST}) for _ in range(3)]
    taken = await asyncio.gather(*(given(servers[at % 3], "10.0.0.1", 1, "address") for at in range(3 * MOST)))
    assert sum(taken) == MOST


async def test_a_new_minute_gives_anew(database: Database) -> None:
    clock = Hands()
    one = Allowances(database, {"key": MOST}, clock)
    assert await given(one, "north/till", MOST + 1) == MOST
    async with database.platform() as session:
        await session.execute("update isthmus.allowance set began = began - interval '1 minute'")
    assert await given(one, "north/till", 1) == 0, "this server knows that its minute is not over"
    clock.now += 61
    assert await given(one, "north/till", MOST + 1) == MOST


async def test_most_calls_ask_nobody_and_what_is_not_limited_is_never_asked_about(database: Database) -> None:
    one = Allowances(database, {"key": 400})
    with watched() as found:
        assert await given(one, "north/till", 200) == 200
        assert await given(one, "ada", 200, "person") == 200
    assert 1 <= len([text for text in (each.text for each in found) if "lease_calls" in text]) <= 10
    async with database.platform() as session:
        rows = await session.fetch("select kind, who, used from isthmus.allowance")
    assert [tuple(row) for row in rows] == [("key", "north/till", 200)]


async def test_what_is_refused_says_when_to_come_again(database: Database) -> None:
    one = Allowances(database, {"key": 1})
    await one.take("key", "north/till")
    with pytest.raises(RateExceeded, match="1 calls that it may make in a minute at all servers") as refused:
        await one.take("key", "north/till")
    assert refused.value.facts["retry_after_s"] in range(1, 61)


def test_settings_that_are_no_limits_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "isthmus.toml"
    for wrong in ("key_per_minute = 0", 'address_per_minute = "many"', "device_per_minute = 3"):
        file.write_text(f"[limits]\n{wrong}\n")
        with pytest.raises(WrongConfig):
            load_config(file)
    file.write_text("[limits]\nkey_per_minute = 600\nperson_per_minute = 60\n")
    assert load_config(file).limits == {"key": 600, "person": 60}


@pytest.fixture
async def servers(
    fresh_database: FreshDatabase, tmp_path: Path
) -> AsyncIterator[tuple[tuple[str, str], str, Database]]:
    """Give the addresses of two servers of one platform, and a key of it."""
    folder = tmp_path / "front_ends" / "north"
    folder.mkdir(parents=True)
    (folder / "front_end.py").write_text(NORTH)
    async with fresh_database() as url, await Database.open(url) as database:
        await stocked(shop_of(database))
        key = await auth.create_client(database, "north", "till")
        limits = f"[limits]\nkey_per_minute = {MOST}\naddress_per_minute = {3 * MOST}\n"
        (tmp_path / "isthmus.toml").write_text(limits)
        both = [Server(tmp_path, url) for _ in range(2)]
        try:
            for server in both:
                await server.start()
            first, second = (f"http://127.0.0.1:{server.port}" for server in both)
            yield (first, second), key, database
        finally:
            for server in both:
                server.stop()


async def test_a_key_and_an_address_have_one_limit_at_two_real_servers(
    servers: tuple[tuple[str, str], str, Database],
) -> None:
    addresses, key, database = servers
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(timeout=60) as client:
        began = time.monotonic()
        calls = [
            await client.post(f"{addresses[at % 2]}/v1/payment.list-methods", json=ASK, headers=headers)
            for at in range(2 * MOST)
        ]
        pages = [await client.get(f"{addresses[at % 2]}/console/", headers={}) for at in range(3 * MOST)]
        took_s = time.monotonic() - began
        healthy = [(await client.get(f"{one}/health")).status_code for one in addresses]
    given = [one.status_code for one in calls].count(200)
    minutes = 1 + int(took_s // 60)
    assert MOST <= given <= MOST * minutes
    assert {one.status_code for one in calls} == {200, 429}
    refused = next(one for one in calls if one.status_code == 429)
    assert (refused.json()["slug"], int(refused.headers["retry-after"]) > 0) == ("gateway.rate-exceeded", True)
    assert 429 in [one.status_code for one in pages]
    assert [one.status_code for one in (*calls, *pages)].count(429) >= 5 * MOST - 3 * MOST * minutes
    assert healthy == [200, 200]
    async with database.platform() as session:
        kinds = await session.fetch("select kind, who from isthmus.allowance order by kind")
    assert [(one["kind"], one["who"]) for one in kinds] == [("address", "127.0.0.1"), ("key", "north/till")]


ASK = {"amount": {"minor": 1000, "currency": "EUR"}}


class Everybody:
    """Signs in whoever's session says their name."""

    template = "sign_in.html"
    offers: Mapping[str, Any] = {}

    async def known(self, session: str) -> Person | None:
        return Person(name=session) if session else None

    async def first_link(self, secret: str) -> str:
        return ""


async def test_a_person_has_one_limit_at_the_consoles_of_two_servers(database: Database) -> None:
    async def show(request: Request) -> Response:
        return PlainTextResponse("shown")

    platform = Client(Platform(Registry().freeze(), database))
    pages, sites = [Page("/orders", "", show)], list[Any]()
    for _ in range(2):
        allow = partial(Allowances(database, {"person": MOST}).take, "person")
        sites.append(console(pages, cast(SignIn, Everybody()), platform, allow=allow))
    found: dict[str, list[int]] = {"ada": [], "bob": []}
    for at in range(2 * MOST):
        transport = httpx.ASGITransport(sites[at % 2])
        name = "ada" if at < 2 * MOST - 1 else "bob"
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            reply = await client.get("/orders", headers={"cookie": f"isthmus_session={name}"})
        found[name].append(reply.status_code)
    assert (found["ada"].count(200), found["ada"].count(429)) == (MOST, MOST - 1)
    assert found["bob"] == [200]
