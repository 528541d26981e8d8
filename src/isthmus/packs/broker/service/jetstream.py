"""Events to NATS JetStream and from it: each acknowledged before the next, so that their order is kept.

What is published has the event's id as `Nats-Msg-Id`: one that is sent again within the stream's window is stored
once, and `id` tells it apart for ever. What the broker does not store is sent again, later each time, and the rest
waits in the database. What comes in is acknowledged once it is committed here, under a key of its source and id.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

from isthmus.kernel import Meta, Value, errors
from isthmus.manifest import Events, Place
from isthmus.store import Consumer, Event, Outbox

from .. import api, rules

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.js import JetStreamContext

CONSUMER: Final = "broker"
BATCH_MAX: Final = 100  # acknowledged within the time that a reader of events holds them
ACK_WITHIN_S: Final = 5.0
FETCH_S: Final = 5.0
AGAIN_FIRST_S: Final = 1.0
AGAIN_LAST_S: Final = 300.0
TOKEN: Final = r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\Z"

log = logging.getLogger("isthmus.broker")


class Taking(Value):
    """What a front end takes in: messages of a subject of a stream that is there, such as `crm.>`."""

    stream: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]+\Z")]
    subject: Annotated[str, Meta(min_length=1, max_length=240)]
    front_end: str


class BrokerSettings(Value):
    """`[settings.broker]`. Without `url` there is no broker.

    url: one address of NATS or several with commas. credentials: a file that NATS made for this client, beside the
    settings. stream: made where it is missing, of the subjects below `prefix`; a stream that is there stays as it is.
    days: so long it keeps events. duplicates_s: within so long an event that comes again is stored once.
    personal: personal data goes out too; otherwise it is masked. takes: what comes in, for which front end.
    """

    url: str = ""
    credentials: str = ""
    stream: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]+\Z")] = "ISTHMUS"
    prefix: Annotated[str, Meta(pattern=TOKEN)] = "isthmus"
    days: Annotated[float, Meta(gt=0, le=3650)] = 7.0
    duplicates_s: Annotated[int, Meta(ge=1, le=86_400)] = 3_600
    personal: bool = False
    takes: tuple[Taking, ...] = ()


class NoClient(errors.BadAsk):
    """The settings name a broker, and the library that speaks its protocol is not installed."""

    slug = "broker.no-client"

    def __init__(self) -> None:
        super().__init__(
            "[settings.broker] has url, and nats-py is not installed", remedy="run: pip install 'isthmus[nats]'"
        )


class Broker:
    """The broker of a platform; any number of processes may run one on the same database."""

    def __init__(self, place: Place) -> None:
        self._settings: BrokerSettings = place.settings or BrokerSettings()
        if self._settings.url and importlib.util.find_spec("nats") is None:
            raise NoClient
        self._credentials = str(place.root / self._settings.credentials) if self._settings.credentials else None
        self._outbox = Outbox(place.database)

    async def run(self, events: Events) -> None:
        """Carry events until cancelled; where there is no broker, see that nothing is kept for one."""
        if not self._settings.url:
            await self._outbox.forget(CONSUMER)
            await asyncio.Event().wait()
        client = await self._connected()
        try:
            stream: JetStreamContext = cast(Any, client).jetstream(timeout=ACK_WITHIN_S)
            await self._make_stream(stream)

            async def publish(batch: Sequence[Event]) -> None:
                for event in batch:
                    await self._publish(stream, event, events)

            async with asyncio.TaskGroup() as work:
                work.create_task(events.follow(Consumer(name=CONSUMER, deliver=publish, batch_max=BATCH_MAX)))
                for taking in self._settings.takes:
                    work.create_task(self._take(stream, taking, events))
        finally:
            with suppress(Exception):
                await client.close()

    async def _connected(self) -> Client:
        import nats

        async def say(error: Exception) -> None:
            log.warning("the broker: %s", error)

        more: dict[str, Any] = {"user_credentials": self._credentials} if self._credentials else {}
        return await cast(Any, nats).connect(
            [one.strip() for one in self._settings.url.split(",")],
            name="isthmus",
            max_reconnect_attempts=-1,  # of a connection that was there; a first one that fails is tried again by `run`
            error_cb=say,
            **more,
        )

    async def _make_stream(self, stream: JetStreamContext) -> None:
        from nats.js.api import StreamConfig
        from nats.js.errors import NotFoundError

        said = self._settings
        try:
            found = await stream.stream_info(said.stream)
        except NotFoundError:
            await cast(Any, stream).add_stream(
                StreamConfig(
                    name=said.stream,
                    subjects=[f"{said.prefix}.>"],
                    max_age=said.days * 86_400,
                    duplicate_window=min(said.duplicates_s, said.days * 86_400),
                )
            )
            return
        if f"{said.prefix}.>" not in (found.config.subjects or []):
            raise errors.Conflict(
                f"the stream {said.stream} is of {found.config.subjects}, and not of {said.prefix}.>",
                remedy="name another stream or prefix in [settings.broker], or add the subject to the stream",
            )

    async def _publish(self, stream: JetStreamContext, event: Event, events: Events) -> None:
        body = events.shown(event, is_personal=self._settings.personal)
        subject = rules.subject_of(self._settings.prefix, event.front_end, event.type)
        headers = {"Nats-Msg-Id": event.id, "Content-Type": rules.STRUCTURED}
        await stream.publish(subject, body, headers=headers, stream=self._settings.stream, timeout=ACK_WITHIN_S)

    async def _take(self, stream: JetStreamContext, taking: Taking, events: Events) -> None:
        """Take in what others say, one at a time, until cancelled."""
        from nats.js.api import AckPolicy, ConsumerConfig

        durable = f"isthmus-{hashlib.sha256(f'{taking.front_end}/{taking.subject}'.encode()).hexdigest()[:16]}"
        config = ConsumerConfig(ack_policy=AckPolicy.EXPLICIT, max_ack_pending=BATCH_MAX)
        waiting = await stream.pull_subscribe(taking.subject, durable, stream=taking.stream, config=config)
        while True:
            try:
                messages = await waiting.fetch(BATCH_MAX, timeout=FETCH_S)
            except TimeoutError:
                continue
            for message in messages:
                await self._taken(message, taking, events)

    async def _taken(self, message: Msg, taking: Taking, events: Events) -> None:
        try:
            draft = rules.event_of(message.headers or {}, message.data)
            key = hashlib.sha256(f"{draft.source}\n{draft.id}".encode()).hexdigest()
            await events.call(api.take, draft, taking.front_end, key=f"{CONSUMER}/{key}")
            await message.ack_sync(timeout=ACK_WITHIN_S)
        except rules.NotACloudEvent as wrong:
            log.error("a message on %s is taken in by nobody: %s", message.subject, wrong)
            await message.term()
        except errors.IsthmusError as failed:
            again_s = min(AGAIN_FIRST_S * 2 ** (message.metadata.num_delivered - 1), AGAIN_LAST_S)
            log.warning("a message on %s is not taken in, again in %.0f s: %s", message.subject, again_s, failed)
            await message.nak(delay=again_s)


def broker_at(place: Place) -> Broker:
    """Make the broker of a process. Raises NoClient."""
    return Broker(place)
