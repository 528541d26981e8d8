"""Where deploys happen, and what they are done with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from isthmus.kernel import Caller, ports
from isthmus.kernel.host import Release
from isthmus.manifest.actions import Doer
from isthmus.manifest.signers import Signers
from isthmus.store import Database

from .loading import Load, load_front_end

CLI = "cli"  # the way in of who is at the keyboard


class Comparison(Protocol):
    """What a replay found; `str` of it is for people."""

    @property
    def is_same(self) -> bool: ...


Replay = Callable[[Database, Release, Release, str], Awaitable[Comparison]]
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployContext:
    """Where deploys happen.

    release: packs, and what the servers' folder holds. cache: a folder for unpacked versions. replay: compares two
    releases over recorded calls. load: loads a folder. hidden: folders that its tests find empty. journal: keeps who
    deployed. signers: knows whose keys sign. guard: says whether they may deploy.
    """

    database: Database
    release: Release
    cache: Path
    replay: Replay | None = None
    load: Load = load_front_end
    say: Say = lambda _: None
    hidden: tuple[Path, ...] = ()
    journal: ports.Journal | None = None
    signers: Signers | None = None
    guard: ports.Guard | None = None

    def doer(self, code: str, name: str, via: str = CLI) -> Doer:
        """Return who deploys a front end, by the name of a key or of who is at the keyboard."""
        return Doer(caller=Caller(front_end=code, client=name, via=via), journal=self.journal)
