"""Versions of front ends: packed by content, kept in the database, unpacked where they run."""

from __future__ import annotations

import asyncio
import hashlib
import io
import shutil
import sys
import tarfile
import tempfile
import zlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Final

from isthmus.kernel import FrontEnd, Value, errors
from isthmus.store import Database
from isthmus.values import whole_number

from .loading import MANIFEST, PACKAGE, Load, NotAFrontEnd, content_hash, is_left_out, load_front_end

PACKED_MAX: Final = 8 << 20  # rules and pages, no data sets: the three that ship have 20 kB each
UNPACKED_MAX: Final = 32 << 20  # so that a small archive cannot fill a disk
FILES_MAX: Final = 2_000
DEPTH_MAX: Final = 16  # folders in folders: a path of a front end has three or four
SHORT: Final = 12  # digits of a hash that people read
LISTED_MAX: Final = 1_000

_KEEP: Final = """
    insert into runtime.version (front_end, hash, number, folder, files, packed, made_by, asks)
    select $1, $2, coalesce(max(number), 0) + 1, $3, $4, $5, $6, $7 from runtime.version where front_end = $1
    on conflict (front_end, hash) do nothing"""
_NUMBER: Final = "select number from runtime.version where front_end = $1 and hash = $2"
_FIND: Final = """
    select folder, packed from runtime.version where front_end = $1 and hash = $2
    union all
    select folder, packed from runtime.rules where front_end = $1 and hash = $2 and packed is not null limit 1"""
_PACKED: Final = "select packed from runtime.version where front_end = $1 and hash = $2"
_LIST: Final = """
    select v.front_end, v.hash, number, folder, files, length(packed) as size, made_by, v.made_at,
        coalesce(s.person, '') as signed_by, coalesce(s.key, '') as signing_key
    from runtime.version v left join lateral (
        select person, key from runtime.signature s
        where s.front_end = v.front_end and s.hash = v.hash and act = 'deploy' order by id desc limit 1) s on true
    where $1::text is null or v.front_end = $1 order by v.front_end, number desc limit $2"""

_BEGUN: Final = """
    select front_end, min(made_at) as at,
           count(distinct made_by) filter (where made_at > now() - interval '1 year') as people
    from runtime.version group by front_end order by front_end"""


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
    """A folder as one piece; `hash` is its content's, so the same content is the same version wherever it was.

    digest: what people sign, which no other set of files has.
    """

    folder: str
    hash: str
    digest: str
    files: int
    content: bytes


class Version(Value):
    """One version that is kept; size in bytes as packed. signed_by, signing_key: who signed it last, by which key."""

    front_end: str
    hash: str
    number: int
    folder: str
    files: int
    size: int
    made_by: str
    made_at: datetime
    signed_by: str = ""
    signing_key: str = ""

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
            if any(map(is_left_out, inside.parts)) or not path.is_file():
                continue
            if not path.resolve().is_relative_to(root):
                raise NotAFrontEnd(f"{inside} leads out of {folder}", remedy="copy the file into the folder")
            files, size = files + 1, size + path.stat().st_size
            if files > FILES_MAX or size > UNPACKED_MAX or len(inside.parts) > DEPTH_MAX:
                raise TooLarge(
                    f"{folder} has over {FILES_MAX} files, {UNPACKED_MAX >> 20} MB or {DEPTH_MAX} folders in folders",
                    remedy="leave data out of the folder: a front end is its rules and pages",
                )
            _add(tar, inside, path)
    packed = zlib.compress(written.getvalue())
    if len(packed) > PACKED_MAX:
        raise TooLarge(
            f"{folder} is {len(packed) >> 20} MB when packed, and {PACKED_MAX >> 20} are allowed",
            remedy="leave data out of the folder: a front end is its rules and pages",
        )
    digest = files_digest(root)
    return Packed(folder=root.name, hash=content_hash(root), digest=digest, files=files, content=packed)


def files_digest(folder: Path) -> str:
    """Return a digest of names and contents from which files cannot be cut otherwise, as they can from the hash."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.is_file() and not any(map(is_left_out, inside.parts)):
            digest.update(hashlib.sha256(path.read_bytes()).digest() + inside.as_posix().encode() + b"\0")
    return digest.hexdigest()


def _add(tar: tarfile.TarFile, inside: Path, path: Path) -> None:
    entry = tarfile.TarInfo(inside.as_posix())
    entry.size = path.stat().st_size
    try:
        with path.open("rb") as content:
            tar.addfile(entry, content)
    except ValueError as error:  # the format has room for 100 bytes of a name, and 155 of the folders before it
        raise NotAFrontEnd(f"{inside} cannot be packed: {error}", remedy="give it a shorter name") from error


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
    except (tarfile.TarError, zlib.error, UnicodeDecodeError) as error:
        raise NotAnArchive(
            f"what was sent cannot be unpacked: {error}", remedy="send what `isthmus deploy --to` sends"
        ) from error
    except OSError as error:
        raise CannotUnpack(f"{folder} cannot be written: {error}", remedy="fix the data folder") from error
    if not folder.is_dir():
        raise CannotUnpack(f"{folder} could not be put in place", remedy="fix the data folder")


def _extract(content: bytes, inside: Path) -> None:
    inside.mkdir()
    archive = memoryview(_unpressed(content))
    at, files, size = 0, 0, 0
    while at + tarfile.BLOCKSIZE <= len(archive):
        header = bytes(archive[at : at + tarfile.BLOCKSIZE])
        if not any(header):
            return  # two blocks of nothing end an archive
        entry = _entry(header)
        files, size, at = files + 1, size + entry.size, at + tarfile.BLOCKSIZE
        if files > FILES_MAX or size > UNPACKED_MAX:
            raise TooLarge(f"more than {FILES_MAX} files or {UNPACKED_MAX >> 20} MB", remedy="leave data out")
        if at + entry.size > len(archive):
            raise tarfile.TarError(f"{entry.name!r} ends before its {entry.size} bytes")
        _write(entry.name, archive[at : at + entry.size], inside)
        at += -(-entry.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE


def _entry(header: bytes) -> tarfile.TarInfo:
    """Read a header as `pack` writes it: a plain file of the size that follows.

    The general reader also opens archives in archives, sparse files and headers that extend the next one, each of
    a size that the sender chooses; none is in an archive of ours.
    """
    entry = tarfile.TarInfo.frombuf(header, "utf-8", "strict")
    if entry.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or entry.size < 0:
        raise tarfile.TarError(f"{entry.name!r} is no plain file within the folder")
    return entry


def _write(name: str, content: memoryview, inside: Path) -> None:
    """Write one file of an archive: within the folder, not too deep in it, once, and none that its hash leaves out."""
    place = PurePosixPath(name)
    if any(is_left_out(part) for part in place.parts):
        raise tarfile.TarError(f"{name!r} is hidden or a cache, which no version has")
    if place.is_absolute() or ".." in place.parts or not 1 <= len(place.parts) <= DEPTH_MAX or "\0" in name:
        raise tarfile.TarError(f"{name!r} is no plain file within the folder, or over {DEPTH_MAX} folders deep")
    target = inside / place
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            file.write(content)
    except (FileExistsError, NotADirectoryError):
        raise tarfile.TarError(f"{name!r} stands where another file is") from None


def _unpressed(content: bytes) -> bytes:
    reader = zlib.decompressobj()
    found = reader.decompress(content, UNPACKED_MAX + (FILES_MAX + 2) * tarfile.BLOCKSIZE * 2)
    if reader.unconsumed_tail:
        raise TooLarge(f"more than {UNPACKED_MAX >> 20} MB when unpacked", remedy="leave data out of the folder")
    if not reader.eof or reader.unused_data:
        raise tarfile.TarError("it ends early, or something follows it")
    return found


async def keep(database: Database, code: str, packed: Packed, made_by: str, asks: str = "") -> int:
    """Keep a version, where it is new, and return its number. Two at once need the lock of a deploy.

    asks: what it asks of whoever deploys while it runs.
    """
    async with database.platform() as session:
        await session.execute(_KEEP, code, packed.hash, packed.folder, packed.files, packed.content, made_by, asks)
        return await session.fetch_value(_NUMBER, code, packed.hash)


@asynccontextmanager
async def as_signed(database: Database, code: str, hash_: str, digest: str) -> AsyncGenerator[Path]:
    """Give a folder with what is kept of a version, and would run.

    Raises NotAFrontEnd where that is not the files that somebody signed.
    """
    async with database.platform() as session:
        kept = await session.fetch_value(_PACKED, code, hash_)
    with tempfile.TemporaryDirectory(prefix="isthmus-signed-") as made:
        folder = Path(made) / "kept"
        await asyncio.to_thread(unpack, kept, folder)
        if await asyncio.to_thread(files_digest, folder) != digest:
            raise NotAFrontEnd(
                f"what is kept of version {hash_[:SHORT]} of {code!r} is not what was signed",
                remedy="change a file and deploy it anew, and find out who could write to runtime.version",
            )
        yield folder


async def versions(database: Database, code: str | None = None) -> tuple[Version, ...]:
    """Return the versions of one front end, or of all, the latest first."""
    async with database.platform() as session:
        rows = await session.fetch(_LIST, code, LISTED_MAX)
    return tuple(Version(**{name: row[name] for name in Version.__struct_fields__}) for row in rows)


class Beginning(Value):
    """When a front end was deployed for the first time, and how many have deployed it within a year."""

    front_end: str
    at: datetime
    people: int


async def beginnings(database: Database) -> tuple[Beginning, ...]:
    """Return when each front end began here."""
    async with database.platform() as session:
        rows = await session.fetch(_BEGUN)
    return tuple(Beginning(front_end=row["front_end"], at=row["at"], people=row["people"]) for row in rows)


async def chosen(database: Database, code: str, wanted: str) -> Version:
    """Return the version that people mean by `3`, `v3` or the first digits of a hash. Raises NoSuchVersion."""
    found = await versions(database, code)
    number = wanted.removeprefix("v")
    exact = [one for one in found if one.number == whole_number(number, 1, 10**SHORT)]
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
        raise NotAFrontEnd(f"{folder.name} cannot be loaded: {error!r}", remedy="fix it, then deploy it") from error
    if front_end.code != code:
        raise NotAFrontEnd(f"{folder.name} is front end {front_end.code!r}, not {code!r}", remedy="name the right one")
    return front_end
