-- Double entry. Amounts are whole minor units: a debit is positive, a credit negative.
--
-- Legs are only added. What was posted is their sum, so nobody waits for a row that everybody changes: the balance of an
-- account is what was summed up to a moment (ledger.balance) and the few legs after it. An account with a limit is the
-- exception: its balance is one row, changed with each leg, since a limit can only be kept by one writer at a time.

-- The books of a front end. closed_through: the last day that nothing is booked on any more. folded: legs of
-- transactions before this number are in ledger.balance and ledger.day.
create table ledger.book (
    front_end text collate "C" primary key,
    closed_through date,
    folded bigint not null default 1
);
select isthmus.guard('ledger.book');

-- least and greatest limit the balance in its natural direction: what assets and expenses have, what the others owe.
create table ledger.account (
    account_id bigint generated always as identity primary key,
    front_end text collate "C" not null,
    code text collate "C" not null check (code ~ '^(assets|liabilities|income|expenses|equity)(:[a-z0-9][a-z0-9-]*)+$'),
    owner text collate "C" not null default '' check (owner = '' or owner ~ '^(front-end|seller|member|provider)/.'),
    currency text collate "C" not null check (currency ~ '^[A-Z]{3}$'),
    name text not null default '',
    is_limited boolean not null default false,
    least bigint,
    greatest bigint,
    opened_at timestamptz not null,
    unique (front_end, code, owner, currency),
    constraint bounds_in_order check (least <= greatest),
    constraint limits_need_a_limited_account check (is_limited or (least is null and greatest is null))
);
select isthmus.guard('ledger.account');
revoke delete on ledger.account from isthmus_app;

-- legs: how many it was booked with; those that end a pending entry come behind them. content is a digest of all that
-- was asked: the same reference with another content is a conflict.
create table ledger.entry (
    front_end text collate "C" not null,
    entry_id uuid not null,
    reference text collate "C" not null,
    kind text not null,
    state text not null check (state in ('pending', 'posted', 'voided', 'expired')),
    value_date date not null,
    booked_at timestamptz not null,
    expires_at timestamptz check (expires_at is null or state <> 'posted' or ended_at is not null),
    ended_at timestamptz check (ended_at is null or state <> 'pending'),
    subject text collate "C" not null default '',
    memo text not null default '',
    metadata jsonb not null default '{}',
    legs smallint not null check (legs >= 2),
    reverses uuid,
    linked_to uuid,
    content uuid not null,
    by text not null,
    primary key (front_end, entry_id),
    unique (front_end, reference)
);
create index on ledger.entry (front_end, subject) where subject <> '';
create index on ledger.entry (front_end, expires_at) where state = 'pending';
create unique index entry_is_reversed_once on ledger.entry (front_end, reverses) where reverses is not null;
select isthmus.guard('ledger.entry');
revoke update, delete on ledger.entry from isthmus_app;
grant update (state, ended_at) on ledger.entry to isthmus_app;

-- layer: `=` is done and counts; `+` and `-` are pending debits and credits, which only limit what is left. When a
-- pending entry ends its legs are taken back in the same layers, and done ones follow where it is posted.
-- xid: the number of the transaction; where the balance row was changed at once, a step below all of these instead, which
-- orders what happened to an account with a limit.
create table ledger.leg (
    front_end text collate "C" not null,
    entry_id uuid not null,
    leg smallint not null,
    layer text collate "C" not null check (layer in ('=', '+', '-')),
    account_id bigint not null,
    currency text collate "C" not null,
    amount bigint not null check (amount <> 0),
    value_date date not null,
    booked_at timestamptz not null,
    xid bigint not null,
    primary key (front_end, entry_id, leg)
);
create index on ledger.leg (account_id, xid);
create index on ledger.leg using brin (xid) with (pages_per_range = 16);
create index on ledger.leg using brin (booked_at) with (pages_per_range = 32);
select isthmus.guard('ledger.leg');
revoke update, delete on ledger.leg from isthmus_app;

create table ledger.balance (
    front_end text collate "C" not null,
    account_id bigint primary key,
    posted numeric not null default 0,
    pending_debit numeric not null default 0,
    pending_credit numeric not null default 0
) with (fillfactor = 70);
select isthmus.guard('ledger.balance');

-- What was posted on an account, by the day it counts for and the day it was booked on.
create table ledger.day (
    front_end text collate "C" not null,
    account_id bigint not null,
    value_date date not null,
    booked_on date not null,
    debit numeric not null,
    credit numeric not null,
    primary key (account_id, value_date, booked_on)
) with (fillfactor = 70);
select isthmus.guard('ledger.day');

-- Who closed and opened which days, and when.
create table ledger.closing (
    id bigint generated always as identity primary key,
    front_end text collate "C" not null,
    closed_through date,
    at timestamptz not null,
    by text not null,
    reason text not null
);
create index on ledger.closing (front_end, id);
select isthmus.guard('ledger.closing');
revoke update, delete on ledger.closing from isthmus_app;


-- Every statement that adds legs adds sums of zero, by entry, phase and currency; and none is ever changed.
create function ledger.check_balanced() returns trigger
    language plpgsql
as $$
declare
    wrong record;
begin
    select entry_id, currency, sum(amount) as difference into wrong from added
    group by entry_id, layer = '=', currency having sum(amount) <> 0 limit 1;
    if found then
        raise exception 'entry % does not balance: % % too much', wrong.entry_id, wrong.difference, wrong.currency
            using errcode = 'check_violation', constraint = 'entry_balances', table = 'leg', schema = 'ledger';
    end if;
    return null;
end $$;
create trigger entry_balances after insert on ledger.leg
    referencing new table as added for each statement execute function ledger.check_balanced();

create function ledger.refuse_change() returns trigger
    language plpgsql
as $$
begin
    raise exception '% of ledger.% is refused', lower(tg_op), tg_table_name
        using hint = 'what was booked is reversed by another entry, never changed',
            errcode = 'check_violation', constraint = 'books_are_only_added_to', table = tg_table_name, schema = 'ledger';
end $$;
create trigger legs_stay before update or delete or truncate on ledger.leg
    for each statement execute function ledger.refuse_change();
create trigger entries_stay before delete or truncate on ledger.entry
    for each statement execute function ledger.refuse_change();
create trigger accounts_stay before delete or truncate on ledger.account
    for each statement execute function ledger.refuse_change();

create function ledger.check_end() returns trigger
    language plpgsql
as $$
begin
    if old.state <> 'pending' or new.state = 'pending' or new.ended_at is null
        or (to_jsonb(old) - 'state' - 'ended_at') <> (to_jsonb(new) - 'state' - 'ended_at')
    then
        raise exception 'entry % is % and stays as it is', old.entry_id, old.state
            using errcode = 'check_violation', constraint = 'pending_ends_once', table = 'entry', schema = 'ledger';
    end if;
    return new;
end $$;
create trigger pending_ends_once before update on ledger.entry
    for each row execute function ledger.check_end();

create function ledger.check_account() returns trigger
    language plpgsql
as $$
begin
    if (to_jsonb(old) - 'name' - 'least' - 'greatest') <> (to_jsonb(new) - 'name' - 'least' - 'greatest') then
        raise exception 'account % stays what it is', old.code
            using errcode = 'check_violation', constraint = 'account_stays', table = 'account', schema = 'ledger';
    end if;
    return new;
end $$;
create trigger account_stays before update on ledger.account
    for each row execute function ledger.check_account();


create sequence ledger.step;
grant usage on sequence ledger.step to isthmus_app;
create function ledger.next_step() returns bigint
    language sql
    return nextval('ledger.step') - 4611686018427387904;
comment on function ledger.next_step() is 'A number below those of transactions, and above all that were taken before';

create function ledger.natural_sign(code text) returns integer
    language sql immutable parallel safe
    return case when starts_with(code, 'assets') or starts_with(code, 'expenses') then 1 else -1 end;
comment on function ledger.natural_sign(text) is '1 where a debit makes more of it, -1 where a credit does';

-- Booking waits for closing and the other way round, and never for another booking.
create function ledger.lock_book(of_front_end text, is_closing boolean) returns date
    language plpgsql
as $$
declare
    number constant bigint := hashtextextended('ledger.book/' || of_front_end, 0);
    through date;
begin
    if is_closing then
        perform pg_advisory_xact_lock(number);
    else
        perform pg_advisory_xact_lock_shared(number);
    end if;
    select closed_through into through from ledger.book where front_end = of_front_end;
    if not found then
        insert into ledger.book (front_end) values (of_front_end) on conflict do nothing;
        select closed_through into through from ledger.book where front_end = of_front_end;
    end if;
    return through;
end $$;

-- Add to the balance rows of accounts with limits, which this transaction holds, and say which limit is passed.
create function ledger.add_limited(of_front_end text, ids bigint[], layers text[], amounts bigint[], dates date[],
    at timestamptz) returns text
    language plpgsql
as $$
declare
    passed text;
begin
    insert into ledger.balance as known (front_end, account_id, posted, pending_debit, pending_credit)
    select of_front_end, id, coalesce(sum(amount) filter (where layer = '='), 0),
        coalesce(sum(amount) filter (where layer = '+'), 0), coalesce(sum(amount) filter (where layer = '-'), 0)
    from unnest(ids, layers, amounts) as given (id, layer, amount) group by id order by id
    on conflict (account_id) do update set posted = known.posted + excluded.posted,
        pending_debit = known.pending_debit + excluded.pending_debit,
        pending_credit = known.pending_credit + excluded.pending_credit;
    insert into ledger.day as known (front_end, account_id, value_date, booked_on, debit, credit)
    select of_front_end, id, value_date, (at at time zone 'UTC')::date,
        coalesce(sum(amount) filter (where amount > 0), 0), coalesce(-sum(amount) filter (where amount < 0), 0)
    from unnest(ids, layers, amounts, dates) as given (id, layer, amount, value_date)
    where layer = '=' group by id, value_date order by id, value_date
    on conflict (account_id, value_date, booked_on) do update
        set debit = known.debit + excluded.debit, credit = known.credit + excluded.credit;
    select format('%s%s would have %s %s, which is %s', account.code,
            case when owner = '' then '' else ' of ' || owner end, case when low < least then low else high end,
            currency, case when low < least then 'below ' || least else 'above ' || greatest end)
        into passed
    from unnest(ids) as given (id)
    cross join lateral (select * from ledger.account where account_id = id limit 1) as account
    cross join lateral (select * from ledger.balance where account_id = id limit 1) as balance
    cross join lateral (
        select case when sign > 0 then posted + pending_credit else -posted - pending_debit end as low,
            case when sign > 0 then posted + pending_debit else -posted - pending_credit end as high
        from (select ledger.natural_sign(code) as sign) as natural_direction) as reach
    where low < least or high > greatest limit 1;
    return passed;
end $$;

-- Book entries, all or none. A row for each: is_news where it was not there before; refused says why none is booked,
-- and then the caller has to undo what this wrote. is_strict: raise instead, for callers that do not look.
-- Legs come as columns; `of_entry` is the place of their entry, from 1. Rows of entries are looked up one by one and
-- never joined: a plan that was made when there were few would be kept when there are many.
create function ledger.write(of_front_end text, entries json, of_entry int[], codes text[], owners text[],
    currencies text[], amounts bigint[], at timestamptz, by_client text, is_strict boolean)
    returns table (entry_id uuid, state text, value_date date, is_news boolean, refused text, detail text)
    language plpgsql
as $$
#variable_conflict use_column
declare
    closed date := ledger.lock_book(of_front_end, false);
    news uuid[];
    is_whole boolean;
    why text;
    what text;
    ids bigint[];
    limited bigint[];
    is_missing boolean;
begin
    with added as (
        insert into ledger.entry (front_end, entry_id, reference, kind, state, value_date, booked_at, expires_at, subject,
            memo, metadata, legs, reverses, linked_to, content, by)
        select of_front_end, e.entry_id, e.reference, e.kind, e.state,
            case when e.moves and e.value_date <= closed then closed + 1 else e.value_date end,
            at, e.expires_at, e.subject, e.memo, e.metadata, e.legs, e.reverses, e.linked_to, e.content, by_client
        from json_to_recordset(entries) as e (entry_id uuid, reference text, kind text, state text, value_date date,
            moves boolean, expires_at timestamptz, subject text, memo text, metadata jsonb, legs smallint,
            reverses uuid, linked_to uuid, content uuid)
        on conflict do nothing returning entry.entry_id)
    select coalesce(array_agg(added.entry_id), '{}') into news from added;
    is_whole := cardinality(news) = json_array_length(entries);

    if not is_whole then
        select case when known.content is null then 'reversed' else 'conflict' end, e.reference into why, what
        from json_to_recordset(entries) as e (reference text, content uuid)
        left join lateral (
            select content from ledger.entry as known
            where known.front_end = of_front_end and known.reference = e.reference limit 1) as known on true
        where known.content is distinct from e.content limit 1;
    end if;
    if why is null and closed is not null then
        select 'closed', closed::text into why, what
        from json_to_recordset(entries) as e (entry_id uuid, value_date date, moves boolean)
        where e.value_date <= closed and not e.moves and e.entry_id = any (news) limit 1;
    end if;

    if why is null and cardinality(news) > 0 then
        loop
            select array_agg(account.account_id order by l.place),
                array_agg(distinct account.account_id) filter (where account.is_limited),
                bool_or(account.account_id is null)
            into ids, limited, is_missing
            from unnest(codes, owners, currencies) with ordinality as l (code, owner, currency, place)
            left join lateral (
                select known.account_id, known.is_limited from ledger.account as known
                where known.front_end = of_front_end and known.code = l.code and known.owner = l.owner
                    and known.currency = l.currency limit 1) as account on true;
            exit when not is_missing;
            -- In their order: two that open the same accounts wait for each other in one direction only.
            insert into ledger.account (front_end, code, owner, currency, opened_at)
            select distinct of_front_end, l.code, l.owner, l.currency, at
            from unnest(codes, owners, currencies) as l (code, owner, currency)
            order by 2, 3, 4
            on conflict do nothing;
        end loop;
        if limited is not null then
            perform from ledger.account where account_id = any (limited) order by account_id for no key update;
        end if;

        insert into ledger.leg (front_end, entry_id, leg, layer, account_id, currency, amount, value_date, booked_at, xid)
        select of_front_end, e.entry_id, l.leg,
            case when e.state = 'posted' then '=' when l.amount > 0 then '+' else '-' end,
            l.id, l.currency, l.amount, case when e.value_date <= closed then closed + 1 else e.value_date end, at,
            case when l.id = any (limited) then ledger.next_step()
            else pg_current_xact_id()::text::bigint end
        from (
            select *, row_number() over (partition by of_entry order by place) as leg
            from unnest(of_entry, ids, currencies, amounts) with ordinality
                as l (of_entry, id, currency, amount, place)) as l
        join rows from (json_to_recordset(entries) as (entry_id uuid, state text, value_date date)) with ordinality
            as e (entry_id, state, value_date, place) on e.place = l.of_entry
        where is_whole or e.entry_id = any (news);

        if limited is not null then
            select ledger.add_limited(of_front_end, array_agg(l.id), array_agg(
                    case when e.state = 'posted' then '=' when l.amount > 0 then '+' else '-' end),
                array_agg(l.amount),
                array_agg(case when e.value_date <= closed then closed + 1 else e.value_date end), at)
            into what
            from unnest(of_entry, ids, amounts) as l (of_entry, id, amount)
            join rows from (json_to_recordset(entries) as (entry_id uuid, state text, value_date date)) with ordinality
                as e (entry_id, state, value_date, place) on e.place = l.of_entry
            where l.id = any (limited) and e.entry_id = any (news);
            why := case when what is not null then 'bound' end;
        end if;
    end if;
    if is_strict and why is not null then
        raise exception 'nothing is booked (%): %', why, what
            using errcode = 'check_violation', constraint = 'ledger_' || why, table = 'entry', schema = 'ledger';
    end if;
    if is_whole and why is null then
        return query
            select e.entry_id, e.state, case when e.value_date <= closed then closed + 1 else e.value_date end, true,
                null::text, null::text
            from rows from (json_to_recordset(entries) as (entry_id uuid, state text, value_date date)) with ordinality
                as e (entry_id, state, value_date, place) order by e.place;
        return;
    end if;
    return query
        select known.entry_id, known.state, known.value_date, known.entry_id = e.entry_id, why, what
        from rows from (json_to_recordset(entries) as (entry_id uuid, reference text)) with ordinality
            as e (entry_id, reference, place)
        left join lateral (
            select known.entry_id, known.state, known.value_date from ledger.entry as known
            where known.front_end = of_front_end and known.reference = e.reference limit 1) as known on true
        order by e.place;
end $$;

-- End a pending entry: posted, voided or expired. Returns why it cannot be: how it had ended, or an empty text.
create function ledger.finish(of_front_end text, of_entry uuid, wanted text, at timestamptz) returns text
    language plpgsql
as $$
#variable_conflict use_column
declare
    closed date := ledger.lock_book(of_front_end, false);
    entry ledger.entry;
    limited bigint[];
    on_date date;
begin
    select * into entry from ledger.entry where front_end = of_front_end and entry_id = of_entry for update;
    if entry.state <> 'pending' then
        return case when entry.state = wanted then '' else entry.state end;
    end if;
    if wanted <> 'expired' and entry.expires_at <= at then
        return 'expired';
    end if;
    on_date := case when entry.value_date <= closed then closed + 1 else entry.value_date end;
    select array_agg(distinct leg.account_id) filter (where is_limited) into limited
    from ledger.leg cross join lateral (
        select is_limited from ledger.account where account.account_id = leg.account_id limit 1) as account
    where leg.front_end = of_front_end and leg.entry_id = of_entry;
    if limited is not null then
        perform from ledger.account where account_id = any (limited) order by account_id for no key update;
    end if;
    update ledger.entry set state = wanted, ended_at = at where front_end = of_front_end and entry_id = of_entry;
    insert into ledger.leg (front_end, entry_id, leg, layer, account_id, currency, amount, value_date, booked_at, xid)
    select of_front_end, of_entry, entry.legs + leg, layer, account_id, currency, -amount, on_date, at,
        case when account_id = any (limited) then ledger.next_step()
            else pg_current_xact_id()::text::bigint end
    from ledger.leg where front_end = of_front_end and entry_id = of_entry and leg <= entry.legs;
    if wanted = 'posted' then
        insert into ledger.leg
            (front_end, entry_id, leg, layer, account_id, currency, amount, value_date, booked_at, xid)
        select of_front_end, of_entry, 2 * entry.legs + leg, '=', account_id, currency, amount, on_date, at,
            case when account_id = any (limited) then ledger.next_step()
            else pg_current_xact_id()::text::bigint end
        from ledger.leg where front_end = of_front_end and entry_id = of_entry and leg <= entry.legs;
    end if;
    if limited is not null then
        perform ledger.add_limited(of_front_end, array_agg(account_id), array_agg(layer), array_agg(amount),
            array_agg(value_date), at)
        from ledger.leg where front_end = of_front_end and entry_id = of_entry and leg > entry.legs
            and account_id = any (limited);
    end if;
    return '';
end $$;

-- Sum up what was booked since the last time, of transactions that have all ended; return how many legs that were.
create function ledger.fold(of_front_end text) returns bigint
    language plpgsql
as $$
declare
    since bigint;
    until bigint;
    legs bigint;
begin
    perform ledger.lock_book(of_front_end, false);
    select folded into since from ledger.book where front_end = of_front_end for update skip locked;
    if not found then
        return 0;  -- somebody else is at it
    end if;
    until := pg_snapshot_xmin(pg_current_snapshot())::text::bigint;
    with fresh as materialized (
        select account_id, layer, value_date, (booked_at at time zone 'UTC')::date as booked_on, amount
        from ledger.leg where front_end = of_front_end and xid >= since and xid < until),
    summed as (
        insert into ledger.balance as known (front_end, account_id, posted, pending_debit, pending_credit)
        select of_front_end, account_id, coalesce(sum(amount) filter (where layer = '='), 0),
            coalesce(sum(amount) filter (where layer = '+'), 0), coalesce(sum(amount) filter (where layer = '-'), 0)
        from fresh group by account_id
        on conflict (account_id) do update set posted = known.posted + excluded.posted,
            pending_debit = known.pending_debit + excluded.pending_debit,
            pending_credit = known.pending_credit + excluded.pending_credit),
    by_day as (
        insert into ledger.day as known (front_end, account_id, value_date, booked_on, debit, credit)
        select of_front_end, account_id, value_date, booked_on, coalesce(sum(amount) filter (where amount > 0), 0),
            coalesce(-sum(amount) filter (where amount < 0), 0)
        from fresh where layer = '=' group by account_id, value_date, booked_on
        on conflict (account_id, value_date, booked_on) do update
            set debit = known.debit + excluded.debit, credit = known.credit + excluded.credit)
    select count(*) into legs from fresh;
    update ledger.book set folded = until where front_end = of_front_end;
    return legs;
end $$;
