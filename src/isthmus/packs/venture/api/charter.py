"""Charters: what a venture may, for how long, on whose word, and what it owes; a file of each, and nothing else."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec

from isthmus.kernel import Meta, Value
from isthmus.manifest import Place
from isthmus.values import Money, decimals, money

from .errors import NoCharter, WrongCharter

FILE: Final = "venture.toml"
FOLDER: Final = "ventures"
Text = Annotated[str, Meta(min_length=1, max_length=400)]
WebPath = Annotated[str, Meta(pattern=r"^/[\x21-\x7e]*\Z", max_length=200)]
ObligationName = Literal["identity", "books", "security", "export"]


class Kill(Value):
    """What ends the venture: fewer sales than this by a day."""

    sales: Annotated[int, Meta(ge=1)]
    by: date
    because: Text


class Obliged(Value):
    """Where the four obligations are shown, and by which keys.

    client: as which it signs people in at the group's provider. sign_in, page, who: where that begins, a page that
    only who is signed in sees, and where a token is answered with whose it is. secret: the environment variable that
    has the key for `/obligations/…`. key: the public half, Ed25519 in base64url, of what signs its pages.
    """

    client: Text
    secret: Annotated[str, Meta(pattern=r"^[A-Z][A-Z0-9_]*\Z")]
    key: Annotated[str, Meta(pattern=r"^([A-Za-z0-9_-]{43})?\Z")] = ""
    sign_in: WebPath = "/sign-in"
    page: WebPath = "/me"
    who: WebPath = "/api/me"


class Borrows(Value):
    """Which capabilities it calls, how often, and how many at once; its key can do nothing else."""

    capabilities: tuple[str, ...] = ()
    per_second: Annotated[float, Meta(gt=0, le=2_000)] = 20.0
    at_once: Annotated[int, Meta(ge=1, le=1_000)] = 4


class Charter(Value):
    """A charter. code: the name of its folder, and of its seat among the front ends."""

    name: Text
    url: Annotated[str, Meta(pattern=r"^https?://[^\s/?#]+\Z")]
    sponsor: Text
    budget: Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,12} [A-Z]{3}\Z")]
    starts: date
    ends: date
    kill: Kill
    obligations: Obliged
    borrows: Borrows = Borrows()
    code: str = ""

    @property
    def money(self) -> Money:
        """Return the budget as an amount."""
        whole, _, currency = self.budget.partition(" ")
        return money(int(whole) * 10 ** decimals(currency), currency)

    def is_lapsed(self, today: date) -> bool:
        return today > self.ends

    def secret(self) -> str:
        """Return the key for what it shows the group. Raises WrongCharter where this process has none."""
        if found := os.environ.get(self.obligations.secret, "").strip():
            return found
        raise WrongCharter(
            file=f"{FOLDER}/{self.code}/{FILE}",
            problem=f"the environment variable {self.obligations.secret}, which it names, is not set here",
            remedy=f"export {self.obligations.secret}=… with the key that the venture was started with",
        )


class Charters:
    """The charters of a platform, read from their files whenever somebody asks."""

    def __init__(self, folder: Path, seats: Path) -> None:
        self.folder = folder
        self.seats = seats  # where front ends lie, and their seats among them

    def codes(self) -> list[str]:
        return sorted(path.parent.name for path in self.folder.glob(f"*/{FILE}"))

    def has(self, code: str) -> bool:
        return (self.folder / code / FILE).is_file()

    def of(self, code: str) -> Charter:
        """Return a charter. Raises NoCharter, and WrongCharter with what is wrong in it."""
        file = self.folder / code / FILE
        if not self.has(code):
            raise NoCharter(code=code, folder=str(self.folder))
        charter = _read(file, code)
        for problem, remedy in self._problems(charter):
            raise WrongCharter(file=str(file), problem=problem, remedy=remedy)
        return charter

    def _problems(self, charter: Charter) -> Iterator[tuple[str, str]]:
        if charter.ends <= charter.starts:
            yield f"it ends on {charter.ends}, and starts on {charter.starts}", "give it a day on which it ends, later"
        if not charter.starts < charter.kill.by <= charter.ends:
            yield (
                f"kill.by is {charter.kill.by}, outside of {charter.starts} to {charter.ends}",
                "decide on a day while it runs",
            )
        for code in self.codes():
            if code == charter.code:
                continue
            try:
                other = _read(self.folder / code / FILE, code)
            except WrongCharter:
                continue  # said where that one is asked for
            same = [name for name in ("url", "name") if getattr(other, name) == getattr(charter, name)]
            same += [
                f"obligations.{name}"
                for name in ("client", "key", "secret")
                if getattr(charter.obligations, name)
                and getattr(other.obligations, name) == getattr(charter.obligations, name)
            ]
            if same:
                yield (
                    f"{', '.join(same)} is also that of {code}",
                    "two ventures have nothing in common here; change one",
                )


def charters_at(place: Place) -> Charters:
    """Return the charters beside the settings."""
    return Charters(place.root / FOLDER, place.front_ends)


def _read(file: Path, code: str) -> Charter:
    try:
        found: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as wrong:
        raise WrongCharter(file=str(file), problem=f"it is no TOML: {wrong}", remedy="correct it there") from None
    try:
        return msgspec.convert({**found, "code": code}, Charter)
    except msgspec.ValidationError as wrong:
        raise WrongCharter(
            file=str(file),
            problem=str(wrong),
            remedy="a charter has name, url, sponsor, budget, starts, ends, [kill], [obligations] and [borrows]; "
            "docs/guides/ventures.md shows a whole one",
        ) from None
