"""OAuth 2 client credentials: clients that nobody here wrote get tokens, call with them, and lose them."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import socket
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

from isthmus.gateway import auth, listed
from isthmus.gateway.http import Gateway
from isthmus.gateway.oauth.assertions import KIND, LASTS_MAX_S, LEEWAY_S, WrongPublicKey, read_public_key
from isthmus.gateway.oauth.granting import Granting
from isthmus.gateway.oauth.site import DOCUMENT, PATH, WELL_KNOWN, TokenSite
from isthmus.gateway.oauth.tokens import NoTokenKey, Said, Tokens
from isthmus.gateway.ready import Readiness
from isthmus.gateway.telemetry.traces import TraceStore
from isthmus.kernel import Platform, Registry
from isthmus.store import Database

from .conftest import NORTH, PACK, SOURCES, SOUTH

SHOW = {"sku": "tea"}


@dataclass(frozen=True, slots=True)
class Server:
    """One server process, and what it knows its tokens by."""

    clients: auth.Clients
    tokens: Tokens
    address: str

    def browser(self, authorization: str = "") -> httpx.AsyncClient:
        headers = {"Authorization": authorization} if authorization else {}
        return httpx.AsyncClient(base_url=self.address, headers=headers)

    async def show(self, token: str) -> httpx.Response:
        async with self.browser(f"Bearer {token}") as client:
            return await client.post("/v1/shop.show-item", json=SHOW)


@asynccontextmanager
async def serving(database: Database, folder: Path, address: str = "") -> AsyncIterator[Server]:
    """Serve on a port of its own. address: as which clients know it, where that is another."""
    platform = Platform(Registry().add(PACK, NORTH, SOUTH).freeze(), database)
    listens = socket.socket()
    listens.bind(("127.0.0.1", 0))
    tokens = Tokens(address or f"http://127.0.0.1:{listens.getsockname()[1]}", folder / "tokens.pem")
    clients = auth.Clients(database, tokens)
    gateway = Gateway(platform, clients, TraceStore(database), Readiness(database, SOURCES))
    site = TokenSite(Granting(database, clients, tokens, lambda: None))
    gateway.mount(PATH, site.tokens)  # type: ignore[arg-type]
    gateway.mount(WELL_KNOWN, site.document)  # type: ignore[arg-type]
    running = uvicorn.Server(uvicorn.Config(gateway, log_level="error", lifespan="off"))  # type: ignore[arg-type]
    task = asyncio.create_task(running.serve(sockets=[listens]))
    yield Server(clients, tokens, f"http://127.0.0.1:{listens.getsockname()[1]}")
    running.should_exit = True
    await task


@pytest.fixture
async def here(shop: Database, tmp_path: Path) -> AsyncIterator[Server]:
    async with serving(shop, tmp_path) as server:
        yield server


def library(client_id: str, secret: Any, **options: Any) -> Any:
    """Return a client of OAuth 2 that knows nothing of ours."""
    return AsyncOAuth2Client(client_id, secret, **options)


async def made(server: Server, client: Any) -> str:
    token = await client.fetch_token(server.tokens.endpoint, grant_type="client_credentials")
    return str(token["access_token"])


@pytest.mark.parametrize("way", ["client_secret_basic", "client_secret_post"])
async def test_a_client_of_a_library_gets_a_token_for_its_key_and_calls_with_it(
    here: Server, shop: Database, way: str
) -> None:
    key = await auth.create_client(shop, "north", "erp of ours", ["shop.show-item"])
    async with library("north/erp of ours", key, token_endpoint_auth_method=way) as client:
        token = await client.fetch_token(here.tokens.endpoint, grant_type="client_credentials")
        assert (token["token_type"], token["expires_in"], token["scope"]) == ("Bearer", 600, "shop.show-item")
        answer = await client.post(f"{here.address}/v1/shop.show-item", json=SHOW)
        assert (answer.status_code, answer.json()["stock"]) == (200, 20)
        refused = await client.post(f"{here.address}/v1/shop.take-items", json={"lines": []})
        assert (refused.status_code, refused.json()["slug"]) == (403, "not-permitted")


async def test_a_client_of_a_library_proves_itself_by_its_key_pair(here: Server, shop: Database) -> None:
    await auth.trust_key(shop, "north", "agent", read_public_key(PUBLIC), ["shop.*"])
    private = PAIR.as_pem(private=True)
    async with library("north/agent", private, token_endpoint_auth_method="private_key_jwt") as client:
        client.register_client_auth_method(PrivateKeyJWT(here.tokens.endpoint))
        first, second = await made(here, client), await made(here, client)
        assert first != second
        assert (await client.post(f"{here.address}/v1/shop.show-item", json=SHOW)).json()["stock"] == 20
    one = (await listed.list_clients(shop))[0]
    assert one.is_public
    assert one.used_at is not None


@pytest.mark.parametrize(
    ("alg", "pair"),
    [
        ("PS256", RSAKey.generate_key(2048)),
        ("ES256", ECKey.generate_key("P-256")),
        ("ES384", ECKey.generate_key("P-384")),
        ("EdDSA", OKPKey.generate_key("Ed25519")),
        ("Ed25519", OKPKey.generate_key("Ed25519")),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
async def test_a_key_pair_is_used_with_the_algorithms_that_fit_it(
    trusted: Server, shop: Database, alg: str, pair: Any
) -> None:
    await auth.trust_key(shop, "north", "agent", read_public_key(pair.as_pem(private=False)))
    assert (await _prove(trusted, assertion(pair, alg)))[0] == 200


async def test_the_document_and_the_keys_let_others_check_a_token(here: Server, shop: Database) -> None:
    key = await auth.create_client(shop, "north", "erp", ["shop.show-item"])
    async with here.browser() as client:
        said = (await client.get(DOCUMENT)).json()
        assert (said["issuer"], said["token_endpoint"]) == (here.tokens.issuer, here.tokens.endpoint)
        shown = (await client.get(said["jwks_uri"])).json()["keys"]
        assert "d" not in shown[0]
        form = {"grant_type": "client_credentials", "client_id": "north/erp", "client_secret": key}
        token = (await client.post(said["token_endpoint"], data=form)).json()["access_token"]
        found = jwt.decode(token, ECKey.import_key(shown[0]), algorithms=["ES256"])
        assert (found.claims["sub"], found.claims["scope"]) == ("north/erp", "shop.show-item")
        assert found.header["typ"] == "at+jwt"
        form = {"token": token, "client_id": "north/erp", "client_secret": key}
        assert (await client.post(said["revocation_endpoint"], data=form)).status_code == 200
    refused = await here.show(token)
    assert (refused.status_code, refused.json()["detail"]) == (401, "this token has ended, or was taken back")


async def _ask(server: Server, **form: str) -> tuple[int, str, str]:
    async with server.browser() as client:
        answer = await client.post("/oauth/token", data={"grant_type": "client_credentials", **form})
    said = answer.json()
    return answer.status_code, said.get("error", ""), said.get("error_description", "")


async def test_a_token_may_less_than_the_key_and_never_more(here: Server, shop: Database) -> None:
    key = await auth.create_client(shop, "north", "erp", ["shop.*"])
    known = {"client_id": "north/erp", "client_secret": key}
    async with here.browser() as client:
        form = {"grant_type": "client_credentials", **known, "scope": "shop.wait shop.show-item"}
        token = (await client.post("/oauth/token", data=form)).json()
    assert token["scope"] == "shop.wait shop.show-item"
    assert (await here.show(token["access_token"])).status_code == 200
    assert await _ask(here, **known, scope="other.do") == (400, "invalid_scope", "this client may not 'other.do'")


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"client_id": "north/erp", "client_secret": "isth_" + "x" * 43}, "invalid_client"),
        ({"client_id": "south/erp"}, "invalid_client"),
        ({"client_id": "north/other"}, "invalid_client"),
        ({"client_secret": ""}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"client_assertion_type": KIND, "client_assertion": "a.b.c"}, "invalid_request"),
    ],
)
async def test_who_is_not_who_they_say_gets_no_token(
    here: Server, shop: Database, form: dict[str, str], expected: str
) -> None:
    key = await auth.create_client(shop, "north", "erp")
    whole = {"client_id": "north/erp", "client_secret": key, **form}
    status, error, _ = await _ask(here, **whole)
    assert (status, error) == (401 if expected == "invalid_client" else 400, expected)


ISSUER = "https://api.example.org"
PAIR, OTHER = RSAKey.generate_key(2048), RSAKey.generate_key(2048)
PUBLIC = PAIR.as_pem(private=False)


def assertion(key: Any = PAIR, alg: str = "RS256", **claims: Any) -> str:
    now = int(time.time())
    said = {
        "iss": "north/agent", "sub": "north/agent", "aud": ISSUER, "iat": now, "exp": now + 60,
        "jti": str(uuid.uuid4()), **claims,
    }  # fmt: skip
    said = {name: value for name, value in said.items() if value is not None}
    return jwt.encode({"alg": alg}, said, key, algorithms=[alg])


def by_hand(token: str, secret: bytes) -> str:
    """Sign what a token says with a secret, such as a public key: libraries refuse to."""
    header = json.loads(_text(token.split(".")[0]))
    said = _part(json.dumps({**header, "alg": "HS256"}).encode()) + "." + token.split(".")[1]
    return f"{said}.{_part(hmac.digest(secret, said.encode(), 'sha256'))}"


def _text(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _part(found: bytes) -> str:
    return base64.urlsafe_b64encode(found).decode().rstrip("=")


async def _prove(server: Server, text: str) -> tuple[int, str, str]:
    return await _ask(server, client_assertion_type=KIND, client_assertion=text)


@pytest.fixture
async def trusted(shop: Database, tmp_path: Path) -> AsyncIterator[Server]:
    await auth.trust_key(shop, "north", "agent", read_public_key(PUBLIC))
    await auth.trust_key(shop, "north", "other", read_public_key(OTHER.as_pem(private=False)))
    async with serving(shop, tmp_path, ISSUER) as server:
        yield server


async def test_an_assertion_is_good_once(trusted: Server) -> None:
    text = assertion()
    assert (await _prove(trusted, text))[0] == 200
    status, error, why = await _prove(trusted, text)
    assert (status, error) == (401, "invalid_client")
    assert why == "this assertion was used already; sign another one, with a jti of its own"
    both = await asyncio.gather(*(_prove(trusted, again) for again in [assertion(jti="same")] * 5))
    assert sorted(status for status, *_ in both) == [200, 401, 401, 401, 401]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (lambda: assertion(None, "none"), "no key of this client"),
        (lambda: by_hand(assertion(), PUBLIC), "no key of this client"),
        (lambda: by_hand(assertion(), PUBLIC.strip()), "no key of this client"),
        (lambda: by_hand(assertion(), b""), "no key of this client"),
        (lambda: assertion(OTHER), "no key of this client"),
        (lambda: assertion(ECKey.generate_key("P-256"), "ES256"), "no key of this client"),
        (lambda: assertion(aud="https://elsewhere.example/token"), "another audience"),
        (lambda: assertion(aud=None), "another audience"),
        (lambda: assertion(exp=int(time.time()) - LEEWAY_S - 5), "has ended"),
        (lambda: assertion(exp=None), "has ended"),
        (lambda: assertion(exp="soon"), "has ended"),
        (lambda: assertion(exp=int(time.time()) + LASTS_MAX_S + LEEWAY_S + 60), "lasts longer"),
        (lambda: assertion(iat=int(time.time()) + LEEWAY_S + 60), "begins later than now (iat)"),
        (lambda: assertion(nbf=int(time.time()) + LEEWAY_S + 60), "begins later than now (nbf)"),
        (lambda: assertion(jti=None), "has no id"),
        (lambda: assertion(jti="x" * 256), "has no id"),
        (lambda: assertion(sub="north/other"), "iss and sub"),
        (lambda: assertion(iss="north/nobody", sub="north/nobody"), "has no public key"),
        (lambda: assertion()[:-4] + "AAAA", "no key of this client"),
        (lambda: "a.b.c", "no signed JWT"),
        (lambda: "é", "no signed JWT"),
    ],
)
async def test_what_proves_nothing_gives_no_token(trusted: Server, text: Callable[[], str], why: str) -> None:
    status, error, sentence = await _prove(trusted, text())
    assert (status, error) == (401, "invalid_client")
    assert why in sentence


async def test_a_clock_may_be_a_minute_wrong(trusted: Server) -> None:
    now = int(time.time())
    for wrong in (-LEEWAY_S + 5, LEEWAY_S - 5):
        assert (await _prove(trusted, assertion(iat=now + wrong, nbf=now + wrong, exp=now + wrong + 1)))[0] == 200


async def test_a_client_that_names_itself_otherwise_than_its_assertion_is_refused(trusted: Server) -> None:
    known = {"client_assertion_type": KIND, "client_assertion": assertion()}
    assert (await _ask(trusted, client_id="north/other", **known))[1] == "invalid_client"


async def _token(server: Server, front_end: str, name: str, key: str) -> str:
    async with library(f"{front_end}/{name}", key) as client:
        return await made(server, client)


async def test_a_client_that_is_revoked_loses_its_tokens_at_once_on_every_server(
    here: Server, shop: Database, tmp_path: Path
) -> None:
    key = await auth.create_client(shop, "north", "erp")
    token = await _token(here, "north", "erp", key)
    async with serving(shop, tmp_path, here.tokens.issuer) as there, listening(here, there):
        for one in (here, there):
            assert (await one.show(token)).status_code == 200
        assert await auth.revoke_client(shop, "north", "erp") == 1
        for one in (here, there):
            await _until(lambda one=one: _is_refused(one, token))
            assert (await one.show(key)).status_code == 401


async def test_a_call_that_has_begun_ends_as_it_began_and_the_next_one_is_refused(here: Server, shop: Database) -> None:
    token = await _token(here, "south", "erp", await auth.create_client(shop, "south", "erp"))
    async with listening(here), here.browser(f"Bearer {token}") as client:
        begun = asyncio.create_task(client.post("/v1/shop.wait", json={"seconds": 1}))
        await asyncio.sleep(0.2)
        assert await auth.revoke_client(shop, "south", "erp") == 1
        await _until(lambda: _is_refused(here, token))
        assert not begun.done()
        assert (await begun).status_code == 200


async def test_a_token_is_for_the_purpose_that_its_key_was_made_for(here: Server, shop: Database) -> None:
    token = await _token(here, "north", "desk", await auth.create_client(shop, "north", "desk", role="support"))
    assert (await here.clients.of(f"Bearer {token}".encode())).roles == ("support",)


async def test_a_token_that_is_taken_back_leaves_the_others(here: Server, shop: Database) -> None:
    key = await auth.create_client(shop, "north", "erp")
    other = await auth.create_client(shop, "north", "till")
    first, second = [await _token(here, "north", "erp", key) for _ in range(2)]
    async with listening(here), here.browser() as client:
        assert (await here.show(first)).status_code == (await here.show(second)).status_code == 200
        stranger = {"client_id": "north/till", "client_secret": other, "token": second}
        assert (await client.post("/oauth/revoke", data=stranger)).status_code == 200
        known = {"client_id": "north/erp", "client_secret": key, "token": first}
        assert (await client.post("/oauth/revoke", data=known)).status_code == 200
        await _until(lambda: _is_refused(here, first))
        assert (await here.show(second)).status_code == 200


class listening:
    """Have servers hear what is taken back, as long as a block runs."""

    def __init__(self, *servers: Server) -> None:
        self._servers = servers

    async def __aenter__(self) -> None:
        self._tasks = [asyncio.create_task(one.clients.run()) for one in self._servers]
        for one in self._servers:  # it rings once when it has connected
            await _until(lambda one=one: _has_heard(one))

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _has_heard(server: Server) -> bool:
    return server.clients._taken_back > 0  # pyright: ignore[reportPrivateUsage]


async def _is_refused(server: Server, token: str) -> bool:
    return (await server.show(token)).status_code == 401


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait for less than a key is trusted without a word."""
    async with asyncio.timeout(auth.TRUSTED_S / 2):
        while not await holds():  # noqa: ASYNC110 - another process says it, by the database
            await asyncio.sleep(0.02)


async def test_a_token_ends_with_its_key_and_by_itself(here: Server, shop: Database) -> None:
    key = await auth.create_client(shop, "north", "erp", lasts=timedelta(seconds=30))
    async with here.browser() as client:
        form = {"grant_type": "client_credentials", "client_id": "north/erp", "client_secret": key}
        token = (await client.post("/oauth/token", data=form)).json()
    assert token["expires_in"] <= 30
    said = here.tokens.read(token["access_token"])
    assert said is not None
    ended = here.tokens.signed(_with(said, ends_s=int(time.time()) - 1), int(time.time()) - 601)
    assert (await here.show(ended)).status_code == 401


def _with(said: Said, **changes: Any) -> Said:
    return Said(**{**{name: getattr(said, name) for name in Said.__struct_fields__}, **changes})


async def test_tokens_that_were_not_made_here_are_none(here: Server, shop: Database, tmp_path: Path) -> None:
    key = await auth.create_client(shop, "north", "erp", ["shop.wait"])
    token = await _token(here, "north", "erp", key)
    found = here.tokens.read(token)
    assert found is not None
    (tmp_path / "other").mkdir()
    stranger = Tokens(here.tokens.issuer, tmp_path / "other" / "tokens.pem")
    elsewhere = Tokens("https://elsewhere.example", tmp_path / "tokens.pem")
    wider = _with(found, scopes=None)
    signing = ECKey.import_key((tmp_path / "tokens.pem").read_bytes())
    claims = dict(jwt.decode(token, signing, algorithms=["ES256"]).claims)
    forged = [
        stranger.signed(wider, int(time.time())),
        elsewhere.signed(wider, int(time.time())),
        jwt.encode({"alg": "none", "typ": "at+jwt"}, claims, None, algorithms=["none"]),  # type: ignore[arg-type]
        by_hand(token, signing.as_pem(private=False)),
        jwt.encode({"alg": "ES256", "typ": "JWT"}, claims, signing, algorithms=["ES256"]),
        token[:-6] + "AAAAAA",
    ]
    for one in forged:
        assert (await here.show(one)).status_code == 401
    assert (await here.show(token)).status_code == 403  # a real one, of a client that may something else


async def test_no_key_of_a_token_means_no_token(shop: Database, tmp_path: Path) -> None:
    (tmp_path / "tokens.pem").write_bytes(b"nothing")
    with pytest.raises(NoTokenKey):
        Tokens(ISSUER, tmp_path / "tokens.pem").shown()


async def test_who_guesses_waits_and_whoever_has_a_token_does_not(
    here: Server, shop: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await auth.create_client(shop, "north", "erp")
    token = await _token(here, "north", "erp", key)
    assert (await here.show(token)).status_code == 200
    stopped = time.monotonic()
    monkeypatch.setattr(here.clients, "_clock", lambda: stopped)
    statuses = {(await _ask(here, client_id="north/erp", client_secret="isth_" + "x" * 43))[0] for _ in range(210)}
    assert statuses == {401, 429}
    assert (await here.show(token)).status_code == 200


@pytest.mark.parametrize(
    "text",
    [
        b"", b"nothing", b'{"kty": "oct", "k": "AAAA"}',
        ECKey.generate_key("P-521").as_pem(private=False), OKPKey.generate_key("X25519").as_pem(private=False),
    ],
)  # fmt: skip
def test_what_is_no_key_to_prove_oneself_with_is_refused(text: bytes) -> None:
    with pytest.raises(WrongPublicKey):
        read_public_key(text)


async def test_of_a_private_key_that_is_given_only_the_public_half_is_kept(here: Server, shop: Database) -> None:
    await auth.trust_key(shop, "north", "agent", read_public_key(PAIR.as_pem(private=True)))
    async with shop.platform() as session:
        kept = await session.fetch_value("select public_key from gateway.client")
    assert '"d"' not in kept
    assert '"p"' not in kept
    with pytest.raises(auth.WrongClient):
        await auth.trust_key(shop, "south", "agent", read_public_key(PUBLIC))


async def _stray(server: Server, content: bytes, kind: str) -> int:
    async with server.browser() as client:
        headers = {"content-type": kind}
        return (await client.post("/oauth/token", content=content, headers=headers)).status_code


async def test_forms_that_are_none_are_refused(here: Server) -> None:
    form = "application/x-www-form-urlencoded"
    twice = b"grant_type=client_credentials&grant_type=client_credentials"
    for content, kind in ((b"{}", "application/json"), (twice, form), (b"\xff=\xfe", form), (b"a" * 40_000, form)):
        assert await _stray(here, content, kind) == 400
    async with here.browser("Basic !!") as client:
        assert (await client.post("/oauth/token", data={"grant_type": "client_credentials"})).status_code == 401
