create table payment.payment (
    front_end text not null,
    payment_id uuid not null,
    reference text not null,
    currency char(3) not null,
    amount_minor bigint not null check (amount_minor >= 0),
    authorised_minor bigint not null default 0 check (authorised_minor between 0 and amount_minor),
    captured_minor bigint not null default 0 check (captured_minor between 0 and authorised_minor),
    refunded_minor bigint not null default 0 check (refunded_minor between 0 and captured_minor),
    state text not null check (state in ('open', 'authorised', 'captured', 'part-refunded', 'refunded', 'voided')),
    method text not null default '',
    provider text not null default '',
    authorisation text not null default '',
    opened_at timestamptz not null,
    primary key (front_end, payment_id),
    unique (front_end, reference)
);
select isthmus.guard('payment.payment');

create table payment.attempt (
    front_end text not null,
    attempt_id uuid not null,
    payment_id uuid not null,
    kind text not null check (kind in ('authorise', 'capture', 'void', 'refund')),
    key text not null,
    provider text not null,
    method text not null,
    amount_minor bigint not null check (amount_minor >= 0),
    state text not null check (state in ('pending', 'unknown', 'done', 'refused')),
    provider_reference text not null default '',
    reason text not null default '',
    begun_at timestamptz not null,
    ended_at timestamptz check ((ended_at is null) = (state in ('pending', 'unknown'))),
    primary key (front_end, attempt_id),
    unique (front_end, key),
    foreign key (front_end, payment_id) references payment.payment (front_end, payment_id)
);
select isthmus.guard('payment.attempt');
create index on payment.attempt (front_end, payment_id);
create index attempts_open on payment.attempt (front_end, begun_at) where state in ('pending', 'unknown');

create table payment.leg (
    front_end text not null,
    leg_id uuid not null,
    payment_id uuid not null,
    kind text not null check (kind in ('capture', 'refund')),
    amount_minor bigint not null check ((kind = 'capture') = (amount_minor >= 0)),
    method text not null,
    at timestamptz not null,
    primary key (front_end, leg_id),
    foreign key (front_end, payment_id) references payment.payment (front_end, payment_id)
);
select isthmus.guard('payment.leg');
create index on payment.leg (front_end, payment_id);
