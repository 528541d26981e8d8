"""A console without people: its token and the cookie, which is not the token; whose forms count."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, cast

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from isthmus.console.client import Client
from isthmus.console.sign_in import COOKIE_AGE_S, Operators, check_way
from isthmus.console.web import Page, console, form
from isthmus.kernel import Platform, Registry, errors

TOKEN = "an-operator"


async def show(request: Request) -> Response:
    return PlainTextResponse("shown")


async def act(request: Request) -> Response:
    return PlainTextResponse(f"done {sorted(await form(request))}")


async def mounted(scope: Any, receive: Any, send: Any) -> None:
    await CONSOLE({**scope, "root_path": "/console"}, receive, send)


NO_PACKS = Client(Platform(Registry().freeze(), cast(Any, None)))
CONSOLE = console([Page("/orders", "", show), Page("/act", "", act, ("POST",))], Operators(TOKEN), NO_PACKS)


def client(base: str = "http://10.0.0.5:8080") -> httpx.AsyncClient:
    transport = httpx.ASGITransport(mounted, raise_app_exceptions=False)  # type: ignore[arg-type]
    return httpx.AsyncClient(transport=transport, base_url=f"{base}/console/")


@pytest.fixture
async def operator() -> AsyncIterator[httpx.AsyncClient]:
    """Give a browser that is signed in."""
    async with client() as signed:
        assert (await signed.get("orders", params={"token": TOKEN})).status_code == 303
        yield signed


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://10.0.0.5:8080"}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://console.example"}, 200),  # behind a proxy
        ({"Origin": "http://10.0.0.5:9999"}, 403),
        ({"Origin": "http://10.0.0.5"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://10.0.0.5:8080.evil.example"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://10.0.0.5:8080"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": ""}, 403),
    ],
)
async def test_only_a_form_of_this_very_address_acts(
    operator: httpx.AsyncClient, headers: dict[str, str], status: int
) -> None:
    assert (await operator.post("act", data={"a": "b"}, headers=headers)).status_code == status
    assert (await operator.get("orders", headers=headers)).status_code == 200


async def test_the_cookie_is_not_the_token_and_differs_each_time(operator: httpx.AsyncClient) -> None:
    async with client() as other:
        reply = await other.get("orders", params={"token": TOKEN, "q": "a b"})
        held = [one.cookies["isthmus_session"] for one in (operator, other)]
    assert held[0] != held[1]
    assert TOKEN not in held[0]
    said = reply.headers["set-cookie"].lower()
    assert all(word in said for word in ("httponly", "samesite=strict", "path=/console"))
    assert reply.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("spoilt", ["", TOKEN, "9" * 5_000, "1.2.3", "..", "\u00e9.\u00b2.x"])
async def test_what_was_not_signed_is_nobody(spoilt: str) -> None:
    async with client() as other:
        reply = await other.get("orders", headers={"cookie": f"isthmus_session={spoilt}".encode()})  # type: ignore[dict-item]
        assert reply.status_code == 401


@pytest.mark.parametrize("path", ["orders?token=an-operator", "orders/", "orders/?token=an-operator"])
async def test_no_redirect_leads_to_the_host_that_a_request_names(operator: httpx.AsyncClient, path: str) -> None:
    reply = await operator.get(path, headers={"Host": "evil.example"})
    assert not reply.is_redirect or reply.headers["location"].startswith("/console/orders")
    double = await operator.get(httpx.URL("http://10.0.0.5:8080//evil.example/?token=an-operator"))
    assert not double.headers.get("location", "").startswith("//")


async def test_over_https_the_cookie_belongs_to_this_host_alone() -> None:
    async with client("https://console.example") as secure:
        reply = await secure.get("orders", params={"token": TOKEN})
        said = reply.headers["set-cookie"]
        assert said.startswith("__Host-isthmus_session=")
        assert all(word in said.lower() for word in ("secure", "path=/;", "samesite=strict"))
        assert "domain" not in said.lower()
        assert (await secure.get("orders")).status_code == 200


async def test_a_cookie_ends_with_the_working_day() -> None:
    now = 1_000.0
    operators = Operators(TOKEN, lambda: now)
    request = Request({"type": "http", "method": "GET", "path": "/", "headers": [], "scheme": "http"})
    reply = Response()
    operators.sign_in(request, reply)
    cookie = reply.headers["set-cookie"].partition(";")[0].partition("=")[2]
    assert await operators.known(cookie)
    assert not await Operators("another", lambda: now).known(cookie)
    now += COOKIE_AGE_S + 1
    assert not await operators.known(cookie)


@pytest.mark.parametrize(
    ("address", "is_safe"),
    [
        ("http://127.0.0.1:8080", True),
        ("http://localhost:8080", True),
        ("http://[::1]:8080", True),
        ("https://console.example", True),
        ("http://console.example", False),
        ("http://10.0.0.5:8080", False),
        ("http://localhost.evil.example", False),
    ],
)
def test_people_sign_in_over_https_or_on_the_machine_itself(address: str, is_safe: bool) -> None:
    scheme, _, host = address.partition("://")
    headers = [(b"host", host.encode())]
    request = Request({"type": "http", "method": "POST", "path": "/", "headers": headers, "scheme": scheme})
    if is_safe:
        check_way(request)
    else:
        with pytest.raises(errors.NotPermitted, match="whoever listens on the way"):
            check_way(request)


@pytest.mark.parametrize("token", ["\u00e9", "\0", "x" * 10_000])
async def test_any_token_that_is_not_the_servers_is_wrong(token: str) -> None:
    async with client() as stranger:
        assert (await stranger.get("orders", params={"token": token})).status_code == 401


@pytest.mark.parametrize("body", [b"\xff", b"a=%ff", b"=&=&&", b"a" * (300 << 10), b"%", b"a=" + b"\0"])
async def test_a_malformed_form_is_never_a_defect(operator: httpx.AsyncClient, body: bytes) -> None:
    assert (await operator.post("act", content=body)).status_code in (200, 400)
