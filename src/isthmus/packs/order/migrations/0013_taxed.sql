-- How lines and delivery were taxed: by whose rates, in which category, and at which rate or why at none. Of what was
-- placed before, lines say nothing of it, and what of the fee for delivery is tax is not known.
alter table "order".lines add column taxed jsonb;
alter table "order".orders add column delivery_tax_minor bigint not null default 0
    constraint tax_is_in_the_fee check (delivery_tax_minor between 0 and delivery_fee_minor);
alter table "order".orders add column delivery_taxed jsonb;
