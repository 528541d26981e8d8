"""The sender: puts events down for the endpoints that want them, and sends what is due, in every server process.

events of all front ends ──note──▶ webhooks.delivery ──take (leased)──▶ POST, signed ──▶ done, again, or dead
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import random
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final
from uuid import uuid4

from isthmus.kernel import Meta, Value, encode, errors, ports
from isthmus.language import mark
from isthmus.later import later
from isthmus.manifest import Events, Place
from isthmus.manifest.public_addresses import PrivateAddress
from isthmus.manifest.public_calls import Caller
from isthmus.manifest.vault import Vault
from isthmus.store import Consumer, Database, Event
from isthmus.store.outbox import COLUMNS, event_of

from .. import api, rules, storage

if TYPE_CHECKING:
    import httpcore
else:
    httpcore = later("httpcore")

CONSUMER: Final = "webhooks"
AT_ONCE: Final = 64  # deliveries of one server process
POLL_S: Final = 1.0
PRUNE_EVERY_S: Final = 600.0
REASON_MAX: Final = 300
AGENT: Final = "isthmus-webhooks/1"

_EVENT: Final = f"select {COLUMNS} from isthmus.event where position = $1"

log = logging.getLogger("isthmus.packs.webhooks")


class WebhookSettings(Value):
    """`[settings.webhooks]`. networks: private ones that may be called all the same, also without https.

    key: 32 random bytes in a file, under which secrets are sealed; made in the platform's data if not set.
    timeout_s: for one try. pause_after_hours: so long an address may fail before it is paused.
    """

    networks: tuple[str, ...] = ()
    key: str = ""
    timeout_s: Annotated[float, Meta(gt=0, le=30)] = 15.0
    pause_after_hours: Annotated[float, Meta(ge=0)] = 72.0


class WebhookSender:
    """Sends events to endpoints; any number of processes may run one on the same database."""

    def __init__(self, database: Database, settings: WebhookSettings, vault: Vault) -> None:
        self._vault = vault
        self.allowed = tuple(ipaddress.ip_network(one) for one in settings.networks)
        self.pause_after_hours = settings.pause_after_hours
        self._database = database
        self._timeout_s = settings.timeout_s
        self._holder = uuid4().hex
        self._bell = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._randomness = random.Random().random  # of jitter only

    def new_secret(self, front_end: str, name: str) -> tuple[str, bytes]:
        """Return a new secret of an endpoint, and how it is kept."""
        secret = rules.written_secret(secrets.token_bytes(rules.SECRET_BYTES))
        return secret, self._vault.seal(secret, _of(front_end, name))

    async def seal_old(self) -> int:
        """Seal secrets that are in the clear; return how many there were."""
        async with self._database.platform_transaction() as session:
            rows = await storage.in_the_clear(session)
            for row in rows:
                sealed = self._vault.seal(row["secret"], _of(row["front_end"], row["endpoint"]))
                await storage.seal(session, row, sealed)
        return len(rows)

    async def run(self, events: Events) -> None:
        """Send until cancelled. Outlives a database that is away for a while."""

        async def note(batch: Sequence[Event]) -> None:
            async with self._database.platform() as session:
                if await storage.note(session, batch):
                    self._bell.set()

        caller = Caller(self.allowed)
        try:
            async with asyncio.TaskGroup() as work:
                work.create_task(events.follow(Consumer(name=CONSUMER, deliver=note, is_from_start=False)))
                work.create_task(self._send_due(events, caller))
        finally:
            for task in self._tasks:
                task.cancel()
            await caller.close()

    async def _send_due(self, events: Events, caller: Caller) -> None:
        pruned_at = 0.0
        while True:
            self._bell.clear()
            try:
                if time.monotonic() > pruned_at + PRUNE_EVERY_S:
                    async with self._database.platform() as session:
                        await storage.prune(session)
                    if pruned_at:  # servers of the version before, which cannot open them, are gone by now
                        await self.seal_old()
                    pruned_at = time.monotonic()
                if len(self._tasks) < AT_ONCE:
                    await self._start_due(events, caller)
            except errors.IsthmusError as error:
                log.warning("webhooks cannot be read, again in %.0f s: %s", POLL_S, error)
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._bell.wait()

    async def _start_due(self, events: Events, caller: Caller) -> None:
        async with self._database.platform() as session:
            rows = await storage.take(session, self._holder)
        for row in rows:
            task = asyncio.create_task(self._deliver(row, events, caller))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _deliver(self, row: ports.Row, events: Events, caller: Caller) -> None:
        try:
            body = await self._body(row, events)
            if body is None:
                async with self._database.platform() as session:
                    reason = mark("its event is no longer kept")
                    await storage.ended(session, row, self._holder, 0, reason, is_done=False, again_s=None, took_ms=0)
                return
            began = time.monotonic()
            status, reason, later = await self._posted(row, *body, caller)
            await self._write(row, status, reason, later, round((time.monotonic() - began) * 1000))
        except errors.IsthmusError as away:  # its lease runs out, and it is sent again with the same id
            log.warning("what came of webhook delivery %s is not written down: %s", row["delivery_id"], away)
        finally:
            self._bell.set()

    async def _body(self, row: ports.Row, events: Events) -> tuple[bytes, str] | None:
        """Return what is sent, and its trace: the event as it is kept now, without who was forgotten meanwhile."""
        if row["position"] is None:
            return _test_event(row), ""
        async with self._database.platform() as session:
            found = await session.fetch_row(_EVENT, row["position"])
        if found is None:
            return None
        event = event_of(found)
        is_personal = row["is_personal"] and event.front_end == row["front_end"]
        return events.shown(event, is_personal=is_personal), event.trace

    async def _posted(self, row: ports.Row, body: bytes, trace: str, caller: Caller) -> tuple[int, str, str]:
        """Return the status, 0 where there was no answer; the reason; and when to come again, as the answer says."""
        now, id = int(time.time()), row["event_id"]
        try:
            signing = [self._opened(row, one) for one in row["secrets"]]
        except api.NoKey as away:
            log.error("webhooks of %s at %s are not sent: %s", row["endpoint"], row["front_end"], away)
            return (
                0,
                mark("its secret is sealed under a key that is not there: put the file back, or make another secret"),
                "",
            )
        headers = {
            "content-type": "application/json",
            "user-agent": AGENT,
            "webhook-id": id,
            "webhook-timestamp": str(now),
            "webhook-signature": rules.signatures(signing, id, now, body),
            **({"traceparent": trace} if trace else {}),
        }
        try:
            status, later = await caller.post(row["url"], headers, body, self._timeout_s)
        except (httpcore.TimeoutException, TimeoutError):
            return 0, mark(f"no answer within {self._timeout_s:g} s"), ""
        except PrivateAddress as refused:
            return 0, str(refused), ""
        except (OSError, httpcore.NetworkError, httpcore.ProtocolError, ValueError) as error:
            return 0, f"{type(error).__name__}: {error}"[:REASON_MAX], ""
        if 300 <= status < 400:
            return status, mark("it sends elsewhere, and redirects are not followed"), ""
        return status, "" if status < 300 else mark(f"answered {status}"), later

    def _opened(self, row: ports.Row, kept: bytes) -> str:
        """Return a secret; one that no version sealed yet is there as it is written."""
        if kept.startswith(rules.PREFIX.encode()):
            return kept.decode()
        return self._vault.open(kept, _of(row["front_end"], row["endpoint"]))

    async def _write(self, row: ports.Row, status: int, reason: str, later: str, took_ms: int) -> None:
        is_done = 200 <= status < 300
        again_s = None
        async with self._database.platform_transaction() as session:
            if is_done:
                await storage.answered(session, row)
            else:
                again_s = await self._failed(session, row, status, later)
            await storage.ended(
                session, row, self._holder, status, reason, is_done=is_done, again_s=again_s, took_ms=took_ms
            )

    async def _failed(self, session: ports.Session, row: ports.Row, status: int, later: str) -> float | None:
        """Note what a failure says of the address; return after how many seconds the event is sent again."""
        if rules.is_of_address(status) or status == rules.GONE:
            pause_s = rules.endpoint_retry_s(await storage.failures(session, row) + 1, self._randomness())
            await storage.silent(session, row, pause_s, is_gone=status == rules.GONE)
        again_s = rules.retry_s(row["attempts"], self._randomness())
        if again_s is None or not later.isdigit():
            return again_s
        return max(again_s, min(float(later), rules.RETRY_AFTER_MAX_S))


def sender_at(place: Place) -> WebhookSender:
    """Make the sender of a process."""
    settings: Any = place.settings
    key = place.root / settings.key if settings.key else place.data / "webhooks" / "key"
    return WebhookSender(place.database, settings, Vault(key, api.NoKey))


def _of(front_end: str, name: str) -> str:
    """Return whose secret it is, so that it opens for no other endpoint."""
    return f"webhook {front_end}/{name}"


def _test_event(row: ports.Row) -> bytes:
    return encode(
        {
            "specversion": "1.0",
            "id": row["event_id"],
            "source": f"/front-ends/{row['front_end']}",
            "type": "webhooks.test",
            "subject": row["subject"],
            "time": datetime.now(UTC).isoformat(),
            "datacontenttype": "application/json",
            "data": {"endpoint": row["endpoint"]},
        }
    )
