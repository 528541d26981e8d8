"""Packs that are there and cannot be imported: what each lacks, and the line that puts it right."""

from __future__ import annotations

import json
import re
import traceback
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata

from isthmus.kernel import Pack

from .commands import MANIFEST

_REQUIRED = re.compile(r"(?P<name>[A-Za-z0-9._-]+).*?(?:extra == ['\"](?P<extra>[\w-]+)['\"])?$")


@dataclass(frozen=True, slots=True)
class Broken:
    """A module of a pack or flow, and what importing it raised."""

    place: str
    error: Exception

    @property
    def name(self) -> str:
        """Return what the pack is called, as far as its folder says: its manifest cannot be read."""
        return self.place.removesuffix(f".{MANIFEST}").rpartition(".")[2].replace("_", "-")

    @property
    def library(self) -> str:
        """Return the library that is not installed; nothing where it is the pack's own code that is wrong."""
        if not isinstance(self.error, ModuleNotFoundError) or not self.error.name:
            return ""
        library = self.error.name.partition(".")[0]
        return "" if library in (self.place.partition(".")[0], __name__.partition(".")[0]) else library


def not_imported(broken: Iterable[Broken], others: Iterable[Pack], left_out: Sequence[str]) -> Iterator[str]:
    """Say of each missing library, and of each pack whose code is wrong, what to write."""
    others, wrong = list(others), list(broken)
    for library in sorted({one.library for one in wrong}):
        of_it = [one.name for one in wrong if one.library == library]
        leave = f"leave_out = {json.dumps([*left_out, *of_it, *_standing_on(of_it, others)])} in [platform]"
        names = ", ".join(map(repr, of_it))
        if library:
            needs = f"pack {names} needs" if len(of_it) == 1 else f"packs {names} need"
            yield f"{needs} the library {library!r}, which is not installed; run {install(library)}, or write {leave}"
            continue
        for one in (one for one in wrong if not one.library):
            what = traceback.format_exception_only(one.error)[-1].strip()
            yield f"pack {one.name!r} cannot be imported: {what}{_at(one.error)}; fix it, or write {leave}"


def install(library: str) -> str:
    """Return the command that installs a library: the extra of this platform that has it, or itself."""
    for one in metadata.requires("isthmus") or ():
        needed = _REQUIRED.match(one)
        if needed and _plain(needed["name"]).startswith(_plain(library)):
            return (
                f"`pip install 'isthmus[{needed['extra']}]'`" if needed["extra"] else f"`pip install {needed['name']}`"
            )
    return f"`pip install {library}`"


def _plain(name: str) -> str:
    return re.sub(r"[-_.]", "", name).lower()


def _at(error: Exception) -> str:
    if isinstance(error, SyntaxError):  # it says itself where
        return f" ({error.filename}:{error.lineno})"
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f" ({last.filename}:{last.lineno})"


def _standing_on(names: Sequence[str], others: Sequence[Pack]) -> list[str]:
    """Return which packs and flows use what these offer, directly or by another one."""
    found: list[str] = []
    while True:
        gone = {*names, *found}
        more = [
            pack.name
            for pack in others
            if pack.name not in gone
            and any(part.name.partition(".")[0] in gone for one in pack.capabilities().values() for part in one.uses)
        ]
        if not more:
            return found
        found += sorted(more)
