"""Stores of files: the contract that one has to keep, and the built-in one, a folder."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, Protocol
from uuid import uuid4

from isthmus.kernel import Value, errors
from isthmus.manifest import Place, ProviderType

BYTES_MAX: Final = 10 << 20  # a photo as a camera takes it; what is larger belongs onto a server for videos
_HEAD: Final = 32  # bytes that say what a file is

# What may be shown, by the ending of its name. Nothing that a browser would run: no SVG, no HTML.
TYPES: Final[Mapping[str, str]] = {
    "avif": "image/avif",
    "gif": "image/gif",
    "jpg": "image/jpeg",
    "pdf": "application/pdf",
    "png": "image/png",
    "webp": "image/webp",
}

_SIGNATURES: Final[Mapping[bytes, str]] = {
    b"\x89PNG\r\n\x1a\n": "png",
    b"\xff\xd8\xff": "jpg",
    b"GIF87a": "gif",
    b"GIF89a": "gif",
    b"%PDF-": "pdf",
}


class NotAllowed(errors.BadAsk):
    """The file is empty, too large, or of a type that is not served."""

    slug = "media.not-allowed"

    def __init__(self, *, what: str) -> None:
        super().__init__(
            f"the file {what}",
            remedy=f"send one of {', '.join(sorted(TYPES))} with at most {BYTES_MAX >> 20} MiB",
            path="$",
        )


class FileStore(Protocol):
    """Keeps files by name. A name is put once with one content; putting it again changes nothing."""

    name: str

    async def put(self, name: str, content: bytes) -> None: ...

    async def get(self, name: str) -> bytes | None:
        """Return a content; None where there is none of this name."""
        ...

    async def has(self, name: str) -> bool: ...


class MediaFiles:
    """The store that is chosen, and what may go into it. Names are of content: `<sha256>.<ending>`."""

    def __init__(self, store: FileStore) -> None:
        self.store = store

    def named(self, content: bytes) -> tuple[str, str]:
        """Return what a file is called and its type. Raises NotAllowed for what is not served."""
        if not content or len(content) > BYTES_MAX:
            raise NotAllowed(what=f"has {len(content)} bytes")
        ending = type_of(content[:_HEAD])
        if ending is None:
            raise NotAllowed(what="is none that is served, whatever it is called")
        return f"{hashlib.sha256(content).hexdigest()}.{ending}", TYPES[ending]

    async def put(self, name: str, content: bytes) -> None:
        """Keep a file, unless it is there."""
        if not await self.store.has(name):
            await self.store.put(name, content)

    async def read(self, name: str) -> tuple[bytes, str] | None:
        """Return a file and its type; None where there is none, or the content is no longer what its name says."""
        digest, _, ending = name.partition(".")
        if len(digest) != hashlib.sha256().digest_size * 2 or ending not in TYPES or not digest.isalnum():
            return None
        content = await self.store.get(name)
        if content is None or hashlib.sha256(content).hexdigest() != digest:
            return None
        return content, TYPES[ending]


def type_of(head: bytes) -> str | None:
    """Return what a file is, by its first bytes and not by what it is called."""
    signatures = {
        b"\x89PNG\r\n\x1a\n": "png",
        b"\xff\xd8\xff": "jpg",
        b"GIF87a": "gif",
        b"GIF89a": "gif",
        b"%PDF-": "pdf",
    }
    if found := next((ending for start, ending in signatures.items() if head.startswith(start)), None):
        return found
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    return "avif" if head[4:8] == b"ftyp" and b"avif" in head[8:] else None


class FolderSettings(Value):
    """`[providers.media.<name>]`. folder: where files lie; none: `media` in the platform's data folder."""

    folder: str = ""


class FolderStore:
    """Keeps files in a folder, which all server processes see; a file is there whole or not at all."""

    def __init__(self, name: str, settings: FolderSettings) -> None:
        self.name = name
        self.folder = Path(settings.folder) if settings.folder else None

    async def put(self, name: str, content: bytes) -> None:
        await asyncio.to_thread(self._put, name, content)

    async def get(self, name: str) -> bytes | None:
        return await asyncio.to_thread(self._get, name)

    async def has(self, name: str) -> bool:
        return self._at(name).is_file()

    def _put(self, name: str, content: bytes) -> None:
        place = self._at(name)
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_name(f".{uuid4().hex}")
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(place)

    def _get(self, name: str) -> bytes | None:
        try:
            return self._at(name).read_bytes()
        except FileNotFoundError:
            return None

    def _at(self, name: str) -> Path:
        if self.folder is None:
            raise errors.Fault("the store has no folder", remedy="make it by `connected`, which knows the data folder")
        return self.folder / name[:2] / name  # at most 256 folders, however many files


def connected(place: Place) -> MediaFiles:
    """Connect the store that the settings chose: the first by name."""
    stores: Iterable[FileStore] = place.providers.values()
    store = min(stores, key=lambda one: one.name)
    if isinstance(store, FolderStore) and store.folder is None:
        store.folder = place.data / "media"
    return MediaFiles(store)


FOLDER: Final = ProviderType(settings=FolderSettings, make=FolderStore)
