"""The manifest of chargebacks."""

from isthmus.kernel import Condition, Pack
from isthmus.manifest import Page, Personal

from . import api, service

PACK = Pack(
    name="chargeback",
    owner="finance",
    api=api,
    service=(service,),
    migrations="isthmus.packs.chargeback:migrations",
    brings=(
        Personal(because="the provider's names of payments and amounts are kept, and no person"),
        Page(
            path="/chargebacks",
            menu="Chargebacks",
            group="Finance",
            at="isthmus.packs.chargeback.pages:show",
            template="chargebacks.html",
            needs=api.list_chargebacks,
        ),
    ),
    conditions=(
        Condition(
            name="chargeback.end-once",
            sentence="A chargeback is open until it is won or lost, and not before it was opened.",
            sql="""select front_end, provider, reference, state from chargeback.chargeback
                   where ended_at < opened_at or (ended_at is null) <> (state = 'opened') limit 20""",
        ),
    ),
)
