-- Keys compare bytes (collate "C"): rows are locked in their order, which must be the same wherever it is sorted.

create table inventory.location (
    front_end text not null,
    code text collate "C" not null,
    name text not null,
    country text not null,
    region text not null,
    priority integer not null,
    is_open boolean not null,
    primary key (front_end, code)
);
select isthmus.guard('inventory.location');

-- on_hand: what lies there. reserved: what is promised. back_ordered: how far the promise was let go beyond what is
-- there. safety and back_order_limit are what people set for new promises.
create table inventory.stock (
    front_end text collate "C" not null,
    sku text collate "C" not null,
    location text collate "C" not null,
    on_hand bigint not null default 0 check (on_hand between 0 and 1000000000),
    reserved bigint not null default 0 check (reserved >= 0),
    back_ordered bigint not null default 0 check (back_ordered >= 0),
    safety bigint not null default 0 check (safety >= 0),
    back_order_limit bigint not null default 0 check (back_order_limit >= 0),
    primary key (front_end, sku, location),
    constraint no_oversell check (reserved <= on_hand + back_ordered)
) with (fillfactor = 70);  -- room for new versions of a row beside the old ones: no index is written
create index on inventory.stock (front_end, location, sku);
select isthmus.guard('inventory.stock');

create table inventory.movement (
    id bigint generated always as identity primary key,
    front_end text collate "C" not null,
    sku text collate "C" not null,
    location text collate "C" not null,
    kind text not null check (kind in ('receive', 'adjust', 'count', 'transfer', 'ship', 'restock', 'write-off')),
    quantity bigint not null check (quantity <> 0),
    reference text not null,
    reason text not null,
    at timestamptz not null,
    by text not null,
    foreign key (front_end, sku, location) references inventory.stock
);
create index on inventory.movement (front_end, sku, id);
select isthmus.guard('inventory.movement');
revoke update, delete on inventory.movement from isthmus_app;

-- What was done under a reference is done once; `asked` tells a repetition from another ask.
create table inventory.posting (
    front_end text collate "C" not null,
    kind text not null,
    reference text collate "C" not null,
    asked bytea not null,
    at timestamptz not null,
    primary key (front_end, kind, reference)
);
select isthmus.guard('inventory.posting');
revoke update, delete on inventory.posting from isthmus_app;

create table inventory.reservation (
    front_end text collate "C" not null,
    reference text collate "C" not null,
    state text not null check (state in ('held', 'confirmed', 'shipped', 'released', 'expired')),
    expires_at timestamptz,
    asked bytea not null,
    primary key (front_end, reference),
    check (expires_at is null or state in ('held', 'expired', 'released', 'shipped'))
) with (fillfactor = 80);
create index on inventory.reservation (front_end, expires_at) where state = 'held' and expires_at is not null;
select isthmus.guard('inventory.reservation');

create table inventory.reservation_line (
    front_end text collate "C" not null,
    reference text collate "C" not null,
    line integer not null,
    sku text collate "C" not null,
    location text collate "C" not null,
    quantity bigint not null check (quantity > 0),
    back_ordered bigint not null check (back_ordered between 0 and quantity),
    shipped bigint not null default 0 check (shipped >= 0),
    released bigint not null default 0 check (released >= 0),
    primary key (front_end, reference, line, location),
    foreign key (front_end, reference) references inventory.reservation,
    foreign key (front_end, sku, location) references inventory.stock,
    constraint no_more_than_held check (shipped + released <= quantity)
) with (fillfactor = 80);
select isthmus.guard('inventory.reservation_line');

-- Who did what to a reservation, and when.
create table inventory.reservation_step (
    id bigint generated always as identity primary key,
    front_end text collate "C" not null,
    reference text collate "C" not null,
    state text not null,
    at timestamptz not null,
    by text not null
);
create index on inventory.reservation_step (front_end, reference, id);
select isthmus.guard('inventory.reservation_step');
revoke update, delete on inventory.reservation_step from isthmus_app;
