"""Buyers as processes of their own, which a test kills at a statement of its choice.

Run as a program it forks one for each line that it reads, so that Python need not start for each of them. A buyer opens
the database, says `go`, waits for a line, does what it came for and ends. The provider keeps what it did in a folder,
as another company would: it outlives whoever asked it.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Self

from isthmus.flows.bookkeeping import api as bookkeeping
from isthmus.kernel import Caller, FrontEnd, Platform, answers, decode, encode, ports
from isthmus.packs.audit.service.journal import Journal
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.store import Database
from isthmus.values import Money, money
from tests import shipped

USES = tuple(f"{pack.name}.*" for pack in shipped.PACKS)
SELLS = {
    "settlement.iban": "DE89370400440532013000",
    "invoicing.name": "North GmbH",
    "invoicing.country": "DE",
    "invoicing.city": "Kiel",
    "invoicing.vat_id": "DE123456789",
    "invoicing.legal_id": "HRB 1",
}


@answers(bookkeeping.points_worth)
def a_cent_a_point(points: int) -> Money:
    """Hold a cent for each point."""
    return money(points, "EUR")


NORTH = FrontEnd(code="north", name="North", owner="north team", uses=USES, settings=SELLS, answers=(a_cent_a_point,))
BUYER = Caller(front_end="north", client="buyer")
SECOND = Caller(front_end="north", client="second")


class ProviderOutcomes(MutableMapping[str, payment.Outcome]):
    """What a provider was asked and what it said, in files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __getitem__(self, key: str) -> payment.Outcome:
        try:
            return decode(self._file(key).read_bytes(), payment.Outcome)
        except FileNotFoundError:
            raise KeyError(key) from None

    def __setitem__(self, key: str, outcome: payment.Outcome) -> None:
        self._file(key).write_bytes(encode(outcome))

    def __delitem__(self, key: str) -> None:
        self._file(key).unlink()

    def __iter__(self) -> Iterator[str]:
        return (bytes.fromhex(file.name).decode() for file in self._folder.iterdir())

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _file(self, key: str) -> Path:
        return self._folder / key.encode().hex()


class ProviderSaid(set[str]):
    """What a provider said beside notifications, in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __contains__(self, payload: object) -> bool:
        return self._file(str(payload)).exists()

    def add(self, payload: str, /) -> None:
        self._folder.mkdir(exist_ok=True)
        self._file(payload).touch()

    def _file(self, payload: str) -> Path:
        return self._folder / hashlib.sha256(payload.encode()).hexdigest()


def platform_of(database: Database, folder: Path) -> Platform:
    """Return the platform as it ships, with the provider of a folder."""
    provider = payment.TestProvider()
    provider.outcomes = ProviderOutcomes(folder)  # type: ignore[assignment]
    provider.said = ProviderSaid(folder.with_name("said"))
    resources: dict[type, object] = {
        payment.Providers: payment.Providers([provider]),
        order.Numbers: order.Numbers(database),
        ports.Journal: Journal(database),
    }
    return Platform(shipped.build([NORTH]), database, resources=resources)


async def buy(capability: str, url: str, folder: str, asked: str, key: str) -> None:
    """Do what a buyer came for: call a capability with an ask."""
    async with await Database.open(url, connections_max=2) as database:
        platform = platform_of(database, Path(folder))
        wanted = platform.release.find(capability).capability
        print("go", os.getpid(), flush=True)
        sys.stdin.readline()
        ask = decode(bytes.fromhex(asked), wanted.ask)
        await platform.call(wanted, ask, BUYER, key=None if key == "-" else key)


class Buyers:
    """The program, and the buyer who is running."""

    def __init__(self) -> None:
        self._program = subprocess.Popen(
            [sys.executable, "-m", "tests.flows.buyers"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.pid = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._program.stdin.close()  # type: ignore[union-attr]
        self._program.wait()

    async def start(self, *words: str) -> None:
        """Start a buyer, who then waits."""
        self._say(" ".join(words))
        self.pid = int((await self._hear()).removeprefix("go "))

    async def run(self) -> bool:
        """Let the buyer go; return whether they came to the end."""
        self._say("")
        return (await self._hear()) == "ended 0"

    def kill(self) -> None:
        """Kill the buyer without a word."""
        os.kill(self.pid, signal.SIGKILL)

    def _say(self, line: str) -> None:
        self._program.stdin.write(line + "\n")  # type: ignore[union-attr]
        self._program.stdin.flush()  # type: ignore[union-attr]

    async def _hear(self) -> str:
        return (await asyncio.to_thread(self._program.stdout.readline)).strip()  # type: ignore[union-attr]


def main() -> None:
    """Fork a buyer for each line, and say how it ended."""
    while line := sys.stdin.buffer.raw.readline():  # type: ignore[attr-defined] - unread by this process, for the buyer
        if not line.strip():
            continue
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                asyncio.run(buy(*line.decode().split()))  # type: ignore[arg-type]
                status = 0
            finally:
                os._exit(status)
        _, ended = os.waitpid(pid, 0)
        print("ended", os.waitstatus_to_exitcode(ended), flush=True)


if __name__ == "__main__":
    main()
