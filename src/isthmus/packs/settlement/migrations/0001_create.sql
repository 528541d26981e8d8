-- What is due to whom, and what it was settled with. Amounts are whole minor units; positive is due to the payee.

-- Who is paid, and how: the bank account, how long goods that may come back are held back, what a payout costs.
create table settlement.payee (
    front_end text collate "C" not null,
    payee text collate "C" not null check (payee ~ '^(seller|front-end)/.'),
    currency text collate "C" not null check (currency ~ '^[A-Z]{3}$'),
    name text not null default '',
    iban text not null default '',
    bic text not null default '',
    hold_back_days int not null default 14 check (hold_back_days between 0 and 365),
    minimum_minor bigint not null default 0 check (minimum_minor >= 0),
    fee_minor bigint not null default 0 check (fee_minor >= 0),
    is_leaving boolean not null default false,
    primary key (front_end, payee, currency)
);
select isthmus.guard('settlement.payee');

-- carried_in and carried_minor: what an earlier settlement left, and what this one leaves to the next (carried_to).
create table settlement.settlement (
    front_end text collate "C" not null,
    settlement_id uuid not null,
    payee text collate "C" not null,
    currency text collate "C" not null,
    cut_off date not null,
    state text not null check (state in ('prepared', 'approved', 'sent', 'returned', 'cancelled')),
    items int not null check (items >= 0),
    credit_minor bigint not null check (credit_minor >= 0),
    debit_minor bigint not null check (debit_minor <= 0),
    carried_in_minor bigint not null,
    fee_minor bigint not null check (fee_minor >= 0),
    payout_minor bigint not null check (payout_minor >= 0),
    carried_minor bigint not null,
    carried_to uuid,
    prepared_at timestamptz not null,
    prepared_by text not null,
    approved_by text,
    file_id uuid,
    note text not null default '',
    primary key (front_end, settlement_id),
    constraint adds_up check (carried_in_minor + credit_minor + debit_minor = payout_minor + fee_minor + carried_minor),
    constraint carried_or_paid check (payout_minor = 0 or carried_minor = 0),
    constraint four_eyes check (approved_by <> prepared_by),
    constraint approved_by_somebody check ((approved_by is null) = (state in ('prepared', 'cancelled'))),
    constraint sent_with_a_file check ((file_id is null) = (state not in ('sent', 'returned'))),
    foreign key (front_end, carried_to) references settlement.settlement (front_end, settlement_id)
        deferrable initially deferred
);
select isthmus.guard('settlement.settlement');
create unique index settlement_is_carried_by_one on settlement.settlement (front_end, payee, currency)
    where carried_to is null and carried_minor <> 0 and state <> 'cancelled';
create index on settlement.settlement (front_end, state);
create index on settlement.settlement (front_end, carried_to);

create table settlement.item (
    front_end text collate "C" not null,
    reference text collate "C" not null,
    payee text collate "C" not null,
    kind text not null,
    subject text collate "C" not null,
    line int,
    currency text collate "C" not null,
    gross_minor bigint not null,
    commission_minor bigint not null,
    amount_minor bigint not null,
    happened_at timestamptz not null,
    settlement_id uuid,
    primary key (front_end, reference),
    constraint amount_is_gross_less_commission check (amount_minor = gross_minor - commission_minor),
    foreign key (front_end, settlement_id) references settlement.settlement (front_end, settlement_id)
        deferrable initially deferred
);
select isthmus.guard('settlement.item');
revoke delete on settlement.item from isthmus_app;
create index item_is_open on settlement.item (front_end, payee, currency, happened_at) where settlement_id is null;
create index on settlement.item (front_end, settlement_id);
create index on settlement.item (front_end, subject);

create table settlement.payout_file (
    front_end text collate "C" not null,
    file_id uuid not null,
    currency text collate "C" not null,
    payouts int not null check (payouts > 0),
    total_minor bigint not null check (total_minor > 0),
    content text not null,
    made_at timestamptz not null,
    made_by text not null,
    primary key (front_end, file_id)
);
select isthmus.guard('settlement.payout_file');
revoke update, delete on settlement.payout_file from isthmus_app;
alter table settlement.settlement add foreign key (front_end, file_id)
    references settlement.payout_file (front_end, file_id) deferrable initially deferred;

-- What is settled stays settled: an item changes its settlement only from none, or from one that was cancelled.
create function settlement.settle_once() returns trigger
    language plpgsql
as $$
begin
    if (new.reference, new.payee, new.currency, new.amount_minor) is distinct from
            (old.reference, old.payee, old.currency, old.amount_minor) then
        raise exception 'item % is not changed', old.reference using errcode = 'check_violation';
    end if;
    if old.settlement_id is not null and not exists (
            select from settlement.settlement as s where s.front_end = old.front_end
                and s.settlement_id = old.settlement_id and s.state = 'cancelled') then
        raise exception 'item % is settled with %', old.reference, old.settlement_id using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger settle_once before update on settlement.item
    for each row execute function settlement.settle_once();
