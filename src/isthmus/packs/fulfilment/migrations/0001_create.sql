create table fulfilment.method (
    front_end text collate "C" not null,
    code text collate "C" not null,
    name text not null,
    kind text not null check (kind in ('delivery', 'pickup')),
    needs_slot boolean not null,
    max_grams bigint not null check (max_grams >= 0),
    is_active boolean not null,
    primary key (front_end, code)
);
select isthmus.guard('fulfilment.method');

-- What a method costs and promises in a zone; an empty country, region or prefix is every one.
create table fulfilment.rate (
    front_end text collate "C" not null,
    method text collate "C" not null,
    place integer not null,
    zone text not null,
    currency text not null,
    country text not null,
    region text not null,
    postcode_prefix text not null,
    base_minor bigint not null check (base_minor >= 0),
    included_grams bigint not null check (included_grams >= 0),
    kilogram_minor bigint not null check (kilogram_minor >= 0),
    free_from_minor bigint check (free_from_minor >= 0),
    after_minutes bigint not null check (after_minutes >= 0),
    within_minutes bigint check (within_minutes >= 0),
    primary key (front_end, method, place),
    foreign key (front_end, method) references fulfilment.method
);
create index on fulfilment.rate (front_end, currency, country, region);
select isthmus.guard('fulfilment.rate');

create table fulfilment.slot (
    front_end text collate "C" not null,
    slot_id uuid not null,
    method text collate "C" not null,
    zone text collate "C" not null,
    starts_at timestamptz not null,
    ends_at timestamptz not null,
    closes_at timestamptz not null,
    capacity bigint not null,
    booked bigint not null default 0 check (booked >= 0),
    fee_minor bigint not null check (fee_minor >= 0),
    primary key (front_end, slot_id),
    unique (front_end, method, zone, starts_at),
    foreign key (front_end, method) references fulfilment.method,
    constraint no_overbooking check (booked <= capacity),
    constraint window_in_order check (starts_at < ends_at and closes_at <= ends_at)
) with (fillfactor = 70);
create index on fulfilment.slot (front_end, starts_at, slot_id);
select isthmus.guard('fulfilment.slot');

create table fulfilment.booking (
    front_end text collate "C" not null,
    reference text collate "C" not null,
    slot_id uuid not null,
    units bigint not null check (units > 0),
    state text not null check (state in ('booked', 'released')),
    at timestamptz not null,
    by text not null,
    primary key (front_end, reference),
    foreign key (front_end, slot_id) references fulfilment.slot
);
create index on fulfilment.booking (front_end, slot_id) where state = 'booked';
select isthmus.guard('fulfilment.booking');

-- One order's plan: made once, which the key sees to.
create table fulfilment.plan (
    front_end text collate "C" not null,
    reference text collate "C" not null,
    asked bytea not null,
    primary key (front_end, reference)
);
select isthmus.guard('fulfilment.plan');

create table fulfilment.shipment (
    front_end text collate "C" not null,
    shipment_id uuid not null,
    reference text collate "C" not null,
    part text not null,
    location text collate "C" not null,
    method text not null,
    state text not null check (state in ('planned', 'part-shipped', 'shipped', 'delivered', 'returned', 'cancelled')),
    address jsonb,
    slot_id uuid,
    promise_from timestamptz,
    promise_to timestamptz,
    planned_at timestamptz not null,
    primary key (front_end, shipment_id),
    foreign key (front_end, reference) references fulfilment.plan,
    foreign key (front_end, slot_id) references fulfilment.slot
) with (fillfactor = 80);
create index on fulfilment.shipment (front_end, reference);
create index on fulfilment.shipment (front_end, planned_at, shipment_id);
select isthmus.guard('fulfilment.shipment');

create table fulfilment.shipment_line (
    front_end text collate "C" not null,
    shipment_id uuid not null,
    line integer not null,
    sku text not null,
    quantity bigint not null check (quantity > 0),
    packed bigint not null default 0 check (packed >= 0),
    shipped bigint not null default 0 check (shipped >= 0),
    cancelled bigint not null default 0 check (cancelled >= 0),
    primary key (front_end, shipment_id, line),
    foreign key (front_end, shipment_id) references fulfilment.shipment,
    constraint no_more_than_planned check (packed + cancelled <= quantity),
    constraint shipped_is_packed check (shipped <= packed)
) with (fillfactor = 80);
select isthmus.guard('fulfilment.shipment_line');

create table fulfilment.parcel (
    front_end text collate "C" not null,
    shipment_id uuid not null,
    parcel text collate "C" not null,
    state text not null check (state in ('packed', 'shipped', 'delivered', 'failed', 'returned')),
    carrier text,
    tracking text,
    reason text not null default '',
    attempts integer not null default 0,
    primary key (front_end, shipment_id, parcel),
    foreign key (front_end, shipment_id) references fulfilment.shipment,
    constraint carrier_if_and_only_if_shipped check ((state = 'packed') = (carrier is null)),
    constraint tracking_needs_a_carrier check (tracking is null or carrier is not null)
) with (fillfactor = 80);
select isthmus.guard('fulfilment.parcel');

create table fulfilment.parcel_line (
    front_end text collate "C" not null,
    shipment_id uuid not null,
    parcel text collate "C" not null,
    line integer not null,
    sku text not null,
    quantity bigint not null check (quantity > 0),
    primary key (front_end, shipment_id, parcel, line),
    foreign key (front_end, shipment_id, parcel) references fulfilment.parcel,
    foreign key (front_end, shipment_id, line) references fulfilment.shipment_line
);
select isthmus.guard('fulfilment.parcel_line');

-- Who did what to a shipment, and when.
create table fulfilment.step (
    id bigint generated always as identity primary key,
    front_end text collate "C" not null,
    shipment_id uuid not null,
    parcel text not null,
    state text not null,
    note text not null,
    at timestamptz not null,
    by text not null
);
create index on fulfilment.step (front_end, shipment_id, id);
select isthmus.guard('fulfilment.step');
revoke update, delete on fulfilment.step from isthmus_app;
