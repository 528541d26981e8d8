"""The manifest of subscriptions."""

from isthmus.kernel import Condition, Pack
from isthmus.language import mark
from isthmus.manifest import Keeps, Page, Personal, clear

from . import api, entities, storage
from .service import periods, subscriptions

PAGES = "isthmus.packs.subscription.pages"
GONE = mark("until the person is erased")

PACK = Pack(
    name="subscription",
    owner="growth",
    api=api,
    service=(subscriptions, periods),
    migrations="isthmus.packs.subscription:migrations",
    entities=entities.ENTITIES,
    metrics=entities.METRICS,
    brings=(
        Page(
            path="/subscriptions",
            menu="Subscriptions",
            at=f"{PAGES}:show_list",
            template="subscriptions.html",
            needs=api.list_subscriptions,
        ),
        Page(
            path="/subscriptions/{front_end}/{subscription_id}",
            at=f"{PAGES}:show_one",
            template="subscription.html",
            needs=api.list_subscriptions,
        ),
        Page(
            path="/subscriptions/{front_end}/{subscription_id}",
            at=f"{PAGES}:act",
            template="subscription.html",
            needs=api.list_subscriptions,
            is_form=True,
        ),
        Personal(
            forgets=api.forget,
            purposes={
                "email": "to confirm each order, and to say when it cannot be paid",
                "address": "to send each order",
                "name": "to address each parcel",
                "phone": "for the carrier to reach who receives the parcel",
                "identifier": "to pay each order with what the member chose",
                "free-text": "to say why it rests, or why a period was left out",
            },
            keeps=(
                Keeps(
                    table="subscription.subscription",
                    in_the_clear=clear.OWN,
                    columns={
                        "contact_email": "email",
                        "address": "address",
                        "token": "identifier",
                        "reason": "free-text",
                        "attributes": "free-text",
                        "lines": "free-text",
                    },
                    why="what a member wants again, where to, and what it is paid with",
                    until=GONE,
                    whose="member_id::text = any($1)",
                    leads_to=("subscription_id::text",),
                    sealed=storage.SEALED,
                    hidden=("token",),
                ),
                Keeps(
                    table="subscription.period",
                    in_the_clear=clear.REMARK,
                    columns={"reason": "free-text"},
                    why="why a period was left out, or could not be paid",
                    until=GONE,
                    whose="subscription_id::text = any($1)",
                ),
            ),
        ),
    ),
    conditions=(
        Condition(
            name="subscription.moves-on",
            sentence="A period that was ordered, or left out, is behind its subscription: it cannot be ordered again.",
            sql="""select front_end, subscription_id, due_at, next_at from subscription.period
                   join subscription.subscription using (front_end, subscription_id)
                   where due_at >= next_at and subscription.state = 'active' limit 20""",
        ),
        Condition(
            name="subscription.who-is-gone-buys-nothing",
            sentence="Who was erased or has cancelled is charged for nothing more: what they paid with is gone.",
            sql="""select front_end, subscription_id, state from subscription.subscription
                   where state in ('cancelled', 'ended') and (token <> '' or sealed_token is not null) limit 20""",
        ),
    ),
)
