-- What tells coupons apart: their code without case. Some were issued before that differ in nothing else: those are found
-- by their code as it is written, and otherwise the first of them.
alter table promotion.coupon add column key text generated always as (lower(code)) stored;
create index coupon_by_key on promotion.coupon (front_end, key);

-- Categories, brands and sellers are named as the catalogue keeps them: with their letters composed.
update promotion.promotion set definition = normalize(definition::text, nfc)::json
where definition::text is not nfc normalized;
