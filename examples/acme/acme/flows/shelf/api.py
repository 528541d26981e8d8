"""The index of our own search service: filled with what a front end offers."""

from isthmus.kernel import Effect, Value, flow
from isthmus.packs.catalog import api as catalog


class IndexGoods(Value):
    """Index what the front end offers."""


class Indexed(Value):
    """How many goods are in the index; none where the front end's search service is not ours."""

    goods: int


@flow("shelf.index-goods", version="1.0", effect=Effect.WRITE, uses=(catalog.search,))
def index_goods(ask: IndexGoods) -> Indexed:
    """Fill the index of the search service with all that the front end offers now, and with nothing else."""
    ...
