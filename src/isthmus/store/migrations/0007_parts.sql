-- Parts of a front end: what somebody is confined to who has to do with one seller's goods, or with one order, alone.
--
-- Their calls read as isthmus_part and write as isthmus_part_write. The first can read what a migration walled and
-- nothing else, so a table that nobody thought of fails loudly. The second has all that isthmus_app has, since what
-- follows a command is written too, but of walled tables only the rows within its parts.
--
-- A pack says with one line which rows of a table are within a part:
--
--     select isthmus.wall('settlement.item', 'isthmus.is_part(payee)');

do $$
declare
    one text;
begin
    foreach one in array array['isthmus_part', 'isthmus_part_write'] loop
        begin
            if not exists (select from pg_roles where rolname = one) then
                execute format('create role %I nologin nosuperuser nocreatedb nocreaterole nobypassrls', one);
            end if;
        exception when duplicate_object or unique_violation then
            null;  -- made by another database's migration at this moment
        end;
        if not pg_has_role(current_user, one, 'set') then
            execute format('grant %I to %I with set true', one, current_user);
        end if;
    end loop;
    if not pg_has_role('isthmus_part_write', 'isthmus_app', 'usage') then
        grant isthmus_app to isthmus_part_write;
    end if;
exception when insufficient_privilege then
    raise exception 'this account may not make the roles isthmus_part and isthmus_part_write, or act as them'
        using hint = format('as an administrator: create role isthmus_part nologin; create role isthmus_part_write nologin; '
            'grant isthmus_app to isthmus_part_write; '
            'grant isthmus_part to %I with set true; grant isthmus_part_write to %I with set true', current_user, current_user);
end $$;

grant usage on schema isthmus to isthmus_part;

create function isthmus.is_part(part text) returns boolean
    language sql stable
    return part = any (string_to_array(current_setting('isthmus.parts', true), ' '));
comment on function isthmus.is_part(text) is 'Say whether the session is confined to this part, among others, such as seller/17.';

-- What names a part in one pack is known in another by its kind: an order's shipments are within what the order is in.
create table isthmus.part_kind (
    kind text primary key,
    by regprocedure not null  -- (front_end text, name text) returns boolean
);

create function isthmus.part_kind(named text, decided_by regprocedure) returns void
    language sql
begin atomic
    insert into isthmus.part_kind (kind, by) values (named, decided_by)
    on conflict (kind) do update set by = excluded.by;
end;
comment on function isthmus.part_kind(text, regprocedure) is 'Say which function knows whether a thing of this kind is within the parts of the session.';

create function isthmus.is_within(known text, of_front_end text, name text) returns boolean
    language plpgsql stable security definer set search_path = ''
as $$
declare
    decided_by regproc;
    found boolean;
begin
    select by::oid into decided_by from isthmus.part_kind where kind = known;
    if decided_by is null then
        return false;
    end if;
    execute pg_catalog.format('select %s($1, $2)', decided_by) into found using of_front_end, name;
    return found;
end $$;
comment on function isthmus.is_within(text, text, text) is 'Say whether a thing of another pack is within the parts of the session; what no pack knows is not.';

create function isthmus.wall(walled regclass, belongs text default null) returns void
    language plpgsql
as $$
declare
    is_guarded constant boolean := exists (select from pg_policy where polrelid = walled and polname = 'front_end');
    of_front_end constant text := case when is_guarded then 'front_end = current_setting(''isthmus.front_end'', true) and ' else '' end;
begin
    execute format('grant usage on schema %s to isthmus_part',
        (select relnamespace::regnamespace::text from pg_class where oid = walled));
    execute format('grant select on %s to isthmus_part', walled);
    if belongs is null and not is_guarded then
        return;
    end if;
    if not is_guarded then  -- rows of the whole group: no wall for calls of whole front ends
        execute format('alter table %s enable row level security', walled);
        execute format('create policy everybody on %s to isthmus_app using (true)', walled);
    end if;
    execute format('create policy part_read on %s for select to isthmus_part using (%s(%s))', walled, of_front_end, coalesce(belongs, 'true'));
    if belongs is not null then
        execute format('create policy part_write on %s as restrictive to isthmus_part_write using (%s)', walled, belongs);
    end if;
end $$;
comment on function isthmus.wall(regclass, text) is 'Show who is confined to a part of a front end the rows of a table that are within it; all, where nothing says which.';
