"""The manifest of bookkeeping, with the conditions that lie between the books and what they are about."""

from typing import Final

from isthmus.kernel import Condition, Pack
from isthmus.language import mark
from isthmus.manifest import Personal, Rehearsal

from . import api, rules
from .service import chargebacks, sales, shared

SHOWN: Final = (  # kinds of entries, as pages show them
    *(mark("payment captured"), mark("payment received"), mark("payment refunded")),
    *(mark("goods delivered"), mark("goods returned"), mark("order cancelled"), mark("deposit forfeited")),
    *(mark("points moved"), mark("points honoured"), mark("points lapsed")),
    mark("points spent elsewhere"),
    *(mark("stock sold"), mark("stock bought"), mark("discount borne")),
    *(mark("credit sold"), mark("credit given"), mark("credit redeemed"), mark("credit expired")),
    mark("credit moved elsewhere"),
    mark("owed elsewhere"),
    *(mark("chargeback opened"), mark("chargeback won"), mark("chargeback lost")),
)

BOOKKEEPING = Pack(
    name="bookkeeping",
    owner="finance",
    api=api,
    service=(chargebacks, sales, shared),
    brings=(
        Rehearsal(point=api.postings, samples=rules.samples(), check=rules.wrong_with),
        Personal(
            because="entries name orders and amounts, and no person",
            purposes={
                "free-text": "to know from a note what has to be booked",
                "identifier": "to tell by the coupon who bears a discount",
            },
        ),
    ),
    conditions=(
        Condition(
            name="bookkeeping.payments-are-booked",
            sentence="Money that was taken or given back has its entry, since books are kept.",
            sql="""with kept as (select front_end, min(booked_at) as since from ledger.entry group by front_end),
                   moved as (
                       select kept.front_end, count(leg_id) as legs from kept left join payment.leg
                           on leg.front_end = kept.front_end and at >= since and amount_minor <> 0
                       group by kept.front_end),
                   booked as (
                       select kept.front_end, count(entry_id) as entries from kept left join ledger.entry
                           on entry.front_end = kept.front_end and kind like 'payment-%'
                       group by kept.front_end)
                   select front_end, legs, entries from moved join booked using (front_end)
                   where entries < legs limit 20""",
        ),
        Condition(
            name="bookkeeping.rules-balance",
            sentence="Every front end's rule of booking balances: nothing was booked by the default instead.",
            sql="""select front_end, reference, kind, metadata ->> 'refused' as refused from ledger.entry
                   where metadata ? 'refused' order by booked_at desc limit 20""",
        ),
    ),
)
