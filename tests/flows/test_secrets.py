"""Secrets that were planted are found in no log, event, recording, trace or error, nor in a table as they are.

What webhooks are signed with is kept sealed, and for a day in the answer under a key.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx
import pytest
from pyotp.totp import TOTP

from isthmus.gateway.auth import create_client
from isthmus.kernel import errors
from isthmus.store import Database
from tests import forked
from tests.console.signing import sign_in, sign_in_link
from tests.waiting import until

PASSWORD = "canary battery staple correct"
WRONG_PASSWORD = "canary that somebody mistyped"
NO_SECRET = "canary-of-goods"  # it is found where calls are kept, so that it would be seen if the search saw nothing
OLD_KEY = "canary-of-the-old-service"
DATABASE_PASSWORD = "canary-of-the-database"
ENVELOPE_KEY = b"canary-that-wraps-keys-of-people"  # 32 bytes
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "old", "version": "1"},
    "components": {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
    "security": [{"key": []}],
    "paths": {
        "/items/{id}": {
            "get": {
                "operationId": "getItem",
                "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
                "responses": {"200": {"content": {"application/json": {"schema": {}}}}},
            }
        }
    },
}
NORTH = """from isthmus.kernel import FrontEnd

USES = ("old.*", "pricing.*", "member.*", "webhooks.*")
FRONT_END = FrontEnd(code="north", name="North", owner="north team", uses=USES)
"""


SETTINGS = """
[settings.webhooks]
networks = ["127.0.0.0/8"]
[settings.personal-data]
sealed = ["member.address"]
[providers.envelope.company]
use = "isthmus.packs.personal_data.service.envelopes:ENVIRONMENT"
variable = "ENVELOPE"
"""


SIGNED_WITH = ("the secret of erp", "the secret of crm", "the secret that follows")


def _said(value: object) -> str:
    return f"{value.decode(errors='replace')} {value.hex()}" if isinstance(value, bytes) else str(value)


def with_password(url: str) -> str:
    """Return the address of a database with a password, which a server that trusts its own machine does not look at."""
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0] or 'postgres'}:{DATABASE_PASSWORD}@{host}"))


@dataclass
class Served:
    """A server in a process of its own, what it wrote, and what it must not."""

    base: str
    service: str
    url: str
    log: Path
    asked: list[str]
    planted: dict[str, str] = field(default_factory=dict[str, str])
    answers: list[str] = field(default_factory=list[str])

    async def tables(self) -> list[tuple[str, str]]:
        connection = await asyncpg.connect(self.url)
        try:
            names = await connection.fetch(
                """select format('%I.%I', schemaname, tablename) as name from pg_tables
                   where schemaname not in ('pg_catalog', 'information_schema')"""
            )
            found: list[tuple[str, str]] = []
            for name in (row["name"] for row in names):
                for row in await connection.fetch(f"select * from {name}"):
                    found.append((name, " ".join(map(_said, row))))
            return found
        finally:
            await connection.close()

    def left_in(self, places: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return which secrets are found where."""
        return [(of, where) for of, secret in self.planted.items() for where, text in places if secret in text]


@pytest.fixture
async def served(database: Database, database_url: str, tmp_path: Path) -> AsyncIterator[Served]:
    """Give a server that records and explains all it is asked, with an adopted service that fails each second time."""
    asked: list[str] = []

    async def old(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                asked.append((await reader.readuntil(b"\r\n\r\n")).decode("latin-1"))
                status = b"404 no" if "broken" in asked[-1] else b"200 OK"
                writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 1\r\n\r\n1")
                await writer.drain()
        writer.close()

    service = await asyncio.start_server(old, "127.0.0.1", 0)
    (tmp_path / "front_ends" / "north").mkdir(parents=True)
    (tmp_path / "front_ends" / "north" / "front_end.py").write_text(NORTH)
    (tmp_path / "old.json").write_text(json.dumps(DOCUMENT))
    where = f"http://127.0.0.1:{service.sockets[0].getsockname()[1]}"
    (tmp_path / "isthmus.toml").write_text(
        f'[record]\nshare = 1.0\n[adopted.old]\ndocument = "old.json"\nurl = "{where}"\nsecret = "OLD_KEY"\n{SETTINGS}'
    )
    listens = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = listens.sockets[0].getsockname()[1]
    listens.close()
    key = base64.b64encode(ENVELOPE_KEY).decode()
    url = with_password(database_url)
    environment = {**os.environ, "ISTHMUS_DATABASE_URL": url, "OLD_KEY": OLD_KEY, "ENVELOPE": f"first:{key}"}
    with (tmp_path / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "isthmus.cli", "serve", "--port", str(port), "--workers", "1",
            cwd=tmp_path, env=environment, stdout=log, stderr=log,
        )  # fmt: skip
    base = f"http://127.0.0.1:{port}"

    async def is_ready() -> bool:
        assert process.returncode is None, (tmp_path / "log").read_text()
        async with httpx.AsyncClient() as client:
            with suppress(httpx.TransportError):
                return (await client.get(f"{base}/ready")).status_code == 200
        return False

    await until(is_ready, "that the server is ready")
    planted = {
        "the old service's key": OLD_KEY,
        "the database's password": DATABASE_PASSWORD,
        "an envelope key": ENVELOPE_KEY.decode(),
        "an envelope key in base64": key,
        "an envelope key in hex": ENVELOPE_KEY.hex(),
    }
    yield Served(base, where, database_url, tmp_path / "log", asked, planted)
    process.terminate()
    await process.wait()
    service.close()


async def _call(served: Served, authorization: str) -> None:
    """Have calls answered, explained, refused and failed with a credential."""
    known = {"authorization": authorization, "isthmus-explain": "true"}
    async with httpx.AsyncClient(base_url=served.base, headers=known, timeout=60) as client:
        for name, ask in (
            ("old.get-item", {"id": "1"}),
            ("old.get-item", {"id": "broken"}),
            ("pricing.quote", {"currency": "EUR", "lines": [{"sku": NO_SECRET, "quantity": 1}]}),
            ("pricing.put-prices", {"prices": "none"}),
            ("order.get-order", {}),
        ):
            answer = await client.post(f"/v1/{name}", json=ask)
            served.answers.append(answer.text + str(answer.headers))


async def _signs_in(served: Served) -> None:
    """Have somebody come by a link, take a password and a second factor, mistype it, and come back with a code."""
    console = f"{served.base}/console"
    link = await sign_in_link(served.url)
    origin = {"origin": served.base}
    async with httpx.AsyncClient(headers=origin, follow_redirects=True, timeout=60) as browser:
        served.planted["the link"] = link.rpartition("=")[2]
        served.answers.append((await sign_in(browser, console, link)).text)
        page = (await browser.get(f"{console}/account")).text
        form = {"act": "password", "new": PASSWORD}
        served.answers.append((await browser.post(f"{console}/account", data=form)).text)
        secret = re.findall(r'name="secret" value="([A-Z2-7]+)"', page)[0]
        codes = {"act": "set-codes", "secret": secret, "code": TOTP(secret).now()}
        shown = (await browser.post(f"{console}/account", data=codes)).text
        recovery = re.findall(r"<code>((?:[0-9a-f]{5}-){3}[0-9a-f]{5})</code>", shown)
        served.planted |= {"the second factor": secret, "a recovery code": recovery[0]}
        served.planted |= {f"cookie {one.name}": one.value or "" for one in browser.cookies.jar}
        for path in ("calls", "audit", "people", "account"):
            served.answers.append((await browser.get(f"{console}/{path}")).text)
    async with httpx.AsyncClient(headers=origin, follow_redirects=True, timeout=60) as browser:
        for password in (WRONG_PASSWORD, PASSWORD):
            form = {"address": "owner", "password": password}
            served.answers.append((await browser.post(f"{console}/sign-in", data=form)).text)
        served.planted |= {f"half a cookie {one.name}": one.value or "" for one in browser.cookies.jar}
    served.planted |= {"the password": PASSWORD, "a mistyped password": WRONG_PASSWORD}


async def _has_webhooks_sent(served: Served, client: httpx.AsyncClient) -> None:
    """Have an event signed and sent, one that fails, and a secret that another one follows."""
    for name, path in (("erp", "in"), ("crm", "broken")):
        ask = {"name": name, "url": f"{served.service}/{path}", "types": ["member.*"]}
        made = await client.post("/v1/webhooks.put-endpoint", json=ask, headers={"idempotency-key": name})
        served.planted[f"the secret of {name}"] = made.json()["secret"].removeprefix("whsec_")
    rotated = await client.post("/v1/webhooks.rotate-secret", json={"name": "erp"})
    served.planted["the secret that follows"] = rotated.json()["secret"].removeprefix("whsec_")
    for name in ("erp", "crm"):
        (await client.post("/v1/webhooks.test-endpoint", json={"name": name})).raise_for_status()
    await until(lambda: _asked(served, "POST /in", "POST /broken"), "that both were sent")
    for name, ask in (
        ("webhooks.list-endpoints", {}),
        ("webhooks.list-deliveries", {}),
        ("webhooks.put-endpoint", {"name": "erp", "url": "https://127.0.0.1.example/", "types": ["none"]}),
        ("webhooks.rotate-secret", {"name": "nobody"}),
    ):
        served.answers.append((await client.post(f"/v1/{name}", json=ask)).text)


async def _asked(served: Served, *wanted: str) -> bool:
    return all(any(one.startswith(start) for one in served.asked) for start in wanted)


async def _keeps_an_address(client: httpx.AsyncClient) -> None:
    """Have an address kept encrypted, under a key that the envelope key wraps."""
    ask = {"identities": [{"kind": "email", "value": "somebody@example.org"}]}
    member = (await client.post("/v1/member.register", json=ask)).json()["member_id"]
    address = {"member_id": member, "label": "home", "address": {"country": "DE", "city": "Kiel"}}
    (await client.post("/v1/member.put-address", json=address)).raise_for_status()


async def _loses_its_database(served: Served, client: httpx.AsyncClient) -> None:
    """Have calls fail because every connection of the server ends under them."""
    connection = await asyncpg.connect(served.url)
    others = """select pg_terminate_backend(pid) from pg_stat_activity
                where datname = current_database() and pid <> pg_backend_pid()"""
    for _ in range(3):
        await connection.execute(others)
        answer = await client.post(
            "/v1/pricing.quote", json={"currency": "EUR", "lines": [{"sku": "x", "quantity": 1}]}
        )
        served.answers.append(answer.text)
    await connection.close()


@pytest.mark.parametrize("port", ["1", "1:2", "none"])
async def test_an_address_of_a_database_that_does_not_do_is_said_without_its_password(
    port: str, tmp_path: Path
) -> None:
    url = f"postgresql://isthmus:{DATABASE_PASSWORD}@127.0.0.1:{port}/shop"
    for command in (("doctor",), ("migrate", "--plan"), ("serve", "--port", "0"), ("security", "verify")):
        known = {**os.environ, "ISTHMUS_DATABASE_URL": url}
        ran = await asyncio.to_thread(forked.run, command, tmp_path, known)
        said = ran.stdout + ran.stderr
        assert ran.returncode != 0
        assert "database" in said.lower(), said
        assert DATABASE_PASSWORD not in said


async def test_what_was_planted_is_nowhere(served: Served, database: Database) -> None:
    key = await create_client(database, "north", "erp")
    served.planted["a key"] = key
    served.planted["a key that is none"] = "isth_" + "c4n4ry" * 7 + "x"
    async with httpx.AsyncClient(base_url=served.base, auth=("north/erp", key)) as client:
        found = await client.post("/oauth/token", data={"grant_type": "client_credentials"})
        document = (await client.get("/.well-known/oauth-authorization-server")).json()
        if found.status_code != 200:
            found = await client.post(document["token_endpoint"], data={"grant_type": "client_credentials"})
    served.planted["a token"] = found.json()["access_token"]
    for one in ("a key", "a key that is none", "a token"):
        await _call(served, f"Bearer {served.planted[one]}")
    await _call(served, "Basic " + base64.b64encode(f"erp:{key}".encode()).decode())
    await _signs_in(served)
    known = {"authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=served.base, headers=known, timeout=60) as client:
        await _keeps_an_address(client)
        await _has_webhooks_sent(served, client)
        await _loses_its_database(served, client)

    async def is_recorded() -> bool:
        with suppress(errors.Unavailable):  # this process has lost its connections as well
            async with database.platform() as session:
                return await session.fetch_value("select count(*) > 3 from runtime.recorded_call")
        return False

    await until(is_recorded, "that calls are recorded")
    assert any(f"Bearer {OLD_KEY}" in one for one in served.asked), "the old service was given its key"
    log = await asyncio.to_thread(served.log.read_text)
    assert "Application startup complete" in log
    tables = await served.tables()
    assert "runtime.recorded_call" in {where for where, text in tables if NO_SECRET in text}
    shown = [("an answer", text) for text in served.answers if "recovery" not in text]
    left = served.left_in([("the log", log), *tables, *shown])
    assert {(of, where) for of, where in left if of not in SIGNED_WITH} == set()
    # What signs is kept sealed; an answer under a key is given again, for a day.
    assert {where for of, where in left if of in SIGNED_WITH} == {"isthmus.idempotency"}
    assert len(served.planted) >= 17
