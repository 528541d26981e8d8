"""Signed deploys at a real server: sent with a team's key, signed by a person, approved by another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from isthmus.gateway.auth import create_client
from isthmus.kernel import Caller
from isthmus.manifest.actions import EVERYWHERE
from isthmus.manifest.vault import Vault
from isthmus.packs.identity import api as identity
from isthmus.packs.identity.service import signing
from isthmus.packs.identity.service.staff import Staff
from isthmus.runtime.deploy import rollout as switches
from isthmus.runtime.deploy.remote import SIGNATURE, Refused, Remote
from isthmus.runtime.deploy.signatures import SigningKey
from isthmus.runtime.deploy.versions import pack
from isthmus.store import Database
from tests.console.signing import sign_in
from tests.flows.serving import Server

from .deployed import REQUEST, write
from .test_deploy_signed import FOUR_EYES

BY = Caller(front_end=EVERYWHERE, client="tests", via="cli")


@pytest.fixture
async def served(database: Database, database_url: str, tmp_path: Path) -> AsyncIterator[Server]:
    """Give a server whose staff are ada and bob, who deploy, and eve, who supports; each has a key."""
    staff = Staff(database, Vault(tmp_path / "vault", identity.NoKey))
    for name, role in (("ada", "deployer"), ("bob", "deployer"), ("eve", "support")):
        await staff.made(name, (identity.RoleAt(role=role, front_end="north"),), BY)
        await signing.add(staff, name, signing.new_key(tmp_path / name), BY)
    (tmp_path / "server").mkdir()
    server = Server(tmp_path / "server", database_url)
    await server.start()
    yield server
    server.stop()


@pytest.fixture
async def remote(database: Database, served: Server) -> Remote:
    return Remote(f"http://127.0.0.1:{served.port}", await create_client(database, "north", "team", ["deploy.*"]))


async def _live(database: Database) -> switches.Rollout | None:
    return await switches.current(database, "north")


async def test_a_team_deploys_what_one_person_signed_and_another_approved(
    database: Database, remote: Remote, tmp_path: Path
) -> None:
    ada, bob, eve = (SigningKey(tmp_path / name) for name in ("ada", "bob", "eve"))
    folder = write(tmp_path / "work", "first", settings=FOUR_EYES)
    with pytest.raises(Refused, match="not signed"):
        await asyncio.to_thread(remote.deploy, folder, REQUEST)
    with pytest.raises(Refused, match="no policy permits"):  # whoever has the team's key signs as who they are
        await asyncio.to_thread(remote.deploy, folder, REQUEST, eve)
    done = await asyncio.to_thread(remote.deploy, folder, REQUEST, ada)
    assert (done.outcome, done.signed_by) == ("proposed", "ada")
    (line,) = await asyncio.to_thread(remote.versions)
    assert [(one.number, one.author) for one in line.waiting] == [(done.proposal, "ada")]
    with pytest.raises(Refused, match="another person"):
        await asyncio.to_thread(remote.approve, done.proposal, "", ada)
    with pytest.raises(Refused, match="never approved"):
        await asyncio.to_thread(remote.decide, "rollback", version="v1")
    assert await _live(database) is None
    switched = await asyncio.to_thread(remote.approve, done.proposal, "read it", bob)
    assert switched is not None
    assert (switched.switch.made_by, switched.switch.approved_by, switched.workers) == ("ada", "bob", 1)


async def test_what_was_sent_once_is_of_no_use_to_who_saw_it(
    database: Database, served: Server, remote: Remote, tmp_path: Path
) -> None:
    ada = SigningKey(tmp_path / "ada")
    folder = write(tmp_path / "work", "first", settings="{'deploy.signed': 'yes'}")
    key = await create_client(database, "north", "thief", ["deploy.*"])
    base, known = f"http://127.0.0.1:{served.port}/deploy", {"authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(headers=known, timeout=120) as thief:
        challenge = (await thief.post(f"{base}/challenge")).json()
        sent = ada.signed("deploy", challenge, pack(folder).digest, **REQUEST.signed_over)
        query, headers = {"folder": "north"}, {SIGNATURE: sent.text}
        first = await thief.post(base, params=query, headers=headers, content=pack(folder).content)
        assert first.json()["outcome"] == "live"
        await asyncio.to_thread(remote.deploy, write(tmp_path / "work", "second"), REQUEST, ada)
        write(tmp_path / "work", "first", settings="{'deploy.signed': 'yes'}")
        again = await thief.post(base, params=query, headers=headers, content=pack(folder).content)
        assert (again.status_code, again.json()["cause"]) == (422, "runtime.challenge-spent")
        for wrong in ("", "x", f"{ada.name}:{challenge}:zz", "a:b"):
            answer = await thief.post(base, params=query, headers={SIGNATURE: wrong}, content=b"x")
            assert answer.status_code in (400, 422), wrong


async def test_another_person_approves_at_the_console_and_the_author_does_not(
    database: Database, database_url: str, served: Server, remote: Remote, tmp_path: Path
) -> None:
    folder = write(tmp_path / "work", "first", settings=FOUR_EYES)
    done = await asyncio.to_thread(remote.deploy, folder, REQUEST, SigningKey(tmp_path / "ada"))
    console = f"http://127.0.0.1:{served.port}/console"
    staff = Staff(database, Vault(tmp_path / "vault", identity.NoKey))

    async def approved_by(name: str) -> httpx.Response:
        async with httpx.AsyncClient(follow_redirects=True, headers={"origin": console.removesuffix("/console")}) as it:
            await sign_in(it, console, await staff.sign_in_link(name, BY))
            shown = (await it.get(f"{console}/deploys/north")).text
            assert "its tests pass" in shown
            assert ('value="approve"' in shown) == (name == "bob")
            form = {"act": "approve", "number": str(done.proposal), "reason": "read it"}
            return await it.post(f"{console}/deploys/north", data=form)

    refused = await approved_by("ada")
    assert (refused.status_code, await _live(database)) == (409, None)
    approved = await approved_by("bob")
    assert "approved by bob" in approved.text
    held = await _live(database)
    assert held is not None
    assert (held.made_by, held.signing_key, held.approved_by) == ("ada", SigningKey(tmp_path / "ada").name, "bob")
