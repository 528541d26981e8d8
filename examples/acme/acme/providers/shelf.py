"""Shelf: a search service of our own. It finds goods with SQLite's full-text search; replace its calls by yours.

isthmus.toml connects it, a front end chooses it (`catalog.choose_search`), and the flow `shelf.index-goods` fills it:

    [providers.search.shelf]
    use = "acme.providers.shelf:SHELF"
    file = ".isthmus/shelf.db"
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing, contextmanager

from isthmus.kernel import Value
from isthmus.manifest import ProviderType
from isthmus.packs.catalog import api as catalog

WAITS_S = 0.2  # for whoever writes the index; a search that waits longer is answered by PostgreSQL

_CREATE = "create virtual table if not exists goods using fts5 (front_end unindexed, sku, title, brand, category)"
_FIND = """
select sku from goods where goods match ? and front_end = ?
order by bm25(goods, 0, 20, 10, 5, 2), sku limit ?
"""


class Settings(Value):
    """What `[providers.search.shelf]` may say."""

    file: str = ".isthmus/shelf.db"


class ShelfSearch:
    """Finds goods by words and how they begin, the best first by BM25."""

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name
        self._file = settings.file

    async def find(self, wanted: catalog.Wanted) -> Sequence[str]:
        return await asyncio.to_thread(self._find, wanted)

    async def replace(self, front_end: str, goods: Iterable[catalog.Found]) -> None:
        """Let the index of a front end hold these goods and no others."""
        await asyncio.to_thread(self._replace, front_end, tuple(goods))

    def _find(self, wanted: catalog.Wanted) -> Sequence[str]:
        words = " ".join(f'"{word}"*' for word in re.findall(r"\w+", wanted.text))
        if not words:
            return ()
        with self._opened() as index:
            return [sku for (sku,) in index.execute(_FIND, (words, wanted.front_end, wanted.limit))]

    def _replace(self, front_end: str, goods: Sequence[catalog.Found]) -> None:
        rows = [(front_end, one.sku, one.title, one.brand, one.category) for one in goods]
        with self._opened() as index, index:
            index.execute(_CREATE)
            index.execute("delete from goods where front_end = ?", (front_end,))
            index.executemany("insert into goods values (?, ?, ?, ?, ?)", rows)

    @contextmanager
    def _opened(self) -> Generator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._file, timeout=WAITS_S)) as index:
            yield index


SHELF = ProviderType(settings=Settings, make=ShelfSearch)
