"""Files, as others may name them: noted, attached to goods, listed."""

from __future__ import annotations

from typing import Annotated

from isthmus.kernel import Effect, Meta, Value, capability, errors
from isthmus.values import Code, Moment

from .stores import BYTES_MAX

ATTACHED_MAX = 50  # files of one subject: more than any page shows
WIDTH_MAX = 20_000  # pixels: more than any screen has
SUBJECTS_MAX = 200

FileName = Annotated[
    str, Meta(pattern=r"^[0-9a-f]{64}\.[a-z]{3,4}\Z", description="SHA-256 of the content, and its type")
]
Subject = Annotated[str, Meta(min_length=1, max_length=128, description="what it is of: a SKU, a product's code")]


class CheckFile(Value):
    """Ask whether a file may be put here."""

    file: FileName
    size: Annotated[int, Meta(ge=1, le=BYTES_MAX)]


class FileAllowed(Value):
    """It may be."""

    file: str


class NoteFile(Value):
    """Note a file that is in the store."""

    file: FileName
    size: Annotated[int, Meta(ge=1, le=BYTES_MAX)]


class File(Value):
    """A file, and where it is served."""

    file: str
    path: str
    size: int
    put_at: Moment


class Attach(Value):
    """Show a file with something. position: smaller ones come first; alt: what it shows, for whoever cannot see it.

    width: of a picture, in pixels. Files of one position and role are one picture in several sizes.
    """

    subject: Subject
    file: FileName
    position: Annotated[int, Meta(ge=0, le=10_000)] = 0
    role: Code = "picture"
    alt: Annotated[str, Meta(max_length=500)] = ""
    width: Annotated[int, Meta(ge=1, le=WIDTH_MAX)] | None = None


class Detach(Value):
    """Show a file with something no longer."""

    subject: Subject
    file: FileName


class ListAttached(Value):
    """Ask for what is attached to some subjects."""

    subjects: Annotated[tuple[Subject, ...], Meta(min_length=1, max_length=SUBJECTS_MAX)]


class AttachedFile(Value):
    """A file with what it shows. position: files that share it with their role are one picture in several sizes."""

    file: str
    path: str
    role: str
    alt: str
    position: int
    width: int | None


class AttachedTo(Value):
    """What is attached to one subject, in the order in which it is shown; of one position the narrowest first."""

    subject: str
    files: tuple[AttachedFile, ...]


class Attached(Value):
    """What is attached to each subject, in the order of the ask."""

    items: tuple[AttachedTo, ...]


class UnknownFile(errors.NotFound):
    """This front end has no such file."""

    slug = "media.unknown-file"

    def __init__(self, *, file: str) -> None:
        super().__init__(f"there is no file {file} here", remedy="put it with POST /media first", path="$.file")


class NotStored(errors.Conflict):
    """The store has no such file."""

    slug = "media.not-stored"

    def __init__(self, *, file: str) -> None:
        super().__init__(f"{file} is not in the store", remedy="put it with POST /media, which notes it", path="$.file")


class TooManyFiles(errors.TooMany):
    """A subject has as many files as it may have."""

    slug = "media.too-many-files"

    def __init__(self, *, subject: str) -> None:
        super().__init__(f"{subject!r} has {ATTACHED_MAX} files already", remedy="detach one first", path="$.subject")


@capability("media.check-file", version="1.0", effect=Effect.READ)
def check_file(ask: CheckFile) -> FileAllowed:
    """Say that a file may be put here: asked before its content is taken, so that only who may note files sends any."""
    ...


@capability("media.note-file", version="1.0", effect=Effect.SAGA, raises=[NotStored])
def note_file(ask: NoteFile) -> File:
    """Note a file that is in the store, so that it can be attached. `POST /media` does so. Safe to repeat."""
    ...


@capability("media.write-file", version="1.0", effect=Effect.WRITE, is_internal=True)
def write_file(ask: NoteFile) -> File:
    """Write a file down that the store has."""
    ...


@capability("media.attach", version="1.0", effect=Effect.WRITE, raises=[UnknownFile, TooManyFiles])
def attach(ask: Attach) -> Attached:
    """Show a file with a SKU or a product; attached again, its place, role and words are replaced."""
    ...


@capability("media.detach", version="1.0", effect=Effect.WRITE)
def detach(ask: Detach) -> Attached:
    """Show a file with something no longer; the file stays. Safe to repeat."""
    ...


@capability("media.list-attached", version="1.0", effect=Effect.READ)
def list_attached(ask: ListAttached) -> Attached:
    """Return what is attached to up to 200 SKUs or products, in one statement."""
    ...
