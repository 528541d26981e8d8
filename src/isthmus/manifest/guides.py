"""What a pack has to say to those who use it, as a page: the console shows it among its guides."""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources.abc import Traversable

from isthmus.kernel import Pack


@dataclass(frozen=True, slots=True, kw_only=True)
class Guide:
    """A page about the pack in Markdown, for those who use it: the console shows it under *Guides*.

    title: as the list has it. file: `package:file.md`, such as `acme.packs.loyalty:guide.md`. Where there is
    `guide.zh_CN.md` beside it, readers of that language get that one. HTML in it is shown as text.
    """

    title: str
    file: str

    def text(self, locale: str = "") -> str:
        """Return the page, in a locale such as `zh_CN` where there is one in it. Raises OSError where it is gone."""
        package, _, name = self.file.partition(":")
        folder = importlib.resources.files(package)
        translated = folder / f"{name.removesuffix('.md')}.{locale}.md"
        return (translated if locale and translated.is_file() else folder / name).read_text(encoding="utf-8")


def guide_problems(pack: Pack) -> Iterator[str]:
    """Say which guides of a pack are no pages, each with what to write."""
    for guide in (one for one in pack.brings if isinstance(one, Guide)):
        package, _, name = guide.file.partition(":")
        if not name.endswith(".md") or not _is_there(package, name):
            beside = pack.api.__name__.rpartition(".")[0]  # `api` may be a file or a folder
            yield (
                f"guide {guide.title!r} of {pack.name!r} is {guide.file!r}, and there is no such page; "
                f'write file="{beside}:guide.md", and the page beside the manifest'
            )


def _is_there(package: str, name: str) -> bool:
    try:
        file: Traversable = importlib.resources.files(package) / name
    except (ImportError, ValueError):
        return False
    return file.is_file()
