-- What an entry has on accounts of another front end, which is to book its side of it. Written with the entry or after
-- it; noted_at is when the other took notice. It sees who claims what of it, and nothing of what that was about.
create table ledger.claim (
    front_end text collate "C" not null,
    entry_id uuid not null,
    leg smallint not null,
    other text collate "C" not null check (other <> front_end),
    kind text not null,
    account text collate "C" not null,
    currency text collate "C" not null,
    amount bigint not null check (amount <> 0),
    value_date date not null,
    claimed_at timestamptz not null,
    noted_at timestamptz,
    primary key (front_end, entry_id, leg)
);
create index claims_to_note on ledger.claim (other, claimed_at) where noted_at is null;
select isthmus.guard('ledger.claim');
revoke update, delete on ledger.claim from isthmus_app;
grant update (noted_at) on ledger.claim to isthmus_app;
create policy as_other on ledger.claim for select to isthmus_app
    using (other = current_setting('isthmus.front_end', true) collate "C");
create policy as_other_notes on ledger.claim for update to isthmus_app
    using (other = current_setting('isthmus.front_end', true) collate "C");
