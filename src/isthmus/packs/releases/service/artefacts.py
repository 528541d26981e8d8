"""Artefacts: contents by their hash in the database, which every server has, and the key that signs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from isthmus.kernel import Value, errors
from isthmus.manifest import Persons, Place, Secret, brought
from isthmus.manifest.key_file import make_once
from isthmus.store import Database

from .. import api, storage

KEY_BYTES: Final = 32
KIND: Final = "application/octet-stream"
ENDING: Final = ".bin"


class ReleaseSettings(Value):
    """`[settings.releases]`. key: a secret with 64 hex digits; without one a file is made, which servers share."""

    key: Secret | None = None


class Artefacts:
    """Keeps files by the hash of their content, and signs."""

    def __init__(self, database: Database, key: Callable[[], bytes], segments: str = "") -> None:
        self._database = database
        self._read_key = key
        self._segments = segments
        self._key: Ed25519PrivateKey | None = None

    def named(self, content: bytes) -> tuple[str, str]:
        """Return what a file is called and its type. Raises FileTooLarge."""
        if not 0 < len(content) <= api.ARTEFACT_BYTES_MAX:
            raise api.FileTooLarge(size=len(content), most=api.ARTEFACT_BYTES_MAX)
        return hashlib.sha256(content).hexdigest() + ENDING, KIND

    async def put(self, name: str, content: bytes) -> None:
        """Keep a file, unless it is there."""
        async with self._database.platform() as session:
            await storage.put_content(session, name.removesuffix(ENDING), content)

    async def read(self, name: str) -> tuple[bytes, str] | None:
        """Return a file and its type; None where there is none, or it is no longer what its name says."""
        sha256 = name.removesuffix(ENDING)
        async with self._database.platform() as session:
            content = await storage.content(session, sha256)
        if content is None or hashlib.sha256(content).hexdigest() != sha256:
            return None
        return content, KIND

    async def segments_of(self, front_end: str, member: str) -> frozenset[str]:
        """Return the segments of a member; nothing for who is none."""
        try:
            id = UUID(member)
        except ValueError:
            return frozenset()
        if not self._segments:
            return frozenset()
        async with self._database.platform() as session:
            return frozenset(await session.fetch_value(self._segments, front_end, id) or ())

    def sign(self, said: bytes) -> str:
        """Return the platform's signature, in hex."""
        return self._signing().sign(said).hex()

    def public_key(self) -> str:
        """Return the key that verifies, in hex."""
        return self._signing().public_key().public_bytes_raw().hex()

    def _signing(self) -> Ed25519PrivateKey:
        if self._key is None:
            self._key = Ed25519PrivateKey.from_private_bytes(self._read_key())
        return self._key


def artefacts_at(place: Place) -> Artefacts:
    """Make what keeps and signs in a process."""
    settings: Any = place.settings
    persons = next(iter(brought(place.packs, Persons)), None)
    return Artefacts(
        place.database, lambda: _key(settings.key, place.data), "" if persons is None else persons.segments
    )


def _key(secret: Secret | None, data: Path) -> bytes:
    if secret is not None:
        try:
            found = bytes.fromhex(secret.reveal())
        except ValueError:
            found = b""
        if len(found) != KEY_BYTES:
            raise errors.Fault("the key of releases is not 64 hex digits", remedy="make one: openssl rand -hex 32")
        return found
    file = data / "releases.key"
    if not file.exists():
        make_once(file, Ed25519PrivateKey.generate().private_bytes_raw())
    return file.read_bytes()
