"""The manifest of budgets, with the condition that lies between promotions and the books."""

from typing import Final

from isthmus.kernel import Condition, Pack
from isthmus.language import mark
from isthmus.manifest import Every, Job, Personal

from . import api, service

SHOWN: Final = (
    mark("budget given"),
    mark("budget reserved"),
    mark("budget used elsewhere"),
)  # kinds, as pages have them

BUDGETS = Pack(
    name="budgets",
    owner="finance",
    api=api,
    service=(service,),
    brings=(
        Personal(
            because="entries name promotions, orders and amounts, and no person",
            purposes={"identifier": "an order that gives back what it used names its coupons, and they are left out"},
        ),
        Job(name="budgets.settle", when=Every(seconds=60), calls=api.settle),
    ),
    conditions=(
        Condition(
            name="budgets.reserved-is-used",
            sentence="What is held of a budget is what orders use of it and have not given back.",
            sql="""with held as (
                       select entry.front_end, subject as reference, metadata ->> 'promotion' as promotion,
                           sum(amount)::bigint as minor
                       from ledger.entry join ledger.leg using (front_end, entry_id)
                       where kind = 'budget-reserved' and state in ('pending', 'posted') and reverses is null
                           and leg <= legs and amount > 0 and not exists (
                               select from ledger.entry later
                               where later.front_end = entry.front_end and later.reverses = entry.entry_id)
                       group by 1, 2, 3),
                   used as (
                       select front_end, reference, promotion, sum(amount)::bigint as minor,
                           bool_or(exists (
                               select from promotion.promotion of_use join ledger.account
                                   on account.front_end = of_use.front_end and account.name = of_use.code
                                   and account.code like 'equity:budgets:%' and account.currency = budget_currency
                               where of_use.front_end = use.front_end and of_use.code = use.promotion and budget > 0
                                   and redeemed_at > (select max(at) from promotion.revision
                                       where revision.front_end = use.front_end and revision.code = use.promotion)
                           )) as is_held
                       from promotion.use join promotion.redemption using (front_end, reference)
                       where owner is null and use.returned_at is null and amount > 0
                       group by 1, 2, 3)
                   select front_end, reference, promotion, held.minor as held, used.minor as used
                   from held full join used using (front_end, reference, promotion)
                   where (held.minor is not null and held.minor is distinct from used.minor)
                       or (held.minor is null and is_held) limit 20""",
        ),
    ),
)
