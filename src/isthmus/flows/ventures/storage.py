"""Charters and seats as files: written once, and edited by hand from then on."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from isthmus.kernel import errors
from isthmus.packs.venture import api as venture

_CODE: Final = re.compile(r"[a-z][a-z0-9]{0,31}")
# What a seat may be called for: its rows are written for it, its people sign in, and its books are read.
SEAT_USES: Final = ("venture.*", "ventures.*", "ledger.*", "account.*", "sign-in-mail.*", "notification.*", "privacy.*")


class CodeTaken(errors.Conflict):
    """The code is another's already."""

    slug = "ventures.code-taken"


class WrongCode(errors.BadAsk):
    """This cannot be a venture's code."""

    slug = "ventures.wrong-code"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a new charter says."""

    code: str
    name: str
    url: str
    sponsor: str
    budget: str
    starts: date
    ends: date
    kill: venture.Kill

    @property
    def secret(self) -> str:
        return f"{self.code.upper()}_KEY"


def write(charters: venture.Charters, wanted: Wanted, taken: Collection[str]) -> list[Path]:
    """Write a charter and its seat; return the files. Raises WrongCode, CodeTaken and WrongCharter; then none is left.

    taken: the codes of all front ends that run.
    """
    if not _CODE.fullmatch(wanted.code):
        raise WrongCode(
            f"{wanted.code!r} cannot be a code", remedy="use 1 to 32 lower-case letters and digits, a letter first"
        )
    seat = charters.seats / wanted.code
    if charters.has(wanted.code) or wanted.code in taken or seat.exists():
        whose = "a venture" if charters.has(wanted.code) else "a front end"
        raise CodeTaken(f"{wanted.code!r} is the code of {whose} already", remedy="choose another one")
    file = charters.folder / wanted.code / "venture.toml"
    is_new = not file.parent.exists()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(_charter(wanted), encoding="utf-8")
    try:
        charters.of(wanted.code)
    except errors.IsthmusError:
        file.unlink()
        if is_new:
            file.parent.rmdir()
        raise
    seat.mkdir(parents=True)
    texts = {"front_end.py": _seat(wanted), "__init__.py": f'"""The seat of {wanted.name}."""\n'}
    for name, text in texts.items():
        (seat / name).write_text(text, encoding="utf-8")
    return [file, seat / "front_end.py"]


def following(wanted: Wanted) -> list[str]:
    """Return what is done next, line by line."""
    return [
        f"add to isthmus.toml: [settings.account.clients.{wanted.code}]",
        f'    front_end = "{wanted.code}"',
        f'    redirects = ["{wanted.url}/callback"]',
        f"export {wanted.secret}=$(openssl rand -hex 24), and start the venture with it",
        f"put the public key that it prints into ventures/{wanted.code}/venture.toml: key",
        "restart the platform, so that it has the seat and the client",
        f"isthmus venture check {wanted.code}",
    ]


def _charter(wanted: Wanted) -> str:
    text = json.dumps  # a basic string of TOML is one of JSON
    return f"""\
# The charter of a venture: docs/guides/ventures.md says what each line means.
name = {text(wanted.name, ensure_ascii=False)}
url = {text(wanted.url)}
sponsor = {text(wanted.sponsor, ensure_ascii=False)}
budget = {text(wanted.budget)}
starts = {wanted.starts}
ends = {wanted.ends}

[kill]                       # it is ended with fewer sales than this by that day
sales = {wanted.kill.sales}
by = {wanted.kill.by}
because = {text(wanted.kill.because, ensure_ascii=False)}

[obligations]
client = {text(wanted.code)}
secret = {text(wanted.secret)}           # the environment variable with the key for /obligations/…
key = ""                     # the public key that its pages are signed with

[borrows]                    # what its key may call at the platform, how often, and how many at once
capabilities = []
per_second = 20
at_once = 4
"""


def _seat(wanted: Wanted) -> str:
    uses = "".join(f"        {json.dumps(one)},\n" for one in SEAT_USES)
    return f'''"""The seat of {wanted.name}: its rows are kept for it, and it answers nothing."""

from isthmus.kernel import FrontEnd

FRONT_END = FrontEnd(
    code={json.dumps(wanted.code)},
    name={json.dumps(wanted.name, ensure_ascii=False)},
    owner={json.dumps(wanted.sponsor, ensure_ascii=False)},
    uses=(
{uses}    ),
)
'''
