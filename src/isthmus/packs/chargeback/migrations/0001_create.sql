-- What payers' banks took back, by the provider's own name for it.
create table chargeback.chargeback (
    front_end text collate "C" not null,
    provider text collate "C" not null,
    reference text collate "C" not null,
    payment_id uuid not null,
    paid_for text collate "C" not null,
    state text not null check (state in ('opened', 'won', 'lost')),
    currency text collate "C" not null,
    amount_minor bigint not null check (amount_minor > 0),
    fee_minor bigint not null,
    reason text not null,
    opened_at timestamptz not null,
    ended_at timestamptz check ((ended_at is null) = (state = 'opened')),
    primary key (front_end, provider, reference)
);
select isthmus.guard('chargeback.chargeback');
create index on chargeback.chargeback (front_end, payment_id);
create index on chargeback.chargeback (front_end, opened_at);
revoke delete on chargeback.chargeback from isthmus_app;
