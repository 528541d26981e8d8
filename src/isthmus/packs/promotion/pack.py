"""The manifest of promotion."""

from isthmus.kernel import Condition, Pack
from isthmus.language import mark
from isthmus.manifest import Keeps, Personal, clear

from . import api, entities
from .service import forgetting, joining, keeping, promotions, sharing

GONE = mark("until the person is erased: the coupon is renamed")

PACK = Pack(
    name="promotion",
    owner="promotion team",
    api=api,
    service=(promotions, keeping, sharing, forgetting, joining),
    migrations="isthmus.packs.promotion:migrations",
    entities=entities.ENTITIES,
    metrics=entities.METRICS,
    brings=(
        Personal(
            forgets=api.forget,
            purposes={"identifier": "a coupon may be a person's own, and named after them"},
            keeps=(
                Keeps(
                    table="promotion.coupon",
                    in_the_clear=clear.COUNTED,
                    columns={"code": "identifier"},
                    why="a coupon that one member alone may use",
                    until=GONE,
                    whose="member_id::text = any($1)",
                ),
                Keeps(
                    table="promotion.use",
                    in_the_clear=clear.COUNTED,
                    columns={"coupon": "identifier"},
                    why="what an order has used of a coupon's limit",
                    until=GONE,
                    whose="reference = any($1)",
                ),
                Keeps(
                    table="promotion.member_use",
                    in_the_clear=clear.COUNTED,
                    columns={"coupon": "identifier"},
                    why="how often a member has used a coupon that is limited",
                    until=GONE,
                    whose="member_id::text = any($1)",
                ),
                Keeps(
                    table="promotion.person_use",
                    in_the_clear=clear.COUNTED,
                    columns={"coupon": "identifier"},
                    why="how often somebody has used a coupon at all front ends together",
                    until=GONE,
                    whose="account_id::text = any($1)",
                ),
            ),
        ),
    ),
    conditions=(
        Condition(
            name="promotion.uses-within-limits",
            sentence="Uses of a promotion = orders that use it, and they and what they cost are within its limits.",
            sql="""
                select promotion.front_end, code, uses, uses_max, spent, budget, used, cost
                from promotion.promotion cross join lateral (
                    select count(*) as used,
                        coalesce(sum(amount) filter (where currency = coalesce(budget_currency, currency)), 0) as cost
                    from promotion.use where use.promotion_of = promotion.front_end and use.promotion = code
                        and returned_at is null) as orders
                where (uses_max is not null or budget is not null)
                    and (used > uses_max or cost > budget or used <> uses or cost <> spent)
                limit 20""",
        ),
        Condition(
            name="promotion.coupons-within-limits",
            sentence="Uses of a coupon = orders that use it ≤ its limit.",
            sql="""
                select coupon.front_end, coupon.code, coupon.uses, uses_max, count(use.reference) as used
                from promotion.coupon left join promotion.use
                    on use.promotion_of = coupon.front_end and use.coupon = coupon.code and returned_at is null
                where uses_max is not null
                group by coupon.front_end, coupon.code
                having count(use.reference) > uses_max or count(use.reference) <> coupon.uses limit 20""",
        ),
        Condition(
            name="promotion.members-counts-are-sums",
            sentence="A member's uses of a promotion or coupon = those of the member's orders.",
            sql="""
                select known.front_end, known.promotion, known.coupon, known.member_id, known.uses,
                    count(use.reference) as used
                from promotion.member_use as known
                left join (promotion.redemption left join promotion.joined on was = redemption.member_id)
                    on redemption.front_end = known.front_end and redemption.returned_at is null
                    and coalesce(now, redemption.member_id) = known.member_id
                left join promotion.use on use.front_end = known.front_end and use.reference = redemption.reference
                    and use.promotion = known.promotion and known.coupon in ('', use.coupon)
                group by known.front_end, known.promotion, known.coupon, known.member_id
                having count(use.reference) <> known.uses limit 20""",
        ),
        Condition(
            name="promotion.persons-counts-are-sums",
            sentence="A person's uses of a promotion or coupon = those of their orders at all front ends.",
            sql="""
                select known.front_end, known.promotion, known.coupon, known.account_id, known.uses,
                    count(use.reference) as used
                from promotion.person_use as known
                left join (promotion.redemption left join promotion.joined on was = redemption.account_id)
                    on coalesce(now, redemption.account_id) = known.account_id and redemption.returned_at is null
                left join promotion.use on use.front_end = redemption.front_end and use.reference = redemption.reference
                    and use.promotion_of = known.front_end and use.promotion = known.promotion
                    and known.coupon in ('', use.coupon)
                group by known.front_end, known.promotion, known.coupon, known.account_id
                having count(use.reference) <> known.uses limit 20""",
        ),
        Condition(
            name="promotion.returned-once",
            sentence="What an order used came back whole, or not at all.",
            sql="""
                select front_end, reference, redemption.returned_at, use.returned_at as use_returned_at
                from promotion.redemption join promotion.use using (front_end, reference)
                where redemption.returned_at is distinct from use.returned_at limit 20""",
        ),
    ),
)
