-- One book of refunds: each amount that went back for an order, by what it was for: a return, a cancellation, by hand.
create table "order".refund (
    front_end text not null,
    refund_id uuid not null,
    order_id uuid not null,
    cause text not null,
    amount_minor bigint not null check (amount_minor > 0),
    at timestamptz not null,
    primary key (front_end, refund_id),
    foreign key (front_end, order_id) references "order".orders (front_end, order_id)
);
insert into "order".refund (front_end, refund_id, order_id, cause, amount_minor, at)
select front_end, return_id, order_id, return_id::text, refund_minor, asked_at
from "order".return where state = 'refunded' and refund_minor > 0;
select isthmus.guard('"order".refund');
create index on "order".refund (front_end, order_id);

-- What will never come is closed: it is neither sent nor owed. A closing is worth what a return of as much would be.
alter table "order".lines
    add column closed integer not null default 0 check (closed >= 0),
    add column commission_returned_minor bigint not null default 0
        check (commission_returned_minor between 0 and commission_minor);
alter table "order".return add column kind text not null default 'return' check (kind in ('return', 'closing'));
update "order".lines set commission_returned_minor = (2 * commission_minor * returned + quantity) / (2 * quantity)
where returned > 0 and commission_minor > 0;
