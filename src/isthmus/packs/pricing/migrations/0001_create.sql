-- Prices as they were put. Nothing but the three columns of the end is ever changed in a row.
create table pricing.price (
    front_end text not null,
    price_id uuid not null,
    seq bigint generated always as identity,  -- the order in which they were put
    price_list text not null,
    sku text not null,
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    location text not null,
    min_quantity integer not null check (min_quantity >= 1),
    valid_from timestamptz not null,
    valid_to timestamptz check (valid_to > valid_from),
    amount bigint not null check (amount >= 0),
    sale_amount bigint check (sale_amount between 0 and amount),
    per integer not null check (per >= 1),
    put_at timestamptz not null,
    put_by text not null,
    ended_at timestamptz,
    ended_by text not null default '',
    ended_as text not null default '' check (ended_as in ('', 'superseded', 'withdrawn')),
    primary key (front_end, price_id),
    check ((ended_at is null) = (ended_as = ''))
);
-- One live price for each key; quotes look prices up by it.
create unique index price_live on pricing.price
    (front_end, sku, currency, price_list, location, min_quantity, valid_from)
    include (valid_to) where ended_at is null;
create index price_of_sku on pricing.price (front_end, sku, seq);
select isthmus.guard('pricing.price');
revoke delete on pricing.price from isthmus_app;
