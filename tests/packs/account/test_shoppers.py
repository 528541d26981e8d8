"""One account for the group: signed in at one shop is so at the next; what is stolen, replayed or moved fails."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from starlette.requests import Request
from starlette.responses import Response

from isthmus.packs.account import rules, storage
from isthmus.packs.account.pages.browser import keep
from isthmus.packs.account.rules import SESSION
from isthmus.packs.account.service.accounts import LOGOUT, Accounts
from isthmus.packs.account.service.keys import DataKey

from .conftest import ADDRESS, World


async def test_who_is_signed_in_at_one_shop_is_so_at_the_next_once_they_allow_it(world: World) -> None:
    async with world.browser() as browser:
        at_north = await world.sign_in(browser)
        page = await browser.get("http://south.test/enter")
        assert page.url.path == "/account/consent", page.text
        assert ADDRESS in page.text
        at_south = (await browser.post(page.url, data={"act": "allow"})).json()
        again = await browser.get("http://south.test/enter")
        assert (at_south["sub"], at_south["email"]) == (at_north["sub"], ADDRESS)
        assert again.json()["sub"] == at_north["sub"], "asked once"


async def test_a_shop_that_is_not_allowed_to_know_learns_nothing(world: World) -> None:
    async with world.browser() as browser:
        await world.sign_in(browser)
        page = await browser.get("http://south.test/enter")
        browser.follow_redirects = False
        refused = await browser.post(page.url, data={"act": "deny"})
        assert parse_qs(urlsplit(refused.headers["location"]).query)["error"] == ["access_denied"]
        silent = await browser.get("http://south.test/enter?prompt=none")
        answer = await browser.get(silent.headers["location"])
        assert parse_qs(urlsplit(answer.headers["location"]).query)["error"] == ["consent_required"]
    assert world.shops["south"].tokens == []


async def test_a_link_is_good_once_and_in_the_browser_that_asked_alone(world: World) -> None:
    async with world.browser() as browser, world.browser() as thief:
        link = await world.ask(browser)
        await thief.get("http://north.test/enter")  # so that something is under way there too
        assert (await world.use(thief, link)).status_code == 401
        forged = f"{link.partition('.')[0]}.{'x' * 43}"
        assert (await world.use(browser, forged)).status_code == 401
        assert (await browser.get(f"{world.accounts.issuer}/link?link={link}")).status_code == 200, (
            "looking uses none up"
        )
        assert (await world.use(browser, link)).url.host == "north.test"
        await browser.get("http://south.test/enter")
        assert (await world.use(browser, link)).status_code == 401


async def test_a_refresh_token_that_is_used_twice_ends_the_whole_family(world: World) -> None:
    async with world.browser() as browser:
        await world.sign_in(browser)
    (first,) = world.shops["north"].tokens
    grant = {"grant_type": "refresh_token", "client_id": "north"}
    second = (await world.post("token", **grant, refresh_token=first["refresh_token"])).json()
    async with httpx.AsyncClient() as client:
        bearer = {"authorization": f"Bearer {second['access_token']}"}
        assert (await client.get(f"{world.accounts.issuer}/userinfo", headers=bearer)).json()["email"] == ADDRESS
        stolen = await world.post("token", **grant, refresh_token=first["refresh_token"])
        assert (stolen.status_code, stolen.json()["error"]) == (400, "invalid_grant")
        assert (await world.post("token", **grant, refresh_token=second["refresh_token"])).status_code == 400
        assert (await client.get(f"{world.accounts.issuer}/userinfo", headers=bearer)).status_code == 401
    async with world.database.platform() as session:
        reused = await session.fetch("select content from audit.pending where content like '%token-reused%'")
    assert len(reused) == 1


async def test_of_two_who_bring_one_refresh_token_at_once_at_most_one_gets_tokens(world: World) -> None:
    async with world.browser() as browser:
        await world.sign_in(browser)
    form = {"grant_type": "refresh_token", "client_id": "north"}
    form["refresh_token"] = world.shops["north"].tokens[0]["refresh_token"]
    replies = await asyncio.gather(*(world.post("token", **form) for _ in range(4)))
    assert sorted(one.status_code for one in replies) == [200, 400, 400, 400]


@pytest.mark.parametrize(
    "changed",
    [
        {"code_verifier": "y" * 43},
        {"redirect_uri": "http://south.test/back"},
        {"client_id": "south"},
        {"client_id": "nobody"},
        {"grant_type": "password"},
        {"client_secret": "guessed"},
    ],
    ids=str,
)
async def test_a_code_is_good_for_who_asked_for_it_and_as_they_asked_alone(
    world: World, changed: dict[str, str]
) -> None:
    async with world.browser() as browser:
        form = await _code(world, browser)
        assert (await world.post("token", **{**form, **changed})).status_code in (400, 401)


async def test_a_code_that_is_brought_twice_ends_what_came_of_it(world: World) -> None:
    async with world.browser() as browser:
        form = await _code(world, browser)
    tokens = (await world.post("token", **form)).json()
    assert (await world.post("token", **form)).json()["error"] == "invalid_grant"
    grant = {"grant_type": "refresh_token", "client_id": "north", "refresh_token": tokens["refresh_token"]}
    assert (await world.post("token", **grant)).status_code == 400


async def _code(world: World, browser: httpx.AsyncClient) -> dict[str, str]:
    """Return a code that a shop has not used yet, with what it proves."""
    await world.sign_in(browser)
    verifier = "v" * 64
    browser.follow_redirects = False
    reply = await browser.get(f"{world.accounts.issuer}/authorize", params=_asked(verifier))
    code = parse_qs(urlsplit(reply.headers["location"]).query)["code"][0]
    return {
        "grant_type": "authorization_code", "code": code, "client_id": "north", "code_verifier": verifier,
        "redirect_uri": "http://north.test/back",
    }  # fmt: skip


def _asked(verifier: str = "v" * 64, **changed: str) -> dict[str, str]:
    challenge = rules.base64.urlsafe_b64encode(rules.hash_of(verifier)).decode().rstrip("=")
    return {
        "client_id": "north", "redirect_uri": "http://north.test/back", "response_type": "code", "state": "s",
        "scope": "openid email offline_access", "code_challenge": challenge, "code_challenge_method": "S256", **changed,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"redirect_uri": "http://evil.test/back"}, ""),
        ({"redirect_uri": "http://north.test/back/../evil"}, ""),
        ({"client_id": "south"}, ""),
        ({"client_id": "\0"}, ""),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "email"}, "invalid_scope"),
        ({"request": "x"}, "request_not_supported"),
        ({"max_age": "\u0663"}, "invalid_request"),
        ({"state": "x" * 3_000}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
    ],
    ids=str,
)
async def test_what_does_not_fit_goes_back_to_the_shop_only_where_that_is_its_own(
    world: World, changed: dict[str, str], error: str
) -> None:
    async with httpx.AsyncClient() as client:
        reply = await client.get(f"{world.accounts.issuer}/authorize", params=_asked(**changed))
    if not error:
        assert (reply.status_code, "location" in reply.headers) == (400, False)
        return
    found = urlsplit(reply.headers["location"])
    assert (found.netloc, parse_qs(found.query)["error"]) == ("north.test", [error])
    assert parse_qs(found.query)["iss"] == [world.accounts.issuer]


async def test_a_key_follows_without_anybody_being_signed_out(world: World) -> None:
    issuer = world.accounts.issuer
    async with world.browser() as browser:
        await world.sign_in(browser)
        old = world.shops["north"].tokens[0]["id_token"]
        async with world.database.platform_transaction() as session:
            assert await world.accounts.signing.follow(session, is_forced=True)
            await session.execute("update account.key set signs_at = now() where signs_at > now()")
        again = await browser.get("http://north.test/enter")
        assert again.status_code == 200, again.text
        shown = KeySet.import_key_set((await browser.get(f"{issuer}/keys")).json())
        new = world.shops["north"].tokens[1]["id_token"]
        kids = {jwt.decode(one, shown, algorithms=["RS256"]).header["kid"] for one in (old, new)}
        assert len(kids) == 2


async def test_a_new_key_is_shown_before_it_signs_and_the_old_one_until_all_it_signed_has_ended(world: World) -> None:
    async with world.database.platform_transaction() as session:
        signing = world.accounts.signing
        await signing.follow(session)
        await signing.follow(session, is_forced=True)
        assert len(await signing.shown(session)) == 2
        first = await storage.signing_key(session)
        await session.execute("update account.key set signs_at = signs_at - interval '2 hours'")
        second = await storage.signing_key(session)
        assert first is not None
        assert second is not None
        assert first["kid"] != second["kid"]
        await session.execute("update account.key set signs_at = signs_at - interval '3 days'")
        assert [one["kid"] for one in await signing.shown(session)] == [second["kid"]]


async def test_whoever_has_the_database_alone_can_sign_nothing(world: World, tmp_path: Any) -> None:
    async with world.database.platform_transaction() as session:
        await world.accounts.signing.follow(session)
        rows = await session.fetch("select * from account.key")
        assert '"d"' not in str([dict(row) for row in rows])
        other = Accounts(world.database, DataKey(tmp_path / "other"), world.accounts.settings)
        with pytest.raises(Exception, match="sealed under another"):
            await other.signing.signed(session, {"sub": "x"})


async def test_who_signs_out_is_so_at_all_shops_and_each_hears_of_it(world: World, monkeypatch: Any) -> None:
    clients = {
        code: own.replace(left=f"http://{code}.test/left") for code, own in world.accounts.settings.clients.items()
    }
    monkeypatch.setattr(world.accounts, "settings", world.accounts.settings.replace(clients=clients))
    real = httpx.AsyncClient
    issuer = world.accounts.issuer
    async with world.browser() as browser:
        north = await world.sign_in(browser)
        await browser.post((await browser.get("http://south.test/enter")).url, data={"act": "allow"})
        tokens = world.shops["south"].tokens[0]
        after = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": "http://south.test/"}
        browser.follow_redirects = False
        reply = await browser.get(f"{issuer}/leave", params=after)
        assert reply.headers["location"] == "http://south.test/"
        monkeypatch.setattr(httpx, "AsyncClient", lambda **more: real(transport=world.transport, **more))
        await world.accounts.notify()
        monkeypatch.setattr(httpx, "AsyncClient", real)
        keys = KeySet.import_key_set((await browser.get(f"{issuer}/keys")).json())
        for code in ("north", "south"):
            (notice,) = world.shops[code].left
            claims = jwt.decode(notice, keys, algorithms=["RS256"]).claims
            assert (claims["aud"], claims["sub"], claims["events"]) == (code, north["sub"], {LOGOUT: {}})
            assert claims["sid"] == north["sid"]
        grant = {"grant_type": "refresh_token", "client_id": "south", "refresh_token": tokens["refresh_token"]}
        assert (await world.post("token", **grant)).status_code == 400
        entering = await browser.get("http://south.test/enter")
        page = await browser.get(entering.headers["location"])
        assert page.headers["location"].endswith("/sign-in")
    async with world.database.platform() as session:
        assert await session.fetch_value("select count(*) from account.notice") == 0


async def test_a_shop_that_does_not_answer_is_told_again(world: World, monkeypatch: Any) -> None:
    with_place = {
        code: own.replace(left="http://127.0.0.1:1/") for code, own in world.accounts.settings.clients.items()
    }
    monkeypatch.setattr(world.accounts, "settings", world.accounts.settings.replace(clients=with_place))
    async with world.browser() as browser:
        await world.sign_in(browser)
        await browser.post(f"{world.accounts.issuer}/leave", data={"act": "leave"})
    await world.accounts.notify()
    async with world.database.platform() as session:
        row = await session.fetch_row("select tries, next_at > now() as is_later from account.notice")
    assert row is not None
    assert (row["tries"], row["is_later"]) == (1, True)


async def test_whom_a_shop_sends_to_sign_out_without_naming_the_session_is_asked_first(world: World) -> None:
    async with world.browser() as browser:
        await world.sign_in(browser)
        page = await browser.get(f"{world.accounts.issuer}/leave?post_logout_redirect_uri=http://evil.test/")
        assert "Sign out of all shops" in page.text
        assert "evil" not in page.text
        assert (await browser.get("http://north.test/enter")).url.host == "north.test", "signed in as before"


async def test_nobody_fills_anothers_letter_box(world: World) -> None:
    async with world.browser() as browser:
        for _ in range(7):
            await world.ask(browser)
    async with world.database.platform() as session:
        assert await session.fetch_value("select count(*) from account.link") == 5


@pytest.mark.parametrize("address", ["ada", "аda@example.org", "ada@exämple.org", "a\0b@example.org", "a@b@c", ""])
async def test_what_is_no_address_or_looks_like_another_gets_no_link(world: World, address: str) -> None:
    async with world.browser() as browser:
        page = await browser.get("http://north.test/enter")
        assert (await browser.post(page.url, data={"address": address})).status_code == 400


async def test_a_form_of_elsewhere_does_nothing(world: World) -> None:
    async with world.browser() as browser:
        await world.sign_in(browser)
        headers = {"origin": "http://evil.test", "sec-fetch-site": "cross-site"}
        for path, form in (("leave", {"act": "leave"}), ("consent", {"act": "allow"}), ("link", {"link": "x"})):
            reply = await browser.post(f"{world.accounts.issuer}/{path}", data=form, headers=headers)
            assert reply.status_code == 400, path
        assert (await browser.get("http://north.test/enter")).url.host == "north.test"


async def test_pages_are_in_no_frame_and_run_no_script_and_cookies_are_this_hosts(world: World) -> None:
    async with world.browser() as browser:
        await browser.get("http://north.test/enter")
        page = await browser.get(f"{world.accounts.issuer}/sign-in")
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "script" not in policy
        chinese = await browser.get(page.url, headers={"accept-language": "zh-CN"})
        assert "发给我链接" in chinese.text
    issuer = world.accounts.issuer
    async with httpx.AsyncClient() as plain:
        reply = await plain.get(f"{issuer}/authorize", params=_asked())
        assert "HttpOnly" in reply.headers["set-cookie"]
        assert "SameSite=lax" in reply.headers["set-cookie"]


def test_over_https_what_a_browser_keeps_belongs_to_this_host_alone() -> None:
    scope = {"type": "http", "scheme": "https", "path": "/", "headers": [(b"host", b"id.test")], "query_string": b""}
    reply = Response()
    keep(Request(scope), reply, SESSION, "secret", 60)
    cookie = reply.headers["set-cookie"]
    assert cookie.startswith("__Host-isthmus_account=secret;")
    assert {"Secure", "HttpOnly", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
