"""Migrations as files: numbered from 1 without a gap, in the folder of a pack, of the store or of a front end."""

from __future__ import annotations

import hashlib
import importlib.resources
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from typing import Final

_WAS: Final = re.compile(r"^-- was: ([0-9a-f]{64})\b", re.MULTILINE)
_NAME: Final = re.compile(r"(?P<number>\d{4})_(?P<name>[a-z0-9_]+)\.sql")
_SCHEMA: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationSource:
    """Where the migrations of one pack are, the schema that is its own, and the role that its files run as, if any."""

    pack: str
    schema: str
    folder: Traversable
    role: str = ""

    @classmethod
    def of_pack(cls, pack: str, location: str) -> MigrationSource:
        """Return the source at `<package>:<folder>`; the schema is named as the pack is."""
        package, _, folder = location.partition(":")
        root = importlib.resources.files(package)
        return cls(pack=pack, schema=pack.replace("-", "_"), folder=root / folder if folder else root)


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One file."""

    source: MigrationSource = field(repr=False)
    number: int
    name: str
    sql: str = field(repr=False)

    @property
    def pack(self) -> str:
        return self.source.pack

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()

    def is_applied_as(self, checksum: str) -> bool:
        """Say whether a text that was applied is this one, or one that it names: `-- was: <checksum>`."""
        return checksum == self.checksum or checksum in _WAS.findall(self.sql)

    def __str__(self) -> str:
        return f"{self.pack}/{self.name}"


def read_files(sources: Iterable[MigrationSource]) -> tuple[list[Migration], list[str]]:
    """Return every file in the order in which they are applied, and all that is wrong with them."""
    files: list[Migration] = []
    problems: list[str] = []
    packs: set[str] = set()
    for source in sources:
        if source.pack in packs:
            problems.append(f"two sources of migrations are for pack {source.pack!r}: give one")
        packs.add(source.pack)
        if not _SCHEMA.fullmatch(source.schema):
            problems.append(f"schema {source.schema!r} of pack {source.pack!r}: use small letters, digits and _")
        found = _files(source, problems)
        problems += _gaps(source, found)
        files += found
    return files, problems


def _files(source: MigrationSource, problems: list[str]) -> list[Migration]:
    if not source.folder.is_dir():
        problems.append(f"pack {source.pack!r} has no folder {source.folder}: make it, or leave out migrations")
        return []
    found: list[Migration] = []
    for file in sorted(source.folder.iterdir(), key=lambda file: file.name):
        if not file.name.endswith(".sql"):
            continue
        if named := _NAME.fullmatch(file.name):
            sql = file.read_text(encoding="utf-8")
            number = int(named["number"])
            found.append(Migration(source=source, number=number, name=file.name, sql=sql))
        else:
            problems.append(f"{source.pack}/{file.name} is no name of a migration: use 0001_small_letters.sql")
    return found


def _gaps(source: MigrationSource, found: Sequence[Migration]) -> list[str]:
    return [
        f"{file} should have number {expected:04d}: migrations count from 0001 without a gap or a double"
        for expected, file in enumerate(found, 1)
        if file.number != expected
    ][:1]
