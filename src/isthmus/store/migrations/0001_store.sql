-- The store's own tables, and what the migrations of packs call.
--
-- isthmus_app is the role that calls run as: no owner, no superuser, so row-level security holds for it, and a
-- table that no migration opened to it fails loudly. Roles belong to the whole server, so it may exist already.

do $$
begin
    if not exists (select from pg_roles where rolname = 'isthmus_app') then
        create role isthmus_app nologin nosuperuser nocreatedb nocreaterole nobypassrls;
    end if;
exception
    when duplicate_object or unique_violation then
        null;  -- made by another database's migration at this moment
    when insufficient_privilege then
        raise exception 'this account may not make the role isthmus_app'
            using hint = format('as an administrator: create role isthmus_app nologin; grant isthmus_app to %I with set true', current_user);
end $$;

do $$
begin
    if not pg_has_role(current_user, 'isthmus_app', 'set') then
        execute format('grant isthmus_app to %I with set true', current_user);
    end if;
exception when insufficient_privilege then
    raise exception 'this account may not act as the role isthmus_app'
        using hint = format('as an administrator: grant isthmus_app to %I with set true', current_user);
end $$;

grant usage on schema isthmus to isthmus_app;

create procedure isthmus.open(opened regclass)
    language plpgsql
as $$
declare
    numbering record;
begin
    execute format('grant usage on schema %s to isthmus_app',  -- regnamespace is quoted where it must be, as in "order"
        (select relnamespace::regnamespace::text from pg_class where oid = opened));
    execute format('grant select, insert, update, delete on %s to isthmus_app', opened);
    for numbering in
        select objid::regclass as sequence from pg_depend
        where refobjid = opened and classid = 'pg_class'::regclass and deptype in ('a', 'i')
            and (select relkind from pg_class where oid = objid) = 'S'
    loop
        execute format('grant usage on sequence %s to isthmus_app', numbering.sequence);
    end loop;
end $$;

create function isthmus.guard(guarded regclass) returns void
    language plpgsql
as $$
begin
    if not exists (select from pg_attribute where attrelid = guarded and attname = 'front_end' and not attisdropped) then
        raise exception 'table % has no column front_end to guard', guarded
            using hint = 'add "front_end text not null", or call isthmus.share for rows of the whole group';
    end if;
    call isthmus.open(guarded);
    execute format('alter table %s enable row level security', guarded);
    execute format('create policy front_end on %s to isthmus_app using (front_end = current_setting(''isthmus.front_end'', true))', guarded);
end $$;
comment on function isthmus.guard(regclass) is 'Open a table to calls; each sees and writes the rows of its own front end only.';

create function isthmus.share(shared regclass) returns void
    language plpgsql
as $$
begin
    call isthmus.open(shared);
end $$;
comment on function isthmus.share(regclass) is 'Open a table to calls of all front ends: rows of the whole group.';


-- Answers given under an Idempotency-Key. `digest` is of front end and key: short, and nothing to quote.
create table isthmus.idempotency (
    digest uuid primary key,
    front_end text not null,
    key text not null,
    capability text not null,
    ask_hash text not null,
    answer bytea not null,
    answered_at timestamptz not null default now()
);
create index on isthmus.idempotency using brin (answered_at) with (pages_per_range = 32);
select isthmus.guard('isthmus.idempotency');
revoke update, delete on isthmus.idempotency from isthmus_app;


-- Events on their way: written with the rows that they tell of, moved to isthmus.event when those are committed.
create table isthmus.outbox (
    seq bigint generated always as identity primary key,
    id text not null,
    type text not null,
    version text not null,
    subject text not null,
    front_end text not null,
    box text not null,
    time timestamptz not null,
    trace text not null,
    data json not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
select isthmus.guard('isthmus.outbox');
revoke select, update, delete on isthmus.outbox from isthmus_app;

-- Every writer of events has its transaction's number before its first event has one; isthmus.collect builds on it.
create function isthmus.number_transaction() returns trigger
    language plpgsql
as $$
begin
    perform pg_current_xact_id();
    return null;
end $$;
create trigger number_transaction before insert on isthmus.outbox
    for each statement execute function isthmus.number_transaction();

-- Events that are committed, in one order for all readers: a position is taken by one mover at a time.
create table isthmus.event (
    position bigint generated always as identity primary key,
    id text not null,
    type text not null,
    version text not null,
    subject text not null,
    front_end text not null,
    box text not null,
    time timestamptz not null,
    trace text not null,
    data json not null,
    collected_at timestamptz not null default now()
);

-- Each reader of events, and how far it has read. A lease keeps its twin in another process from reading as well.
create table isthmus.consumer (
    name text primary key,
    position bigint not null,
    leased_by text not null default '',
    leased_until timestamptz not null default '-infinity',
    failures bigint not null default 0,
    last_error text not null default '',
    moved_at timestamptz not null default now()
);

-- Up to `floor` nothing is left in isthmus.outbox and nothing can come: a mover starts there. Rows that were moved
-- stay in the index while any reader has an older snapshot, a dump of an hour say; without the floor every mover
-- would pass over all of them. `mark` is the next floor, as soon as all transactions up to `mark_xid` have ended.
create table isthmus.collector (
    is_only boolean primary key default true check (is_only),
    floor bigint not null default 0,
    mark bigint not null default 0,
    mark_xid xid8 not null default '0'
);
insert into isthmus.collector default values;

-- Move what is committed to isthmus.event, and return how many rows that were. One mover at a time: each statement
-- sees what was committed before it starts, so the rows are read after the mover before has committed, and
-- positions become visible in their order. A transaction that commits late is moved late; nothing passes it by.
create function isthmus.collect(rows_max integer) returns integer
    language plpgsql
as $$
declare
    step constant bigint := 10000;  -- moved rows that a mover may have to pass over
    state isthmus.collector;
    is_unnumbered boolean := pg_current_xact_id_if_assigned() is null;
    last_seq bigint;
    moved integer;
begin
    perform pg_advisory_xact_lock(hashtextextended('isthmus.collect', 0));
    select * into state from isthmus.collector;
    select last_value into last_seq from isthmus.outbox_seq_seq;
    with taken as (
        delete from isthmus.outbox
        where seq = any (array(select seq from isthmus.outbox where seq > state.floor order by seq limit rows_max))
        returning *
    )
    insert into isthmus.event (id, type, version, subject, front_end, box, time, trace, data)
    select id, type, version, subject, front_end, box, time, trace, data from taken order by seq;
    get diagnostics moved = row_count;
    if state.mark > state.floor then
        if pg_snapshot_xmin(pg_current_snapshot()) > state.mark_xid
            and not exists (select from isthmus.outbox where seq > state.floor and seq <= state.mark)
        then
            update isthmus.collector set floor = mark;
        end if;
    elsif is_unnumbered and last_seq >= state.floor + step then
        -- Who has a seq up to last_seq had its number before last_seq was read, and so before this transaction.
        update isthmus.collector set mark = last_seq, mark_xid = pg_current_xact_id();
    end if;
    return moved;
end $$;
