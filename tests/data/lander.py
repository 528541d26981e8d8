"""A process that lands and can be killed: it says a word on a line after each file, and after the commit."""

from __future__ import annotations

import asyncio
import resource
import signal
import sys
from pathlib import Path
from typing import Any

from isthmus.data.lake.lake import Lake
from isthmus.data.lake.landing import Lander
from isthmus.kernel import errors
from isthmus.store import Database, Outbox

from .test_lake import MealEaten, deli_model


class Logging(Lake):
    """A lake that tells whoever started the process how far it is, and waits to be told to go on."""

    def write(self, *args: Any, **settings: Any) -> Any:
        return _logged("file", super().write(*args, **settings))

    def commit(self, *args: Any, **settings: Any) -> Any:
        return _logged("commit", super().commit(*args, **settings))


def _logged(word: str, done: Any) -> Any:
    print(word, flush=True)
    sys.stdin.readline()
    return done


async def land(url: str, folder: Path) -> None:
    lake = Logging(folder, deli_model(), {"deli.meal-eaten": MealEaten})
    async with await Database.open(url) as database:
        try:
            await Lander(lake, url, Outbox(database)).land()
        except errors.Unavailable as full:
            print(f"unavailable: {full.message}; {full.remedy}", flush=True)
        else:
            print("landed", flush=True)


if __name__ == "__main__":
    if bytes_max := int(sys.argv[3]):
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write beyond the limit fails, as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_max, bytes_max))
    asyncio.run(land(sys.argv[1], Path(sys.argv[2])))
