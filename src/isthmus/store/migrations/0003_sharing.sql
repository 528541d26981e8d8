-- What is shared: rows stay their owner's (`front_end`), and the owner grants others to read or to use them.
--
-- A pack says with one line which rows can be granted, and by which of their columns:
--
--     select isthmus.guard('inventory.location');
--     select isthmus.lend('inventory.location', 'code', bounds => '{most,leave}');
--
-- Tables that belong to what is granted name its kind: isthmus.lend('inventory.stock', 'location', 'inventory.location').
create table isthmus.shareable (
    kind text collate "C" primary key,  -- the table that has a row for each name
    named text not null,
    bounds text[] not null
);
grant select on isthmus.shareable to isthmus_app;

-- Who shares what with whom. A grant is never changed: another one takes its place, so that the rows are the history.
create table isthmus.row_grant (
    grant_id uuid primary key,
    owner text collate "C" not null,
    kind text collate "C" not null references isthmus.shareable,
    name text collate "C" not null,
    part text collate "C" not null,  -- of what is named, such as one SKU of a location; nothing: all of it
    to_front_end text collate "C" not null check (to_front_end <> owner),
    can text not null check (can in ('read', 'use')),
    bounds jsonb not null,
    ends_at timestamptz,
    reason text not null,
    given_at timestamptz not null,
    given_by text not null,
    withdrawn_at timestamptz,
    withdrawn_by text not null default '',
    withdrawn_because text not null default ''
);
create unique index row_grant_standing on isthmus.row_grant (to_front_end, kind, owner, name, part)
    where withdrawn_at is null;
create index row_grant_given on isthmus.row_grant (owner, kind, name, part);
grant select, insert on isthmus.row_grant to isthmus_app;
grant update (withdrawn_at, withdrawn_by, withdrawn_because) on isthmus.row_grant to isthmus_app;
alter table isthmus.row_grant enable row level security;
create policy given on isthmus.row_grant to isthmus_app
    using (owner = current_setting('isthmus.front_end', true) collate "C");
create policy received on isthmus.row_grant for select to isthmus_app
    using (to_front_end = current_setting('isthmus.front_end', true) collate "C");

-- What is granted to the front end of this session now: for the statements of packs.
create view isthmus.granted with (security_barrier) as
    select grant_id, owner, kind, name, part, can, bounds from isthmus.row_grant
    where to_front_end = current_setting('isthmus.front_end', true) collate "C"
        and withdrawn_at is null and (ends_at is null or ends_at > now());
grant select on isthmus.granted to isthmus_app;

-- Their names come before `front_end`, since PostgreSQL asks policies from the last name to the first: what is a front
-- end's own is known at once, and nothing more is asked.
-- used_by: the commands that `use` allows beside reading. The rows of who owns them stay as `guard` has them.
create function isthmus.lend(
    lent regclass, named text, kind text default null, part text default null, used_by text[] default '{}',
    bounds text[] default '{}'
) returns void
    language plpgsql
as $$
declare
    of_kind constant text := coalesce(kind, lent::text);
    tbl constant text := (select quote_ident(relname) from pg_class where oid = lent);
    granted constant text := format(
        'exists (select from isthmus.row_grant standing
            where standing.to_front_end = current_setting(''isthmus.front_end'', true) collate "C"
                and standing.owner = %1$s.front_end collate "C" and standing.kind = %2$L
                and standing.name = %1$s.%3$I collate "C" and standing.part in ('''', %4$s)
                and standing.withdrawn_at is null and (standing.ends_at is null or standing.ends_at > now())',
        tbl, of_kind, named, case when part is null then '''''' else format('%s.%I collate "C"', tbl, part) end);
    command text;
begin
    if kind is null then
        insert into isthmus.shareable values (of_kind, named, bounds)
            on conflict on constraint shareable_pkey do update set bounds = excluded.bounds;
    end if;
    execute format('create policy as_granted_read on %s for select to isthmus_app using (%s))', lent, granted);
    foreach command in array used_by loop
        execute format('create policy as_granted_%s on %s for %s to isthmus_app %s (%s and standing.can = ''use''))',
            command, lent, command, case command when 'insert' then 'with check' else 'using' end, granted);
    end loop;
end $$;
comment on function isthmus.lend is 'Let owners grant the rows of a guarded table to other front ends, by name.';
