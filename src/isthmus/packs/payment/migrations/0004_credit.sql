-- Gift cards and store credit. A programme says what is given out; others give it out and take it by a grant of it
-- (`payment.credit_programme`). What is left on a card is owed by the programme's owner, wherever it was bought.
create table payment.credit_programme (
    front_end text collate "C" not null,  -- whose it is
    code text collate "C" not null,
    name text not null,
    currency char(3) not null,
    valid_days integer check (valid_days > 0),  -- null: for ever
    primary key (front_end, code)
);
select isthmus.guard('payment.credit_programme');
select isthmus.lend('payment.credit_programme', 'code');

create table payment.credit (
    front_end text collate "C" not null,  -- whose programme it is of
    credit_id uuid not null,
    programme text collate "C" not null,
    issuer text collate "C" not null,  -- who gave it out
    digest text not null,  -- of its code, which is kept nowhere
    last_letters text not null,
    currency char(3) not null,
    balance_minor bigint not null check (balance_minor >= 0),
    expires_at timestamptz,
    issued_at timestamptz not null,
    primary key (front_end, credit_id),
    foreign key (front_end, programme) references payment.credit_programme,
    unique (digest)
);
create index credit_due on payment.credit (front_end, expires_at) where balance_minor > 0 and expires_at is not null;
select isthmus.guard('payment.credit');
select isthmus.lend('payment.credit', 'programme', 'payment.credit_programme', used_by => '{insert,update}');
revoke delete on payment.credit from isthmus_app;

-- What came onto a card and left it, at the front end where it happened; the balance is the sum.
create table payment.credit_move (
    front_end text collate "C" not null,
    move_id uuid not null,
    owner text collate "C" not null,
    credit_id uuid not null,
    kind text not null check (kind in ('sold', 'given', 'held', 'released', 'redeemed', 'returned', 'taken-back',
        'expired')),
    amount_minor bigint not null check (amount_minor <> 0),
    reference text not null,
    at timestamptz not null,
    noted_at timestamptz,  -- when its owner took notice of what happened elsewhere
    primary key (front_end, move_id),
    foreign key (owner, credit_id) references payment.credit
);
create index credit_moves on payment.credit_move (owner, credit_id, at);
create index credit_moves_elsewhere on payment.credit_move (owner, at)
    where noted_at is null and front_end <> owner and kind not in ('held', 'released');
select isthmus.guard('payment.credit_move');
revoke delete, update on payment.credit_move from isthmus_app;
grant update (noted_at) on payment.credit_move to isthmus_app;
create policy as_owner on payment.credit_move for select to isthmus_app
    using (owner = current_setting('isthmus.front_end', true) collate "C");
create policy as_owner_notes on payment.credit_move for update to isthmus_app
    using (owner = current_setting('isthmus.front_end', true) collate "C");

-- What was given out or taken under a grant can be filled, given back and let go when the grant is over.
create policy as_issued on payment.credit for select to isthmus_app
    using (issuer = current_setting('isthmus.front_end', true) collate "C");
create policy as_issued_update on payment.credit for update to isthmus_app
    using (issuer = current_setting('isthmus.front_end', true) collate "C");
create policy as_used on payment.credit for select to isthmus_app using (exists (
    select from payment.credit_move move where move.owner = credit.front_end and move.credit_id = credit.credit_id
        and move.front_end = current_setting('isthmus.front_end', true)));
create policy as_used_update on payment.credit for update to isthmus_app using (exists (
    select from payment.credit_move move where move.owner = credit.front_end and move.credit_id = credit.credit_id
        and move.front_end = current_setting('isthmus.front_end', true)));
