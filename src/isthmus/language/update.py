"""Keep a package's catalogue in step with its source: new messages come in, those that are gone leave."""

from __future__ import annotations

import io
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from .catalogue import PLACE
from .extract import messages_in

WIDTH: Final = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Updated:
    """What an update found: the file, how many messages there are, and those without a translation."""

    file: Path
    messages: int
    untranslated: tuple[str, ...]


def update(package: Path, locale: str, leave_out: Collection[str] = ()) -> Updated:
    """Write the catalogue of a package for a language; what is translated stays so."""
    file = package / PLACE.format(locale)
    kept = read(file, locale)
    made = Catalog(locale=locale, charset="utf-8", fuzzy=False)
    made.creation_date = made.revision_date = kept.creation_date  # a file that says the same is the same
    for message in sorted(messages_in(package, leave_out)):  # places in files would be in the way of every merge
        before = kept.get(message)
        made.add(message, before.string if before else "")
    text = io.BytesIO()
    write_po(text, made, width=WIDTH, omit_header=True, ignore_obsolete=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(HEADER + text.getvalue())
    untranslated = tuple(str(one.id) for one in made if one.id and not one.string)
    return Updated(file=file, messages=len(made), untranslated=untranslated)


HEADER = b"""msgid ""
msgstr ""
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""


def read(file: Path, locale: str) -> Catalog:
    """Return a catalogue as it is kept; an empty one where there is none."""
    return read_po(io.BytesIO(file.read_bytes() if file.is_file() else b""), locale=locale)
