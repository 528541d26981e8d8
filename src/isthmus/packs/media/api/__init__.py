"""Files to be shown, as others may name them: kept by what is in them, attached to goods, served to everyone.

    POST /media (bytes)  ──▶ named by its content ──▶ put into the store ──▶ note-file ──▶ attach ──▶ GET /media/NAME

A file is called by the SHA-256 of its content and its type, so it never changes and caches keep it for good; the same
content is kept once. What is attached to a SKU or a product is told by `list-attached`, first things first.
"""

# pyright: reportUnusedImport=false

from .files import (
    ATTACHED_MAX,
    SUBJECTS_MAX,
    Attach,
    Attached,
    AttachedFile,
    AttachedTo,
    CheckFile,
    Detach,
    File,
    FileAllowed,
    ListAttached,
    NoteFile,
    NotStored,
    TooManyFiles,
    UnknownFile,
    attach,
    check_file,
    detach,
    list_attached,
    note_file,
    write_file,
)
from .stores import BYTES_MAX, TYPES, FileStore, MediaFiles, NotAllowed, connected, type_of
