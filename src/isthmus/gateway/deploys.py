"""Deploy over HTTP, with a key whose scopes name `deploy.*`: such a key is made for a team, and for nothing else.

    POST /deploy?percent=&accept=&shadow=    a packed folder → what came of it
    POST /deploy/promote             the staged version for everybody
    POST /deploy/rollback?version=   the version before, or the one that is named
    POST /deploy/shadow?version=&percent=&stop=    a kept version on a share of live calls, answering nobody; or no more
    GET  /deploy/versions            what there is, and what runs

The key decides which front end: a folder of another one is refused. A folder is tried, tested and compared in a process
of its own, so that calls here notice nothing.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from isthmus.kernel import encode, errors
from isthmus.runtime.deploy import rollout as switches
from isthmus.runtime.deploy import versions
from isthmus.runtime.deploy.deploy import Ground
from isthmus.runtime.deploy.report import report
from isthmus.runtime.shadow import shadow as shadows

from .auth import Known
from .problem import CONTENT_TYPE, BodyTooLarge, MethodNotAllowed, NoSuchPath, problem

SCOPE: Final = "deploy.*"
DEPLOYS_MAX: Final = 2  # at once in one server process: each is a Python of its own
LIMIT_S: Final = 590  # the tests of a front end have most of it
RECEIVE_S: Final = 60

_FOLDER: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")

Admit = Callable[[bytes | None], Awaitable[Known]]
Scope = Mapping[str, Any]


class NoDeployer(errors.NotPermitted):
    """This key may not deploy."""

    slug = "gateway.no-deployer"


class DeployRefused(errors.RuleBroken):
    """The front end was not deployed."""

    slug = "gateway.deploy-refused"


class DeployEndpoint:
    """The ASGI application of the endpoint. `admit` returns who a credential names, or refuses."""

    def __init__(self, ground: Ground, admit: Admit, place: Path) -> None:
        self._ground = ground
        self._admit = admit
        self._place = place  # where the settings are: the process that deploys reads them too
        self._free = asyncio.Semaphore(DEPLOYS_MAX)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            body = await self._answered(scope, receive)
            status, headers = 200, [(b"content-type", b"application/json")]
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
        asked = dict(parse_qsl(scope.get("query_string", b"").decode("latin-1")))
        if (method, path) == ("GET", "/versions"):
            return encode(await report(self._ground, known.front_end))
        if path not in ("", "/promote", "/rollback", "/shadow", "/versions"):
            raise NoSuchPath(f"there is nothing at /deploy{path}", remedy="see `isthmus deploy --help`", path=path)
        if method != "POST" or path == "/versions":
            raise MethodNotAllowed(method, f"/deploy{path}", "GET" if path == "/versions" else "POST")
        if path == "/promote":
            return encode(await switches.promote(self._ground.database, known.front_end, known.name))
        if path == "/rollback":
            return encode(await self._rolled_back(known, asked))
        if path == "/shadow":
            return await self._shadowed(known, asked)
        return await self._deployed(known, asked, await _received(receive))

    async def _shadowed(self, known: Known, asked: Mapping[str, str]) -> bytes:
        database, code = self._ground.database, known.front_end
        if asked.get("stop") == "true":
            await shadows.end(database, code, f"stopped by {known.name}")
        else:
            one = await versions.chosen(database, code, asked.get("version", ""))
            percent = asked.get("percent", "")
            wanted = int(percent) if percent.isdigit() else 0
            await shadows.declare(database, code, one.hash, percent=wanted, made_by=known.name)
        return encode(await shadows.find(database, code))

    async def _rolled_back(self, known: Known, asked: Mapping[str, str]) -> switches.Switched | None:
        database, named = self._ground.database, asked.get("version")
        to = (await versions.chosen(database, known.front_end, named)).hash if named else None
        return await switches.roll_back(
            database, known.front_end, known.name, to=to, reason=asked.get("reason", "")[:200]
        )

    async def _deployed(self, known: Known, asked: Mapping[str, str], packed: bytes) -> bytes:
        folder, percent = asked.get("folder", known.front_end), asked.get("percent", "100")
        shadow = asked.get("shadow", "0")
        if not _FOLDER.fullmatch(folder):
            raise errors.BadAsk(f"folder {folder!r}", remedy="name it as a Python package is named", path="folder")
        if not percent.isdigit() or not 1 <= int(percent) <= 100:
            raise errors.BadAsk(f"percent {percent!r}", remedy="send a whole number from 1 to 100", path="percent")
        if not shadow.isdigit() or int(shadow) > 100:
            raise errors.BadAsk(f"shadow {shadow!r}", remedy="send a whole number from 0 to 100", path="shadow")
        with tempfile.TemporaryDirectory(prefix="isthmus-sent-") as made:
            inside = Path(made) / folder
            await asyncio.to_thread(versions.unpack, packed, inside)
            command = ["deploy", str(inside), "--json", "--percent", percent, "--shadow", shadow]
            command += ["--only", known.front_end, "--by", known.name]
            command += ["--accept"] if asked.get("accept") == "true" else []
            async with self._free:
                said = await self._run(command)
        found: dict[str, Any] = msgspec.json.decode(said)
        if "outcome" in found:
            return said
        cause, problems = found["slug"], found.get("problems", [])
        raise DeployRefused(str(found["detail"]), remedy=str(found["remedy"]), cause=cause, problems=problems)

    async def _run(self, command: list[str]) -> bytes:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "isthmus.cli",
            *command,
            cwd=self._place,
            env={**os.environ, "ISTHMUS_DATABASE_URL": self._ground.database.url},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            said, why = await asyncio.wait_for(process.communicate(), LIMIT_S)
        except BaseException:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            raise
        line = said.strip().rpartition(b"\n")[2]
        if not line.startswith(b"{"):
            raise errors.Fault(
                f"the process that deploys ended with {process.returncode}: {why[-2_000:].decode(errors='replace')}",
                remedy="look at the server's log",
            )
        return line


async def _received(receive: Any) -> bytes:
    parts: list[bytes] = []
    size, more = 0, True
    async with asyncio.timeout(RECEIVE_S):
        while more:
            message = await receive()
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            more = message["type"] == "http.request" and message.get("more_body", False)
            if size > versions.PACKED_MAX:
                raise BodyTooLarge(
                    f"the folder is over {versions.PACKED_MAX >> 20} MB", remedy="leave data out of it", path="$"
                )
    return b"".join(parts)
