"""The reader's language: what is written for a reader is looked up in the catalogues of the packages that wrote it.

A catalogue is a gettext file, `<package>/locale/<language>/LC_MESSAGES/messages.po`. Sentences stay where they are
made, in English; they are translated where they are shown: those of templates by `gettext`, all others by `translated`.
"""

from .catalogue import Catalogue
from .reader import (
    ENGLISH,
    LANGUAGES,
    Language,
    Reader,
    choose,
    current,
    gettext,
    mark,
    ngettext,
    reading,
    translated,
)

__all__ = [
    "ENGLISH",
    "LANGUAGES",
    "Catalogue",
    "Language",
    "Reader",
    "choose",
    "current",
    "gettext",
    "mark",
    "ngettext",
    "reading",
    "translated",
]
