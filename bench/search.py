"""What a search finds for 88 questions of shoppers and 60 article numbers, beside the search as it was before.

The goods are every sixth of the demo's 92,331 products, and `bench/questions/search.tsv` says for each question which
categories a shopper means; whoever asks by an article number means that SKU. Before: the statement and the words that
searches had until names were folded (commit d4ec46f3), on the same goods; that commit itself answers the questions as
well, to two parts in a thousand. NDCG and reciprocal rank are of the first twenty; recall is the share of what there is
to find, of twenty at most.
"""

from __future__ import annotations

import fnmatch
import math
import random
import re
import statistics
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg
from rich.console import Console
from rich.progress import Progress

from bench import _shop as shop
from demo import load
from demo.source import Source
from isthmus.packs.catalog import api as catalog

FIRST: Final = 20
ONE_IN: Final = 6
NUMBERS: Final = 60
QUESTIONS: Final = Path(__file__).parent / "questions" / "search.tsv"
Row = dict[str, Any]
Asking = Callable[[str], Awaitable[Sequence[str]]]

_BEFORE: Final = """
create schema before;
create function before.words_of(title text, brand text, category text, description text, code text, sku text)
    returns tsvector language sql immutable parallel safe
return setweight(to_tsvector('pg_catalog.english', title), 'A')
    || setweight(to_tsvector('pg_catalog.english', brand), 'B')
    || setweight(to_tsvector('pg_catalog.english', translate(category, '/-_.:', '     ')), 'C')
    || setweight(to_tsvector('pg_catalog.simple', code || ' ' || sku), 'A')
    || setweight(to_tsvector('pg_catalog.english', description), 'D');
create table before.sku as
    select sku, title, before.words_of(title, brand, category, description, code, sku) as words
    from catalog.sku join catalog.product using (product_id);
"""
_ASKED_BEFORE: Final = """
select sku from before.sku
where words @@ (plainto_tsquery('pg_catalog.english', $1) || plainto_tsquery('pg_catalog.simple', $1))
order by title, sku limit $2
"""


@dataclass(frozen=True, slots=True)
class Question:
    """What is typed, and the SKUs that are meant."""

    text: str
    meant: frozenset[str]


class Some(Source):
    """A sixth of the demo's products, in one business line."""

    def front_ends(self) -> list[str]:
        return [shop.FRONT_END]

    def products(self) -> Iterator[tuple[object, ...]]:
        return ((shop.FRONT_END, *rest) for at, (_, *rest) in enumerate(super().products()) if at % ONE_IN == 0)

    def prices(self) -> list[tuple[object, ...]]:
        """Give every product a price, so that every one is offered."""
        return [(shop.FRONT_END, sku) for _, sku, *_ in self.products()]


def rows(rounds: int) -> list[Row]:
    """Measure everything and return the table's rows; what is found is the same in every round."""
    return shop.run(_rows())


async def _rows() -> list[Row]:
    async with shop.database("search") as url, shop.running(url) as running:
        source = Some(None)
        with Progress(console=Console(quiet=True)) as progress:
            await load._products(running, source, progress)
        await shop.analyse(url)
        connection = await asyncpg.connect(url)
        await connection.execute(_BEFORE)

        async def before(text: str) -> Sequence[str]:
            return [row["sku"] for row in await connection.fetch(_ASKED_BEFORE, text, FIRST)]

        async def now(text: str) -> Sequence[str]:
            ask = catalog.Search(text=text, limit=FIRST)
            return [one.sku for one in (await running.platform.call(catalog.search, ask, shop.CALLER)).items]

        found: list[Row] = []
        for name, questions in (("words", _questions(source)), ("article numbers", _numbers(source))):
            was, is_now = await _figures(questions, before), await _figures(questions, now)
            found += [_row(f"search by {name}: {of}", was[of], is_now[of], len(questions)) for of in is_now]
        await connection.close()
        return found


def _questions(source: Some) -> list[Question]:
    by_category: dict[str, set[str]] = {}
    for _, sku, _, _, category, *_ in source.products():
        by_category.setdefault(str(category), set()).add(str(sku))
    asked: list[Question] = []
    for line in QUESTIONS.read_text().splitlines():
        if line and not line.startswith("#"):
            text, patterns = line.split("\t")
            likes = [pattern.replace("%", "*") for pattern in patterns.split("|")]
            meant = [skus for name, skus in by_category.items() if any(fnmatch.fnmatchcase(name, one) for one in likes)]
            if meant:
                asked.append(Question(text, frozenset[str]().union(*meant)))
    return asked


def _numbers(source: Some) -> list[Question]:
    """Ask for SKUs that the goods have, whole."""
    skus = sorted(str(sku) for _, sku, *_ in source.products() if re.fullmatch(r"\d+", str(sku)))
    return [Question(sku, frozenset([sku])) for sku in random.Random(1).sample(skus, NUMBERS)]


async def _figures(questions: Sequence[Question], asking: Asking) -> dict[str, float]:
    each = [(one, [sku in one.meant for sku in await asking(one.text)]) for one in questions]
    return {
        "NDCG": statistics.mean(_ndcg(hits, len(one.meant)) for one, hits in each),
        "reciprocal rank": statistics.mean(1 / (hits.index(True) + 1) if True in hits else 0.0 for _, hits in each),
        "recall": statistics.mean(sum(hits) / min(FIRST, len(one.meant)) for one, hits in each),
    }


def _ndcg(hits: Sequence[bool], meant: int) -> float:
    best = sum(1 / math.log2(at + 2) for at in range(min(FIRST, meant)))
    return sum(1 / math.log2(at + 2) for at, hit in enumerate(hits) if hit) / best


def _row(name: str, before: float, now: float, questions: int) -> Row:
    return {
        "name": f"{name} ({questions} questions)",
        "value": now,
        "unit": "",
        "against": f"before: {before:.3f}",
        "ratio": now / before,
        "aim": ">= 1 x",
        "met": now >= before,
    }
