"""The manifest of payments."""

from isthmus.kernel import Condition, Pack
from isthmus.manifest import Every, Job, Keeps, Page, Personal, Resource, clear

from . import api, entities
from .api.providers import connected
from .service import attempts, credit, forgetting, payments, providers

PACK = Pack(
    name="payment",
    owner="payments",
    api=api,
    service=(payments, attempts, credit, providers, forgetting),
    migrations="isthmus.packs.payment:migrations",
    entities=entities.ENTITIES,
    metrics=entities.METRICS,
    brings=(
        Personal(
            forgets=api.forget,
            purposes={
                "identifier": "to pay with the provider's token, or with the code of a card",
                "free-text": "to say why money went back",
            },
            keeps=(
                Keeps(
                    table="payment.payment",
                    in_the_clear=clear.LEADS_NOWHERE,
                    columns={"authorisation": "identifier"},
                    why="the provider's name of what was paid",
                    until="for good, as proof of what was paid: it names nobody here",
                    whose="reference = any($1)",
                    leads_to=("payment_id::text",),
                ),
                Keeps(
                    table="payment.attempt",
                    in_the_clear=clear.REMARK,
                    columns={"reason": "free-text", "provider_reference": "identifier"},
                    why="what was tried with the provider, and what it said",
                    until="reasons until the person is erased; the provider's reference for good, as proof",
                    whose="payment_id::text = any($1)",
                    hidden=("key",),
                ),
            ),
        ),
        # the books of a programme's owner are at most so much behind those of who took its cards
        Job(name="payment.settle-credit", when=Every(seconds=60), calls=api.settle_credit, ask=api.SettleCredit()),
        Page(
            path="/gift-cards",
            menu="Gift cards",
            group="Finance",
            at="isthmus.packs.payment.pages:show_list",
            template="cards.html",
            needs=api.list_credit,
        ),
        Page(
            path="/gift-cards",
            at="isthmus.packs.payment.pages:issue",
            template="cards.html",
            needs=api.list_credit,
            is_form=True,
        ),
        Page(
            path="/gift-cards/{front_end}/{credit_id}",
            at="isthmus.packs.payment.pages:show_one",
            template="card.html",
            needs=api.list_credit_moves,
        ),
        Resource(
            kind=api.Providers,
            make=connected,
            providers="payment",
            built_in={"test": "isthmus.packs.payment.api.providers:TEST"},
            stands_alone=True,
        ),
    ),
    conditions=(
        Condition(
            name="payment.money-is-its-legs",
            sentence="What is captured and refunded of a payment is the sum of its legs.",
            sql="""select payment.front_end, payment_id, captured_minor, refunded_minor from payment.payment
                   left join payment.leg using (front_end, payment_id)
                   group by payment.front_end, payment_id, captured_minor, refunded_minor
                   having captured_minor <> coalesce(sum(leg.amount_minor) filter (where kind = 'capture'), 0)
                       or refunded_minor <> -coalesce(sum(leg.amount_minor) filter (where kind = 'refund'), 0)""",
        ),
        Condition(
            name="payment.credit-is-its-moves",
            sentence="What is left on a card is the sum of what moved on it at all front ends, and never below zero.",
            sql="""select credit.front_end, credit.credit_id, balance_minor, coalesce(sum(amount_minor), 0) as moved
                   from payment.credit left join payment.credit_move move
                       on owner = credit.front_end and move.credit_id = credit.credit_id
                   group by credit.front_end, credit.credit_id, balance_minor
                   having balance_minor <> coalesce(sum(amount_minor), 0) or balance_minor < 0""",
        ),
        Condition(
            name="payment.never-too-much",
            sentence="Captured is never more than authorised, refunded never more than captured.",
            sql="""select front_end, payment_id from payment.payment
                   where captured_minor > authorised_minor or refunded_minor > captured_minor""",
        ),
    ),
)
