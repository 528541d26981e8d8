"""Each server records the share that a shadow wants; one of all of them has the care of the process that runs it."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

from isthmus.kernel import errors
from isthmus.store import Database

from ..children import with_parent
from ..replay.record import Recorder
from . import shadow as shadows

LOOK_EVERY_S: Final = 1.0
ENDS_WITHIN_S: Final = 5

log = logging.getLogger("isthmus.runtime")


class Shadows:
    """Keeps the shadows of one server process.

    place: where the settings are, which the process reads too. command: what starts it; the front end's code follows.
    """

    def __init__(self, database: Database, recorder: Recorder, place: Path, command: Sequence[str]) -> None:
        self.id = uuid4()
        self._database = database
        self._recorder = recorder
        self._place = place
        self._command = tuple(command)
        self._tended: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Look for what is declared, until cancelled; then its processes end too."""
        try:
            while True:
                try:
                    await self._look()
                except errors.IsthmusError as error:
                    log.warning("shadows cannot be read, again in %g s: %s", LOOK_EVERY_S, error)
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            for task in self._tended.values():
                task.cancel()
            await asyncio.gather(*self._tended.values(), return_exceptions=True)
            if self._tended:
                with suppress(errors.IsthmusError):
                    await shadows.let_go(self._database, self.id)

    async def _look(self) -> None:
        declared = await shadows.active(self._database)
        self._recorder.shadow({code: percent / 100 for code, percent in declared.items()})
        for code in declared:
            is_mine = await shadows.hold(self._database, code, self.id)
            task = self._tended.get(code)
            if is_mine and (task is None or task.done()):
                self._tended[code] = asyncio.create_task(self._tend(code))
            elif not is_mine and task is not None:
                task.cancel()  # it was taken over while this server was away

    async def _tend(self, code: str) -> None:
        """Run the process once; what it was at when it died is noted."""
        process = await asyncio.create_subprocess_exec(
            *with_parent([*self._command, code]),
            cwd=self._place,
            env={**os.environ, "ISTHMUS_DATABASE_URL": self._database.url},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
        last = None
        try:
            assert process.stdout is not None
            async for line in process.stdout:
                last = line.decode().strip()
            ended = await process.wait()
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        if ended == 0:
            return
        why = "no answer in time" if ended == -signal.SIGALRM else f"its process ended with {ended}"
        log.warning("the shadow of %s: %s, at call %s", code, why, last or "(none)")
        if last:
            await shadows.lose(self._database, code, last, why)
        elif last is None:  # one that was ready, and at no call, is started again
            await shadows.end(self._database, code, f"{why} before any call; see the server's log")
