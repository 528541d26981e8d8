-- A lease ends: what it was not used for is written down, so that a number that is missing later is a fault.
alter table "order".number_lease
    add closed_at timestamptz,
    add unused int8multirange not null default '{}',
    add check (closed_at is not null or isempty(unused)),
    add check (unused <@ int8range(first, last + 1));
create index leases_open on "order".number_lease (front_end, leased_at) where closed_at is null;

-- What was taken off a group of orders, and which line has which share of it.
create table "order".discount (
    front_end text not null,
    group_id uuid not null,
    discount integer not null,
    promotion text not null,
    coupon text not null,
    reason text not null,
    target text not null check (target in ('lines', 'delivery')),
    amount_minor bigint not null check (amount_minor >= 0),
    primary key (front_end, group_id, discount)
);
select isthmus.guard('"order".discount');

create table "order".discount_share (
    front_end text not null,
    group_id uuid not null,
    discount integer not null,
    order_id uuid not null,
    line integer not null,
    minor bigint not null check (minor >= 0),
    primary key (front_end, group_id, discount, order_id, line),
    foreign key (front_end, group_id, discount) references "order".discount (front_end, group_id, discount),
    foreign key (front_end, order_id, line) references "order".lines (front_end, order_id, line)
);
select isthmus.guard('"order".discount_share');
create index on "order".discount_share (front_end, order_id, line);

-- The lines of a return as rows: `worth` is the part of what was paid, `refund` what the front end gives of it.
create table "order".return_line (
    front_end text not null,
    return_id uuid not null,
    at integer not null,
    order_id uuid not null,
    line integer not null,
    quantity integer not null check (quantity >= 1),
    reason text not null,
    worth_minor bigint not null check (worth_minor >= 0),
    worth_tax_minor bigint not null check (worth_tax_minor between 0 and worth_minor),
    worth_discount_minor bigint not null check (worth_discount_minor >= 0),
    refund_minor bigint not null check (refund_minor between 0 and worth_minor),
    refund_tax_minor bigint not null check (refund_tax_minor between 0 and refund_minor),
    primary key (front_end, return_id, at),
    unique (front_end, return_id, line),
    foreign key (front_end, return_id) references "order".return (front_end, return_id),
    foreign key (front_end, order_id, line) references "order".lines (front_end, order_id, line)
);
insert into "order".return_line (front_end, return_id, at, order_id, line, quantity, reason, worth_minor,
    worth_tax_minor, worth_discount_minor, refund_minor, refund_tax_minor)
select front_end, return_id, place - 1, order_id, (one->>'line')::int, (one->>'quantity')::int,
    coalesce(one->>'reason', 'unwanted'), (shares->>(place - 1)::int)::bigint, 0, 0, (shares->>(place - 1)::int)::bigint, 0
from "order".return, jsonb_array_elements(lines) with ordinality as given (one, place);
select isthmus.guard('"order".return_line');
create index on "order".return_line (front_end, order_id, line);
alter table "order".return drop lines, drop shares;
