"""The company's files of policies on this machine, looked at again and again, and what each server makes of them.

A server whose files change decides by them as soon as they fit, and goes on with those before where they do not; so
does what it starts beside itself, such as a landing, by a copy that it keeps. Which ones each server has, and what is
wrong with its files, is a row that the doctor reads.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from isthmus.kernel import Pack, Value, decode, encode
from isthmus.manifest import Place
from isthmus.sealing import UNSEALED, Seals

from .. import api, storage
from .policies import DEFAULT, Policies, Source

if TYPE_CHECKING:
    from isthmus.store import Database

FILES: Final = "*.cedar"
CASES_FILE: Final = "cases.txt"
HELD: Final = "policies-held.json"  # in the platform's data: what fitted last

log = logging.getLogger("isthmus.policy")


class PolicySettings(Value):
    """`[settings.policy]`: the company's folder of policies, and whether what ships with the pack holds beside them."""

    folder: str = "policies"
    defaults: bool = True


class Files(Value):
    """The policies and cases that a folder has now, those that ship beside them, and their hash."""

    sources: tuple[Source, ...]
    cases: tuple[Source, ...] = ()

    @property
    def hash(self) -> str:
        return hashlib.sha256(repr((self.sources, self.cases)).encode()).hexdigest()[:16]


def files_of(folder: Path, *, defaults: bool) -> Files:
    """Read a folder of policies; one that is not there has none."""
    shipped = [(DEFAULT.stem, DEFAULT.read_text())] if defaults else []
    own = [(file.name, file.read_text()) for file in sorted(folder.glob(FILES))] if folder.is_dir() else []
    cases = folder / CASES_FILE
    own_cases = ((cases.name, cases.read_text()),) if cases.is_file() else ()
    return Files(sources=(*shipped, *own), cases=own_cases)


@dataclass(slots=True)
class Watched:
    """The policies of one server, and the folder that they come from."""

    policies: Policies
    packs: Sequence[Pack]
    folder: Path
    defaults: bool
    database: Database
    copy: Path  # of what fitted last, for processes beside this one
    held: str  # the hash of what is decided by
    tried: str  # of what was looked at last
    trouble: str = ""
    id: str = field(default_factory=lambda: str(uuid4()))

    async def look(self) -> None:
        """Decide by what the files say now, if they fit, and say to all servers which policies this one has."""
        try:
            found = await asyncio.to_thread(files_of, self.folder, defaults=self.defaults)
            if found.hash != self.tried:
                await self._take(found)
        except (OSError, UnicodeDecodeError) as wrong:
            self._refuse(f"{self.folder} cannot be read: {wrong}")
        async with self.database.platform() as session:
            await storage.seen(session, self.id, socket.gethostname(), os.getpid(), self.held, self.trouble)

    async def _take(self, found: Files) -> None:
        self.tried = found.hash
        try:
            fresh = await asyncio.to_thread(Policies, self.packs, found.sources, found.cases, self.database)
        except api.WrongPolicies as wrong:
            self._refuse(wrong.message)
            return
        self.policies.become(fresh)
        keep(found, self.copy)
        self.held, self.trouble = found.hash, ""
        log.warning("policies are those of %s as they are now", self.folder)

    def _refuse(self, trouble: str) -> None:
        if trouble != self.trouble:
            log.error("this server goes on with the policies it had: %s", trouble)
        self.trouble = trouble[:2_000]


def policies_at(place: Place) -> Policies:
    """Return the policies of a platform. Raises WrongPolicies with everything that is wrong with the files."""
    settings: PolicySettings = place.settings
    folder = place.root / settings.folder
    found, copy = files_of(folder, defaults=settings.defaults), place.data / HELD
    try:
        policies = Policies(place.packs, found.sources, found.cases, place.database)
    except api.WrongPolicies as wrong:
        if not (place.is_beside and copy.is_file()):
            raise
        log.error("this process goes on with the policies that its server had: %s", wrong.message)
        found = decode(copy.read_bytes(), Files)
        policies = Policies(place.packs, found.sources, found.cases, place.database)
    policies.watched = Watched(
        policies, place.packs, folder, settings.defaults, place.database, copy, held=found.hash, tried=found.hash
    )  # fmt: skip
    policies.seals = lambda: place.resource(Seals) or UNSEALED
    if not place.is_beside:
        keep(found, copy)
    return policies


def keep(found: Files, copy: Path) -> None:
    """Write down what fits, whole or not at all; a folder that cannot be written to keeps nobody from deciding."""
    own = copy.with_name(f"{copy.name}.{os.getpid()}")
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        own.write_bytes(encode(found))
        own.replace(copy)
    except OSError as wrong:
        log.warning("no copy of the policies is kept for landings: %s", wrong)
