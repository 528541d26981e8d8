"""Who reads: the language that a page is written in."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .catalogue import Catalogue

if TYPE_CHECKING:
    from babel import Locale


@dataclass(frozen=True, slots=True)
class Language:
    """A language that pages are written in: its code, what HTML calls it, what its readers call it, its catalogues."""

    code: str
    tag: str
    name: str
    locale: str

    @property
    def rules(self) -> Locale:
        """Return how its readers write dates, numbers and money."""
        from babel import Locale  # here: whatever has no reader does without

        return Locale.parse(self.locale)


@dataclass(frozen=True, slots=True)
class Reader:
    """A reader: the language, and the sentences of it."""

    language: Language
    catalogue: Catalogue


ENGLISH: Final = Language("en", "en", "English", "en")
LANGUAGES: Final = (ENGLISH, Language("zh", "zh-CN", "简体中文", "zh_CN"))
AS_WRITTEN: Final = Reader(ENGLISH, Catalogue((), ENGLISH.locale))
_READER: ContextVar[Reader] = ContextVar("reader", default=AS_WRITTEN)


def choose(chosen: str | None, accepted: str) -> Language:
    """Return the language that a reader chose, or else the first that the `Accept-Language` header names; English."""
    by_code = {one.code: one for one in LANGUAGES}
    wanted = [(chosen or "", 2.0), *_weighed(accepted)]
    wanted.sort(key=lambda pair: -pair[1])
    return next((by_code[code] for code, weight in wanted if weight and code in by_code), ENGLISH)


def _weighed(accepted: str) -> Iterator[tuple[str, float]]:
    """Yield the languages of an `Accept-Language` header with their weights: `zh-CN,en;q=0.8`."""
    for one in accepted.split(","):
        tag, _, rest = one.strip().partition(";")
        text = rest.strip().removeprefix("q=").strip()
        try:
            yield tag.partition("-")[0].lower(), min(float(text), 1.0) if text else 1.0
        except ValueError:
            continue


@contextmanager
def reading(reader: Reader) -> Generator[None]:
    """Write for this reader for as long as the block lasts."""
    token = _READER.set(reader)
    try:
        yield
    finally:
        _READER.reset(token)


def current() -> Language:
    """Return the language of the page that is being written."""
    return _READER.get().language


def gettext(message: str) -> str:
    """Return a message in the reader's language, with its `%(names)s` as they are."""
    return _READER.get().catalogue.get(message)


def ngettext(one: str, many: str, number: int) -> str:
    """Return the message that goes with a number. No language here but English tells one from many."""
    return gettext(one if number == 1 and current() is ENGLISH else many)


def translated(text: str) -> str:
    """Return what was written in English elsewhere in the reader's language: words, and sentences with values."""
    return _READER.get().catalogue.translated(text)


def mark(text: str) -> str:
    """Return a text as it is; the extraction of messages finds it, and whoever shows it translates it."""
    return text
