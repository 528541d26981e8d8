"""The manifest of payouts, with the condition that lies between settlement and the books."""

from typing import Final

from isthmus.kernel import Condition, Pack
from isthmus.language import mark
from isthmus.manifest import Personal

from . import api, service

SHOWN: Final = (  # kinds of entries, as pages show them
    *(mark("settlement approved"), mark("settlement sent"), mark("settlement returned")),
)

PAYOUTS = Pack(
    name="payouts",
    owner="finance",
    api=api,
    service=(service,),
    brings=(Personal(because="it passes on what is due to whom, and no person"),),
    conditions=(
        Condition(
            name="payouts.due-is-booked",
            sentence="What sellers are due in the books is what is open, and what is settled and not approved.",
            sql="""with since as (
                       select front_end, min(happened_at) as since from settlement.item group by front_end),
                   booked as (
                       select leg.front_end, owner as payee, leg.currency, -sum(amount) as minor
                       from ledger.leg join ledger.account using (account_id)
                       join ledger.entry on entry.front_end = leg.front_end and entry.entry_id = leg.entry_id
                       join since on since.front_end = leg.front_end and leg.booked_at >= since
                       where code = 'liabilities:sellers' and layer = '='
                           and (kind in ('goods-delivered', 'goods-returned', 'chargeback-lost')
                               or kind like 'settlement-%')
                       group by 1, 2, 3),
                   due as (
                       select front_end, payee, currency, sum(minor) as minor from (
                           select front_end, payee, currency, amount_minor as minor from settlement.item
                           union all
                           select front_end, payee, currency, -payout_minor - fee_minor from settlement.settlement
                           where state in ('approved', 'sent', 'returned')) as moved
                       where payee like 'seller/%' group by 1, 2, 3)
                   select front_end, payee, currency, booked.minor as booked, due.minor as due
                   from booked full join due using (front_end, payee, currency)
                   where coalesce(booked.minor, 0) <> coalesce(due.minor, 0) limit 20""",
        ),
    ),
)
