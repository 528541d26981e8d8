"""Versions of front ends: packed by content, kept in the database, unpacked where they run."""

from __future__ import annotations

import asyncio
import io
import shutil
import sys
import tarfile
import tempfile
import zlib
from contextlib import suppress
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Final

from isthmus.kernel import FrontEnd, Value, errors
from isthmus.store import Database

from .loading import MANIFEST, PACKAGE, Load, NotAFrontEnd, content_hash, load_front_end

PACKED_MAX: Final = 8 << 20  # rules and pages, no data sets: the three that ship have 20 kB each
UNPACKED_MAX: Final = 32 << 20  # so that a small archive cannot fill a disk
FILES_MAX: Final = 2_000
SHORT: Final = 12  # digits of a hash that people read
LISTED_MAX: Final = 1_000

_KEEP: Final = """
    insert into runtime.version (front_end, hash, number, folder, files, packed, made_by)
    select $1, $2, coalesce(max(number), 0) + 1, $3, $4, $5, $6 from runtime.version where front_end = $1
    on conflict (front_end, hash) do nothing"""
_NUMBER: Final = "select number from runtime.version where front_end = $1 and hash = $2"
_FIND: Final = "select folder, packed from runtime.version where front_end = $1 and hash = $2"
_LIST: Final = """
    select front_end, hash, number, folder, files, length(packed) as size, made_by, made_at
    from runtime.version where $1::text is null or front_end = $1 order by front_end, number desc limit $2"""


class TooLarge(errors.BadAsk):
    """A front end's folder is larger than a front end may be."""

    slug = "runtime.too-large"


class NotAnArchive(errors.BadAsk):
    """What was sent is no packed front end."""

    slug = "runtime.not-an-archive"


class CannotUnpack(errors.Fault):
    """This process cannot write where versions are unpacked."""

    slug = "runtime.cannot-unpack"


class NoSuchVersion(errors.NotFound):
    """This version was never deployed."""

    slug = "runtime.no-such-version"


class Packed(Value):
    """A folder as one piece; `hash` is its content's, so the same content is the same version wherever it was."""

    folder: str
    hash: str
    files: int
    content: bytes


class Version(Value):
    """One version that is kept; size in bytes as packed."""

    front_end: str
    hash: str
    number: int
    folder: str
    files: int
    size: int
    made_by: str
    made_at: datetime

    @property
    def name(self) -> str:
        return named(self.number, self.hash)


def named(number: int, hash_: str) -> str:
    """Return what people call a version: `v3 (0123456789ab)`."""
    return f"v{number} ({hash_[:SHORT]})"


def pack(folder: Path) -> Packed:
    """Pack a front end's folder, the same way on every machine. Raises NotAFrontEnd, TooLarge."""
    if not (folder / MANIFEST).is_file():
        load_front_end(folder)  # says what is missing
    root = folder.resolve()
    written, files, size = io.BytesIO(), 0, 0
    with tarfile.open(fileobj=written, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(root.rglob("*")):
            inside = path.relative_to(root)
            is_cache = any(part == "__pycache__" or part.startswith(".") for part in inside.parts)
            if is_cache or not path.is_file():
                continue
            if not path.resolve().is_relative_to(root):
                raise NotAFrontEnd(f"{inside} leads out of {folder}", remedy="copy the file into the folder")
            files, size = files + 1, size + path.stat().st_size
            if files > FILES_MAX or size > UNPACKED_MAX:
                raise TooLarge(
                    f"{folder} has more than {FILES_MAX} files or {UNPACKED_MAX >> 20} MB",
                    remedy="leave data out of the folder: a front end is its rules and pages",
                )
            entry = tarfile.TarInfo(inside.as_posix())
            entry.size = path.stat().st_size
            with path.open("rb") as content:
                tar.addfile(entry, content)
    packed = zlib.compress(written.getvalue())
    if len(packed) > PACKED_MAX:
        raise TooLarge(
            f"{folder} is {len(packed) >> 20} MB when packed, and {PACKED_MAX >> 20} are allowed",
            remedy="leave data out of the folder: a front end is its rules and pages",
        )
    return Packed(folder=root.name, hash=content_hash(root), files=files, content=packed)


def unpack(content: bytes, folder: Path) -> None:
    """Unpack into a folder that is not there yet; it appears whole or not at all.

    Raises NotAnArchive, TooLarge, CannotUnpack.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".unpacking-") as part:
            inside = Path(part) / folder.name
            _extract(content, inside)
            with suppress(OSError):  # another process was faster, with the same content
                inside.rename(folder)
    except (tarfile.TarError, zlib.error) as error:
        raise NotAnArchive(
            f"what was sent cannot be unpacked: {error}", remedy="send what `isthmus deploy --to` sends"
        ) from error
    except OSError as error:
        raise CannotUnpack(f"{folder} cannot be written: {error}", remedy="mend the data folder") from error
    if not folder.is_dir():
        raise CannotUnpack(f"{folder} could not be put in place", remedy="mend the data folder")


def _extract(content: bytes, inside: Path) -> None:
    inside.mkdir()
    with tarfile.open(fileobj=io.BytesIO(_unpressed(content))) as tar:
        if len(tar.getmembers()) > FILES_MAX:
            raise TooLarge(f"more than {FILES_MAX} files", remedy="leave data out of the folder")
        for entry in tar:
            _write(tar, entry, inside)


def _write(tar: tarfile.TarFile, entry: tarfile.TarInfo, inside: Path) -> None:
    """Write one file of an archive: a plain one, within the folder. Links and devices are in none that we pack."""
    place = PurePosixPath(entry.name)
    content = tar.extractfile(entry) if entry.isreg() else None
    if content is None or place.is_absolute() or ".." in place.parts or not place.parts:
        raise tarfile.TarError(f"{entry.name!r} is no plain file within the folder")
    target = inside / place
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content.read())


def _unpressed(content: bytes) -> bytes:
    reader = zlib.decompressobj()
    found = reader.decompress(content, UNPACKED_MAX + FILES_MAX * tarfile.BLOCKSIZE * 2)
    if reader.unconsumed_tail:
        raise TooLarge(f"more than {UNPACKED_MAX >> 20} MB when unpacked", remedy="leave data out of the folder")
    return found


async def keep(database: Database, code: str, packed: Packed, made_by: str) -> int:
    """Keep a version, where it is new, and return its number. Two at once need the lock of a deploy."""
    async with database.platform() as session:
        await session.execute(_KEEP, code, packed.hash, packed.folder, packed.files, packed.content, made_by)
        return await session.fetch_value(_NUMBER, code, packed.hash)


async def versions(database: Database, code: str | None = None) -> tuple[Version, ...]:
    """Return the versions of one front end, or of all, the latest first."""
    async with database.platform() as session:
        rows = await session.fetch(_LIST, code, LISTED_MAX)
    return tuple(Version(**{name: row[name] for name in Version.__struct_fields__}) for row in rows)


async def chosen(database: Database, code: str, wanted: str) -> Version:
    """Return the version that people mean by `3`, `v3` or the first digits of a hash. Raises NoSuchVersion."""
    found = await versions(database, code)
    number = wanted.removeprefix("v")
    exact = [one for one in found if number.isdigit() and len(number) < SHORT and one.number == int(number)]
    alike = exact or [one for one in found if len(wanted) >= 4 and one.hash.startswith(wanted)]
    if len(alike) != 1:
        raise NoSuchVersion(
            f"front end {code!r} has {len(alike) or 'no'} version(s) {wanted!r}",
            remedy=f"choose one that `isthmus versions {code}` lists",
        )
    return alike[0]


async def load(database: Database, code: str, hash_: str, cache: Path, load_folder: Load = load_front_end) -> FrontEnd:
    """Return a version's front end, unpacked below `cache` where it is not there yet; loaded in a thread.

    Raises NoSuchVersion, and NotAFrontEnd where it cannot be imported here.
    """
    parent = cache / f"{code}-{hash_[:SHORT]}"
    found = next(parent.glob(f"*/{MANIFEST}"), None) if parent.is_dir() else None
    folder = found.parent if found else None
    if folder is not None and await asyncio.to_thread(content_hash, folder) != hash_:
        await asyncio.to_thread(shutil.rmtree, parent, ignore_errors=True)  # edited, or half gone: fetched anew
        folder = None
    if folder is None:
        folder = await _fetched(database, code, hash_, parent)
    return await asyncio.to_thread(load_checked, folder, code, hash_, load_folder)


def forget(hash_: str) -> None:
    """Let go of a version's modules; calls that run on it keep what they have."""
    for name in list(sys.modules):
        if name.startswith(PACKAGE) and name.partition(".")[0].endswith(f"_{hash_[:SHORT]}"):
            del sys.modules[name]


async def _fetched(database: Database, code: str, hash_: str, parent: Path) -> Path:
    async with database.platform() as session:
        row = await session.fetch_row(_FIND, code, hash_)
    if row is None:
        raise NoSuchVersion(f"front end {code!r} has no version {hash_[:SHORT]}", remedy="deploy its folder again")
    folder = parent / row["folder"]
    await asyncio.to_thread(unpack, row["packed"], folder)
    return folder


def load_checked(folder: Path, code: str, hash_: str, load_folder: Load = load_front_end) -> FrontEnd:
    """Load a folder that must be this version. Raises NotAFrontEnd where it is not, whatever is wrong with it."""
    if content_hash(folder) != hash_:  # what runs must be what was deployed
        raise NotAFrontEnd(f"{folder} is not what was deployed", remedy="remove it and deploy again")
    try:
        front_end = load_folder(folder)
    except errors.IsthmusError:
        raise
    except Exception as error:
        raise NotAFrontEnd(f"{folder.name} cannot be loaded: {error!r}", remedy="mend it, then deploy it") from error
    if front_end.code != code:
        raise NotAFrontEnd(f"{folder.name} is front end {front_end.code!r}, not {code!r}", remedy="name the right one")
    return front_end
