"""The manifest of judging what happens."""

from isthmus.kernel import Condition, Pack
from isthmus.manifest import After, Job, Personal
from isthmus.packs.risk import api as risk

from . import api, service


def _is_order(settled: risk.ReviewSettled, settings: object) -> bool:
    return settled.kind in ("order", "payment")


RISK_CHECKS = Pack(
    name="risk-checks",
    owner="security team",
    api=api,
    service=(service,),
    brings=(
        Personal(
            because="it passes on what orders and people have, and keeps nothing",
            purposes={
                "free-text": "to see from an order's note what became of it",
                "identifier": "to know again who pays or registers, by a keyed hash",
                "email": "to know again who signs in, by a keyed hash",
                "phone": "to know again who registers, by a keyed hash",
            },
        ),
        # after the commit: a provider is asked, who may be slow
        Job(
            name="risk-checks.go-on",
            when=After(event=risk.ReviewSettled, days=0, only=_is_order),
            calls=api.go_on,
        ),
    ),
    conditions=(
        Condition(
            name="risk-checks.in-review-is-open",
            sentence="An order that waits for a person has an open review, and nobody waits for one that does not.",
            sql="""select orders.front_end, orders.group_id from "order".orders
                   where review_until is not null and not exists (
                        select from risk.review where review.front_end = orders.front_end
                        and split_part(review.reference, '/', 1) = orders.group_id::text
                        and review.kind in ('order', 'payment')
                        and review.state = 'open')
                   limit 20""",
        ),
    ),
)
