-- Numbers of orders: blocks of them are leased to a server each, so that orders do not wait for one another.
create table "order".number_counter (
    front_end text primary key,
    last bigint not null check (last >= 0)
);
select isthmus.guard('"order".number_counter');

create table "order".number_lease (
    front_end text not null,
    first bigint not null,
    last bigint not null check (last >= first),
    holder text not null,
    leased_at timestamptz not null default now(),
    primary key (front_end, first)
);
select isthmus.guard('"order".number_lease');

create table "order".orders (
    front_end text not null,
    order_id uuid not null,
    group_id uuid not null,
    number bigint not null check (number >= 1),
    state text not null check (state in
        ('placed', 'paid', 'part-shipped', 'shipped', 'completed', 'cancelled', 'expired')),
    part text not null,
    member_id uuid,
    contact_email text not null,
    address jsonb,
    order_kind text not null,
    channel text not null,
    box text not null,
    plan text not null,
    currency char(3) not null,
    line_count integer not null check (line_count >= 1),
    delivery_fee_minor bigint not null check (delivery_fee_minor >= 0),
    delivery_method text not null,
    total_minor bigint not null check (total_minor >= 0),
    refunded_minor bigint not null default 0 check (refunded_minor between 0 and total_minor),
    coupons text[] not null,
    placed_at timestamptz not null,
    pay_before timestamptz,
    primary key (front_end, order_id),
    unique (front_end, number)
);
select isthmus.guard('"order".orders');
create index orders_of_group on "order".orders (front_end, group_id);
create index orders_in_time on "order".orders (front_end, placed_at desc, order_id desc);
create index orders_of_member on "order".orders (front_end, member_id, placed_at desc, order_id desc);
create index orders_unpaid on "order".orders (front_end, pay_before) where state = 'placed';

create table "order".lines (
    front_end text not null,
    order_id uuid not null,
    line integer not null,
    sku text not null,
    title text not null,
    quantity integer not null check (quantity >= 1),
    unit text not null,
    seller text not null,
    location text not null,
    tax_category text not null,
    list_minor bigint not null check (list_minor >= 0),
    amount_minor bigint not null check (amount_minor >= 0),
    discount_minor bigint not null check (discount_minor between 0 and amount_minor),
    tax_minor bigint not null check (tax_minor >= 0),
    total_minor bigint not null check (total_minor >= 0),
    is_returnable boolean not null,
    applied jsonb not null,
    shipped integer not null default 0 check (shipped between 0 and quantity),
    returned integer not null default 0 check (returned between 0 and shipped),
    refunded_minor bigint not null default 0 check (refunded_minor between 0 and total_minor),
    primary key (front_end, order_id, line),
    foreign key (front_end, order_id) references "order".orders (front_end, order_id)
);
select isthmus.guard('"order".lines');

create table "order".history (
    front_end text not null,
    order_id uuid not null,
    entry bigint generated always as identity,
    at timestamptz not null,
    by text not null,
    what text not null,
    note text not null,
    primary key (front_end, order_id, entry),
    foreign key (front_end, order_id) references "order".orders (front_end, order_id)
);
select isthmus.guard('"order".history');

create table "order".parcel (
    front_end text not null,
    order_id uuid not null,
    parcel text not null,
    at timestamptz not null,
    primary key (front_end, order_id, parcel),
    foreign key (front_end, order_id) references "order".orders (front_end, order_id)
);
select isthmus.guard('"order".parcel');

create table "order".return (
    front_end text not null,
    return_id uuid not null,
    order_id uuid not null,
    state text not null check (state in ('requested', 'approved', 'rejected', 'received', 'refunded')),
    lines jsonb not null,
    shares jsonb not null,
    refund_minor bigint not null check (refund_minor >= 0),
    note text not null,
    asked_at timestamptz not null,
    primary key (front_end, return_id),
    foreign key (front_end, order_id) references "order".orders (front_end, order_id)
);
select isthmus.guard('"order".return');
create index on "order".return (front_end, order_id);

create table "order".basket (
    front_end text not null,
    basket_id uuid not null,
    member_id uuid,
    currency char(3) not null,
    lines jsonb not null,
    coupons text[] not null default '{}',
    version integer not null default 1,
    changed_at timestamptz not null,
    primary key (front_end, basket_id)
);
select isthmus.guard('"order".basket');
