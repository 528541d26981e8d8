"""Who pushes: the providers that are connected, web push beside them, and what is known of members elsewhere."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric import ec

from isthmus.kernel import errors, ports
from isthmus.manifest import Devices, Persons, Place, brought
from isthmus.manifest.key_file import make_once
from isthmus.manifest.public_calls import Caller

from .. import api
from .web import WebPusher

KEY_BYTES: Final = 32


class Pushers:
    """The providers by the kinds of devices that they reach, and the settings."""

    def __init__(
        self, pushers: Iterable[api.Pusher], settings: api.MessagingSettings, persons: Persons | None = None,
        devices: Devices | None = None,
    ) -> None:  # fmt: skip
        self.settings = settings
        self._by_kind = {kind: one for one in sorted(pushers, key=lambda one: one.name) for kind in one.kinds}
        self._persons = persons
        self._devices = devices

    @property
    def kinds(self) -> list[str]:
        return sorted(self._by_kind)

    @property
    def web(self) -> WebPusher | None:
        found = self._by_kind.get("web")
        return found if isinstance(found, WebPusher) else None

    def taking(self, kind: str) -> api.Pusher | None:
        """Return who pushes to devices of a kind."""
        return self._by_kind.get(kind)

    def is_free(self, purpose: str) -> bool:
        return purpose in self.settings.free

    async def consenting(
        self, session: ports.Session, front_end: str, members: Sequence[UUID], purpose: str
    ) -> frozenset[UUID]:
        """Return those who let themselves be told things for a purpose: all, where nobody is asked for that."""
        if self.is_free(purpose) or self._persons is None or not self._persons.consenting:
            return frozenset(members)
        return frozenset(
            row[0] for row in await session.fetch(self._persons.consenting, front_end, list(members), purpose)
        )

    async def in_segment(
        self, session: ports.Session, front_end: str, segment: str, after: UUID, limit: int
    ) -> list[UUID]:
        """Return the next members of a segment."""
        if self._persons is None or not self._persons.in_segment:
            return []
        return [row[0] for row in await session.fetch(self._persons.in_segment, front_end, segment, after, limit)]

    async def persons(self, session: ports.Session, front_end: str, members: Sequence[UUID]) -> dict[UUID, object]:
        """Return who members are in the whole group; who is no known person is themselves."""
        found: dict[UUID, object] = {one: one for one in members}
        if self._persons is not None and self._persons.person:
            rows = await session.fetch(self._persons.person, front_end, list(members))
            found |= {row[0]: row[1] for row in rows}
        return found

    async def cut_off(self, session: ports.Session, front_end: str, devices: Sequence[str]) -> frozenset[str]:
        """Return which devices are given nothing any more."""
        if self._devices is None or not any(devices):
            return frozenset()
        rows = await session.fetch(self._devices.cut_off, front_end, sorted({one for one in devices if one}))
        return frozenset(row[0] for row in rows)


def pushers_at(place: Place) -> Pushers:
    """Connect the providers that the settings chose, and web push, which needs nothing but a key."""
    settings: api.MessagingSettings = place.settings
    web = WebPusher(
        lambda: _key(settings, place),
        settings.contact,
        Caller(tuple(ipaddress.ip_network(one) for one in settings.networks)),
    )
    persons = next(iter(brought(place.packs, Persons)), None)
    devices = next(iter(brought(place.packs, Devices)), None)
    return Pushers([web, *place.providers.values()], settings, persons, devices)


def quiet() -> Pushers:
    """Return what a call takes that is rolled back in the end: it pushes nothing."""
    return Pushers([_Nobody()], api.MessagingSettings())


class _Nobody:
    name = "nobody"
    kinds: tuple[str, ...] = ("web", "apns", "fcm")

    async def push(self, push: api.Push) -> api.Receipt:
        return api.Receipt(state="sent")

    async def close(self) -> None: ...


def _key(settings: api.MessagingSettings, place: Place) -> ec.EllipticCurvePrivateKey:
    if settings.key is not None:
        said: Any = settings.key.reveal()
        try:
            raw = bytes.fromhex(said)
            if len(raw) == KEY_BYTES:
                return ec.derive_private_key(int.from_bytes(raw), ec.SECP256R1())
        except ValueError:
            pass
        raise errors.Fault("the key of messaging is not 64 hex digits", remedy="make one: openssl rand -hex 32")
    file = place.data / "push.key"
    if not file.exists():
        made = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
        make_once(file, made.to_bytes(KEY_BYTES))
    return ec.derive_private_key(int.from_bytes(file.read_bytes()), ec.SECP256R1())
