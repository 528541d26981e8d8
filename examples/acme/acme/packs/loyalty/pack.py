"""The manifest of loyalty: all that the platform knows of this domain."""

from isthmus.kernel import Condition, Pack
from isthmus.manifest import DemoData, Every, Guide, Job, Page

from . import api, entities, service

FORGET_EVERY_S = 3_600  # of 90 days an hour is nothing

PACK = Pack(
    name="loyalty",
    owner="members",
    api=api,
    service=(service,),
    migrations="acme.packs.loyalty:migrations",
    entities=entities.ENTITIES,
    metrics=entities.METRICS,
    conditions=(
        Condition(
            name="loyalty.no-card-is-over-full",
            sentence="An open card has fewer stamps than a full one.",
            sql="select front_end, card, stamps from loyalty.card where stamps not between 0 and 9 limit 20",
        ),
    ),
    brings=(
        Job(name="loyalty.forget-old", when=Every(seconds=FORGET_EVERY_S), calls=api.forget_old),
        Page(
            path="/cards",
            menu="Cards",
            at="acme.packs.loyalty.pages:show_card",
            template="cards.html",
            needs=api.get_balance,
        ),
        Guide(title="Stamp cards", file="acme.packs.loyalty:guide.md"),
        DemoData(
            name="loyalty.cards",
            doc="Two cards: one half full, one that was filled.",
            at="acme.packs.loyalty.demo:load_cards",
            needs=(api.stamp,),
        ),
    ),
)
