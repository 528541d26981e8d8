create table tax.jurisdiction (
    front_end text not null,
    code text not null,
    prices_include_tax boolean not null,
    rounding text not null check (rounding in ('half-up', 'half-even', 'down', 'up')),
    rounded_per text not null check (rounded_per in ('line', 'rate')),
    put_at timestamptz not null,
    put_by text not null,
    primary key (front_end, code)
);
select isthmus.guard('tax.jurisdiction');
revoke delete on tax.jurisdiction from isthmus_app;

-- Rates as they were put. Nothing but the end is ever changed in a row.
create table tax.rate (
    front_end text not null,
    seq bigint generated always as identity,  -- the order in which they were put
    jurisdiction text not null,
    name text not null,
    tax_category text not null,
    rate_ppm integer not null check (rate_ppm >= 0),
    valid_from timestamptz not null,
    valid_to timestamptz check (valid_to > valid_from),
    put_at timestamptz not null,
    put_by text not null,
    superseded_at timestamptz,
    primary key (front_end, seq),
    foreign key (front_end, jurisdiction) references tax.jurisdiction
);
create unique index rate_live on tax.rate (front_end, jurisdiction, name, tax_category, valid_from)
    where superseded_at is null;
select isthmus.guard('tax.rate');
revoke delete on tax.rate from isthmus_app;
