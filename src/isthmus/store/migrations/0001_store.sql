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
    execute format('grant usage on schema %I to isthmus_app',
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

-- Move what is committed to isthmus.event, and return how many rows that were. One mover at a time: each statement
-- sees what was committed before it starts, so the rows are read after the mover before has committed, and
-- positions become visible in their order. A transaction that commits late is moved late; nothing passes it by.
create function isthmus.collect(rows_max integer) returns integer
    language plpgsql
as $$
declare
    moved integer;
begin
    perform pg_advisory_xact_lock(hashtextextended('isthmus.collect', 0));
    with taken as (
        delete from isthmus.outbox
        where seq = any (array(select seq from isthmus.outbox order by seq limit rows_max))
        returning *
    )
    insert into isthmus.event (id, type, version, subject, front_end, box, time, trace, data)
    select id, type, version, subject, front_end, box, time, trace, data from taken order by seq;
    get diagnostics moved = row_count;
    return moved;
end $$;
