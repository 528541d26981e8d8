-- Which payment gives how much of a refund, where several paid for one thing.
create table payment.refund_part (
    front_end text not null,
    part bigint generated always as identity,
    reference text not null,
    payment_id uuid not null,
    amount_minor bigint not null check (amount_minor > 0),
    at timestamptz not null,
    primary key (front_end, reference, payment_id),
    foreign key (front_end, payment_id) references payment.payment (front_end, payment_id)
);
select isthmus.guard('payment.refund_part');
create index on payment.refund_part (front_end, payment_id);
