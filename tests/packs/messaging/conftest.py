"""A platform with members, and a server of pushes that may call this machine."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from isthmus.kernel import Caller, FrontEnd, Platform, Value
from isthmus.manifest import Devices
from isthmus.manifest.public_calls import Caller as PublicCaller
from isthmus.packs.devices.pack import PACK as DEVICES
from isthmus.packs.member import api as member
from isthmus.packs.member.pack import PACK as MEMBER
from isthmus.packs.member.pack import PERSONS
from isthmus.packs.messaging import api
from isthmus.packs.messaging.pack import PACK
from isthmus.packs.messaging.service.pushers import Pushers
from isthmus.packs.messaging.service.web import WebPusher
from isthmus.packs.personal_data.pack import PACK as PERSONAL_DATA
from tests.packs.conftest import MakePlatform
from tests.packs.webhooks.receiver import Receiver

from .services import Browser

DAY = datetime(2030, 5, 6, 12, 0, tzinfo=UTC)
NORTH, SOUTH = (
    FrontEnd(code=code, name=code, owner=code, uses=("messaging.*", "member.*", "devices.*"))
    for code in ("north", "south")
)
CUT_OFF = next(one for one in DEVICES.brings if isinstance(one, Devices))
KEY = ec.generate_private_key(ec.SECP256R1())


def web_pusher(*networks: str) -> WebPusher:
    allowed = tuple(ipaddress.ip_network(one) for one in networks)
    return WebPusher(lambda: KEY, "mailto:ops@example.org", PublicCaller(allowed))


class Desk:
    """The platform of one server, and a push service for browsers."""

    def __init__(self, platform: Platform, service: Receiver, *more: api.Pusher, **settings: Any) -> None:
        database: Any = platform.store
        self.platform = platform
        self.database = database
        self.service = service
        self.web = web_pusher("127.0.0.0/8")
        self.pushers = Pushers([self.web, *more], api.MessagingSettings(**settings), PERSONS, CUT_OFF)
        resources: dict[type, object] = {Pushers: self.pushers}
        platform.resources = resources

    async def call(
        self, capability: Any, ask: Value | None = None, front_end: str = "north", now: datetime = DAY
    ) -> Any:
        asked = capability.ask() if ask is None else ask
        return await self.platform.call(capability, asked, Caller(front_end=front_end, client="ci"), now=now)

    async def join(self, email: str, *consents: str, front_end: str = "north") -> UUID:
        identity = member.Identity(kind="email", value=email, is_verified=True)
        made = await self.call(member.register, member.Register(identities=(identity,), consents=consents), front_end)
        return made.member_id

    async def subscribe(
        self, member_id: UUID, name: str, zone: str = "UTC", front_end: str = "north", **more: Any
    ) -> Browser:
        browser = Browser(self.service, name)
        ask = api.AddEndpoint(member_id=member_id, zone=zone, **browser.subscription(), **more)
        await self.call(api.add_endpoint, ask, front_end)
        return browser

    async def notify(
        self, member_id: UUID, reference: str = "", front_end: str = "north", now: datetime = DAY, **draft: Any
    ) -> Any:
        said = api.Draft(**{"purpose": "service", "title": "Your parcel is here", **draft})
        ask = api.Notify(member_id=member_id, reference=reference or str(uuid4()), draft=said)
        return await self.call(api.notify, ask, front_end, now)

    async def deliver(self, now: datetime = DAY, front_end: str = "north") -> api.Delivered:
        return await self.call(api.deliver, front_end=front_end, now=now)

    async def inbox(self, member_id: UUID, **more: Any) -> api.Inbox:
        return await self.call(api.list_inbox, api.ListInbox(member_id=member_id, **more))

    async def states(self) -> list[str]:
        async with self.database.platform() as session:
            rows = await session.fetch("select state from messaging.delivery order by due_at, message_id")
        return [row[0] for row in rows]


MakeDesk = Callable[..., Awaitable[Desk]]


@pytest.fixture
async def make_desk(make_platform: MakePlatform) -> AsyncIterator[MakeDesk]:
    async with Receiver(lambda request: (201, {})) as service:
        made: list[Desk] = []

        async def make(*more: api.Pusher, **settings: Any) -> Desk:
            platform = await make_platform(PACK, MEMBER, DEVICES, PERSONAL_DATA, NORTH, SOUTH)
            made.append(Desk(platform, service, *more, **settings))
            return made[-1]

        yield make
        for desk in made:
            for kind in desk.pushers.kinds:
                pusher = desk.pushers.taking(kind)
                assert pusher is not None
                await pusher.close()


@pytest.fixture
async def desk(make_desk: MakeDesk) -> Desk:
    return await make_desk()
