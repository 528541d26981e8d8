"""Flows in steps whose runner is gone: any process goes on with them, within a stated time.

A step writes down until when its runner is alive at most: the flow's deadline and half a minute. Who then takes it has
it for a while, and runs it from where it stopped: what was begun is finished, or undone where it cannot be.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Final

from isthmus.kernel import Platform, errors
from isthmus.store import Database
from isthmus.store.sagas import take_left

EVERY_S: Final = 15  # so much later than its time is over is a flow gone on with
TAKEN_MAX: Final = 20  # by one process at a time: the others have theirs
log = logging.getLogger("isthmus.runtime")


async def go_on(platform: Platform, database: Database, at: datetime | None = None) -> int:
    """Go on with flows that were left; return how many. at: as of when, for what is left by now where none is said."""
    async with database.platform() as session:
        left = await take_left(session, list(platform.release.lines), TAKEN_MAX, at or platform.clock())
    for front_end, saga in left:
        try:
            await platform.go_on(saga)
        except errors.Refusal as refused:
            log.info("%s of %r ended, gone on with: %s", saga.claim.capability, front_end, refused)
        except errors.IsthmusError as error:  # it is taken up again, by whoever comes first
            log.warning("%s of %r was left, and cannot be gone on with: %s", saga.claim.capability, front_end, error)
    return len(left)
