"""Obligations that are not met: what failed is said, and how to fix it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import msgspec
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from isthmus.flows.ventures import api as ventures
from isthmus.packs.account.service.accounts import accounts_of
from isthmus.packs.venture import api as venture

from .box import Box
from .conftest import World
from .proxy import Changed, between


def leaks(request: Request, sent: httpx.Response) -> Response | None:
    """Show sales to whoever asks."""
    if request.url.path == "/obligations/sales" and sent.status_code == 401:
        return JSONResponse({"items": []})
    return None


def forgets_its_audit(request: Request, sent: httpx.Response) -> Response | None:
    return JSONResponse({"items": []}) if request.url.path == "/obligations/audit" and sent.is_success else None


def _with_contract(change: Any) -> Changed:
    def changed(request: Request, sent: httpx.Response) -> Response | None:
        if request.url.path != "/obligations/contract" or not sent.is_success:
            return None
        found = msgspec.json.decode(sent.content)
        change(found)
        return JSONResponse(found)

    return changed


def _marks_nothing(found: dict[str, Any]) -> None:
    found["keeps"] = []


def _hides_the_tax(found: dict[str, Any]) -> None:
    found["sales"] = [one for one in found["sales"] if one["name"] != "tax_minor"]


def _says_text(found: dict[str, Any]) -> None:
    found["sales"] = [{**one, "type": "string"} if one["name"] == "net_minor" else one for one in found["sales"]]


def rewrites(request: Request, sent: httpx.Response) -> Response | None:
    """Show another last entry than was sent before."""
    if request.url.path != "/obligations/journal" or not sent.is_success:
        return None
    found = msgspec.json.decode(sent.content)
    if not found["items"]:
        return None
    for one in found["items"]:
        one["entry"] = one["entry"].replace('"sale"', '"gift"').replace('"payment-received"', '"gift"')
        one["entry"] = one["entry"].replace('"refund"', '"gift"')
    return JSONResponse(found)


def sends_texts(request: Request, sent: httpx.Response) -> Response | None:
    return Response("no page") if request.url.path == "/obligations/journal" and sent.is_success else None


@pytest.mark.parametrize(
    ("changed", "obligation", "said", "remedy"),
    [
        (leaks, "security", "/obligations/sales without a key answers 200", "answer 401"),
        (forgets_its_audit, "security", "its audit does not have", "write down who asks"),
        (_with_contract(_marks_nothing), "security", "where it keeps personal data", "list each place"),
        (_with_contract(_hides_the_tax), "export", "no field 'tax_minor'", "add"),
        (_with_contract(_says_text), "export", "'net_minor' as 'string'", "integer"),
        (rewrites, "books", "was rewritten", "correct a booking by another entry"),
        (sends_texts, "books", "not signed with the key", "Ed25519"),
    ],
)
async def test_what_is_not_met_is_said_with_how_to_mend_it(
    world: World, changed: Changed, obligation: venture.ObligationName, said: str, remedy: str
) -> None:
    await world.call(ventures.pull, ventures.Pull())
    if not (await world.standing()).sales:
        await world.sell("first@example.org", "discovery")
        await world.call(ventures.pull, ventures.Pull())
    async with between(world.box.url, changed) as url:
        with world.charter_with("box", world.box.url, url):
            (found,) = (await world.call(ventures.check, ventures.Check(obligations=(obligation,)))).items
    assert not found.is_met
    assert said in found.said
    assert remedy in found.remedy
    after = await world.call(ventures.check, ventures.Check(obligations=(obligation,)))
    assert after.is_met, after.items
    assert after.items[0].since >= found.since


async def test_a_venture_that_believes_forged_tokens_is_found_out(world: World) -> None:
    """It looks who a token says it is, and not who signed it."""

    def believes(request: Request, sent: httpx.Response) -> Response | None:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if request.url.path != "/api/me" or token.count(".") != 2:
            return _moved(sent)
        body = token.split(".")[1]
        claims = msgspec.json.decode(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return JSONResponse({"sub": claims["sub"]})

    other = Box(world.folder / "other", world.box.issuer, "")
    async with between(other.url, believes) as url:
        other.environment["BOX_ADDRESS"] = url
        await other.start()
        try:
            with world.charter_with("box", world.box.url, url), _provider_knows(world, url):
                (found,) = (await world.call(ventures.check, ventures.Check(obligations=("identity",)))).items
        finally:
            other.kill()
    assert not found.is_met
    assert "answers 200 to a token signed by somebody else" in found.said
    assert "published keys" in found.remedy


def _moved(sent: httpx.Response) -> Response | None:
    """Pass on where a browser is led, and what it keeps."""
    if not (location := sent.headers.get("location")):
        return None
    reply = Response(status_code=sent.status_code, headers={"location": location})
    for one in sent.headers.get_list("set-cookie"):
        reply.headers.append("set-cookie", one)
    return reply


@contextmanager
def _provider_knows(world: World, url: str) -> Iterator[None]:
    """Have the group send people back to where the proxy listens too."""
    settings = accounts_of(world.running).settings
    usual = settings.clients["box"]
    settings.clients["box"] = usual.replace(redirects=(*usual.redirects, f"{url}/callback"))
    try:
        yield
    finally:
        settings.clients["box"] = usual


async def test_a_client_that_the_group_does_not_know_is_said_with_the_line_to_write(world: World) -> None:
    found = (await world.call(ventures.check, ventures.Check(obligations=("identity",)), "liar")).items[0]
    assert "knows no client 'liar'" in found.said
    assert "[settings.account.clients.liar]" in found.remedy


async def test_data_in_the_clear_is_not_met(world: World) -> None:
    with world.charter_with("liar", "http://127.0.0.1:9", "http://box.example"):
        found = (await world.call(ventures.check, ventures.Check(obligations=("security",)), "liar")).items[0]
    assert "sends data in the clear" in found.said
    assert "https" in found.remedy
