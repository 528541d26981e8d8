-- What tells coupons apart: their code without case. Of those that were issued with codes that differ in nothing else,
-- the first has it; others are found by their code as it is written.
alter table promotion.coupon add column key text;
update promotion.coupon set key = case when place = 1 then lower(coupon.code) else '=' || coupon.code end
from (
    select front_end, code, row_number() over (partition by front_end, lower(code) order by issued_at, code) as place
    from promotion.coupon
) as known
where known.front_end = coupon.front_end and known.code = coupon.code;
alter table promotion.coupon alter column key set not null;
create unique index coupon_by_key on promotion.coupon (front_end, key);

-- Categories, brands and sellers are named as the catalogue keeps them: with their letters composed.
update promotion.promotion set definition = normalize(definition::text, nfc)::json
where definition::text is not nfc normalized;
