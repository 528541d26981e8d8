"""The sentences of one language, from the catalogues of several packages."""

from __future__ import annotations

import importlib.resources
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

PLACE: Final = "locale/{}/LC_MESSAGES/messages.po"
VALUE: Final = re.compile(r"\{([a-z_][a-z0-9_]*)\}")
QUOTED: Final = r"""(?:'[^']*'|"[^"]*"|[^ ]*)"""  # of two values side by side the first is one word
PART: Final = r"(?:(?!: |\. ).)*"  # in a sentence of few words of its own no value is a sentence
WORD: Final = re.compile(r"[A-Za-z]{2,}")
WORDS_LEAST: Final = 3
KEPT: Final = 4_096  # sentences remembered by a catalogue: more than all pages show of one platform
NESTED_MAX: Final = 3  # a sentence with a sentence in it; deeper is data


@dataclass(frozen=True, slots=True)
class Shape:
    """A sentence with values in it, as the code that makes it writes it: `SKU {sku} has no price in {currency}`."""

    pattern: re.Pattern[str]
    begins: str
    ends: str
    message: str

    def values(self, text: str) -> Mapping[str, str] | None:
        """Return the values of a text of this shape; None where it has another."""
        if not (text.startswith(self.begins) and text.endswith(self.ends)):
            return None
        found = self.pattern.fullmatch(text)
        return found.groupdict() if found else None


class Catalogue:
    """Looks up sentences of one language; a later package goes before an earlier one."""

    def __init__(self, packages: Iterable[str], locale: str) -> None:
        self._packages = tuple(packages)
        self._locale = locale
        self.translated = lru_cache(KEPT)(self._translated)

    @cached_property
    def messages(self) -> Mapping[str, str]:
        """Return every sentence with its translation. It is read at the first use."""
        return {one: other for package in self._packages for one, other in messages_of(package, self._locale)}

    def get(self, message: str) -> str:
        """Return a sentence's translation, or the sentence."""
        return self.messages.get(message, message)

    def _translated(self, text: str, depth: int = 0) -> str:
        """Return a text's translation: as it stands in a catalogue, or by its shape; else the text."""
        found = self.messages.get(text)
        if found is not None or depth > NESTED_MAX:
            return found or text
        if " " not in text:
            return text
        for shape in self._shapes:
            if (values := shape.values(text)) is not None:
                inner = {name: self._translated(value, depth + 1) for name, value in values.items()}
                return _filled(self.messages[shape.message], inner)
        return text

    @cached_property
    def _shapes(self) -> tuple[Shape, ...]:
        """Return the sentences with values, those with most words of their own first."""
        with_values = [message for message in self.messages if VALUE.search(message)]
        return tuple(map(shape_of, sorted(with_values, key=lambda one: -len(VALUE.sub("", one)))))


def _filled(message: str, values: Mapping[str, str]) -> str:
    return VALUE.sub(lambda name: values.get(name[1], name[0]), message)


def shape_of(message: str) -> Shape:
    """Return the shape of a sentence with `{names}` in it."""
    pieces = VALUE.split(message)
    words, names = pieces[::2], pieces[1::2]
    is_short = len(WORD.findall("".join(words))) < WORDS_LEAST
    written = re.escape(words[0])
    seen: set[str] = set()
    for at, (name, after) in enumerate(zip(names, words[1:], strict=True)):
        is_beside, begins = not after and at < len(names) - 1, at == 0 and not words[0]
        value = QUOTED if is_beside else PART if is_short else ".*"
        written += f"(?P={name})" if name in seen else f"(?P<{name}>{value}{'' if is_beside or begins else '?'})"
        written += re.escape(after)
        seen.add(name)
    return Shape(re.compile(written, re.DOTALL), words[0], words[-1], message)


def messages_of(package: str, locale: str) -> Iterator[tuple[str, str]]:
    """Yield the translated sentences that a package ships for a language; none where it ships no catalogue."""
    file = importlib.resources.files(package) / PLACE.format(locale)
    if not file.is_file():
        return
    from babel.messages.pofile import read_po  # here: who only marks a sentence reads none

    for one in read_po(io.BytesIO(file.read_bytes()), locale=locale):
        if one.id and one.string and not one.fuzzy and isinstance(one.id, str):
            yield one.id, str(one.string)
