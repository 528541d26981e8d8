-- Products of the group, shared by all front ends; assortments are each front end's own.
create table catalog.category (
    code text primary key,
    name text not null,
    parent text references catalog.category (code) deferrable initially deferred,
    required text[] not null default '{}'
);
select isthmus.share('catalog.category');
create index on catalog.category (parent, name);

create table catalog.seller (
    code text primary key,
    name text not null
);
select isthmus.share('catalog.seller');

create table catalog.product (
    product_id uuid primary key,
    code text not null unique,
    title text not null,
    description text not null,
    category text not null references catalog.category (code),
    brand text not null,
    seller text not null,
    tax_category text not null,
    is_returnable boolean not null,
    attributes jsonb not null,
    version integer not null default 1 check (version >= 1),
    changed_at timestamptz not null
);
select isthmus.share('catalog.product');

create table catalog.sku (
    sku text primary key,
    product_id uuid not null references catalog.product (product_id),
    unit text not null,
    weight_grams integer not null check (weight_grams >= 0),
    attributes jsonb not null,
    is_current boolean not null default true
);
select isthmus.share('catalog.sku');
create index on catalog.sku (product_id);

-- What a front end offers, with what its lists are searched and ordered by.
create table catalog.listing (
    front_end text not null,
    sku text not null references catalog.sku (sku),
    title text not null,
    category text not null,
    brand text not null,
    seller text not null,
    words tsvector not null,
    offered_from timestamptz not null,
    offered_to timestamptz check (offered_to > offered_from),
    min_quantity integer not null check (min_quantity >= 1),
    max_quantity integer not null check (max_quantity >= min_quantity),
    step integer not null check (step >= 1),
    primary key (front_end, sku)
);
select isthmus.guard('catalog.listing');
create index listing_in_order on catalog.listing (front_end, title, sku);
create index listing_of_category on catalog.listing (front_end, category, title, sku);
create index listing_of_brand on catalog.listing (front_end, brand, title, sku);
create index listing_of_seller on catalog.listing (front_end, seller, title, sku);
create index listing_by_words on catalog.listing using gin (words);
