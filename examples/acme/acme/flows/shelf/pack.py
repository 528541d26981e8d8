"""The manifest of the flow that fills the index."""

from isthmus.kernel import Pack
from isthmus.manifest import Every, Job, Personal

from . import api, service

INDEX_EVERY_S = 60  # so long a new product is found by PostgreSQL alone, if at all

SHELF = Pack(
    name="shelf",
    owner="search",
    api=api,
    service=(service,),
    brings=(
        Personal(because="what is offered is of goods, and of nobody"),
        Job(name="shelf.index-goods", when=Every(seconds=INDEX_EVERY_S), calls=api.index_goods),
    ),
)
