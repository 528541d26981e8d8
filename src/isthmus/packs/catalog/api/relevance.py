"""How a search orders what it finds, and who finds it: weights of a front end, and search services."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Protocol

from isthmus.kernel import Effect, Meta, Pass, Value, capability, combine, extension_point
from isthmus.manifest import Place
from isthmus.store import Database, KeptAnswers
from isthmus.values import CHANNEL

from .products import Attributes

CANDIDATES_MAX = 1_000  # SKUs that a service names for one search: forty pages, beyond which nobody reads
PAUSE = timedelta(seconds=5)  # a service that did not answer is not asked again for so long

Weight = Annotated[int, Meta(ge=0, le=10_000)]


class Relevance(Value):
    """What makes found goods come first: points for where each word stands, added up.

    Each word counts in the title, in brand or category, and in the description, once in each. `coverage` goes to
    titles that say nothing else, in the share that the words have of it. An ask that is a whole article number has the
    points of it. Words that only begin as asked have `begins_percent` of their points. Of equals, those come first
    whose number in the listing attribute `attribute` is largest, a front end's own: sales, margin, stock; then title
    and SKU decide, so that pages never change places.
    """

    article_number: Weight = 1_000
    title: Weight = 100
    brand: Weight = 40
    description: Weight = 10
    coverage: Weight = 50
    begins_percent: Annotated[int, Meta(ge=0, le=100)] = 50
    attribute: Annotated[str, Meta(max_length=64)] = ""


class Wanted(Value):
    """What a search service is asked: words, the language that the front end writes in, and filters that narrow."""

    front_end: str
    text: str
    language: str
    category: str | None
    brand: str | None
    seller: str | None
    attributes: Attributes
    limit: int


class SearchService(Protocol):
    """Finds goods by words. One that raises, or does not answer in time, has not answered."""

    name: str

    async def find(self, wanted: Wanted) -> Sequence[str]:
        """Return SKUs, the best first. Those that are not offered, or are filtered out, are left out afterwards."""
        ...


class CatalogSettings(Value):
    """`[settings.catalog]`, for where a search service is chosen.

    search_timeout_ms: how long one may take before PostgreSQL finds the goods. search_valid_s: for how long what it
    found is kept, so that the next pages are of the same list.
    """

    search_timeout_ms: Annotated[int, Meta(ge=50, le=5_000)] = 500
    search_valid_s: Annotated[int, Meta(ge=60, le=3_600)] = 300


class SearchServices:
    """The services that are connected, and what they found of late."""

    def __init__(
        self,
        services: Iterable[SearchService],
        database: Database | None = None,
        settings: CatalogSettings = CatalogSettings(),
    ) -> None:
        self.services = {one.name: one for one in services}
        self.timeout_s = settings.search_timeout_ms / 1000
        self.answers = database and KeptAnswers(
            database=database, table="catalog.search_answer", valid_s=settings.search_valid_s, kept_days=1
        )
        self._silent: dict[str, datetime] = {}

    def may_ask(self, name: str, now: datetime) -> bool:
        """Say whether a service is to be waited for: not right after it did not answer."""
        return self._silent.get(name, now) <= now

    def pause(self, name: str, now: datetime) -> None:
        """Ask a service no more for a while."""
        self._silent[name] = now + PAUSE


NO_SEARCH_SERVICES = SearchServices(())


class ForgetSearches(Value):
    """Forget what search services found long ago."""


class SearchesForgotten(Value):
    """How many answers are forgotten."""

    answers: int


@capability("catalog.forget-searches", version="1.0", effect=Effect.WRITE)
def forget_searches(ask: ForgetSearches) -> SearchesForgotten:
    """Forget what search services found more than a day ago; the platform does so by itself."""
    ...


@extension_point("catalog.relevance", combine=combine.first_answer, dimensions=[CHANNEL])
def relevance(text: str) -> Relevance | Pass:
    """Say what makes found goods come first. Default: article numbers, then titles, brands and categories, the rest."""
    return Relevance()


@extension_point("catalog.choose-search", combine=combine.first_answer, dimensions=[CHANNEL], until=date(2027, 6, 30))
def choose_search(text: str) -> str | Pass:
    """Name the search service of `[providers.search]` that finds goods. Default: none, PostgreSQL finds them.

    PostgreSQL also does where the service does not answer in time, and the answer says who did (`found_by`).
    """
    return ""


def connected(place: Place) -> SearchServices:
    """Connect the services that the settings chose."""
    return SearchServices(place.providers.values(), place.database, place.settings or CatalogSettings())
