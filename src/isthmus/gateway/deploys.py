"""Deploy over HTTP, with a key whose scopes name `deploy.*`: such a key is made for a team, and for nothing else.

    POST /deploy?percent=&accept=&shadow=    a packed folder → what came of it
    POST /deploy/promote             the staged version for everybody
    POST /deploy/rollback?version=   the version before, or the one that is named
    POST /deploy/shadow?version=&percent=&stop=    a kept version on a share of live calls, answering nobody; or no more
    POST /deploy/challenge           what the next signature is over beside the files, good once
    POST /deploy/approve?number=     what waits for another person, whose signature comes along
    POST /deploy/refuse?number=      what waits, closed
    GET  /deploy/versions            what there is, what runs, and what waits

A deploy that is signed has `Isthmus-Signature: KEY:CHALLENGE:SIGNATURE`; some front ends take no other.

The key decides which front end: a folder of another one is refused. Policies say besides who may (`deploy.write`, and
`deploy.read` for versions). A folder is tried, tested and compared in a process
of its own, so that calls here notice nothing.
"""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from isthmus.kernel import Caller, encode, errors
from isthmus.manifest.actions import DEPLOY, READ_DEPLOYS, Action, Doer
from isthmus.runtime.children import run_child
from isthmus.runtime.deploy import approve as proposing
from isthmus.runtime.deploy import rollout as switches
from isthmus.runtime.deploy import signatures, versions
from isthmus.runtime.deploy.context import DeployContext
from isthmus.runtime.deploy.remote import SIGNATURE
from isthmus.runtime.deploy.report import report
from isthmus.runtime.deploy.signatures import Signature
from isthmus.runtime.deploy.vouching import check_may_run
from isthmus.runtime.shadow import shadow as shadows
from isthmus.values import whole_number

from .auth import Principal
from .wire.body import ClientGone, read_bytes
from .wire.problem import CONTENT_TYPE, Busy, MethodNotAllowed, NoSuchPath, problem

SCOPE: Final = "deploy.*"
DEPLOYS_MAX: Final = 2  # at once in one server process: each is a Python of its own
WAITING_MAX: Final = 8  # with those running: a folder of 8 MB is kept in memory for each
LIMIT_S: Final = 590  # the tests of a front end have most of it
RECEIVE_S: Final = 60
NUMBER_MAX: Final = 2**62
PATHS: Final = ("", "/promote", "/rollback", "/shadow", "/versions", "/challenge", "/approve", "/refuse")

_FOLDER: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")

Admit = Callable[[bytes | None], Awaitable[Principal]]
Permit = Callable[[Caller, Action], Awaitable[object]]
Scope = Mapping[str, Any]


class NoDeployer(errors.NotPermitted):
    """This key may not deploy."""

    slug = "gateway.no-deployer"


class DeployRefused(errors.RuleBroken):
    """The front end was not deployed."""

    slug = "gateway.deploy-refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class _DeployWanted:
    """What is asked for with a folder."""

    folder: str
    percent: int
    shadow: int
    is_accepted: bool
    signature: Signature | None


def _deploy_wanted(known: Principal, asked: Mapping[str, str], signature: Signature | None) -> _DeployWanted:
    folder = asked.get("folder", known.front_end)
    if not _FOLDER.fullmatch(folder):
        raise errors.BadAsk(f"folder {folder[:100]!r}", remedy="name it as a Python package is named", path="folder")
    percent = _share(asked, "percent", "100", least=1)
    shadow = _share(asked, "shadow", "0", least=0)
    is_accepted = asked.get("accept") == "true"
    return _DeployWanted(folder=folder, percent=percent, shadow=shadow, is_accepted=is_accepted, signature=signature)


def _share(asked: Mapping[str, str], name: str, default: str, *, least: int) -> int:
    text = asked.get(name, default)
    if (found := whole_number(text, least, 100)) is None:
        raise errors.BadAsk(f"{name} {text[:100]!r}", remedy=f"send a whole number from {least} to 100", path=name)
    return found


class DeployEndpoint:
    """The ASGI application of the endpoint. `admit` returns who a credential names, or refuses.

    place: where the settings are, which the process that deploys reads too. command: what starts it. permit: raises
    NotPermitted for who may not.
    """

    def __init__(
        self, ground: DeployContext, admit: Admit, place: Path, command: Sequence[str], permit: Permit
    ) -> None:
        self._ground = ground
        self._permit = permit
        self._admit = admit
        self._place = place
        self._command = tuple(command)
        self._free = asyncio.Semaphore(DEPLOYS_MAX)
        self._waiting = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            body = await self._answered(scope, receive)
            status, headers = 200, [(b"content-type", b"application/json")]
        except ClientGone:
            return
        except Exception as error:
            found = problem(error, "deploy")
            status, body, headers = found.status, found.body, [(b"content-type", CONTENT_TYPE), *found.headers]
        headers += [(b"content-length", b"%d" % len(body)), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answered(self, scope: Scope, receive: Any) -> bytes:
        known = await self._admit(dict(scope["headers"]).get(b"authorization"))
        if known.scopes is None or SCOPE not in known.scopes:
            raise NoDeployer(
                f"key {known.name!r} of {known.front_end!r} may not deploy",
                remedy=f"make one: isthmus client create {known.front_end} --name deployer --scope '{SCOPE}'",
                path="Authorization",
            )
        path, method = scope["path"].removeprefix(scope.get("root_path", "")).rstrip("/"), scope["method"]
        caller = known.caller("http", {})
        asked = dict(parse_qsl(scope.get("query_string", b"").decode("latin-1")))
        if method == "GET":
            await self._permit(caller, READ_DEPLOYS)
        if (method, path) == ("GET", "/versions"):
            return encode(await report(self._ground, known.front_end))
        if path not in PATHS:
            raise NoSuchPath(f"there is nothing at /deploy{path}", remedy="see `isthmus deploy --help`", path=path)
        if method != "POST" or path == "/versions":
            raise MethodNotAllowed(method, f"/deploy{path}", "GET" if path == "/versions" else "POST")
        by = Doer(caller=caller, journal=self._ground.journal)
        try:
            await self._permit(caller, DEPLOY)
            sent = dict(scope["headers"]).get(SIGNATURE.encode())
            signature = signatures.read(sent.decode("latin-1")) if sent else None
            if path == "":
                return await self._admitted(known, _deploy_wanted(known, asked, signature), scope, receive)
            if path in ("/approve", "/refuse"):
                return await self._judged(path, known, by, asked, signature)
            return await self._decided(path, known, by, asked)
        except DeployRefused:  # the process that deploys has written it down
            raise
        except errors.IsthmusError as refused:
            await by.note_refused(self._ground.database, f"deploy.{path[1:] or 'deploy'}", refused.slug)
            raise

    async def _decided(self, path: str, known: Principal, by: Doer, asked: Mapping[str, str]) -> bytes:
        if path == "/challenge":
            return encode(await signatures.challenge(self._ground.database))
        if path == "/promote":
            return encode(await switches.promote(self._ground.database, known.front_end, by))
        if path == "/rollback":
            return encode(await self._rolled_back(known, by, asked))
        return await self._shadowed(known, by, asked)

    async def _judged(
        self, path: str, known: Principal, by: Doer, asked: Mapping[str, str], signature: Signature | None
    ) -> bytes:
        """Approve or refuse what waits. A key is of a team: who approves is known by their signature alone."""
        number, note = whole_number(asked.get("number"), 1, NUMBER_MAX), asked.get("reason", "")[:200]
        if number is None:
            raise errors.BadAsk("no number", remedy="send the number of what waits", path="number")
        if path == "/refuse":
            await proposing.refuse(self._ground, known.front_end, number, by, note)
            return encode(None)
        if signature is None:
            return encode(await proposing.approve(self._ground, known.front_end, number, by, note))
        return encode(await proposing.approve_signed(self._ground, known.front_end, number, signature, by, note))

    async def _admitted(self, known: Principal, wanted: _DeployWanted, scope: Scope, receive: Any) -> bytes:
        """Deploy what is sent, where not too many wait already: what waits is kept in memory."""
        if self._waiting >= WAITING_MAX:
            raise Busy(f"{self._waiting} deploys wait already", remedy="send it again in a minute", retry_after_s=60)
        self._waiting += 1
        try:
            headers = dict(scope["headers"])
            packed = await read_bytes(receive, headers, bytes_max=versions.PACKED_MAX, limit_s=RECEIVE_S)
            async with self._free:
                return await self._deployed(known, wanted, packed)
        finally:
            self._waiting -= 1

    async def _shadowed(self, known: Principal, by: Doer, asked: Mapping[str, str]) -> bytes:
        database, code = self._ground.database, known.front_end
        if asked.get("stop") == "true":
            await shadows.stop(database, code, by)
        else:
            one = await versions.chosen(database, code, asked.get("version", ""))
            await check_may_run(self._ground, code, one.hash)
            wanted = _share(asked, "percent", "0", least=0)
            await shadows.declare(database, code, one.hash, percent=wanted, by=by)
        return encode(await shadows.find(database, code))

    async def _rolled_back(self, known: Principal, by: Doer, asked: Mapping[str, str]) -> switches.Switched | None:
        database, named = self._ground.database, asked.get("version")
        to = (await versions.chosen(database, known.front_end, named)).hash if named else None
        if to is not None:
            await check_may_run(self._ground, known.front_end, to)
        return await switches.roll_back(database, known.front_end, by, to=to, reason=asked.get("reason", "")[:200])

    async def _deployed(self, known: Principal, wanted: _DeployWanted, packed: bytes) -> bytes:
        with tempfile.TemporaryDirectory(prefix="isthmus-sent-") as made:
            inside = Path(made) / wanted.folder
            await asyncio.to_thread(versions.unpack, packed, inside)
            arguments = [str(inside), "--percent", str(wanted.percent), "--shadow", str(wanted.shadow)]
            arguments += ["--only", known.front_end, f"--by={known.name}"]
            arguments += ["--accept"] if wanted.is_accepted else []
            arguments += [f"--signature={wanted.signature.text}"] if wanted.signature else []
            said = await self._run(arguments)
        found: dict[str, Any] = msgspec.json.decode(said)
        if "outcome" in found:
            return said
        cause, problems = found["slug"], found.get("problems", [])
        raise DeployRefused(str(found["detail"]), remedy=str(found["remedy"]), cause=cause, problems=problems)

    async def _run(self, arguments: list[str]) -> bytes:
        ended = await run_child(
            [*self._command, *arguments],
            cwd=self._place,
            env={**os.environ, "ISTHMUS_DATABASE_URL": self._ground.database.url},
            limit_s=LIMIT_S,
        )
        if ended.is_late:
            raise errors.DeadlineExceeded(
                f"the deploy did not end within {LIMIT_S} s", remedy="see what its tests wait for; nothing was switched"
            )
        line = ended.out.strip().rpartition(b"\n")[2]
        if not line.startswith(b"{"):
            said = ended.complaint[-2_000:].decode(errors="replace")
            raise errors.Fault(
                f"the process that deploys ended with {ended.code}: {said}",
                remedy="look at the server's log",
            )
        return line
