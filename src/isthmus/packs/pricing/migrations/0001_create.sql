-- What `per` units of a SKU cost, in one front end's price list.
create table pricing.price (
    front_end text not null,
    sku text not null,
    currency char(3) not null,
    location text not null default '',
    quantity_from integer not null default 1 check (quantity_from >= 1),
    valid_from timestamptz not null,
    valid_to timestamptz check (valid_to > valid_from),
    list_minor bigint not null check (list_minor >= 0),
    sale_minor bigint check (sale_minor >= 0),
    per integer not null check (per >= 1),
    primary key (front_end, sku, currency, location, quantity_from, valid_from)
);
select isthmus.guard('pricing.price');
