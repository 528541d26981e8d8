-- Promotions can be shared: limits, budget and coupons stay their owner's rows, so that they hold over all who use them.
select isthmus.lend('promotion.promotion', 'code', used_by => '{update}');
select isthmus.lend('promotion.coupon', 'promotion', 'promotion.promotion', used_by => '{update}');

-- Which promotions of others a front end takes part in; it has no other of the same code.
create table promotion.switched (
    front_end text not null,
    code text not null,
    owner text not null check (owner <> front_end),
    at timestamptz not null,
    by text not null,
    primary key (front_end, code)
);
select isthmus.guard('promotion.switched');

alter table promotion.use
    add column owner text,
    add column promotion_of text generated always as (coalesce(owner, front_end)) stored;
create index use_of_shared on promotion.use (owner, promotion) where owner is not null;
-- contract: it says of own promotions what the constraint before said
alter table promotion.use
    add constraint use_promotion_fkey foreign key (promotion_of, stored_promotion) references promotion.promotion;
-- contract: what an order uses may be another's; the release before does not know such uses
alter table promotion.use drop constraint use_front_end_stored_promotion_fkey;

-- What was used under a grant can be given back when it is over.
-- contract: it only lets more through
create policy as_used on promotion.promotion to isthmus_app using (exists (
    select from promotion.use where use.owner = promotion.front_end and use.promotion = promotion.code
        and use.front_end = current_setting('isthmus.front_end', true)));
-- contract: it only lets more through
create policy as_used on promotion.coupon to isthmus_app using (exists (
    select from promotion.use where use.owner = coupon.front_end and use.coupon = coupon.code
        and use.front_end = current_setting('isthmus.front_end', true)));

-- How often orders use a promotion of this session's front end, wherever they were placed, and what it cost.
create function promotion.used(of_promotion text, in_currency text) returns table (uses bigint, spent bigint)
    language sql stable security definer set search_path = pg_catalog
begin atomic
    select count(*), coalesce(sum(amount) filter (where in_currency is null or currency = in_currency), 0)::bigint
    from (
        select amount, currency from promotion.use
        where front_end = current_setting('isthmus.front_end', true) and owner is null
            and promotion = of_promotion and returned_at is null
        union all
        select amount, currency from promotion.use
        where owner = current_setting('isthmus.front_end', true) and promotion = of_promotion and returned_at is null
    ) as used;
end;
create function promotion.coupon_used(of_coupon text) returns bigint
    language sql stable security definer set search_path = pg_catalog
begin atomic
    select (select count(*) from promotion.use
            where front_end = current_setting('isthmus.front_end', true) and owner is null and coupon = of_coupon
                and returned_at is null)
        + (select count(*) from promotion.use join promotion.coupon one on one.code = use.coupon
                and one.front_end = use.owner and one.promotion = use.promotion
           where use.owner = current_setting('isthmus.front_end', true) and use.coupon = of_coupon
                and use.returned_at is null);
end;
revoke execute on function promotion.used(text, text), promotion.coupon_used(text) from public;
grant execute on function promotion.used(text, text), promotion.coupon_used(text) to isthmus_app;
