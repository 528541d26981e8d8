"""A provider whose answers are forged, replayed, mixed up, late or changed: nobody is let in who should not be."""

from __future__ import annotations

import asyncio
import base64
import hmac
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from isthmus.packs.identity import api
from isthmus.packs.identity.service import providers, vouching
from isthmus.packs.identity.service.entering import Entered
from isthmus.packs.identity.service.providers import LOGOUT, Provider, ProviderSettings, name_from

from .conftest import CLI, DESK, Office

ISSUER = "https://login.acme.example"
BACK = "https://console.example/console/sign-in/back"
KEYS = [ECKey.generate_key("P-256", {"kid": f"key-{number}"}) for number in range(2)]


class Acme(Provider):
    """A provider whose wire is a test's: it signs what the test says."""

    def __init__(self) -> None:
        roles = {"admins": "owner", "north": "support@north"}
        super().__init__("acme", ProviderSettings(issuer=ISSUER, client_id="isthmus", roles=roles))
        self.key, self.published, self.calls = KEYS[0], KEYS[:1], list[str]()
        self.claims: dict[str, Any] = {}
        self.token = ""
        self.answers: Callable[[str], dict[str, Any] | None] = lambda address: None

    def signed(self, key: Any = None, alg: str = "ES256", **changed: Any) -> str:
        now = int(time.time())
        whole = {"iss": ISSUER, "aud": "isthmus", "sub": "s-1", "iat": now, "exp": now + 60, **self.claims, **changed}
        used = key or self.key
        claims = {name: value for name, value in whole.items() if value is not None}
        return jwt.encode({"alg": alg, "kid": getattr(used, "kid", None) or "key-0"}, claims, used, algorithms=[alg])

    async def _answer(self, method: str, address: str, **sent: Any) -> dict[str, Any]:
        self.calls.append(address)
        if (said := self.answers(address)) is not None:
            return said
        if address.endswith("openid-configuration"):
            places = {f"{name}_endpoint": f"{ISSUER}/{name}" for name in ("authorization", "token")}
            return {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys", **places}
        if address.endswith("keys"):
            return dict(KeySet(list(self.published)).as_dict())
        assert sent["data"]["code_verifier"]
        return {"id_token": self.token or self.signed()}


@pytest.fixture
def acme(office: Office) -> Acme:
    made = Acme()
    office.staff.providers["acme"] = made
    return made


async def signs_in(office: Office, acme: Acme, **query: str | None) -> Entered:
    """Go there and back; query: what comes back instead."""
    address, kept = await vouching.begin(office.staff, "acme", BACK, "/orders")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    assert asked["code_challenge_method"] == "S256"
    acme.claims.setdefault("nonce", asked["nonce"])
    found = {"code": "c", "state": asked["state"], **query}
    given = {name: value for name, value in found.items() if value is not None}
    done, next = await vouching.come_back(office.staff, kept, given, BACK, DESK)
    assert next == "/orders"
    return done


async def test_who_comes_first_has_an_account_and_the_roles_of_their_claims_each_time_anew(
    office: Office, acme: Acme
) -> None:
    await office.hire("ada", "owner")
    said = {"preferred_username": "Grace H.", "email": "grace@acme.example", "email_verified": True}
    acme.claims = {**said, "groups": ["north", "unheard-of"]}
    known = await office.staff.known((await signs_in(office, acme)).session)
    assert known is not None
    assert (known.name, known.roles) == ("grace-h", {"north": ("support",)})
    acme.claims = {**said, "groups": "admins"}
    known = await office.staff.known((await signs_in(office, acme)).session)
    assert known is not None
    assert (known.name, known.roles) == ("grace-h", {"*": ("owner",)})
    await office.staff.disable("grace-h", CLI)
    acme.claims = {**said}
    with pytest.raises(api.NotSignedIn, match="may sign in no more"):
        await signs_in(office, acme)


async def test_an_address_or_name_of_somebody_here_gives_nobody_their_account(office: Office, acme: Acme) -> None:
    await office.hire("ada", "owner")
    acme.claims = {"preferred_username": "ada", "email": "ada@example.org", "email_verified": True}
    known = await office.staff.known((await signs_in(office, acme)).session)
    assert known is not None
    assert (known.name, known.roles) == ("ada-2", {})
    acme.claims = {"sub": "s-2", "preferred_username": "bo", "email": "bo@acme.example", "email_verified": False}
    await signs_in(office, acme)
    assert {one.name: one.address for one in await office.staff.people()}["bo"] == "", "it is not verified"


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "another"},
        {"aud": ["isthmus", "another"]},
        {"aud": ["isthmus", "another"], "azp": "another"},
        {"azp": "another"},
        {"exp": 1},
        {"exp": None},
        {"iat": int(time.time()) + 3_600},
        {"nonce": "of another sign-in"},
        {"nonce": None},
        {"sub": None},
        {"sub": 7},
    ],
    ids="-".join,
)
async def test_a_token_that_is_not_for_this_sign_in_lets_nobody_in(
    office: Office, acme: Acme, changed: dict[str, Any]
) -> None:
    acme.claims = {**changed}
    with pytest.raises(api.NotSignedIn):
        await signs_in(office, acme)
    assert await office.staff.people() == ()


def hs256(public: bytes, claims: str) -> str:
    """Sign claims with what is public, as if it were a secret that both sides have."""
    header = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"key-0"}').decode().rstrip("=")
    digest = hmac.digest(public, f"{header}.{claims}".encode(), "sha256")
    return f"{header}.{claims}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


async def test_a_token_signed_by_another_by_nobody_or_by_what_is_public_is_none(office: Office, acme: Acme) -> None:
    stranger = ECKey.generate_key("P-256", {"kid": "key-0"})
    whole = acme.signed()
    unsigned = "eyJhbGciOiJub25lIn0." + whole.split(".")[1] + "."
    forged = [acme.signed(stranger), unsigned, whole[:-4], "a.b.c", "", "\u00e9"]
    forged.append(hs256(KEYS[0].as_pem(private=False), whole.split(".")[1]))
    for token in forged:
        acme.token = token or "x"
        with pytest.raises(api.NotSignedIn):
            await signs_in(office, acme)


async def test_a_sign_in_that_was_not_begun_in_this_browser_or_is_used_again_lets_nobody_in(
    office: Office, acme: Acme
) -> None:
    for query in ({"state": "guessed"}, {"state": None}, {"code": None}, {"iss": "https://evil.example"}):
        with pytest.raises(api.NotSignedIn):
            await signs_in(office, acme, **query)
    address, kept = await vouching.begin(office.staff, "acme", BACK, "/")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    acme.claims = {"nonce": asked["nonce"]}
    query = {"code": "c", "state": asked["state"]}
    for spoilt in ("", "00", kept[:-2], "zz"):
        with pytest.raises(api.NotSignedIn):
            await vouching.come_back(office.staff, spoilt, query, BACK, DESK)
    assert (await vouching.come_back(office.staff, kept, query, BACK, DESK))[0].session
    with pytest.raises(api.NotSignedIn):
        await vouching.come_back(office.staff, kept, query, BACK, DESK)


async def test_keys_that_change_are_followed_and_an_unknown_one_busies_nobody(
    office: Office, acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    await signs_in(office, acme)
    acme.key, acme.published, acme.claims = KEYS[1], KEYS, {}
    asked = acme.calls.count(f"{ISSUER}/keys")
    for _ in range(3):
        with pytest.raises(api.NotSignedIn):
            await signs_in(office, acme)
    assert acme.calls.count(f"{ISSUER}/keys") == asked, "a moment after the last look"
    monkeypatch.setattr(providers, "KEYS_ANEW_S", 0.0)
    acme.claims = {}
    assert (await signs_in(office, acme)).session
    assert acme.calls.count(f"{ISSUER}/keys") == asked + 1


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("openid-configuration", {"issuer": "https://evil.example"}),
        ("openid-configuration", {"issuer": ISSUER, "authorization_endpoint": "http://login.acme.example/in"}),
        ("openid-configuration", {"issuer": ISSUER}),
        ("keys", {"keys": "none"}),
    ],
)
async def test_a_provider_that_is_not_as_it_should_be_says_so_and_a_password_still_signs_in(
    office: Office, acme: Acme, place: str, said: dict[str, Any]
) -> None:
    acme.answers = lambda address: said if address.endswith(place) else None
    with pytest.raises(api.ProviderAway, match="acme"):
        await signs_in(office, acme)
    assert await office.staff.known((await office.hire("ada", "owner")).session)


async def test_a_provider_that_is_down_says_so_at_once(office: Office) -> None:
    settings = ProviderSettings(issuer="http://127.0.0.1:9", client_id="isthmus")  # nobody listens there
    office.staff.providers["acme"] = Provider("acme", settings)
    with pytest.raises(api.ProviderAway, match="ConnectError"):
        await vouching.begin(office.staff, "acme", BACK, "/")


async def test_a_provider_that_answers_byte_by_byte_is_given_its_time_and_no_more(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = asyncio.Event()

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        with suppress(ConnectionError):
            while True:  # each byte comes in time, and the last one never
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.02)
        gone.set()

    monkeypatch.setattr(providers, "ANSWERS_WITHIN_S", 0.3)
    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    issuer = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    office.staff.providers["acme"] = Provider("acme", ProviderSettings(issuer=issuer, client_id="isthmus"))
    with pytest.raises(api.ProviderAway, match="TimeoutError"):
        await vouching.begin(office.staff, "acme", BACK, "/")
    await gone.wait()
    server.close()


async def test_a_server_whose_clock_is_wrong_lets_in_as_the_database_says(
    office: Office, acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = int(time.time())
    late = now + 90_000
    monkeypatch.setattr(time, "time", lambda: float(late))
    acme.claims = {"iat": now, "exp": now + 60}
    assert await office.staff.known((await signs_in(office, acme)).session)
    acme.claims = {"iat": late, "exp": late + 60}
    with pytest.raises(api.NotSignedIn):  # it is of tomorrow, whatever this server believes
        await signs_in(office, acme)


async def test_a_logout_of_the_provider_ends_its_own_sign_ins_once(office: Office, acme: Acme) -> None:
    acme.claims = {"sid": "one"}
    first = await signs_in(office, acme)
    acme.claims = {"sid": "two"}
    second = await signs_in(office, acme)
    ada = await office.hire("ada", "owner")
    acme.claims = {}
    out = {"events": {LOGOUT: {}}, "sid": "one", "jti": "n-1"}
    for wrong in ({**out, "nonce": "n"}, {**out, "events": {}}, {**out, "jti": None}, {**out, "aud": "another"}):
        with pytest.raises(api.NotSignedIn):
            await vouching.left(office.staff, "acme", acme.signed(**wrong))
    token = acme.signed(**out)
    assert await vouching.left(office.staff, "acme", token) == 1
    with pytest.raises(api.NotSignedIn):
        await vouching.left(office.staff, "acme", token)
    standing = [await office.staff.known(one.session) is not None for one in (first, second, ada)]
    assert standing == [False, True, True]


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("Grace Hopper", "grace-hopper"),
        ("grace@acme.example", "grace"),
        ("42", "p-42"),
        ("\u0430da", "da"),
        ("x" * 99, "x" * 50),
    ],
)
def test_a_name_is_near_to_what_the_provider_says(said: str, name: str) -> None:
    assert name_from(said) == name
