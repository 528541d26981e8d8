"""Deploy to a running server over HTTP, with a deployer's key."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from isthmus.kernel import decode, errors
from isthmus.later import later

from .check import TEST_LIMIT_S, TESTS_LIMIT_S
from .deploy import SAY_EVERY_S, Deployed, DeployRequest
from .proposals import NoSuchProposal
from .report import Line
from .rollout import Switched
from .signatures import Signature, SigningKey
from .versions import pack

if TYPE_CHECKING:
    import httpx
else:
    httpx = later("httpx")

SIGNATURE: Final = "isthmus-signature"
LIMIT_S: Final = 600  # the server runs the front end's tests


class Refused(errors.RuleBroken):
    """The server refused."""

    slug = "runtime.refused-by-server"


class NoServer(errors.Unavailable):
    """The server does not answer."""

    slug = "runtime.no-server"


class Remote:
    """A server to deploy to; the key decides for which front end."""

    def __init__(self, url: str, key: str, say: Callable[[str], None] = lambda _: None) -> None:
        self._url = url.rstrip("/") + "/deploy"
        self._key = key
        self._say = say

    def deploy(self, folder: Path, request: DeployRequest, key: SigningKey | None = None) -> Deployed:
        """Send a folder, signed where there is a key for it. Raises Refused with what the server said, NoServer."""
        packed = pack(folder)
        signature = key.signed("deploy", self._challenge(), packed.digest, **request.signed_over) if key else None
        query = {"folder": packed.folder, "percent": str(request.percent), "accept": str(request.is_accepted).lower()}
        query["shadow"] = str(request.shadow)
        self._say(f"sent {len(packed.content) / 1000:.0f} kB to {self._url}, which checks, tests and compares it")
        with self._saying(packed.folder):
            return decode(self._send("POST", "", query, packed.content, signature), Deployed)

    @contextmanager
    def _saying(self, folder: str) -> Generator[None]:
        """Say from time to time that the server is still running."""
        ended = threading.Event()

        def say() -> None:
            for times in itertools.count(1):
                if ended.wait(SAY_EVERY_S):
                    return
                self._say(
                    f"{folder}: the server has been running for {times * SAY_EVERY_S} s; "
                    f"a test may run for {TEST_LIMIT_S} s, all of them for {TESTS_LIMIT_S} s"
                )

        beside = threading.Thread(target=say, daemon=True)
        beside.start()
        try:
            yield
        finally:
            ended.set()
            beside.join()

    def approve(self, number: int, note: str, key: SigningKey) -> Switched | None:
        """Approve what waits under a number, by a signature. Raises Refused, NoSuchProposal."""
        (line,) = self.versions()
        found = next((one for one in line.waiting if one.number == number), None)
        if found is None:
            raise NoSuchProposal(line.front_end, number)
        over = {"proposal": number, "front_end": line.front_end}
        signature = key.signed("approve", self._challenge(), found.digest, **over)
        query = {"number": str(number), "reason": note}
        said = self._send("POST", "/approve", query, signature=signature)
        return None if said == b"null" else decode(said, Switched)

    def refuse(self, number: int, note: str) -> None:
        """Close what waits under a number."""
        self._send("POST", "/refuse", {"number": str(number), "reason": note})

    def _challenge(self) -> str:
        return decode(self._send("POST", "/challenge", {}), str)

    def decide(self, what: str, **query: str) -> Switched:
        """Promote or roll back."""
        return decode(self._send("POST", f"/{what}", query), Switched)

    def shadow(self, version: str, percent: int, is_stopped: bool) -> None:
        """Have a kept version run in the shadow, or stop the one that does."""
        query = {"stop": "true"} if is_stopped else {"version": version, "percent": str(percent)}
        self._send("POST", "/shadow", query)

    def versions(self) -> tuple[Line, ...]:
        """Return how the key's front end stands."""
        return decode(self._send("GET", "/versions", {}), tuple[Line, ...])

    def _send(
        self,
        method: str,
        path: str,
        query: dict[str, str],
        content: bytes = b"",
        signature: Signature | None = None,
    ) -> bytes:
        headers = {"authorization": f"Bearer {self._key}", "content-type": "application/octet-stream"}
        if signature is not None:
            headers[SIGNATURE] = signature.text
        try:
            answer = httpx.request(
                method, self._url + path, params=query, content=content, headers=headers, timeout=LIMIT_S
            )
        except httpx.HTTPError as error:
            raise NoServer(f"{self._url} does not answer: {error}", remedy="start it, or fix --to") from error
        if answer.status_code == 200:
            return answer.content
        if "problem+json" in answer.headers.get("content-type", ""):
            said = cast("dict[str, Any]", answer.json())
            raise Refused(str(said.get("detail")), remedy=str(said.get("remedy")), cause=said.get("cause"))
        raise Refused(f"{self._url} answered {answer.status_code}", remedy="see whether it is an Isthmus server")
